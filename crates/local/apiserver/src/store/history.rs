//! What happened lately to one table.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Stored;

/// Events kept a table. A watcher that falls further behind lists again; kube-apiserver's watch caches keep 100 at
/// first and grow to 100 Ki. A laptop's busiest table (Events, Pods of a rollout) writes some hundred a minute.
pub const HISTORY_EVENTS_MAX: usize = 4096;

/// Bytes of objects kept a table by its history, so that a few large ConfigMaps written often cannot fill memory.
pub const HISTORY_BYTES_MAX: usize = 8 << 20;

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was not there before.
    Added,
    /// It was there with another state.
    Modified,
    /// It is there no more; the event shows its last state under the revision of the deletion.
    Deleted,
}

/// One write, as watchers see it.
#[derive(Clone, Debug)]
pub struct Event {
    /// What happened.
    pub change: Change,
    /// The state after it, or the last state of what was deleted.
    pub object: Arc<Stored>,
    /// The state before it: a watcher with a selector needs it to tell "came into view" from "changed".
    pub previous: Option<Arc<Stored>>,
}

impl Event {
    /// The revision of the write.
    pub fn revision(&self) -> u64 {
        self.object.revision()
    }
}

/// A bounded ring of events, oldest first.
#[derive(Debug)]
pub(super) struct History {
    events: VecDeque<Event>,
    bytes: usize,
    /// Everything after this revision is still here.
    complete_after: u64,
}

impl History {
    /// A history that knows nothing of what happened up to a revision.
    pub(super) fn starting_after(revision: u64) -> Self {
        History {
            events: VecDeque::new(),
            bytes: 0,
            complete_after: revision,
        }
    }

    pub(super) fn push(&mut self, event: Event) {
        self.bytes += event.object.bytes().len();
        self.events.push_back(event);
        while self.events.len() > HISTORY_EVENTS_MAX || (self.bytes > HISTORY_BYTES_MAX && self.events.len() > 1) {
            if let Some(oldest) = self.events.pop_front() {
                self.bytes -= oldest.object.bytes().len();
                self.complete_after = oldest.revision();
            }
        }
    }

    /// At most `limit` events after a revision, or `None` where some of them are gone.
    pub(super) fn after(&self, revision: u64, limit: usize) -> Option<Vec<Event>> {
        if revision < self.complete_after {
            return None;
        }
        let start = self.events.partition_point(|event| event.revision() <= revision);
        Some(self.events.range(start..).take(limit).cloned().collect())
    }
}
