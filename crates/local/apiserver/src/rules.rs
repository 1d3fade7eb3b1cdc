//! What the kinds' own rules make of a write; one place where they are called.

use apimachinery::defaults;
use apimachinery::patch::{self, PatchError};
use apimachinery::resources::GroupVersionKind;
use apimachinery::schema::{self, Schema};
use apimachinery::ssa::{self, Force, Writer};
use apimachinery::status::Status;
use apimachinery::strategy::{self, Part};
use apimachinery::validation;
use serde_json::Value;

use crate::convert::convert;
use crate::custom;
use crate::kinds::Served;
use crate::registry::{FieldValidation, PatchKind, WriteOptions};

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
    let faults = check(served, text, object, validation)?;
    if let Some(shape) = served.schema() {
        complete(served, shape, &served.resource.kind, object);
    }
    Ok(faults)
}

/// Refuses or drops what the kind does not know, and refuses what is of the wrong type.
fn check(served: &Served, text: &[u8], object: &mut Value, validation: FieldValidation) -> Result<Vec<String>, Status> {
    let Some(shape) = served.schema() else {
        return Ok(Vec::new());
    };
    let kind = &served.resource.kind;
    let mut faults: Vec<String> = Vec::new();
    if validation != FieldValidation::Ignore {
        let text = std::str::from_utf8(text).unwrap_or_default();
        let twice = schema::duplicate_fields(text);
        faults.extend(twice.iter().map(|path| format!("duplicate field \"{path}\"")));
    }
    if served.custom.is_none() {
        schema::check_types(shape, object).map_err(|mismatch| Status::cannot_decode(kind, &mismatch.to_string()))?;
    }
    faults.extend(unknown(shape, object));
    schema::prune(shape, object);
    match validation {
        FieldValidation::Ignore => Ok(Vec::new()),
        FieldValidation::Warn => Ok(faults),
        FieldValidation::Strict if faults.is_empty() => Ok(faults),
        FieldValidation::Strict => Err(Status::strict_decoding(kind, &faults)),
    }
}

/// Fills in what an object leaves to its kind.
fn complete(served: &Served, shape: &Schema, kind: &GroupVersionKind, object: &mut Value) {
    if served.custom.is_none() {
        schema::drop_empty(shape, object);
        defaults::apply(kind, object);
    } else {
        schema::apply_defaults(shape, object);
    }
}

fn unknown(shape: &Schema, object: &Value) -> Vec<String> {
    schema::unknown_fields(shape, object)
        .iter()
        .map(|path| format!("unknown field \"{path}\""))
        .collect()
}

/// Brings a new object into its first state.
pub(crate) fn prepare_create(served: &Served, object: &mut Value, uid: &str, now: &str) {
    strategy::prepare_create(&served.resource, object, uid, now);
    match served.storage.kind.as_str() {
        "Namespace" if served.custom.is_none() => {
            object["metadata"]["labels"]["kubernetes.io/metadata.name"] = object["metadata"]["name"].clone();
        }
        "CustomResourceDefinition" if served.custom.is_none() => {
            custom::set_default_names(object);
            custom::establish(object, now);
        }
        _ => {}
    }
}

/// Checks a new object.
pub(crate) fn validate_create(served: &Served, object: &Value) -> Result<(), Status> {
    let mut causes = validation::validate_create(&served.resource, object);
    if let Some(custom) = &served.custom {
        causes.extend(schema::validate(&custom.schema, object));
    } else if served.storage.kind == "CustomResourceDefinition" {
        causes.extend(custom::causes(object));
    }
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
pub(crate) fn prepare_update(served: &Served, subresource: &str, old: &Value, next: &mut Value, now: &str) {
    if subresource == "finalize" {
        let finalizers = next["spec"]["finalizers"].clone();
        *next = old.clone();
        next["spec"]["finalizers"] = finalizers;
        return;
    }
    let part = if subresource == "status" {
        Part::Status
    } else {
        Part::Main
    };
    strategy::prepare_update(&served.resource, old, next, part);
    match served.storage.kind.as_str() {
        "CustomResourceDefinition" if part == Part::Main => {
            custom::set_default_names(next);
            custom::establish(next, now);
        }
        "Service" if part == Part::Main => keep_addresses(old, next),
        _ => {}
    }
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
    let mut causes = validation::validate_update(&served.resource, next, old);
    if let Some(custom) = &served.custom {
        causes.extend(schema::validate_update(&custom.schema, next, old));
    } else if served.storage.kind == "CustomResourceDefinition" {
        causes.extend(custom::causes(next));
    }
    invalid(served, next, causes)
}

/// Records that what a write changes belongs to its writer.
pub(crate) fn track(served: &Served, old: Option<&Value>, next: &mut Value, by: &By<'_>) {
    let Some(shape) = served.storage_schema() else { return };
    let api_version = served.storage.api_version();
    ssa::track_update(shape, old, next, &by.writer(&api_version), has_status(served));
}

/// Who writes, and when.
pub(crate) struct By<'a> {
    pub(crate) manager: &'a str,
    pub(crate) subresource: &'a str,
    pub(crate) now: &'a str,
}

impl By<'_> {
    fn writer<'a>(&'a self, api_version: &'a str) -> Writer<'a> {
        let manager = if self.manager.is_empty() {
            UNKNOWN_MANAGER
        } else {
            self.manager
        };
        Writer {
            manager,
            api_version,
            subresource: self.subresource,
            now: self.now,
        }
    }
}

/// The manager of writes by clients that do not name themselves.
const UNKNOWN_MANAGER: &str = "unknown";

/// The next state by server-side apply: what the configuration says, in the version that is stored.
///
/// The texts that come back with it are warnings.
pub(crate) fn apply(
    served: &Served,
    live: Option<&Value>,
    configuration: &Value,
    by: &By<'_>,
    options: &WriteOptions,
) -> Result<(Value, Vec<String>), Status> {
    let Some(shape) = served.storage_schema() else {
        return Err(Status::method_not_allowed());
    };
    let mut configuration = configuration.clone();
    // A configuration says only what it wants: it is checked, and defaults are filled in behind it.
    let warnings = check(served, &[], &mut configuration, options.field_validation)?;
    let configuration = convert(configuration, &served.storage);
    let api_version = served.storage.api_version();
    let force = if options.force { Force::Yes } else { Force::No };
    let writer = by.writer(&api_version);
    let mut next = ssa::apply(shape, live, &configuration, &writer, force, has_status(served))?;
    complete(served, shape, &served.storage, &mut next);
    Ok((next, warnings))
}

fn has_status(served: &Served) -> bool {
    served.resource.subresource("status").is_some()
}

/// Makes the next state from the present one.
pub(crate) fn apply_patch(served: &Served, kind: PatchKind, object: &mut Value, patch: &Value) -> Result<(), Status> {
    let failed = |error: PatchError| match error {
        PatchError::Malformed(why) => Status::bad_request(why),
        PatchError::DoesNotFit(why) => Status::unprocessable_patch(&why),
    };
    match kind {
        PatchKind::Json => *object = patch::json_patch(object, patch).map_err(failed)?,
        PatchKind::Merge => patch::merge_patch(object, patch),
        // An apply is no change of the object that is there: `apply` makes the next state.
        PatchKind::Apply => return Err(Status::unsupported_media_type(&PatchKind::MEDIA_TYPES)),
        PatchKind::Strategic => match (&served.custom, served.schema()) {
            (None, Some(shape)) => *object = patch::strategic_merge_patch(shape, object, patch).map_err(failed)?,
            // Custom kinds have no merge keys.
            _ => return Err(Status::unsupported_media_type(&PatchKind::CUSTOM_MEDIA_TYPES)),
        },
    }
    Ok(())
}
