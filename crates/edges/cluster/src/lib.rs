//! Any Kubernetes API, seen through one client.
//!
//! Loops and controllers observe objects, change objects, and tell about it. This crate is the only one that
//! knows how: it wraps the kube client, so no other crate depends on its types of requests, its retries or
//! its watches, and none can tell a local API server in the same process from a real cluster.
//!
//! ```text
//!                       ┌──────────── Cluster ────────────┐   in process, kubeconfig, in cluster
//!        objects::<K>() │          cache::<K>()           │
//!                       v                                 v
//!                   Objects<K>                         Cache<K> ──Change──> Queue ──Work──> a worker
//!   get list create replace patch apply               one watch a kind      one turn a key
//!   delete scale evict          │                     for the whole binary
//!                               v
//!                   Error ──> Retry rule
//!
//!   EventRecorder    what happened, for `kubectl describe`
//!   DecisionRecorder why, for `flyball why`
//!   lease            which replica acts
//! ```
//!
//! A controller is a loop over these four: take a [`Cache`] per kind, put the keys of what changed into a
//! [`Queue`], look at the caches for the key that comes out, and write through [`Objects`]:
//!
//! ```no_run
//! # use cluster::{Cluster, Queue, Backoff, Jitter};
//! # use k8s_openapi::api::core::v1::ConfigMap;
//! # async fn example(cluster: Cluster) {
//! let configs = cluster.cache::<ConfigMap>();
//! let queue = Queue::new(Backoff::OBJECTS, Jitter::seeded(7));
//! let mut changes = configs.changes();
//! tokio::spawn({
//!     let queue = queue.clone();
//!     async move {
//!         while let Some(change) = changes.next().await {
//!             queue.add(change.key);
//!         }
//!     }
//! });
//! while let Some(work) = queue.next().await {
//!     let config = configs.get(work.key());
//!     println!("{} is {}", work.key(), if config.is_some() { "there" } else { "gone" });
//!     work.done();
//! }
//! # }
//! ```

mod cluster;
mod error;
mod kind;
mod objects;

mod backoff;
mod cache;
mod queue;

mod clock;
mod decisions;
mod events;
pub mod lease;

mod call;
mod discovery;

pub use backoff::{Backoff, Jitter};
pub use cache::{Cache, Cached, Change, Changes};
pub use clock::{RuntimeClock, SystemClock};
pub use cluster::Cluster;
pub use decisions::{DecisionCounts, DecisionRecorder};
pub use error::{Error, Refusal, Result, Retry};
pub use events::{EventRecorder, EventType};
pub use kind::{Kind, Object, ObjectKey, Reach};
pub use objects::{Deletion, List, ListOptions, Objects, Ownership, Patch, Preconditions, Propagation};
pub use queue::{QUEUE_CAPACITY, Queue, QueueKey, Work};

/// The request body type that an in-process service takes.
pub use kube::client::Body;
/// Objects whose type is known only at run time, the metadata part of any object, and label selectors.
pub use kube::core::{DynamicObject, Expression, ObjectMeta, PartialObjectMeta, Selector, SelectorExt};
/// Access to the metadata of any object.
pub use kube::{Resource, ResourceExt};

pub(crate) use kube::Client;
