//! The HorizontalPodAutoscaler of Kubernetes 1.37 as a pure function.
//!
//! ```text
//!  Snapshot ─ decide ─> Plan ─ conclude ─> Turn
//!   autoscaler spec      rescale 2 -> 4     status, conditions, events
//!   scale, pods          metric by metric   history for the next turn
//!   readings, history    and why            explanation -> Decision
//! ```
//!
//! [`decide()`] sees everything at once and touches nothing: no cluster, no clock. What it wants done is
//! [`Plan::rescale`]; the caller does it (or does not) and tells [`Plan::conclude`] what came of it. So the
//! controller, `explain` and `simulate` run the same code, and a test is a value.
//!
//! Example: a Deployment of 2 with a target of 10 requests per second a pod. Its pods serve 24 and 16: the
//! average of 20 makes a ratio of 2.0, beyond the tolerance of 0.1, so 2 ready pods × 2.0 = 4 are proposed;
//! no earlier recommendation within the window is lower, no limit is in the way, 4 is the answer.
//!
//! Numbers are thousandths in `i64`, divided as integers, and ratios are `f64`, in the same order as the
//! upstream controller (`pkg/controller/podautoscaler` at v1.37.2) has them: at the edge of the tolerance
//! the order of rounding decides.

mod conclude;
mod decide;
mod explain;
mod failure;
mod limits;
mod metric;
mod pods;
mod ratio;
mod replicas;
mod samples;
mod settings;
mod spec;
mod stabilise;
mod status;

pub use conclude::{ScaleAction, Turn, WriteOutcome};
pub use decide::{Plan, Rescale, Scale, Snapshot, decide};
pub use failure::{Failure, FailureClass, FailureCode};
pub use limits::{
    Bounded, ScaleEvent, bounds_with_behavior, bounds_without_behavior, change_within, record_scale_event,
    scale_down_limit, scale_up_limit,
};
pub use metric::{MetricEvaluation, MetricReading};
pub use pods::{
    Container, Excluded, Exclusion, InitContainer, Phase, Pod, PodGroups, Ready, ReadyStatus, group_pods, pod_request,
    pod_requests,
};
pub use ratio::{Utilization, metric_usage_ratio, resource_utilization_ratio};
pub use replicas::{Calculator, PodsTarget, Proposal, Rule};
pub use samples::{ContainerUsage, PodSample, PodUsage, Samples};
pub use settings::{Features, Settings, Tolerance};
pub use spec::{
    Autoscaler, Behavior, Fallback, MetricSource, MetricSpec, ObjectReference, Policy, PolicyKind, Rules, RulesGiven,
    SelectPolicy, SelectorExpression, SelectorTerms, Target,
};
pub use stabilise::{Recommendation, Stabilised, stabilise_down, stabilise_with_windows};
pub use status::{Condition, ConditionStatus, CurrentValue, Event, History, MetricStatus, Status};

use flyball_core::Timestamp;
use jiff::SignedDuration;

/// `at` moved by whole seconds; at the ends of time it stays there.
pub(crate) fn after_seconds(at: Timestamp, seconds: i64) -> Timestamp {
    at.checked_add(SignedDuration::from_secs(seconds))
        .unwrap_or(if seconds < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

/// A float as a replica count, the way the upstream controller's platform converts it: cut towards zero, and
/// anything out of range (or not a number) becomes the least `i32`. Bounds then pull it to the minimum.
pub(crate) fn to_count(value: f64) -> i32 {
    if value > -2_147_483_649.0 && value < 2_147_483_648.0 {
        value as i32
    } else {
        i32::MIN
    }
}

/// A float as a milli-value by the same rule.
pub(crate) fn to_milli(value: f64) -> i64 {
    if (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&value) {
        value as i64
    } else {
        i64::MIN
    }
}
