//! Update, and what it has in common with patch.

use apimachinery::status::Status;
use serde_json::{Value, json};

use super::create::wrong_namespace;
use super::{Failure, Registry, Target, Tracking, WriteOptions, Written};
use crate::rules::{self, By};
use crate::store::{Draft, Expect, Outcome, Stored, Write};

impl Registry {
    /// Replaces an object, or one of its parts.
    pub fn update(&self, target: &Target, object: Value, options: &WriteOptions) -> Result<Written, Status> {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        if name != target.name {
            return Err(Status::bad_request(format!(
                "the name of the object ({name}) does not match the name on the URL ({})",
                target.name
            )));
        }
        let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
        if !namespace.is_empty() && namespace != target.namespace {
            return Err(wrong_namespace(namespace, &target.namespace));
        }
        self.attempt(target, || {
            let current = self.get(target)?;
            self.replace(target, &current, object.clone(), options, Tracking::Record)
        })
    }

    /// Writes the next state of an object that was read as `current`.
    ///
    /// A `resourceVersion` or `uid` in the next state is what the client insists on.
    pub(super) fn replace(
        &self,
        target: &Target,
        current: &Stored,
        mut next: Value,
        options: &WriteOptions,
        tracking: Tracking,
    ) -> Result<Written, Failure> {
        let wanted = next["metadata"]["resourceVersion"].as_str().unwrap_or_default();
        let insisted = !wanted.is_empty() && wanted != "0";
        if insisted && wanted != current.revision().to_string() {
            return Err(Status::modified(&target.group_resource(), &target.name).into());
        }
        let old = current.value();
        let uid = next["metadata"]["uid"].as_str().unwrap_or_default();
        let old_uid = old["metadata"]["uid"].as_str().unwrap_or_default();
        if !uid.is_empty() && uid != old_uid {
            let why = format!("Precondition failed: UID in precondition: {uid}, UID in object meta: {old_uid}");
            return Err(Status::conflict(&target.group_resource(), &target.name, &why).into());
        }
        keep_metadata(&old, &mut next)?;
        rules::prepare_update(&target.served, &target.subresource, &old, &mut next, &self.timestamp());
        let _allocation = self.allocate(target, &mut next)?;
        if tracking == Tracking::Record {
            let by = By {
                manager: &options.field_manager,
                subresource: &target.subresource,
                now: &self.timestamp(),
            };
            rules::track(&target.served, Some(&old), &mut next, &by);
        }
        rules::validate_update(&target.served, &old, &next)?;
        if options.dry_run {
            return Ok(Written::DryRun(next));
        }
        if ends_with_this_write(&next) {
            return self.remove(target, current, insisted).map(Written::Stored);
        }
        let storage = &target.served.storage;
        next["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"].clone();
        next["apiVersion"] = storage.api_version().into();
        next["kind"] = storage.kind.clone().into();
        if next == old {
            // A write that changes nothing is no write: no new version, no event.
            let present = self
                .store()
                .get(&target.key())
                .filter(|present| present.revision() == current.revision());
            return present.map(Written::Stored).ok_or(Failure::Race);
        }
        self.commit_next(target, current, &next, insisted)
    }

    /// Writes a next state that the server itself made; no rule of the kind looks at it again.
    pub(super) fn store_as_is(
        &self,
        target: &Target,
        current: &Stored,
        next: &Value,
        options: &WriteOptions,
    ) -> Result<Written, Failure> {
        if options.dry_run {
            return Ok(Written::DryRun(next.clone()));
        }
        self.commit_next(target, current, next, false)
    }

    pub(super) fn commit_next(
        &self,
        target: &Target,
        current: &Stored,
        next: &Value,
        insisted: bool,
    ) -> Result<Written, Failure> {
        let storage = &target.served.storage;
        let draft = Draft::new(&storage.api_version(), &storage.kind, next);
        let expect = Expect::Revision(current.revision());
        let write = Write {
            key: target.key(),
            expect,
            outcome: Outcome::Put(draft),
        };
        match self.store().commit(&write) {
            Ok(event) => {
                self.committed(target);
                Ok(Written::Stored(event.object))
            }
            Err(error) => Err(Failure::from_write(error, target, insisted)),
        }
    }
}

/// An object that is being deleted goes with the write that takes its last finalizer away.
fn ends_with_this_write(next: &Value) -> bool {
    let metadata = &next["metadata"];
    let no_finalizers = |list: &Value| list.as_array().is_none_or(Vec::is_empty);
    !metadata["deletionTimestamp"].is_null()
        && metadata["deletionGracePeriodSeconds"].as_i64().unwrap_or(0) == 0
        && no_finalizers(&metadata["finalizers"])
        && (next["kind"] != "Namespace" || no_finalizers(&next["spec"]["finalizers"]))
}

/// The metadata that only the server writes stays as it was.
fn keep_metadata(old: &Value, next: &mut Value) -> Result<(), Failure> {
    if !next["metadata"].is_object() {
        if !next.is_object() {
            return Err(Status::bad_request("the body is not an object").into());
        }
        next["metadata"] = json!({});
    }
    let kept = [
        "name",
        "namespace",
        "uid",
        "creationTimestamp",
        "generation",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "generateName",
    ];
    for field in kept {
        match &old["metadata"][field] {
            Value::Null => {
                if let Some(metadata) = next["metadata"].as_object_mut() {
                    metadata.shift_remove(field);
                }
            }
            value => next["metadata"][field] = value.clone(),
        }
    }
    Ok(())
}
