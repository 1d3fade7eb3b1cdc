//! Who owns which field: managed fields and server-side apply.
//!
//! ```text
//!  Update: live ──compare──> new          what changed belongs to the writer, and to nobody else any more
//!  Apply:  live ──merge───> configuration what the writer names belongs to it; what it named last time and
//!                                         nobody else owns is removed; what others own and it changes is a conflict
//! ```
//!
//! Ownership is a [`FieldSet`] for each manager: `metadata.managedFields[].fieldsV1`. The walks follow the [`Schema`]: lists
//! with keys and sets are owned element by element, atomic lists and maps as one value, raw JSON field by field.
//!
//! Source of semantics: structured-merge-diff v6 (`typed`, `fieldpath`, `merge`) and apimachinery's `managedfields`.

mod managers;
mod set;
mod typed;

pub use set::FieldSet;
pub use typed::{Comparison, compare, field_set};

use managers::{Managers, Operation};
use serde_json::{Map, Value, json};

use crate::resources::GroupVersion;
use crate::schema::Schema;
use crate::status::{Cause, CauseType, Status};

/// Who writes.
#[derive(Clone, Copy, Debug)]
pub struct Writer<'a> {
    /// The manager's name: `?fieldManager=`, or the first word of the user agent.
    pub manager: &'a str,
    /// The `apiVersion` that it writes in.
    pub api_version: &'a str,
    /// The subresource that it writes to, empty for the object itself.
    pub subresource: &'a str,
    /// The time of writing, RFC 3339 in whole seconds.
    pub now: &'a str,
}

/// Whether an apply takes fields from other managers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Force {
    /// It fails with a conflict.
    #[default]
    No,
    /// It takes them.
    Yes,
}

/// Names longer than this are refused; upstream has the same limit.
pub const MANAGER_BYTES_MAX: usize = 128;
const BEFORE_FIRST_APPLY: &str = "before-first-apply";
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Fields that identify an object or belong to the server; nobody owns them.
const UNOWNED: [&[&str]; 12] = [
    &["apiVersion"],
    &["kind"],
    &["metadata"],
    &["metadata", "name"],
    &["metadata", "namespace"],
    &["metadata", "creationTimestamp"],
    &["metadata", "selfLink"],
    &["metadata", "uid"],
    &["metadata", "clusterName"],
    &["metadata", "generation"],
    &["metadata", "managedFields"],
    &["metadata", "resourceVersion"],
];

fn strip(set: &FieldSet) -> FieldSet {
    let mut unowned = FieldSet::default();
    UNOWNED.iter().for_each(|path| unowned.insert_fields(path));
    set.difference(&unowned)
}

/// The part of an object that a write cannot touch, so that it does not come to own it either.
fn out_of_reach(writer: &Writer<'_>, status_is_apart: bool) -> FieldSet {
    let mut set = FieldSet::default();
    if writer.subresource == "status" {
        ["spec", "data"].iter().for_each(|name| set.insert_fields(&[name]));
    } else if status_is_apart {
        set.insert_fields(&["status"]);
    }
    set
}

fn without_managed(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(Value::Object(metadata)) = object.get_mut("metadata") {
        metadata.shift_remove("managedFields");
    }
    object
}

/// The object that a create compares with: nothing but its kind.
fn empty_of(object: &Value) -> Value {
    json!({"apiVersion": object["apiVersion"], "kind": object["kind"], "metadata": {}})
}

/// Records an update (create, replace, any patch but apply): sets `metadata.managedFields` of `new`.
///
/// `live` is the stored object, `None` for a create. `status_is_apart` says whether the kind has a status subresource.
/// A client that sends `managedFields` of its own replaces the recorded ones; the list with one empty entry resets them.
pub fn track_update(
    schema: &Schema,
    live: Option<&Value>,
    new: &mut Value,
    writer: &Writer<'_>,
    status_is_apart: bool,
) {
    let recorded = live.map(Managers::of).unwrap_or_default();
    let mut managers = match new["metadata"].get("managedFields") {
        Some(Value::Array(entries)) if entries.len() == 1 && entries[0] == json!({}) => Managers::default(),
        Some(Value::Array(entries)) if !entries.is_empty() => Managers::of(new),
        _ => recorded,
    };
    let plain_new = without_managed(new);
    let plain_live = live.map_or_else(|| empty_of(new), without_managed);
    // Objects that never had managers keep none until the first apply.
    if managers.is_empty() && live.is_some_and(|live| !live["metadata"]["uid"].is_null()) {
        set_managed(new, &managers);
        return;
    }
    record(schema, &plain_live, &plain_new, &mut managers, writer, status_is_apart);
    set_managed(new, &managers);
}

fn record(
    schema: &Schema,
    live: &Value,
    new: &Value,
    managers: &mut Managers,
    writer: &Writer<'_>,
    status_is_apart: bool,
) {
    let ignored = out_of_reach(writer, status_is_apart);
    let changes = compare(schema, live, new).excluding(&ignored);
    let gained = strip(&changes.modified.union(&changes.added));
    managers.release(&changes.modified.union(&changes.added).union(&changes.removed), None);
    if !gained.is_empty() {
        let own = managers.entry(Operation::Update, writer);
        own.set = own.set.union(&gained);
        own.api_version = writer.api_version.to_owned();
        own.time = writer.now.to_owned();
    }
    managers.drop_empty();
    managers.cap();
}

fn set_managed(object: &mut Value, managers: &Managers) {
    let entries = managers.to_value();
    if !object["metadata"].is_object() {
        object["metadata"] = Value::Object(Map::new());
    }
    match (&entries, &mut object["metadata"]) {
        (Value::Array(list), Value::Object(metadata)) if list.is_empty() => {
            drop(metadata.shift_remove("managedFields"))
        }
        (_, metadata) => metadata["managedFields"] = entries,
    }
}

/// Applies a configuration: the new object with its managed fields, before defaults and validation.
///
/// `live` is the stored object, `None` where the apply creates it. Fails with 409 and one cause for each field that belongs
/// to someone else, or 400 for a configuration that cannot be applied.
pub fn apply(
    schema: &Schema,
    live: Option<&Value>,
    configuration: &Value,
    writer: &Writer<'_>,
    force: Force,
    status_is_apart: bool,
) -> Result<Value, Status> {
    check_configuration(configuration, writer)?;
    let mut managers = live.map(Managers::of).unwrap_or_default();
    let plain_live = live.map_or_else(|| empty_of(configuration), without_managed);
    if managers.is_empty() && live.is_some() {
        let before = Writer {
            manager: BEFORE_FIRST_APPLY,
            subresource: "",
            ..*writer
        };
        record(
            schema,
            &empty_of(configuration),
            &plain_live,
            &mut managers,
            &before,
            status_is_apart,
        );
    }
    let ignored = out_of_reach(writer, status_is_apart);
    let previous = managers.entry(Operation::Apply, writer).set.clone();
    let applied = field_set(schema, configuration)
        .map_err(Status::bad_request)?
        .recursive_difference(&ignored);
    {
        let own = managers.entry(Operation::Apply, writer);
        own.set = applied;
    }
    let merged = typed::merge(schema, &plain_live, configuration);
    let merged = prune(schema, merged, &previous, &managers.union());
    let changes = compare(schema, &plain_live, &merged).excluding(&ignored);
    let touched = changes.modified.union(&changes.added);
    let mut conflicts = managers.conflicts(&touched, writer);
    // The same person's client-side apply is no stranger: what it applied and nobody changed since may be taken.
    if force == Force::No && writer.manager == "kubectl" {
        let allowed = unchanged_since_client_side_apply(schema, &plain_live, writer);
        conflicts.retain(|(_, path)| !allowed.has(path));
    }
    if force == Force::No && !conflicts.is_empty() {
        return Err(conflict_status(&conflicts));
    }
    managers.release(&touched.union(&changes.removed), Some(writer));
    let own = managers.entry(Operation::Apply, writer);
    own.set = strip(&own.set);
    own.api_version = writer.api_version.to_owned();
    if merged != plain_live || own.time.is_empty() || own.set != strip(&previous) {
        own.time = writer.now.to_owned();
    }
    managers.drop_empty();
    let mut object = merged;
    set_managed(&mut object, &managers);
    Ok(object)
}

fn check_configuration(configuration: &Value, writer: &Writer<'_>) -> Result<(), Status> {
    let version = configuration["apiVersion"].as_str().unwrap_or_default();
    if version != writer.api_version {
        let (given, expected) = (GroupVersion::parse(version), GroupVersion::parse(writer.api_version));
        return Err(Status::bad_request(format!(
            "Incorrect version specified in apply patch. Specified patch version: {given}, expected: {expected}"
        )));
    }
    if !configuration["metadata"]["managedFields"].is_null() {
        return Err(Status::bad_request("metadata.managedFields must be nil"));
    }
    if writer.manager.is_empty() {
        return Err(Status::bad_request(
            "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch",
        ));
    }
    Ok(())
}

/// Takes out what the writer applied last time and nobody, itself included, owns any more.
fn prune(schema: &Schema, merged: Value, previous: &FieldSet, owned: &FieldSet) -> Value {
    if previous.is_empty() {
        return merged;
    }
    let named = |set: &FieldSet| typed::with_struct_fields(schema, set);
    let fields = |object: &Value| field_set(schema, object).map(|set| named(&set)).unwrap_or_default();
    let all = fields(&merged);
    let bare = typed::remove(schema, &merged, &named(previous));
    let kept = typed::remove(schema, &merged, &all.difference(&fields(&bare).union(&named(owned))));
    // What the removal left dangling but was never applied stays.
    typed::remove(
        schema,
        &merged,
        &all.difference(&fields(&kept)).intersection(&named(previous)),
    )
}

fn unchanged_since_client_side_apply(schema: &Schema, live: &Value, writer: &Writer<'_>) -> FieldSet {
    let annotation = live["metadata"]["annotations"]
        .get(LAST_APPLIED)
        .and_then(Value::as_str);
    let last = annotation.and_then(|text| serde_json::from_str::<Value>(text).ok());
    let Some(last) = last.filter(|last| last["apiVersion"] == writer.api_version) else {
        return FieldSet::default();
    };
    let changes = compare(schema, &last, live);
    let set = field_set(schema, &last).unwrap_or_default();
    set.difference(&changes.modified)
        .difference(&changes.added)
        .difference(&changes.removed)
}

fn conflict_status(conflicts: &[(String, Vec<String>)]) -> Status {
    let path = |path: &[String]| set::display(path);
    let causes = conflicts.iter().map(|(manager, fields)| Cause {
        kind: CauseType::ManagerConflict,
        field: path(fields),
        detail: format!("conflict with {manager}"),
    });
    let causes: Vec<Cause> = causes.collect();
    let message = match conflicts {
        [(manager, fields)] => format!(
            "Apply failed with 1 conflict: conflict with {manager}: {}",
            path(fields)
        ),
        many => {
            let mut lines = Vec::new();
            let mut last = "";
            for (manager, fields) in many {
                if manager != last {
                    lines.push(format!("conflicts with {manager}:"));
                    last = manager;
                }
                lines.push(format!("- {}", path(fields)));
            }
            format!("Apply failed with {} conflicts: {}", many.len(), lines.join("\n"))
        }
    };
    Status::apply_conflict(message, causes)
}

#[cfg(test)]
mod tests;
