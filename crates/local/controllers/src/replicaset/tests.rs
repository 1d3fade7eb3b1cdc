use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

use super::{Observed, ranking, reconcile};
use crate::action::{Action, Plan};
use crate::testing::{at, object, pod_status};

const UID: &str = "set-uid";

fn set(replicas: i32) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": { "name": "web", "namespace": "default", "uid": UID, "resourceVersion": "7", "generation": 2 },
        "spec": {
            "replicas": replicas,
            "selector": { "matchLabels": { "app": "web" } },
            "template": {
                "metadata": { "labels": { "app": "web" } },
                "spec": { "containers": [{ "name": "web", "image": "web" }] },
            },
        },
    })
}

/// A Pod of the set, ready since the first second.
fn pod(name: &str) -> Value {
    let owner = json!({ "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": UID, "controller": true });
    json!({
        "metadata": {
            "name": name, "namespace": "default", "uid": format!("uid-{name}"), "labels": { "app": "web" },
            "ownerReferences": [owner], "creationTimestamp": at(0),
        },
        "spec": { "containers": [], "nodeName": "n1" },
        "status": pod_status("True", 1),
    })
}

fn with(mut object: Value, changes: Value) -> Value {
    fn merge(into: &mut Value, from: Value) {
        match (into, from) {
            (Value::Object(into), Value::Object(from)) => {
                for (name, value) in from {
                    merge(into.entry(name).or_insert(Value::Null), value);
                }
            }
            (into, from) => *into = from,
        }
    }
    merge(&mut object, changes);
    object
}

fn observe(set: Value, pods: Vec<Value>) -> Observed {
    Observed {
        replica_set: Arc::new(object(set)),
        pods: pods.into_iter().map(|pod| Arc::new(object(pod))).collect(),
        related: Vec::new(),
        last_failure: None,
    }
}

/// The plan in short: what is created, deleted, patched.
fn summary(plan: &Plan) -> (usize, Vec<String>, Vec<String>) {
    let (mut created, mut deleted, mut patched) = (0, Vec::new(), Vec::new());
    for action in &plan.actions {
        match action {
            Action::Create { .. } => created += 1,
            Action::Delete { target, .. } => deleted.push(target.key.name.clone()),
            Action::Patch { target, .. } => patched.push(target.key.name.clone()),
            _ => {}
        }
    }
    (created, deleted, patched)
}

fn status(plan: &Plan) -> Option<Value> {
    plan.actions.iter().find_map(|action| match action {
        Action::ReplaceStatus { draft } => Some(draft.body["status"].clone()),
        _ => None,
    })
}

#[test]
fn it_makes_what_is_missing_and_counts_only_what_lives() {
    let finished = with(pod("done"), json!({ "status": { "phase": "Succeeded" } }));
    let going = with(pod("going"), json!({ "metadata": { "deletionTimestamp": at(5) } }));
    let foreign = with(
        pod("foreign"),
        json!({ "metadata": { "ownerReferences": [{
        "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "other", "uid": "other", "controller": true }] } }),
    );
    let plan = reconcile(&observe(set(3), vec![pod("a"), finished, going, foreign]), at(10));
    assert_eq!(summary(&plan).0, 2);
    let status = status(&plan).unwrap();
    assert_eq!(
        (
            &status["replicas"],
            &status["readyReplicas"],
            &status["observedGeneration"]
        ),
        (&json!(1), &json!(1), &json!(2))
    );
}

#[test]
fn a_second_try_makes_pods_of_the_same_names() {
    let names = |observed: &Observed| -> Vec<String> {
        let plan = reconcile(observed, at(10));
        let creates = plan.actions.into_iter().filter_map(|action| match action {
            Action::Create { draft, .. } => Some(draft.target.key.name),
            _ => None,
        });
        creates.collect()
    };
    let first = names(&observe(set(3), vec![]));
    assert_eq!(first, names(&observe(set(3), vec![])));
    assert!(first.iter().all(|name| name.starts_with("web-")), "{first:?}");
    let one_is_there = names(&observe(set(3), vec![pod(&first[0])]));
    assert_eq!(one_is_there.len(), 2);
    assert!(!one_is_there.contains(&first[0]));
}

#[test]
fn orphans_are_adopted_and_strangers_released() {
    let orphan = with(pod("orphan"), json!({ "metadata": { "ownerReferences": [] } }));
    let relabelled = with(
        pod("relabelled"),
        json!({ "metadata": { "labels": { "app": "debug" } } }),
    );
    let plan = reconcile(&observe(set(1), vec![orphan, relabelled]), at(10));
    let (created, deleted, patched) = summary(&plan);
    assert_eq!(
        (created, deleted.len()),
        (0, 0),
        "the orphan is the one Pod that is wanted"
    );
    assert_eq!(patched, ["orphan", "relabelled"]);
}

#[test]
fn a_set_that_is_going_neither_makes_nor_adopts() {
    let going = with(set(3), json!({ "metadata": { "deletionTimestamp": at(5) } }));
    let orphan = with(pod("orphan"), json!({ "metadata": { "ownerReferences": [] } }));
    let plan = reconcile(&observe(going, vec![orphan]), at(10));
    assert_eq!(summary(&plan), (0, vec![], vec![]));
}

#[test]
fn availability_comes_with_time_alone() {
    let set = with(set(1), json!({ "spec": { "minReadySeconds": 30 } }));
    let early = reconcile(&observe(set.clone(), vec![pod("a")]), at(11));
    assert_eq!(status(&early).unwrap().get("availableReplicas"), None);
    assert_eq!(early.again_after, Some(std::time::Duration::from_secs(20)));
    let late = reconcile(&observe(set, vec![pod("a")]), at(31));
    assert_eq!(status(&late).unwrap()["availableReplicas"], 1);
    assert_eq!(late.again_after, None);
}

#[test]
fn a_failure_is_a_condition_until_it_succeeds() {
    let mut observed = observe(set(1), vec![]);
    observed.last_failure = Some("forbidden: no".into());
    let failed = status(&reconcile(&observed, at(10))).unwrap();
    let condition = &failed["conditions"][0];
    assert_eq!(
        (&condition["type"], &condition["reason"]),
        (&json!("ReplicaFailure"), &json!("FailedCreate"))
    );
    let healed = observe(with(set(1), json!({ "status": failed })), vec![pod("a")]);
    assert_eq!(status(&reconcile(&healed, at(20))).unwrap().get("conditions"), None);
}

#[test]
fn a_settled_set_asks_for_nothing() {
    let first = reconcile(&observe(set(1), vec![pod("a")]), at(10));
    let settled = with(set(1), json!({ "status": status(&first).unwrap() }));
    assert_eq!(reconcile(&observe(settled, vec![pod("a")]), at(20)), Plan::nothing());
}

/// Upstream's order, one rule a line: the first Pod goes before the second.
#[test]
fn the_least_useful_pods_go_first() {
    let changed = |changes: Value| with(pod("first"), changes);
    let not_ready = pod_status("False", 1);
    for (rule, first, second) in [
        (
            "unassigned first",
            changed(json!({ "spec": { "nodeName": "" } })),
            pod("second"),
        ),
        (
            "pending first",
            changed(json!({ "status": { "phase": "Pending" } })),
            pod("second"),
        ),
        (
            "unknown before running",
            changed(json!({ "status": { "phase": "Unknown" } })),
            pod("second"),
        ),
        (
            "not ready first",
            changed(json!({ "status": not_ready })),
            pod("second"),
        ),
        (
            "cheap first",
            changed(json!({ "metadata": { "annotations": { "controller.kubernetes.io/pod-deletion-cost": "-5" } } })),
            pod("second"),
        ),
        (
            "an unreadable cost is none",
            pod("first"),
            with(
                pod("second"),
                json!({ "metadata": { "annotations": { "controller.kubernetes.io/pod-deletion-cost": "1" } } }),
            ),
        ),
        (
            "ready for less time first",
            changed(json!({ "status": pod_status("True", 3500) })),
            pod("second"),
        ),
        (
            "restarted more often first",
            changed(json!({ "status": { "containerStatuses": [
                { "name": "web", "restartCount": 3, "ready": true, "image": "", "imageID": "" }] } })),
            pod("second"),
        ),
        (
            "younger first",
            changed(json!({ "metadata": { "creationTimestamp": at(3590) } })),
            pod("second"),
        ),
        (
            "of about one age, the uid decides",
            changed(json!({ "status": pod_status("True", 1) })),
            with(pod("second"), json!({ "status": pod_status("True", 2) })),
        ),
    ] {
        let pods: Vec<Arc<Pod>> = [second, first].map(|pod| Arc::new(object(pod))).into();
        let chosen = ranking::least_useful(&pods, &[], 1, at(3600));
        assert_eq!(chosen[0].metadata.name.as_deref(), Some("first"), "{rule}");
    }
}

#[test]
fn the_crowded_node_gives_first() {
    let on = |name: &str, node: &str| -> Arc<Pod> {
        Arc::new(object(with(pod(name), json!({ "spec": { "nodeName": node } }))))
    };
    let pods = vec![on("a", "quiet"), on("b", "crowded")];
    let related = vec![on("a", "quiet"), on("b", "crowded"), on("other", "crowded")];
    let chosen = ranking::least_useful(&pods, &related, 1, at(3600));
    assert_eq!(chosen[0].metadata.name.as_deref(), Some("b"));
}
