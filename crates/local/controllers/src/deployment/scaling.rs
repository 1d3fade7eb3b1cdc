//! A new size in the middle of a rollout is shared among the ReplicaSets in proportion, so that a bad new
//! template does not get all of the growth.

use std::sync::Arc;

use cluster::ResourceExt;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};

use super::Roll;
use super::sizes::{self, Strategy};

impl Roll<'_> {
    pub(super) fn scale_proportionally(&mut self) {
        let desired = sizes::desired(&self.deployment);
        if let Some(only) = self.active_or_latest() {
            // Also when the size fits already: it may have been set for another size, and without this note the
            // Deployment would look resized for ever.
            self.sizes.scale(&only, desired, &self.deployment);
            return;
        }
        if self.new_is_saturated() {
            for set in self.revisions.old.clone() {
                if sizes::replicas(&set) > 0 {
                    self.sizes.scale(&set, 0, &self.deployment);
                }
            }
            return;
        }
        if Strategy::of(&self.deployment) == Strategy::RollingUpdate {
            self.share();
        }
    }

    /// The one ReplicaSet that a new size concerns when there is no rollout: the only one with Pods, or the
    /// newest when none has any.
    fn active_or_latest(&self) -> Option<Arc<ReplicaSet>> {
        let active = self.active();
        match active.as_slice() {
            [] => self
                .revisions
                .new
                .clone()
                .or_else(|| self.revisions.old.last().cloned()),
            [only] => Some(only.clone()),
            _ => None,
        }
    }

    fn new_is_saturated(&self) -> bool {
        let desired = sizes::desired(&self.deployment);
        self.revisions.new.as_ref().is_some_and(|set| {
            sizes::replicas(set) == desired
                && sizes::desired_annotation(set) == Some(desired)
                && sizes::available(set) == desired
        })
    }

    fn share(&mut self) {
        let deployment = self.deployment.clone();
        let sets = self.active();
        for (set, size) in shares(&deployment, sets) {
            self.sizes.scale(&set, size, &deployment);
        }
    }
}

/// The size of each active ReplicaSet after the Deployment was resized.
pub(super) fn shares(deployment: &Deployment, mut sets: Vec<Arc<ReplicaSet>>) -> Vec<(Arc<ReplicaSet>, i32)> {
    let desired = sizes::desired(deployment);
    let allowed = if desired > 0 {
        desired + sizes::max_surge(deployment)
    } else {
        0
    };
    let to_add = allowed - sets.iter().map(|set| sizes::replicas(set)).sum::<i32>();
    // The largest come first; of equal ones growth favours the newer, shrinking takes from the older.
    sets.sort_by(|a, b| {
        let by_size = sizes::replicas(b).cmp(&sizes::replicas(a));
        let by_age = a.creation_timestamp().cmp(&b.creation_timestamp());
        by_size.then(if to_add > 0 { by_age.reverse() } else { by_age })
    });
    let mut added = 0;
    let mut shares = Vec::with_capacity(sets.len());
    for set in sets {
        let share = share_of(deployment, &set, to_add, added);
        added += share;
        let size = sizes::replicas(&set) + share;
        shares.push((set, size));
    }
    if let Some((_, size)) = shares.first_mut()
        && to_add != 0
    {
        // What rounding left over goes to the first.
        *size = (*size + to_add - added).max(0);
    }
    shares
}

fn share_of(deployment: &Deployment, set: &ReplicaSet, to_add: i32, added: i32) -> i32 {
    if sizes::replicas(set) == 0 || to_add == 0 || to_add == added {
        return 0;
    }
    let fraction = fraction(deployment, set);
    let left = to_add - added;
    if to_add > 0 {
        fraction.min(left)
    } else {
        fraction.max(left)
    }
}

/// By how much a ReplicaSet changes when the whole keeps its proportions.
fn fraction(deployment: &Deployment, set: &ReplicaSet) -> i32 {
    let size = sizes::replicas(set);
    if sizes::desired(deployment) == 0 {
        return -size;
    }
    let max_now = sizes::desired(deployment) + sizes::max_surge(deployment);
    let status_replicas = deployment
        .status
        .as_ref()
        .and_then(|status| status.replicas)
        .unwrap_or(0);
    let max_before = match sizes::max_annotation(set) {
        Some(max) if max != 0 => max,
        // Upstream's fallback; it is wrong if the Deployment was resized meanwhile, but stays within limits.
        _ => status_replicas,
    };
    if max_before == 0 {
        return 0;
    }
    let scaled = f64::from(size) * f64::from(max_now) / f64::from(max_before);
    scaled.round() as i32 - size
}
