//! Which ReplicaSet is the new one, and which revision it has.

use std::collections::BTreeMap;
use std::sync::Arc;

use cluster::{ObjectMeta, Resource, ResourceExt};
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet, ReplicaSetSpec};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use serde_json::json;

use super::{Roll, condition, sizes};
use crate::action::{Action, Plan};
use crate::names::template_hash;
use crate::ownership::{controller_reference, controls};
use crate::pods;

/// The label that tells the Pods of one template from those of another.
const TEMPLATE_HASH: &str = "pod-template-hash";
const REVISION: &str = "deployment.kubernetes.io/revision";
const REVISION_HISTORY: &str = "deployment.kubernetes.io/revision-history";

/// Annotations that belong to one object and are not handed down from the Deployment.
const NOT_HANDED_DOWN: [&str; 6] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    REVISION_HISTORY,
    sizes::DESIRED,
    sizes::MAX,
    "deprecated.deployment.rollback.to",
];

/// Length to which the list of earlier revisions may grow, in bytes; upstream's limit.
const REVISION_HISTORY_BYTES_MAX: usize = 2000;

/// Whether a missing new ReplicaSet is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NewReplicaSet {
    /// No: paused, or only scaling.
    OnlyIfThere,
    /// Yes.
    Create,
}

/// A Deployment's ReplicaSets by role.
pub(super) struct Revisions {
    /// The one with the Deployment's template.
    pub(super) new: Option<Arc<ReplicaSet>>,
    /// The others, oldest first.
    pub(super) old: Vec<Arc<ReplicaSet>>,
    /// The name that a new one would have.
    name: String,
    hash: String,
    /// Another object has that name: the hash collides.
    collides: bool,
}

impl Revisions {
    pub(super) fn of(
        deployment: &Deployment,
        mut owned: Vec<Arc<ReplicaSet>>,
        in_namespace: &[Arc<ReplicaSet>],
    ) -> Self {
        owned.sort_by_key(|set| (set.creation_timestamp(), set.name_any()));
        let template = without_hash(&deployment.spec.template);
        let has_template =
            |set: &Arc<ReplicaSet>| set.spec.template.as_ref().map(without_hash) == Some(template.clone());
        let new = owned.iter().find(|set| has_template(set)).cloned();
        let old = owned
            .into_iter()
            .filter(|set| new.as_ref().is_none_or(|new| new.name_any() != set.name_any()));
        let old: Vec<_> = old.collect();
        let collision_count = deployment.status.as_ref().and_then(|status| status.collision_count);
        let hash = template_hash(&deployment.spec.template, collision_count);
        let name = format!("{}-{hash}", deployment.name_any());
        let is_namesake = |set: &&Arc<ReplicaSet>| set.name_any() == name;
        let is_ours = |set: &Arc<ReplicaSet>| controls(deployment, &**set) && has_template(set);
        let collides = in_namespace.iter().find(is_namesake).is_some_and(|set| !is_ours(set));
        Self {
            new,
            old,
            name,
            hash,
            collides,
        }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<ReplicaSet>> {
        self.old.iter().chain(&self.new)
    }
}

pub(super) fn of_set(set: &ReplicaSet) -> i64 {
    let revision = set.annotations().get(REVISION);
    revision.and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// The template as the user wrote it; the label is ours. An empty map is no map.
fn without_hash(template: &PodTemplateSpec) -> PodTemplateSpec {
    let mut template = template.clone();
    let metadata = template.metadata.get_or_insert_default();
    metadata.creation_timestamp = None;
    if let Some(labels) = &mut metadata.labels {
        labels.remove(TEMPLATE_HASH);
    }
    for map in [&mut metadata.labels, &mut metadata.annotations] {
        if map.as_ref().is_some_and(BTreeMap::is_empty) {
            *map = None;
        }
    }
    template
}

impl Roll<'_> {
    /// Sees to it that the new ReplicaSet exists, if wanted, and carries the right revision; whether it was
    /// made just now.
    pub(super) fn sync_revision(&mut self, mode: NewReplicaSet) -> bool {
        let newest_old = self.revisions.old.iter().map(|set| of_set(set)).max().unwrap_or(0);
        let revision = newest_old + 1;
        match (self.revisions.new.clone(), mode) {
            (Some(set), _) => {
                self.sync_existing(&set, revision);
                false
            }
            (None, NewReplicaSet::OnlyIfThere) => false,
            (None, NewReplicaSet::Create) if self.revisions.collides => {
                let status = self.deployment.status.get_or_insert_default();
                status.collision_count = Some(status.collision_count.unwrap_or(0) + 1);
                // No set this turn; the raised count gives another name in the next.
                true
            }
            (None, NewReplicaSet::Create) => {
                self.create(revision);
                true
            }
        }
    }

    fn sync_existing(&mut self, set: &Arc<ReplicaSet>, revision: i64) {
        for (name, value) in handed_down(&self.deployment) {
            self.sizes.annotate(set, &name, value);
        }
        let current = of_set(set);
        let revision = revision.max(current);
        if current < revision {
            self.sizes.annotate(set, REVISION, revision.to_string());
            if current > 0 {
                self.sizes.annotate(set, REVISION_HISTORY, lengthened(set, current));
            }
        }
        self.sizes
            .set_min_ready_seconds(set, self.deployment.spec.min_ready_seconds.unwrap_or(0));
        self.set_revision(revision);
        let status = self.deployment.status.get_or_insert_default();
        if has_deadline(&self.observed.deployment) && condition::get(status, condition::PROGRESSING).is_none() {
            let message = format!("Found new replica set \"{}\"", set.name_any());
            let reason = condition::FOUND_NEW_REPLICA_SET;
            condition::set(
                status,
                condition::new(condition::PROGRESSING, "True", reason, message, self.now),
            );
        }
    }

    fn create(&mut self, revision: i64) {
        let mut set = self.draft(revision);
        let replicas = self.size_of_new(0);
        set.spec.replicas = Some(replicas);
        let name = set.name_any();
        self.actions.push(Action::create(&set));
        if replicas > 0 {
            self.actions
                .push(sizes::scaled(&self.observed.deployment, &name, 0, replicas));
        }
        self.set_revision(revision);
        if has_deadline(&self.observed.deployment) {
            let (status, reason, message) = match &self.observed.last_failure {
                None => (
                    "True",
                    condition::NEW_REPLICA_SET_CREATED,
                    format!("Created new replica set \"{name}\""),
                ),
                Some(error) => (
                    "False",
                    condition::REPLICA_SET_CREATE_ERROR,
                    format!("Failed to create new replica set \"{name}\": {error}"),
                ),
            };
            let progressing = condition::new(condition::PROGRESSING, status, reason, message, self.now);
            condition::set(self.deployment.status.get_or_insert_default(), progressing);
        }
        self.revisions.new = Some(Arc::new(set));
    }

    fn draft(&self, revision: i64) -> ReplicaSet {
        let deployment = &*self.observed.deployment;
        let label = (TEMPLATE_HASH.to_owned(), self.revisions.hash.clone());
        let mut template = deployment.spec.template.clone();
        let labels = template.metadata.get_or_insert_default().labels.get_or_insert_default();
        labels.extend([label.clone()]);
        let labels = labels.clone();
        let mut selector = deployment.spec.selector.clone();
        selector.match_labels.get_or_insert_default().extend([label]);
        let mut annotations = handed_down(deployment);
        annotations.insert(REVISION.to_owned(), revision.to_string());
        annotations.extend(sizes::size_annotations(deployment));
        let metadata = ObjectMeta {
            name: Some(self.revisions.name.clone()),
            namespace: deployment.namespace(),
            labels: Some(labels),
            annotations: Some(annotations),
            owner_references: Some(vec![controller_reference(deployment)]),
            ..ObjectMeta::default()
        };
        let spec = ReplicaSetSpec {
            replicas: Some(0),
            min_ready_seconds: deployment.spec.min_ready_seconds,
            selector,
            template: Some(template),
        };
        ReplicaSet {
            metadata,
            spec,
            status: None,
        }
    }

    fn set_revision(&mut self, revision: i64) {
        let annotations = self.deployment.metadata.annotations.get_or_insert_default();
        annotations.insert(REVISION.to_owned(), revision.to_string());
    }

    /// Deletes the oldest ReplicaSets beyond the history limit, as far as they are empty and settled.
    pub(super) fn clean_up(&mut self) {
        let Some(limit) = self
            .deployment
            .spec
            .revision_history_limit
            .filter(|limit| *limit != i32::MAX)
        else {
            return;
        };
        let is_going = |set: &Arc<ReplicaSet>| set.metadata.deletion_timestamp.is_some();
        let mut kept: Vec<_> = self.revisions.old.iter().filter(|set| !is_going(set)).collect();
        kept.sort_by_key(|set| (of_set(set), set.creation_timestamp()));
        let surplus = kept.len().saturating_sub(usize::try_from(limit).unwrap_or(0));
        let is_settled = |set: &ReplicaSet| {
            let observed = set.status.as_ref().and_then(|status| status.observed_generation);
            set.metadata.generation.unwrap_or(0) <= observed.unwrap_or(0)
        };
        let unused = |set: &ReplicaSet| sizes::actual(set) == 0 && sizes::replicas(set) == 0 && is_settled(set);
        for set in kept.into_iter().take(surplus).filter(|set| unused(set)) {
            self.actions.push(Action::delete(&**set, cluster::Deletion::default()));
        }
    }

    /// Whether any Pod of an old ReplicaSet still runs or may still run.
    pub(super) fn old_pods_run(&self) -> bool {
        let is_old = |pod: &cluster::ObjectMeta| {
            let references = pod.owner_references.iter().flatten();
            references.into_iter().any(|owner| {
                self.revisions
                    .old
                    .iter()
                    .any(|set| set.metadata.uid.as_ref() == Some(&owner.uid))
            })
        };
        let counted = self.revisions.old.iter().map(|set| sizes::actual(set)).sum::<i32>() > 0;
        counted
            || self
                .observed
                .pods
                .iter()
                .any(|pod| is_old(pod.meta()) && !pods::is_finished(pod))
    }
}

fn handed_down(deployment: &Deployment) -> BTreeMap<String, String> {
    let annotations = deployment.annotations().iter();
    let own = annotations.filter(|(name, _)| !NOT_HANDED_DOWN.contains(&name.as_str()));
    own.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The list of earlier revisions with one more; the oldest are forgotten when it gets too long.
fn lengthened(set: &ReplicaSet, revision: i64) -> String {
    let history = set.annotations().get(REVISION_HISTORY).map_or("", String::as_str);
    let mut revisions: Vec<_> = history
        .split(',')
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
        .collect();
    revisions.push(revision.to_string());
    while revisions.len() > 1 && revisions.join(",").len() > REVISION_HISTORY_BYTES_MAX {
        revisions.remove(0);
    }
    revisions.join(",")
}

pub(super) fn has_deadline(deployment: &Deployment) -> bool {
    deployment
        .spec
        .progress_deadline_seconds
        .is_some_and(|seconds| seconds != i32::MAX)
}

/// Writes the revision of the Deployment if a turn changed it.
pub(super) fn write_annotation(before: &Deployment, after: &Deployment, plan: &mut Plan) {
    let revision = after.annotations().get(REVISION);
    if revision.is_some() && revision != before.annotations().get(REVISION) {
        let patch = json!({ "metadata": { "uid": after.uid(), "annotations": { REVISION: revision } } });
        plan.push(Action::patch(after, patch));
    }
}
