//! Patch: the next state is made from the present one.

use apimachinery::status::Status;
use serde_json::Value;

use super::{Registry, Target, WriteOptions, Written};
use crate::convert::convert;
use crate::rules;

/// The languages a patch may be written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchKind {
    /// RFC 6902: a list of operations.
    Json,
    /// RFC 7396: a partial document, lists are replaced.
    Merge,
    /// A partial document, lists are merged by the keys of the kind.
    Strategic,
    /// Server-side apply: what its manager wants, no more.
    Apply,
}

impl PatchKind {
    /// By the media type of the body.
    pub fn of_content_type(content_type: &str) -> Option<Self> {
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        match media_type {
            "application/json-patch+json" => Some(PatchKind::Json),
            "application/merge-patch+json" => Some(PatchKind::Merge),
            "application/strategic-merge-patch+json" => Some(PatchKind::Strategic),
            "application/apply-patch+yaml" | "application/apply-patch" => Some(PatchKind::Apply),
            _ => None,
        }
    }

    /// All media types, as the answer 415 lists them.
    pub const MEDIA_TYPES: [&str; 4] = [
        "application/json-patch+json",
        "application/merge-patch+json",
        "application/strategic-merge-patch+json",
        "application/apply-patch+yaml",
    ];

    /// Those of custom kinds, whose lists have no merge keys.
    pub const CUSTOM_MEDIA_TYPES: [&str; 3] = [
        "application/json-patch+json",
        "application/merge-patch+json",
        "application/apply-patch+yaml",
    ];
}

impl Registry {
    /// Changes an object by a patch.
    pub fn patch(
        &self,
        target: &Target,
        kind: PatchKind,
        patch: &Value,
        options: &WriteOptions,
    ) -> Result<(Written, Vec<String>), Status> {
        self.attempt(target, || {
            let current = self.get(target)?;
            let mut next = convert(current.value(), &target.served.resource.kind);
            if let Some(metadata) = next["metadata"].as_object_mut() {
                // What remains after the patch is what the client insists on.
                metadata.shift_remove("resourceVersion");
            }
            rules::apply_patch(&target.served, kind, &mut next, patch)?;
            let warnings = rules::decode(&target.served, &[], &mut next, options.field_validation)?;
            let next = convert(next, &target.served.storage);
            Ok((self.replace(target, &current, next, options)?, warnings))
        })
    }
}
