//! The synchronous heart of the store: tables, one revision counter, one history a table.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use super::history::History;
use super::{Change, Draft, Event, ObjectKey, Stored, TableName};

/// What a write expects to find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// No object.
    Absent,
    /// The object in exactly this state.
    Revision(u64),
}

/// What a write leaves behind.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// This object.
    Put(Draft),
    /// No object.
    Delete,
}

/// One write.
#[derive(Clone, Debug)]
pub struct Write {
    /// Where.
    pub key: ObjectKey,
    /// What must be there; otherwise nothing is written.
    pub expect: Expect,
    /// What is there afterwards.
    pub outcome: Outcome,
}

/// Why a write did not happen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// Something is there that should not.
    #[error("an object of that name exists")]
    Exists,
    /// Nothing is there.
    #[error("no object of that name")]
    Missing,
    /// Another state is there: somebody else wrote in between.
    #[error("the object is at revision {current}")]
    Moved {
        /// The revision that is there.
        current: u64,
    },
}

#[derive(Debug)]
struct Table {
    objects: BTreeMap<Arc<str>, Arc<Stored>>,
    history: History,
}

/// The state of a store. Every method is a function of it and its arguments: no clock, no I/O, no waiting.
#[derive(Debug, Default)]
pub(super) struct Core {
    tables: HashMap<TableName, Table>,
    revision: u64,
    /// Histories begin here: what was restored from disk has no events.
    history_starts_after: u64,
}

impl Core {
    /// A store that was filled from a log. Revisions go on after `revision`.
    pub(super) fn restored(objects: impl IntoIterator<Item = (TableName, Arc<Stored>)>, revision: u64) -> Self {
        let mut core = Core {
            tables: HashMap::new(),
            revision,
            history_starts_after: revision,
        };
        for (table, object) in objects {
            core.table(&table).objects.insert(object.path().clone(), object);
        }
        core
    }

    pub(super) fn revision(&self) -> u64 {
        self.revision
    }

    fn table(&mut self, name: &TableName) -> &mut Table {
        let starts_after = self.history_starts_after;
        self.tables.entry(name.clone()).or_insert_with(|| Table {
            objects: BTreeMap::new(),
            history: History::starting_after(starts_after),
        })
    }

    pub(super) fn get(&self, key: &ObjectKey) -> Option<&Arc<Stored>> {
        self.tables.get(&key.table)?.objects.get(&key.path)
    }

    /// The objects of a namespace (all of the table where it is `None`), in the order of their keys.
    pub(super) fn range<'a>(
        &'a self,
        table: &TableName,
        namespace: Option<&str>,
    ) -> impl Iterator<Item = &'a Arc<Stored>> + use<'a> {
        let prefix: Arc<str> = Arc::from(namespace.map(|namespace| format!("{namespace}/")).unwrap_or_default());
        let bounds: (Bound<&str>, Bound<&str>) = (Bound::Included(&prefix), Bound::Unbounded);
        let objects = self
            .tables
            .get(table)
            .map(|table| table.objects.range::<str, _>(bounds));
        objects
            .into_iter()
            .flatten()
            .take_while(move |(path, _)| path.starts_with(&*prefix))
            .map(|(_, object)| object)
    }

    pub(super) fn count(&self, table: &TableName) -> usize {
        self.tables.get(table).map_or(0, |table| table.objects.len())
    }

    pub(super) fn tables(&self) -> impl Iterator<Item = (&TableName, usize)> {
        self.tables.iter().map(|(name, table)| (name, table.objects.len()))
    }

    /// Every object with its table.
    pub(super) fn everything(&self) -> impl Iterator<Item = (&TableName, &Arc<Stored>)> {
        self.tables
            .iter()
            .flat_map(|(name, table)| table.objects.values().map(move |object| (name, object)))
    }

    /// Writes, or says why not. The event's object is the new state, or the last one of what was deleted.
    pub(super) fn apply(&mut self, write: &Write) -> Result<Event, WriteError> {
        let current = self.get(&write.key).cloned();
        match (write.expect, &current) {
            (Expect::Absent, Some(_)) => return Err(WriteError::Exists),
            (Expect::Revision(_), None) => return Err(WriteError::Missing),
            (Expect::Revision(expected), Some(object)) if object.revision() != expected => {
                return Err(WriteError::Moved {
                    current: object.revision(),
                });
            }
            _ => {}
        }
        let revision = self.revision + 1;
        let event = match (&write.outcome, current) {
            (Outcome::Put(draft), previous) => {
                let change = if previous.is_some() {
                    Change::Modified
                } else {
                    Change::Added
                };
                Event {
                    change,
                    object: Arc::new(draft.at(write.key.path.clone(), revision)),
                    previous,
                }
            }
            (Outcome::Delete, Some(last)) => Event {
                change: Change::Deleted,
                object: Arc::new(last.moved_to(revision)),
                previous: Some(last),
            },
            (Outcome::Delete, None) => return Err(WriteError::Missing),
        };
        self.revision = revision;
        let table = self.table(&write.key.table);
        match event.change {
            Change::Deleted => table.objects.remove(&write.key.path),
            _ => table.objects.insert(write.key.path.clone(), event.object.clone()),
        };
        table.history.push(event.clone());
        Ok(event)
    }

    /// At most `limit` events of a table after a revision; `None` where history no longer reaches back so far.
    pub(super) fn events_after(&self, table: &TableName, revision: u64, limit: usize) -> Option<Vec<Event>> {
        match self.tables.get(table) {
            Some(table) => table.history.after(revision, limit),
            None if revision < self.history_starts_after => None,
            None => Some(Vec::new()),
        }
    }
}
