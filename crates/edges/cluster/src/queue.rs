//! A queue of keys that need work.
//!
//! A key is in the queue at most once, is worked on by one worker at a time, and waits its turn: one that is
//! added again while it is worked on goes to the end afterwards. Failures wait with growing pauses per key.
//! All waiting is on tokio's clock, so paused time works.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::{Backoff, Jitter};

/// What can be queued.
pub trait QueueKey: Clone + Debug + Eq + Hash + Send + 'static {}

impl<K: Clone + Debug + Eq + Hash + Send + 'static> QueueKey for K {}

/// Keys that wait or are worked on, at most; more than any cluster has objects of a kind that one process
/// should reconcile. A key beyond it is refused and counted, and its next change brings it again.
pub const QUEUE_CAPACITY: usize = 200_000;

/// The queue. Clones are handles to the same one.
#[derive(Debug, Clone)]
pub struct Queue<K: QueueKey> {
    inner: Arc<Inner<K>>,
}

#[derive(Debug)]
struct Inner<K> {
    state: Mutex<State<K>>,
    woken: Notify,
    backoff: Backoff,
}

#[derive(Debug)]
struct State<K> {
    ready: VecDeque<K>,
    waiting: HashSet<K>,
    working: HashSet<K>,
    again: HashSet<K>,
    due: BTreeMap<(Instant, u64), K>,
    due_of: HashMap<K, (Instant, u64)>,
    failures: HashMap<K, u32>,
    jitter: Jitter,
    sequence: u64,
    refused: u64,
    closed: bool,
}

impl<K: QueueKey> Queue<K> {
    /// An empty queue whose failed keys wait by `backoff`, spread by `jitter`.
    pub fn new(backoff: Backoff, jitter: Jitter) -> Self {
        let state = State {
            ready: VecDeque::new(),
            waiting: HashSet::new(),
            working: HashSet::new(),
            again: HashSet::new(),
            due: BTreeMap::new(),
            due_of: HashMap::new(),
            failures: HashMap::new(),
            jitter,
            sequence: 0,
            refused: 0,
            closed: false,
        };
        let inner = Inner {
            state: Mutex::new(state),
            woken: Notify::new(),
            backoff,
        };
        Self { inner: Arc::new(inner) }
    }

    /// Adds a key that needs work now.
    pub fn add(&self, key: K) {
        let added = self.lock().add(key);
        if added {
            self.inner.woken.notify_one();
        }
    }

    /// Adds a key that needs work after `delay`; of two delays the earlier one counts.
    pub fn add_after(&self, key: K, delay: Duration) {
        if delay.is_zero() {
            return self.add(key);
        }
        self.lock().add_at(key, Instant::now() + delay);
        self.inner.woken.notify_one();
    }

    /// Waits for the next key; `None` when the queue is closed. Dropping the future loses nothing.
    pub async fn next(&self) -> Option<Work<K>> {
        loop {
            let woken = self.inner.woken.notified();
            let due = {
                let mut state = self.lock();
                if state.closed {
                    return None;
                }
                state.move_due(Instant::now());
                if let Some(key) = state.take() {
                    let more = !state.ready.is_empty();
                    drop(state);
                    if more {
                        self.inner.woken.notify_one();
                    }
                    let queue = self.clone();
                    return Some(Work { key, queue });
                }
                state.due.keys().next().map(|(at, _)| *at)
            };
            match due {
                Some(at) => tokio::select! {
                    () = woken => {}
                    () = tokio::time::sleep_until(at) => {}
                },
                None => woken.await,
            }
        }
    }

    /// Ends the queue: waiting keys are dropped, waiting workers get `None`.
    pub fn close(&self) {
        self.lock().closed = true;
        self.inner.woken.notify_waiters();
        self.inner.woken.notify_one();
    }

    /// Keys that are ready to be worked on.
    pub fn len(&self) -> usize {
        self.lock().ready.len()
    }

    /// Whether no key is ready.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Keys that were refused because of [`QUEUE_CAPACITY`].
    pub fn refused(&self) -> u64 {
        self.lock().refused
    }

    fn lock(&self) -> MutexGuard<'_, State<K>> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: QueueKey> State<K> {
    /// Whether a worker has something to do that it did not have before.
    fn add(&mut self, key: K) -> bool {
        if self.closed || self.waiting.contains(&key) {
            return false;
        }
        if self.working.contains(&key) {
            self.again.insert(key);
            return false;
        }
        if self.is_full() {
            return false;
        }
        if let Some(due) = self.due_of.remove(&key) {
            self.due.remove(&due);
        }
        self.waiting.insert(key.clone());
        self.ready.push_back(key);
        true
    }

    fn add_at(&mut self, key: K, at: Instant) {
        if self.closed || self.waiting.contains(&key) {
            return;
        }
        match self.due_of.get(&key).copied() {
            Some(known) if known.0 <= at => return,
            Some(known) => {
                self.due.remove(&known);
            }
            None if self.is_full() => return,
            None => {}
        }
        self.sequence += 1;
        let due = (at, self.sequence);
        self.due.insert(due, key.clone());
        self.due_of.insert(key, due);
    }

    fn is_full(&mut self) -> bool {
        let full = self.waiting.len() + self.due.len() >= QUEUE_CAPACITY;
        self.refused += u64::from(full);
        full
    }

    fn move_due(&mut self, now: Instant) {
        while let Some(entry) = self.due.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let key = entry.remove();
            self.due_of.remove(&key);
            self.add(key);
        }
    }

    fn take(&mut self) -> Option<K> {
        let key = self.ready.pop_front()?;
        self.waiting.remove(&key);
        self.working.insert(key.clone());
        Some(key)
    }

    fn finish(&mut self, key: &K) -> bool {
        self.working.remove(key);
        self.again.remove(key) && self.add(key.clone())
    }
}

/// A key that is being worked on. Dropping it says that the work has ended; without [`Work::done`] or
/// [`Work::retry`] the key's failures are neither forgotten nor counted.
#[derive(Debug)]
pub struct Work<K: QueueKey> {
    key: K,
    queue: Queue<K>,
}

impl<K: QueueKey> Work<K> {
    /// The key.
    pub fn key(&self) -> &K {
        &self.key
    }

    /// The work succeeded: earlier failures are forgotten.
    pub fn done(self) {
        self.queue.lock().failures.remove(&self.key);
    }

    /// The work succeeded, and there will be more at a known time.
    pub fn done_until(self, delay: Duration) {
        self.queue.lock().failures.remove(&self.key);
        self.queue.add_after(self.key.clone(), delay);
    }

    /// The work failed: the key comes back after a pause that grows with every failure; the pause.
    pub fn retry(self) -> Duration {
        let mut state = self.queue.lock();
        let failures = state.failures.entry(self.key.clone()).or_insert(0);
        *failures = failures.saturating_add(1);
        let failures = *failures;
        let pause = self.queue.inner.backoff.pause(failures, &mut state.jitter);
        drop(state);
        self.queue.add_after(self.key.clone(), pause);
        pause
    }
}

impl<K: QueueKey> Drop for Work<K> {
    fn drop(&mut self) {
        let again = self.queue.lock().finish(&self.key);
        if again {
            self.queue.inner.woken.notify_one();
        }
    }
}

#[cfg(test)]
mod tests;
