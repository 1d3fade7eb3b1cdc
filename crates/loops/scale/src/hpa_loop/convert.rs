//! From objects of the API to what the engine takes.

use std::collections::BTreeMap;
use std::sync::Arc;

use flyball_core::Timestamp;
use k8s_openapi::api::autoscaling::v2 as api;
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as ApiQuantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use crate::hpa::{
    Autoscaler, Behavior, Condition, ConditionStatus, Container, InitContainer, MetricSource, MetricSpec,
    ObjectReference, Phase, Pod, Policy, PolicyKind, Ready, ReadyStatus, RulesGiven, SelectPolicy, SelectorExpression,
    SelectorTerms, Status, Target,
};
use crate::quantity;

/// The CPU utilisation, in percent, that the API server asks for where an autoscaler names no metric.
const CPU_UTILIZATION_DEFAULT: i32 = 80;

/// An autoscaler's spec. What the API server defaults is defaulted here too.
pub fn autoscaler_of(hpa: &api::HorizontalPodAutoscaler) -> Autoscaler {
    let meta = &hpa.metadata;
    let spec = hpa.spec.clone();
    let metrics = spec.metrics.unwrap_or_default();
    Autoscaler {
        namespace: meta.namespace.clone().unwrap_or_default(),
        name: meta.name.clone().unwrap_or_default(),
        generation: meta.generation.unwrap_or_default(),
        target: reference(&spec.scale_target_ref),
        min_replicas: spec.min_replicas,
        max_replicas: spec.max_replicas,
        metrics: if metrics.is_empty() {
            vec![default_metric()]
        } else {
            metrics.iter().map(metric).collect()
        },
        behavior: spec
            .behavior
            .map(|behavior| Behavior::defaulted(behavior.scale_up.map(rules), behavior.scale_down.map(rules))),
    }
}

fn default_metric() -> MetricSpec {
    MetricSpec {
        source: Arc::new(MetricSource::Resource {
            resource: "cpu".to_owned(),
        }),
        target: Target::Utilization(CPU_UTILIZATION_DEFAULT),
        fallback: None,
    }
}

fn reference(reference: &api::CrossVersionObjectReference) -> ObjectReference {
    ObjectReference {
        api_version: reference.api_version.clone().unwrap_or_default(),
        kind: reference.kind.clone(),
        name: reference.name.clone(),
    }
}

fn metric(spec: &api::MetricSpec) -> MetricSpec {
    let unknown = || {
        (
            MetricSource::Unknown {
                kind: spec.type_.clone(),
            },
            Target::Missing,
        )
    };
    let (source, target) = match spec.type_.as_str() {
        "Resource" => spec.resource.as_ref().map(|metric| {
            let resource = metric.name.clone();
            (MetricSource::Resource { resource }, target(&metric.target))
        }),
        "ContainerResource" => spec.container_resource.as_ref().map(|metric| {
            let source = MetricSource::ContainerResource {
                resource: metric.name.clone(),
                container: metric.container.clone(),
            };
            (source, target(&metric.target))
        }),
        "Pods" => spec.pods.as_ref().map(|metric| {
            let (name, selector) = identifier(&metric.metric);
            (MetricSource::Pods { metric: name, selector }, target(&metric.target))
        }),
        "Object" => spec.object.as_ref().map(|metric| {
            let (name, selector) = identifier(&metric.metric);
            let object = reference(&metric.described_object);
            let source = MetricSource::Object {
                metric: name,
                selector,
                object,
            };
            (source, target(&metric.target))
        }),
        "External" => spec.external.as_ref().map(|metric| {
            let (name, selector) = identifier(&metric.metric);
            (
                MetricSource::External { metric: name, selector },
                target(&metric.target),
            )
        }),
        _ => None,
    }
    .unwrap_or_else(unknown);
    MetricSpec {
        source: Arc::new(source),
        target,
        fallback: None,
    }
}

fn identifier(metric: &api::MetricIdentifier) -> (String, Option<SelectorTerms>) {
    (metric.name.clone(), metric.selector.as_ref().map(selector_terms))
}

fn selector_terms(selector: &LabelSelector) -> SelectorTerms {
    SelectorTerms {
        match_labels: selector.match_labels.clone().unwrap_or_default().into_iter().collect(),
        match_expressions: selector
            .match_expressions
            .iter()
            .flatten()
            .map(|term| SelectorExpression {
                key: term.key.clone(),
                operator: term.operator.clone(),
                values: term.values.clone().unwrap_or_default(),
            })
            .collect(),
    }
}

fn milli(quantity: &ApiQuantity) -> Option<i64> {
    quantity::milli_of(&quantity.0)
}

/// Which value counts follows from which is set, as upstream has it.
fn target(target: &api::MetricTarget) -> Target {
    if let Some(milli) = target.average_value.as_ref().and_then(milli) {
        Target::AverageValue(milli)
    } else if let Some(percent) = target.average_utilization {
        Target::Utilization(percent)
    } else if let Some(milli) = target.value.as_ref().and_then(milli) {
        Target::Value(milli)
    } else {
        Target::Missing
    }
}

fn rules(rules: api::HPAScalingRules) -> RulesGiven {
    RulesGiven {
        stabilization_window_seconds: rules.stabilization_window_seconds,
        select_policy: rules.select_policy.map(|word| match word.as_str() {
            "Min" => SelectPolicy::Min,
            "Disabled" => SelectPolicy::Disabled,
            _ => SelectPolicy::Max,
        }),
        policies: rules.policies.map(|policies| policies.iter().map(policy).collect()),
        tolerance: rules
            .tolerance
            .and_then(|tolerance| milli(&tolerance))
            .map(|milli| milli as f64 / 1000.0),
    }
}

fn policy(policy: &api::HPAScalingPolicy) -> Policy {
    Policy {
        kind: if policy.type_ == "Pods" {
            PolicyKind::Pods
        } else {
            PolicyKind::Percent
        },
        value: policy.value,
        period_seconds: policy.period_seconds,
    }
}

/// What the engine needs of the status as it was.
pub fn status_of(hpa: &api::HorizontalPodAutoscaler) -> Status {
    let status = hpa.status.clone().unwrap_or_default();
    Status {
        current_replicas: status.current_replicas.unwrap_or_default(),
        desired_replicas: status.desired_replicas,
        last_scale: status.last_scale_time.map(|time| time.0),
        observed_generation: status.observed_generation,
        conditions: status
            .conditions
            .unwrap_or_default()
            .into_iter()
            .map(condition)
            .collect(),
        current_metrics: Vec::new(),
    }
}

fn condition(condition: api::HorizontalPodAutoscalerCondition) -> Condition {
    Condition {
        kind: condition.type_.into(),
        status: ConditionStatus::parse(&condition.status),
        reason: condition.reason.unwrap_or_default().into(),
        message: condition.message.unwrap_or_default().into(),
        since: condition
            .last_transition_time
            .map_or(Timestamp::UNIX_EPOCH, |time| time.0),
    }
}

/// A pod, reduced to what decides.
pub fn pod_of(pod: &core::Pod) -> Pod {
    let status = pod.status.as_ref();
    let spec = pod.spec.as_ref();
    let ready = status
        .and_then(|status| status.conditions.as_ref())
        .and_then(|conditions| conditions.iter().find(|condition| condition.type_ == "Ready"));
    Pod {
        name: pod.metadata.name.as_deref().unwrap_or_default().into(),
        phase: Phase::parse(status.and_then(|status| status.phase.as_deref()).unwrap_or_default()),
        deleting: pod.metadata.deletion_timestamp.is_some(),
        started: status.and_then(|status| status.start_time.as_ref()).map(|time| time.0),
        ready: ready.map(|condition| Ready {
            status: ReadyStatus::parse(&condition.status),
            since: condition
                .last_transition_time
                .as_ref()
                .map_or(Timestamp::UNIX_EPOCH, |time| time.0),
        }),
        containers: spec
            .map(|spec| spec.containers.iter().map(container).collect())
            .unwrap_or_default(),
        init_containers: spec
            .and_then(|spec| spec.init_containers.as_ref())
            .into_iter()
            .flatten()
            .map(|init| InitContainer {
                container: container(init),
                sidecar: init.restart_policy.as_deref() == Some("Always"),
            })
            .collect(),
        requests_milli: requests(spec.and_then(|spec| spec.resources.as_ref())),
    }
}

fn container(container: &core::Container) -> Container {
    Container {
        name: container.name.clone(),
        requests_milli: requests(container.resources.as_ref()),
    }
}

fn requests(resources: Option<&core::ResourceRequirements>) -> Vec<(String, i64)> {
    let none = BTreeMap::new();
    let requests = resources
        .and_then(|resources| resources.requests.as_ref())
        .unwrap_or(&none);
    requests
        .iter()
        .filter_map(|(name, quantity)| Some((name.clone(), milli(quantity)?)))
        .collect()
}
