//! Runs a controller: one queue, a task per watched kind, one worker.
//!
//! One worker per controller is enough next to an API in the same process, where a write takes
//! microseconds, and it makes turns of one controller strictly sequential.

use std::collections::HashMap;
use std::sync::Arc;

use cluster::{Backoff, Cache, Cached, Change, Cluster, EventRecorder, Jitter, ObjectKey, Queue, Retry};
use flyball_core::{Clock, Timestamp};
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant};

use super::execute::execute;
use super::expectations::Expectations;
use crate::action::Plan;
use crate::caches::Caches;

/// A controller: whose changes it cares about and what it makes of one object.
pub(crate) trait Controller: Send + Sync + 'static {
    /// The name that Events carry, as upstream's components have it.
    const NAME: &'static str;

    /// Says which objects to look at when something changes.
    fn wire(&self, caches: &Caches, wiring: &mut Wiring<'_>);

    /// Looks at one object and says what to do. No I/O.
    fn reconcile(&self, caches: &Caches, turn: &Turn<'_>) -> Plan;
}

/// What a turn knows beside the caches.
pub(crate) struct Turn<'a> {
    /// Which object.
    pub(crate) key: &'a ObjectKey,
    /// The time.
    pub(crate) now: Timestamp,
    /// Why the object's last turn failed, if it did.
    pub(crate) last_failure: Option<&'a str>,
}

/// Connects caches to a queue.
pub(crate) struct Wiring<'a> {
    tasks: &'a mut JoinSet<()>,
    queue: &'a Queue<ObjectKey>,
}

impl Wiring<'_> {
    /// For each change in `cache`, looks at the objects that `keys` adds.
    pub(crate) fn on<K, F>(&mut self, cache: &Cache<K>, keys: F)
    where
        K: Cached,
        F: Fn(&Change<K>, &mut dyn FnMut(ObjectKey)) + Send + 'static,
    {
        let mut changes = cache.changes();
        let queue = self.queue.clone();
        self.tasks.spawn(async move {
            while let Some(change) = changes.next().await {
                keys(&change, &mut |key| queue.add(key));
            }
        });
    }

    /// Looks at each object of `cache` that changes.
    pub(crate) fn on_itself<K: Cached>(&mut self, cache: &Cache<K>) {
        self.on(cache, |change, look_at| look_at(change.key.clone()));
    }
}

/// Looks again at a key whose writes are not in the picture yet, should no change bring it back before.
const EXPECTATION_RECHECK: Duration = Duration::from_secs(1);

/// Starts a controller within `tasks`; aborting them ends it between two awaits, which is as safe as a crash.
pub(crate) fn start<C: Controller>(
    controller: C,
    cluster: &Cluster,
    caches: &Caches,
    events: &EventRecorder,
    clock: Arc<dyn Clock>,
    tasks: &mut JoinSet<()>,
) {
    let seed = u64::from(crate::names::fnv32(C::NAME.bytes()));
    let queue = Queue::new(Backoff::OBJECTS, Jitter::seeded(seed));
    controller.wire(caches, &mut Wiring { tasks, queue: &queue });
    let worker = Worker {
        controller,
        cluster: cluster.managed_by(C::NAME),
        caches: caches.clone(),
        events: events.speaking_for(C::NAME),
        clock,
        queue,
        expectations: Expectations::default(),
        failures: HashMap::new(),
    };
    tasks.spawn(worker.run());
}

struct Worker<C> {
    controller: C,
    cluster: Cluster,
    caches: Caches,
    events: EventRecorder,
    clock: Arc<dyn Clock>,
    queue: Queue<ObjectKey>,
    expectations: Expectations,
    failures: HashMap<ObjectKey, String>,
}

impl<C: Controller> Worker<C> {
    async fn run(mut self) {
        // Deciding on a part of the picture would create what is already there.
        if !self.caches.synced().await {
            return;
        }
        while let Some(work) = self.queue.next().await {
            let key = work.key().clone();
            if !self.expectations.are_met(&key, &self.caches, Instant::now()) {
                drop(work);
                self.queue.add_after(key, EXPECTATION_RECHECK);
                continue;
            }
            let plan = self.controller.reconcile(
                &self.caches,
                &Turn {
                    key: &key,
                    now: self.clock.now(),
                    last_failure: self.failures.get(&key).map(String::as_str),
                },
            );
            let again_after = plan.again_after;
            let (expected, outcome) = execute(&self.cluster, &self.events, plan.actions).await;
            self.expectations.set(key.clone(), expected, Instant::now());
            match outcome {
                Ok(()) => {
                    self.failures.remove(&key);
                    match again_after {
                        Some(delay) => work.done_until(delay),
                        None => work.done(),
                    }
                }
                Err(error) => {
                    tracing::debug!(controller = C::NAME, %key, %error, "turn failed");
                    // A conflict is the normal way to learn of a newer state, not a failure to report.
                    if error.retry() != Retry::AfterReread {
                        self.failures.insert(key, error.to_string());
                    }
                    work.retry();
                }
            }
        }
    }
}
