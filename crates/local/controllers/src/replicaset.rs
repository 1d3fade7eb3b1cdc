//! ReplicaSet: so many Pods of one template.
//!
//! ```text
//!   ReplicaSet --spec.replicas--> missing? create     too many? delete the least useful first
//!       ^                             │                          │
//!       └────── status, conditions ───┴──────────────────────────┘
//! ```

mod ranking;
mod status;

use std::sync::Arc;

use cluster::{Change, ObjectKey, Resource, ResourceExt};
use flyball_core::Timestamp;
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::Pod;

use crate::action::{Action, Plan};
use crate::caches::Caches;
use crate::machinery::{Controller, Turn, Wiring};
use crate::names::free_names;
use crate::ownership::{self, Claim, claim, controller_named, controller_of, controller_reference};
use crate::pods;

/// Pods that one turn creates or deletes at most; upstream's `BurstReplicas`.
const BURST: usize = 500;

/// All that one look at a ReplicaSet rests on.
pub(crate) struct Observed {
    /// The ReplicaSet.
    pub(crate) replica_set: Arc<ReplicaSet>,
    /// All Pods of its namespace.
    pub(crate) pods: Vec<Arc<Pod>>,
    /// Pods of its sibling ReplicaSets (same controller) and its own, for ranking by crowding.
    pub(crate) related: Vec<Arc<Pod>>,
    /// Why the last turn failed.
    pub(crate) last_failure: Option<String>,
}

pub(crate) struct ReplicaSetController;

impl Controller for ReplicaSetController {
    const NAME: &'static str = "replicaset-controller";

    fn wire(&self, caches: &Caches, wiring: &mut Wiring<'_>) {
        wiring.on_itself(&caches.replica_sets);
        let sets = caches.replica_sets.clone();
        wiring.on(&caches.pods, move |change: &Change<Pod>, look_at| {
            for pod in [&change.before, &change.after].into_iter().flatten() {
                let namespace = &change.key.namespace;
                match controller_of(&**pod) {
                    Some(_) => {
                        let owner = controller_named::<ReplicaSet>(&**pod);
                        owner
                            .into_iter()
                            .for_each(|name| look_at(ObjectKey::new(namespace, name)));
                    }
                    // An orphan: whoever selects it may adopt it.
                    None => {
                        let selecting = sets.filter(Some(namespace), |set| selects(set, pod));
                        selecting.iter().for_each(|set| look_at(ObjectKey::of(&**set)));
                    }
                }
            }
        });
    }

    fn reconcile(&self, caches: &Caches, turn: &Turn<'_>) -> Plan {
        let Some(replica_set) = caches.replica_sets.get(turn.key) else {
            return Plan::nothing();
        };
        let namespace = Some(turn.key.namespace.as_str());
        let pods = caches.pods.all(namespace);
        let related = related(caches, &replica_set, &pods);
        let last_failure = turn.last_failure.map(str::to_owned);
        let observed = Observed {
            replica_set,
            pods,
            related,
            last_failure,
        };
        reconcile(&observed, turn.now)
    }
}

fn selects(set: &ReplicaSet, pod: &Pod) -> bool {
    use cluster::SelectorExt;
    ownership::selector(&set.spec.selector).is_some_and(|selector| selector.matches(pod.labels()))
}

fn related(caches: &Caches, replica_set: &ReplicaSet, pods: &[Arc<Pod>]) -> Vec<Arc<Pod>> {
    let Some(owner) = controller_of(replica_set) else {
        return Vec::new();
    };
    let is_sibling = |set: &ReplicaSet| controller_of(set).is_some_and(|reference| reference.uid == owner.uid);
    let siblings = caches
        .replica_sets
        .filter(replica_set.namespace().as_deref(), is_sibling);
    let of_sibling = |pod: &&Arc<Pod>| siblings.iter().any(|set| ownership::controls(&**set, &***pod));
    pods.iter().filter(of_sibling).cloned().collect()
}

/// What to do about one ReplicaSet.
pub(crate) fn reconcile(observed: &Observed, now: Timestamp) -> Plan {
    let set = &*observed.replica_set;
    let mut plan = Plan::nothing();
    let Some(selector) = ownership::selector(&set.spec.selector) else {
        return plan;
    };
    let Claim { owned, actions } = claim(set, &selector, observed.pods.clone());
    plan.actions = actions;
    let active: Vec<_> = owned.iter().filter(|pod| pods::is_active(pod)).cloned().collect();
    if set.metadata.deletion_timestamp.is_none() {
        plan.actions.extend(manage(observed, &active, now));
    }
    status::update(observed, &owned, &active, now, &mut plan);
    plan
}

/// Creates what is missing or deletes what is too much.
fn manage(observed: &Observed, active: &[Arc<Pod>], now: Timestamp) -> Vec<Action> {
    let set = &*observed.replica_set;
    let desired = usize::try_from(set.spec.replicas.unwrap_or(1)).unwrap_or(0);
    let owner = || set.object_ref(&());
    if active.len() < desired {
        let missing = (desired - active.len()).min(BURST);
        let drafts = new_pods(set, &observed.pods, missing);
        return drafts.iter().map(|pod| Action::create_for(pod, owner())).collect();
    }
    let surplus = (active.len() - desired).min(BURST);
    let victims = ranking::least_useful(active, &observed.related, surplus, now);
    victims.iter().map(|pod| Action::delete_for(&**pod, owner())).collect()
}

fn new_pods(set: &ReplicaSet, existing: &[Arc<Pod>], count: usize) -> Vec<Pod> {
    let base = format!("{}-", set.name_any());
    let seed = format!(
        "{}/{}",
        set.uid().unwrap_or_default(),
        set.resource_version().unwrap_or_default()
    );
    let taken = |name: &str| existing.iter().any(|pod| pod.metadata.name.as_deref() == Some(name));
    let template = set.spec.template.clone().unwrap_or_default();
    let named = |name: String| {
        let mut pod = pods::from_template(&template);
        pod.metadata.name = Some(name);
        pod.metadata.generate_name = Some(base.clone());
        pod.metadata.namespace = set.namespace();
        pod.metadata.owner_references = Some(vec![controller_reference(set)]);
        pod
    };
    free_names(&base, &seed, count, taken).into_iter().map(named).collect()
}

#[cfg(test)]
mod tests;
