//! What the customers see.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::day::Phase;

/// Distinct error texts that are kept for a report; the rest is counted under the last one.
const ERROR_TEXTS_MAX: usize = 10;

/// Answers and errors since the last report, and in all.
#[derive(Debug, Default)]
pub(crate) struct Seen(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    latencies: Vec<Duration>,
    errors: BTreeMap<String, u64>,
    answered_total: u64,
    failed_total: u64,
}

impl Seen {
    /// One good answer.
    pub(crate) fn answered(&self, took: Duration) {
        let mut state = self.lock();
        state.answered_total += 1;
        state.latencies.push(took);
    }

    /// One failure.
    pub(crate) fn failed(&self, message: &str) {
        let mut state = self.lock();
        state.failed_total += 1;
        let known = state.errors.contains_key(message) || state.errors.len() < ERROR_TEXTS_MAX;
        let text = if known { message.trim() } else { "others" };
        *state.errors.entry(text.to_owned()).or_default() += 1;
    }

    /// A line about the time since the last report, which then starts anew.
    pub(crate) fn report(&self, phase: &Phase, period: Duration) -> String {
        let mut state = self.lock();
        let mut latencies = std::mem::take(&mut state.latencies);
        let errors = std::mem::take(&mut state.errors);
        latencies.sort_unstable();
        let mut line = format!(
            "{:<6} wanted {:>6.1}/s  answered {:>6.1}/s  errors {}  p50 {:>7.1} ms  p99 {:>7.1} ms",
            phase.name,
            phase.rate_per_second,
            latencies.len() as f64 / period.as_secs_f64(),
            errors.values().sum::<u64>(),
            milliseconds(percentile(&latencies, 50)),
            milliseconds(percentile(&latencies, 99)),
        );
        for (text, count) in errors {
            line.push_str(&format!("\n       {count} x {text}"));
        }
        line
    }

    /// Counts of the whole run.
    pub(crate) fn total(&self) -> String {
        let state = self.lock();
        format!("{} answered, {} failed", state.answered_total, state.failed_total)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The nearest-rank percentile of sorted values; zero where there are none.
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_says_what_customers_saw_and_starts_anew() {
        let seen = Seen::default();
        for milliseconds in 1..=100 {
            seen.answered(Duration::from_millis(milliseconds));
        }
        seen.failed("price: answered with 500\n");
        let phase = Phase {
            name: "peak",
            rate_per_second: 60.0,
        };
        let line = seen.report(&phase, Duration::from_secs(5));
        assert!(
            line.contains("answered   20.0/s  errors 1  p50    50.0 ms  p99    99.0 ms"),
            "{line}"
        );
        assert!(line.contains("1 x price: answered with 500"), "{line}");
        assert!(
            seen.report(&phase, Duration::from_secs(5))
                .contains("answered    0.0/s  errors 0")
        );
        assert_eq!(seen.total(), "100 answered, 1 failed");
    }
}
