//! The picture of the cluster that all controllers share.

use cluster::{Cache, Cached, Cluster, ObjectKey, ResourceExt};
use k8s_openapi::api::apps::v1::{ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{
    Endpoints, Namespace, Node, PersistentVolume, PersistentVolumeClaim, Pod, Service, ServiceAccount,
};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::storage::v1::StorageClass;

/// Whether a write of this process is in the picture.
pub(crate) trait Seen: Send + Sync {
    /// Whether the picture is at least as new as `revision`.
    fn has_reached(&self, revision: u64) -> bool;
    /// Whether the object with this uid is gone or going.
    fn is_leaving(&self, key: &ObjectKey, uid: &str) -> bool;
}

impl<K: Cached> Seen for Cache<K> {
    fn has_reached(&self, revision: u64) -> bool {
        self.revision() >= revision
    }

    fn is_leaving(&self, key: &ObjectKey, uid: &str) -> bool {
        self.get(key)
            .is_none_or(|object| object.uid().as_deref() != Some(uid) || object.meta().deletion_timestamp.is_some())
    }
}

/// Says each cached kind once: its field, its type, and the plural by which writes name it.
macro_rules! caches {
    ($($field:ident: $kind:ty,)*) => {
        /// One cache per kind that any controller looks at.
        #[derive(Clone)]
        pub struct Caches {
            $(#[doc = concat!("All ", stringify!($field), ".")]
            pub $field: Cache<$kind>,)*
        }

        impl Caches {
            /// The cluster's shared caches.
            pub fn of(cluster: &Cluster) -> Self {
                Self { $($field: cluster.cache::<$kind>(),)* }
            }

            /// Waits until every cache is complete; `false` when the cluster was closed before that.
            pub async fn synced(&self) -> bool {
                $(self.$field.synced().await &&)* true
            }

            /// The cache of a kind by the plural of its API name.
            pub(crate) fn seen(&self, plural: &str) -> Option<&dyn Seen> {
                $(if plural == <$kind as cluster::Resource>::plural(&()) {
                    return Some(&self.$field);
                })*
                None
            }
        }
    };
}

caches! {
    pods: Pod,
    replica_sets: ReplicaSet,
    deployments: Deployment,
    services: Service,
    endpoint_slices: EndpointSlice,
    endpoints: Endpoints,
    nodes: Node,
    namespaces: Namespace,
    disruption_budgets: PodDisruptionBudget,
    service_accounts: ServiceAccount,
    stateful_sets: StatefulSet,
    revisions: ControllerRevision,
    daemon_sets: DaemonSet,
    jobs: Job,
    cron_jobs: CronJob,
    claims: PersistentVolumeClaim,
    volumes: PersistentVolume,
    storage_classes: StorageClass,
}
