//! PodDisruptionBudget: how many of a set of Pods may be evicted now. The API server enforces the number; this
//! controller computes it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cluster::{Change, ObjectKey, ResourceExt, SelectorExt};
use flyball_core::Timestamp;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec, PodDisruptionBudgetStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::action::{Action, Plan};
use crate::caches::Caches;
use crate::machinery::{Controller, Turn, Wiring};
use crate::ownership::{self, controller_named, controller_of};
use crate::pods;

/// How long an eviction that the API server granted may take until the Pod is seen as going; upstream's
/// `DeletionTimeout`.
const EVICTION_TIMEOUT: Duration = Duration::from_secs(120);

/// All that one look at a budget rests on.
pub(crate) struct Observed {
    pub(crate) budget: Arc<PodDisruptionBudget>,
    /// The Pods that it selects.
    pub(crate) pods: Vec<Arc<Pod>>,
    /// How many Pods their controllers want, by the controllers' uid.
    pub(crate) scales: BTreeMap<String, i32>,
}

pub(crate) struct DisruptionController;

impl Controller for DisruptionController {
    const NAME: &'static str = "disruption-controller";

    fn wire(&self, caches: &Caches, wiring: &mut Wiring<'_>) {
        wiring.on_itself(&caches.disruption_budgets);
        let budgets = caches.disruption_budgets.clone();
        wiring.on(&caches.pods, move |change: &Change<Pod>, look_at| {
            let sides = [&change.before, &change.after];
            let selecting = budgets.filter(Some(&change.key.namespace), |budget| {
                sides.into_iter().flatten().any(|pod| selects(budget, pod))
            });
            selecting.iter().for_each(|budget| look_at(ObjectKey::of(&**budget)));
        });
        // A new size of a controller changes what a percentage means.
        let budgets = caches.disruption_budgets.clone();
        wiring.on(&caches.replica_sets, move |change: &Change<ReplicaSet>, look_at| {
            let size = |set: &Option<Arc<ReplicaSet>>| set.as_ref().and_then(|set| set.spec.replicas);
            if size(&change.before) != size(&change.after) {
                let all = budgets.all(Some(&change.key.namespace));
                all.iter().for_each(|budget| look_at(ObjectKey::of(&**budget)));
            }
        });
    }

    fn reconcile(&self, caches: &Caches, turn: &Turn<'_>) -> Plan {
        let Some(budget) = caches.disruption_budgets.get(turn.key) else {
            return Plan::nothing();
        };
        let pods = caches
            .pods
            .filter(Some(&turn.key.namespace), |pod| selects(&budget, pod));
        let scales = scales(caches, &pods);
        reconcile(&Observed { budget, pods, scales }, turn.now)
    }
}

/// An empty selector selects all Pods of the namespace, an absent one none.
fn selects(budget: &PodDisruptionBudget, pod: &Pod) -> bool {
    let selector = budget.spec.as_ref().and_then(|spec| spec.selector.as_ref());
    let selector = selector.and_then(ownership::selector);
    selector.is_some_and(|selector| selector.matches(pod.labels()))
}

/// The size that each controller of the Pods wants: of the Deployment where there is one, else of the
/// ReplicaSet or StatefulSet; of other controllers, as many as they have.
fn scales(caches: &Caches, pods: &[Arc<Pod>]) -> BTreeMap<String, i32> {
    let mut scales = BTreeMap::new();
    for pod in pods {
        let Some(reference) = controller_of(&**pod) else {
            continue;
        };
        let key = ObjectKey::new(pod.namespace().unwrap_or_default(), &reference.name);
        let set = (reference.kind == "ReplicaSet")
            .then(|| caches.replica_sets.get(&key))
            .flatten();
        let deployment = set.as_deref().and_then(controller_named::<Deployment>);
        let deployment = deployment.map(|name| ObjectKey::new(&*key.namespace, name));
        let deployment = deployment.and_then(|key| caches.deployments.get(&key));
        let stateful = (reference.kind == "StatefulSet")
            .then(|| caches.stateful_sets.get(&key))
            .flatten();
        let known = match (&deployment, &set, &stateful) {
            (Some(deployment), _, _) => Some((deployment.uid(), deployment.spec.replicas)),
            (None, Some(set), _) => Some((set.uid(), set.spec.replicas)),
            (None, None, Some(set)) => Some((set.uid(), set.spec.replicas)),
            (None, None, None) => None,
        };
        match known {
            Some((uid, replicas)) => {
                scales.insert(uid.unwrap_or_default(), replicas.unwrap_or(1));
            }
            None => *scales.entry(reference.uid.clone()).or_insert(0) += 1,
        }
    }
    scales
}

/// What to write about one budget.
pub(crate) fn reconcile(observed: &Observed, now: Timestamp) -> Plan {
    let mut plan = Plan::nothing();
    let budget = &*observed.budget;
    let Some(spec) = &budget.spec else { return plan };
    let before = budget.status.clone().unwrap_or_default();
    let disrupted = disrupted(observed, &before, now, &mut plan);
    let counts_as_healthy =
        |pod: &&Arc<Pod>| pods::is_ready(pod) && !pods::is_terminating(pod) && !disrupted.contains_key(&pod.name_any());
    let healthy = number(observed.pods.iter().filter(counts_as_healthy).count());
    let (expected, desired) = expectation(spec, observed);
    let allowed = if expected > 0 { (healthy - desired).max(0) } else { 0 };
    let status = PodDisruptionBudgetStatus {
        current_healthy: Some(healthy),
        desired_healthy: Some(desired),
        expected_pods: Some(expected),
        disruptions_allowed: Some(allowed),
        disrupted_pods: Some(disrupted).filter(|disrupted| !disrupted.is_empty()),
        observed_generation: budget.metadata.generation,
        conditions: Some(conditions(budget, &before, allowed, now)),
    };
    if status != before {
        let mut budget = budget.clone();
        budget.status = Some(status);
        plan.push(Action::replace_status(&budget));
    }
    plan
}

fn number(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// How many Pods there should be, and how many of them have to be healthy.
fn expectation(spec: &PodDisruptionBudgetSpec, observed: &Observed) -> (i32, i32) {
    let scale: i32 = observed.scales.values().sum();
    match (&spec.max_unavailable, &spec.min_available) {
        (Some(unavailable), _) => (scale, (scale - round_up(unavailable, scale)).max(0)),
        (None, Some(IntOrString::Int(healthy))) => (number(observed.pods.len()), *healthy),
        (None, Some(share)) => (scale, round_up(share, scale)),
        (None, None) => (scale, 0),
    }
}

fn round_up(value: &IntOrString, of: i32) -> i32 {
    match value {
        IntOrString::Int(number) => *number,
        IntOrString::String(text) => {
            let percent: i64 = text.trim_end_matches('%').parse().unwrap_or(0);
            i32::try_from((percent * i64::from(of) + 99).div_euclid(100)).unwrap_or(i32::MAX)
        }
    }
}

/// Evictions that were granted and are not seen yet; one that never comes is forgotten in the end.
fn disrupted(
    observed: &Observed,
    before: &PodDisruptionBudgetStatus,
    now: Timestamp,
    plan: &mut Plan,
) -> BTreeMap<String, Time> {
    let mut disrupted = BTreeMap::new();
    for pod in observed.pods.iter().filter(|pod| !pods::is_terminating(pod)) {
        let granted = before
            .disrupted_pods
            .as_ref()
            .and_then(|pods| pods.get(&pod.name_any()));
        let Some(granted) = granted else { continue };
        let passed = Duration::try_from(now.duration_since(granted.0)).unwrap_or_default();
        if let Some(left) = EVICTION_TIMEOUT.checked_sub(passed) {
            plan.look_again(left + Duration::from_secs(1));
            disrupted.insert(pod.name_any(), granted.clone());
        }
    }
    disrupted
}

fn conditions(
    budget: &PodDisruptionBudget,
    before: &PodDisruptionBudgetStatus,
    allowed: i32,
    now: Timestamp,
) -> Vec<Condition> {
    const ALLOWED: &str = "DisruptionAllowed";
    let (status, reason) = if allowed > 0 {
        ("True", "SufficientPods")
    } else {
        ("False", "InsufficientPods")
    };
    let mut conditions = before.conditions.clone().unwrap_or_default();
    let known = conditions
        .iter()
        .find(|condition| condition.type_ == ALLOWED && condition.status == status);
    let since = known.map_or(Time(now), |condition| condition.last_transition_time.clone());
    conditions.retain(|condition| condition.type_ != ALLOWED);
    conditions.push(Condition {
        type_: ALLOWED.to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        message: String::new(),
        last_transition_time: since,
        observed_generation: budget.metadata.generation,
    });
    conditions
}

#[cfg(test)]
mod tests;
