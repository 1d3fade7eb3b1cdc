//! The status of a ReplicaSet.

use std::sync::Arc;

use cluster::ResourceExt;
use flyball_core::Timestamp;
use k8s_openapi::api::apps::v1::{ReplicaSet, ReplicaSetCondition, ReplicaSetStatus};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::Observed;
use crate::action::{Action, Plan};
use crate::pods;

/// Adds a status write if the status is not what it should be, and a look later if Pods become available by
/// time alone.
pub(super) fn update(observed: &Observed, owned: &[Arc<Pod>], active: &[Arc<Pod>], now: Timestamp, plan: &mut Plan) {
    let set = &*observed.replica_set;
    let min_ready_seconds = set.spec.min_ready_seconds.unwrap_or(0);
    let (available, next) = pods::count_available(active.iter().map(|pod| &**pod), min_ready_seconds, now);
    let before = set.status.clone().unwrap_or_default();
    let terminating = owned
        .iter()
        .filter(|pod| pods::is_terminating(pod) && !pods::is_finished(pod));
    let status = ReplicaSetStatus {
        replicas: count(active.len()),
        fully_labeled_replicas: positive(active.iter().filter(|pod| is_fully_labelled(set, pod)).count()),
        ready_replicas: positive(active.iter().filter(|pod| pods::is_ready(pod)).count()),
        available_replicas: Some(available).filter(|available| *available > 0),
        terminating_replicas: Some(count(terminating.count())),
        observed_generation: set.metadata.generation,
        conditions: conditions(observed, active.len(), before.conditions.as_deref(), now),
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

fn count(pods: usize) -> i32 {
    i32::try_from(pods).unwrap_or(i32::MAX)
}

/// Zero is not written, as upstream's `omitempty` has it.
fn positive(pods: usize) -> Option<i32> {
    Some(count(pods)).filter(|count| *count > 0)
}

fn is_fully_labelled(set: &ReplicaSet, pod: &Pod) -> bool {
    let template = set
        .spec
        .template
        .as_ref()
        .and_then(|template| template.metadata.as_ref());
    let labels = template.and_then(|metadata| metadata.labels.as_ref());
    labels
        .into_iter()
        .flatten()
        .all(|(name, value)| pod.labels().get(name) == Some(value))
}

/// `ReplicaFailure` says why Pods cannot be created or deleted; it goes away with the first success.
fn conditions(
    observed: &Observed,
    active: usize,
    before: Option<&[ReplicaSetCondition]>,
    now: Timestamp,
) -> Option<Vec<ReplicaSetCondition>> {
    let mut conditions = before.unwrap_or_default().to_vec();
    let is_failure = |condition: &ReplicaSetCondition| condition.type_.as_deref() == Some("ReplicaFailure");
    match &observed.last_failure {
        None => conditions.retain(|condition| !is_failure(condition)),
        Some(_) if conditions.iter().any(is_failure) => {}
        Some(message) => {
            let desired = observed.replica_set.spec.replicas.unwrap_or(1);
            let reason = if count(active) < desired {
                "FailedCreate"
            } else {
                "FailedDelete"
            };
            conditions.push(ReplicaSetCondition {
                type_: Some("ReplicaFailure".to_owned()),
                status: Some("True".to_owned()),
                reason: Some(reason.to_owned()),
                message: Some(message.clone()),
                last_transition_time: Some(Time(now)),
            });
        }
    }
    Some(conditions).filter(|conditions| !conditions.is_empty())
}
