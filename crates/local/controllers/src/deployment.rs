//! Deployment: from one template to the next without an outage.
//!
//! ```text
//!   Deployment ──> ReplicaSet (new template)  grows     within maxSurge
//!              ──> ReplicaSet (old templates) shrink    within maxUnavailable
//! ```
//!
//! It only ever changes the sizes of ReplicaSets; they do the rest. The order of a turn is upstream's:
//! adopt, note a pause, scale proportionally if the size changed, otherwise roll; each turn does one step and
//! the change that it makes brings the next.

mod condition;
mod recreate;
mod revision;
mod rolling;
mod scaling;
mod sizes;
mod status;

use std::sync::Arc;

use cluster::{Change, ObjectKey, ResourceExt};
use flyball_core::Timestamp;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::Pod;

use crate::action::{Action, Plan};
use crate::caches::Caches;
use crate::machinery::{Controller, Turn, Wiring};
use crate::ownership::{self, Claim, claim, controller_named, controller_of};

use revision::{NewReplicaSet, Revisions};
use sizes::Sizes;

/// All that one look at a Deployment rests on.
pub(crate) struct Observed {
    /// The Deployment.
    pub(crate) deployment: Arc<Deployment>,
    /// All ReplicaSets of its namespace.
    pub(crate) replica_sets: Vec<Arc<ReplicaSet>>,
    /// All Pods of its namespace.
    pub(crate) pods: Vec<Arc<Pod>>,
    /// Why the last turn failed.
    pub(crate) last_failure: Option<String>,
}

pub(crate) struct DeploymentController;

impl Controller for DeploymentController {
    const NAME: &'static str = "deployment-controller";

    fn wire(&self, caches: &Caches, wiring: &mut Wiring<'_>) {
        wiring.on_itself(&caches.deployments);
        let deployments = caches.deployments.clone();
        wiring.on(&caches.replica_sets, move |change: &Change<ReplicaSet>, look_at| {
            let namespace = &change.key.namespace;
            for set in [&change.before, &change.after].into_iter().flatten() {
                match controller_of(&**set) {
                    Some(_) => {
                        let owner = controller_named::<Deployment>(&**set);
                        owner
                            .into_iter()
                            .for_each(|name| look_at(ObjectKey::new(namespace, name)));
                    }
                    None => {
                        let selecting = deployments.filter(Some(namespace), |deployment| selects(deployment, set));
                        selecting
                            .iter()
                            .for_each(|deployment| look_at(ObjectKey::of(&**deployment)));
                    }
                }
            }
        });
        // A Recreate Deployment waits for the last old Pod to be gone.
        let sets = caches.replica_sets.clone();
        wiring.on(&caches.pods, move |change: &Change<Pod>, look_at| {
            let namespace = &change.key.namespace;
            let Some(pod) = change.before.as_ref().filter(|_| change.after.is_none()) else {
                return;
            };
            let set = controller_named::<ReplicaSet>(&**pod).map(|name| ObjectKey::new(namespace, name));
            let set = set.and_then(|key| sets.get(&key));
            let owner = set.as_deref().and_then(controller_named::<Deployment>);
            owner
                .into_iter()
                .for_each(|name| look_at(ObjectKey::new(namespace, name)));
        });
    }

    fn reconcile(&self, caches: &Caches, turn: &Turn<'_>) -> Plan {
        let Some(deployment) = caches.deployments.get(turn.key) else {
            return Plan::nothing();
        };
        let namespace = Some(turn.key.namespace.as_str());
        let observed = Observed {
            deployment,
            replica_sets: caches.replica_sets.all(namespace),
            pods: caches.pods.all(namespace),
            last_failure: turn.last_failure.map(str::to_owned),
        };
        reconcile(&observed, turn.now)
    }
}

fn selects(deployment: &Deployment, set: &ReplicaSet) -> bool {
    use cluster::SelectorExt;
    let selector = ownership::selector(&deployment.spec.selector);
    selector.is_some_and(|selector| selector.matches(set.labels()))
}

/// One turn in the making: what is seen, and what the steps so far want done.
pub(crate) struct Roll<'a> {
    observed: &'a Observed,
    now: Timestamp,
    revisions: Revisions,
    /// The Deployment as it will be written: status and revision change on it.
    deployment: Deployment,
    sizes: Sizes,
    actions: Vec<Action>,
}

/// What to do about one Deployment.
pub(crate) fn reconcile(observed: &Observed, now: Timestamp) -> Plan {
    let deployment = &*observed.deployment;
    let Some(selector) = ownership::selector(&deployment.spec.selector) else {
        return Plan::nothing();
    };
    if ownership::selects_all(&deployment.spec.selector) {
        return status::refuse_empty_selector(deployment);
    }
    let Claim { owned, actions } = claim(deployment, &selector, observed.replica_sets.clone());
    let mut roll = Roll {
        observed,
        now,
        revisions: Revisions::of(deployment, owned, &observed.replica_sets),
        deployment: deployment.clone(),
        sizes: Sizes::default(),
        actions,
    };
    roll.turn();
    roll.into_plan()
}

impl Roll<'_> {
    fn turn(&mut self) {
        if self.deployment.metadata.deletion_timestamp.is_some() {
            return self.update_status();
        }
        self.note_pause();
        if self.is_paused() || self.size_changed() {
            self.sync_revision(NewReplicaSet::OnlyIfThere);
            self.scale_proportionally();
            if self.is_paused() {
                self.clean_up();
            }
            return self.update_status();
        }
        match sizes::Strategy::of(&self.deployment) {
            sizes::Strategy::Recreate => self.recreate(),
            sizes::Strategy::RollingUpdate => self.roll(),
        }
    }

    fn is_paused(&self) -> bool {
        self.deployment.spec.paused == Some(true)
    }

    /// Whether the Deployment's size is not the one that its active ReplicaSets were last sized for.
    fn size_changed(&self) -> bool {
        let desired = sizes::desired(&self.deployment);
        let was_sized_for = |set: &ReplicaSet| sizes::desired_annotation(set).is_some_and(|size| size != desired);
        self.revisions
            .all()
            .any(|set| sizes::replicas(set) > 0 && was_sized_for(set))
    }

    fn into_plan(mut self) -> Plan {
        let mut plan = Plan::nothing();
        plan.actions.append(&mut self.actions);
        plan.actions.extend(self.sizes.into_actions(&self.deployment));
        revision::write_annotation(&self.observed.deployment, &self.deployment, &mut plan);
        status::write(&self.observed.deployment, &self.deployment, &mut plan);
        if let Some(left) = status::time_to_deadline(&self.deployment, self.now) {
            plan.look_again(left);
        }
        plan
    }
}

#[cfg(test)]
mod tests;
