//! One metric of an autoscaler: reading, target, proposal.

use flyball_core::Timestamp;

use super::{
    Autoscaler, Calculator, CurrentValue, Failure, FailureCode, MetricSource, MetricSpec, PodGroups, PodsTarget,
    Proposal, Rule, Samples, SelectorTerms, Target,
};

/// What a metrics API answered for one metric of the spec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MetricReading {
    /// A value for each pod.
    Pods(Samples),
    /// One object's value, in thousandths.
    Object(i64),
    /// The values of an external metric, in thousandths; they are summed.
    External(Vec<i64>),
}

/// What came of one metric.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricEvaluation {
    /// What it proposes, or why it cannot.
    pub result: Result<Proposal, Failure>,
    /// What upstream's messages call it, where it proposes something.
    pub(crate) name: Option<String>,
    /// The reason of the ScalingActive condition if it fails.
    pub(crate) failed_reason: &'static str,
    /// The sentence of the event if it fails; the failure itself has one more layer of context.
    pub(crate) failed_message: String,
}

/// The spec's counts for one evaluation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Replicas {
    pub(crate) spec: i32,
    pub(crate) status: i32,
}

pub(crate) fn evaluate(
    autoscaler: &Autoscaler,
    spec: &MetricSpec,
    reading: &Result<MetricReading, Failure>,
    calculator: &Calculator<'_>,
    replicas: Replicas,
) -> MetricEvaluation {
    match propose(autoscaler, spec, reading, calculator, replicas) {
        Ok(proposal) => MetricEvaluation {
            result: Ok(proposal),
            name: Some(name(spec)),
            failed_reason: "",
            failed_message: String::new(),
        },
        Err(failure) => {
            let failed_message = failure.message.clone();
            MetricEvaluation {
                result: Err(with_context(spec, failure)),
                name: None,
                failed_reason: failed_reason(&spec.source),
                failed_message,
            }
        }
    }
}

/// When an external metric has failed for as long as its fallback says, the fallback's replicas are its proposal.
pub(crate) fn fall_back(
    evaluation: MetricEvaluation,
    spec: &MetricSpec,
    failing_since: &mut Option<Timestamp>,
    now: Timestamp,
) -> MetricEvaluation {
    if evaluation.result.is_ok() || !matches!(*spec.source, MetricSource::External { .. }) {
        *failing_since = None;
        return evaluation;
    }
    let since = *failing_since.get_or_insert(now);
    match spec.fallback {
        Some(fallback) if super::after_seconds(since, fallback.failure_duration_seconds) <= now => MetricEvaluation {
            result: Ok(Proposal {
                replicas: fallback.replicas,
                current: CurrentValue::default(),
                ratio: f64::NAN,
                ratio_with_assumed: None,
                pods: PodGroups::default(),
                rule: Rule::Fallback,
            }),
            name: Some(name(spec)),
            failed_reason: "",
            failed_message: String::new(),
        },
        _ => evaluation,
    }
}

fn propose(
    autoscaler: &Autoscaler,
    spec: &MetricSpec,
    reading: &Result<MetricReading, Failure>,
    calculator: &Calculator<'_>,
    replicas: Replicas,
) -> Result<Proposal, Failure> {
    let reading = || {
        reading
            .as_ref()
            .map_err(|failure| source_failed(autoscaler, spec, failure.clone()))
    };
    match (&*spec.source, spec.target) {
        (MetricSource::Unknown { kind }, _) => Err(Failure::spec(
            FailureCode::UnknownMetricType,
            format!("unknown metric source type {kind:?}"),
        )),
        (MetricSource::Resource { resource }, target) => {
            resource_metric(resource, None, target, reading, calculator, replicas)
        }
        (MetricSource::ContainerResource { resource, container }, target) => {
            resource_metric(resource, Some(container), target, reading, calculator, replicas)
        }
        (MetricSource::Pods { .. }, Target::AverageValue(milli)) => {
            calculator.pods_metric(replicas.spec, pods_of(reading()?)?, "", PodsTarget::Average { milli })
        }
        (MetricSource::Object { .. }, Target::Value(milli)) => {
            calculator.value(replicas.spec, object_of(reading()?)?, milli)
        }
        (MetricSource::Object { .. }, Target::AverageValue(milli)) => {
            let value = reading().and_then(object_of)?;
            Ok(calculator.object_average(replicas.status, value, milli))
        }
        (MetricSource::External { .. }, Target::AverageValue(milli)) => {
            let values = reading().and_then(values_of)?;
            Ok(calculator.external_average(replicas.status, values, milli))
        }
        (MetricSource::External { .. }, Target::Value(milli)) => {
            let values = reading().and_then(values_of)?;
            calculator.external_value(replicas.spec, values, milli)
        }
        (source, _) => Err(Failure::internal(
            FailureCode::MissingTarget,
            format!(
                "invalid {} metric source: its target has no usable value",
                lower_kind(source)
            ),
        )),
    }
}

fn resource_metric<'a>(
    resource: &str,
    container: Option<&str>,
    target: Target,
    reading: impl Fn() -> Result<&'a MetricReading, Failure>,
    calculator: &Calculator<'_>,
    replicas: Replicas,
) -> Result<Proposal, Failure> {
    let (what, target) = match target {
        Target::AverageValue(milli) => ("usage", PodsTarget::Average { milli }),
        Target::Utilization(percent) => ("utilization", PodsTarget::Utilization { percent, container }),
        Target::Value(_) | Target::Missing => {
            return Err(Failure::internal(
                FailureCode::MissingTarget,
                "invalid resource metric source: neither an average utilization nor an average value is set",
            ));
        }
    };
    reading()
        .and_then(pods_of)
        .and_then(|samples| calculator.pods_metric(replicas.spec, samples, resource, target))
        .map_err(|failure| failure.within(format_args!("failed to get {resource} {what}")))
}

fn pods_of(reading: &MetricReading) -> Result<&Samples, Failure> {
    match reading {
        MetricReading::Pods(samples) => Ok(samples),
        _ => Err(mismatch()),
    }
}

fn object_of(reading: &MetricReading) -> Result<i64, Failure> {
    match reading {
        MetricReading::Object(milli) => Ok(*milli),
        _ => Err(mismatch()),
    }
}

fn values_of(reading: &MetricReading) -> Result<&[i64], Failure> {
    match reading {
        MetricReading::External(values) => Ok(values),
        _ => Err(mismatch()),
    }
}

fn mismatch() -> Failure {
    Failure::internal(
        FailureCode::MetricSourceFailed,
        "the reading is of another kind than the metric",
    )
}

fn lower_kind(source: &MetricSource) -> String {
    source.kind().to_ascii_lowercase()
}

fn source_failed(autoscaler: &Autoscaler, spec: &MetricSpec, failure: Failure) -> Failure {
    let namespace = &autoscaler.namespace;
    match &*spec.source {
        MetricSource::Resource { resource } | MetricSource::ContainerResource { resource, .. } => {
            failure.within(format_args!("unable to get metrics for resource {resource}"))
        }
        MetricSource::Pods { metric, .. } => failure.within(format_args!("unable to get metric {metric}")),
        MetricSource::Object { metric, object, .. } => failure.within(format_args!(
            "unable to get metric {metric} on {} {namespace}/{}",
            object.kind, object.name
        )),
        MetricSource::External { metric, selector } => failure.within(format_args!(
            "unable to get external metric {namespace}/{metric}/{}",
            shown(selector)
        )),
        MetricSource::Unknown { .. } => failure,
    }
}

/// The layers that upstream's error has over its event.
fn with_context(spec: &MetricSpec, failure: Failure) -> Failure {
    let failure = match (&*spec.source, spec.target) {
        (MetricSource::Object { metric, .. }, Target::AverageValue(_)) => {
            failure.within(format_args!("failed to get {metric} object metric"))
        }
        (MetricSource::External { metric, .. }, Target::AverageValue(_)) => {
            failure.within(format_args!("failed to get {metric} external metric"))
        }
        (MetricSource::External { metric, .. }, Target::Value(_)) => {
            failure.within(format_args!("failed to get external metric {metric}"))
        }
        _ => failure,
    };
    match &*spec.source {
        MetricSource::Resource { resource } => {
            failure.within(format_args!("failed to get {resource} resource metric value"))
        }
        MetricSource::ContainerResource { container, .. } => {
            failure.within(format_args!("failed to get {container} container metric value"))
        }
        MetricSource::Pods { .. } => failure.within("failed to get pods metric value"),
        MetricSource::Object { .. } => failure.within("failed to get object metric value"),
        MetricSource::External { metric, .. } => {
            failure.within(format_args!("failed to get {metric} external metric value"))
        }
        MetricSource::Unknown { .. } => failure,
    }
}

fn failed_reason(source: &MetricSource) -> &'static str {
    match source {
        MetricSource::Resource { .. } => "FailedGetResourceMetric",
        MetricSource::ContainerResource { .. } => "FailedGetContainerResourceMetric",
        MetricSource::Pods { .. } => "FailedGetPodsMetric",
        MetricSource::Object { .. } => "FailedGetObjectMetric",
        MetricSource::External { .. } => "FailedGetExternalMetric",
        MetricSource::Unknown { .. } => "InvalidMetricSourceType",
    }
}

/// What upstream's conditions and events call the metric.
fn name(spec: &MetricSpec) -> String {
    match (&*spec.source, spec.target) {
        (MetricSource::Resource { resource }, Target::Utilization(_)) => {
            format!("{resource} resource utilization (percentage of request)")
        }
        (MetricSource::ContainerResource { resource, .. }, Target::Utilization(_)) => {
            format!("{resource} container resource utilization (percentage of request)")
        }
        (MetricSource::Resource { resource } | MetricSource::ContainerResource { resource, .. }, _) => {
            format!("{resource} resource")
        }
        (MetricSource::Pods { metric, .. }, _) => format!("pods metric {metric}"),
        (MetricSource::Object { metric, object, .. }, Target::Value(_)) => {
            format!("{} metric {metric}", object.kind)
        }
        (MetricSource::Object { metric, selector, .. } | MetricSource::External { metric, selector }, _) => {
            format!("external metric {metric}({})", shown(selector))
        }
        (MetricSource::Unknown { kind }, _) => kind.clone(),
    }
}

fn shown(selector: &Option<SelectorTerms>) -> String {
    selector
        .as_ref()
        .map_or_else(|| "nil".to_owned(), SelectorTerms::to_string)
}
