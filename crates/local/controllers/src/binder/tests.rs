use serde_json::{Value, json};

use super::*;
use crate::testing::{at, object};

fn node(name: &str, changes: Value) -> Value {
    let mut node = json!({
        "metadata": { "name": name, "labels": { "kubernetes.io/hostname": name, "disk": "ssd", "cores": "8" } },
        "spec": {},
        "status": { "allocatable": { "cpu": "2", "memory": "4Gi", "pods": "10" } },
    });
    node["spec"] = changes;
    node
}

fn pod(name: &str, spec: Value) -> Value {
    let mut whole = json!({ "containers": [{ "name": "web" }] });
    whole.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    json!({ "metadata": { "name": name, "namespace": "default", "uid": name }, "spec": whole, "status": { "phase": "Pending" } })
}

fn asks(cpu: &str) -> Value {
    json!({ "containers": [{ "name": "web", "resources": { "requests": { "cpu": cpu } } }] })
}

fn place(nodes: &[Value], pods: &[Value]) -> Plan {
    let observed = Observed {
        nodes: nodes.iter().map(|node| Arc::new(object(node.clone()))).collect(),
        pods: pods.iter().map(|pod| Arc::new(object(pod.clone()))).collect(),
    };
    reconcile(&observed, at(0))
}

/// Where each Pod goes, or why it waits.
fn outcomes(plan: &Plan) -> Vec<String> {
    let outcome = |action: &Action| match action {
        Action::Bind { pod, node } => Some(format!("{} on {node}", pod.key.name)),
        Action::Event {
            reason: "FailedScheduling",
            message,
            ..
        } => Some(message.clone()),
        _ => None,
    };
    plan.actions.iter().filter_map(outcome).collect()
}

#[test]
fn a_pod_goes_where_it_may_and_fits() {
    let laptop = || node("laptop", json!({}));
    let cordoned = node("laptop", json!({ "unschedulable": true }));
    let tainted = node(
        "laptop",
        json!({ "taints": [{ "key": "gpu", "value": "yes", "effect": "NoSchedule" }] }),
    );
    let soft = node(
        "laptop",
        json!({ "taints": [{ "key": "gpu", "effect": "PreferNoSchedule" }] }),
    );
    let tolerates =
        json!({ "tolerations": [{ "key": "gpu", "operator": "Equal", "value": "yes", "effect": "NoSchedule" }] });
    let affinity = |operator: &str, values: Value| {
        json!({ "affinity": { "nodeAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": { "nodeSelectorTerms": [
            { "matchExpressions": [{ "key": "cores", "operator": operator, "values": values }] }] } } } })
    };
    let on = "web on laptop";
    let mismatch = "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.";
    for (node, spec, expected) in [
        (laptop(), json!({}), on),
        (laptop(), asks("2"), on),
        (laptop(), asks("2001m"), "0/1 nodes are available: 1 Insufficient cpu."),
        (laptop(), json!({ "nodeSelector": { "disk": "ssd" } }), on),
        (laptop(), json!({ "nodeSelector": { "disk": "hdd" } }), mismatch),
        (laptop(), affinity("Gt", json!(["4"])), on),
        (laptop(), affinity("In", json!(["16", "32"])), mismatch),
        (laptop(), affinity("DoesNotExist", json!([])), mismatch),
        (
            cordoned,
            json!({}),
            "0/1 nodes are available: 1 node(s) were unschedulable.",
        ),
        (
            tainted.clone(),
            json!({}),
            "0/1 nodes are available: 1 node(s) had untolerated taint {gpu: yes}.",
        ),
        (tainted, tolerates, on),
        (soft, json!({}), on),
    ] {
        let plan = place(&[node], &[pod("web", spec.clone())]);
        assert_eq!(outcomes(&plan), [expected], "{spec}");
    }
    assert_eq!(
        outcomes(&place(&[], &[pod("web", json!({}))])),
        ["no nodes available to schedule pods"]
    );
}

#[test]
fn room_is_given_once_and_the_important_come_first() {
    let mut vip = asks("1500m");
    vip["priority"] = json!(100);
    let pods = [pod("plain", asks("1")), pod("vip", vip)];
    let plan = place(&[node("laptop", json!({}))], &pods);
    assert_eq!(
        outcomes(&plan),
        ["vip on laptop", "0/1 nodes are available: 1 Insufficient cpu."]
    );
}

#[test]
fn the_node_with_more_room_is_chosen() {
    let mut busy = pod("busy", asks("1"));
    busy["spec"]["nodeName"] = json!("a");
    let plan = place(
        &[node("a", json!({})), node("b", json!({}))],
        &[busy, pod("web", asks("500m"))],
    );
    assert_eq!(outcomes(&plan), ["web on b"]);
}

#[test]
fn only_pods_of_this_scheduler_that_may_run_are_placed() {
    for spec in [
        json!({ "schedulerName": "other" }),
        json!({ "schedulingGates": [{ "name": "wait" }] }),
        json!({ "nodeName": "laptop" }),
    ] {
        assert_eq!(
            place(&[node("laptop", json!({}))], &[pod("web", spec.clone())]),
            Plan::nothing(),
            "{spec}"
        );
    }
}

#[test]
fn the_same_refusal_is_told_once() {
    let first = place(&[], &[pod("web", json!({}))]);
    let Action::ReplaceStatus { draft } = &first.actions[0] else {
        panic!("{first:?}")
    };
    assert_eq!(place(&[], std::slice::from_ref(&draft.body)), Plan::nothing());
}
