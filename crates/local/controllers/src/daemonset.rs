//! DaemonSet: one Pod on every node that takes it.

use std::sync::Arc;

use cluster::{Change, ObjectKey, Resource, ResourceExt};
use flyball_core::Timestamp;
use k8s_openapi::api::apps::v1::{ControllerRevision, DaemonSet, DaemonSetStatus};
use k8s_openapi::api::core::v1::{
    Affinity, Node, NodeAffinity, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, Pod, PodSpec, Toleration,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::action::{Action, Plan};
use crate::binder::fit;
use crate::caches::Caches;
use crate::history::History;
use crate::machinery::{Controller, Turn, Wiring};
use crate::names::{free_names, template_hash};
use crate::ownership::{self, Claim, claim, controller_named, controller_reference};
use crate::pods;

/// The label that says which template a Pod was made from.
const REVISION_HASH: &str = "controller-revision-hash";

/// All that one look at a DaemonSet rests on.
pub(crate) struct Observed {
    pub(crate) set: Arc<DaemonSet>,
    pub(crate) nodes: Vec<Arc<Node>>,
    /// All Pods of its namespace.
    pub(crate) pods: Vec<Arc<Pod>>,
    /// All revisions of its namespace.
    pub(crate) revisions: Vec<Arc<ControllerRevision>>,
}

pub(crate) struct DaemonSetController;

impl Controller for DaemonSetController {
    const NAME: &'static str = "daemonset-controller";

    fn wire(&self, caches: &Caches, wiring: &mut Wiring<'_>) {
        wiring.on_itself(&caches.daemon_sets);
        wiring.on(&caches.pods, |change: &Change<Pod>, look_at| {
            for pod in [&change.before, &change.after].into_iter().flatten() {
                let owner = controller_named::<DaemonSet>(&**pod);
                owner
                    .into_iter()
                    .for_each(|name| look_at(ObjectKey::new(&change.key.namespace, name)));
            }
        });
        let sets = caches.daemon_sets.clone();
        wiring.on(&caches.nodes, move |change: &Change<Node>, look_at| {
            let face = |node: &Option<Arc<Node>>| {
                node.as_ref()
                    .map(|node| (node.spec.clone(), node.metadata.labels.clone()))
            };
            if face(&change.before) != face(&change.after) {
                sets.all(None).iter().for_each(|set| look_at(ObjectKey::of(&**set)));
            }
        });
    }

    fn reconcile(&self, caches: &Caches, turn: &Turn<'_>) -> Plan {
        let Some(set) = caches.daemon_sets.get(turn.key) else {
            return Plan::nothing();
        };
        let observed = Observed {
            set,
            nodes: caches.nodes.all(None),
            pods: caches.pods.all(Some(&turn.key.namespace)),
            revisions: caches.revisions.all(Some(&turn.key.namespace)),
        };
        reconcile(&observed, turn.now)
    }
}

/// A node with the set's Pods on it, the oldest first.
struct Place {
    name: String,
    wanted: bool,
    pods: Vec<Arc<Pod>>,
}

/// What to do about one DaemonSet.
pub(crate) fn reconcile(observed: &Observed, now: Timestamp) -> Plan {
    let set = &*observed.set;
    let mut plan = Plan::nothing();
    let Some(selector) = ownership::selector(&set.spec.selector) else {
        return plan;
    };
    let Claim { owned, actions } = claim(set, &selector, observed.pods.clone());
    plan.actions = actions;
    let hash = template_hash(
        &set.spec.template,
        set.status.as_ref().and_then(|status| status.collision_count),
    );
    let places = places(observed, &owned);
    if set.metadata.deletion_timestamp.is_none() {
        for place in &places {
            keep_one(observed, place, &hash, &mut plan);
        }
        let settled = plan.actions.is_empty();
        remember(observed, &owned, &hash, &mut plan);
        let on_delete = set.spec.update_strategy.as_ref().and_then(|s| s.type_.as_deref()) == Some("OnDelete");
        if settled && !on_delete {
            update(set, &places, &hash, now, &mut plan);
        }
    }
    write_status(set, &places, &hash, now, &mut plan);
    plan
}

fn places(observed: &Observed, owned: &[Arc<Pod>]) -> Vec<Place> {
    let spec = effective_spec(&observed.set, "");
    let place = |node: &Arc<Node>| {
        let name = node.name_any();
        let mut pods: Vec<_> = owned
            .iter()
            .filter(|pod| node_of(pod) == Some(&name))
            .cloned()
            .collect();
        pods.sort_by_key(|pod| (pod.creation_timestamp(), pod.name_any()));
        Place {
            wanted: fit::objection_of(node, &spec).is_none(),
            name,
            pods,
        }
    };
    observed.nodes.iter().map(place).collect()
}

/// Keeps the template for `kubectl rollout undo`.
fn remember(observed: &Observed, owned: &[Arc<Pod>], hash: &str, plan: &mut Plan) {
    let set = &*observed.set;
    let name_of = |hash: &str| format!("{}-{hash}", set.name_any());
    let current = name_of(hash);
    let history = History::sync(set, &set.spec.template, &current, &observed.revisions, plan);
    let has_pod = |name: &str| {
        owned.iter().any(|pod| {
            pod.labels()
                .get(REVISION_HASH)
                .is_some_and(|hash| name_of(hash) == name)
        })
    };
    history.forget_old(
        set.spec.revision_history_limit,
        |name| name == current || has_pod(name),
        plan,
    );
}

/// The node that a Pod is on or is meant for.
fn node_of(pod: &Pod) -> Option<&str> {
    let spec = pod.spec.as_ref()?;
    if let Some(name) = spec.node_name.as_deref().filter(|name| !name.is_empty()) {
        return Some(name);
    }
    let affinity = spec.affinity.as_ref()?.node_affinity.as_ref()?;
    let required = affinity.required_during_scheduling_ignored_during_execution.as_ref()?;
    let mut fields = required
        .node_selector_terms
        .iter()
        .flat_map(|term| term.match_fields.iter().flatten());
    let name = fields.find(|field| field.key == "metadata.name")?;
    name.values.as_ref()?.first().map(String::as_str)
}

fn keep_one(observed: &Observed, place: &Place, hash: &str, plan: &mut Plan) {
    let set = &*observed.set;
    let staying: Vec<_> = place.pods.iter().filter(|pod| !pods::is_terminating(pod)).collect();
    let mut delete = |pod: &Arc<Pod>| plan.push(Action::delete_for(&**pod, set.object_ref(&())));
    if !place.wanted {
        return staying.into_iter().for_each(&mut delete);
    }
    let (ended, running): (Vec<_>, Vec<_>) = staying.into_iter().partition(|pod| pods::is_finished(pod));
    ended.iter().for_each(|pod| delete(pod));
    running.iter().skip(1).for_each(|pod| delete(pod));
    // The successor waits until the node is free of the predecessor.
    if place.pods.is_empty() {
        plan.push(Action::create_for(
            &draft(observed, &place.name, hash),
            set.object_ref(&()),
        ));
    }
}

/// Replaces Pods of an older template as far as `maxUnavailable` allows; unavailable ones cost nothing.
fn update(set: &DaemonSet, places: &[Place], hash: &str, now: Timestamp, plan: &mut Plan) {
    let min_ready_seconds = set.spec.min_ready_seconds.unwrap_or(0);
    let is_available = |pod: &Pod| {
        !pods::is_terminating(pod) && pods::availability(pod, min_ready_seconds, now) == pods::Availability::Available
    };
    let wanted: Vec<_> = places.iter().filter(|place| place.wanted).collect();
    let mut unavailable = wanted
        .iter()
        .filter(|place| !place.pods.iter().any(|pod| is_available(pod)))
        .count();
    let limit = max_unavailable(set, wanted.len());
    for place in wanted {
        let outdated = place
            .pods
            .iter()
            .filter(|pod| !pods::is_terminating(pod) && !has_hash(pod, hash));
        for pod in outdated {
            let costs = usize::from(is_available(pod));
            if unavailable + costs <= limit.max(unavailable) {
                unavailable += costs;
                plan.push(Action::delete_for(&**pod, set.object_ref(&())));
            }
        }
    }
}

fn has_hash(pod: &Pod, hash: &str) -> bool {
    pod.labels().get(REVISION_HASH).map(String::as_str) == Some(hash)
}

/// At least one, or nothing could ever be replaced.
fn max_unavailable(set: &DaemonSet, wanted: usize) -> usize {
    let rolling = set
        .spec
        .update_strategy
        .as_ref()
        .and_then(|strategy| strategy.rolling_update.as_ref());
    let limit = match rolling.and_then(|rolling| rolling.max_unavailable.as_ref()) {
        None => 1,
        Some(IntOrString::Int(number)) => usize::try_from(*number).unwrap_or(0),
        Some(IntOrString::String(text)) => {
            let percent: usize = text.trim_end_matches('%').parse().unwrap_or(0);
            (wanted * percent).div_ceil(100)
        }
    };
    limit.max(1)
}

/// The template's spec with what every daemon gets: it stays on nodes in trouble, and is meant for one node.
fn effective_spec(set: &DaemonSet, node: &str) -> PodSpec {
    let mut spec = set.spec.template.spec.clone().unwrap_or_default();
    let tolerations = spec.tolerations.get_or_insert_default();
    for (key, effect) in [
        ("not-ready", "NoExecute"),
        ("unreachable", "NoExecute"),
        ("disk-pressure", "NoSchedule"),
        ("memory-pressure", "NoSchedule"),
        ("pid-pressure", "NoSchedule"),
        ("unschedulable", "NoSchedule"),
    ] {
        tolerations.push(Toleration {
            key: Some(format!("node.kubernetes.io/{key}")),
            operator: Some("Exists".to_owned()),
            effect: Some(effect.to_owned()),
            ..Toleration::default()
        });
    }
    if !node.is_empty() {
        spec.affinity = Some(meant_for(node, spec.affinity.take()));
    }
    spec
}

/// Upstream replaces what the template requires of nodes: the set has looked at that already.
fn meant_for(node: &str, affinity: Option<Affinity>) -> Affinity {
    let by_name = NodeSelectorRequirement {
        key: "metadata.name".to_owned(),
        operator: "In".to_owned(),
        values: Some(vec![node.to_owned()]),
    };
    let term = NodeSelectorTerm {
        match_fields: Some(vec![by_name]),
        match_expressions: None,
    };
    let mut affinity = affinity.unwrap_or_default();
    let node_affinity: &mut NodeAffinity = affinity.node_affinity.get_or_insert_default();
    node_affinity.required_during_scheduling_ignored_during_execution = Some(NodeSelector {
        node_selector_terms: vec![term],
    });
    affinity
}

fn draft(observed: &Observed, node: &str, hash: &str) -> Pod {
    let set = &*observed.set;
    let base = format!("{}-", set.name_any());
    let seed = format!(
        "{}/{}/{node}",
        set.uid().unwrap_or_default(),
        set.resource_version().unwrap_or_default()
    );
    let taken = |name: &str| {
        observed
            .pods
            .iter()
            .any(|pod| pod.metadata.name.as_deref() == Some(name))
    };
    let mut pod = pods::from_template(&set.spec.template);
    pod.metadata.name = free_names(&base, &seed, 1, taken).pop();
    pod.metadata.generate_name = Some(base);
    pod.metadata.namespace = set.namespace();
    pod.metadata.owner_references = Some(vec![controller_reference(set)]);
    pod.metadata
        .labels
        .get_or_insert_default()
        .insert(REVISION_HASH.to_owned(), hash.to_owned());
    pod.spec = Some(effective_spec(set, node));
    pod
}

fn write_status(set: &DaemonSet, places: &[Place], hash: &str, now: Timestamp, plan: &mut Plan) {
    let before = set.status.clone().unwrap_or_default();
    let number = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
    let wanted: Vec<_> = places.iter().filter(|place| place.wanted).collect();
    let first = |place: &&Place| place.pods.first().cloned();
    let running: Vec<_> = wanted.iter().filter_map(first).collect();
    let min_ready_seconds = set.spec.min_ready_seconds.unwrap_or(0);
    let (available, next) = pods::count_available(running.iter().map(|pod| &**pod), min_ready_seconds, now);
    let misplaced = places
        .iter()
        .filter(|place| !place.wanted && !place.pods.is_empty())
        .count();
    let positive = |number: i32| Some(number).filter(|number| *number > 0);
    let status = DaemonSetStatus {
        desired_number_scheduled: number(wanted.len()),
        current_number_scheduled: number(running.len()),
        number_misscheduled: number(misplaced),
        number_ready: number(running.iter().filter(|pod| pods::is_ready(pod)).count()),
        number_available: positive(available),
        number_unavailable: positive(number(wanted.len()) - available),
        updated_number_scheduled: positive(number(running.iter().filter(|pod| has_hash(pod, hash)).count())),
        observed_generation: set.metadata.generation,
        collision_count: before.collision_count,
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

#[cfg(test)]
mod tests;
