//! Nodes that no longer report, and Pods whose node is gone.

use std::sync::Arc;
use std::time::Duration;

use cluster::{Cache, Change, Deletion, ObjectKey, ResourceExt};
use flyball_core::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Node, NodeCondition, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::action::{Action, Plan};
use crate::caches::Caches;
use crate::machinery::{Controller, Turn, Wiring};

/// The namespace of the leases that nodes renew as their sign of life.
const LEASES: &str = "kube-node-lease";

/// A node that gave no sign for this long is not known to be ready; upstream's `node-monitor-grace-period`.
const GRACE: Duration = Duration::from_secs(50);

/// A Pod may name a node that is about to be registered; upstream's quarantine time.
const QUARANTINE: Duration = Duration::from_secs(40);

/// All that one look at a node rests on.
pub(crate) struct Observed {
    /// The node; `None` when it is gone.
    pub(crate) node: Option<Arc<Node>>,
    pub(crate) lease: Option<Arc<Lease>>,
    /// The Pods that are assigned to it.
    pub(crate) pods: Vec<Arc<Pod>>,
}

pub(crate) struct NodeController {
    pub(crate) leases: Cache<Lease>,
}

impl Controller for NodeController {
    const NAME: &'static str = "node-controller";

    fn wire(&self, caches: &Caches, wiring: &mut Wiring<'_>) {
        wiring.on_itself(&caches.nodes);
        wiring.on(&self.leases, |change: &Change<Lease>, look_at| {
            // The first lease starts the watch over a node; its renewals only put the end off.
            if change.key.namespace == LEASES && (change.before.is_none() || change.after.is_none()) {
                look_at(ObjectKey::new("", &change.key.name));
            }
        });
        let nodes = caches.nodes.clone();
        wiring.on(&caches.pods, move |change: &Change<Pod>, look_at| {
            let node = change
                .after
                .as_ref()
                .and_then(|pod| pod.spec.as_ref()?.node_name.clone());
            let key = node
                .filter(|name| !name.is_empty())
                .map(|name| ObjectKey::new("", name));
            key.filter(|key| nodes.get(key).is_none()).into_iter().for_each(look_at);
        });
    }

    fn reconcile(&self, caches: &Caches, turn: &Turn<'_>) -> Plan {
        let name = &turn.key.name;
        let node = caches.nodes.get(turn.key);
        let is_here = |pod: &Pod| {
            pod.spec
                .as_ref()
                .is_some_and(|spec| spec.node_name.as_ref() == Some(name))
        };
        let observed = Observed {
            pods: if node.is_none() {
                caches.pods.filter(None, is_here)
            } else {
                Vec::new()
            },
            lease: self.leases.get(&ObjectKey::new(LEASES, name)),
            node,
        };
        reconcile(&observed, turn.now)
    }
}

/// What to do about one node.
pub(crate) fn reconcile(observed: &Observed, now: Timestamp) -> Plan {
    let mut plan = Plan::nothing();
    let Some(node) = &observed.node else {
        // Nobody is left to end these Pods, so they go without grace.
        for pod in &observed.pods {
            let created = pod.creation_timestamp().map_or(now, |time| time.0);
            let age = Duration::try_from(now.duration_since(created)).unwrap_or_default();
            match QUARANTINE.checked_sub(age) {
                Some(left) if !left.is_zero() => plan.look_again(left),
                _ => plan.push(Action::delete(&**pod, Deletion::default().within_seconds(0))),
            }
        }
        return plan;
    };
    let renewed = observed
        .lease
        .as_ref()
        .and_then(|lease| lease.spec.as_ref()?.renew_time.as_ref());
    // A node that never had a lease is kept by other means.
    let Some(renewed) = renewed else { return plan };
    let silent = Duration::try_from(now.duration_since(renewed.0)).unwrap_or_default();
    match GRACE.checked_sub(silent) {
        Some(left) if !left.is_zero() => plan.look_again(left),
        _ => mark_unknown(node, now, &mut plan),
    }
    plan
}

fn mark_unknown(node: &Node, now: Timestamp, plan: &mut Plan) {
    let conditions = node
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_deref())
        .unwrap_or_default();
    let is_ready = |condition: &&NodeCondition| condition.type_ == "Ready";
    if conditions
        .iter()
        .find(is_ready)
        .is_some_and(|condition| condition.status == "Unknown")
    {
        return;
    }
    let mut marked = node.clone();
    let conditions = marked.status.get_or_insert_default().conditions.get_or_insert_default();
    conditions.retain(|condition| condition.type_ != "Ready");
    conditions.push(NodeCondition {
        type_: "Ready".to_owned(),
        status: "Unknown".to_owned(),
        reason: Some("NodeStatusUnknown".to_owned()),
        message: Some("Kubelet stopped posting node status.".to_owned()),
        last_transition_time: Some(Time(now)),
        ..NodeCondition::default()
    });
    let message = format!("Node {} status is now: NodeNotReady", node.name_any());
    plan.push(Action::replace_status(&marked));
    plan.push(Action::normal(node, "NodeNotReady", message));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{at, object};

    fn observe(renewed: Option<i64>, ready: &str) -> Observed {
        let lease = renewed.map(|renewed| {
            let time = k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime(at(renewed));
            Arc::new(object(
                json!({ "metadata": { "name": "laptop" }, "spec": { "renewTime": time } }),
            ))
        });
        let node = json!({ "metadata": { "name": "laptop" }, "status": { "conditions": [{ "type": "Ready", "status": ready }] } });
        Observed {
            node: Some(Arc::new(object(node))),
            lease,
            pods: vec![],
        }
    }

    #[test]
    fn a_silent_node_is_not_known_to_be_ready() {
        for (renewed, ready, writes, again) in [
            (Some(90), "True", 0, Some(40)),
            (Some(50), "True", 2, None),
            (Some(50), "Unknown", 0, None),
            (None, "True", 0, None),
        ] {
            let plan = reconcile(&observe(renewed, ready), at(100));
            let got = (plan.actions.len(), plan.again_after.map(|after| after.as_secs()));
            assert_eq!(got, (writes, again), "renewed at {renewed:?}, {ready}");
        }
    }

    #[test]
    fn pods_of_a_node_that_is_gone_go_unless_it_may_yet_come() {
        let pod = object(json!({ "metadata": { "name": "web", "uid": "u", "creationTimestamp": at(0) } }));
        let observed = Observed {
            node: None,
            lease: None,
            pods: vec![Arc::new(pod)],
        };
        let early = reconcile(&observed, at(10));
        assert_eq!(
            (early.actions.len(), early.again_after),
            (0, Some(Duration::from_secs(30)))
        );
        let late = reconcile(&observed, at(40));
        let [Action::Delete { deletion, .. }] = late.actions.as_slice() else {
            panic!("{late:?}")
        };
        assert_eq!(deletion.grace_period_seconds, Some(0));
    }
}
