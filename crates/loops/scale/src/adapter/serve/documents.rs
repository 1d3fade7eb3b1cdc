//! Answers as documents.

use apimachinery::selector::{LabelSelector, Operator};
use flyball_core::Timestamp;
use serde_json::{Map, Value, json};

use crate::adapter::provider::{CustomValue, ExternalValue};
use crate::adapter::resource_metrics::{NodeUsage, PodUsage, Usage};
use crate::adapter::source::ObjectMeta;
use crate::quantity;

/// The API writes times in whole seconds.
fn time(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second()).unwrap_or(at).to_string()
}

pub(super) fn custom(version: &str, metric: &str, metric_selector: &LabelSelector, values: &[CustomValue]) -> Value {
    let selector = structured(metric_selector);
    let item = |value: &CustomValue| {
        let mut object = Map::new();
        object.insert("kind".into(), json!(value.kind));
        if !value.namespace.is_empty() {
            object.insert("namespace".into(), json!(value.namespace));
        }
        object.insert("name".into(), json!(value.name));
        // The group is empty for core, and the slash stays: upstream prints `/v1`.
        object.insert("apiVersion".into(), json!(format!("{}/{}", value.group, value.version)));
        let mut item = Map::new();
        item.insert("describedObject".into(), Value::Object(object));
        if version == "v1beta1" {
            item.insert("metricName".into(), json!(metric));
        } else {
            item.insert("metric".into(), json!({"name": metric, "selector": selector}));
        }
        item.insert("timestamp".into(), json!(time(value.at)));
        if let Some(seconds) = value.window_seconds {
            let name = if version == "v1beta1" {
                "window"
            } else {
                "windowSeconds"
            };
            item.insert(name.into(), json!(seconds));
        }
        item.insert("value".into(), json!(value.value.to_string()));
        if version == "v1beta1" {
            item.insert("selector".into(), selector.clone());
        }
        Value::Object(item)
    };
    json!({
        "kind": "MetricValueList",
        "apiVersion": format!("custom.metrics.k8s.io/{version}"),
        "metadata": {},
        "items": values.iter().map(item).collect::<Vec<_>>(),
    })
}

/// The structured form of a selector; null for the one that selects everything.
fn structured(selector: &LabelSelector) -> Value {
    let LabelSelector::All(requirements) = selector else {
        return Value::Null;
    };
    if requirements.is_empty() {
        return Value::Null;
    }
    let (mut labels, mut expressions) = (Map::new(), Vec::new());
    for requirement in requirements {
        let operator = match requirement.operator() {
            Operator::Equals | Operator::DoubleEquals => {
                let value = requirement.values().first().cloned().unwrap_or_default();
                labels.insert(requirement.key().to_owned(), json!(value));
                continue;
            }
            Operator::In => "In",
            Operator::NotEquals | Operator::NotIn => "NotIn",
            Operator::Exists => "Exists",
            Operator::DoesNotExist => "DoesNotExist",
            Operator::GreaterThan => "Gt",
            Operator::LessThan => "Lt",
        };
        let mut expression = json!({"key": requirement.key(), "operator": operator});
        if !requirement.values().is_empty() {
            expression["values"] = json!(requirement.values());
        }
        expressions.push(expression);
    }
    let mut document = Map::new();
    if !labels.is_empty() {
        document.insert("matchLabels".into(), Value::Object(labels));
    }
    if !expressions.is_empty() {
        document.insert("matchExpressions".into(), Value::Array(expressions));
    }
    Value::Object(document)
}

pub(super) fn external(metric: &str, values: &[ExternalValue]) -> Value {
    let item = |value: &ExternalValue| {
        json!({
            "metricName": metric,
            "metricLabels": value.labels,
            "timestamp": time(value.at),
            "value": value.value.to_string(),
        })
    };
    json!({
        "kind": "ExternalMetricValueList",
        "apiVersion": "external.metrics.k8s.io/v1beta1",
        "metadata": {},
        "items": values.iter().map(item).collect::<Vec<_>>(),
    })
}

/// Seconds as Go writes a duration: `1m0s`, `30s`, `1h0m0s`.
pub(super) fn duration(seconds: i64) -> String {
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{rest}s"),
        (0, minutes) => format!("{minutes}m{rest}s"),
        (hours, minutes) => format!("{hours}h{minutes}m{rest}s"),
    }
}

fn usage(usage: &Usage) -> Value {
    json!({
        "cpu": quantity::of_resource("cpu", usage.cpu_milli).to_string(),
        "memory": quantity::of_resource("memory", usage.memory_milli).to_string(),
    })
}

fn metadata(object: &ObjectMeta, now: Timestamp) -> Value {
    let mut metadata = Map::new();
    metadata.insert("name".into(), json!(object.name));
    if !object.namespace.is_empty() {
        metadata.insert("namespace".into(), json!(object.namespace));
    }
    metadata.insert("creationTimestamp".into(), json!(time(now)));
    if !object.labels.is_empty() {
        metadata.insert("labels".into(), json!(object.labels));
    }
    Value::Object(metadata)
}

const METRICS: &str = "metrics.k8s.io/v1beta1";

pub(super) fn pods(pods: &[PodUsage], window_seconds: i64, now: Timestamp) -> Vec<Value> {
    let item = |pod: &PodUsage| {
        let containers: Vec<_> = pod
            .containers
            .iter()
            .map(|(name, amounts)| json!({"name": name, "usage": usage(amounts)}))
            .collect();
        json!({
            "kind": "PodMetrics",
            "apiVersion": METRICS,
            "metadata": metadata(&pod.object, now),
            "timestamp": time(pod.at),
            "window": duration(window_seconds),
            "containers": containers,
        })
    };
    pods.iter().map(item).collect()
}

pub(super) fn nodes(nodes: &[NodeUsage], window_seconds: i64, now: Timestamp) -> Vec<Value> {
    let item = |node: &NodeUsage| {
        json!({
            "kind": "NodeMetrics",
            "apiVersion": METRICS,
            "metadata": metadata(&node.object, now),
            "timestamp": time(node.at),
            "window": duration(window_seconds),
            "usage": usage(&node.usage),
        })
    };
    nodes.iter().map(item).collect()
}

pub(super) fn usage_list(kind: &str, items: Vec<Value>) -> Value {
    // Inside of a list, an item does not repeat what it is.
    let bare = items.into_iter().map(|mut item| {
        if let Some(item) = item.as_object_mut() {
            item.shift_remove("kind");
            item.shift_remove("apiVersion");
        }
        item
    });
    json!({"kind": kind, "apiVersion": METRICS, "metadata": {}, "items": bare.collect::<Vec<_>>()})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_go_writes_them() {
        for (seconds, text) in [(0, "0s"), (15, "15s"), (60, "1m0s"), (90, "1m30s"), (3600, "1h0m0s")] {
            assert_eq!(duration(seconds), text);
        }
    }

    #[test]
    fn a_selector_comes_back_in_structure() {
        let selector = LabelSelector::parse("a=b,c in (d,e),!f").unwrap();
        assert_eq!(
            structured(&selector).to_string(),
            r#"{"matchLabels":{"a":"b"},"matchExpressions":[{"key":"c","operator":"In","values":["d","e"]},{"key":"f","operator":"DoesNotExist"}]}"#
        );
    }
}
