//! What a Deployment says about itself, and when it has waited too long.

use std::time::Duration;

use cluster::ResourceExt;
use flyball_core::Timestamp;
use k8s_openapi::api::apps::v1::{Deployment, DeploymentStatus, ReplicaSet};

use super::revision::has_deadline;
use super::{Roll, condition, sizes};
use crate::action::{Action, Plan};

/// A selector that selects everything would take over every Pod of the namespace.
pub(super) fn refuse_empty_selector(deployment: &Deployment) -> Plan {
    let mut plan = Plan::nothing();
    let message = "This deployment is selecting all pods. A non-empty selector is required.";
    plan.push(Action::warning(deployment, "SelectingAll", message.to_owned()));
    let mut after = deployment.clone();
    after.status.get_or_insert_default().observed_generation = deployment.metadata.generation;
    write(deployment, &after, &mut plan);
    plan
}

/// Writes the status if it changed.
pub(super) fn write(before: &Deployment, after: &Deployment, plan: &mut Plan) {
    if after.status.clone().unwrap_or_default() != before.status.clone().unwrap_or_default() {
        plan.push(Action::replace_status(after));
    }
}

/// Whether everything runs the new template.
pub(super) fn is_complete(deployment: &Deployment) -> bool {
    let status = deployment.status.clone().unwrap_or_default();
    status_is_complete(deployment, &status)
}

fn status_is_complete(deployment: &Deployment, status: &DeploymentStatus) -> bool {
    let desired = Some(sizes::desired(deployment));
    let number = |value: Option<i32>| Some(value.unwrap_or(0));
    number(status.updated_replicas) == desired
        && number(status.replicas) == desired
        && number(status.available_replicas) == desired
        && status.observed_generation.unwrap_or(0) >= deployment.metadata.generation.unwrap_or(0)
}

/// Whether anything moved since the last status.
fn has_progressed(before: &DeploymentStatus, after: &DeploymentStatus) -> bool {
    let number = |value: Option<i32>| value.unwrap_or(0);
    let old = |status: &DeploymentStatus| number(status.replicas) - number(status.updated_replicas);
    number(after.updated_replicas) > number(before.updated_replicas)
        || old(after) < old(before)
        || number(after.ready_replicas) > number(before.ready_replicas)
        || number(after.available_replicas) > number(before.available_replicas)
}

fn has_timed_out(deployment: &Deployment, status: &DeploymentStatus, now: Timestamp) -> bool {
    let Some(progressing) = condition::get(status, condition::PROGRESSING) else {
        return false;
    };
    match progressing.reason.as_deref() {
        Some(condition::NEW_REPLICA_SET_AVAILABLE) => false,
        Some(condition::PROGRESS_DEADLINE_EXCEEDED) => true,
        _ => left(deployment, status, now).is_some_and(|left| left.is_zero()),
    }
}

/// The time until the progress deadline, zero when it has passed.
fn left(deployment: &Deployment, status: &DeploymentStatus, now: Timestamp) -> Option<Duration> {
    let seconds = deployment
        .spec
        .progress_deadline_seconds
        .filter(|_| has_deadline(deployment))?;
    let since = condition::get(status, condition::PROGRESSING)?
        .last_update_time
        .as_ref()?
        .0;
    let passed = Duration::try_from(now.duration_since(since)).unwrap_or_default();
    Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)).saturating_sub(passed))
}

/// When to look again because a rollout that stands still becomes a failed one.
pub(super) fn time_to_deadline(deployment: &Deployment, now: Timestamp) -> Option<Duration> {
    let status = deployment.status.as_ref()?;
    let reason = condition::reason(status, condition::PROGRESSING)?;
    let settled = matches!(
        reason,
        condition::PROGRESS_DEADLINE_EXCEEDED | condition::NEW_REPLICA_SET_AVAILABLE
    );
    if settled || status_is_complete(deployment, status) || deployment.spec.paused == Some(true) {
        return None;
    }
    // A second more, so that the deadline has passed for a clock that counts whole seconds.
    left(deployment, status, now).map(|left| left + Duration::from_secs(1))
}

impl Roll<'_> {
    /// Notes that a rollout was paused or resumed, which stops and restarts the progress clock.
    pub(super) fn note_pause(&mut self) {
        if !has_deadline(&self.deployment) {
            return;
        }
        let paused = self.is_paused();
        let status = self.deployment.status.get_or_insert_default();
        let reason = condition::reason(status, condition::PROGRESSING).unwrap_or_default();
        if reason == condition::PROGRESS_DEADLINE_EXCEEDED {
            return;
        }
        let (reason, message) = match (paused, reason == condition::PAUSED) {
            (true, false) => (condition::PAUSED, "Deployment is paused"),
            (false, true) => (condition::RESUMED, "Deployment is resumed"),
            _ => return,
        };
        let noted = condition::new(condition::PROGRESSING, "Unknown", reason, message, self.now);
        condition::set(status, noted);
    }

    pub(super) fn update_status(&mut self) {
        let mut status = self.counted();
        self.judge_availability(&mut status);
        if self.deployment.metadata.deletion_timestamp.is_none() && !self.is_paused() && !self.size_changed() {
            self.judge_progress(&mut status);
            self.report_replica_failure(&mut status);
        }
        if status.conditions.as_ref().is_some_and(Vec::is_empty) {
            status.conditions = None;
        }
        self.deployment.status = Some(status);
    }

    fn counted(&self) -> DeploymentStatus {
        let sum = |of: fn(&ReplicaSet) -> i32| self.revisions.all().map(|set| of(set)).sum::<i32>();
        let positive = |number: i32| Some(number).filter(|number| *number > 0);
        let ready = |set: &ReplicaSet| {
            set.status
                .as_ref()
                .and_then(|status| status.ready_replicas)
                .unwrap_or(0)
        };
        let terminating = |set: &ReplicaSet| {
            set.status
                .as_ref()
                .and_then(|status| status.terminating_replicas)
                .unwrap_or(0)
        };
        let available = sum(sizes::available);
        let total = self.sizes.total(self.revisions.all());
        let current = self.deployment.status.clone().unwrap_or_default();
        DeploymentStatus {
            observed_generation: self.deployment.metadata.generation,
            replicas: positive(sum(sizes::actual)),
            updated_replicas: positive(self.revisions.new.as_ref().map_or(0, |set| sizes::actual(set))),
            ready_replicas: positive(sum(ready)),
            available_replicas: positive(available),
            unavailable_replicas: positive(total - available),
            terminating_replicas: Some(sum(terminating)),
            collision_count: current.collision_count,
            conditions: current.conditions,
        }
    }

    fn judge_availability(&self, status: &mut DeploymentStatus) {
        let floor = sizes::desired(&self.deployment) - sizes::max_unavailable(&self.deployment);
        let (word, reason, message) = match status.available_replicas.unwrap_or(0) >= floor {
            true => (
                "True",
                condition::MINIMUM_AVAILABLE,
                "Deployment has minimum availability.",
            ),
            false => (
                "False",
                condition::MINIMUM_UNAVAILABLE,
                "Deployment does not have minimum availability.",
            ),
        };
        condition::set(
            status,
            condition::new(condition::AVAILABLE, word, reason, message, self.now),
        );
    }

    fn judge_progress(&self, status: &mut DeploymentStatus) {
        if !has_deadline(&self.deployment) {
            return condition::remove(status, condition::PROGRESSING);
        }
        let current = condition::get(status, condition::PROGRESSING).cloned();
        let reason = current.as_ref().and_then(|condition| condition.reason.as_deref());
        let is_settled =
            status.replicas == status.updated_replicas && reason == Some(condition::NEW_REPLICA_SET_AVAILABLE);
        if is_settled {
            return;
        }
        let before = self.observed.deployment.status.clone().unwrap_or_default();
        let who = match &self.revisions.new {
            Some(set) => format!("ReplicaSet \"{}\"", set.name_any()),
            None => format!("Deployment \"{}\"", self.deployment.name_any()),
        };
        let progressing =
            |word, reason, message| condition::new(condition::PROGRESSING, word, reason, message, self.now);
        if status_is_complete(&self.deployment, status) {
            let message = format!("{who} has successfully progressed.");
            condition::set(
                status,
                progressing("True", condition::NEW_REPLICA_SET_AVAILABLE, message),
            );
        } else if has_progressed(&before, status) {
            let message = format!("{who} is progressing.");
            let mut moved = progressing("True", condition::REPLICA_SET_UPDATED, message);
            // Every step moves the update time, which the deadline counts from; the transition is older.
            if let Some(current) = current.filter(|current| current.status.as_deref() == Some("True")) {
                moved.last_transition_time = current.last_transition_time;
            }
            condition::remove(status, condition::PROGRESSING);
            condition::set(status, moved);
        } else if has_timed_out(&self.deployment, status, self.now) {
            let message = format!("{who} has timed out progressing.");
            condition::set(
                status,
                progressing("False", condition::PROGRESS_DEADLINE_EXCEEDED, message),
            );
        }
    }

    /// Passes on why a ReplicaSet cannot make Pods: the new one's reason if it has one, else any.
    fn report_replica_failure(&self, status: &mut DeploymentStatus) {
        let failure = |set: &ReplicaSet| {
            let conditions = set.status.as_ref()?.conditions.as_ref()?;
            let is_failure = |type_: Option<&str>| type_ == Some(condition::REPLICA_FAILURE);
            conditions
                .iter()
                .find(|condition| is_failure(condition.type_.as_deref()))
                .cloned()
        };
        let new_first = self.revisions.new.iter().chain(&self.revisions.old);
        match new_first.into_iter().find_map(|set| failure(set)) {
            None => condition::remove(status, condition::REPLICA_FAILURE),
            Some(found) => {
                let (reason, message) = (found.reason.unwrap_or_default(), found.message.unwrap_or_default());
                let word = found.status.unwrap_or_default();
                let failure = condition::new(condition::REPLICA_FAILURE, &word, &reason, message, self.now);
                condition::set(status, failure);
            }
        }
    }
}
