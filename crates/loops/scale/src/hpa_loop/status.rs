//! From the engine's status to the API's.

use flyball_core::Timestamp;
use k8s_openapi::api::autoscaling::v2 as api;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as ApiQuantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement, Time};

use crate::hpa::{Condition, CurrentValue, MetricSource, MetricStatus, ObjectReference, SelectorTerms, Status};
use crate::quantity;

pub(super) fn api_status(status: &Status) -> api::HorizontalPodAutoscalerStatus {
    let filled = |is_empty: bool| (!is_empty).then_some(());
    api::HorizontalPodAutoscalerStatus {
        conditions: filled(status.conditions.is_empty()).map(|()| status.conditions.iter().map(condition).collect()),
        current_metrics: filled(status.current_metrics.is_empty())
            .map(|()| status.current_metrics.iter().map(metric).collect()),
        current_replicas: Some(status.current_replicas),
        desired_replicas: status.desired_replicas,
        last_scale_time: status.last_scale.map(whole_seconds),
        observed_generation: status.observed_generation,
    }
}

/// The API keeps times in whole seconds; written finer, they would differ from what is read back.
fn whole_seconds(at: Timestamp) -> Time {
    Time(Timestamp::from_second(at.as_second()).unwrap_or(at))
}

fn condition(condition: &Condition) -> api::HorizontalPodAutoscalerCondition {
    api::HorizontalPodAutoscalerCondition {
        last_transition_time: Some(whole_seconds(condition.since)),
        message: Some(condition.message.clone().into_owned()),
        observed_generation: None,
        reason: Some(condition.reason.clone().into_owned()),
        status: condition.status.as_str().to_owned(),
        type_: condition.kind.clone().into_owned(),
    }
}

/// A metric that failed keeps its place, empty.
fn metric(metric: &Option<MetricStatus>) -> api::MetricStatus {
    let Some(metric) = metric else {
        return api::MetricStatus::default();
    };
    let mut status = api::MetricStatus {
        type_: metric.source.kind().to_owned(),
        ..api::MetricStatus::default()
    };
    let resource = match &*metric.source {
        MetricSource::Resource { resource } | MetricSource::ContainerResource { resource, .. } => resource,
        _ => "",
    };
    let current = current(&metric.current, resource);
    match &*metric.source {
        MetricSource::Resource { resource } => {
            let name = resource.clone();
            status.resource = Some(api::ResourceMetricStatus { current, name });
        }
        MetricSource::ContainerResource { resource, container } => {
            status.container_resource = Some(api::ContainerResourceMetricStatus {
                container: container.clone(),
                current,
                name: resource.clone(),
            });
        }
        MetricSource::Pods { metric, selector } => {
            let metric = identifier(metric, selector);
            status.pods = Some(api::PodsMetricStatus { current, metric });
        }
        MetricSource::Object {
            metric,
            selector,
            object,
        } => {
            status.object = Some(api::ObjectMetricStatus {
                current,
                described_object: reference(object),
                metric: identifier(metric, selector),
            });
        }
        MetricSource::External { metric, selector } => {
            let metric = identifier(metric, selector);
            status.external = Some(api::ExternalMetricStatus { current, metric });
        }
        MetricSource::Unknown { .. } => {}
    }
    status
}

fn current(current: &CurrentValue, resource: &str) -> api::MetricValueStatus {
    let quantity = |milli: i64| ApiQuantity(quantity::of_resource(resource, milli).to_string());
    api::MetricValueStatus {
        average_utilization: current.average_utilization_percent,
        average_value: current.average_value_milli.map(quantity),
        value: current.value_milli.map(quantity),
    }
}

fn identifier(name: &str, selector: &Option<SelectorTerms>) -> api::MetricIdentifier {
    api::MetricIdentifier {
        name: name.to_owned(),
        selector: selector.as_ref().map(label_selector),
    }
}

fn label_selector(terms: &SelectorTerms) -> LabelSelector {
    let labels = &terms.match_labels;
    let expressions = &terms.match_expressions;
    LabelSelector {
        match_labels: (!labels.is_empty()).then(|| labels.iter().cloned().collect()),
        match_expressions: (!expressions.is_empty()).then(|| {
            expressions
                .iter()
                .map(|term| LabelSelectorRequirement {
                    key: term.key.clone(),
                    operator: term.operator.clone(),
                    values: (!term.values.is_empty()).then(|| term.values.clone()),
                })
                .collect()
        }),
    }
}

fn reference(object: &ObjectReference) -> api::CrossVersionObjectReference {
    api::CrossVersionObjectReference {
        api_version: (!object.api_version.is_empty()).then(|| object.api_version.clone()),
        kind: object.kind.clone(),
        name: object.name.clone(),
    }
}
