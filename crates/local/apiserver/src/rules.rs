//! What the kinds' own rules make of a write; one place where they are called.

use apimachinery::schema::{self, Schema};
use apimachinery::status::Status;
use serde_json::{Value, json};

use crate::custom;
use crate::kinds::Served;
use crate::registry::{FieldValidation, PatchKind};

/// Brings what a client sent into the form of its kind: unknown fields are refused or dropped, types must fit.
///
/// `text` is the body as it came, for fields that stand in it twice; empty where the object was made from a patch.
/// The texts that come back are warnings.
pub(crate) fn decode(
    served: &Served,
    text: &[u8],
    object: &mut Value,
    validation: FieldValidation,
) -> Result<Vec<String>, Status> {
    let Some(shape) = served.schema() else {
        return Ok(Vec::new());
    };
    let kind = &served.resource.kind;
    let mut faults: Vec<String> = Vec::new();
    if validation != FieldValidation::Ignore {
        let text = std::str::from_utf8(text).unwrap_or_default();
        faults.extend(
            schema::duplicate_fields(text)
                .iter()
                .map(|path| format!("duplicate field \"{path}\"")),
        );
    }
    if served.custom.is_none() {
        schema::check_types(shape, object).map_err(|mismatch| Status::cannot_decode(kind, &mismatch.to_string()))?;
        faults.extend(unknown(shape, object));
        schema::prune(shape, object);
        schema::drop_empty(shape, object);
    } else {
        faults.extend(unknown(shape, object));
        schema::prune(shape, object);
        schema::apply_defaults(shape, object);
    }
    match validation {
        FieldValidation::Ignore => Ok(Vec::new()),
        FieldValidation::Warn => Ok(faults),
        FieldValidation::Strict if faults.is_empty() => Ok(faults),
        FieldValidation::Strict => Err(Status::strict_decoding(kind, &faults)),
    }
}

fn unknown(shape: &Schema, object: &Value) -> Vec<String> {
    schema::unknown_fields(shape, object)
        .iter()
        .map(|path| format!("unknown field \"{path}\""))
        .collect()
}

/// Brings a new object into its first state.
pub(crate) fn prepare_create(served: &Served, object: &mut Value, now: &str) -> Result<(), Status> {
    if has_status(served) {
        remove(object, "status");
    }
    if has_status(served) || served.custom.is_some() {
        object["metadata"]["generation"] = json!(1);
    }
    match served.storage.kind.as_str() {
        "Namespace" => {
            object["status"] = json!({"phase": "Active"});
            object["spec"]["finalizers"] = json!(["kubernetes"]);
            object["metadata"]["labels"]["kubernetes.io/metadata.name"] = object["metadata"]["name"].clone();
        }
        "Pod" => object["status"] = json!({"phase": "Pending"}),
        "CustomResourceDefinition" => {
            custom::set_default_names(object);
            custom::establish(object, now);
        }
        _ => {}
    }
    Ok(())
}

/// Checks a new object.
pub(crate) fn validate_create(served: &Served, object: &Value) -> Result<(), Status> {
    let Some(custom) = &served.custom else { return Ok(()) };
    let causes = schema::validate(&custom.schema, object);
    invalid(served, object, causes)
}

fn invalid(served: &Served, object: &Value, causes: Vec<apimachinery::status::Cause>) -> Result<(), Status> {
    if causes.is_empty() {
        return Ok(());
    }
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    Err(Status::invalid(&served.resource.kind.group_kind(), name, causes))
}

/// Brings the next state of an object into form: what the path may not change stays as it was.
pub(crate) fn prepare_update(
    served: &Served,
    subresource: &str,
    old: &Value,
    next: &mut Value,
    now: &str,
) -> Result<(), Status> {
    if subresource == "status" {
        let status = next["status"].clone();
        let managed_fields = next["metadata"]["managedFields"].clone();
        *next = old.clone();
        next["status"] = status;
        if !managed_fields.is_null() {
            next["metadata"]["managedFields"] = managed_fields;
        }
        return Ok(());
    }
    if subresource == "finalize" {
        let finalizers = next["spec"]["finalizers"].clone();
        *next = old.clone();
        next["spec"]["finalizers"] = finalizers;
        return Ok(());
    }
    if has_status(served) {
        match &old["status"] {
            Value::Null => remove(next, "status"),
            status => next["status"] = status.clone(),
        }
    }
    if (has_status(served) || served.custom.is_some()) && content(old) != content(next) {
        let generation = old["metadata"]["generation"].as_i64().unwrap_or(0) + 1;
        next["metadata"]["generation"] = json!(generation);
    }
    match served.storage.kind.as_str() {
        "CustomResourceDefinition" => {
            custom::set_default_names(next);
            custom::establish(next, now);
        }
        "Service" => keep_addresses(old, next),
        _ => {}
    }
    Ok(())
}

/// What generation counts: everything but metadata and status.
fn content(object: &Value) -> Value {
    let mut object = object.clone();
    for field in ["metadata", "status", "kind", "apiVersion"] {
        remove(&mut object, field);
    }
    object
}

/// A Service keeps its addresses and ports where the next state does not name any. Source: `patchAllocatedValues`.
fn keep_addresses(old: &Value, next: &mut Value) {
    if next["spec"]["type"] == "ExternalName" || !next["spec"].is_object() {
        return;
    }
    for field in ["clusterIP", "clusterIPs"] {
        if next["spec"][field].is_null() && !old["spec"][field].is_null() {
            next["spec"][field] = old["spec"][field].clone();
        }
    }
    let old_ports = old["spec"]["ports"].clone();
    if !matches!(next["spec"]["type"].as_str(), Some("NodePort" | "LoadBalancer")) {
        return;
    }
    for port in next["spec"]["ports"].as_array_mut().into_iter().flatten() {
        let same = |known: &&Value| known["port"] == port["port"] && known["protocol"] == port["protocol"];
        let known = old_ports
            .as_array()
            .into_iter()
            .flatten()
            .find(same)
            .map(|known| known["nodePort"].clone());
        if port["nodePort"].is_null()
            && let Some(known) = known.filter(Value::is_number)
        {
            port["nodePort"] = known;
        }
    }
}

/// Checks the next state of an object.
pub(crate) fn validate_update(served: &Served, old: &Value, next: &Value) -> Result<(), Status> {
    let Some(custom) = &served.custom else { return Ok(()) };
    let causes = schema::validate_update(&custom.schema, next, old);
    invalid(served, next, causes)
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
