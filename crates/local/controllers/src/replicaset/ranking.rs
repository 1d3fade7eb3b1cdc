//! Which Pods go first when there are too many (upstream: `controller.ActivePodsWithRanks`).

use std::cmp::{Ordering, Reverse};
use std::collections::HashMap;
use std::sync::Arc;

use cluster::ResourceExt;
use flyball_core::Timestamp;
use k8s_openapi::api::core::v1::Pod;

use crate::pods;

/// The annotation by which a user says what it costs to delete a Pod; lower goes first.
const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";

/// The `count` Pods that are missed least.
pub(super) fn least_useful(active: &[Arc<Pod>], related: &[Arc<Pod>], count: usize, now: Timestamp) -> Vec<Arc<Pod>> {
    let mut ranked: Vec<_> = active.to_vec();
    if count < ranked.len() {
        let crowds = crowds(related);
        let crowd = |pod: &Pod| crowds.get(node(pod)).copied().unwrap_or(0);
        ranked.sort_by(|a, b| {
            let by_state = by_state(a, b);
            let by_crowd = || Reverse(crowd(a)).cmp(&Reverse(crowd(b)));
            by_state.then_with(by_crowd).then_with(|| by_age(a, b, now))
        });
    }
    ranked.truncate(count);
    ranked
}

fn node(pod: &Pod) -> &str {
    let spec = pod.spec.as_ref();
    spec.and_then(|spec| spec.node_name.as_deref()).unwrap_or_default()
}

/// How many related Pods each node has.
fn crowds(related: &[Arc<Pod>]) -> HashMap<&str, usize> {
    let mut crowds = HashMap::new();
    for pod in related.iter().filter(|pod| pods::is_active(pod)) {
        *crowds.entry(node(pod)).or_insert(0) += 1;
    }
    crowds
}

/// Unassigned before assigned, pending before unknown before running, not ready before ready, cheap before
/// dear.
fn by_state(a: &Pod, b: &Pod) -> Ordering {
    let key = |pod: &Pod| {
        let phase = match pods::phase(pod) {
            "" | "Pending" => 0,
            "Running" => 2,
            _ => 1,
        };
        (!node(pod).is_empty(), phase, pods::is_ready(pod), deletion_cost(pod))
    };
    key(a).cmp(&key(b))
}

fn deletion_cost(pod: &Pod) -> i32 {
    let cost = pod.annotations().get(DELETION_COST);
    cost.and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Ready for a shorter time first, then more restarts first, then younger first.
fn by_age(a: &Pod, b: &Pod, now: Timestamp) -> Ordering {
    let mut order = Ordering::Equal;
    if pods::is_ready(a) && pods::is_ready(b) {
        order = youngest_first(pods::ready_since(a), pods::ready_since(b), now, (a, b));
    }
    let restarts = || restarts(b).cmp(&restarts(a));
    let created = |pod: &Pod| pod.creation_timestamp().map(|time| time.0);
    order
        .then_with(restarts)
        .then_with(|| youngest_first(created(a), created(b), now, (a, b)))
}

/// Ages are compared by their order of magnitude, so that of Pods of about one age it is not always the
/// youngest that goes (KEP-2185); within one order the uid decides, which is as good as chance.
fn youngest_first(
    a: Option<Timestamp>,
    b: Option<Timestamp>,
    now: Timestamp,
    (pod_a, pod_b): (&Pod, &Pod),
) -> Ordering {
    match (a, b) {
        (a, b) if a == b => Ordering::Equal,
        (None, _) => Ordering::Less,
        (_, None) => Ordering::Greater,
        (Some(a), Some(b)) => {
            let by_magnitude = magnitude(a, now).cmp(&magnitude(b, now));
            by_magnitude.then_with(|| pod_a.metadata.uid.cmp(&pod_b.metadata.uid))
        }
    }
}

/// The binary logarithm of the age in nanoseconds, -1 for none.
fn magnitude(since: Timestamp, now: Timestamp) -> i64 {
    let age = now.as_nanosecond() - since.as_nanosecond();
    u128::try_from(age)
        .ok()
        .and_then(u128::checked_ilog2)
        .map_or(-1, i64::from)
}

/// The most often restarted container decides.
fn restarts(pod: &Pod) -> i32 {
    let statuses = pod
        .status
        .as_ref()
        .and_then(|status| status.container_statuses.as_ref());
    let counts = statuses.into_iter().flatten().map(|status| status.restart_count);
    counts.max().unwrap_or(0)
}
