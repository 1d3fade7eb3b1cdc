//! Discovery documents.

use serde_json::{Value, json};

use crate::adapter::provider::Provider;

/// Groups and their versions, the preferred one first.
pub const GROUPS: &[(&str, &[&str])] = &[
    ("custom.metrics.k8s.io", &["v1beta2", "v1beta1"]),
    ("external.metrics.k8s.io", &["v1beta1"]),
    ("metrics.k8s.io", &["v1beta1"]),
];

/// The `APIGroup` document of a group; `None` for one that is not served.
pub fn group_document(group: &str) -> Option<Value> {
    let (_, versions) = GROUPS.iter().find(|(name, _)| *name == group)?;
    let version = |version: &str| json!({"groupVersion": format!("{group}/{version}"), "version": version});
    let all: Vec<_> = versions.iter().map(|name| version(name)).collect();
    Some(json!({
        "kind": "APIGroup",
        "apiVersion": "v1",
        "name": group,
        "versions": all,
        "preferredVersion": all[0],
    }))
}

/// The `APIResourceList` of a version; `None` for one that is not served.
pub fn resource_list(provider: &dyn Provider, group: &str, version: &str) -> Option<Value> {
    let (_, versions) = GROUPS.iter().find(|(name, _)| *name == group)?;
    if !versions.contains(&version) {
        return None;
    }
    let resource = |name: String, kind: &str, namespaced: bool, verbs: Value| json!({"name": name, "singularName": "", "namespaced": namespaced, "kind": kind, "verbs": verbs});
    let resources: Vec<Value> = match group {
        "custom.metrics.k8s.io" => provider
            .custom_metrics()
            .into_iter()
            .map(|info| {
                let name = format!("{}/{}", info.object, info.metric);
                resource(name, "MetricValueList", info.namespaced, json!(["get"]))
            })
            .collect(),
        "external.metrics.k8s.io" => provider
            .external_metrics()
            .into_iter()
            .map(|name| resource(name, "ExternalMetricValueList", true, json!(["get"])))
            .collect(),
        _ => vec![
            resource("nodes".to_owned(), "NodeMetrics", false, json!(["get", "list"])),
            resource("pods".to_owned(), "PodMetrics", true, json!(["get", "list"])),
        ],
    };
    Some(json!({
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": format!("{group}/{version}"),
        "resources": resources,
    }))
}
