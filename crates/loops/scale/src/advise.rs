//! `flyball scale advise`: requests from recorded usage, by the histogram method of the Vertical Pod Autoscaler.
//!
//! Source of method and constants: autoscaler's vertical-pod-autoscaler/pkg/recommender. Usage goes into buckets that grow
//! by 5 %, its weight halves every day, and percentiles of that become lower bound, target and upper bound. Memory counts
//! by its daily peak, because what kills a container is not its average.

mod histogram;

use std::fmt;

use flyball_core::Timestamp;
use serde::Serialize;

pub use histogram::{Histogram, Scale};

/// Seconds of a day, the half-life of a sample's weight and the interval of memory peaks.
const DAY_SECONDS: i64 = 86_400;

/// The safety margin on top of every percentile.
const MARGIN: f64 = 1.15;

/// A day of samples at one a minute is full confidence for that day.
const SAMPLES_PER_DAY: f64 = 1440.0;

/// What is recommended never goes below these, for a pod: cores and bytes.
const CPU_MINIMUM: f64 = 0.025;
const MEMORY_MINIMUM: f64 = 250.0 * 1024.0 * 1024.0;

/// Three numbers for one resource.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Bounds {
    /// Less than this is a risk.
    pub lower: f64,
    /// What to request.
    pub target: f64,
    /// More than this is waste.
    pub upper: f64,
}

/// What to request for one container.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Advice {
    /// In cores.
    pub cpu: Bounds,
    /// In bytes.
    pub memory: Bounds,
    /// On how many CPU samples it rests.
    pub samples: usize,
    /// How many days lie between the first and the last.
    pub days: f64,
}

/// Recommends from usage over time: cores and bytes, times in ascending order. `containers` share a pod's minimum.
/// `None` without a sample of both.
pub fn advise(cpu: &[(Timestamp, f64)], memory: &[(Timestamp, f64)], containers: u32) -> Option<Advice> {
    let (first, last) = (cpu.first()?.0, cpu.last()?.0);
    memory.first()?;
    let mut cpu_histogram = Histogram::new(Scale::CPU, first);
    for (at, cores) in cpu {
        cpu_histogram.add(*at, *cores, 0.1);
    }
    let mut memory_histogram = Histogram::new(Scale::MEMORY, memory[0].0);
    for (at, bytes) in peaks(memory) {
        memory_histogram.add(at, bytes, 1.0);
    }
    let days = last.duration_since(first).as_secs() as f64 / DAY_SECONDS as f64;
    let confidence = days.min(cpu.len() as f64 / SAMPLES_PER_DAY);
    let share = f64::from(containers.max(1));
    Some(Advice {
        cpu: bounds(&cpu_histogram, confidence, CPU_MINIMUM / share),
        memory: bounds(&memory_histogram, confidence, MEMORY_MINIMUM / share),
        samples: cpu.len(),
        days,
    })
}

/// The peak of each day.
fn peaks(memory: &[(Timestamp, f64)]) -> Vec<(Timestamp, f64)> {
    let mut peaks: Vec<(Timestamp, f64)> = Vec::new();
    let day = |at: Timestamp| at.as_second().div_euclid(DAY_SECONDS);
    for &(at, bytes) in memory {
        match peaks.last_mut() {
            Some((last, peak)) if day(*last) == day(at) => *peak = peak.max(bytes),
            _ => peaks.push((at, bytes)),
        }
    }
    peaks
}

/// The upper bound narrows and the lower bound rises as confidence grows.
fn bounds(histogram: &Histogram, confidence: f64, minimum: f64) -> Bounds {
    let of = |percentile: f64| (histogram.percentile(percentile) * MARGIN).max(minimum);
    Bounds {
        lower: (histogram.percentile(0.5) * MARGIN * (1.0 + 0.001 / confidence).powi(-2)).max(minimum),
        target: of(0.9),
        upper: of(0.95) * (1.0 + 1.0 / confidence),
    }
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MEBIBYTE: f64 = 1024.0 * 1024.0;
        let row = |f: &mut fmt::Formatter<'_>, name: &str, bounds: &Bounds, unit: f64, suffix: &str| {
            let shown = |value: f64| {
                if value.is_finite() {
                    format!("{:.0}{suffix}", (value / unit).ceil())
                } else {
                    "-".to_owned()
                }
            };
            let (lower, target, upper) = (shown(bounds.lower), shown(bounds.target), shown(bounds.upper));
            writeln!(
                f,
                "{name:8} request {target:>8}   at least {lower:>8}   at most {upper:>8}"
            )
        };
        row(f, "cpu", &self.cpu, 0.001, "m")?;
        row(f, "memory", &self.memory, MEBIBYTE, "Mi")?;
        writeln!(f, "from {} samples over {:.1} days", self.samples, self.days)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_767_225_600 + seconds).unwrap()
    }

    #[test]
    fn steady_usage_is_recommended_with_a_margin() {
        let eight_days = 8 * 1440;
        let cpu: Vec<_> = (0..eight_days).map(|minute| (at(minute * 60), 0.5)).collect();
        let memory: Vec<_> = (0..eight_days).map(|minute| (at(minute * 60), 1e9)).collect();
        let advice = advise(&cpu, &memory, 1).unwrap();
        // The end of the bucket that holds 0.5 cores, times 1.15.
        assert!((0.575..0.66).contains(&advice.cpu.target), "{advice:?}");
        assert!((1.15e9..1.3e9).contains(&advice.memory.target), "{advice:?}");
        assert!(advice.cpu.lower <= advice.cpu.target && advice.cpu.target <= advice.cpu.upper);
        assert!(advice.to_string().contains("over 8.0 days"));
    }

    #[test]
    fn idle_containers_share_the_pod_minimum() {
        let cpu = [(at(0), 0.0), (at(60), 0.0)];
        let memory = [(at(0), 1.0)];
        let advice = advise(&cpu, &memory, 2).unwrap();
        assert!((advice.cpu.target - 0.0125).abs() < 1e-9, "{advice:?}");
        assert!(advise(&cpu, &[], 1).is_none());
    }

    #[test]
    fn memory_counts_by_its_daily_peak() {
        let memory = [(at(0), 1.0), (at(3600), 3.0), (at(7200), 2.0), (at(90_000), 1.5)];
        let values: Vec<f64> = peaks(&memory).into_iter().map(|(_, bytes)| bytes).collect();
        assert_eq!(values, [3.0, 1.5]);
    }
}
