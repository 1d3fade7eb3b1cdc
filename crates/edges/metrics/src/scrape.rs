//! Scraping: every target at its own time, each scrape all or nothing.
//!
//! ```text
//!   watch<Vec<Target>> ──> Scraper ──one task a target──> Fetch ──> Ingest ──> Store
//!                                                           │
//!                                                           └─> TargetStatus ──> /api/v1/targets
//! ```
//!
//! A target's place in the interval follows from a hash of its address and labels, so that scrapes spread
//! over the interval and stay where they are over restarts. A body is parsed as a whole before any of it is
//! stored. A series that a target no longer shows, and every series of a target that fails or goes, ends with
//! a staleness marker, so that queries do not go on with its last value.
//!
//! As upstream, each scrape also stores `up`, `scrape_duration_seconds`, `scrape_samples_scraped`,
//! `scrape_samples_post_metric_relabeling` and `scrape_series_added` under the target's labels.

pub mod annotations;
pub mod config;
mod fetch;
mod ingest;
pub mod relabel;
mod schedule;
mod status;
mod target;

pub(crate) use fetch::causes;
pub use fetch::{Body, Fetch, FetchError, HttpFetch};
pub use ingest::ScrapeError;
pub use status::{Health, TargetStatus, Targets};
pub use target::{Authorization, Conflict, Settings, Target, Timestamps};

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::Duration;

use flyball_core::Clock;
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::Store;
use ingest::Ingest;

/// Targets scraped at all; further ones are reported as dropped. A laptop has tens, a large shard a few thousand.
pub const TARGETS_MAX: usize = 10_000;

/// Scrapes in flight at one time: bounds open sockets and bodies held in memory.
pub const SCRAPES_CONCURRENT_MAX: usize = 64;

/// How often the store is asked to forget what is older than its retention.
const MAINTENANCE_INTERVAL: Duration = Duration::from_secs(60);

/// When a new target is scraped first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstScrape {
    /// At once, then at its place in the interval: for a laptop, where somebody waits.
    Immediate,
    /// At its place in the interval, as upstream.
    Scheduled,
}

/// Scrapes targets into a store.
pub struct Scraper {
    context: Arc<Context>,
    first: FirstScrape,
}

struct Context {
    store: Store,
    clock: Arc<dyn Clock>,
    fetch: Arc<dyn Fetch>,
    targets: Targets,
    permits: Semaphore,
}

impl Scraper {
    /// A scraper over HTTP.
    #[must_use]
    pub fn new(store: Store, clock: Arc<dyn Clock>, first: FirstScrape) -> Self {
        Scraper::with_fetch(store, clock, first, Arc::new(HttpFetch::default()))
    }

    /// A scraper that gets bodies in another way: simulations and tests.
    #[must_use]
    pub fn with_fetch(store: Store, clock: Arc<dyn Clock>, first: FirstScrape, fetch: Arc<dyn Fetch>) -> Self {
        let permits = Semaphore::new(SCRAPES_CONCURRENT_MAX);
        let context = Context {
            store,
            clock,
            fetch,
            targets: Targets::default(),
            permits,
        };
        Scraper {
            context: Arc::new(context),
            first,
        }
    }

    /// What is known about the targets, now and later.
    #[must_use]
    pub fn targets(&self) -> Targets {
        self.context.targets.clone()
    }

    /// Scrapes the targets that `targets` lists at each moment, until its sender is gone; then ends all
    /// series and returns. Dropping the future stops at once and leaves series without their end.
    pub async fn run(self, mut targets: watch::Receiver<Vec<Target>>) {
        let mut running: HashMap<Target, oneshot::Sender<()>> = HashMap::new();
        let mut tasks = JoinSet::new();
        let mut maintenance = tokio::time::interval(MAINTENANCE_INTERVAL);
        loop {
            let mut wanted = targets.borrow_and_update().clone();
            wanted.sort_unstable_by(|a, b| a.sort_key().cmp(&b.sort_key()));
            wanted.dedup();
            self.context
                .targets
                .set_dropped(wanted.len().saturating_sub(TARGETS_MAX));
            wanted.truncate(TARGETS_MAX);
            // A dropped sender tells its task to end.
            running.retain(|target, _| wanted.contains(target));
            for target in wanted {
                if let Entry::Vacant(place) = running.entry(target) {
                    let (stop, stopped) = oneshot::channel();
                    tasks.spawn(scrape_loop(
                        self.context.clone(),
                        place.key().clone(),
                        self.first,
                        stopped,
                    ));
                    place.insert(stop);
                }
            }
            loop {
                tokio::select! {
                    changed = targets.changed() => match changed {
                        Ok(()) => break,
                        Err(_) => {
                            running.clear();
                            while tasks.join_next().await.is_some() {}
                            return;
                        }
                    },
                    Some(ended) = tasks.join_next() => if let Err(error) = ended {
                        tracing::error!(%error, "a scrape task failed; its target is not scraped until the target list changes");
                        running.retain(|_, stop| !stop.is_closed());
                    },
                    _ = maintenance.tick() => {
                        let now_ms = self.context.clock.now().as_millisecond();
                        self.context.store.head_mut().maintain(now_ms);
                    }
                }
            }
        }
    }
}

/// One target's life.
async fn scrape_loop(context: Arc<Context>, target: Target, first: FirstScrape, mut stop: oneshot::Receiver<()>) {
    let mut ingest = Ingest::new(&target);
    let interval = target.settings.interval.max(schedule::INTERVAL_MIN);
    let offset_ms = schedule::offset_ms(&target, interval);
    let mut scheduled_ms = match first {
        FirstScrape::Immediate => context.clock.now().as_millisecond(),
        FirstScrape::Scheduled => schedule::next_ms(context.clock.now().as_millisecond(), interval, offset_ms),
    };
    context.targets.add(&target);
    loop {
        let wait_ms = scheduled_ms.saturating_sub(context.clock.now().as_millisecond());
        let wait = Duration::from_millis(u64::try_from(wait_ms).unwrap_or(0));
        let scrape = async {
            tokio::time::sleep(wait).await;
            // The semaphore is never closed.
            let _permit = context.permits.acquire().await;
            let time_ms = schedule::align_ms(context.clock.now().as_millisecond(), scheduled_ms, interval);
            let started = Instant::now();
            let body = context.fetch.fetch(&target).await;
            (time_ms, started.elapsed(), body)
        };
        tokio::select! {
            _ = &mut stop => break,
            (time_ms, duration, body) = scrape => {
                let outcome = ingest.scraped(&context.store, time_ms, duration, body);
                context.targets.scraped(&target, time_ms, duration, outcome.err().map(|error| error.to_string()));
            }
        }
        scheduled_ms = schedule::next_ms(context.clock.now().as_millisecond(), interval, offset_ms);
    }
    ingest.end(&context.store, context.clock.now().as_millisecond());
    context.targets.remove(&target);
}

#[cfg(test)]
mod tests;
