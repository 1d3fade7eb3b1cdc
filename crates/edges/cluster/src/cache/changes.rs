//! What changed since a subscriber last looked.

use std::collections::VecDeque;
use std::collections::hash_map::{Entry, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use crate::ObjectKey;

/// One object's change as its subscriber sees it.
#[derive(Debug)]
pub struct Change<K> {
    /// Which object.
    pub key: ObjectKey,
    /// As the subscriber last saw it; `None` when it is new.
    pub before: Option<Arc<K>>,
    /// As it is now; `None` when it is gone.
    pub after: Option<Arc<K>>,
}

/// A subscriber's changes, at most one a key, in the order in which the keys first changed.
#[derive(Debug)]
pub struct Changes<K> {
    subscription: Arc<Subscription<K>>,
}

impl<K> Changes<K> {
    pub(crate) fn new(subscription: Arc<Subscription<K>>) -> Self {
        Self { subscription }
    }

    /// Waits for the next change; `None` when the watch has ended and all was told. Dropping the future
    /// loses nothing.
    pub async fn next(&mut self) -> Option<Change<K>> {
        loop {
            let woken = self.subscription.woken.notified();
            {
                let mut pending = self.subscription.lock();
                if let Some(change) = pending.pop() {
                    return Some(change);
                }
                if pending.ended {
                    return None;
                }
            }
            woken.await;
        }
    }

    /// The same as a stream.
    pub fn into_stream(self) -> impl futures::Stream<Item = Change<K>> {
        futures::stream::unfold(self, async |mut changes| {
            let change = changes.next().await?;
            Some((change, changes))
        })
    }
}

#[derive(Debug)]
pub(crate) struct Subscription<K> {
    pending: Mutex<Pending<K>>,
    woken: Notify,
}

#[derive(Debug)]
struct Pending<K> {
    order: VecDeque<ObjectKey>,
    changes: HashMap<ObjectKey, Sides<K>>,
    ended: bool,
}

#[derive(Debug)]
struct Sides<K> {
    before: Option<Arc<K>>,
    after: Option<Arc<K>>,
}

impl<K> Pending<K> {
    fn pop(&mut self) -> Option<Change<K>> {
        let key = self.order.pop_front()?;
        let Sides { before, after } = self.changes.remove(&key)?;
        Some(Change { key, before, after })
    }
}

impl<K> Subscription<K> {
    pub(crate) fn new<'a>(existing: impl Iterator<Item = (&'a ObjectKey, &'a Arc<K>)>) -> Arc<Self>
    where
        K: 'a,
    {
        let pending = Pending {
            order: VecDeque::new(),
            changes: HashMap::new(),
            ended: false,
        };
        let subscription = Self {
            pending: Mutex::new(pending),
            woken: Notify::new(),
        };
        for (key, object) in existing {
            subscription.push(key, &None, &Some(object.clone()));
        }
        Arc::new(subscription)
    }

    pub(crate) fn push(&self, key: &ObjectKey, before: &Option<Arc<K>>, after: &Option<Arc<K>>) {
        let mut pending = self.lock();
        match pending.changes.entry(key.clone()) {
            Entry::Occupied(mut entry) => entry.get_mut().after = after.clone(),
            Entry::Vacant(entry) => {
                let (before, after) = (before.clone(), after.clone());
                entry.insert(Sides { before, after });
                pending.order.push_back(key.clone());
            }
        }
        drop(pending);
        self.woken.notify_one();
    }

    pub(crate) fn end(&self) {
        self.lock().ended = true;
        self.woken.notify_one();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Pending<K>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
