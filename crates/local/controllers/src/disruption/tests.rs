use super::*;
use crate::testing::{at, object, pod_status};
use serde_json::json;

/// A budget over Pods of one controller, of which `ready` of `pods` are ready.
fn check(spec: serde_json::Value, scale: i32, pods: i32, ready: i32) -> PodDisruptionBudgetStatus {
    let budget: PodDisruptionBudget = object(json!({ "metadata": { "name": "web", "generation": 3 }, "spec": spec }));
    let pod = |number: i32| -> Arc<Pod> {
        let word = if number < ready { "True" } else { "False" };
        Arc::new(object(
            json!({ "metadata": { "name": format!("web-{number}") }, "status": pod_status(word, 0) }),
        ))
    };
    let observed = Observed {
        budget: Arc::new(budget),
        pods: (0..pods).map(pod).collect(),
        scales: [("owner".to_owned(), scale)].into(),
    };
    let plan = reconcile(&observed, at(10));
    let [Action::ReplaceStatus { draft }] = plan.actions.as_slice() else {
        panic!("one status: {plan:?}");
    };
    object::<PodDisruptionBudget>(draft.body.clone()).status.unwrap()
}

#[test]
fn what_may_go_is_what_is_healthy_beyond_what_must_be() {
    // spec, scale, pods, ready -> desired, allowed
    for (spec, (scale, pods, ready), (desired, allowed)) in [
        (json!({ "minAvailable": 2 }), (3, 3, 3), (2, 1)),
        (json!({ "minAvailable": 2 }), (3, 3, 2), (2, 0)),
        (json!({ "minAvailable": "50%" }), (3, 3, 3), (2, 1)),
        (json!({ "maxUnavailable": 1 }), (3, 3, 3), (2, 1)),
        (json!({ "maxUnavailable": 1 }), (3, 2, 2), (2, 0)),
        (json!({ "maxUnavailable": "30%" }), (10, 10, 10), (7, 3)),
        (json!({ "maxUnavailable": "1%" }), (3, 3, 3), (2, 1)),
        (json!({ "maxUnavailable": 5 }), (3, 3, 3), (0, 3)),
        (json!({ "maxUnavailable": 1 }), (0, 0, 0), (0, 0)),
    ] {
        let status = check(spec.clone(), scale, pods, ready);
        let got = (status.desired_healthy.unwrap(), status.disruptions_allowed.unwrap());
        assert_eq!(
            got,
            (desired, allowed),
            "{spec} scale {scale} pods {pods} ready {ready}"
        );
        let condition = &status.conditions.unwrap()[0];
        assert_eq!(condition.status == "True", allowed > 0);
        assert_eq!(status.observed_generation, Some(3));
    }
}

#[test]
fn a_granted_eviction_counts_until_it_is_seen_or_late() {
    let budget = |granted: Timestamp| -> Arc<PodDisruptionBudget> {
        Arc::new(object(json!({
            "metadata": { "name": "web" }, "spec": { "minAvailable": 1 },
            "status": { "disruptedPods": { "web-0": granted } },
        })))
    };
    let pods: Vec<Arc<Pod>> = (0..2)
        .map(|number| {
            Arc::new(object(
                json!({ "metadata": { "name": format!("web-{number}") }, "status": pod_status("True", 0) }),
            ))
        })
        .collect();
    for (granted, allowed) in [(at(-10), 0), (at(-119), 0), (at(-121), 1)] {
        let observed = Observed {
            budget: budget(granted),
            pods: pods.clone(),
            scales: BTreeMap::new(),
        };
        let plan = reconcile(&observed, at(0));
        let Action::ReplaceStatus { draft } = &plan.actions[0] else {
            panic!("{plan:?}")
        };
        assert_eq!(
            draft.body["status"]["disruptionsAllowed"], allowed,
            "granted at {granted}"
        );
        assert_eq!(plan.again_after.is_some(), allowed == 0);
    }
}
