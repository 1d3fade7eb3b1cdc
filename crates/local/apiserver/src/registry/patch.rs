//! Patch: the next state is made from the present one.

use apimachinery::status::Status;
use serde_json::Value;

use super::create::wrong_namespace;
use super::{Registry, Target, Tracking, WriteOptions, Written};
use crate::convert::convert;
use crate::rules::{self, By};

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
            let written = self.replace(target, &current, next, options, Tracking::Record)?;
            Ok((written, warnings))
        })
    }

    /// Server-side apply: the object becomes what the configuration says of it, and is created where it is missing.
    pub fn apply(&self, target: &Target, configuration: &Value, options: &WriteOptions) -> Result<Applied, Status> {
        check_names(target, configuration)?;
        let now = self.timestamp();
        let by = By {
            manager: &options.field_manager,
            subresource: &target.subresource,
            now: &now,
        };
        let served = &target.served;
        self.attempt(target, || match self.store().get(&target.key()) {
            Some(current) => {
                let live = current.value();
                let (mut next, warnings) = rules::apply(served, Some(&live), configuration, &by, options)?;
                // What the configuration insists on, not what was merged from the present state.
                next["metadata"]["resourceVersion"] = configuration["metadata"]["resourceVersion"].clone();
                let written = self.replace(target, &current, next, options, Tracking::Recorded)?;
                Ok(Applied {
                    written,
                    warnings,
                    created: false,
                })
            }
            None if target.subresource.is_empty() => {
                let (next, warnings) = rules::apply(served, None, configuration, &by, options)?;
                let written = self.create_tracked(target, next, options, Tracking::Recorded)?;
                Ok(Applied {
                    written,
                    warnings,
                    created: true,
                })
            }
            None => Err(Status::not_found(&target.group_resource(), &target.name).into()),
        })
    }
}

/// A configuration is of the object that the path names.
fn check_names(target: &Target, configuration: &Value) -> Result<(), Status> {
    let text = |field: &str| configuration["metadata"][field].as_str().unwrap_or_default();
    let (name, namespace) = (text("name"), text("namespace"));
    if !name.is_empty() && name != target.name {
        let wanted = &target.name;
        let why = format!("the name of the object ({name}) does not match the name on the URL ({wanted})");
        return Err(Status::bad_request(why));
    }
    if !namespace.is_empty() && namespace != target.namespace {
        return Err(wrong_namespace(namespace, &target.namespace));
    }
    Ok(())
}

/// What a server-side apply did.
#[derive(Debug)]
pub struct Applied {
    /// The object.
    pub written: Written,
    /// What its writer should know.
    pub warnings: Vec<String>,
    /// Whether it was missing before.
    pub created: bool,
}
