//! What is written back, and what is remembered between turns.

use std::borrow::Cow;
use std::sync::Arc;

use flyball_core::Timestamp;

use super::{MetricSource, Recommendation, ScaleEvent};

/// `status` of a HorizontalPodAutoscaler.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Status {
    /// Replicas as last seen.
    pub current_replicas: i32,
    /// Replicas as last wanted.
    pub desired_replicas: i32,
    /// When the scale was last changed.
    pub last_scale: Option<Timestamp>,
    /// Which generation of the spec this is about.
    pub observed_generation: Option<i64>,
    /// In the order in which they first appeared.
    pub conditions: Vec<Condition>,
    /// One for each metric of the spec; `None` where it failed.
    pub current_metrics: Vec<Option<MetricStatus>>,
}

impl Status {
    /// Sets a condition in place, or appends it. Its time changes only with its status.
    pub(crate) fn set(
        &mut self,
        kind: &'static str,
        status: ConditionStatus,
        reason: &'static str,
        message: impl Into<Cow<'static, str>>,
        now: Timestamp,
    ) {
        let message = message.into();
        match self.conditions.iter_mut().find(|condition| condition.kind == kind) {
            Some(condition) => {
                if condition.status != status {
                    condition.since = now;
                }
                condition.status = status;
                condition.reason = reason.into();
                condition.message = message;
            }
            None => self.conditions.push(Condition {
                kind: kind.into(),
                status,
                reason: reason.into(),
                message,
                since: now,
            }),
        }
    }

    pub(crate) fn remove(&mut self, kind: &str) {
        self.conditions.retain(|condition| condition.kind != kind);
    }

    /// Whether the condition is there and true.
    pub fn is_true(&self, kind: &str) -> bool {
        self.conditions
            .iter()
            .any(|condition| condition.kind == kind && condition.status == ConditionStatus::True)
    }
}

/// One condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// `AbleToScale`, `ScalingActive`, `ScalingLimited`, `ScaledToZero`, …
    pub kind: Cow<'static, str>,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// Why, in one word.
    pub reason: Cow<'static, str>,
    /// Why, in a sentence.
    pub message: Cow<'static, str>,
    /// Since when its status is what it is.
    pub since: Timestamp,
}

/// The status of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the three words of Kubernetes")]
pub enum ConditionStatus {
    True,
    False,
    Unknown,
}

impl ConditionStatus {
    /// As written in the object.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }

    /// From the object.
    pub fn parse(text: &str) -> Self {
        match text {
            "True" => Self::True,
            "False" => Self::False,
            _ => Self::Unknown,
        }
    }
}

/// One metric as last seen.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricStatus {
    /// What was measured.
    pub source: Arc<MetricSource>,
    /// What it showed.
    pub current: CurrentValue,
}

/// What a metric showed, as far as its kind of target asks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CurrentValue {
    /// The whole, in thousandths.
    pub value_milli: Option<i64>,
    /// The average of a pod, in thousandths.
    pub average_value_milli: Option<i64>,
    /// The average share of the request, in whole percent.
    pub average_utilization_percent: Option<i32>,
}

impl CurrentValue {
    pub(crate) fn value(milli: i64) -> Self {
        Self {
            value_milli: Some(milli),
            ..Self::default()
        }
    }

    pub(crate) fn average(milli: i64) -> Self {
        Self {
            average_value_milli: Some(milli),
            ..Self::default()
        }
    }

    pub(crate) fn utilization(average_milli: i64, percent: i32) -> Self {
        Self {
            average_value_milli: Some(average_milli),
            average_utilization_percent: Some(percent),
            ..Self::default()
        }
    }
}

/// An Event about the autoscaler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Whether it is a warning; else it is `Normal`.
    pub warning: bool,
    /// Why, in one word.
    pub reason: &'static str,
    /// What happened.
    pub message: String,
}

impl Event {
    pub(crate) fn warning(reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            warning: true,
            reason,
            message: message.into(),
        }
    }

    /// `Normal` or `Warning`.
    pub fn kind(&self) -> &'static str {
        if self.warning { "Warning" } else { "Normal" }
    }
}

/// What the controller remembers of one autoscaler between turns. It is lost with the process, as upstream's is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// Recommendations before stabilisation; `None` until the first turn.
    pub recommendations: Option<Vec<Recommendation>>,
    /// Rescales upwards.
    pub scale_ups: Vec<ScaleEvent>,
    /// Rescales downwards.
    pub scale_downs: Vec<ScaleEvent>,
    /// Since when each external metric fails, by its place in the spec.
    pub failing_since: Vec<Option<Timestamp>>,
}
