use serde_json::{Value, json};

use super::*;
use crate::testing::object;

fn claim(spec: Value) -> Value {
    let mut whole = json!({ "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Gi" } } });
    whole.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    json!({ "metadata": { "name": "data", "namespace": "shop", "uid": "c1" }, "spec": whole })
}

fn volume(name: &str, size: &str, spec: Value) -> Value {
    let mut whole = json!({ "capacity": { "storage": size }, "accessModes": ["ReadWriteOnce"], "storageClassName": "",
        "persistentVolumeReclaimPolicy": "Retain" });
    whole.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    json!({ "metadata": { "name": name, "uid": name }, "spec": whole, "status": { "phase": "Available" } })
}

fn turn(claim: Option<&Value>, volumes: &[Value]) -> Plan {
    let observed = Observed {
        claim: claim.map(|claim| Arc::new(object(claim.clone()))),
        volumes: volumes.iter().map(|volume| Arc::new(object(volume.clone()))).collect(),
    };
    reconcile(&observed, &ObjectKey::new("shop", "data"), Path::new("/data"))
}

fn summary(plan: &Plan) -> Vec<String> {
    let word = |action: &Action| match action {
        Action::Create { draft, .. } => format!("create {}", draft.target.key.name),
        Action::Patch { target, .. } => format!("patch {}", target.key.name),
        Action::Delete { target, .. } => format!("delete {}", target.key.name),
        Action::ReplaceStatus { draft } => format!(
            "{} {}",
            draft.target.key.name,
            draft.body["status"]["phase"].as_str().unwrap()
        ),
        other => format!("{other:?}"),
    };
    plan.actions.iter().map(word).collect()
}

#[test]
fn a_claim_of_any_class_gets_a_directory_of_its_own() {
    for class in [json!({}), json!({ "storageClassName": "gp3" })] {
        let claim = claim(class);
        let made = turn(Some(&claim), &[]);
        assert_eq!(summary(&made), ["create pvc-c1"]);
        let Action::Create { draft, .. } = &made.actions[0] else {
            panic!("{made:?}")
        };
        assert_eq!(draft.body["spec"]["hostPath"]["path"], "/data/shop/data");

        let volume = draft.body.clone();
        assert_eq!(
            summary(&turn(Some(&claim), std::slice::from_ref(&volume))),
            ["patch data"]
        );
        let mut named = claim.clone();
        named["spec"]["volumeName"] = json!("pvc-c1");
        assert_eq!(summary(&turn(Some(&named), &[volume])), ["data Bound", "pvc-c1 Bound"]);
    }
}

#[test]
fn a_volume_made_by_hand_is_taken_if_it_fits() {
    let by_hand = json!({ "storageClassName": "" });
    let labelled = |mut volume: Value| {
        volume["metadata"]["labels"] = json!({ "disk": "ssd" });
        volume
    };
    for (spec, volumes, expected) in [
        (by_hand.clone(), vec![], vec![]),
        (by_hand.clone(), vec![volume("small", "500Mi", json!({}))], vec![]),
        (
            by_hand.clone(),
            vec![volume("large", "5Gi", json!({})), volume("right", "1Gi", json!({}))],
            vec!["patch right"],
        ),
        (
            by_hand.clone(),
            vec![volume("shared", "1Gi", json!({ "accessModes": ["ReadOnlyMany"] }))],
            vec![],
        ),
        (
            by_hand.clone(),
            vec![volume(
                "taken",
                "1Gi",
                json!({ "claimRef": { "namespace": "shop", "name": "other", "uid": "c2" } }),
            )],
            vec![],
        ),
        (
            by_hand,
            vec![volume(
                "meant",
                "1Gi",
                json!({ "claimRef": { "namespace": "shop", "name": "data" }, "storageClassName": "x" }),
            )],
            vec!["patch meant"],
        ),
        (
            json!({ "storageClassName": "", "selector": { "matchLabels": { "disk": "ssd" } } }),
            vec![
                volume("plain", "1Gi", json!({})),
                labelled(volume("fast", "2Gi", json!({}))),
            ],
            vec!["patch fast"],
        ),
    ] {
        assert_eq!(summary(&turn(Some(&claim(spec.clone())), &volumes)), expected, "{spec}");
    }
}

#[test]
fn a_volume_without_its_claim_goes_or_is_retained() {
    let of_gone = json!({ "claimRef": { "namespace": "shop", "name": "data", "uid": "c0" } });
    let mut deleted = volume("made", "1Gi", of_gone.clone());
    deleted["spec"]["persistentVolumeReclaimPolicy"] = json!("Delete");
    let retained = volume("kept", "1Gi", of_gone);
    assert_eq!(
        summary(&turn(None, &[deleted, retained])),
        ["delete made", "kept Released"]
    );
}
