//! The shape of a day.

/// A day of so many seconds that repeats.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Day {
    /// How long it takes.
    pub(crate) seconds: f64,
    /// Requests a second at the peak.
    pub(crate) peak_per_second: f64,
}

/// A part of the day and the rate wanted in it now.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Phase {
    pub(crate) name: &'static str,
    pub(crate) rate_per_second: f64,
}

/// Start as a share of the day, name, and the rate as a share of the peak at the start; within a part the
/// rate goes in a straight line to the start of the next one.
const PARTS: [(f64, &str, f64); 7] = [
    (0.00, "quiet", 0.1),
    (0.20, "rise", 0.1),
    (0.40, "peak", 1.0),
    (0.58, "spike", 1.5),
    (0.66, "fall", 1.0),
    (0.76, "quiet", 0.1),
    (1.00, "quiet", 0.1),
];

impl Day {
    /// The rate wanted after so many seconds.
    pub(crate) fn rate_per_second(&self, elapsed_seconds: f64) -> f64 {
        self.phase(elapsed_seconds).rate_per_second
    }

    /// The part of the day after so many seconds.
    pub(crate) fn phase(&self, elapsed_seconds: f64) -> Phase {
        let at = (elapsed_seconds / self.seconds).rem_euclid(1.0);
        let next = PARTS.iter().position(|part| part.0 > at).unwrap_or(PARTS.len() - 1);
        let (from, to) = (PARTS[next - 1], PARTS[next]);
        let share = (at - from.0) / (to.0 - from.0);
        // A peak is level; it does not creep up to the spike.
        let level = if from.1 == "peak" || from.1 == "spike" {
            from.2
        } else {
            from.2 + (to.2 - from.2) * share
        };
        Phase {
            name: from.1,
            rate_per_second: level * self.peak_per_second,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_its_parts_in_order_and_repeats() {
        let day = Day {
            seconds: 100.0,
            peak_per_second: 60.0,
        };
        let expected = [
            (0.0, "quiet", 6.0),
            (20.0, "rise", 6.0),
            (30.0, "rise", 33.0),
            (50.0, "peak", 60.0),
            (60.0, "spike", 90.0),
            (71.0, "fall", 33.0),
            (90.0, "quiet", 6.0),
            (150.0, "peak", 60.0),
        ];
        for (second, name, rate) in expected {
            let phase = day.phase(second);
            assert_eq!(phase.name, name, "at {second}");
            assert!((phase.rate_per_second - rate).abs() < 1e-6, "{second}: {phase:?}");
        }
    }
}
