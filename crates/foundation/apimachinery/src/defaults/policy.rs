//! Everything else: configuration, storage, access, scaling, extension.

use serde_json::{Map, Value, json};

use super::{each, field, set};
use crate::encoding::base64_encode;

const RBAC: &str = "rbac.authorization.k8s.io";

pub(super) fn secret(object: &mut Value) {
    set(object, "type", json!("Opaque"));
    let Value::Object(fields) = object else {
        return;
    };
    // `stringData` is only ever written: it wins over `data` and is gone when the object is read.
    if let Some(Value::Object(plain)) = fields.shift_remove("stringData") {
        let data = field(object, "data");
        for (key, value) in plain {
            data[key] = json!(base64_encode(value.as_str().unwrap_or_default().as_bytes()));
        }
    }
}

pub(super) fn namespace(object: &mut Value) {
    let metadata = field(object, "metadata");
    let name = metadata.get("name").cloned().unwrap_or_default();
    if name.as_str().is_some_and(|name| !name.is_empty()) {
        field(metadata, "labels")["kubernetes.io/metadata.name"] = name;
    }
}

pub(super) fn persistent_volume(object: &mut Value) {
    let spec = field(object, "spec");
    set(spec, "persistentVolumeReclaimPolicy", json!("Retain"));
    set(spec, "volumeMode", json!("Filesystem"));
    if spec.get("hostPath").is_some_and(Value::is_object) {
        set(&mut spec["hostPath"], "type", json!(""));
    }
    set(field(object, "status"), "phase", json!("Pending"));
}

pub(super) fn persistent_volume_claim(object: &mut Value) {
    set(field(object, "spec"), "volumeMode", json!("Filesystem"));
    set(field(object, "status"), "phase", json!("Pending"));
}

pub(super) fn storage_class(object: &mut Value) {
    set(object, "reclaimPolicy", json!("Delete"));
    set(object, "volumeBindingMode", json!("Immediate"));
}

pub(super) fn role_binding(object: &mut Value) {
    let role = field(object, "roleRef");
    if role.get("apiGroup").is_none_or(|group| group.is_null() || *group == "") {
        role["apiGroup"] = json!(RBAC);
    }
    for subject in each(object, "subjects") {
        if matches!(subject.get("kind").and_then(Value::as_str), Some("User" | "Group")) {
            set(subject, "apiGroup", json!(RBAC));
        }
    }
}

pub(super) fn autoscaler(version: &str, object: &mut Value) {
    let spec = field(object, "spec");
    set(spec, "minReplicas", json!(1));
    if version == "v1" {
        // The older version says nothing where nothing is said; the metric appears when it is read as the newer one.
        return;
    }
    let measured = spec
        .get("metrics")
        .and_then(Value::as_array)
        .is_some_and(|metrics| !metrics.is_empty());
    if !measured {
        let target = json!({"type": "Utilization", "averageUtilization": 80});
        spec["metrics"] = json!([{"type": "Resource", "resource": {"name": "cpu", "target": target}}]);
    }
    // Behaviour is only completed where a manifest begins it; without any, the controller has the same values built in.
    if spec.get("behavior").is_some_and(Value::is_object) {
        let behavior = field(spec, "behavior");
        let policy = |kind: &str, value: i32| json!({"type": kind, "value": value, "periodSeconds": 15});
        let up = field(behavior, "scaleUp");
        set(up, "stabilizationWindowSeconds", json!(0));
        set(up, "selectPolicy", json!("Max"));
        set(up, "policies", json!([policy("Pods", 4), policy("Percent", 100)]));
        let down = field(behavior, "scaleDown");
        set(down, "selectPolicy", json!("Max"));
        set(down, "policies", json!([policy("Percent", 100)]));
    }
}

pub(super) fn custom_resource_definition(object: &mut Value) {
    let spec = field(object, "spec");
    let names = field(spec, "names");
    let kind = names.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
    if !kind.is_empty() {
        set(names, "singular", json!(kind.to_lowercase()));
        set(names, "listKind", json!(format!("{kind}List")));
    }
    set(field(spec, "conversion"), "strategy", json!("None"));
}

pub(super) fn webhooks(kind: &str, object: &mut Value) {
    for webhook in each(object, "webhooks") {
        set(webhook, "failurePolicy", json!("Fail"));
        set(webhook, "matchPolicy", json!("Equivalent"));
        set(webhook, "namespaceSelector", Value::Object(Map::new()));
        set(webhook, "objectSelector", Value::Object(Map::new()));
        set(webhook, "timeoutSeconds", json!(10));
        if kind == "MutatingWebhookConfiguration" {
            set(webhook, "reinvocationPolicy", json!("Never"));
        }
        each(webhook, "rules").for_each(|rule| set(rule, "scope", json!("*")));
        if let Some(service) = webhook.pointer_mut("/clientConfig/service") {
            set(service, "port", json!(443));
        }
    }
}

/// Of a container's limits: the default is the maximum, the default request is the default, or else the minimum.
pub(super) fn limit_range(object: &mut Value) {
    let spec = field(object, "spec");
    for limit in each(spec, "limits").filter(|limit| limit["type"] == "Container") {
        for (from, to) in [
            ("max", "default"),
            ("default", "defaultRequest"),
            ("min", "defaultRequest"),
        ] {
            let amounts = limit.get(from).and_then(Value::as_object).cloned().unwrap_or_default();
            for (resource, amount) in amounts {
                set(field(limit, to), &resource, amount);
            }
        }
    }
}
