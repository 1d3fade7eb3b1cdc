use std::sync::Arc;

use k8s_openapi::api::apps::v1::{ControllerRevision, StatefulSet};
use serde_json::{Value, json};

use super::*;
use crate::testing::{at, object, pod_status};

fn set(changes: Value) -> StatefulSet {
    let mut set = json!({
        "metadata": { "name": "db", "namespace": "default", "uid": "db-uid", "generation": 1 },
        "spec": {
            "replicas": 3, "serviceName": "db",
            "selector": { "matchLabels": { "app": "db" } },
            "template": { "metadata": { "labels": { "app": "db" } }, "spec": { "containers": [{ "name": "db", "image": "v1" }] } },
            "volumeClaimTemplates": [{ "metadata": { "name": "data" }, "spec": { "accessModes": ["ReadWriteOnce"] } }],
        },
    });
    for (path, value) in changes.as_object().unwrap() {
        let (parent, name) = path.rsplit_once('/').unwrap();
        set.pointer_mut(parent).unwrap()[name] = value.clone();
    }
    object(set)
}

/// A set with what its earlier turns left: revisions stored, and Pods by ordinal, image and readiness.
fn observe(set: StatefulSet, pods: &[(i32, &str, &str)]) -> Observed {
    let revision = |image: &str, number: i64| -> ControllerRevision {
        let mut old = set.clone();
        old.spec.template.spec.as_mut().unwrap().containers[0].image = Some(image.into());
        let observed = Observed {
            set: Arc::new(old),
            pods: vec![],
            revisions: vec![],
            claims: vec![],
        };
        let mut plan = Plan::nothing();
        Revisions::of(&observed, &mut plan);
        let Action::Create { draft, .. } = &plan.actions[0] else {
            panic!("{plan:?}")
        };
        let mut revision: ControllerRevision = object(draft.body.clone());
        revision.revision = Some(number);
        revision
    };
    let revisions: Vec<_> = [revision("v1", 1), revision("v2", 2)].map(Arc::new).into();
    let pod = |(ordinal, image, ready): &(i32, &str, &str)| -> Arc<Pod> {
        let hash = revisions[if *image == "v1" { 0 } else { 1 }].name_any();
        let mut pod = json!({
            "metadata": {
                "name": format!("db-{ordinal}"), "namespace": "default", "uid": format!("uid-{ordinal}"),
                "labels": { "app": "db", "controller-revision-hash": hash },
                "ownerReferences": [{ "apiVersion": "apps/v1", "kind": "StatefulSet", "name": "db", "uid": "db-uid", "controller": true }],
            },
            "status": pod_status(ready, 0),
        });
        if *ready == "going" {
            pod["metadata"]["deletionTimestamp"] = json!(at(0));
        }
        Arc::new(object(pod))
    };
    let mut set = set;
    set.status.get_or_insert_default().current_revision = Some(revisions[0].name_any());
    Observed {
        pods: pods.iter().map(pod).collect(),
        set: Arc::new(set),
        revisions,
        claims: vec![],
    }
}

/// Creations and deletions of Pods and claims, in order.
fn deeds(plan: &Plan) -> Vec<String> {
    let deed = |action: &Action| match action {
        Action::Create { draft, .. } if draft.target.kind.kind != "ControllerRevision" => {
            Some(format!("+{}", draft.target.key.name))
        }
        Action::Delete { target, .. } => Some(format!("-{}", target.key.name)),
        _ => None,
    };
    plan.actions.iter().filter_map(deed).collect()
}

#[test]
fn pods_come_and_go_in_order_each_after_the_last_is_ready() {
    let v2 = json!({ "/spec/template/spec/containers": [{ "name": "db", "image": "v2" }] });
    let parallel = json!({ "/spec/podManagementPolicy": "Parallel" });
    let on_delete = json!({ "/spec/updateStrategy": { "type": "OnDelete" }, "/spec/template/spec/containers": [{ "name": "db", "image": "v2" }] });
    let partition = json!({
        "/spec/template/spec/containers": [{ "name": "db", "image": "v2" }],
        "/spec/updateStrategy": { "type": "RollingUpdate", "rollingUpdate": { "partition": 2 } },
    });
    let one = json!({ "/spec/replicas": 1 });
    let from_five = json!({ "/spec/ordinals": { "start": 5 }, "/spec/replicas": 1 });
    let (ready, not) = ("True", "False");
    for (case, changes, pods, expected) in [
        (
            "the first, with its claim",
            json!({}),
            &[][..],
            &["+data-db-0", "+db-0"][..],
        ),
        ("the second waits for the first", json!({}), &[(0, "v1", not)], &[]),
        (
            "then it comes",
            json!({}),
            &[(0, "v1", ready)],
            &["+data-db-1", "+db-1"],
        ),
        (
            "all at once",
            parallel,
            &[],
            &["+data-db-0", "+db-0", "+data-db-1", "+db-1", "+data-db-2", "+db-2"],
        ),
        ("a start ordinal", from_five, &[], &["+data-db-5", "+db-5"]),
        (
            "the last goes first",
            one.clone(),
            &[(0, "v1", ready), (1, "v1", ready), (2, "v1", ready)],
            &["-db-2"],
        ),
        (
            "one at a time",
            one,
            &[(0, "v1", ready), (1, "v1", ready), (2, "v1", "going")],
            &[],
        ),
        (
            "an update starts at the end",
            v2.clone(),
            &[(0, "v1", ready), (1, "v1", ready), (2, "v1", ready)],
            &["-db-2"],
        ),
        (
            "and waits for its result",
            v2.clone(),
            &[(0, "v1", ready), (1, "v1", ready), (2, "v2", not)],
            &[],
        ),
        (
            "then goes on",
            v2,
            &[(0, "v1", ready), (1, "v1", ready), (2, "v2", ready)],
            &["-db-1"],
        ),
        (
            "not below the partition",
            partition,
            &[(0, "v1", ready), (1, "v1", ready), (2, "v2", ready)],
            &[],
        ),
        (
            "or only by hand",
            on_delete,
            &[(0, "v1", ready), (1, "v1", ready), (2, "v1", ready)],
            &[],
        ),
    ] {
        let plan = reconcile(&observe(set(changes), pods), at(100));
        assert_eq!(deeds(&plan), expected, "{case}");
    }
}

#[test]
fn a_pod_below_the_partition_comes_back_as_it_was() {
    let changes = json!({
        "/spec/template/spec/containers": [{ "name": "db", "image": "v2" }],
        "/spec/updateStrategy": { "type": "RollingUpdate", "rollingUpdate": { "partition": 2 } },
    });
    let plan = reconcile(&observe(set(changes), &[(1, "v1", "True"), (2, "v2", "True")]), at(100));
    let created = plan.actions.iter().find_map(|action| match action {
        Action::Create { draft, .. } if draft.target.key.name == "db-0" => Some(draft.body.clone()),
        _ => None,
    });
    let pod = created.unwrap();
    assert_eq!(pod["spec"]["containers"][0]["image"], "v1");
    assert_eq!(pod["spec"]["hostname"], "db-0");
    assert_eq!(pod["spec"]["subdomain"], "db");
    assert_eq!(
        pod["spec"]["volumes"][0]["persistentVolumeClaim"]["claimName"],
        "data-db-0"
    );
    assert_eq!(pod["metadata"]["labels"]["apps.kubernetes.io/pod-index"], "0");
}

#[test]
fn the_new_revision_becomes_current_when_all_have_it() {
    let v2 = json!({ "/spec/template/spec/containers": [{ "name": "db", "image": "v2" }] });
    for (pods, rolled) in [
        ([(0, "v2", "True"), (1, "v2", "True"), (2, "v2", "True")], true),
        ([(0, "v1", "True"), (1, "v2", "True"), (2, "v2", "True")], false),
        ([(0, "v2", "True"), (1, "v2", "True"), (2, "v2", "False")], false),
    ] {
        let plan = reconcile(&observe(set(v2.clone()), &pods), at(100));
        let status = plan.actions.iter().find_map(|action| match action {
            Action::ReplaceStatus { draft } => Some(draft.body["status"].clone()),
            _ => None,
        });
        let status = status.unwrap();
        assert_eq!(
            status["currentRevision"] == status["updateRevision"],
            rolled,
            "{pods:?}"
        );
        assert_eq!(status["replicas"], 3);
    }
}
