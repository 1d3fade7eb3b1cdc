//! The managers of one object: `metadata.managedFields`.

use serde_json::{Value, json};

use super::Writer;
use super::set::FieldSet;

/// Managers that only update beyond this number are joined into one; upstream has the same limit.
const UPDATERS_MAX: usize = 10;
const ANCIENT: &str = "ancient-changes";

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Operation {
    Apply,
    Update,
}

/// One manager and what it owns.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) manager: String,
    pub(super) operation: Operation,
    pub(super) subresource: String,
    pub(super) api_version: String,
    pub(super) time: String,
    pub(super) set: FieldSet,
}

impl Entry {
    /// An applier is the same in every version; updates in two versions are two managers.
    fn is(&self, operation: Operation, writer: &Writer<'_>) -> bool {
        self.operation == operation
            && self.manager == writer.manager
            && self.subresource == writer.subresource
            && (operation == Operation::Apply || self.api_version == writer.api_version)
    }

    /// As conflicts name it.
    fn title(&self) -> String {
        let mut title = format!("{:?}", self.manager);
        if !self.subresource.is_empty() {
            title += &format!(" with subresource {:?}", self.subresource);
        }
        if self.operation == Operation::Update {
            title += &format!(" using {}", self.api_version);
        }
        title
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Managers {
    entries: Vec<Entry>,
}

impl Managers {
    /// Those of an object; entries that cannot be read are left out.
    pub(super) fn of(object: &Value) -> Self {
        let entries = object["metadata"]["managedFields"].as_array().into_iter().flatten();
        let read = |entry: &Value| {
            let text = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
            let operation = match entry["operation"].as_str()? {
                "Apply" => Operation::Apply,
                "Update" => Operation::Update,
                _ => return None,
            };
            Some(Entry {
                manager: text("manager"),
                operation,
                subresource: text("subresource"),
                api_version: text("apiVersion"),
                time: text("time"),
                set: FieldSet::from_value(&entry["fieldsV1"]),
            })
        };
        Managers {
            entries: entries.filter_map(read).collect(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entry of a writer, made where there is none.
    pub(super) fn entry(&mut self, operation: Operation, writer: &Writer<'_>) -> &mut Entry {
        let place = self
            .entries
            .iter()
            .position(|entry| entry.is(operation, writer))
            .unwrap_or_else(|| {
                self.entries.push(Entry {
                    manager: writer.manager.to_owned(),
                    operation,
                    subresource: writer.subresource.to_owned(),
                    api_version: writer.api_version.to_owned(),
                    time: String::new(),
                    set: FieldSet::default(),
                });
                self.entries.len() - 1
            });
        &mut self.entries[place]
    }

    /// Takes fields from all managers but the applier `except`.
    pub(super) fn release(&mut self, fields: &FieldSet, except: Option<&Writer<'_>>) {
        for entry in &mut self.entries {
            if !except.is_some_and(|writer| entry.is(Operation::Apply, writer)) {
                entry.set = entry.set.difference(fields);
            }
        }
    }

    /// Titles and paths of what others than the applier own of these fields, by title.
    pub(super) fn conflicts(&self, fields: &FieldSet, writer: &Writer<'_>) -> Vec<(String, Vec<String>)> {
        let mut conflicts = Vec::new();
        for entry in self.entries.iter().filter(|entry| !entry.is(Operation::Apply, writer)) {
            let paths = entry.set.intersection(fields).paths();
            conflicts.extend(paths.into_iter().map(|path| (entry.title(), path)));
        }
        conflicts.sort_by(|(left, _), (right, _)| left.cmp(right));
        conflicts
    }

    /// What anybody owns.
    pub(super) fn union(&self) -> FieldSet {
        self.entries
            .iter()
            .fold(FieldSet::default(), |all, entry| all.union(&entry.set))
    }

    pub(super) fn drop_empty(&mut self) {
        self.entries.retain(|entry| !entry.set.is_empty());
    }

    /// Joins the oldest updaters where there are too many, one bucket for each version.
    pub(super) fn cap(&mut self) {
        self.sort();
        while self
            .entries
            .iter()
            .filter(|entry| entry.operation == Operation::Update)
            .count()
            > UPDATERS_MAX
        {
            let Some(oldest) = self
                .entries
                .iter()
                .position(|entry| entry.operation == Operation::Update)
            else {
                return;
            };
            let removed = self.entries.remove(oldest);
            let same =
                |entry: &&mut Entry| entry.operation == Operation::Update && entry.api_version == removed.api_version;
            match self.entries.iter_mut().find(same) {
                Some(next) => {
                    next.set = next.set.union(&removed.set);
                    next.manager = ANCIENT.to_owned();
                    next.subresource = String::new();
                }
                // The last of its version stays: there is nothing to join it with.
                None => {
                    self.entries.push(removed);
                    return;
                }
            }
        }
    }

    fn sort(&mut self) {
        self.entries.sort_by(|left, right| {
            let key = |entry: &Entry| {
                (
                    entry.operation,
                    entry.time.clone(),
                    entry.manager.clone(),
                    entry.api_version.clone(),
                    entry.subresource.clone(),
                )
            };
            key(left).cmp(&key(right))
        });
    }

    /// The list as objects carry it.
    pub(super) fn to_value(&self) -> Value {
        let mut sorted = self.clone();
        sorted.sort();
        let entry = |entry: &Entry| {
            let operation = if entry.operation == Operation::Apply {
                "Apply"
            } else {
                "Update"
            };
            let mut value = json!({
                "manager": entry.manager, "operation": operation, "apiVersion": entry.api_version, "time": entry.time,
                "fieldsType": "FieldsV1", "fieldsV1": entry.set.to_value(),
            });
            if !entry.subresource.is_empty() {
                value["subresource"] = json!(entry.subresource);
            }
            value
        };
        sorted.entries.iter().map(entry).collect()
    }
}
