//! The end of a custom kind: its objects go first.

use apimachinery::resources::GroupVersionResource;
use serde_json::{Value, json};

use super::{DEFINITIONS, DeleteOptions, Registry, Target, Tracking, WriteOptions};
use crate::store::TableName;

/// Keeps a definition until its objects have gone. Source: apiextensions' `CustomResourceCleanupFinalizer`.
pub(super) const CLEANUP: &str = "customresourcecleanup.apiextensions.k8s.io";

impl Registry {
    /// Deletes all objects of a definition that is ending. Its name is also the name of their table.
    pub(super) fn clean_up_definition(&self, name: &str) {
        let kinds = self.kinds();
        let table = TableName::new(name);
        if let Some(served) = kinds
            .iter()
            .find(|served| served.table == table && served.custom.is_some())
        {
            for object in self.store().list(&table, None, |_| true).objects {
                let target = Target {
                    served: served.clone(),
                    namespace: object.namespace().to_owned(),
                    name: object.name().to_owned(),
                    subresource: String::new(),
                };
                // One that somebody else deletes at the same time is gone all the same.
                let _ = self.delete(&target, &DeleteOptions::default());
            }
        }
        self.finish_definition(name);
    }

    /// Lets a definition go that is ending and has no objects left.
    pub(super) fn finish_definition(&self, name: &str) {
        if self.store().count(&TableName::new(name)) > 0 {
            return;
        }
        let kinds = self.kinds();
        let key = GroupVersionResource::new("apiextensions.k8s.io", "v1", "customresourcedefinitions");
        let Some(served) = kinds.find(&key) else { return };
        debug_assert_eq!(served.table.as_str(), DEFINITIONS);
        let target = Target {
            served: served.clone(),
            namespace: String::new(),
            name: name.to_owned(),
            subresource: String::new(),
        };
        let finished = self.attempt(&target, || {
            let current = self.get(&target)?;
            let mut definition = current.value();
            if definition["metadata"]["deletionTimestamp"].is_null() {
                return Ok(());
            }
            remove_finalizer(&mut definition, CLEANUP);
            self.replace(
                &target,
                &current,
                definition,
                &WriteOptions::default(),
                Tracking::Record,
            )
            .map(drop)
        });
        if let Err(status) = finished
            && status.reason != "NotFound"
        {
            tracing::warn!(
                name,
                reason = status.message,
                "a CustomResourceDefinition could not be removed"
            );
        }
    }
}

/// Adds a finalizer that is not there yet.
pub(super) fn add_finalizer(object: &mut Value, finalizer: &str) {
    match object["metadata"]["finalizers"].as_array_mut() {
        Some(list) if list.iter().any(|one| one == finalizer) => {}
        Some(list) => list.push(json!(finalizer)),
        None => object["metadata"]["finalizers"] = json!([finalizer]),
    }
}

fn remove_finalizer(object: &mut Value, finalizer: &str) {
    let Some(metadata) = object["metadata"].as_object_mut() else {
        return;
    };
    if let Some(list) = metadata.get_mut("finalizers").and_then(Value::as_array_mut) {
        list.retain(|one| one != finalizer);
        if list.is_empty() {
            metadata.shift_remove("finalizers");
        }
    }
}
