//! Create.

use apimachinery::status::Status;
use serde_json::{Value, json};

use super::{Registry, Target, Tracking, WriteOptions, Written};
use crate::entropy;
use crate::rules::{self, By};
use crate::store::{Draft, Expect, Outcome, Write, WriteError};

/// How many generated names are tried before a create gives up. Source: `maxNameGenerationCreateAttempts` of apiserver.
const GENERATED_NAMES_MAX: usize = 8;

/// Names end in five random letters; the whole must stay a DNS label. Source: apimachinery's `names.SimpleNameGenerator`.
const GENERATED_PREFIX_MAX: usize = 63 - 5;

impl Registry {
    /// Stores a new object.
    pub fn create(&self, target: &Target, object: Value, options: &WriteOptions) -> Result<Written, Status> {
        self.create_tracked(target, object, options, Tracking::Record)
    }

    pub(super) fn create_tracked(
        &self,
        target: &Target,
        mut object: Value,
        options: &WriteOptions,
        tracking: Tracking,
    ) -> Result<Written, Status> {
        self.admit_namespace(&target.named(object["metadata"]["name"].as_str().unwrap_or_default()))?;
        prepare_metadata(target, &mut object)?;
        let generated = object["metadata"]["name"].as_str().unwrap_or_default().is_empty();
        let uid = entropy::uuid(self.entropy());
        rules::prepare_create(&target.served, &mut object, &uid, &self.timestamp());
        if target.served.table.as_str() == "pods" {
            self.admit_pod(target, &mut object)?;
        }
        let _allocation = self.allocate(target, &mut object)?;
        if tracking == Tracking::Record {
            let by = By {
                manager: &options.field_manager,
                subresource: &target.subresource,
                now: &self.timestamp(),
            };
            rules::track(&target.served, None, &mut object, &by);
        }
        for _ in 0..GENERATED_NAMES_MAX {
            if generated {
                let prefix = object["metadata"]["generateName"].as_str().unwrap_or_default();
                let prefix: String = prefix.chars().take(GENERATED_PREFIX_MAX).collect();
                object["metadata"]["name"] = json!(format!("{prefix}{}", entropy::name_suffix(self.entropy())));
            }
            let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
            let target = target.named(&name);
            rules::validate_create(&target.served, &object)?;
            if options.dry_run {
                return match self.store().get(&target.key()) {
                    Some(_) => Err(Status::already_exists(&target.group_resource(), &name)),
                    None => Ok(Written::DryRun(object)),
                };
            }
            let storage = &target.served.storage;
            let draft = Draft::new(&storage.api_version(), &storage.kind, &object);
            let write = Write {
                key: target.key(),
                expect: Expect::Absent,
                outcome: Outcome::Put(draft),
            };
            match self.store().commit(&write) {
                Ok(event) => {
                    self.committed(&target);
                    if target.served.table.as_str() == "namespaces" {
                        self.furnish_namespace(&target.name);
                    }
                    return Ok(Written::Stored(event.object));
                }
                Err(WriteError::Exists) if generated => {}
                Err(_) => return Err(Status::already_exists(&target.group_resource(), &name)),
            }
        }
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        Err(Status::generate_name_conflict(&target.group_resource(), name))
    }
}

/// What a client may say in the metadata of a new object, brought into form.
fn prepare_metadata(target: &Target, object: &mut Value) -> Result<(), Status> {
    let Some(fields) = object.as_object_mut() else {
        return Err(Status::bad_request("the body is not an object"));
    };
    let metadata = fields.entry("metadata").or_insert_with(|| json!({}));
    if metadata.is_null() {
        *metadata = json!({});
    }
    let Some(metadata) = metadata.as_object_mut() else {
        return Err(Status::bad_request("metadata is not an object"));
    };
    let text = |metadata: &serde_json::Map<String, Value>, key: &str| {
        metadata.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    if !text(metadata, "resourceVersion").is_empty() {
        return Err(Status::bad_request(
            "resourceVersion should not be set on objects to be created",
        ));
    }
    if text(metadata, "name").is_empty() && text(metadata, "generateName").is_empty() {
        let kind = target.served.resource.kind.group_kind();
        let cause = apimachinery::status::Cause::required("metadata.name", "name or generateName is required");
        return Err(Status::invalid(&kind, "", vec![cause]));
    }
    let namespace = text(metadata, "namespace");
    if target.served.resource.namespaced() {
        if !namespace.is_empty() && namespace != target.namespace {
            return Err(wrong_namespace(&namespace, &target.namespace));
        }
        metadata.insert("namespace".into(), json!(target.namespace));
    } else {
        metadata.remove("namespace");
    }
    Ok(())
}

/// The body names another namespace than the path.
pub(super) fn wrong_namespace(body: &str, path: &str) -> Status {
    Status::bad_request(format!(
        "the namespace of the provided object does not match the namespace sent on the request ({body} != {path})"
    ))
}
