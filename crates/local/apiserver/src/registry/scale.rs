//! The Scale of an object: how many replicas it wants and has, whatever its kind.

use apimachinery::status::Status;
use apimachinery::subresource::{ScalePaths, read_scale, write_scale};
use serde_json::Value;

use super::{PatchKind, Registry, Target, Tracking, WriteOptions, Written};

impl Registry {
    /// Changes the wanted replicas; `change` makes the next Scale from the present one.
    pub fn rescale(
        &self,
        target: &Target,
        options: &WriteOptions,
        change: impl Fn(Value) -> Result<Value, Status>,
    ) -> Result<Value, Status> {
        let paths = scale_paths(target);
        let written = self.attempt(target, || {
            let current = self.get(target)?;
            let mut next = current.value();
            let scale = change(read_scale(&next, &paths))?;
            write_scale(&mut next, &scale, &paths).map_err(Status::bad_request)?;
            next["metadata"]["resourceVersion"] = scale["metadata"]["resourceVersion"].clone();
            self.replace(target, &current, next, options, Tracking::Record)
        })?;
        let value = match written {
            Written::Stored(stored) => stored.value(),
            Written::DryRun(value) => value,
        };
        Ok(read_scale(&value, &paths))
    }

    /// Changes the wanted replicas by a patch of the Scale.
    pub fn patch_scale(
        &self,
        target: &Target,
        kind: PatchKind,
        patch: &Value,
        options: &WriteOptions,
    ) -> Result<Value, Status> {
        self.rescale(target, options, |mut scale| {
            if let Some(metadata) = scale["metadata"].as_object_mut() {
                metadata.shift_remove("resourceVersion");
            }
            // A Scale has no lists: a strategic patch of it is a merge patch.
            let kind = if kind == PatchKind::Json {
                kind
            } else {
                PatchKind::Merge
            };
            crate::rules::apply_patch(&target.served, kind, &mut scale, patch)?;
            Ok(scale)
        })
    }

    /// The Scale of an object.
    pub fn scale(&self, target: &Target) -> Result<Value, Status> {
        Ok(read_scale(&self.get(target)?.value(), &scale_paths(target)))
    }
}

/// Where a kind keeps what a Scale shows.
fn scale_paths(target: &Target) -> ScalePaths {
    let custom = target.served.custom.as_ref().and_then(|custom| custom.scale.clone());
    custom.unwrap_or_else(ScalePaths::builtin)
}
