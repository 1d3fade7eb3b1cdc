//! Lists that are read in pages see one moment.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Stored;

/// Unfinished paged lists that are remembered. The oldest is forgotten first, and whoever continues it gets 410 and
/// lists again, exactly as when etcd has compacted. kubectl pages by 500, one list at a time.
pub const SNAPSHOTS_MAX: usize = 16;

/// A list that is being read in pages.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Which list: the table, namespace and selectors it was made for.
    pub query: Arc<str>,
    /// The revision that the whole list is of.
    pub revision: u64,
    /// All its objects, in the order of keys.
    pub objects: Arc<[Arc<Stored>]>,
}

/// Snapshots by ticket, bounded.
#[derive(Debug, Default)]
pub(super) struct Snapshots {
    kept: VecDeque<(u64, Snapshot)>,
    next_ticket: u64,
}

impl Snapshots {
    /// Keeps a list and gives the ticket to continue it.
    pub(super) fn keep(&mut self, snapshot: Snapshot) -> u64 {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.kept.push_back((ticket, snapshot));
        if self.kept.len() > SNAPSHOTS_MAX {
            self.kept.pop_front();
        }
        ticket
    }

    /// The list of a ticket; it stays, because a client may repeat a request whose answer was lost.
    pub(super) fn find(&self, ticket: u64) -> Option<Snapshot> {
        self.kept
            .iter()
            .find(|(known, _)| *known == ticket)
            .map(|(_, snapshot)| snapshot.clone())
    }
}
