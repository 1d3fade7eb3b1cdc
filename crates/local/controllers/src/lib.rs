//! The controllers of the local cluster: what turns the objects that users write into Pods and endpoints.
//!
//! ```text
//!   Deployment ──> ReplicaSet ──> Pod <── binder (node)
//!                                  │
//!   Service ───────────────────> EndpointSlice, Endpoints
//! ```
//!
//! Each controller is a module with one pure function, `reconcile(&Observed, now) -> Plan`: from all that is
//! seen to a list of [`Action`]s. It does no I/O and knows no clock, so every rule is tested as a table.
//! The `machinery` around is the same for all: shared caches, a queue of keys, execution of actions, and
//! *expectations*, by which a key waits until the caches show what its last turn wrote.
//!
//! The behaviour is upstream's down to reasons and sentences, because people and tools match on them. Where a
//! name is random upstream, it follows here from owner and revision, so that a write whose answer was lost is
//! found again instead of done twice.

mod action;
mod caches;
mod machinery;

mod binder;
mod collector;
mod cronjob;
mod daemonset;
mod deployment;
mod disruption;
mod endpoints;
mod job;
mod nodes;
mod replicaset;
mod serviceaccount;
mod statefulset;
mod volume;

mod history;
mod names;
mod ownership;
mod pods;
#[cfg(test)]
mod testing;

use std::path::PathBuf;
use std::sync::Arc;

use cluster::{Cluster, EventRecorder};
use flyball_core::Clock;
use tokio::task::JoinSet;

pub use action::{Action, Draft, Plan, Target};
pub use caches::Caches;

/// All controllers, running. Dropping it ends them at once; [`Controllers::stop`] waits until they have ended.
#[derive(Debug)]
pub struct Controllers {
    tasks: JoinSet<()>,
}

impl Controllers {
    /// Ends all controllers and waits until they have ended. A write that is under way is done or not done, as
    /// after a crash; the next start finds out and finishes what is missing.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
    }
}

/// What is not the same for every cluster.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The directory below which claims get their volumes; without one, claims are nobody's business and
    /// wait.
    pub volumes: Option<PathBuf>,
}

/// Starts all controllers on a cluster with default options.
///
/// Must be called within a tokio runtime.
pub fn run(cluster: &Cluster, clock: Arc<dyn Clock>) -> Controllers {
    run_with(cluster, clock, Options::default())
}

/// Starts all controllers on a cluster. They begin to act when their caches are complete.
///
/// Must be called within a tokio runtime.
pub fn run_with(cluster: &Cluster, clock: Arc<dyn Clock>, options: Options) -> Controllers {
    let caches = Caches::of(cluster);
    let events = EventRecorder::start(cluster, "controllers", clock.clone());
    let mut tasks = JoinSet::new();
    macro_rules! start {
        ($($controller:expr,)*) => {
            $(machinery::start($controller, cluster, &caches, &events, clock.clone(), &mut tasks);)*
        };
    }
    start! {
        deployment::DeploymentController,
        replicaset::ReplicaSetController,
        statefulset::StatefulSetController,
        job::JobController,
        daemonset::DaemonSetController,
        cronjob::CronJobController,
        endpoints::EndpointsController,
        binder::Binder,
        disruption::DisruptionController,
        serviceaccount::ServiceAccountController,
        nodes::NodeController { leases: cluster.cache() },
    }
    if let Some(directory) = options.volumes {
        start! { volume::VolumeController { directory }, }
    }
    collector::start(cluster, caches.namespaces.clone(), &mut tasks);
    Controllers { tasks }
}
