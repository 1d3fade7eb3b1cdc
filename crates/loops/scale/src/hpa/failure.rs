//! Why a turn could not judge.

use std::fmt;

/// Which failure, as a stable code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the code's text below says it")]
pub enum FailureCode {
    MetricSourceFailed,
    NoMetricsReturned,
    NoMetricsForKnownPods,
    NoPodsForSelector,
    MissingRequest,
    ContainerNotFound,
    UnknownMetricType,
    MissingTarget,
    MissingSelector,
    InvalidSelector,
    AmbiguousSelector,
    GetScaleFailed,
    UpdateScaleFailed,
}

impl FailureCode {
    /// The code in snake_case, as conformance suites and JSON have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MetricSourceFailed => "metric_source_failed",
            Self::NoMetricsReturned => "no_metrics_returned",
            Self::NoMetricsForKnownPods => "no_metrics_for_known_pods",
            Self::NoPodsForSelector => "no_pods_for_selector",
            Self::MissingRequest => "missing_request",
            Self::ContainerNotFound => "container_not_found",
            Self::UnknownMetricType => "unknown_metric_type",
            Self::MissingTarget => "missing_target",
            Self::MissingSelector => "missing_selector",
            Self::InvalidSelector => "invalid_selector",
            Self::AmbiguousSelector => "ambiguous_selector",
            Self::GetScaleFailed => "get_scale_failed",
            Self::UpdateScaleFailed => "update_scale_failed",
        }
    }

    /// The code as a decision's reason.
    pub fn reason(self) -> flyball_core::Reason {
        flyball_core::Reason::new(match self {
            Self::MetricSourceFailed => "MetricSourceFailed",
            Self::NoMetricsReturned => "NoMetricsReturned",
            Self::NoMetricsForKnownPods => "NoMetricsForKnownPods",
            Self::NoPodsForSelector => "NoPodsForSelector",
            Self::MissingRequest => "MissingRequest",
            Self::ContainerNotFound => "ContainerNotFound",
            Self::UnknownMetricType => "UnknownMetricType",
            Self::MissingTarget => "MissingTarget",
            Self::MissingSelector => "MissingSelector",
            Self::InvalidSelector => "InvalidSelector",
            Self::AmbiguousSelector => "AmbiguousSelector",
            Self::GetScaleFailed => "GetScaleFailed",
            Self::UpdateScaleFailed => "UpdateScaleFailed",
        })
    }

    /// What a person does about it.
    pub fn hint(self) -> &'static str {
        match self {
            Self::MetricSourceFailed => "ask the same API by hand: kubectl get --raw, with the path in the message",
            Self::NoMetricsReturned => "the metric exists but has no sample: look at the query and at the scrape",
            Self::NoMetricsForKnownPods => {
                "wait until the pods are ready, or compare the series' pod label with the pods"
            }
            Self::NoPodsForSelector => "compare the selector of the scale subresource with the pods' labels",
            Self::MissingRequest => "set resources.requests on every container, or use an AverageValue target",
            Self::ContainerNotFound => "compare containerResource.container with the pod template",
            Self::UnknownMetricType => "use one of Resource, ContainerResource, Pods, Object, External",
            Self::MissingTarget => "set target.value, target.averageValue or target.averageUtilization",
            Self::MissingSelector => "the target's scale subresource must report status.selector",
            Self::InvalidSelector => "the target reports a selector that cannot be parsed",
            Self::AmbiguousSelector => "two autoscalers select the same pods: narrow one workload's labels",
            Self::GetScaleFailed => "check that spec.scaleTargetRef names an existing object with a scale subresource",
            Self::UpdateScaleFailed => {
                "check the controller's permission on the scale subresource and admission policies"
            }
        }
    }
}

/// Who has to act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureClass {
    /// The object is wrong; trying again does not help.
    Spec,
    /// Anything else.
    Internal,
}

/// One failure with its sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Which.
    pub code: FailureCode,
    /// Who has to act.
    pub class: FailureClass,
    /// What happened, with upstream's key phrases, because alerts match on them.
    pub message: String,
}

impl Failure {
    /// A failure that is not the object's fault.
    pub fn internal(code: FailureCode, message: impl Into<String>) -> Self {
        Self {
            code,
            class: FailureClass::Internal,
            message: message.into(),
        }
    }

    /// A failure of the object itself.
    pub fn spec(code: FailureCode, message: impl Into<String>) -> Self {
        Self {
            class: FailureClass::Spec,
            ..Self::internal(code, message)
        }
    }

    pub(crate) fn within(mut self, context: impl fmt::Display) -> Self {
        self.message = format!("{context}: {}", self.message);
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}
