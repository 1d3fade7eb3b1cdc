//! What every cluster has from its first moment.

use apimachinery::resources::{GroupVersion, GroupVersionResource};
use apimachinery::status::Status;
use serde_json::{Value, json};

use crate::registry::{Registry, Target, WriteOptions};

/// The namespaces of a fresh cluster.
const NAMESPACES: [&str; 4] = ["default", "kube-system", "kube-public", "kube-node-lease"];

/// Creates the objects that are not there yet.
pub(crate) fn run(registry: &Registry) -> Result<(), Status> {
    for namespace in NAMESPACES {
        let object = json!({"metadata": {"name": namespace, "labels": {"kubernetes.io/metadata.name": namespace}}});
        ensure(registry, &GroupVersionResource::new("", "v1", "namespaces"), "", object)?;
    }
    for (name, value, description) in PRIORITY_CLASSES {
        let object = json!({"metadata": {"name": name}, "value": value, "description": description,
                            "preemptionPolicy": "PreemptLowerPriority"});
        ensure(
            registry,
            &GroupVersionResource::new("scheduling.k8s.io", "v1", "priorityclasses"),
            "",
            object,
        )?;
    }
    for line in RBAC.lines() {
        let object: Value = serde_json::from_str(line)
            .map_err(|error| Status::internal_error(&format!("the default roles cannot be read: {error}")))?;
        let plural = if object["kind"] == "ClusterRole" {
            "clusterroles"
        } else {
            "clusterrolebindings"
        };
        ensure(
            registry,
            &GroupVersionResource::new("rbac.authorization.k8s.io", "v1", plural),
            "",
            object,
        )?;
    }
    Ok(())
}

/// The default roles and bindings, as kube-apiserver 1.37.2 makes them; `tools/rbac.py` writes the file.
const RBAC: &str = include_str!("../data/rbac.jsonl");

/// Source: `SystemPriorityClasses` of upstream's scheduling API.
const PRIORITY_CLASSES: [(&str, i64, &str); 2] = [
    (
        "system-cluster-critical",
        2_000_000_000,
        "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.",
    ),
    (
        "system-node-critical",
        2_000_001_000,
        "Used for system critical pods that must not be moved from their current node.",
    ),
];

fn ensure(registry: &Registry, resource: &GroupVersionResource, namespace: &str, object: Value) -> Result<(), Status> {
    let kinds = registry.kinds();
    let Some(served) = kinds.find(resource) else {
        return Ok(());
    };
    let target = Target {
        served: served.clone(),
        namespace: namespace.to_owned(),
        name: String::new(),
        subresource: String::new(),
    };
    let options = WriteOptions {
        field_manager: "kube-apiserver".to_owned(),
        ..WriteOptions::default()
    };
    match registry.create(&target, object, &options) {
        Err(status) if status.reason != "AlreadyExists" => Err(status),
        _ => Ok(()),
    }
}

/// Shows an aggregated API among the APIServices; that it is registered is all that its availability needs.
pub(crate) fn api_service(registry: &Registry, group_version: &GroupVersion) {
    let GroupVersion { group, version } = group_version;
    let object = json!({
        "metadata": {"name": format!("{version}.{group}"), "labels": {"kube-aggregator.kubernetes.io/automanaged": "true"}},
        "spec": {"group": group, "version": version, "groupPriorityMinimum": 100, "versionPriority": 100},
    });
    let resource = GroupVersionResource::new("apiregistration.k8s.io", "v1", "apiservices");
    if let Err(status) = ensure(registry, &resource, "", object) {
        tracing::warn!(
            reason = status.reason,
            "the APIService of {group_version} could not be stored"
        );
    }
}
