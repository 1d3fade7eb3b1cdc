//! Services and what they lead to.

use serde_json::{Value, json};

use super::{each, field, set};

/// Three hours: how long a client keeps its endpoint where affinity is by address.
const AFFINITY_SECONDS: u32 = 10_800;

pub(super) fn service(object: &mut Value) {
    let spec = field(object, "spec");
    set(spec, "sessionAffinity", json!("None"));
    if spec["sessionAffinity"] == "ClientIP" {
        let config = field(field(spec, "sessionAffinityConfig"), "clientIP");
        set(config, "timeoutSeconds", json!(AFFINITY_SECONDS));
    }
    set(spec, "type", json!("ClusterIP"));
    for port in each(spec, "ports") {
        set(port, "protocol", json!("TCP"));
        let number = port.get("port").cloned().unwrap_or_default();
        if port
            .get("targetPort")
            .is_none_or(|target| target.is_null() || *target == 0 || *target == "")
        {
            port["targetPort"] = number;
        }
    }
    let kind = spec["type"].as_str().unwrap_or_default().to_owned();
    if matches!(&*kind, "NodePort" | "LoadBalancer") {
        set(spec, "externalTrafficPolicy", json!("Cluster"));
    }
    if matches!(&*kind, "ClusterIP" | "NodePort" | "LoadBalancer") {
        set(spec, "internalTrafficPolicy", json!("Cluster"));
    }
    if kind == "LoadBalancer" {
        set(spec, "allocateLoadBalancerNodePorts", json!(true));
    }
}

pub(super) fn endpoints(object: &mut Value) {
    for subset in each(object, "subsets") {
        each(subset, "ports").for_each(|port| set(port, "protocol", json!("TCP")));
    }
}

pub(super) fn endpoint_slice(object: &mut Value) {
    for port in each(object, "ports") {
        set(port, "name", json!(""));
        set(port, "protocol", json!("TCP"));
    }
}

pub(super) fn network_policy(object: &mut Value) {
    let spec = field(object, "spec");
    let sends = spec
        .get("egress")
        .and_then(Value::as_array)
        .is_some_and(|rules| !rules.is_empty());
    set(
        spec,
        "policyTypes",
        if sends {
            json!(["Ingress", "Egress"])
        } else {
            json!(["Ingress"])
        },
    );
    for direction in ["ingress", "egress"] {
        for rule in each(spec, direction) {
            each(rule, "ports").for_each(|port| set(port, "protocol", json!("TCP")));
        }
    }
}
