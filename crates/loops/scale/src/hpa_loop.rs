//! The HPA loop: observe, decide, permit, act, explain, for every autoscaler of a cluster.
//!
//! ```text
//!   HPA cache ──> Queue ──> turn ─┬─ observe  scale, pods (shared cache), metrics APIs
//!      ^                          ├─ decide   hpa::decide, pure
//!      │  again after the         ├─ permit   Permit, the gate of policy and budget
//!      └─ sync period             ├─ act      scale subresource, then status
//!                                 └─ explain  Decision record, Events
//! ```
//!
//! It talks to the cluster as the upstream controller does: metrics come from `metrics.k8s.io`,
//! `custom.metrics.k8s.io` and `external.metrics.k8s.io` of the same API, whoever serves them. So it does not
//! know whether it runs beside a local API server or in place of kube-controller-manager's own loop.

mod apis;
mod convert;
mod memory;
mod observe;
mod status;
mod turn;

use std::sync::Arc;
use std::time::Duration;

use cluster::{Backoff, Cluster, DecisionRecorder, EventRecorder, Jitter, Queue};
use flyball_core::{Clock, Permit};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::Pod;
use tokio::task::JoinSet;

pub use apis::MetricsApis;
pub use convert::status_of;
pub use convert::{autoscaler_of, pod_of};
pub use observe::{Observation, PodsOf, observe};

use crate::hpa::Settings;

/// Whether the loop acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// It records what it would do, and writes nothing.
    #[default]
    Observe,
    /// It scales and writes statuses.
    Enforce,
}

/// How the loop runs.
#[derive(Clone)]
pub struct Options {
    /// Whether it acts.
    pub mode: Mode,
    /// How often each autoscaler is judged.
    pub sync_period: Duration,
    /// How many autoscalers are judged at once; a turn mostly waits for the network.
    pub workers: usize,
    /// The engine's settings.
    pub settings: Settings,
    /// The gate before acting.
    pub permit: Arc<dyn Permit>,
    /// Where decisions are kept.
    pub decisions: DecisionRecorder,
    /// Seeds the spread of retries.
    pub seed: u64,
}

impl Options {
    /// Upstream's sync period and workers, an open gate.
    pub fn new(mode: Mode, decisions: DecisionRecorder) -> Self {
        Self {
            mode,
            sync_period: Duration::from_secs(15),
            workers: 5,
            settings: Settings::default(),
            permit: Arc::new(flyball_core::AlwaysPermit),
            decisions,
            seed: 0,
        }
    }
}

/// The name under which the loop writes.
pub const FIELD_MANAGER: &str = "flyball-scale";

/// Runs the loop until the cluster's watches end or the future is dropped.
pub async fn run(cluster: &Cluster, clock: Arc<dyn Clock>, options: Options) {
    let cluster = cluster.managed_by(FIELD_MANAGER);
    let autoscalers = cluster.cache::<HorizontalPodAutoscaler>();
    let pods = cluster.cache::<Pod>();
    if !(autoscalers.synced().await && pods.synced().await) {
        return;
    }
    let events = EventRecorder::start(&cluster, "horizontal-pod-autoscaler", clock.clone());
    let queue = Queue::new(Backoff::OBJECTS, Jitter::seeded(options.seed));
    let worker = Arc::new(turn::Worker::new(
        cluster,
        autoscalers.clone(),
        pods,
        clock,
        events,
        options,
    ));

    let mut tasks = JoinSet::new();
    for _ in 0..worker.options.workers.max(1) {
        let (worker, queue) = (worker.clone(), queue.clone());
        tasks.spawn(async move {
            while let Some(work) = queue.next().await {
                match worker.turn(work.key()).await {
                    turn::Next::After(pause) => work.done_until(pause),
                    turn::Next::Gone => work.done(),
                }
            }
        });
    }
    let mut changes = autoscalers.changes();
    while let Some(change) = changes.next().await {
        // A change of the status is most often our own; only one of the spec is judged at once.
        let generation = |hpa: &Arc<HorizontalPodAutoscaler>| hpa.metadata.generation;
        let spec_changed = match (&change.before, &change.after) {
            (Some(before), Some(after)) => generation(before) != generation(after),
            _ => true,
        };
        if spec_changed {
            queue.add(change.key);
        }
    }
    queue.close();
}
