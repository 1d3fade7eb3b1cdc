//! When a Job is over, and how it says so.

use std::sync::Arc;
use std::time::Duration;

use cluster::{Deletion, Propagation};
use flyball_core::Timestamp;
use k8s_openapi::api::batch::v1::{Job, JobCondition, JobSpec, JobStatus};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::elapsed;
use super::tally::Tally;
use crate::action::{Action, Plan};
use crate::pods;

/// The end of a Job with its reason and sentence.
pub(super) enum Verdict {
    Complete,
    Failed(&'static str, &'static str),
}

/// Failures after which a Job gives up when it does not say; the API's default.
const BACKOFF_LIMIT: i32 = 6;

/// The first pause after a failure, and the longest (upstream: `DefaultJobPodFailureBackOff`,
/// `MaxJobPodFailureBackOff`).
const FIRST_PAUSE: Duration = Duration::from_secs(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

pub(super) fn condition<'a>(status: &'a JobStatus, condition_type: &str) -> Option<&'a JobCondition> {
    let conditions = status.conditions.as_ref()?;
    conditions.iter().find(|condition| condition.type_ == condition_type)
}

pub(super) fn is_finished(status: &JobStatus) -> bool {
    let is_true = |of_type| condition(status, of_type).is_some_and(|condition| condition.status == "True");
    is_true("Complete") || is_true("Failed")
}

fn set(status: &mut JobStatus, condition_type: &str, word: &str, reason: &str, message: &str, now: Timestamp) -> bool {
    if condition(status, condition_type)
        .is_some_and(|known| known.status == word && known.reason.as_deref() == Some(reason))
    {
        return false;
    }
    let conditions = status.conditions.get_or_insert_default();
    conditions.retain(|condition| condition.type_ != condition_type);
    conditions.push(JobCondition {
        type_: condition_type.to_owned(),
        status: word.to_owned(),
        reason: Some(reason.to_owned()),
        message: Some(message.to_owned()),
        last_probe_time: Some(Time(now)),
        last_transition_time: Some(Time(now)),
    });
    true
}

/// Tells of a suspension or its end; the clock of the deadline starts anew with the latter.
pub(super) fn note_suspension(job: &Job, status: &mut JobStatus, suspended: bool, now: Timestamp, plan: &mut Plan) {
    if is_finished(status) {
        return;
    }
    let was = condition(status, "Suspended").is_some_and(|condition| condition.status == "True");
    match (was, suspended) {
        (false, true) => {
            set(status, "Suspended", "True", "JobSuspended", "Job suspended", now);
            status.start_time = None;
            plan.push(Action::normal(job, "Suspended", "Job suspended".to_owned()));
        }
        (true, false) => {
            set(status, "Suspended", "False", "JobResumed", "Job resumed", now);
            status.start_time = Some(Time(now));
            plan.push(Action::normal(job, "Resumed", "Job resumed".to_owned()));
        }
        _ => {}
    }
}

/// Whether the Job is over. One that was found to fail stays failed while its Pods end.
pub(super) fn judge(
    spec: &JobSpec,
    status: &JobStatus,
    tally: &Tally,
    active: &[Arc<Pod>],
    now: Timestamp,
    plan: &mut Plan,
) -> Option<Verdict> {
    const BACKOFF: Verdict = Verdict::Failed("BackoffLimitExceeded", "Job has reached the specified backoff limit");
    const DEADLINE: Verdict = Verdict::Failed("DeadlineExceeded", "Job was active longer than specified deadline");
    if let Some(target) = condition(status, "FailureTarget") {
        return Some(if target.reason.as_deref() == Some("DeadlineExceeded") {
            DEADLINE
        } else {
            BACKOFF
        });
    }
    let limit = spec.backoff_limit.unwrap_or(BACKOFF_LIMIT);
    if tally.failed > limit || restarts_exceed(spec, active, limit) {
        return Some(BACKOFF);
    }
    let started = status.start_time.as_ref().filter(|_| spec.suspend != Some(true));
    if let (Some(deadline), Some(started)) = (spec.active_deadline_seconds, started) {
        let deadline = Duration::from_secs(u64::try_from(deadline).unwrap_or(0));
        match deadline.checked_sub(elapsed(started.0, now)) {
            Some(left) if !left.is_zero() => plan.look_again(left),
            _ => return Some(DEADLINE),
        }
    }
    let complete = match spec.completions {
        None => tally.succeeded > 0 && active.is_empty(),
        Some(completions) => tally.succeeded >= completions,
    };
    complete.then_some(Verdict::Complete)
}

/// Containers that are restarted in place fail without a failed Pod.
fn restarts_exceed(spec: &JobSpec, active: &[Arc<Pod>], limit: i32) -> bool {
    let policy = spec
        .template
        .spec
        .as_ref()
        .and_then(|spec| spec.restart_policy.as_deref());
    if policy != Some("OnFailure") {
        return false;
    }
    let statuses = active.iter().filter_map(|pod| pod.status.as_ref());
    let restarts: i32 = statuses
        .flat_map(|status| {
            status
                .init_container_statuses
                .iter()
                .chain(&status.container_statuses)
                .flatten()
        })
        .map(|status| status.restart_count)
        .sum();
    if limit == 0 { restarts > 0 } else { restarts >= limit }
}

/// Writes the verdict: at first as what the Job is heading for, when all has settled as final.
pub(super) fn conclude(
    job: &Job,
    status: &mut JobStatus,
    verdict: &Verdict,
    settled: bool,
    now: Timestamp,
    plan: &mut Plan,
) {
    const REACHED: (&str, &str) = ("CompletionsReached", "Reached expected number of succeeded pods");
    match verdict {
        Verdict::Complete => {
            set(status, "SuccessCriteriaMet", "True", REACHED.0, REACHED.1, now);
            if settled && set(status, "Complete", "True", REACHED.0, REACHED.1, now) {
                status.completion_time = Some(Time(now));
                plan.push(Action::normal(job, "Completed", "Job completed".to_owned()));
            }
        }
        Verdict::Failed(reason, message) => {
            set(status, "FailureTarget", "True", reason, message, now);
            if settled && set(status, "Failed", "True", reason, message, now) {
                plan.push(Action::warning(job, reason, (*message).to_owned()));
            }
        }
    }
}

/// Deletes a finished Job whose time is over.
pub(super) fn expire(job: &Job, spec: &JobSpec, stored: &JobStatus, now: Timestamp, plan: &mut Plan) {
    let Some(seconds) = spec.ttl_seconds_after_finished.filter(|_| is_finished(stored)) else {
        return;
    };
    let conditions = stored.conditions.iter().flatten();
    let mut final_word = conditions.filter(|condition| matches!(condition.type_.as_str(), "Complete" | "Failed"));
    let Some(finished) = final_word.find_map(|condition| condition.last_transition_time.as_ref()) else {
        return;
    };
    let lifetime = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    match lifetime.checked_sub(elapsed(finished.0, now)) {
        Some(left) if !left.is_zero() => plan.look_again(left),
        _ => plan.push(Action::delete(
            job,
            Deletion::default().propagating(Propagation::Foreground),
        )),
    }
}

/// How long to wait before the next Pod: failures in a row, since the last success, double the pause.
pub(super) fn pause_after_failures(owned: &[Arc<Pod>], now: Timestamp) -> Option<Duration> {
    let ended = |word: &'static str| {
        owned
            .iter()
            .filter(move |pod| pods::phase(pod) == word)
            .filter_map(|pod| ended_at(pod))
    };
    let last_success = ended("Succeeded").max();
    let failures: Vec<_> = ended("Failed")
        .filter(|at| last_success.is_none_or(|success| *at > success))
        .collect();
    let last = failures.iter().max()?;
    let doublings = u32::try_from(failures.len() - 1).unwrap_or(u32::MAX).min(16);
    let pause = FIRST_PAUSE.saturating_mul(1 << doublings).min(LONGEST_PAUSE);
    pause.checked_sub(elapsed(*last, now)).filter(|left| !left.is_zero())
}

/// When the last container ended, or what comes closest to it.
fn ended_at(pod: &Pod) -> Option<Timestamp> {
    let status = pod.status.as_ref()?;
    let containers = status.container_statuses.iter().flatten();
    let ends = containers.filter_map(|container| container.state.as_ref()?.terminated.as_ref()?.finished_at.as_ref());
    let last = ends.map(|time| time.0).max();
    let ready = || {
        pods::condition(pod, pods::READY)?
            .last_transition_time
            .as_ref()
            .map(|time| time.0)
    };
    last.or_else(ready)
        .or_else(|| pod.metadata.creation_timestamp.as_ref().map(|time| time.0))
}
