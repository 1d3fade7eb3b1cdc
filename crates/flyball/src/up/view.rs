//! What `up` shows: a picture of the cluster as text.
//!
//! [`View`] is a plain value; [`render()`] makes lines from it for a terminal of a given size, and
//! [`changes()`] makes the lines that are printed where there is no terminal. Both are pure.

mod changes;
mod render;

pub(crate) use changes::changes;
pub(crate) use render::render;

/// Everything that is shown.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct View {
    /// Where to reach what: a name and an address.
    pub(crate) addresses: Vec<(String, String)>,
    /// Deployments, StatefulSets and others that have replicas.
    pub(crate) workloads: Vec<Workload>,
    /// Every Pod.
    pub(crate) pods: Vec<Pod>,
    /// The last decisions, latest last, as sentences with their time.
    pub(crate) decisions: Vec<String>,
    /// What is wrong now: manifests that were not applied, Pods that cannot run.
    pub(crate) problems: Vec<String>,
}

/// One workload and what drives its size.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Workload {
    /// As kubectl names it: `deploy/web`.
    pub(crate) name: String,
    /// Replicas wanted.
    pub(crate) desired: i32,
    /// Replicas ready.
    pub(crate) ready: i32,
    /// The autoscaler's numbers, if there is one.
    pub(crate) autoscaler: Option<Autoscaler>,
}

/// An autoscaler's numbers.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Autoscaler {
    /// `http_requests_per_second 14.2/15`, one per metric.
    pub(crate) metrics: Vec<String>,
    /// Fewest replicas.
    pub(crate) minimum: i32,
    /// Most replicas.
    pub(crate) maximum: i32,
}

/// One Pod.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Pod {
    /// Its name; with the namespace in front unless that is `default`.
    pub(crate) name: String,
    /// Ready containers and all containers.
    pub(crate) ready: (usize, usize),
    /// What kubectl's STATUS column says.
    pub(crate) status: String,
    /// Restarts of all its containers.
    pub(crate) restarts: i32,
    /// Where it is reached from this machine; empty while it has no address.
    pub(crate) address: String,
}

impl Pod {
    /// Whether all its containers are ready.
    pub(crate) fn is_ready(&self) -> bool {
        self.ready.1 > 0 && self.ready.0 == self.ready.1
    }
}
