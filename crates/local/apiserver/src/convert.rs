//! The same object in another version of its kind.
//!
//! Only two built-in kinds are served in two forms: Events (core and events.k8s.io) and HorizontalPodAutoscalers (v1 and
//! v2). Custom kinds differ by their `apiVersion` alone.

use apimachinery::resources::GroupVersionKind;
use serde_json::{Map, Value, json};

/// Brings an object into the form of `wanted`; an object that is in it already is given back.
pub(crate) fn convert(mut object: Value, wanted: &GroupVersionKind) -> Value {
    let present = GroupVersionKind::of(&object);
    if present == *wanted {
        return object;
    }
    match (present.kind.as_str(), present.group.as_str(), wanted.group.as_str()) {
        ("Event", "", "events.k8s.io") => rename(&mut object, &EVENT_FIELDS, Direction::Forth),
        ("Event", "events.k8s.io", "") => rename(&mut object, &EVENT_FIELDS, Direction::Back),
        ("HorizontalPodAutoscaler", "autoscaling", "autoscaling") => match wanted.version.as_str() {
            "v1" => autoscaler_to_v1(&mut object),
            _ => autoscaler_to_v2(&mut object),
        },
        _ => {}
    }
    object["apiVersion"] = json!(wanted.api_version());
    object["kind"] = json!(wanted.kind);
    object
}

#[derive(Clone, Copy)]
enum Direction {
    Forth,
    Back,
}

/// Fields of core Events and what events.k8s.io calls them.
const EVENT_FIELDS: [(&str, &str); 7] = [
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
    ("reportingComponent", "reportingController"),
];

fn rename(object: &mut Value, names: &[(&str, &str)], direction: Direction) {
    let Some(fields) = object.as_object_mut() else { return };
    let renamed = std::mem::take(fields).into_iter().map(|(key, value)| {
        let other = names.iter().find_map(|(left, right)| match direction {
            Direction::Forth => (*left == key).then_some(*right),
            Direction::Back => (*right == key).then_some(*left),
        });
        (other.map_or(key, str::to_owned), value)
    });
    *fields = renamed.collect();
}

/// Where v1 keeps what it has no fields for. Source: `autoscaling/annotations.go`.
const METRICS_ANNOTATION: &str = "autoscaling.alpha.kubernetes.io/metrics";
const BEHAVIOR_ANNOTATION: &str = "autoscaling.alpha.kubernetes.io/behavior";
const CURRENT_METRICS_ANNOTATION: &str = "autoscaling.alpha.kubernetes.io/current-metrics";
const CONDITIONS_ANNOTATION: &str = "autoscaling.alpha.kubernetes.io/conditions";

fn is_cpu(metric: &Value) -> bool {
    metric["type"] == "Resource" && metric["resource"]["name"] == "cpu"
}

fn autoscaler_to_v1(object: &mut Value) {
    let take = |object: &mut Value, section: &str, field: &str| {
        fields_of(object, section)
            .and_then(|fields| fields.shift_remove(field))
            .unwrap_or(Value::Null)
    };
    let metrics = list(take(object, "spec", "metrics"));
    let (cpu, others): (Vec<Value>, Vec<Value>) = metrics
        .into_iter()
        .partition(|metric| is_cpu(metric) && metric["resource"]["target"]["averageUtilization"].is_number());
    if let Some(first) = cpu.first() {
        object["spec"]["targetCPUUtilizationPercentage"] = first["resource"]["target"]["averageUtilization"].clone();
    }
    let behavior = take(object, "spec", "behavior");
    let current = list(take(object, "status", "currentMetrics"));
    if let Some(cpu) = current.iter().find(|metric| is_cpu(metric)) {
        let utilization = &cpu["resource"]["current"]["averageUtilization"];
        if utilization.is_number() {
            object["status"]["currentCPUUtilizationPercentage"] = utilization.clone();
        }
    }
    let conditions = list(take(object, "status", "conditions"));
    let kept = [
        (METRICS_ANNOTATION, Value::Array(others)),
        (BEHAVIOR_ANNOTATION, behavior),
        (CURRENT_METRICS_ANNOTATION, Value::Array(current)),
        (CONDITIONS_ANNOTATION, Value::Array(conditions)),
    ];
    for (annotation, value) in kept {
        let empty = value.is_null() || value.as_array().is_some_and(Vec::is_empty);
        if !empty {
            object["metadata"]["annotations"][annotation] = json!(value.to_string());
        }
    }
}

fn autoscaler_to_v2(object: &mut Value) {
    let annotation = |object: &mut Value, name: &str| {
        let annotations = object
            .get_mut("metadata")
            .and_then(|metadata| fields_of(metadata, "annotations"));
        let text = annotations.and_then(|annotations| annotations.shift_remove(name));
        text.as_ref()
            .and_then(Value::as_str)
            .and_then(|text| serde_json::from_str::<Value>(text).ok())
    };
    let mut metrics = annotation(object, METRICS_ANNOTATION).map(list).unwrap_or_default();
    let behavior = annotation(object, BEHAVIOR_ANNOTATION);
    let current = annotation(object, CURRENT_METRICS_ANNOTATION);
    let conditions = annotation(object, CONDITIONS_ANNOTATION);
    if object["metadata"]["annotations"].as_object().is_some_and(Map::is_empty) {
        fields_of(object, "metadata").map(|metadata| metadata.shift_remove("annotations"));
    }
    let percentage = fields_of(object, "spec").and_then(|spec| spec.shift_remove("targetCPUUtilizationPercentage"));
    if let Some(percentage) = percentage.filter(Value::is_number) {
        let target = json!({"type": "Utilization", "averageUtilization": percentage});
        metrics.insert(
            0,
            json!({"type": "Resource", "resource": {"name": "cpu", "target": target}}),
        );
    }
    if !metrics.is_empty() {
        object["spec"]["metrics"] = Value::Array(metrics);
    }
    if let Some(behavior) = behavior {
        object["spec"]["behavior"] = behavior;
    }
    let percentage =
        fields_of(object, "status").and_then(|status| status.shift_remove("currentCPUUtilizationPercentage"));
    match (current, percentage.filter(Value::is_number)) {
        (Some(current), _) => object["status"]["currentMetrics"] = current,
        (None, Some(percentage)) => {
            let cpu = json!({"name": "cpu", "current": {"averageUtilization": percentage}});
            object["status"]["currentMetrics"] = json!([{"type": "Resource", "resource": cpu}]);
        }
        (None, None) => {}
    }
    if let Some(conditions) = conditions {
        object["status"]["conditions"] = conditions;
    }
}

fn fields_of<'a>(object: &'a mut Value, section: &str) -> Option<&'a mut Map<String, Value>> {
    object.get_mut(section).and_then(Value::as_object_mut)
}

fn list(value: Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items,
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(object: Value, other: GroupVersionKind, expect: &Value) {
        let own = GroupVersionKind::of(&object);
        let there = convert(object.clone(), &other);
        assert_eq!(there, *expect);
        assert_eq!(convert(there, &own), object);
    }

    #[test]
    fn an_event_in_its_two_groups() {
        round_trip(
            json!({"apiVersion": "v1", "kind": "Event", "involvedObject": {"name": "a"}, "message": "m", "count": 2}),
            GroupVersionKind::new("events.k8s.io", "v1", "Event"),
            &json!({"apiVersion": "events.k8s.io/v1", "kind": "Event", "regarding": {"name": "a"}, "note": "m", "deprecatedCount": 2}),
        );
    }

    #[test]
    fn an_autoscaler_in_its_two_versions() {
        let cpu = json!({"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}});
        let rate = json!({"type": "Pods", "pods": {"metric": {"name": "rate"}}});
        round_trip(
            json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "a"},
                   "spec": {"maxReplicas": 3, "metrics": [cpu, rate]}}),
            GroupVersionKind::new("autoscaling", "v1", "HorizontalPodAutoscaler"),
            &json!({"apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler",
                    "metadata": {"name": "a", "annotations": {METRICS_ANNOTATION: json!([rate]).to_string()}},
                    "spec": {"maxReplicas": 3, "targetCPUUtilizationPercentage": 80}}),
        );
    }
}
