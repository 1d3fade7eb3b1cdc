//! What the kinds' own rules make of a write; one place where they are called.

use apimachinery::status::Status;
use serde_json::{Value, json};

use crate::kinds::Served;
use crate::registry::PatchKind;

/// Brings a new object into its first state.
pub(crate) fn prepare_create(served: &Served, object: &mut Value) -> Result<(), Status> {
    if has_status(served) {
        remove(object, "status");
        object["metadata"]["generation"] = json!(1);
    }
    if served.storage.kind == "Namespace" {
        object["status"] = json!({"phase": "Active"});
        object["spec"]["finalizers"] = json!(["kubernetes"]);
    }
    if served.storage.kind == "Pod" {
        object["status"] = json!({"phase": "Pending"});
    }
    Ok(())
}

/// Checks a new object.
pub(crate) fn validate_create(_served: &Served, _object: &Value) -> Result<(), Status> {
    Ok(())
}

/// Brings the next state of an object into form: what the path may not change stays as it was.
pub(crate) fn prepare_update(served: &Served, subresource: &str, old: &Value, next: &mut Value) -> Result<(), Status> {
    if subresource == "status" {
        let status = next["status"].clone();
        let version = next["metadata"]["managedFields"].clone();
        *next = old.clone();
        next["status"] = status;
        if !version.is_null() {
            next["metadata"]["managedFields"] = version;
        }
        return Ok(());
    }
    if has_status(served) {
        match &old["status"] {
            Value::Null => remove(next, "status"),
            status => next["status"] = status.clone(),
        }
        let content = |object: &Value| {
            let mut object = object.clone();
            remove(&mut object, "metadata");
            remove(&mut object, "status");
            remove(&mut object, "kind");
            remove(&mut object, "apiVersion");
            object
        };
        if content(old) != content(next) {
            let generation = old["metadata"]["generation"].as_i64().unwrap_or(0) + 1;
            next["metadata"]["generation"] = json!(generation);
        }
    }
    Ok(())
}

/// Checks the next state of an object.
pub(crate) fn validate_update(_served: &Served, _old: &Value, _next: &Value) -> Result<(), Status> {
    Ok(())
}

/// Makes the next state from the present one.
pub(crate) fn apply_patch(_served: &Served, kind: PatchKind, object: &mut Value, patch: &Value) -> Result<(), Status> {
    match kind {
        PatchKind::Json => Err(Status::unsupported_media_type(&PatchKind::MEDIA_TYPES)),
        PatchKind::Merge | PatchKind::Strategic | PatchKind::Apply => {
            merge(object, patch);
            Ok(())
        }
    }
}

fn merge(object: &mut Value, patch: &Value) {
    let Some(fields) = patch.as_object() else {
        *object = patch.clone();
        return;
    };
    if !object.is_object() {
        *object = json!({});
    }
    for (key, value) in fields {
        if value.is_null() {
            remove(object, key);
        } else {
            merge(&mut object[key], value);
        }
    }
}

fn has_status(served: &Served) -> bool {
    served.resource.subresource("status").is_some()
}

fn remove(object: &mut Value, field: &str) {
    if let Some(fields) = object.as_object_mut() {
        fields.shift_remove(field);
    }
}
