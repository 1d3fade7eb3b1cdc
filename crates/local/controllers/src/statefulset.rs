//! StatefulSet: Pods with names, an order, and storage of their own.
//!
//! ```text
//!   web-0 ──> web-1 ──> web-2        created and updated one after the other, or all at once (`Parallel`)
//!     │         │         │
//!   data-web-0  …         data-web-2 claims stay when Pods go
//! ```

mod members;
mod revisions;
mod status;

use std::sync::Arc;

use cluster::{Change, ObjectKey, Resource, ResourceExt};
use flyball_core::Timestamp;
use k8s_openapi::api::apps::v1::{ControllerRevision, StatefulSet};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};

use crate::action::{Action, Plan};
use crate::caches::Caches;
use crate::machinery::{Controller, Turn, Wiring};
use crate::ownership::{self, Claim, claim, controller_named};
use crate::pods;

use members::{Members, ordinal};
use revisions::Revisions;

/// All that one look at a StatefulSet rests on.
pub(crate) struct Observed {
    pub(crate) set: Arc<StatefulSet>,
    /// All Pods of its namespace.
    pub(crate) pods: Vec<Arc<Pod>>,
    /// All revisions of its namespace.
    pub(crate) revisions: Vec<Arc<ControllerRevision>>,
    /// All claims of its namespace.
    pub(crate) claims: Vec<Arc<PersistentVolumeClaim>>,
}

pub(crate) struct StatefulSetController;

impl Controller for StatefulSetController {
    const NAME: &'static str = "statefulset-controller";

    fn wire(&self, caches: &Caches, wiring: &mut Wiring<'_>) {
        wiring.on_itself(&caches.stateful_sets);
        wiring.on(&caches.pods, |change: &Change<Pod>, look_at| {
            for pod in [&change.before, &change.after].into_iter().flatten() {
                let owner = controller_named::<StatefulSet>(&**pod);
                owner
                    .into_iter()
                    .for_each(|name| look_at(ObjectKey::new(&change.key.namespace, name)));
            }
        });
        wiring.on(&caches.revisions, |change: &Change<ControllerRevision>, look_at| {
            for revision in [&change.before, &change.after].into_iter().flatten() {
                let owner = controller_named::<StatefulSet>(&**revision);
                owner
                    .into_iter()
                    .for_each(|name| look_at(ObjectKey::new(&change.key.namespace, name)));
            }
        });
    }

    fn reconcile(&self, caches: &Caches, turn: &Turn<'_>) -> Plan {
        let Some(set) = caches.stateful_sets.get(turn.key) else {
            return Plan::nothing();
        };
        let namespace = Some(turn.key.namespace.as_str());
        let observed = Observed {
            set,
            pods: caches.pods.all(namespace),
            revisions: caches.revisions.all(namespace),
            claims: caches.claims.all(namespace),
        };
        reconcile(&observed, turn.now)
    }
}

/// Whether a set's Pods wait for each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    /// One after the other.
    OneByOne,
    /// All at once.
    Parallel,
}

/// What to do about one StatefulSet.
pub(crate) fn reconcile(observed: &Observed, now: Timestamp) -> Plan {
    let set = &*observed.set;
    let mut plan = Plan::nothing();
    let Some(selector) = ownership::selector(&set.spec.selector) else {
        return plan;
    };
    // Only Pods with a name of the set's pattern are its own, whatever their labels say.
    let named = observed
        .pods
        .iter()
        .filter(|pod| ordinal(set, pod).is_some())
        .cloned()
        .collect();
    let Claim { owned, actions } = claim(set, &selector, named);
    plan.actions = actions;
    let revisions = Revisions::of(observed, &mut plan);
    let members = Members::of(observed, owned, &revisions);
    if set.metadata.deletion_timestamp.is_none() {
        step(observed, &members, now, &mut plan);
        revisions.forget_old(observed, &members, &mut plan);
    }
    status::update(observed, &members, &revisions, now, &mut plan);
    plan
}

fn step(observed: &Observed, members: &Members, now: Timestamp, plan: &mut Plan) {
    let set = &*observed.set;
    let order = match set.spec.pod_management_policy.as_deref() {
        Some("Parallel") => Order::Parallel,
        _ => Order::OneByOne,
    };
    let settled = fill(observed, members, order, now, plan) && shrink(set, members, order, plan);
    if settled {
        update(set, members, plan);
    }
}

/// Sees that every ordinal has a Pod; whether the next phase may go on.
fn fill(observed: &Observed, members: &Members, order: Order, now: Timestamp, plan: &mut Plan) -> bool {
    let set = &*observed.set;
    let owner = || set.object_ref(&());
    for member in &members.wanted {
        match &member.pod {
            None => {
                plan.actions.extend(members::missing_claims(observed, member.ordinal));
                plan.push(Action::create_for(&members::draft(set, member), owner()));
                if order == Order::OneByOne {
                    return false;
                }
            }
            // A Pod that has ended makes room for its successor under the same name.
            Some(pod) if pods::is_finished(pod) => {
                if !pods::is_terminating(pod) {
                    plan.push(Action::delete_for(&**pod, owner()));
                }
                if order == Order::OneByOne {
                    return false;
                }
            }
            Some(pod) if order == Order::OneByOne && !is_healthy(pod) => return false,
            Some(pod) if order == Order::OneByOne => {
                let min_ready_seconds = set.spec.min_ready_seconds.unwrap_or(0);
                if let pods::Availability::AvailableAfter(left) = pods::availability(pod, min_ready_seconds, now) {
                    plan.look_again(left);
                    return false;
                }
            }
            Some(_) => {}
        }
    }
    true
}

fn is_healthy(pod: &Pod) -> bool {
    pods::phase(pod) == "Running" && pods::is_ready(pod) && !pods::is_terminating(pod)
}

/// Deletes Pods beyond the wanted ordinals, the last first; whether the next phase may go on.
fn shrink(set: &StatefulSet, members: &Members, order: Order, plan: &mut Plan) -> bool {
    let first_unhealthy = members
        .condemned
        .iter()
        .rev()
        .find(|pod| !is_healthy(pod))
        .map(|pod| pod.name_any());
    for pod in &members.condemned {
        if !pods::is_terminating(pod) {
            // An unhealthy one further down is left to recover first, unless it is the one to go.
            let waits = !is_healthy(pod) && first_unhealthy.as_ref() != Some(&pod.name_any());
            if order == Order::OneByOne && waits {
                return false;
            }
            plan.push(Action::delete_for(&**pod, set.object_ref(&())));
        }
        if order == Order::OneByOne {
            return false;
        }
    }
    true
}

/// Replaces one Pod of an older revision, the last ordinal first, when all after it are healthy.
fn update(set: &StatefulSet, members: &Members, plan: &mut Plan) {
    let strategy = set.spec.update_strategy.as_ref();
    if strategy.and_then(|strategy| strategy.type_.as_deref()) == Some("OnDelete") {
        return;
    }
    let first = members::start(set) + members::partition(set);
    for member in members.wanted.iter().rev().take_while(|member| member.ordinal >= first) {
        let Some(pod) = &member.pod else { return };
        if !members.is_updated(pod) && !pods::is_terminating(pod) {
            plan.push(Action::delete_for(&**pod, set.object_ref(&())));
            return;
        }
        if !is_healthy(pod) {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
