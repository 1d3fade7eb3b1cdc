//! Where objects are: a versioned map with a memory of what happened lately.
//!
//! ```text
//!   Draft ──commit──> Core ──> tables: namespace/name -> Stored (bytes, facts)
//!   (Expect, Outcome)   │
//!                       ├────> history: the last events of each table <──pull── Watch (a cursor)
//!                       └────> journal (optional): appended, fsynced in groups
//! ```
//!
//! One counter, the *revision*, numbers all writes of all tables; it is what clients know as `resourceVersion`. A write says
//! what it expects to find, so that two writers who read the same state cannot both win. Objects are kept as the bytes that
//! clients get: a `get` copies nothing, a watch event of one write is one allocation shared by all its watchers.
//!
//! Watchers hold no queues. A [`Watch`] is a cursor into its table's history and is woken by a bell when there is more; a
//! watcher that is slower than history is told so ([`Lag`], HTTP's 410) and lists again. A slow client costs nothing.

mod core;
mod history;
mod object;
mod snapshot;
mod watch;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use self::core::{Expect, Outcome, Write, WriteError};
pub use self::history::{Change, Event, HISTORY_BYTES_MAX, HISTORY_EVENTS_MAX};
pub use self::object::{Draft, Facts, ObjectKey, Stored, TableName, type_head};
pub use self::snapshot::{SNAPSHOTS_MAX, Snapshot};
pub use self::watch::{Lag, Watch};

use self::core::Core;
use self::snapshot::Snapshots;

/// The shared store. Locks are held for map operations only, never across serialisation, I/O or an await.
#[derive(Debug, Default)]
pub struct Store {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    core: Core,
    snapshots: Snapshots,
    /// One bell a table that somebody watches; its value is the revision of the table's last write.
    bells: HashMap<TableName, tokio::sync::watch::Sender<u64>>,
}

/// What a list sees: one moment.
#[derive(Debug)]
pub struct Listing {
    /// The revision of that moment.
    pub revision: u64,
    /// The objects, in the order of their keys.
    pub objects: Vec<Arc<Stored>>,
}

impl Store {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic elsewhere cannot leave the maps half-written: every change to them is a single insertion.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes one object, or says why not.
    pub fn commit(&self, write: &Write) -> Result<Event, WriteError> {
        let mut inner = self.lock();
        let event = inner.core.apply(write)?;
        if let Some(bell) = inner.bells.get(&write.key.table) {
            bell.send_replace(event.revision());
        }
        Ok(event)
    }

    /// The present state of an object.
    pub fn get(&self, key: &ObjectKey) -> Option<Arc<Stored>> {
        self.lock().core.get(key).cloned()
    }

    /// The objects of a namespace, or of the whole table, for which the predicate holds.
    pub fn list(&self, table: &TableName, namespace: Option<&str>, matches: impl Fn(&Stored) -> bool) -> Listing {
        let inner = self.lock();
        let objects = inner
            .core
            .range(table, namespace)
            .filter(|object| matches(object))
            .cloned()
            .collect();
        Listing {
            revision: inner.core.revision(),
            objects,
        }
    }

    /// The revision of the last write.
    pub fn revision(&self) -> u64 {
        self.lock().core.revision()
    }

    /// How many objects a table holds.
    pub fn count(&self, table: &TableName) -> usize {
        self.lock().core.count(table)
    }

    /// Every table with its number of objects, in the order of names.
    pub fn counts(&self) -> Vec<(TableName, usize)> {
        let mut counts: Vec<_> = self
            .lock()
            .core
            .tables()
            .map(|(name, count)| (name.clone(), count))
            .collect();
        counts.sort();
        counts
    }

    /// Remembers a list that is read in pages and gives the ticket to continue it.
    pub fn keep_snapshot(&self, snapshot: Snapshot) -> u64 {
        self.lock().snapshots.keep(snapshot)
    }

    /// The list of a ticket, `None` where it was forgotten.
    pub fn snapshot(&self, ticket: u64) -> Option<Snapshot> {
        self.lock().snapshots.find(ticket)
    }

    /// A cursor that gives the table's events after a revision.
    pub fn watch(self: &Arc<Self>, table: &TableName, after: u64) -> Watch {
        let mut inner = self.lock();
        let bell = inner
            .bells
            .entry(table.clone())
            .or_insert_with(|| tokio::sync::watch::Sender::new(0))
            .subscribe();
        drop(inner);
        Watch::new(self.clone(), table.clone(), after, bell)
    }

    fn events_after(&self, table: &TableName, revision: u64, limit: usize) -> Option<(Vec<Event>, u64)> {
        let inner = self.lock();
        let events = inner.core.events_after(table, revision, limit)?;
        Some((events, inner.core.revision()))
    }
}
