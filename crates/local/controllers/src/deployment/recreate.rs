//! Replacement with an outage: all old Pods end before the first new one starts.

use super::revision::NewReplicaSet;
use super::{Roll, sizes, status};

impl Roll<'_> {
    pub(super) fn recreate(&mut self) {
        self.sync_revision(NewReplicaSet::OnlyIfThere);
        let active_old: Vec<_> = self
            .revisions
            .old
            .iter()
            .filter(|set| sizes::replicas(set) > 0)
            .cloned()
            .collect();
        let mut shrunk = false;
        for set in &active_old {
            shrunk |= self.sizes.scale(set, 0, &self.deployment);
        }
        if !shrunk && !self.old_pods_run() {
            self.start_new();
        }
        self.update_status();
    }

    fn start_new(&mut self) {
        if self.sync_revision(NewReplicaSet::Create) {
            return;
        }
        if let Some(set) = self.revisions.new.clone() {
            self.sizes
                .scale(&set, sizes::desired(&self.deployment), &self.deployment);
        }
        if status::is_complete(&self.deployment) {
            self.clean_up();
        }
    }
}
