//! Leaving a failing server alone for a while.

use std::time::Duration;

use tokio::time::Instant;

/// Failures in a row after which a server is left alone.
const FAILURES_MAX: u32 = 5;

/// How long it is left alone first; doubled for each further failure.
const REST_MIN: Duration = Duration::from_secs(1);

/// How long it is left alone at most.
const REST_MAX: Duration = Duration::from_secs(30);

/// The state of one replica. A pure value: times are arguments.
///
/// Closed: fewer than [`FAILURES_MAX`] failures in a row. Open: no request until `open_until`. Half open: after
/// that time requests go through, and the first result decides.
#[derive(Debug, Clone, Default)]
pub(super) struct Breaker {
    failures: u32,
    open_until: Option<Instant>,
}

impl Breaker {
    /// How long the server is still to be left alone; `None` when it may be asked.
    pub(super) fn rest(&self, now: Instant) -> Option<Duration> {
        self.open_until
            .and_then(|until| until.checked_duration_since(now))
            .filter(|rest| !rest.is_zero())
    }

    /// Failures in a row.
    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    pub(super) fn succeeded(&mut self) {
        *self = Breaker::default();
    }

    /// Notes a failure; `retry_after` is what the server itself asked for.
    pub(super) fn failed(&mut self, now: Instant, retry_after: Option<Duration>) {
        self.failures = self.failures.saturating_add(1);
        let over = self.failures.checked_sub(FAILURES_MAX);
        let rest = over.map(|over| REST_MIN.saturating_mul(1 << over.min(5)).min(REST_MAX));
        let asked = retry_after.map(|asked| asked.min(REST_MAX));
        if let Some(rest) = rest.max(asked) {
            self.open_until = Some(now + rest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn rests_grow_and_a_success_ends_them() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        (0..4).for_each(|_| breaker.failed(now, None));
        assert_eq!(breaker.rest(now), None);
        breaker.failed(now, None);
        assert_eq!(breaker.rest(now), Some(Duration::from_secs(1)));
        assert_eq!(breaker.rest(now + Duration::from_secs(1)), None);
        (0..20).for_each(|_| breaker.failed(now, None));
        assert_eq!(breaker.rest(now), Some(REST_MAX));
        breaker.succeeded();
        assert_eq!((breaker.rest(now), breaker.failures()), (None, 0));
        breaker.failed(now, Some(Duration::from_secs(7)));
        assert_eq!(breaker.rest(now), Some(Duration::from_secs(7)));
    }
}
