//! Job: Pods that run until enough of them have succeeded.
//!
//! ```text
//!   Job ──> Pod (finalizer) ──ends──> uncounted ──> finalizer off ──> counted
//! ```
//!
//! A Pod that has ended must be counted once, although it may be deleted at any time. So each carries a
//! finalizer; its uid is written into the Job's status *before* the finalizer is taken off, and becomes a
//! number only after. A crash between any two of these steps counts nothing twice and nothing never.

mod finish;
mod pods;
mod tally;

use std::sync::Arc;
use std::time::Duration;

use cluster::{Change, ObjectKey, Resource};
use flyball_core::Timestamp;
use k8s_openapi::api::batch::v1::{Job, JobSpec, JobStatus};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::action::{Action, Plan};
use crate::caches::Caches;
use crate::machinery::{Controller, Turn, Wiring};
use crate::ownership::{controller_named, controls};
use crate::pods::{is_active, is_ready};

use tally::Tally;

/// All that one look at a Job rests on.
pub(crate) struct Observed {
    pub(crate) job: Arc<Job>,
    /// All Pods of its namespace.
    pub(crate) pods: Vec<Arc<Pod>>,
}

pub(crate) struct JobController;

impl Controller for JobController {
    const NAME: &'static str = "job-controller";

    fn wire(&self, caches: &Caches, wiring: &mut Wiring<'_>) {
        wiring.on_itself(&caches.jobs);
        wiring.on(&caches.pods, |change: &Change<Pod>, look_at| {
            for pod in [&change.before, &change.after].into_iter().flatten() {
                let owner = controller_named::<Job>(&**pod);
                owner
                    .into_iter()
                    .for_each(|name| look_at(ObjectKey::new(&change.key.namespace, name)));
            }
        });
    }

    fn reconcile(&self, caches: &Caches, turn: &Turn<'_>) -> Plan {
        let pods = caches.pods.all(Some(&turn.key.namespace));
        match caches.jobs.get(turn.key) {
            Some(job) if job.metadata.deletion_timestamp.is_none() => reconcile(&Observed { job, pods }, turn.now),
            // Nobody counts any more; what is left must not be held back.
            _ => pods::release_all(&turn.key.name, &pods),
        }
    }
}

/// Pods that run at a time when the Job does not say.
fn parallelism(spec: &JobSpec) -> i32 {
    spec.parallelism.unwrap_or(1)
}

fn is_indexed(spec: &JobSpec) -> bool {
    spec.completion_mode.as_deref() == Some("Indexed")
}

/// What to do about one Job.
pub(crate) fn reconcile(observed: &Observed, now: Timestamp) -> Plan {
    let mut plan = Plan::nothing();
    let job = &*observed.job;
    let Some(spec) = &job.spec else { return plan };
    let before = job.status.clone().unwrap_or_default();
    let owned: Vec<_> = observed
        .pods
        .iter()
        .filter(|pod| controls(job, &***pod))
        .cloned()
        .collect();
    let mut status = before.clone();
    let suspended = spec.suspend == Some(true);
    finish::note_suspension(job, &mut status, suspended, now, &mut plan);
    if status.start_time.is_none() && !suspended {
        status.start_time = Some(Time(now));
    }
    let tally = Tally::of(spec, &before, &owned, suspended);
    tally.write(spec, &mut status);
    let active: Vec<_> = owned.iter().filter(|pod| is_active(pod)).cloned().collect();

    let was_finished = finish::is_finished(&before);
    let verdict = if was_finished {
        None
    } else {
        finish::judge(spec, &status, &tally, &active, now, &mut plan)
    };
    let ends = was_finished || verdict.is_some();
    if ends || suspended {
        delete(job, &active, &mut plan);
    } else {
        manage(job, spec, &tally, &owned, &active, now, &mut plan);
    }
    let left = owned
        .iter()
        .filter(|pod| crate::pods::is_terminating(pod) && !crate::pods::is_finished(pod))
        .count();
    count(&mut status, &active, left, ends || suspended);
    if let Some(verdict) = verdict {
        // The final word waits until every Pod has ended and is counted.
        let settled = active.is_empty() && left == 0 && tally.is_settled();
        finish::conclude(job, &mut status, &verdict, settled, now, &mut plan);
    }
    tally.release(&before, &owned, &mut plan);
    if status != before {
        let mut job = job.clone();
        job.status = Some(status);
        plan.push(Action::replace_status(&job));
    }
    finish::expire(job, spec, &before, now, &mut plan);
    plan
}

fn count(status: &mut JobStatus, active: &[Arc<Pod>], terminating: usize, stops: bool) {
    let number = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
    let running = if stops { 0 } else { active.len() };
    let ready = active.iter().filter(|pod| is_ready(pod)).count();
    status.active = Some(number(running)).filter(|count| *count > 0);
    status.ready = Some(if stops { 0 } else { number(ready) });
    status.terminating = Some(number(terminating));
}

fn delete(job: &Job, pods: &[Arc<Pod>], plan: &mut Plan) {
    for pod in pods {
        plan.push(Action::delete_for(&**pod, job.object_ref(&())));
    }
}

/// Starts Pods up to what is wanted now, or stops those that are too many.
fn manage(
    job: &Job,
    spec: &JobSpec,
    tally: &Tally,
    owned: &[Arc<Pod>],
    active: &[Arc<Pod>],
    now: Timestamp,
    plan: &mut Plan,
) {
    let number = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
    let running = number(active.len());
    let wanted = match spec.completions {
        // Without a count, the first success ends the hiring.
        None if tally.succeeded > 0 => running,
        None => parallelism(spec),
        Some(completions) => parallelism(spec).min((completions - tally.succeeded).max(0)),
    };
    if running > wanted {
        let surplus = usize::try_from(running - wanted.max(0)).unwrap_or(0);
        return delete(job, &active[..surplus.min(active.len())], plan);
    }
    if running == wanted {
        return;
    }
    if let Some(pause) = finish::pause_after_failures(owned, now) {
        return plan.look_again(pause);
    }
    let missing = usize::try_from(wanted - running).unwrap_or(0);
    for draft in pods::drafts(job, spec, tally, owned, missing) {
        plan.push(Action::create_for(&draft, job.object_ref(&())));
    }
}

/// How long ago `since` is, zero if it is to come.
fn elapsed(since: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(since)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
