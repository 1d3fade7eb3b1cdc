//! A cursor into a table's history.

use std::sync::Arc;

use tokio::sync::watch::Receiver;

use super::{Event, Store, TableName};

/// Events taken from history at once: enough to batch a burst into one answer frame, few enough to share the lock.
const BATCH_EVENTS_MAX: usize = 128;

/// History no longer reaches back to the cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the events after revision {after} are no longer kept")]
pub struct Lag {
    /// Where the cursor was.
    pub after: u64,
}

/// Gives the events of one table, in order, none left out.
#[derive(Debug)]
pub struct Watch {
    store: Arc<Store>,
    table: TableName,
    /// Everything up to this revision was given or did not concern the table.
    seen: u64,
    bell: Receiver<u64>,
}

impl Watch {
    pub(super) fn new(store: Arc<Store>, table: TableName, after: u64, bell: Receiver<u64>) -> Self {
        Watch {
            store,
            table,
            seen: after,
            bell,
        }
    }

    /// The revision up to which nothing is missing: what a bookmark tells a client.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// The events that are there already; empty where there are none.
    pub fn take(&mut self) -> Result<Vec<Event>, Lag> {
        // The bell is reset before history is read: a write in between rings again, none is missed.
        self.bell.borrow_and_update();
        let taken = self.store.events_after(&self.table, self.seen, BATCH_EVENTS_MAX);
        let (events, revision) = taken.ok_or(Lag { after: self.seen })?;
        self.seen = match events.last() {
            Some(last) if events.len() == BATCH_EVENTS_MAX => {
                self.bell.mark_changed();
                last.revision()
            }
            _ => revision.max(self.seen),
        };
        Ok(events)
    }

    /// Waits until there may be more. Cancelling it loses nothing.
    pub async fn rung(&mut self) {
        if self.bell.changed().await.is_err() {
            // The store keeps its bells as long as it lives, and this cursor keeps the store.
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Change, Draft, Expect, HISTORY_EVENTS_MAX, ObjectKey, Outcome, Write, WriteError};
    use serde_json::json;

    fn put(store: &Store, name: &str, expect: Expect) -> Result<u64, WriteError> {
        let table = TableName::new("configmaps");
        let outcome = Outcome::Put(Draft::new("v1", "ConfigMap", &json!({"metadata": {"name": name}})));
        let key = ObjectKey::new(&table, "default", name);
        store
            .commit(&Write { key, expect, outcome })
            .map(|event| event.revision())
    }

    fn delete(store: &Store, name: &str, revision: u64) -> Result<u64, WriteError> {
        let key = ObjectKey::new(&TableName::new("configmaps"), "default", name);
        let write = Write {
            key,
            expect: Expect::Revision(revision),
            outcome: Outcome::Delete,
        };
        store.commit(&write).map(|event| event.revision())
    }

    fn changes(watch: &mut Watch) -> Vec<(Change, String, u64)> {
        let events = watch.take().expect("history reaches back");
        events
            .iter()
            .map(|event| (event.change, event.object.name().to_owned(), event.revision()))
            .collect()
    }

    #[test]
    fn of_two_writers_with_one_state_one_wins() {
        let store = Store::default();
        assert_eq!(put(&store, "a", Expect::Absent), Ok(1));
        assert_eq!(put(&store, "a", Expect::Absent), Err(WriteError::Exists));
        assert_eq!(put(&store, "a", Expect::Revision(1)), Ok(2));
        assert_eq!(
            put(&store, "a", Expect::Revision(1)),
            Err(WriteError::Moved { current: 2 })
        );
        assert_eq!(delete(&store, "a", 1), Err(WriteError::Moved { current: 2 }));
        assert_eq!(delete(&store, "a", 2), Ok(3));
        assert_eq!(put(&store, "a", Expect::Revision(2)), Err(WriteError::Missing));
    }

    #[test]
    fn a_watch_gives_each_event_once_in_order() {
        let store = Arc::new(Store::default());
        let mut watch = store.watch(&TableName::new("configmaps"), 0);
        let mut late = store.watch(&TableName::new("configmaps"), 1);
        let mut other = store.watch(&TableName::new("secrets"), 0);
        put(&store, "a", Expect::Absent).unwrap();
        put(&store, "a", Expect::Revision(1)).unwrap();
        assert_eq!(
            changes(&mut watch),
            [(Change::Added, "a".into(), 1), (Change::Modified, "a".into(), 2)]
        );
        delete(&store, "a", 2).unwrap();
        assert_eq!(changes(&mut watch), [(Change::Deleted, "a".into(), 3)]);
        assert_eq!(changes(&mut late).len(), 2);
        assert_eq!(changes(&mut other), []);
        assert_eq!(other.seen(), 3, "a bookmark may say that nothing else happened");
    }

    #[test]
    fn who_is_slower_than_history_is_told() {
        let store = Arc::new(Store::default());
        let mut watch = store.watch(&TableName::new("configmaps"), 0);
        for revision in 0..=HISTORY_EVENTS_MAX as u64 {
            let expect = if revision == 0 {
                Expect::Absent
            } else {
                Expect::Revision(revision)
            };
            put(&store, "a", expect).unwrap();
        }
        assert_eq!(watch.take().unwrap_err(), Lag { after: 0 });
    }
}
