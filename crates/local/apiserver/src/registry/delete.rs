//! Delete: at once, gracefully, or when the last finalizer has gone.

use std::sync::Arc;

use apimachinery::status::Status;
use serde_json::{Value, json};

use super::definitions::{CLEANUP, add_finalizer};
use super::{DEFINITIONS, DeleteOptions, Failure, Propagation, Registry, Target, Written, timestamp};
use crate::store::{Expect, Outcome, Stored, Write};

/// The finalizer that lets the garbage collector delete dependents first.
const FOREGROUND: &str = "foregroundDeletion";

/// The finalizer that lets the garbage collector free dependents first.
const ORPHAN: &str = "orphan";

/// Namespaces that a cluster cannot be without. Source: the admission plugin NamespaceLifecycle.
const IMMORTAL: [&str; 3] = ["default", "kube-system", "kube-public"];

/// What a deletion did.
#[derive(Debug)]
pub enum Deletion {
    /// The object is gone; this was its last state.
    Done(Arc<Stored>),
    /// The object ends later.
    Pending(Written),
}

impl Registry {
    /// Deletes an object, or starts its end.
    pub fn delete(&self, target: &Target, options: &DeleteOptions) -> Result<Deletion, Status> {
        if target.served.table.as_str() == "namespaces" && IMMORTAL.contains(&target.name.as_str()) {
            let why = "this namespace may not be deleted";
            return Err(Status::forbidden(&target.group_resource(), &target.name, why));
        }
        let deletion = self.attempt(target, || {
            let current = self.get(target)?;
            let mut object = current.value();
            check_preconditions(target, &object, options)?;
            set_finalizers(&mut object, options.propagation);
            if target.served.table.as_str() == DEFINITIONS && !options.dry_run {
                add_finalizer(&mut object, CLEANUP);
            }
            let grace_seconds = grace_seconds(&object, options);
            let waits = grace_seconds > 0 || has_finalizers(&object);
            if options.dry_run {
                return Ok(Deletion::Pending(Written::DryRun(object)));
            }
            if !waits {
                return self.remove(target, &current, false).map(Deletion::Done);
            }
            mark(&mut object, self.now(), grace_seconds);
            if object == current.value() {
                return Ok(Deletion::Pending(Written::Stored(current)));
            }
            self.commit_next(target, &current, &object, false)
                .map(Deletion::Pending)
        })?;
        if target.served.table.as_str() == DEFINITIONS && !options.dry_run {
            self.clean_up_definition(&target.name);
        }
        Ok(deletion)
    }

    /// Takes an object out of the store.
    pub(super) fn remove(&self, target: &Target, current: &Stored, insisted: bool) -> Result<Arc<Stored>, Failure> {
        let expect = Expect::Revision(current.revision());
        let write = Write {
            key: target.key(),
            expect,
            outcome: Outcome::Delete,
        };
        match self.store().commit(&write) {
            Ok(event) => {
                self.committed(target);
                if target.served.custom.is_some() {
                    self.finish_definition(target.served.table.as_str());
                }
                Ok(event.object)
            }
            Err(error) => Err(Failure::from_write(error, target, insisted)),
        }
    }
}

fn check_preconditions(target: &Target, object: &Value, options: &DeleteOptions) -> Result<(), Status> {
    let pairs = [
        ("UID", &options.preconditions.uid, &object["metadata"]["uid"]),
        (
            "ResourceVersion",
            &options.preconditions.resource_version,
            &object["metadata"]["resourceVersion"],
        ),
    ];
    for (what, wanted, present) in pairs {
        let present = present.as_str().unwrap_or_default();
        if let Some(wanted) = wanted.as_deref().filter(|wanted| *wanted != present) {
            let why =
                format!("Precondition failed: {what} in precondition: {wanted}, {what} in object meta: {present}");
            return Err(Status::conflict(&target.group_resource(), &target.name, &why));
        }
    }
    Ok(())
}

/// Sets the garbage collector's finalizers as the propagation policy asks. Source: `deletionFinalizersForGarbageCollection`.
fn set_finalizers(object: &mut Value, propagation: Option<Propagation>) {
    let Some(propagation) = propagation else { return };
    let present = object["metadata"]["finalizers"].as_array().cloned().unwrap_or_default();
    let mut finalizers: Vec<Value> = present
        .into_iter()
        .filter(|finalizer| finalizer != FOREGROUND && finalizer != ORPHAN)
        .collect();
    match propagation {
        Propagation::Background => {}
        Propagation::Foreground => finalizers.push(json!(FOREGROUND)),
        Propagation::Orphan => finalizers.push(json!(ORPHAN)),
    }
    if finalizers.is_empty() {
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.shift_remove("finalizers");
        }
    } else {
        object["metadata"]["finalizers"] = Value::Array(finalizers);
    }
}

fn has_finalizers(object: &Value) -> bool {
    let some = |list: &Value| list.as_array().is_some_and(|list| !list.is_empty());
    some(&object["metadata"]["finalizers"]) || (object["kind"] == "Namespace" && some(&object["spec"]["finalizers"]))
}

/// How long an object may take to end. Only Pods take time, and only those that a node runs. Source: the pod strategy's
/// `CheckGracefulDelete`.
fn grace_seconds(object: &Value, options: &DeleteOptions) -> i64 {
    if object["kind"] != "Pod" {
        return 0;
    }
    let scheduled = object["spec"]["nodeName"].as_str().is_some_and(|node| !node.is_empty());
    let ended = matches!(object["status"]["phase"].as_str(), Some("Failed" | "Succeeded"));
    if !scheduled || ended {
        return 0;
    }
    let own = object["spec"]["terminationGracePeriodSeconds"]
        .as_i64()
        .unwrap_or(DEFAULT_GRACE_SECONDS);
    let asked = match options.grace_period_seconds {
        // A negative period of a client means the shortest one. Source: `BeforeDelete`.
        Some(seconds) if seconds < 0 => 1,
        Some(seconds) => seconds,
        None => own,
    };
    // What is ending already may end sooner, never later.
    match object["metadata"]["deletionGracePeriodSeconds"].as_i64() {
        Some(running) if options.grace_period_seconds.is_none() => running,
        Some(running) => asked.min(running),
        None => asked,
    }
}

/// Kubernetes' default termination grace period, in seconds.
const DEFAULT_GRACE_SECONDS: i64 = 30;

/// Writes the end of an object into its metadata.
fn mark(object: &mut Value, now: flyball_core::Timestamp, grace_seconds: i64) {
    let running = object["metadata"]["deletionGracePeriodSeconds"].as_i64();
    let starts = object["metadata"]["deletionTimestamp"].is_null();
    if starts || running.is_some_and(|running| grace_seconds < running) {
        let end = now.as_second() + grace_seconds;
        let end = flyball_core::Timestamp::from_second(end).unwrap_or(now);
        object["metadata"]["deletionTimestamp"] = json!(timestamp(end));
        object["metadata"]["deletionGracePeriodSeconds"] = json!(grace_seconds);
    }
    if starts {
        if let Some(generation) = object["metadata"]["generation"].as_i64() {
            object["metadata"]["generation"] = json!(generation + 1);
        }
        if object["kind"] == "Namespace" {
            object["status"]["phase"] = json!("Terminating");
        }
    }
}
