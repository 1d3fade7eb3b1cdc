//! From the caches of the cluster to the view of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cluster::{Cache, Cluster, DecisionRecorder, ObjectKey};
use flyball_core::{Decision, Verdict};
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::Pod;
use tokio::sync::watch;

use super::pods;
use super::view::{Autoscaler, View, Workload};

/// Changes within this time become one view: Pods change several times while they start.
const SETTLE: Duration = Duration::from_millis(200);
/// Decisions kept in a view; the picture shows fewer, the plain lines need those since the last view.
const DECISIONS_IN_VIEW: usize = 20;

/// What a view is made from.
pub(crate) struct Observer {
    pods: Cache<Pod>,
    deployments: Cache<Deployment>,
    stateful_sets: Cache<StatefulSet>,
    autoscalers: Cache<HorizontalPodAutoscaler>,
    decisions: DecisionRecorder,
}

impl Observer {
    /// An observer of this cluster.
    pub(crate) fn new(cluster: &Cluster, decisions: DecisionRecorder) -> Self {
        Self {
            pods: cluster.cache(),
            deployments: cluster.cache(),
            stateful_sets: cluster.cache(),
            autoscalers: cluster.cache(),
            decisions,
        }
    }

    /// Sends a view whenever something changed, until nobody looks any more. Addresses and problems are the
    /// sender's: they are kept as they stand in the channel.
    pub(crate) async fn run(self, view_tx: watch::Sender<View>) {
        let mut pods = self.pods.changes();
        let mut deployments = self.deployments.changes();
        let mut stateful_sets = self.stateful_sets.changes();
        let mut autoscalers = self.autoscalers.changes();
        loop {
            tokio::select! {
                change = pods.next() => if change.is_none() { return },
                change = deployments.next() => if change.is_none() { return },
                change = stateful_sets.next() => if change.is_none() { return },
                change = autoscalers.next() => if change.is_none() { return },
                () = view_tx.closed() => return,
            }
            tokio::time::sleep(SETTLE).await;
            let (observed, blocked) = self.view();
            view_tx.send_if_modified(|view| {
                let mut next = observed;
                next.addresses.clone_from(&view.addresses);
                next.problems.clone_from(&view.problems);
                next.problems
                    .retain(|problem| !problem.starts_with(pods::BLOCKED_PREFIX));
                next.problems.extend(blocked);
                let modified = *view != next;
                *view = next;
                modified
            });
        }
    }

    fn view(&self) -> (View, Vec<String>) {
        let pods = self.pods.all(None);
        let blocked = pods.iter().filter_map(|pod| pods::blocked(pod)).collect();
        let view = View {
            workloads: self.workloads(),
            pods: pods.iter().map(|pod| pods::line(pod)).collect(),
            decisions: sentences(&self.decisions.all()),
            ..View::default()
        };
        (view, blocked)
    }

    fn workloads(&self) -> Vec<Workload> {
        let mut scaled: BTreeMap<(String, ObjectKey), Arc<HorizontalPodAutoscaler>> = BTreeMap::new();
        for autoscaler in self.autoscalers.all(None) {
            let target = &autoscaler.spec.scale_target_ref;
            let namespace = autoscaler.metadata.namespace.clone().unwrap_or_default();
            let key = (target.kind.clone(), ObjectKey::new(namespace, target.name.clone()));
            scaled.insert(key, autoscaler);
        }
        let workload =
            |short: &str, kind: &str, name: Option<&String>, namespace: Option<&String>, size: (i32, i32)| {
                let (name, namespace) = (
                    name.cloned().unwrap_or_default(),
                    namespace.cloned().unwrap_or_default(),
                );
                let autoscaler = scaled.get(&(kind.to_owned(), ObjectKey::new(namespace.clone(), name.clone())));
                Workload {
                    name: format!("{short}/{}", pods::shown_name(&namespace, &name)),
                    desired: size.0,
                    ready: size.1,
                    autoscaler: autoscaler.map(|autoscaler| numbers(autoscaler)),
                }
            };
        let deployments = self.deployments.all(None).into_iter().map(|deployment| {
            let ready = deployment
                .status
                .as_ref()
                .and_then(|status| status.ready_replicas)
                .unwrap_or(0);
            let size = (deployment.spec.replicas.unwrap_or(1), ready);
            let metadata = &deployment.metadata;
            workload(
                "deploy",
                "Deployment",
                metadata.name.as_ref(),
                metadata.namespace.as_ref(),
                size,
            )
        });
        let stateful_sets = self.stateful_sets.all(None).into_iter().map(|set| {
            let ready = set
                .status
                .as_ref()
                .and_then(|status| status.ready_replicas)
                .unwrap_or(0);
            let size = (set.spec.replicas.unwrap_or(1), ready);
            workload(
                "sts",
                "StatefulSet",
                set.metadata.name.as_ref(),
                set.metadata.namespace.as_ref(),
                size,
            )
        });
        deployments.chain(stateful_sets).collect()
    }
}

/// An autoscaler's metrics as `kubectl get hpa` would show them.
fn numbers(autoscaler: &HorizontalPodAutoscaler) -> Autoscaler {
    let current = autoscaler
        .status
        .as_ref()
        .and_then(|status| status.current_metrics.as_ref());
    let shown = |(index, metric): (usize, &k8s_openapi::api::autoscaling::v2::MetricSpec)| {
        let now = current.and_then(|current| current.get(index));
        if let Some(pods) = &metric.pods {
            let value = now
                .and_then(|now| now.pods.as_ref())
                .and_then(|pods| pods.current.average_value.as_ref());
            let value = value.map_or("<unknown>", |value| value.0.as_str());
            let target = pods
                .target
                .average_value
                .as_ref()
                .map_or("?", |target| target.0.as_str());
            return format!("{} {value}/{target}", pods.metric.name);
        }
        if let Some(resource) = &metric.resource {
            let value = now.and_then(|now| now.resource.as_ref());
            let value = value.and_then(|value| value.current.average_utilization);
            let value = value.map_or_else(|| "<unknown>".to_owned(), |value| format!("{value}%"));
            let target = resource
                .target
                .average_utilization
                .map_or_else(|| "?".to_owned(), |target| format!("{target}%"));
            return format!("{} {value}/{target}", resource.name);
        }
        metric.type_.clone()
    };
    let metrics = autoscaler
        .spec
        .metrics
        .iter()
        .flatten()
        .enumerate()
        .map(shown)
        .collect();
    Autoscaler {
        metrics,
        minimum: autoscaler.spec.min_replicas.unwrap_or(1),
        maximum: autoscaler.spec.max_replicas,
    }
}

/// The last actions and abstentions; calm turns are what the picture shows anyway.
fn sentences(decisions: &[Decision]) -> Vec<String> {
    let told = decisions.iter().filter(|decision| decision.verdict != Verdict::Keep);
    let told: Vec<String> = told
        .map(|decision| format!("{} {decision}", decision.time.strftime("%H:%M:%S")))
        .collect();
    let surplus = told.len().saturating_sub(DECISIONS_IN_VIEW);
    told.into_iter().skip(surplus).collect()
}
