use std::collections::BTreeMap;
use std::sync::Arc;

use flyball_core::Timestamp;
use k8s_openapi::api::apps::v1::{Deployment, DeploymentStatus};
use serde_json::{Value, json};

use super::{Observed, reconcile};
use crate::action::{Action, Plan};
use crate::testing::{at, object};

const UID: &str = "web-uid";

fn template(image: &str) -> Value {
    json!({ "metadata": { "labels": { "app": "web" } }, "spec": { "containers": [{ "name": "web", "image": image }] } })
}

fn deployment(replicas: i32, strategy: Value) -> Value {
    json!({
        "metadata": {
            "name": "web", "namespace": "default", "uid": UID, "generation": 1, "resourceVersion": "9",
            "annotations": { "deployment.kubernetes.io/revision": "2", "team": "shop" },
        },
        "spec": {
            "replicas": replicas, "progressDeadlineSeconds": 600, "revisionHistoryLimit": 10,
            "selector": { "matchLabels": { "app": "web" } },
            "strategy": strategy,
            "template": template("v2"),
        },
    })
}

fn rolling(surge: Value, unavailable: Value) -> Value {
    json!({ "type": "RollingUpdate", "rollingUpdate": { "maxSurge": surge, "maxUnavailable": unavailable } })
}

/// A ReplicaSet by name, image, size and how many of its Pods are available; `sized_for` are the desired and
/// the greatest size of the Deployment when it was last sized.
fn set(name: &str, image: &str, (replicas, available): (i32, i32), sized_for: (i32, i32), age: i64) -> Value {
    let owner = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": UID, "controller": true });
    let mut template = template(image);
    template["metadata"]["labels"]["pod-template-hash"] = json!(name);
    json!({
        "metadata": {
            "name": name, "namespace": "default", "uid": format!("uid-{name}"), "resourceVersion": "5", "generation": 1,
            "labels": { "app": "web", "pod-template-hash": name },
            "creationTimestamp": at(-age),
            "ownerReferences": [owner],
            "annotations": {
                "team": "shop",
                "deployment.kubernetes.io/revision": if image == "v2" { "2" } else { "1" },
                "deployment.kubernetes.io/desired-replicas": sized_for.0.to_string(),
                "deployment.kubernetes.io/max-replicas": sized_for.1.to_string(),
            },
        },
        "spec": { "replicas": replicas, "selector": { "matchLabels": { "app": "web" } }, "template": template },
        "status": { "replicas": replicas, "availableReplicas": available, "readyReplicas": available, "observedGeneration": 1 },
    })
}

fn observe(deployment: Value, sets: Vec<Value>) -> Observed {
    Observed {
        deployment: Arc::new(object(deployment)),
        replica_sets: sets.into_iter().map(|set| Arc::new(object(set))).collect(),
        pods: Vec::new(),
        last_failure: None,
    }
}

/// The sizes that a plan asks for, by ReplicaSet.
fn sizes(plan: &Plan) -> BTreeMap<String, i64> {
    let sized = plan.actions.iter().filter_map(|action| match action {
        Action::Patch { target, patch } => {
            let size = patch.pointer("/spec/replicas")?.as_i64()?;
            Some((target.key.name.clone(), size))
        }
        _ => None,
    });
    sized.collect()
}

fn events(plan: &Plan) -> Vec<String> {
    let told = plan.actions.iter().filter_map(|action| match action {
        Action::Event { message, .. } => Some(message.clone()),
        _ => None,
    });
    told.collect()
}

fn status(plan: &Plan) -> Option<DeploymentStatus> {
    plan.actions.iter().find_map(|action| match action {
        Action::ReplaceStatus { draft } => object::<Deployment>(draft.body.clone()).status,
        _ => None,
    })
}

fn condition(status: &DeploymentStatus, of_type: &str) -> (String, String, String) {
    let conditions = status.conditions.as_ref().unwrap();
    let found = conditions
        .iter()
        .find(|condition| condition.type_.as_deref() == Some(of_type))
        .unwrap();
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    (text(&found.status), text(&found.reason), text(&found.message))
}

fn expect(sizes: &[(&str, i64)]) -> BTreeMap<String, i64> {
    sizes.iter().map(|(name, size)| ((*name).to_owned(), *size)).collect()
}

/// One step of a rolling update of ten replicas. The cases are those of upstream's tests of
/// `reconcileNewReplicaSet` and `reconcileOldReplicaSets`.
#[test]
fn a_rolling_update_takes_one_safe_step() {
    // surge, unavailable, old (size, available), new (size, available) -> sizes asked for
    for (surge, unavailable, old, new, expected) in [
        (2, 0, (10, 10), (0, 0), expect(&[("new", 2)])),
        (2, 0, (5, 5), (0, 0), expect(&[("new", 7)])),
        (2, 0, (10, 10), (2, 0), expect(&[])),
        (2, 0, (2, 2), (11, 11), expect(&[("new", 10)])),
        (0, 0, (10, 10), (0, 0), expect(&[("old", 9)])),
        (0, 2, (10, 10), (0, 0), expect(&[("old", 8)])),
        (0, 2, (10, 8), (0, 0), expect(&[("old", 8)])),
        (0, 2, (10, 9), (0, 0), expect(&[("old", 8)])),
        (0, 2, (8, 8), (2, 0), expect(&[])),
        (0, 2, (8, 8), (2, 2), expect(&[("old", 6)])),
        (2, 0, (0, 0), (10, 10), expect(&[])),
    ] {
        let strategy = rolling(json!(surge), json!(unavailable));
        let sized = (10, 10 + surge);
        let sets = vec![set("old", "v1", old, sized, 100), set("new", "v2", new, sized, 10)];
        let plan = reconcile(&observe(deployment(10, strategy), sets), at(0));
        assert_eq!(
            sizes(&plan),
            expected,
            "surge {surge} unavailable {unavailable} old {old:?} new {new:?}"
        );
    }
}

#[test]
fn percentages_round_surge_up_and_unavailability_down() {
    // replicas, surge, unavailable -> the first step
    for (replicas, surge, unavailable, expected) in [
        (4, "25%", "25%", expect(&[("new", 1)])),
        (3, "25%", "25%", expect(&[("new", 1)])),
        (10, "25%", "25%", expect(&[("new", 3)])),
        (3, "0%", "25%", expect(&[("old", 2)])),
        (10, "0%", "25%", expect(&[("old", 8)])),
        (2, "0%", "100%", expect(&[("old", 0)])),
    ] {
        let max = |text: &str| {
            (f64::from(replicas) * text.trim_end_matches('%').parse::<f64>().unwrap() / 100.0).ceil() as i32
        };
        let sized = (replicas, replicas + max(surge));
        let sets = vec![
            set("old", "v1", (replicas, replicas), sized, 100),
            set("new", "v2", (0, 0), sized, 10),
        ];
        let plan = reconcile(
            &observe(deployment(replicas, rolling(json!(surge), json!(unavailable))), sets),
            at(0),
        );
        assert_eq!(sizes(&plan), expected, "{replicas} {surge} {unavailable}");
    }
}

/// A new size in the middle of a rollout is shared in proportion; the cases are those of upstream's `TestScale`.
#[test]
fn a_new_size_is_shared_in_proportion() {
    // sizes before: old ones by age (oldest first), then the new one; the Deployment before -> after; sizes after
    for (olds, new, (before, after), expected_olds, expected_new) in [
        (&[][..], 10, (10, 12), &[][..], 12),
        (&[], 10, (10, 5), &[], 5),
        (&[3], 2, (5, 10), &[6], 4),
        (&[3], 2, (5, 3), &[2], 1),
        (&[1], 8, (9, 4), &[0], 4),
        (&[2, 3], 2, (7, 10), &[3, 4], 3),
        (&[3, 8], 2, (13, 8), &[2, 5], 1),
        (&[1, 1], 1, (3, 4), &[1, 1], 2),
        (&[2, 2], 2, (6, 3), &[1, 1], 1),
        (&[2, 3], 5, (10, 0), &[0, 0], 0),
    ] {
        let mut sets = Vec::new();
        for (index, size) in olds.iter().enumerate() {
            let name = format!("old{index}");
            sets.push(set(&name, &name, (*size, *size), (before, before), 100 - index as i64));
        }
        sets.push(set("new", "v2", (new, 0), (before, before), 10));
        let plan = reconcile(&observe(deployment(after, rolling(json!(0), json!(1))), sets), at(0));
        let asked = sizes(&plan);
        let size = |name: &str, before: i32| asked.get(name).copied().unwrap_or(before.into());
        let got: Vec<_> = olds
            .iter()
            .enumerate()
            .map(|(index, before)| size(&format!("old{index}"), *before))
            .collect();
        let expected: Vec<_> = expected_olds.iter().map(|size: &i32| i64::from(*size)).collect();
        assert_eq!(
            (got, size("new", new)),
            (expected, expected_new),
            "{olds:?}+{new}: {before} -> {after}"
        );
    }
}

#[test]
fn the_first_turn_makes_the_first_replica_set() {
    let mut fresh = deployment(3, rolling(json!("25%"), json!("25%")));
    fresh["metadata"]["annotations"] = json!({ "team": "shop" });
    let plan = reconcile(&observe(fresh, vec![]), at(0));
    let Action::Create { draft, .. } = &plan.actions[0] else {
        panic!("{plan:?}")
    };
    let set = &draft.body;
    let hash = set["metadata"]["labels"]["pod-template-hash"].as_str().unwrap();
    assert_eq!(set["metadata"]["name"], format!("web-{hash}"));
    assert_eq!(set["spec"]["selector"]["matchLabels"]["pod-template-hash"], hash);
    assert_eq!(set["spec"]["template"]["metadata"]["labels"]["pod-template-hash"], hash);
    assert_eq!(set["spec"]["replicas"], 3);
    let annotations = &set["metadata"]["annotations"];
    assert_eq!(annotations["team"], "shop");
    assert_eq!(annotations["deployment.kubernetes.io/revision"], "1");
    assert_eq!(annotations["deployment.kubernetes.io/max-replicas"], "4");
    assert_eq!(events(&plan), [format!("Scaled up replica set web-{hash} from 0 to 3")]);
    let progressing = condition(&status(&plan).unwrap(), "Progressing");
    let message = format!("Created new replica set \"web-{hash}\"");
    assert_eq!(progressing, ("True".into(), "NewReplicaSetCreated".into(), message));
}

#[test]
fn a_name_that_is_taken_raises_the_collision_count() {
    let strategy = rolling(json!(1), json!(0));
    let plan = reconcile(&observe(deployment(3, strategy.clone()), vec![]), at(0));
    let Action::Create { draft, .. } = &plan.actions[0] else {
        panic!("{plan:?}")
    };
    let name = draft.target.key.name.clone();
    let mut foreign = set(&name, "foreign", (1, 1), (1, 1), 5);
    foreign["metadata"]["ownerReferences"][0]["uid"] = json!("somebody");
    let plan = reconcile(&observe(deployment(3, strategy.clone()), vec![foreign.clone()]), at(0));
    let collided = status(&plan).unwrap();
    assert_eq!(collided.collision_count, Some(1));
    let mut next = deployment(3, strategy);
    next["status"] = json!(collided);
    let plan = reconcile(&observe(next, vec![foreign]), at(1));
    let Action::Create { draft, .. } = &plan.actions[0] else {
        panic!("{plan:?}")
    };
    assert_ne!(draft.target.key.name, name);
}

#[test]
fn going_back_to_an_old_template_raises_its_revision() {
    let strategy = rolling(json!(1), json!(0));
    let mut wanted = set("first", "v2", (0, 0), (3, 4), 100);
    wanted["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = json!("1");
    let mut current = set("second", "v3", (3, 3), (3, 4), 10);
    current["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = json!("2");
    let plan = reconcile(&observe(deployment(3, strategy), vec![wanted, current]), at(0));
    let Some(Action::Patch { target, patch }) = plan.actions.first() else {
        panic!("{plan:?}")
    };
    assert_eq!(target.key.name, "first");
    let annotations = &patch["metadata"]["annotations"];
    assert_eq!(annotations["deployment.kubernetes.io/revision"], "3");
    assert_eq!(annotations["deployment.kubernetes.io/revision-history"], "1");
    assert_eq!(patch["spec"]["replicas"], 1, "and it grows in the same write");
}

#[test]
fn a_finished_rollout_forgets_revisions_beyond_its_limit() {
    let strategy = rolling(json!(1), json!(0));
    let mut done = deployment(1, strategy);
    done["spec"]["revisionHistoryLimit"] = json!(1);
    done["status"] = json!({ "observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1 });
    let revision = |name: &str, number: &str, size: (i32, i32)| {
        let mut set = set(name, name, size, (1, 2), 100);
        set["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = json!(number);
        set
    };
    let mut new = set("new", "v2", (1, 1), (1, 2), 10);
    new["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = json!("9");
    let sets = vec![
        revision("r10", "10", (0, 0)),
        revision("r3", "3", (0, 0)),
        revision("r2", "2", (0, 0)),
        new,
    ];
    let plan = reconcile(&observe(done, sets), at(0));
    let deleted = plan.actions.iter().filter_map(|action| match action {
        Action::Delete { target, .. } => Some(target.key.name.as_str()),
        _ => None,
    });
    assert_eq!(deleted.collect::<Vec<_>>(), ["r2", "r3"], "by number, not by text");
}

#[test]
fn recreate_waits_until_the_old_pods_are_gone() {
    let strategy = json!({ "type": "Recreate" });
    let running = vec![
        set("old", "v1", (3, 3), (3, 3), 100),
        set("new", "v2", (0, 0), (3, 3), 10),
    ];
    let plan = reconcile(&observe(deployment(3, strategy.clone()), running), at(0));
    assert_eq!(sizes(&plan), expect(&[("old", 0)]));

    let emptied = vec![
        set("old", "v1", (0, 0), (3, 3), 100),
        set("new", "v2", (0, 0), (3, 3), 10),
    ];
    let mut observed = observe(deployment(3, strategy), emptied);
    let lingering = json!({ "metadata": { "name": "old-x", "ownerReferences": [
        { "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "old", "uid": "uid-old", "controller": true }] },
        "status": { "phase": "Running" } });
    observed.pods = vec![Arc::new(object(lingering))];
    assert_eq!(sizes(&reconcile(&observed, at(0))), expect(&[]));
    observed.pods.clear();
    assert_eq!(sizes(&reconcile(&observed, at(0))), expect(&[("new", 3)]));
}

#[test]
fn a_paused_deployment_scales_but_does_not_roll() {
    let mut paused = deployment(4, rolling(json!(1), json!(0)));
    paused["spec"]["paused"] = json!(true);
    let plan = reconcile(
        &observe(paused.clone(), vec![set("old", "v1", (2, 2), (2, 3), 100)]),
        at(0),
    );
    assert_eq!(sizes(&plan), expect(&[("old", 4)]));
    assert!(
        !plan
            .actions
            .iter()
            .any(|action| matches!(action, Action::Create { .. }))
    );
    let after = status(&plan).unwrap();
    assert_eq!(
        condition(&after, "Progressing"),
        (
            "Unknown".into(),
            "DeploymentPaused".into(),
            "Deployment is paused".into()
        )
    );

    paused["spec"]["paused"] = json!(false);
    paused["status"] = json!(after);
    // Nothing moved meanwhile, so the resumption is all that there is to tell.
    let sets = vec![
        set("old", "v1", (4, 2), (4, 5), 100),
        set("new", "v2", (0, 0), (4, 5), 10),
    ];
    let after = status(&reconcile(&observe(paused, sets), at(60))).unwrap();
    assert_eq!(condition(&after, "Progressing").1, "DeploymentResumed");
}

/// The life of a rollout as its conditions tell it.
#[test]
fn progress_is_told_and_its_deadline_kept() {
    let strategy = rolling(json!(1), json!(0));
    let turn = |status: Option<&DeploymentStatus>, new: (i32, i32), old: (i32, i32), now: Timestamp| {
        let mut seen = deployment(2, strategy.clone());
        seen["status"] = json!(status);
        let sets = vec![set("old", "v1", old, (2, 3), 100), set("new", "v2", new, (2, 3), 10)];
        reconcile(&observe(seen, sets), now)
    };
    let started = status(&turn(None, (1, 0), (2, 2), at(0))).unwrap();
    assert_eq!(condition(&started, "Available").1, "MinimumReplicasAvailable");

    let moved = status(&turn(Some(&started), (1, 1), (1, 1), at(10))).unwrap();
    let progressing = condition(&moved, "Progressing");
    assert_eq!(
        progressing,
        (
            "True".into(),
            "ReplicaSetUpdated".into(),
            "ReplicaSet \"new\" is progressing.".into()
        )
    );

    let stands_still = turn(Some(&moved), (1, 1), (1, 1), at(300));
    assert_eq!(status(&stands_still), None);
    assert_eq!(stands_still.again_after, Some(std::time::Duration::from_secs(311)));

    let late = status(&turn(Some(&moved), (1, 1), (1, 1), at(611))).unwrap();
    let message = "ReplicaSet \"new\" has timed out progressing.".to_owned();
    assert_eq!(
        condition(&late, "Progressing"),
        ("False".into(), "ProgressDeadlineExceeded".into(), message)
    );

    let done = status(&turn(Some(&late), (2, 2), (0, 0), at(700))).unwrap();
    let message = "ReplicaSet \"new\" has successfully progressed.".to_owned();
    assert_eq!(
        condition(&done, "Progressing"),
        ("True".into(), "NewReplicaSetAvailable".into(), message)
    );
    let settled = turn(Some(&done), (2, 2), (0, 0), at(9999));
    assert_eq!((status(&settled), settled.again_after), (None, None));
}

#[test]
fn an_empty_selector_is_refused() {
    let mut greedy = deployment(3, rolling(json!(1), json!(0)));
    greedy["spec"]["selector"] = json!({});
    let plan = reconcile(&observe(greedy, vec![]), at(0));
    assert_eq!(
        events(&plan),
        ["This deployment is selecting all pods. A non-empty selector is required."]
    );
    assert!(
        !plan
            .actions
            .iter()
            .any(|action| matches!(action, Action::Create { .. }))
    );
}
