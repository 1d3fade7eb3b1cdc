//! From a float of Prometheus to a quantity of the API, by explicit policies.
//!
//! prometheus-adapter casts: NaN becomes 0 or the least integer, infinity the least integer, and a scale-in of everything
//! follows. Here a number that is none is no data, unless somebody asks for something else.

use std::collections::BTreeMap;

use flyball_core::Timestamp;

use super::source::Sample;

/// What a number that is none becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NotANumber {
    /// No data: the sample is left out.
    #[default]
    NoData,
    /// Zero, as prometheus-adapter has it for custom and resource metrics.
    Zero,
}

/// Which of several samples of one object holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Several {
    /// The largest: of two wrong answers, too many replicas is the safer one.
    #[default]
    Largest,
    /// Their sum.
    Sum,
    /// The last one, as prometheus-adapter has it; which one is last is chance.
    Last,
}

/// How samples become values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ValuePolicy {
    /// NaN.
    pub nan: NotANumber,
    /// Plus and minus infinity.
    pub infinite: NotANumber,
    /// Several samples of one object.
    pub several: Several,
    /// A sample older than so many seconds is no data; `None` leaves staleness to Prometheus.
    pub stale_after_seconds: Option<i64>,
}

impl ValuePolicy {
    /// Exactly what prometheus-adapter does with values of objects.
    pub const COMPATIBLE: Self = Self {
        nan: NotANumber::Zero,
        infinite: NotANumber::Zero,
        several: Several::Last,
        stale_after_seconds: None,
    };

    /// A value in thousandths, cut towards zero and capped; `None` is no data.
    pub fn milli(&self, value: f64) -> Option<i64> {
        let policy = match value {
            value if value.is_nan() => self.nan,
            value if value.is_infinite() => self.infinite,
            // The cast saturates.
            value => return Some((value * 1000.0) as i64),
        };
        match policy {
            NotANumber::NoData => None,
            NotANumber::Zero => Some(0),
        }
    }

    /// Whether a sample is too old to count.
    pub fn is_stale(&self, at: Timestamp, now: Timestamp) -> bool {
        self.stale_after_seconds
            .is_some_and(|seconds| now.duration_since(at).as_secs() > seconds)
    }

    /// One value for each object that `label` names.
    pub fn by_object(&self, samples: &[Sample], label: &str, now: Timestamp) -> BTreeMap<String, Measured> {
        let mut values: BTreeMap<String, Measured> = BTreeMap::new();
        for sample in samples {
            let Some(milli) = self.milli(sample.value).filter(|_| !self.is_stale(sample.at, now)) else {
                continue;
            };
            let measured = Measured { milli, at: sample.at };
            let object = sample.labels.get(label).cloned().unwrap_or_default();
            values
                .entry(object)
                .and_modify(|held| *held = self.held(*held, measured))
                .or_insert(measured);
        }
        values
    }

    fn held(&self, held: Measured, next: Measured) -> Measured {
        match self.several {
            Several::Last => next,
            Several::Largest if next.milli > held.milli => next,
            Several::Largest => held,
            Several::Sum => Measured {
                milli: held.milli.saturating_add(next.milli),
                at: held.at.min(next.at),
            },
        }
    }
}

/// A value with its own time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measured {
    /// In thousandths.
    pub milli: i64,
    /// When the sample was taken.
    pub at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_is_none_is_no_data() {
        let policy = ValuePolicy::default();
        for (value, want) in [
            (1.5, Some(1500)),
            (-0.0019, Some(-1)),
            (1e300, Some(i64::MAX)),
            (f64::NAN, None),
            (f64::INFINITY, None),
            (f64::NEG_INFINITY, None),
        ] {
            assert_eq!(policy.milli(value), want, "{value}");
        }
        assert_eq!(ValuePolicy::COMPATIBLE.milli(f64::NAN), Some(0));
    }

    #[test]
    fn several_samples_of_one_object_have_a_policy() {
        let at = Timestamp::UNIX_EPOCH;
        let samples: Vec<_> = [3.0, 5.0, 4.0, f64::NAN]
            .map(|value| Sample {
                labels: BTreeMap::from([("pod".to_owned(), "web".to_owned())]),
                value,
                at,
            })
            .into();
        for (several, want) in [(Several::Largest, 5000), (Several::Sum, 12000), (Several::Last, 4000)] {
            let policy = ValuePolicy {
                several,
                ..ValuePolicy::default()
            };
            assert_eq!(policy.by_object(&samples, "pod", at)["web"].milli, want);
        }
    }

    #[test]
    fn a_stale_sample_is_no_data() {
        let policy = ValuePolicy {
            stale_after_seconds: Some(60),
            ..ValuePolicy::default()
        };
        let now = Timestamp::from_second(100).unwrap();
        for (second, stale) in [(39, true), (40, false)] {
            assert_eq!(policy.is_stale(Timestamp::from_second(second).unwrap(), now), stale);
        }
    }
}
