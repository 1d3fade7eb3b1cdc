//! The Pods of a StatefulSet by ordinal, and what each is made of.

use std::sync::Arc;

use cluster::ResourceExt;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{
    PersistentVolumeClaim, PersistentVolumeClaimVolumeSource, Pod, PodTemplateSpec, Volume,
};

use super::Observed;
use super::revisions::Revisions;
use crate::action::Action;
use crate::ownership::controller_reference;
use crate::pods;

/// The label that says which revision a Pod is of.
pub(super) const REVISION_HASH: &str = "controller-revision-hash";
const POD_NAME: &str = "statefulset.kubernetes.io/pod-name";
const POD_INDEX: &str = "apps.kubernetes.io/pod-index";

/// A wanted ordinal, its Pod if it has one, and what a new one is made of.
pub(super) struct Member {
    pub(super) ordinal: i32,
    pub(super) pod: Option<Arc<Pod>>,
    revision: String,
    template: PodTemplateSpec,
}

/// All Pods by role.
pub(super) struct Members {
    /// One per ordinal, ascending.
    pub(super) wanted: Vec<Member>,
    /// Those beyond, the last ordinal first.
    pub(super) condemned: Vec<Arc<Pod>>,
    update_revision: String,
}

/// The first ordinal.
pub(super) fn start(set: &StatefulSet) -> i32 {
    let ordinals = set.spec.ordinals.as_ref();
    ordinals.and_then(|ordinals| ordinals.start).unwrap_or(0)
}

/// How many of the first Pods keep the old revision.
pub(super) fn partition(set: &StatefulSet) -> i32 {
    let rolling = set
        .spec
        .update_strategy
        .as_ref()
        .and_then(|strategy| strategy.rolling_update.as_ref());
    rolling.and_then(|rolling| rolling.partition).unwrap_or(0)
}

/// The ordinal in a Pod's name, if it is a name of this set.
pub(super) fn ordinal(set: &StatefulSet, pod: &Pod) -> Option<i32> {
    let name = pod.metadata.name.as_deref()?;
    let number = name.strip_prefix(set.metadata.name.as_deref()?)?.strip_prefix('-')?;
    number
        .parse()
        .ok()
        .filter(|ordinal: &i32| ordinal.to_string() == number)
}

pub(super) fn revision_of(pod: &Pod) -> &str {
    pod.labels().get(REVISION_HASH).map_or("", String::as_str)
}

impl Members {
    pub(super) fn of(observed: &Observed, owned: Vec<Arc<Pod>>, revisions: &Revisions) -> Self {
        let set = &*observed.set;
        let first = start(set);
        let end = first + set.spec.replicas.unwrap_or(1);
        let member = |number: i32| {
            let pod = owned.iter().find(|pod| ordinal(set, pod) == Some(number)).cloned();
            let (revision, template) = revisions.for_ordinal(set, number);
            Member {
                ordinal: number,
                pod,
                revision,
                template,
            }
        };
        let wanted = (first..end).map(member).collect();
        let is_beyond = |pod: &&Arc<Pod>| ordinal(set, pod).is_some_and(|number| number < first || number >= end);
        let mut condemned: Vec<_> = owned.iter().filter(is_beyond).cloned().collect();
        condemned.sort_by_key(|pod| std::cmp::Reverse(ordinal(set, pod)));
        Self {
            wanted,
            condemned,
            update_revision: revisions.update.clone(),
        }
    }

    pub(super) fn is_updated(&self, pod: &Pod) -> bool {
        revision_of(pod) == self.update_revision
    }

    pub(super) fn pods(&self) -> impl Iterator<Item = &Arc<Pod>> {
        self.wanted
            .iter()
            .filter_map(|member| member.pod.as_ref())
            .chain(&self.condemned)
    }
}

/// A member's new Pod.
pub(super) fn draft(set: &StatefulSet, member: &Member) -> Pod {
    let name = format!("{}-{}", set.name_any(), member.ordinal);
    let mut pod = pods::from_template(&member.template);
    pod.metadata.name = Some(name.clone());
    pod.metadata.namespace = set.namespace();
    pod.metadata.owner_references = Some(vec![controller_reference(set)]);
    let labels = pod.metadata.labels.get_or_insert_default();
    labels.insert(POD_NAME.to_owned(), name.clone());
    labels.insert(POD_INDEX.to_owned(), member.ordinal.to_string());
    labels.insert(REVISION_HASH.to_owned(), member.revision.clone());
    let spec = pod.spec.get_or_insert_default();
    spec.hostname = Some(name);
    spec.subdomain = set.spec.service_name.clone();
    let templates = set.spec.volume_claim_templates.iter().flatten();
    let claimed: Vec<_> = templates
        .map(|template| claimed_volume(set, template, member.ordinal))
        .collect();
    let volumes = spec.volumes.get_or_insert_default();
    // A claim template takes the place of a volume of its name.
    volumes.retain(|volume| !claimed.iter().any(|claimed| claimed.name == volume.name));
    volumes.extend(claimed);
    pod
}

fn claim_name(set: &StatefulSet, template: &PersistentVolumeClaim, ordinal: i32) -> String {
    format!("{}-{}-{ordinal}", template.name_any(), set.name_any())
}

fn claimed_volume(set: &StatefulSet, template: &PersistentVolumeClaim, ordinal: i32) -> Volume {
    let source = PersistentVolumeClaimVolumeSource {
        claim_name: claim_name(set, template, ordinal),
        read_only: None,
    };
    Volume {
        name: template.name_any(),
        persistent_volume_claim: Some(source),
        ..Volume::default()
    }
}

/// Creates the claims of an ordinal that are not there yet.
pub(super) fn missing_claims(observed: &Observed, ordinal: i32) -> Vec<Action> {
    let set = &*observed.set;
    let mut actions = Vec::new();
    for template in set.spec.volume_claim_templates.iter().flatten() {
        let name = claim_name(set, template, ordinal);
        if observed.claims.iter().any(|claim| claim.name_any() == name) {
            continue;
        }
        let mut claim = template.clone();
        claim.status = None;
        claim.metadata.name = Some(name);
        claim.metadata.namespace = set.namespace();
        let labels = claim.metadata.labels.get_or_insert_default();
        labels.extend(set.spec.selector.match_labels.clone().unwrap_or_default());
        if deletes_claims(set) {
            claim.metadata.owner_references = Some(vec![controller_reference(set)]);
        }
        actions.push(Action::create(&claim));
    }
    actions
}

/// Whether claims go with their set; by default they stay.
fn deletes_claims(set: &StatefulSet) -> bool {
    let policy = set.spec.persistent_volume_claim_retention_policy.as_ref();
    policy.and_then(|policy| policy.when_deleted.as_deref()) == Some("Delete")
}
