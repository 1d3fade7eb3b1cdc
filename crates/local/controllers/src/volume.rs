//! Binder of claims: every PersistentVolumeClaim gets a volume, its own directory if no other fits.
//!
//! ```text
//!   PersistentVolumeClaim ──> a PersistentVolume that was made by hand and fits
//!                         └─> pvc-<uid>, a directory below the one that the cluster keeps for volumes
//! ```
//!
//! On one laptop every storage class means the same: a directory. So a claim of any class is given one, at
//! once, whatever the class would have done; only a claim of the empty class insists on a volume made by hand.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use apimachinery::quantity::Quantity;
use cluster::{Change, Deletion, ObjectKey, ObjectMeta, Resource, ResourceExt, SelectorExt};
use k8s_openapi::api::core::v1::{
    HostPathVolumeSource, PersistentVolume, PersistentVolumeClaim, PersistentVolumeClaimStatus, PersistentVolumeSpec,
    PersistentVolumeStatus,
};
use serde_json::json;

use crate::action::{Action, Plan};
use crate::caches::Caches;
use crate::machinery::{Controller, Turn, Wiring};
use crate::ownership;

const BIND_COMPLETED: &str = "pv.kubernetes.io/bind-completed";
const PROVISIONED_BY: &str = "pv.kubernetes.io/provisioned-by";
const PROVISIONER: &str = "flyball.dev/directory";

/// All that one look at a claim rests on.
pub(crate) struct Observed {
    /// The claim; `None` when it is gone and its volume remains.
    pub(crate) claim: Option<Arc<PersistentVolumeClaim>>,
    pub(crate) volumes: Vec<Arc<PersistentVolume>>,
}

/// Binds claims; new volumes are directories below `directory`.
pub(crate) struct VolumeController {
    pub(crate) directory: PathBuf,
}

impl Controller for VolumeController {
    const NAME: &'static str = "persistentvolume-binder";

    /// Keys are those of claims, also of claims that are gone.
    fn wire(&self, caches: &Caches, wiring: &mut Wiring<'_>) {
        wiring.on_itself(&caches.claims);
        let claims = caches.claims.clone();
        wiring.on(&caches.volumes, move |change: &Change<PersistentVolume>, look_at| {
            for volume in [&change.before, &change.after].into_iter().flatten() {
                match claim_of(volume) {
                    Some((key, _)) => look_at(key),
                    // A volume that nobody has may be what a waiting claim waits for.
                    None => claims
                        .filter(None, |claim| bound_to(claim).is_none())
                        .iter()
                        .for_each(|claim| look_at(ObjectKey::of(&**claim))),
                }
            }
        });
    }

    fn reconcile(&self, caches: &Caches, turn: &Turn<'_>) -> Plan {
        let observed = Observed {
            claim: caches.claims.get(turn.key),
            volumes: caches.volumes.all(None),
        };
        reconcile(&observed, turn.key, &self.directory)
    }
}

/// The claim that a volume is for, and its uid if it is bound.
fn claim_of(volume: &PersistentVolume) -> Option<(ObjectKey, Option<String>)> {
    let reference = volume.spec.as_ref()?.claim_ref.as_ref()?;
    let key = ObjectKey::new(reference.namespace.clone()?, reference.name.clone()?);
    Some((key, reference.uid.clone().filter(|uid| !uid.is_empty())))
}

fn bound_to(claim: &PersistentVolumeClaim) -> Option<&str> {
    let name = claim.spec.as_ref()?.volume_name.as_deref()?;
    Some(name).filter(|name| !name.is_empty())
}

/// What to do about one claim and the volumes that were its own.
pub(crate) fn reconcile(observed: &Observed, key: &ObjectKey, directory: &Path) -> Plan {
    let mut plan = Plan::nothing();
    let uid = observed.claim.as_ref().and_then(|claim| claim.uid());
    for volume in &observed.volumes {
        let was_of = claim_of(volume).filter(|(of, _)| of == key).and_then(|(_, uid)| uid);
        if was_of.is_some() && was_of != uid {
            release(volume, &mut plan);
        }
    }
    let Some(claim) = &observed.claim else { return plan };
    if claim.metadata.deletion_timestamp.is_some() {
        return plan;
    }
    let named = bound_to(claim).map(str::to_owned);
    let volume = match &named {
        Some(name) => observed
            .volumes
            .iter()
            .find(|volume| volume.name_any() == *name)
            .cloned(),
        None => choose(claim, &observed.volumes),
    };
    match volume {
        Some(volume) => bind(claim, &volume, &mut plan),
        None if named.is_some() || class(claim) == Some("") => {}
        None => plan.push(Action::create(&provision(claim, directory))),
    }
    plan
}

fn class(claim: &PersistentVolumeClaim) -> Option<&str> {
    claim.spec.as_ref()?.storage_class_name.as_deref()
}

/// The smallest volume that is free, or meant for this claim, and has what it asks for.
fn choose(claim: &PersistentVolumeClaim, volumes: &[Arc<PersistentVolume>]) -> Option<Arc<PersistentVolume>> {
    let spec = claim.spec.as_ref()?;
    let key = ObjectKey::of(claim);
    let wanted = spec
        .resources
        .as_ref()
        .and_then(|resources| resources.requests.as_ref());
    let wanted = wanted.and_then(|requests| requests.get("storage")?.0.parse::<Quantity>().ok());
    let selector = spec
        .selector
        .as_ref()
        .map(|selector| ownership::selector(selector).unwrap_or_default());
    let fits = |volume: &&Arc<PersistentVolume>| {
        let Some(has) = &volume.spec else { return false };
        let modes = has.access_modes.as_deref().unwrap_or_default();
        let meant = match claim_of(volume) {
            Some((of, uid)) => of == key && uid.is_none_or(|uid| Some(uid) == claim.uid()),
            None => has.storage_class_name.as_deref().unwrap_or_default() == class(claim).unwrap_or_default(),
        };
        meant
            && volume.metadata.deletion_timestamp.is_none()
            && capacity(volume) >= wanted
            && spec.access_modes.iter().flatten().all(|mode| modes.contains(mode))
            && selector
                .as_ref()
                .is_none_or(|selector| selector.matches(volume.labels()))
    };
    volumes
        .iter()
        .filter(fits)
        .min_by_key(|volume| capacity(volume))
        .cloned()
}

fn capacity(volume: &PersistentVolume) -> Option<Quantity> {
    volume.spec.as_ref()?.capacity.as_ref()?.get("storage")?.0.parse().ok()
}

/// One write a turn and object: first the volume says whose it is, then the claim, then both statuses.
fn bind(claim: &PersistentVolumeClaim, volume: &PersistentVolume, plan: &mut Plan) {
    if claim_of(volume).and_then(|(_, uid)| uid) != claim.uid() {
        let patch = json!({
            "metadata": { "resourceVersion": volume.resource_version() },
            "spec": { "claimRef": reference(claim) },
        });
        return plan.push(Action::patch(volume, patch));
    }
    if bound_to(claim).is_none() {
        let annotations = json!({ BIND_COMPLETED: "yes" });
        let patch = json!({
            "metadata": { "resourceVersion": claim.resource_version(), "annotations": annotations },
            "spec": { "volumeName": volume.name_any() },
        });
        return plan.push(Action::patch(claim, patch));
    }
    let spec = volume.spec.clone().unwrap_or_default();
    let status = PersistentVolumeClaimStatus {
        phase: Some("Bound".to_owned()),
        access_modes: spec.access_modes,
        capacity: spec.capacity,
        ..claim.status.clone().unwrap_or_default()
    };
    if claim.status.as_ref() != Some(&status) {
        let mut claim = claim.clone();
        claim.status = Some(status);
        plan.push(Action::replace_status(&claim));
    }
    set_phase(volume, "Bound", plan);
}

fn reference(claim: &PersistentVolumeClaim) -> serde_json::Value {
    let mut reference = claim.object_ref(&());
    reference.resource_version = None;
    json!(reference)
}

fn set_phase(volume: &PersistentVolume, phase: &str, plan: &mut Plan) {
    let known = volume.status.as_ref().and_then(|status| status.phase.as_deref());
    if known != Some(phase) {
        let mut volume = volume.clone();
        volume.status = Some(PersistentVolumeStatus {
            phase: Some(phase.to_owned()),
            ..PersistentVolumeStatus::default()
        });
        plan.push(Action::replace_status(&volume));
    }
}

/// A volume whose claim is gone goes too, unless it is to be retained. The directory stays: data is deleted by
/// people.
fn release(volume: &PersistentVolume, plan: &mut Plan) {
    let policy = volume
        .spec
        .as_ref()
        .and_then(|spec| spec.persistent_volume_reclaim_policy.as_deref());
    match policy {
        Some("Delete") if volume.metadata.deletion_timestamp.is_none() => {
            plan.push(Action::delete(volume, Deletion::default()));
        }
        Some("Delete") => {}
        _ => set_phase(volume, "Released", plan),
    }
}

fn provision(claim: &PersistentVolumeClaim, directory: &Path) -> PersistentVolume {
    let spec = claim.spec.clone().unwrap_or_default();
    let key = ObjectKey::of(claim);
    let path = directory.join(&key.namespace).join(&key.name);
    let metadata = ObjectMeta {
        name: Some(format!("pvc-{}", claim.uid().unwrap_or_default())),
        annotations: Some([(PROVISIONED_BY.to_owned(), PROVISIONER.to_owned())].into()),
        ..ObjectMeta::default()
    };
    let mut claim_ref = claim.object_ref(&());
    claim_ref.resource_version = None;
    let spec = PersistentVolumeSpec {
        capacity: spec.resources.and_then(|resources| resources.requests),
        access_modes: spec.access_modes,
        storage_class_name: spec.storage_class_name,
        claim_ref: Some(claim_ref),
        persistent_volume_reclaim_policy: Some("Delete".to_owned()),
        host_path: Some(HostPathVolumeSource {
            path: path.display().to_string(),
            type_: Some("DirectoryOrCreate".to_owned()),
        }),
        ..PersistentVolumeSpec::default()
    };
    PersistentVolume {
        metadata,
        spec: Some(spec),
        status: None,
    }
}

#[cfg(test)]
mod tests;
