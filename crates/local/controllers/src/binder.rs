//! Binder: assigns each waiting Pod to a node that fits it.
//!
//! It is the least that a laptop needs: node selector and required node affinity, taints, and room; of the
//! nodes that fit, the one with the most room left. One turn places *all* waiting Pods, counting those that it
//! has just placed, so two Pods never get the same room.

pub(crate) mod fit;

use std::sync::Arc;

use cluster::{Change, ObjectKey, ResourceExt};
use flyball_core::Timestamp;
use k8s_openapi::api::core::v1::{Node, Pod, PodCondition, PodStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::action::{Action, Plan, Target};
use crate::caches::Caches;
use crate::machinery::{Controller, Turn, Wiring};
use crate::pods;

use fit::Room;

/// The scheduler's name that Pods carry when they name none.
const SCHEDULER: &str = "default-scheduler";

pub(crate) struct Binder;

/// All that one round of placing rests on.
pub(crate) struct Observed {
    /// All nodes.
    pub(crate) nodes: Vec<Arc<Node>>,
    /// All Pods of all namespaces.
    pub(crate) pods: Vec<Arc<Pod>>,
}

impl Controller for Binder {
    const NAME: &'static str = SCHEDULER;

    /// There is one key, for all that waits.
    fn wire(&self, caches: &Caches, wiring: &mut Wiring<'_>) {
        let everything = || ObjectKey::new("", "waiting");
        wiring.on(&caches.pods, move |change: &Change<Pod>, look_at| {
            let waits = change.after.as_ref().is_some_and(|pod| is_waiting(pod));
            let leaves_room = change.before.as_ref().is_some_and(|pod| takes_room(pod))
                && !change.after.as_ref().is_some_and(|pod| takes_room(pod));
            if waits || leaves_room {
                look_at(everything());
            }
        });
        wiring.on(&caches.nodes, move |change: &Change<Node>, look_at| {
            let face = |node: &Option<Arc<Node>>| {
                let node = node.as_ref()?;
                let status = node.status.as_ref();
                let allocatable = status.and_then(|status| status.allocatable.clone());
                Some((node.spec.clone(), node.metadata.labels.clone(), allocatable))
            };
            // Heartbeats change nothing that placing depends on.
            if face(&change.before) != face(&change.after) {
                look_at(everything());
            }
        });
    }

    fn reconcile(&self, caches: &Caches, turn: &Turn<'_>) -> Plan {
        let observed = Observed {
            nodes: caches.nodes.all(None),
            pods: caches.pods.all(None),
        };
        reconcile(&observed, turn.now)
    }
}

fn takes_room(pod: &Pod) -> bool {
    node_of(pod).is_some() && !pods::is_finished(pod)
}

fn node_of(pod: &Pod) -> Option<&str> {
    let spec = pod.spec.as_ref()?;
    spec.node_name.as_deref().filter(|name| !name.is_empty())
}

fn is_waiting(pod: &Pod) -> bool {
    let Some(spec) = &pod.spec else { return false };
    let ours = spec
        .scheduler_name
        .as_deref()
        .is_none_or(|name| name.is_empty() || name == SCHEDULER);
    let gated = spec.scheduling_gates.as_ref().is_some_and(|gates| !gates.is_empty());
    ours && !gated && node_of(pod).is_none() && pods::is_active(pod)
}

/// Where each waiting Pod goes, the important and the old first.
pub(crate) fn reconcile(observed: &Observed, now: Timestamp) -> Plan {
    let mut plan = Plan::nothing();
    let mut waiting: Vec<_> = observed.pods.iter().filter(|pod| is_waiting(pod)).collect();
    if waiting.is_empty() {
        return plan;
    }
    let priority = |pod: &Pod| pod.spec.as_ref().and_then(|spec| spec.priority).unwrap_or(0);
    waiting.sort_by_key(|pod| (std::cmp::Reverse(priority(pod)), pod.creation_timestamp()));
    let mut rooms: Vec<_> = observed.nodes.iter().map(|node| Room::of(node)).collect();
    for pod in observed.pods.iter().filter(|pod| takes_room(pod)) {
        let room = rooms.iter_mut().find(|room| Some(room.name()) == node_of(pod));
        room.into_iter().for_each(|room| room.take(pod));
    }
    for pod in waiting {
        match fit::choose(&mut rooms, pod) {
            Ok(room) => {
                room.take(pod);
                plan.push(Action::Bind {
                    pod: Target::of(&**pod),
                    node: room.name().to_owned(),
                });
            }
            Err(message) => plan.actions.extend(refuse(pod, message, now)),
        }
    }
    plan
}

/// Says once why the Pod waits; the same reason again says nothing.
fn refuse(pod: &Pod, message: String, now: Timestamp) -> Vec<Action> {
    const SCHEDULED: &str = "PodScheduled";
    let known = pods::condition(pod, SCHEDULED);
    if known.is_some_and(|known| known.status == "False" && known.message.as_ref() == Some(&message)) {
        return Vec::new();
    }
    let since = known
        .filter(|known| known.status == "False")
        .and_then(|known| known.last_transition_time.clone());
    let condition = PodCondition {
        type_: SCHEDULED.to_owned(),
        status: "False".to_owned(),
        reason: Some("Unschedulable".to_owned()),
        message: Some(message.clone()),
        last_transition_time: since.or(Some(Time(now))),
        ..PodCondition::default()
    };
    let mut marked = pod.clone();
    let status = marked.status.get_or_insert_with(PodStatus::default);
    let conditions = status.conditions.get_or_insert_default();
    conditions.retain(|condition| condition.type_ != SCHEDULED);
    conditions.push(condition);
    vec![
        Action::replace_status(&marked),
        Action::warning(pod, "FailedScheduling", message),
    ]
}

#[cfg(test)]
mod tests;
