use serde_json::{Value, json};

use super::*;
use crate::testing::{at, object, pod_status};

fn set(image: &str) -> DaemonSet {
    object(json!({
        "metadata": { "name": "log", "namespace": "default", "uid": "log-uid", "generation": 1 },
        "spec": {
            "selector": { "matchLabels": { "app": "log" } },
            "template": {
                "metadata": { "labels": { "app": "log" } },
                "spec": { "containers": [{ "name": "log", "image": image }], "nodeSelector": { "logs": "yes" } },
            },
        },
    }))
}

fn node(name: &str, spec: Value) -> Arc<Node> {
    Arc::new(object(
        json!({ "metadata": { "name": name, "labels": { "logs": if name == "quiet" { "no" } else { "yes" } } }, "spec": spec }),
    ))
}

fn pod(name: &str, node: &str, image: &str, ready: &str) -> Arc<Pod> {
    let hash = template_hash(&set(image).spec.template, None);
    Arc::new(object(json!({
        "metadata": {
            "name": name, "namespace": "default", "uid": name, "labels": { "app": "log", "controller-revision-hash": hash },
            "ownerReferences": [{ "apiVersion": "apps/v1", "kind": "DaemonSet", "name": "log", "uid": "log-uid", "controller": true }],
        },
        "spec": { "containers": [], "nodeName": node }, "status": pod_status(ready, 0),
    })))
}

fn deeds(nodes: Vec<Arc<Node>>, pods: Vec<Arc<Pod>>) -> Vec<String> {
    let plan = reconcile(
        &Observed {
            set: Arc::new(set("v2")),
            nodes,
            pods,
            revisions: vec![],
        },
        at(10),
    );
    let deed = |action: &Action| match action {
        Action::Create { draft, .. } if draft.target.kind.kind == "Pod" => {
            Some(format!("+{}", node_of(&object(draft.body.clone())).unwrap()))
        }
        Action::Delete { target, .. } => Some(format!("-{}", target.key.name)),
        _ => None,
    };
    plan.actions.iter().filter_map(deed).collect()
}

#[test]
fn every_node_that_takes_it_has_one() {
    let cordoned = node("b", json!({ "unschedulable": true }));
    let tainted = node("c", json!({ "taints": [{ "key": "gpu", "effect": "NoSchedule" }] }));
    let nodes = vec![node("a", json!({})), cordoned, tainted, node("quiet", json!({}))];
    assert_eq!(
        deeds(nodes.clone(), vec![]),
        ["+a", "+b"],
        "a cordon is tolerated, a foreign taint is not"
    );
    let pods = vec![
        pod("p1", "a", "v2", "True"),
        pod("p2", "a", "v2", "True"),
        pod("p3", "quiet", "v2", "True"),
    ];
    assert_eq!(deeds(nodes, pods), ["-p2", "+b", "-p3"]);
}

#[test]
fn an_update_costs_one_available_pod_at_a_time() {
    let nodes = || vec![node("a", json!({})), node("b", json!({})), node("c", json!({}))];
    let all = |ready: [&str; 3]| {
        let names = ["a", "b", "c"];
        names
            .iter()
            .zip(ready)
            .map(|(name, ready)| pod(name, name, "v1", ready))
            .collect::<Vec<_>>()
    };
    assert_eq!(deeds(nodes(), all(["True", "True", "True"])), ["-a"]);
    assert_eq!(
        deeds(nodes(), all(["True", "False", "True"])),
        ["-b"],
        "the broken one is free"
    );
}

#[test]
fn each_template_is_remembered_and_the_oldest_forgotten() {
    let mut limited = set("v2");
    limited.spec.revision_history_limit = Some(1);
    let old = |name: &str, number: i64| -> Arc<ControllerRevision> {
        Arc::new(object(json!({
            "metadata": { "name": name, "namespace": "default", "uid": name,
                "ownerReferences": [{ "apiVersion": "apps/v1", "kind": "DaemonSet", "name": "log", "uid": "log-uid", "controller": true }] },
            "revision": number, "data": {},
        })))
    };
    let revisions = vec![old("log-b", 2), old("log-a", 1)];
    let plan = reconcile(
        &Observed {
            set: Arc::new(limited),
            nodes: vec![],
            pods: vec![],
            revisions,
        },
        at(10),
    );
    let deeds: Vec<_> = plan
        .actions
        .iter()
        .filter_map(|action| match action {
            Action::Create { draft, .. } => Some(format!("+{}", draft.body["revision"])),
            Action::Delete { target, .. } => Some(format!("-{}", target.key.name)),
            _ => None,
        })
        .collect();
    assert_eq!(deeds, ["+3", "-log-a"]);
}
