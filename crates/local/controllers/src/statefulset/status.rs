//! The status of a StatefulSet.

use std::sync::Arc;

use flyball_core::Timestamp;
use k8s_openapi::api::apps::v1::StatefulSetStatus;
use k8s_openapi::api::core::v1::Pod;

use super::Observed;
use super::members::{Members, revision_of};
use super::revisions::Revisions;
use crate::action::{Action, Plan};
use crate::pods;

pub(super) fn update(observed: &Observed, members: &Members, revisions: &Revisions, now: Timestamp, plan: &mut Plan) {
    let set = &*observed.set;
    let before = set.status.clone().unwrap_or_default();
    let all: Vec<&Arc<Pod>> = members.pods().collect();
    let count = |keep: &dyn Fn(&Pod) -> bool| {
        let kept = all.iter().filter(|pod| keep(pod)).count();
        i32::try_from(kept).unwrap_or(i32::MAX)
    };
    let of_revision = |name: &str| count(&|pod| revision_of(pod) == name && !pods::is_terminating(pod));
    let ready = |pod: &Pod| pods::phase(pod) == "Running" && pods::is_ready(pod);
    let running = all.iter().filter(|pod| ready(pod)).map(|pod| &***pod);
    let (available, next) = pods::count_available(running, set.spec.min_ready_seconds.unwrap_or(0), now);
    let (replicas, ready, updated) = (count(&|_| true), count(&ready), of_revision(&revisions.update));
    // When all Pods have the new revision, it becomes the current one.
    let rolled = updated == replicas && ready == replicas;
    let current = if rolled { &revisions.update } else { &revisions.current };
    let positive = |number: i32| Some(number).filter(|number| *number > 0);
    let status = StatefulSetStatus {
        replicas,
        ready_replicas: positive(ready),
        available_replicas: Some(available),
        current_replicas: positive(of_revision(current)),
        updated_replicas: positive(updated),
        current_revision: Some(current.clone()),
        update_revision: Some(revisions.update.clone()),
        observed_generation: set.metadata.generation,
        collision_count: Some(before.collision_count.unwrap_or(0)),
        conditions: before.conditions.clone(),
    };
    if status != before {
        let mut set = set.clone();
        set.status = Some(status);
        plan.push(Action::replace_status(&set));
    }
    if let Some(next) = next {
        plan.look_again(next);
    }
}
