//! What is known about each target, for `/api/v1/targets`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Target;

/// Whether a target answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// Not scraped yet.
    Unknown,
    /// The last scrape was stored.
    Up,
    /// The last scrape failed.
    Down,
}

/// A target and its last scrape.
#[derive(Debug, Clone)]
pub struct TargetStatus {
    /// The target.
    pub target: Target,
    /// Whether it answers.
    pub health: Health,
    /// Why the last scrape failed.
    pub last_error: Option<String>,
    /// Unix milliseconds of the last scrape.
    pub last_scrape_ms: Option<i64>,
    /// How long the last scrape took.
    pub last_duration: Duration,
}

/// The state of all targets of one scraper; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Targets {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    targets: HashMap<Target, TargetStatus>,
    dropped: usize,
}

impl Targets {
    /// All targets, by URL.
    #[must_use]
    pub fn list(&self) -> Vec<TargetStatus> {
        let mut list: Vec<TargetStatus> = self.lock().targets.values().cloned().collect();
        list.sort_by(|a, b| a.target.sort_key().cmp(&b.target.sort_key()));
        list
    }

    /// How many targets are not scraped because there are too many.
    #[must_use]
    pub fn dropped(&self) -> usize {
        self.lock().dropped
    }

    pub(super) fn set_dropped(&self, dropped: usize) {
        self.lock().dropped = dropped;
    }

    pub(super) fn add(&self, target: &Target) {
        let status = TargetStatus {
            target: target.clone(),
            health: Health::Unknown,
            last_error: None,
            last_scrape_ms: None,
            last_duration: Duration::ZERO,
        };
        self.lock().targets.insert(target.clone(), status);
    }

    pub(super) fn scraped(&self, target: &Target, time_ms: i64, duration: Duration, error: Option<String>) {
        if let Some(status) = self.lock().targets.get_mut(target) {
            status.health = if error.is_none() { Health::Up } else { Health::Down };
            status.last_error = error;
            status.last_scrape_ms = Some(time_ms);
            status.last_duration = duration;
        }
    }

    pub(super) fn remove(&self, target: &Target) {
        self.lock().targets.remove(target);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Every write is one assignment: a panic leaves nothing half done.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
