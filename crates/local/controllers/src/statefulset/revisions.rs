//! The templates that a StatefulSet had: kept as ControllerRevisions, so that a Pod below the partition can
//! be made again from the old one.

use std::sync::Arc;

use cluster::{Deletion, ObjectMeta, ResourceExt};
use k8s_openapi::api::apps::v1::{ControllerRevision, StatefulSet};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::apimachinery::pkg::runtime::RawExtension;
use serde_json::json;

use super::Observed;
use super::members::{self, Members, REVISION_HASH, revision_of};
use crate::action::{Action, Plan};
use crate::names::template_hash;
use crate::ownership::{controller_reference, controls};

/// The revision that Pods have and the one that they are to get; the same when nothing rolls.
pub(super) struct Revisions {
    /// Name of the revision that Pods below the partition keep.
    pub(super) current: String,
    /// Name of the revision of the set's template.
    pub(super) update: String,
    current_template: PodTemplateSpec,
    history: Vec<Arc<ControllerRevision>>,
}

impl Revisions {
    /// Finds the revisions, and sees that the set's template has one with the highest number.
    pub(super) fn of(observed: &Observed, plan: &mut Plan) -> Self {
        let set = &*observed.set;
        let ours = observed.revisions.iter().filter(|revision| controls(set, &***revision));
        let mut history: Vec<_> = ours.cloned().collect();
        history.sort_by_key(|revision| revision.revision);
        let highest = history.last().and_then(|revision| revision.revision).unwrap_or(0);
        let status = set.status.clone().unwrap_or_default();
        let update = format!(
            "{}-{}",
            set.name_any(),
            template_hash(&set.spec.template, status.collision_count)
        );
        match history.iter().find(|revision| revision.name_any() == update) {
            Some(known) if known.revision == Some(highest) => {}
            Some(known) => plan.push(Action::patch(&**known, json!({ "revision": highest + 1 }))),
            None if set.metadata.deletion_timestamp.is_none() => {
                plan.push(Action::create(&draft(set, &update, highest + 1)));
            }
            None => {}
        }
        let current = status.current_revision.filter(|name| !name.is_empty());
        let stored = current.and_then(|name| {
            let revision = history.iter().find(|revision| revision.name_any() == name)?;
            Some((name, template(revision)?))
        });
        let (current, current_template) = stored.unwrap_or_else(|| (update.clone(), set.spec.template.clone()));
        Self {
            current,
            update,
            current_template,
            history,
        }
    }

    /// The revision and template of a new Pod (upstream: `isCurrentRevisionNeeded`).
    pub(super) fn for_ordinal(&self, set: &StatefulSet, ordinal: i32) -> (String, PodTemplateSpec) {
        let strategy = set.spec.update_strategy.as_ref();
        let rolls = strategy.and_then(|strategy| strategy.type_.as_deref()) != Some("OnDelete");
        let partitioned = strategy.is_some_and(|strategy| strategy.rolling_update.is_some());
        let still_current = set
            .status
            .as_ref()
            .and_then(|status| status.current_replicas)
            .unwrap_or(0);
        let kept = if partitioned {
            members::partition(set)
        } else {
            still_current
        };
        match rolls && ordinal < members::start(set) + kept {
            true => (self.current.clone(), self.current_template.clone()),
            false => (self.update.clone(), set.spec.template.clone()),
        }
    }

    /// Deletes the oldest revisions beyond the limit that no Pod has.
    pub(super) fn forget_old(&self, observed: &Observed, members: &Members, plan: &mut Plan) {
        let limit = observed.set.spec.revision_history_limit.unwrap_or(10);
        let is_live = |name: &str| {
            name == self.current || name == self.update || members.pods().any(|pod| revision_of(pod) == name)
        };
        let unused: Vec<_> = self
            .history
            .iter()
            .filter(|revision| !is_live(&revision.name_any()))
            .collect();
        let surplus = unused.len().saturating_sub(usize::try_from(limit).unwrap_or(0));
        for revision in unused.into_iter().take(surplus) {
            plan.push(Action::delete(&**revision, Deletion::default()));
        }
    }
}

/// A revision stores the template as a patch, in the form that `kubectl rollout undo` applies.
fn draft(set: &StatefulSet, name: &str, number: i64) -> ControllerRevision {
    let mut stored = json!(set.spec.template);
    stored["$patch"] = json!("replace");
    let mut labels = set
        .spec
        .template
        .metadata
        .as_ref()
        .and_then(|meta| meta.labels.clone())
        .unwrap_or_default();
    let hash = name.rsplit('-').next().unwrap_or_default();
    labels.insert("controller.kubernetes.io/hash".to_owned(), hash.to_owned());
    labels.remove(REVISION_HASH);
    let metadata = ObjectMeta {
        name: Some(name.to_owned()),
        namespace: set.namespace(),
        labels: Some(labels),
        owner_references: Some(vec![controller_reference(set)]),
        ..ObjectMeta::default()
    };
    ControllerRevision {
        metadata,
        data: RawExtension(json!({ "spec": { "template": stored } })),
        revision: Some(number),
    }
}

fn template(revision: &ControllerRevision) -> Option<PodTemplateSpec> {
    let mut stored = revision.data.0.pointer("/spec/template")?.clone();
    stored.as_object_mut()?.remove("$patch");
    serde_json::from_value(stored).ok()
}
