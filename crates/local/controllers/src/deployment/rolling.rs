//! The rolling update: one safe step a turn.

use std::sync::Arc;

use k8s_openapi::api::apps::v1::ReplicaSet;

use super::revision::NewReplicaSet;
use super::sizes::{self, Strategy};
use super::{Roll, status};

impl Roll<'_> {
    /// Grows the new ReplicaSet; if that is not possible now, shrinks old ones; if nothing is left, tidies.
    pub(super) fn roll(&mut self) {
        let created = self.sync_revision(NewReplicaSet::Create);
        if !created && !self.grow_new() && !self.shrink_old() && status::is_complete(&self.deployment) {
            self.clean_up();
        }
        self.update_status();
    }

    /// The size that the new ReplicaSet, now of `current`, should have (upstream: `NewRSNewReplicas`).
    pub(super) fn size_of_new(&self, current: i32) -> i32 {
        let desired = sizes::desired(&self.deployment);
        match Strategy::of(&self.deployment) {
            Strategy::Recreate => desired,
            Strategy::RollingUpdate => {
                let total = self.sizes.total(self.revisions.all());
                let room = desired + sizes::max_surge(&self.deployment) - total;
                if room <= 0 {
                    return current;
                }
                current + room.min(desired - current)
            }
        }
    }

    fn grow_new(&mut self) -> bool {
        let Some(set) = self.revisions.new.clone() else {
            return false;
        };
        let current = self.sizes.of(&set);
        let desired = sizes::desired(&self.deployment);
        let size = match current.cmp(&desired) {
            std::cmp::Ordering::Equal => return false,
            std::cmp::Ordering::Greater => desired,
            std::cmp::Ordering::Less => self.size_of_new(current),
        };
        self.sizes.scale(&set, size, &self.deployment)
    }

    /// Takes unhealthy old Pods away first, which costs nothing, then as many healthy ones as the floor
    /// allows.
    fn shrink_old(&mut self) -> bool {
        if self.sizes.total(&self.revisions.old) == 0 {
            return false;
        }
        let floor = sizes::desired(&self.deployment) - sizes::max_unavailable(&self.deployment);
        let new_unavailable = self
            .revisions
            .new
            .as_ref()
            .map_or(0, |set| self.sizes.of(set) - sizes::available(set));
        let may_go = self.sizes.total(self.revisions.all()) - floor - new_unavailable;
        if may_go <= 0 {
            return false;
        }
        let unhealthy = self.shrink(may_go, |size, set| size - sizes::available(set));
        let available: i32 = self.revisions.all().map(|set| sizes::available(set)).sum();
        let healthy = self.shrink(available - floor, |size, _| size);
        unhealthy + healthy > 0
    }

    /// Takes up to `total` Pods from old ReplicaSets, oldest first, from each as many as `from_each` allows;
    /// how many were taken.
    fn shrink(&mut self, total: i32, from_each: impl Fn(i32, &ReplicaSet) -> i32) -> i32 {
        let mut taken = 0;
        for set in self.revisions.old.clone() {
            let size = self.sizes.of(&set);
            let take = from_each(size, &set).min(total - taken).min(size);
            if take > 0 {
                self.sizes.scale(&set, size - take, &self.deployment);
                taken += take;
            }
        }
        taken
    }

    /// The ReplicaSets that have Pods.
    pub(super) fn active(&self) -> Vec<Arc<ReplicaSet>> {
        self.revisions
            .all()
            .filter(|set| sizes::replicas(set) > 0)
            .cloned()
            .collect()
    }
}
