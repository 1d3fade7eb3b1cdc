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
mod tests {
    use super::*;

    fn queue() -> Queue<&'static str> {
        let backoff = Backoff {
            first: Duration::from_millis(100),
            longest: Duration::from_secs(10),
        };
        Queue::new(backoff, Jitter::seeded(7))
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_waits_once_and_is_worked_on_by_one() {
        let queue = queue();
        for key in ["a", "b", "a"] {
            queue.add(key);
        }
        let work = queue.next().await.unwrap();
        assert_eq!(*work.key(), "a");
        queue.add("a");
        assert_eq!(*queue.next().await.unwrap().key(), "b");
        assert!(queue.is_empty(), "`a` waits until its work has ended");
        work.done();
        assert_eq!(*queue.next().await.unwrap().key(), "a");
        assert!(queue.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn the_earliest_delay_counts_and_now_beats_later() {
        let queue = queue();
        let start = Instant::now();
        queue.add_after("slow", Duration::from_secs(60));
        queue.add_after("slow", Duration::from_secs(20));
        queue.add_after("slow", Duration::from_secs(40));
        queue.add_after("soon", Duration::from_secs(30));
        queue.add("soon");
        assert_eq!(*queue.next().await.unwrap().key(), "soon");
        assert_eq!(*queue.next().await.unwrap().key(), "slow");
        assert_eq!(start.elapsed(), Duration::from_secs(20));
        let nothing = tokio::time::timeout(Duration::from_secs(600), queue.next()).await;
        assert!(nothing.is_err(), "every key was worked on once");
    }

    #[tokio::test(start_paused = true)]
    async fn failures_wait_longer_each_time_until_one_success() {
        let queue = queue();
        queue.add("a");
        let mut pauses = Vec::new();
        for _ in 0..3 {
            pauses.push(queue.next().await.unwrap().retry());
        }
        assert!(pauses[0] < pauses[1] && pauses[1] < pauses[2], "{pauses:?}");
        queue.next().await.unwrap().done();
        queue.add("a");
        assert!(queue.next().await.unwrap().retry() < pauses[1]);
    }

    #[tokio::test(start_paused = true)]
    async fn closing_wakes_every_worker() {
        let queue = queue();
        let workers: Vec<_> = (0..3)
            .map(|_| {
                tokio::spawn({
                    let queue = queue.clone();
                    async move { queue.next().await.is_none() }
                })
            })
            .collect();
        tokio::task::yield_now().await;
        queue.close();
        for worker in workers {
            assert!(worker.await.unwrap());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn many_workers_share_the_keys_without_losing_one() {
        let queue = Queue::new(Backoff::OBJECTS, Jitter::seeded(1));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let workers: Vec<_> = (0..4)
            .map(|_| {
                let (queue, seen) = (queue.clone(), seen.clone());
                tokio::spawn(async move {
                    while let Some(work) = queue.next().await {
                        tokio::time::sleep(Duration::from_millis(3)).await;
                        seen.lock().unwrap().push(*work.key());
                    }
                })
            })
            .collect();
        for key in 0..100 {
            queue.add(key);
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        queue.close();
        for worker in workers {
            worker.await.unwrap();
        }
        let mut seen = seen.lock().unwrap().clone();
        seen.sort_unstable();
        assert_eq!(seen, (0..100).collect::<Vec<_>>());
    }
}
