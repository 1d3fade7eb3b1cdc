//! What every cluster has from its first moment.

use std::net::SocketAddr;

use apimachinery::resources::{GroupVersion, GroupVersionResource};
use apimachinery::status::Status;
use serde_json::{Value, json};

use crate::registry::{Registry, Target, WriteOptions};

/// The namespaces of a fresh cluster.
const NAMESPACES: [&str; 4] = ["default", "kube-system", "kube-public", "kube-node-lease"];

/// Where programs in Pods find the API: the first address of the service range.
const ADDRESS: &str = "10.96.0.1";

/// Says where the API listens, for the Service `kubernetes`: programs in Pods reach it by that name.
pub(crate) fn endpoint(registry: &Registry, address: SocketAddr) {
    let object = json!({
        "metadata": {"name": "kubernetes", "labels": {"kubernetes.io/service-name": "kubernetes"}},
        "addressType": if address.is_ipv4() { "IPv4" } else { "IPv6" },
        "endpoints": [{"addresses": [address.ip().to_string()], "conditions": {"ready": true}}],
        "ports": [{"name": "https", "protocol": "TCP", "port": address.port()}],
    });
    let resource = GroupVersionResource::new("discovery.k8s.io", "v1", "endpointslices");
    if let Err(status) = replace(registry, &resource, "default", object) {
        tracing::warn!(reason = status.message, "the endpoint of the API could not be stored");
    }
}

/// Stores an object of the server itself as it must be now, whatever is there.
fn replace(registry: &Registry, resource: &GroupVersionResource, namespace: &str, object: Value) -> Result<(), Status> {
    ensure(registry, resource, namespace, object.clone())?;
    let kinds = registry.kinds();
    let Some(served) = kinds.find(resource) else {
        return Ok(());
    };
    let target = Target {
        served: served.clone(),
        namespace: namespace.to_owned(),
        name: object["metadata"]["name"].as_str().unwrap_or_default().to_owned(),
        subresource: String::new(),
    };
    registry.update(&target, object, &WriteOptions::default()).map(drop)
}

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
    let service = json!({
        "metadata": {"name": "kubernetes", "labels": {"component": "apiserver", "provider": "kubernetes"}},
        "spec": {"type": "ClusterIP", "clusterIP": ADDRESS, "sessionAffinity": "None",
                 "ports": [{"name": "https", "protocol": "TCP", "port": 443, "targetPort": 6443}]},
    });
    ensure(
        registry,
        &GroupVersionResource::new("", "v1", "services"),
        "default",
        service,
    )?;
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
        name: object["metadata"]["name"].as_str().unwrap_or_default().to_owned(),
        subresource: String::new(),
    };
    // Looked up before it is made: what is there from an earlier run holds its own address.
    if registry.get(&target).is_ok() {
        return Ok(());
    }
    let options = WriteOptions {
        field_manager: "kube-apiserver".to_owned(),
        ..WriteOptions::default()
    };
    registry.create(&target, object, &options).map(drop)
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
