//! One shared picture of all objects of a kind.
//!
//! ```text
//!   watch ──Event──> Cache<K> ──Change──> Changes<K>   one per subscriber, keeps one entry a key
//!                       │
//!                       └──> get, list                  readers, never blocked for long
//! ```
//!
//! A subscriber that is slow loses intermediate states, never the latest one: a change holds the object as
//! the subscriber last saw it and as it is now. So memory is bounded by the number of objects, and what
//! reads changes must be level-triggered, which it has to be anyway, because a watch may miss states too.

mod changes;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, Weak};

use futures::StreamExt;
use kube::core::{Selector, SelectorExt};
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt, watcher as watch};
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;

use changes::Subscription;
pub use changes::{Change, Changes};

use crate::ObjectKey;

/// What can be cached: typed objects, or their metadata.
pub trait Cached: Resource + Clone + Debug + DeserializeOwned + Send + Sync + 'static {}

impl<K: Resource + Clone + Debug + DeserializeOwned + Send + Sync + 'static> Cached for K {}

/// All objects of one kind as the watch last told. Clones share the picture.
#[derive(Debug)]
pub struct Cache<K> {
    inner: Arc<Inner<K>>,
}

impl<K> Clone for Cache<K> {
    fn clone(&self) -> Self {
        let inner = self.inner.clone();
        Self { inner }
    }
}

#[derive(Debug)]
struct Inner<K> {
    picture: RwLock<Picture<K>>,
    revision: AtomicU64,
    phase: tokio::sync::watch::Sender<Phase>,
}

#[derive(Debug)]
struct Picture<K> {
    objects: BTreeMap<ObjectKey, Arc<K>>,
    subscriptions: Vec<Weak<Subscription<K>>>,
}

/// Where the cache stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The first list is not complete; readers see a part.
    Filling,
    /// The picture was complete at least once and follows the watch since.
    Synced,
    /// The watch has ended for good.
    Ended,
}

impl<K: Cached> Cache<K> {
    pub(crate) fn new() -> Self {
        let picture = Picture {
            objects: BTreeMap::new(),
            subscriptions: Vec::new(),
        };
        let inner = Inner {
            picture: RwLock::new(picture),
            revision: AtomicU64::new(0),
            phase: tokio::sync::watch::Sender::new(Phase::Filling),
        };
        Self { inner: Arc::new(inner) }
    }

    /// One object.
    pub fn get(&self, key: &ObjectKey) -> Option<Arc<K>> {
        self.read(|picture| picture.objects.get(key).cloned())
    }

    /// The objects of one namespace, or of all, that a selector matches, ordered by key.
    pub fn list(&self, namespace: Option<&str>, selector: &Selector) -> Vec<Arc<K>> {
        self.filter(namespace, |object| selector.matches(object.labels()))
    }

    /// All objects of one namespace, or of all, ordered by key.
    pub fn all(&self, namespace: Option<&str>) -> Vec<Arc<K>> {
        self.filter(namespace, |_| true)
    }

    /// The objects of one namespace, or of all, that `keep` keeps, ordered by key.
    pub fn filter(&self, namespace: Option<&str>, keep: impl Fn(&K) -> bool) -> Vec<Arc<K>> {
        let from = ObjectKey::new(namespace.unwrap_or_default(), "");
        let within = |key: &ObjectKey| namespace.is_none_or(|namespace| key.namespace == namespace);
        self.read(|picture| {
            let candidates = picture.objects.range(from..).take_while(|(key, _)| within(key));
            let kept = candidates.filter(|(_, object)| keep(object));
            kept.map(|(_, object)| object.clone()).collect()
        })
    }

    /// How many objects are cached.
    pub fn len(&self) -> usize {
        self.read(|picture| picture.objects.len())
    }

    /// Whether no object is cached.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Waits until the first list is complete; `false` when the watch ended before that.
    pub async fn synced(&self) -> bool {
        let mut phase = self.inner.phase.subscribe();
        let settled = phase.wait_for(|phase| *phase != Phase::Filling).await;
        settled.is_ok_and(|phase| *phase == Phase::Synced)
    }

    /// Whether the first list is complete.
    pub fn is_synced(&self) -> bool {
        *self.inner.phase.borrow() != Phase::Filling
    }

    /// The highest revision seen. A write whose answer has this revision or a lower one is in the picture.
    pub fn revision(&self) -> u64 {
        self.inner.revision.load(Ordering::Acquire)
    }

    /// Every change from now on, starting with one for each object that is there already.
    pub fn changes(&self) -> Changes<K> {
        let mut picture = self.inner.picture.write().unwrap_or_else(PoisonError::into_inner);
        let subscription = Subscription::new(picture.objects.iter());
        picture.subscriptions.push(Arc::downgrade(&subscription));
        if *self.inner.phase.borrow() == Phase::Ended {
            subscription.end();
        }
        Changes::new(subscription)
    }

    fn read<T>(&self, look: impl FnOnce(&Picture<K>) -> T) -> T {
        look(&self.inner.picture.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn apply(&self, object: K) {
        let object = Arc::new(object);
        self.change(ObjectKey::of(&*object), Some(object));
    }

    fn remove(&self, object: &K) {
        self.saw(object);
        self.change(ObjectKey::of(object), None);
    }

    /// Puts a complete list in the place of the picture.
    fn replace(&self, objects: BTreeMap<ObjectKey, Arc<K>>) {
        let gone = self.read(|picture| {
            let keys = picture.objects.keys();
            keys.filter(|key| !objects.contains_key(key))
                .cloned()
                .collect::<Vec<_>>()
        });
        for key in gone {
            self.change(key, None);
        }
        for (key, object) in objects {
            let known = self.get(&key);
            if known.is_none_or(|known| known.resource_version() != object.resource_version()) {
                self.change(key, Some(object));
            }
        }
        self.inner.phase.send_replace(Phase::Synced);
    }

    fn change(&self, key: ObjectKey, after: Option<Arc<K>>) {
        let mut picture = self.inner.picture.write().unwrap_or_else(PoisonError::into_inner);
        let before = match &after {
            Some(object) => {
                self.saw(object);
                picture.objects.insert(key.clone(), object.clone())
            }
            None => picture.objects.remove(&key),
        };
        if before.is_none() && after.is_none() {
            return;
        }
        picture.subscriptions.retain(|subscription| {
            let subscription = subscription.upgrade();
            if let Some(subscription) = &subscription {
                subscription.push(&key, &before, &after);
            }
            subscription.is_some()
        });
    }

    /// Revisions are compared as numbers, which Kubernetes guarantees since 1.35.
    fn saw(&self, object: &K) {
        let revision = object.meta().resource_version.as_deref();
        if let Some(revision) = revision.and_then(|text| text.parse().ok()) {
            self.inner.revision.fetch_max(revision, Ordering::AcqRel);
        }
    }

    fn end(&self) {
        self.inner.phase.send_replace(Phase::Ended);
        let picture = self.inner.picture.write().unwrap_or_else(PoisonError::into_inner);
        for subscription in picture.subscriptions.iter().filter_map(Weak::upgrade) {
            subscription.end();
        }
    }
}

/// Ends the cache however its watch ends, by abortion too.
struct EndOnDrop<K: Cached>(Cache<K>);

impl<K: Cached> Drop for EndOnDrop<K> {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Keeps `cache` in step with the server until it is aborted.
pub(crate) async fn follow<K: Cached>(api: Api<K>, cache: Cache<K>) {
    let cache = EndOnDrop(cache);
    let mut events = std::pin::pin!(watch(api, watcher::Config::default()).default_backoff());
    let mut filling = BTreeMap::new();
    while let Some(event) = events.next().await {
        match event.map(|event| event.modify(slim)) {
            Ok(Event::Init) => filling.clear(),
            Ok(Event::InitApply(object)) => {
                filling.insert(ObjectKey::of(&object), Arc::new(object));
            }
            Ok(Event::InitDone) => cache.0.replace(std::mem::take(&mut filling)),
            Ok(Event::Apply(object)) => cache.0.apply(object),
            Ok(Event::Delete(object)) => cache.0.remove(&object),
            Err(error) => tracing::debug!(%error, kind = std::any::type_name::<K>(), "watch interrupted"),
        }
    }
}

/// Managed fields are most of the bytes of an object that nobody but the server reads.
fn slim<K: Resource>(object: &mut K) {
    object.meta_mut().managed_fields = None;
}

#[cfg(test)]
mod tests;
