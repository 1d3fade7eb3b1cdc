//! The templates that a StatefulSet had: kept as ControllerRevisions, so that a Pod below the partition can
//! be made again from the old one.

use cluster::ResourceExt;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::PodTemplateSpec;

use super::Observed;
use super::members::{self, Members, revision_of};
use crate::action::Plan;
use crate::history::History;
use crate::names::template_hash;

/// The revision that Pods have and the one that they are to get; the same when nothing rolls.
pub(super) struct Revisions {
    /// Name of the revision that Pods below the partition keep.
    pub(super) current: String,
    /// Name of the revision of the set's template.
    pub(super) update: String,
    current_template: PodTemplateSpec,
    history: History,
}

impl Revisions {
    /// Finds the revisions, and sees that the set's template has one.
    pub(super) fn of(observed: &Observed, plan: &mut Plan) -> Self {
        let set = &*observed.set;
        let template = &set.spec.template;
        let status = set.status.clone().unwrap_or_default();
        let update = format!("{}-{}", set.name_any(), template_hash(template, status.collision_count));
        let history = History::sync(set, template, &update, &observed.revisions, plan);
        let current = status.current_revision.filter(|name| !name.is_empty());
        let stored = current.and_then(|name| history.template(&name).map(|template| (name, template)));
        let (current, current_template) = stored.unwrap_or_else(|| (update.clone(), template.clone()));
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

    /// Forgets the revisions that no Pod has.
    pub(super) fn forget_old(&self, observed: &Observed, members: &Members, plan: &mut Plan) {
        let is_live = |name: &str| {
            name == self.current || name == self.update || members.pods().any(|pod| revision_of(pod) == name)
        };
        self.history
            .forget_old(observed.set.spec.revision_history_limit, is_live, plan);
    }
}
