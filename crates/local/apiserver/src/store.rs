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
mod journal;
mod object;
mod record;
mod snapshot;
mod watch;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use self::core::{Expect, Outcome, Write, WriteError};
pub use self::history::{Change, Event, HISTORY_BYTES_MAX, HISTORY_EVENTS_MAX};
pub use self::journal::JournalError;
pub use self::object::{Draft, Facts, ObjectKey, Stored, TableName, type_head};
pub use self::snapshot::{SNAPSHOTS_MAX, Snapshot};
pub use self::watch::{Lag, Watch};

use self::core::Core;
use self::journal::{Durable, Journal, REVISIONS_SKIPPED};
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
    /// Where writes go to stay; `None` for a store that ends with its process.
    journal: Option<Journal>,
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
    /// A store that is kept in a directory: filled from what is there, and every write goes there.
    pub fn open(directory: &Path) -> Result<Arc<Self>, JournalError> {
        let opened = journal::open(directory)?;
        let mut objects: HashMap<(TableName, Arc<str>), Arc<Stored>> = HashMap::new();
        let mut revision = 0;
        for record in &opened.records {
            revision = revision.max(record.revision);
            let key = (record.table.clone(), Arc::from(record.path.as_str()));
            match record
                .object
                .clone()
                .map(|bytes| Stored::restore(&record.path, record.revision, bytes))
            {
                Some(Some(object)) => drop(objects.insert(key, Arc::new(object))),
                Some(None) => tracing::error!(path = record.path, "an object of the journal cannot be read"),
                None => drop(objects.remove(&key)),
            }
        }
        let revision = if opened.records.is_empty() {
            0
        } else {
            revision + REVISIONS_SKIPPED
        };
        let core = Core::restored(
            objects.into_iter().map(|((table, _), object)| (table, object)),
            revision,
        );
        let store = Arc::new(Store {
            inner: Mutex::new(Inner {
                core,
                ..Inner::default()
            }),
        });
        let journal = Journal::start(opened, Arc::downgrade(&store), revision)?;
        store.lock().journal = Some(journal);
        Ok(store)
    }

    /// Waits until everything that was written before the call is there to stay. The error is the disk's.
    pub async fn settled(&self) -> Result<(), String> {
        let (mut durable, revision) = {
            let inner = self.lock();
            let Some(journal) = &inner.journal else { return Ok(()) };
            (journal.durable(), inner.core.revision())
        };
        let done = |durable: &Durable| match durable {
            Durable::Upto(reached) => *reached >= revision,
            Durable::Failed(_) => true,
        };
        match durable.wait_for(done).await.as_deref() {
            Ok(Durable::Upto(_)) => Ok(()),
            Ok(Durable::Failed(error)) => Err(error.clone()),
            Err(_) => Err("the journal was closed".to_owned()),
        }
    }

    /// Bytes of all objects that are there now.
    fn live_bytes(&self) -> u64 {
        self.lock()
            .core
            .everything()
            .map(|(_, object)| object.bytes().len() as u64)
            .sum()
    }

    /// Every object, and the revision of that moment.
    fn everything(&self) -> (Vec<(TableName, Arc<Stored>)>, u64) {
        let inner = self.lock();
        let objects = inner
            .core
            .everything()
            .map(|(table, object)| (table.clone(), object.clone()));
        (objects.collect(), inner.core.revision())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic elsewhere cannot leave the maps half-written: every change to them is a single insertion.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes one object, or says why not.
    pub fn commit(&self, write: &Write) -> Result<Event, WriteError> {
        let mut inner = self.lock();
        let event = inner.core.apply(write)?;
        if let Some(journal) = &inner.journal {
            journal.append(&write.key.table, &event);
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn put(store: &Store, name: &str, expect: Expect) -> u64 {
        let key = ObjectKey::new(&TableName::new("configmaps"), "default", name);
        let object = json!({"metadata": {"name": name, "labels": {"a": "b"}}, "data": {"text": name.repeat(100)}});
        let outcome = Outcome::Put(Draft::new("v1", "ConfigMap", &object));
        store
            .commit(&Write { key, expect, outcome })
            .expect("written")
            .revision()
    }

    fn names(store: &Store) -> Vec<String> {
        let listing = store.list(&TableName::new("configmaps"), None, |object| {
            object.facts().label("a") == Some("b")
        });
        listing.objects.iter().map(|object| object.name().to_owned()).collect()
    }

    #[tokio::test]
    async fn what_was_acknowledged_is_there_after_a_restart() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("data");
        let before = {
            let store = Store::open(&path).expect("opened");
            assert!(
                matches!(Store::open(&path), Err(JournalError::InUse(_))),
                "two servers cannot share a directory"
            );
            put(&store, "a", Expect::Absent);
            let revision = put(&store, "b", Expect::Absent);
            let key = ObjectKey::new(&TableName::new("configmaps"), "default", "b");
            let delete = Write {
                key,
                expect: Expect::Revision(revision),
                outcome: Outcome::Delete,
            };
            store.commit(&delete).expect("deleted");
            put(&store, "c", Expect::Absent);
            store.settled().await.expect("on disk");
            // As a SIGKILL leaves it: the files are copied before anything is closed in order.
            std::fs::copy(path.join("objects.journal"), directory.path().join("killed")).expect("copied");
            store.revision()
        };
        std::fs::copy(directory.path().join("killed"), path.join("objects.journal")).expect("copied back");
        // Half a record, as a crash in the middle of a write leaves it.
        let mut torn = std::fs::OpenOptions::new()
            .append(true)
            .open(path.join("objects.journal"))
            .expect("the journal");
        std::io::Write::write_all(&mut torn, &[200, 0, 0, 0, 1, 2, 3]).expect("written");
        for _ in 0..2 {
            let store = Store::open(&path).expect("opened again");
            assert_eq!(names(&store), ["a", "c"]);
            assert!(store.revision() > before, "no revision is given twice");
            let mut watch = store.watch(&TableName::new("configmaps"), before);
            assert!(watch.take().is_err(), "who watched before lists again");
        }
    }

    #[tokio::test]
    async fn a_journal_that_outgrew_its_objects_is_written_anew() {
        let directory = tempfile::tempdir().expect("a directory");
        let store = Store::open(directory.path()).expect("opened");
        let mut revision = put(&store, &"x".repeat(200), Expect::Absent);
        // About 20 KiB a write: a thousand are beyond the least size of a rewrite.
        for _ in 0..1000 {
            revision = put(&store, &"x".repeat(200), Expect::Revision(revision));
        }
        store.settled().await.expect("on disk");
        put(&store, "y", Expect::Absent);
        store.settled().await.expect("on disk");
        drop(store);
        let length = std::fs::metadata(directory.path().join("objects.journal"))
            .expect("the journal")
            .len();
        assert!(length < 8 << 20, "{length}");
        assert_eq!(names(&Store::open(directory.path()).expect("opened again")).len(), 2);
    }
}
