//! The templates that a StatefulSet or DaemonSet had, kept as ControllerRevisions for `kubectl rollout undo`.

use std::sync::Arc;

use cluster::{Deletion, Object, ObjectMeta, ResourceExt};
use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::apimachinery::pkg::runtime::RawExtension;
use serde_json::json;

use crate::action::{Action, Plan};
use crate::ownership::{controller_reference, controls};

/// Revisions that are kept when the owner does not say; the API's default.
const LIMIT_DEFAULT: i32 = 10;

/// An owner's stored revisions, the oldest first.
pub(crate) struct History {
    revisions: Vec<Arc<ControllerRevision>>,
}

impl History {
    /// Finds the owner's revisions, and sees that the one called `current` is there and has the highest number.
    pub(crate) fn sync<Owner: Object>(
        owner: &Owner,
        template: &PodTemplateSpec,
        current: &str,
        in_namespace: &[Arc<ControllerRevision>],
        plan: &mut Plan,
    ) -> Self {
        let ours = in_namespace.iter().filter(|revision| controls(owner, &***revision));
        let mut revisions: Vec<_> = ours.cloned().collect();
        revisions.sort_by_key(|revision| revision.revision);
        let highest = revisions.last().and_then(|revision| revision.revision).unwrap_or(0);
        match revisions.iter().find(|revision| revision.name_any() == current) {
            Some(known) if known.revision == Some(highest) => {}
            Some(known) => plan.push(Action::patch(&**known, json!({ "revision": highest + 1 }))),
            None if owner.meta().deletion_timestamp.is_none() => {
                plan.push(Action::create(&draft(owner, template, current, highest + 1)));
            }
            None => {}
        }
        Self { revisions }
    }

    /// The template of a revision.
    pub(crate) fn template(&self, name: &str) -> Option<PodTemplateSpec> {
        let revision = self.revisions.iter().find(|revision| revision.name_any() == name)?;
        let mut stored = revision.data.0.pointer("/spec/template")?.clone();
        stored.as_object_mut()?.remove("$patch");
        serde_json::from_value(stored).ok()
    }

    /// Deletes the oldest revisions beyond the limit that nothing uses.
    pub(crate) fn forget_old(&self, limit: Option<i32>, is_live: impl Fn(&str) -> bool, plan: &mut Plan) {
        let limit = usize::try_from(limit.unwrap_or(LIMIT_DEFAULT)).unwrap_or(0);
        let unused: Vec<_> = self
            .revisions
            .iter()
            .filter(|revision| !is_live(&revision.name_any()))
            .collect();
        let surplus = unused.len().saturating_sub(limit);
        for revision in unused.into_iter().take(surplus) {
            plan.push(Action::delete(&**revision, Deletion::default()));
        }
    }
}

/// A revision stores the template as a patch, in the form that `kubectl rollout undo` applies.
fn draft<Owner: Object>(owner: &Owner, template: &PodTemplateSpec, name: &str, number: i64) -> ControllerRevision {
    let mut stored = json!(template);
    stored["$patch"] = json!("replace");
    let mut labels = template
        .metadata
        .as_ref()
        .and_then(|meta| meta.labels.clone())
        .unwrap_or_default();
    let hash = name.rsplit('-').next().unwrap_or_default();
    labels.insert("controller.kubernetes.io/hash".to_owned(), hash.to_owned());
    let metadata = ObjectMeta {
        name: Some(name.to_owned()),
        namespace: owner.namespace(),
        labels: Some(labels),
        owner_references: Some(vec![controller_reference(owner)]),
        ..ObjectMeta::default()
    };
    ControllerRevision {
        metadata,
        data: RawExtension(json!({ "spec": { "template": stored } })),
        revision: Some(number),
    }
}
