//! Garbage collector: what is owned goes when its owner goes.
//!
//! ```text
//!   every kind's metadata ──Change──> Graph ──uid──> Queue ──> decide ──> delete, drop an owner, unblock
//!                                       │                        ^
//!                                       └── owners, dependents ──┘  an owner that is not in the graph is asked
//!                                                                   for by name before it counts as absent
//! ```
//!
//! Three ways to delete, by finalizer: in the *background* the owner goes at once and dependents find it
//! absent; in the *foreground* dependents that block it go first; *orphaning* takes the owner's name off its
//! dependents first. "Not seen" is never "absent": a kind that cannot be asked keeps its dependents alive.

mod decide;
mod graph;
mod namespace;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cluster::{
    Backoff, Cache, Cluster, Deletion, DynamicObject, Error, Jitter, Kind, ObjectKey, PartialObjectMeta, Patch,
    Preconditions, Queue, Reach,
};
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use decide::{OwnerState, Verdict};
use graph::{Graph, Item};

/// The collector's field manager; upstream's component name.
const MANAGER: &str = "generic-garbage-collector";

/// Kinds that are never collected: Events end by age, and there are many of them.
fn is_tracked(kind: &Kind) -> bool {
    kind.preferred && kind.kind != "Event" && ["list", "watch", "delete"].into_iter().all(|verb| kind.allows(verb))
}

/// Starts the collector and, because it needs the same list of all kinds, the namespace controller.
pub(crate) fn start(cluster: &Cluster, namespaces: Cache<Namespace>, tasks: &mut JoinSet<()>) {
    let seed = u64::from(crate::names::fnv32(MANAGER.bytes()));
    let collector = Collector {
        cluster: cluster.managed_by(MANAGER),
        graph: Arc::default(),
        queue: Queue::new(Backoff::OBJECTS, Jitter::seeded(seed)),
        namespaces,
        namespace_queue: Queue::new(Backoff::OBJECTS, Jitter::seeded(seed + 1)),
    };
    tasks.spawn(collector.run());
}

#[derive(Clone)]
struct Collector {
    cluster: Cluster,
    graph: Arc<Mutex<Graph>>,
    queue: Queue<String>,
    namespaces: Cache<Namespace>,
    namespace_queue: Queue<ObjectKey>,
}

/// After kinds were added or removed, their servers get this long before discovery is asked: a burst of
/// definitions is one question.
const DISCOVERY_PAUSE: Duration = Duration::from_millis(250);

/// When discovery fails it is asked again after this time.
const DISCOVERY_RETRY: Duration = Duration::from_secs(5);

impl Collector {
    async fn run(self) {
        let mut definitions = self.cluster.metadata_cache::<CustomResourceDefinition>().changes();
        let mut tracked = Vec::<Kind>::new();
        let mut followers = JoinSet::new();
        let mut workers = JoinSet::new();
        loop {
            let kinds = match self.cluster.discover().await {
                Ok(kinds) => kinds,
                Err(error) => {
                    tracing::debug!(%error, "kinds not discovered");
                    tokio::time::sleep(DISCOVERY_RETRY).await;
                    continue;
                }
            };
            let mut caches = Vec::new();
            for kind in kinds.iter().filter(|kind| is_tracked(kind) && !tracked.contains(kind)) {
                let cache = self.cluster.metadata_cache_of(kind);
                followers.spawn(self.clone().follow(kind.clone(), cache.clone()));
                caches.push(cache);
            }
            tracked = kinds.iter().filter(|kind| is_tracked(kind)).cloned().collect();
            if workers.is_empty() {
                // The first look at a dependent must not find its owner missing because of an early hour.
                for cache in caches {
                    cache.synced().await;
                }
                workers.spawn(self.clone().collect());
                workers.spawn(namespace::run(self.clone()));
                workers.spawn(self.clone().follow_namespaces());
            }
            // Discovery lags the definition's creation a little, so what it lacks now is asked for again.
            if definitions.next().await.is_none() {
                return;
            }
            tokio::time::sleep(DISCOVERY_PAUSE).await;
        }
    }

    async fn follow(self, kind: Kind, cache: Cache<PartialObjectMeta<DynamicObject>>) {
        let kind = Arc::new(kind);
        let mut changes = cache.changes();
        while let Some(change) = changes.next().await {
            let before = change.before.as_ref().map(|object| &object.metadata);
            let after = change.after.as_ref().map(|object| &object.metadata);
            let touched = self.graph().change(&kind, &change.key, before, after);
            touched.into_iter().for_each(|uid| self.queue.add(uid));
            self.wake_namespace(&kind, &change.key);
        }
    }

    /// A namespace that is going looks again when something in it changed.
    fn wake_namespace(&self, kind: &Kind, key: &ObjectKey) {
        let namespace = ObjectKey::new("", &key.namespace);
        let in_going_one = kind.reach == Reach::Namespaced
            && self
                .namespaces
                .get(&namespace)
                .is_some_and(|namespace| namespace.metadata.deletion_timestamp.is_some());
        if in_going_one {
            self.namespace_queue.add(namespace);
        }
    }

    async fn follow_namespaces(self) {
        let mut changes = self.namespaces.changes();
        while let Some(change) = changes.next().await {
            if change
                .after
                .is_some_and(|namespace| namespace.metadata.deletion_timestamp.is_some())
            {
                self.namespace_queue.add(change.key);
            }
        }
    }

    async fn collect(self) {
        while let Some(work) = self.queue.next().await {
            match self.turn(work.key()).await {
                Ok(()) => work.done(),
                Err(error) => {
                    tracing::debug!(uid = work.key(), %error, "not collected");
                    work.retry();
                }
            }
        }
    }

    async fn turn(&self, uid: &str) -> Result<(), Error> {
        let Some(item) = self.graph().item(uid) else {
            return Ok(());
        };
        let mut owners = Vec::with_capacity(item.owners.len());
        for reference in &item.owners {
            owners.push(self.state_of(&item, reference).await?);
        }
        let dependents = self.graph().dependents(uid);
        match decide::decide(&item, &owners, &dependents) {
            Verdict::Keep => Ok(()),
            Verdict::LookAt(uids) => {
                uids.into_iter().for_each(|uid| self.queue.add(uid));
                Ok(())
            }
            Verdict::Delete(propagation) => self.delete(&item, propagation).await,
            Verdict::DropOwners(owners) => self.drop_owners(&item, &owners).await,
            Verdict::Orphan(uids) => {
                for dependent in uids {
                    let dependent = self.graph().item(&dependent);
                    if let Some(dependent) = dependent {
                        self.drop_owners(&dependent, &[uid.to_owned()]).await?;
                    }
                }
                self.remove_finalizer(&item, decide::ORPHAN).await
            }
            Verdict::Unblock => self.remove_finalizer(&item, decide::FOREGROUND).await,
        }
    }

    /// Whether an owner is there. One that the graph does not have is asked for, because it may be new.
    async fn state_of(&self, item: &Item, reference: &graph::Owner) -> Result<OwnerState, Error> {
        if let Some(owner) = self.graph().item(&reference.uid) {
            return Ok(match decide::waits_for_dependents(&owner) {
                true => OwnerState::WaitsForDependents,
                false => OwnerState::Present,
            });
        }
        let Some(kind) = self.cluster.kind(&reference.api_version, &reference.kind).await? else {
            let message = format!("owner of unknown kind {} {}", reference.api_version, reference.kind);
            return Err(Error::Unavailable(message));
        };
        let namespace = (kind.reach == Reach::Namespaced).then_some(item.key.namespace.as_str());
        let found = self.cluster.values(&kind, namespace).find(&reference.name).await?;
        let uid = found
            .as_ref()
            .and_then(|owner| owner.pointer("/metadata/uid"))
            .and_then(Value::as_str);
        Ok(match uid == Some(&reference.uid) {
            true => OwnerState::Present,
            false => OwnerState::Absent,
        })
    }

    /// Deletes at the revision that the decision rests on: one that was adopted meanwhile stays.
    async fn delete(&self, item: &Item, propagation: cluster::Propagation) -> Result<(), Error> {
        let preconditions = Some(Preconditions {
            uid: Some(item.uid.clone()),
            resource_version: Some(item.revision.clone()),
        });
        let deletion = Deletion {
            preconditions,
            ..Deletion::default().propagating(propagation)
        };
        gone_is_done(self.objects(item).delete(&item.key.name, &deletion).await)
    }

    async fn drop_owners(&self, item: &Item, uids: &[String]) -> Result<(), Error> {
        let kept: Vec<_> = item
            .references
            .iter()
            .filter(|reference| !uids.contains(&reference.uid))
            .collect();
        self.patch(item, json!({ "ownerReferences": kept })).await
    }

    async fn remove_finalizer(&self, item: &Item, finalizer: &str) -> Result<(), Error> {
        let kept: Vec<_> = item.finalizers.iter().filter(|name| *name != finalizer).collect();
        self.patch(item, json!({ "finalizers": kept })).await
    }

    async fn patch(&self, item: &Item, mut metadata: Value) -> Result<(), Error> {
        metadata["uid"] = json!(item.uid);
        metadata["resourceVersion"] = json!(item.revision);
        let patch = Patch::Merge(json!({ "metadata": metadata }));
        gone_is_done(self.objects(item).patch(&item.key.name, &patch).await.map(drop))
    }

    fn objects(&self, item: &Item) -> cluster::Objects<Value> {
        self.cluster.values(&item.kind, item.key.namespace())
    }

    fn graph(&self) -> MutexGuard<'_, Graph> {
        self.graph.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn gone_is_done(outcome: Result<(), Error>) -> Result<(), Error> {
    match outcome {
        Err(Error::NotFound(_)) => Ok(()),
        outcome => outcome,
    }
}
