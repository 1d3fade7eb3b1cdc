//! CronJob: a Job at each time of a schedule.

mod schedule;

use std::sync::Arc;
use std::time::Duration;

use cluster::{Change, Deletion, ObjectKey, ObjectMeta, Propagation, Resource, ResourceExt};
use flyball_core::Timestamp;
use k8s_openapi::api::batch::v1::{CronJob, CronJobStatus, Job};
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::action::{Action, Plan};
use crate::caches::Caches;
use crate::machinery::{Controller, Turn, Wiring};
use crate::ownership::{controller_named, controller_reference, controls};

use schedule::Schedule;

const SCHEDULED_AT: &str = "batch.kubernetes.io/cronjob-scheduled-timestamp";

/// A start is looked for this long after its time, so that clocks that differ a little agree that it has come.
const START_DELAY: Duration = Duration::from_millis(100);

/// All that one look at a CronJob rests on.
pub(crate) struct Observed {
    pub(crate) cron_job: Arc<CronJob>,
    /// All Jobs of its namespace.
    pub(crate) jobs: Vec<Arc<Job>>,
}

pub(crate) struct CronJobController;

impl Controller for CronJobController {
    const NAME: &'static str = "cronjob-controller";

    fn wire(&self, caches: &Caches, wiring: &mut Wiring<'_>) {
        wiring.on_itself(&caches.cron_jobs);
        wiring.on(&caches.jobs, |change: &Change<Job>, look_at| {
            for job in [&change.before, &change.after].into_iter().flatten() {
                let owner = controller_named::<CronJob>(&**job);
                owner
                    .into_iter()
                    .for_each(|name| look_at(ObjectKey::new(&change.key.namespace, name)));
            }
        });
    }

    fn reconcile(&self, caches: &Caches, turn: &Turn<'_>) -> Plan {
        let Some(cron_job) = caches.cron_jobs.get(turn.key) else {
            return Plan::nothing();
        };
        let jobs = caches.jobs.all(Some(&turn.key.namespace));
        reconcile(&Observed { cron_job, jobs }, turn.now)
    }
}

/// How a Job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Complete,
    Failed,
}

fn end_of(job: &Job) -> Option<(End, Option<Timestamp>)> {
    let status = job.status.as_ref()?;
    status
        .conditions
        .iter()
        .flatten()
        .filter(|condition| condition.status == "True")
        .find_map(|condition| {
            let end = match condition.type_.as_str() {
                "Complete" => End::Complete,
                "Failed" => End::Failed,
                _ => return None,
            };
            let at = status
                .completion_time
                .as_ref()
                .or(condition.last_transition_time.as_ref());
            Some((end, at.map(|time| time.0)))
        })
}

/// What to do about one CronJob.
pub(crate) fn reconcile(observed: &Observed, now: Timestamp) -> Plan {
    let mut plan = Plan::nothing();
    let cron_job = &*observed.cron_job;
    if cron_job.metadata.deletion_timestamp.is_some() {
        return plan;
    }
    let mut owned: Vec<_> = observed.jobs.iter().filter(|job| controls(cron_job, &***job)).collect();
    owned.sort_by_key(|job| (job.creation_timestamp(), job.name_any()));
    let mut status = cron_job.status.clone().unwrap_or_default();
    follow(cron_job, &owned, &mut status, &mut plan);
    forget_history(cron_job, &owned, &mut plan);
    if cron_job.spec.suspend != Some(true) {
        match Schedule::parse(&cron_job.spec.schedule, cron_job.spec.time_zone.as_deref()) {
            Ok(schedule) => start(cron_job, &schedule, &owned, &mut status, now, &mut plan),
            Err(error) => {
                let message = format!("unparseable schedule {:?}: {error}", cron_job.spec.schedule);
                plan.push(Action::warning(cron_job, "UnparseableSchedule", message));
            }
        }
    }
    if status != cron_job.status.clone().unwrap_or_default() {
        let mut cron_job = cron_job.clone();
        cron_job.status = Some(status);
        plan.push(Action::replace_status(&cron_job));
    }
    plan
}

/// Brings the list of running Jobs and the last success up to date.
fn follow(cron_job: &CronJob, owned: &[&Arc<Job>], status: &mut CronJobStatus, plan: &mut Plan) {
    let known = status.active.take().unwrap_or_default();
    let mut active = Vec::new();
    for job in owned {
        let was_active = known.iter().any(|reference| reference.uid == job.metadata.uid);
        match end_of(job) {
            None => active.push(reference(job)),
            Some((end, at)) => {
                if was_active {
                    let word = if end == End::Complete { "Complete" } else { "Failed" };
                    let message = format!("Saw completed job: {}, condition: {word}", job.name_any());
                    plan.push(Action::normal(cron_job, "SawCompletedJob", message));
                }
                let newer = at.filter(|at| status.last_successful_time.as_ref().is_none_or(|last| *at > last.0));
                if let Some(at) = newer.filter(|_| end == End::Complete) {
                    status.last_successful_time = Some(Time(at));
                }
            }
        }
    }
    status.active = Some(active).filter(|active| !active.is_empty());
}

fn reference(job: &Job) -> ObjectReference {
    job.object_ref(&())
}

/// Deletes finished Jobs beyond the limits, the oldest first.
fn forget_history(cron_job: &CronJob, owned: &[&Arc<Job>], plan: &mut Plan) {
    for (end, limit) in [
        (End::Complete, cron_job.spec.successful_jobs_history_limit.unwrap_or(3)),
        (End::Failed, cron_job.spec.failed_jobs_history_limit.unwrap_or(1)),
    ] {
        let ended: Vec<_> = owned
            .iter()
            .filter(|job| end_of(job).is_some_and(|(how, _)| how == end))
            .collect();
        let surplus = ended.len().saturating_sub(usize::try_from(limit).unwrap_or(0));
        for job in ended
            .into_iter()
            .take(surplus)
            .filter(|job| job.metadata.deletion_timestamp.is_none())
        {
            delete(cron_job, job, plan);
        }
    }
}

fn delete(cron_job: &CronJob, job: &Job, plan: &mut Plan) {
    plan.push(Action::delete(
        job,
        Deletion::default().propagating(Propagation::Background),
    ));
    plan.push(Action::normal(
        cron_job,
        "SuccessfulDelete",
        format!("Deleted job {}", job.name_any()),
    ));
}

/// Starts the Job of the latest time that has come and was not started; earlier ones that were missed are
/// not made up for.
fn start(
    cron_job: &CronJob,
    schedule: &Schedule,
    owned: &[&Arc<Job>],
    status: &mut CronJobStatus,
    now: Timestamp,
    plan: &mut Plan,
) {
    let deadline = cron_job
        .spec
        .starting_deadline_seconds
        .and_then(|seconds| u64::try_from(seconds).ok());
    let since = earliest(cron_job, status, deadline, now);
    if let Some(next) = schedule.next_after(now) {
        let wait = Duration::try_from(next.duration_since(now)).unwrap_or_default();
        plan.look_again(wait + START_DELAY);
    }
    let Some(scheduled) = schedule.latest_within(since, now) else {
        return;
    };
    let name = format!("{}-{}", cron_job.name_any(), scheduled.as_second() / 60);
    let exists = owned.iter().any(|job| job.metadata.name.as_ref() == Some(&name));
    let running: Vec<_> = owned.iter().filter(|job| end_of(job).is_none()).collect();
    match cron_job.spec.concurrency_policy.as_deref() {
        _ if exists => {}
        Some("Forbid") if !running.is_empty() => {
            let message = "Not starting job because prior execution is running and concurrency policy is Forbid";
            plan.push(Action::normal(cron_job, "JobAlreadyActive", message.to_owned()));
            return;
        }
        Some("Replace") => running.iter().for_each(|job| delete(cron_job, job, plan)),
        _ => {}
    }
    if !exists {
        plan.push(Action::create(&draft(cron_job, &name, scheduled)));
        plan.push(Action::normal(
            cron_job,
            "SuccessfulCreate",
            format!("Created job {name}"),
        ));
    }
    status.last_schedule_time = Some(Time(scheduled));
}

/// From when on a missed start counts.
fn earliest(cron_job: &CronJob, status: &CronJobStatus, deadline: Option<u64>, now: Timestamp) -> Timestamp {
    let created = cron_job.creation_timestamp().map_or(now, |time| time.0);
    let last = status.last_schedule_time.as_ref().map_or(created, |time| time.0);
    let too_late = deadline.and_then(|seconds| now.checked_sub(Duration::from_secs(seconds)).ok());
    too_late.map_or(last, |too_late| last.max(too_late))
}

fn draft(cron_job: &CronJob, name: &str, scheduled: Timestamp) -> Job {
    let template = cron_job.spec.job_template.clone();
    let given = template.metadata.unwrap_or_default();
    let mut annotations = given.annotations.unwrap_or_default();
    annotations.insert(SCHEDULED_AT.to_owned(), scheduled.to_string());
    let metadata = ObjectMeta {
        name: Some(name.to_owned()),
        namespace: cron_job.namespace(),
        labels: given.labels,
        annotations: Some(annotations),
        owner_references: Some(vec![controller_reference(cron_job)]),
        ..ObjectMeta::default()
    };
    Job {
        metadata,
        spec: template.spec,
        status: None,
    }
}

#[cfg(test)]
mod tests;
