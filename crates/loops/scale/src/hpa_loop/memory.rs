//! What the loop remembers between turns.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use cluster::ObjectKey;

use crate::hpa::{Failure, History};
use apimachinery::selector::LabelSelector;

use crate::selector::{Labels, ambiguous, selects};

/// Per autoscaler; entries go when their autoscaler goes, so the number of autoscalers bounds it.
#[derive(Debug, Default)]
pub(super) struct Memory {
    entries: Mutex<HashMap<ObjectKey, Remembered>>,
}

#[derive(Debug, Default)]
struct Remembered {
    history: History,
    selector: Option<LabelSelector>,
    written_revision: u64,
}

impl Memory {
    fn lock(&self) -> MutexGuard<'_, HashMap<ObjectKey, Remembered>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn history(&self, key: &ObjectKey) -> History {
        self.lock()
            .get(key)
            .map(|entry| entry.history.clone())
            .unwrap_or_default()
    }

    pub(super) fn keep(&self, key: &ObjectKey, history: History) {
        self.lock().entry(key.clone()).or_default().history = history;
    }

    /// The revision of the last status written, to tell a stale cache.
    pub(super) fn written_revision(&self, key: &ObjectKey) -> u64 {
        self.lock().get(key).map_or(0, |entry| entry.written_revision)
    }

    pub(super) fn wrote(&self, key: &ObjectKey, revision: u64) {
        self.lock().entry(key.clone()).or_default().written_revision = revision;
    }

    pub(super) fn forget(&self, key: &ObjectKey) {
        self.lock().remove(key);
    }

    /// Registers what an autoscaler selects; a failure when another one of the namespace selects any of the
    /// same pods.
    pub(super) fn claim(&self, key: &ObjectKey, selector: &LabelSelector, pods: &[&Labels]) -> Result<(), Failure> {
        let mut entries = self.lock();
        entries.entry(key.clone()).or_default().selector = Some(selector.clone());
        let rival = entries.iter().find(|(other, entry)| {
            *other != key
                && other.namespace == key.namespace
                && entry
                    .selector
                    .as_ref()
                    .is_some_and(|other| pods.iter().any(|labels| selects(other, labels)))
        });
        match rival {
            Some((rival, _)) => Err(ambiguous(selector, &rival.name)),
            None => Ok(()),
        }
    }
}
