//! On what a decision rests.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// A number with its provenance. "No data" is the absence of a `Measurement`, never a zero.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// The value, in the unit that the metric's name states.
    pub value: f64,
    /// When the sample was taken, where the source says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampled_at: Option<Timestamp>,
    /// How old the sample was when the decision was made, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_seconds: Option<f64>,
    /// Which share of the expected subjects reported, from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coverage: Option<f64>,
}

impl Measurement {
    /// A value whose age and coverage are not known.
    pub fn new(value: f64) -> Self {
        Self {
            value,
            sampled_at: None,
            age_seconds: None,
            coverage: None,
        }
    }

    /// Adds the sample's time, and its age as seen from `now`.
    pub fn sampled(mut self, at: Timestamp, now: Timestamp) -> Self {
        self.sampled_at = Some(at);
        self.age_seconds = Some(now.duration_since(at).as_secs_f64());
        self
    }

    /// Adds how many of the expected subjects reported.
    pub fn covering(mut self, reported: usize, expected: usize) -> Self {
        self.coverage = (expected > 0).then(|| reported as f64 / expected as f64);
        self
    }
}

impl fmt::Display for Measurement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Rounded(self.value))?;
        if let Some(age) = self.age_seconds {
            write!(f, " ({age:.0} s old)")?;
        }
        match self.coverage {
            Some(coverage) if coverage < 1.0 => write!(f, " ({:.0} % reported)", coverage * 100.0),
            _ => Ok(()),
        }
    }
}

/// At most three decimals and no trailing zeros: enough to act on, short enough to read at night.
struct Rounded(f64);

impl fmt::Display for Rounded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.is_finite() {
            return write!(f, "{}", self.0);
        }
        let text = format!("{:.3}", self.0);
        f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// One fact behind a decision: what was looked at, what it showed, what it was compared with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// What was looked at, in words: `http_requests_per_second of Deployment/web`, `stabilisation`.
    pub about: String,
    /// The query that gave the value, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// What it showed; `None` means no data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Measurement>,
    /// What the value was compared with, in the same unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<f64>,
    /// What follows from it, as a sentence without a full stop.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

impl Evidence {
    /// Evidence without a value yet.
    pub fn new(about: impl Into<String>) -> Self {
        Self {
            about: about.into(),
            query: None,
            value: None,
            target: None,
            note: String::new(),
        }
    }

    /// Adds the query that was asked.
    pub fn query(mut self, query: impl Into<String>) -> Self {
        self.query = Some(query.into());
        self
    }

    /// Adds what was measured.
    pub fn value(mut self, value: Measurement) -> Self {
        self.value = Some(value);
        self
    }

    /// Adds what it was compared with.
    pub fn target(mut self, target: f64) -> Self {
        self.target = Some(target);
        self
    }

    /// Adds what follows from it.
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.about)?;
        if let Some(value) = &self.value {
            write!(f, " = {value}")?;
        }
        if let Some(target) = self.target {
            write!(f, ", target {}", Rounded(target))?;
        }
        if !self.note.is_empty() {
            write!(f, ": {}", self.note)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_reads_as_a_sentence() {
        let now: Timestamp = "2026-01-01T00:00:10Z".parse().unwrap();
        let at = "2026-01-01T00:00:07Z".parse().unwrap();
        let evidence = Evidence::new("http_requests_per_second of deploy/web")
            .value(Measurement::new(19.5).sampled(at, now).covering(1, 2))
            .target(10.0)
            .note("ratio 1.95");
        assert_eq!(
            evidence.to_string(),
            "http_requests_per_second of deploy/web = 19.5 (3 s old) (50 % reported), target 10: ratio 1.95"
        );
    }

    #[test]
    fn no_data_is_not_zero() {
        let evidence = Evidence::new("queue_length").note("the source has no sample");
        assert_eq!(evidence.to_string(), "queue_length: the source has no sample");
        assert!(!serde_json::to_string(&evidence).unwrap().contains("value"));
    }

    #[test]
    fn coverage_of_nothing_expected_is_unknown() {
        assert_eq!(Measurement::new(1.0).covering(0, 0).coverage, None);
    }
}
