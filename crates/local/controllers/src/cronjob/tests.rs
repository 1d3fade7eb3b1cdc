use serde_json::{Value, json};

use super::*;
use crate::testing::{at, object};

/// Every five minutes; created at noon, which is second 0.
fn cron_job(spec: Value, status: Value) -> Value {
    let mut whole = json!({ "schedule": "*/5 * * * *", "jobTemplate": { "metadata": { "labels": { "app": "report" } },
        "spec": { "template": { "spec": { "containers": [] } } } } });
    whole.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    json!({ "metadata": { "name": "report", "namespace": "default", "uid": "cron-uid", "creationTimestamp": at(0) },
        "spec": whole, "status": status })
}

fn job(name: &str, ended: Option<(&str, i64)>) -> Value {
    let condition =
        ended.map(|(word, when)| json!([{ "type": word, "status": "True", "lastTransitionTime": at(when) }]));
    json!({
        "metadata": { "name": name, "namespace": "default", "uid": name, "creationTimestamp": at(ended.map_or(0, |(_, when)| when)),
            "ownerReferences": [{ "apiVersion": "batch/v1", "kind": "CronJob", "name": "report", "uid": "cron-uid", "controller": true }] },
        "status": { "conditions": condition },
    })
}

fn turn(cron_job: Value, jobs: Vec<Value>, now: i64) -> Plan {
    let jobs = jobs.into_iter().map(|job| Arc::new(object(job))).collect();
    reconcile(
        &Observed {
            cron_job: Arc::new(object(cron_job)),
            jobs,
        },
        at(now),
    )
}

fn deeds(plan: &Plan) -> Vec<String> {
    let deed = |action: &Action| match action {
        Action::Create { draft, .. } => Some(format!("+{}", draft.target.key.name)),
        Action::Delete { target, .. } => Some(format!("-{}", target.key.name)),
        Action::Event {
            reason: reason @ "JobAlreadyActive",
            ..
        } => Some((*reason).to_owned()),
        _ => None,
    };
    plan.actions.iter().filter_map(deed).collect()
}

/// The name of the Job that is due so many minutes after noon.
fn due(minutes: i64) -> String {
    format!("report-{}", at(minutes * 60).as_second() / 60)
}

#[test]
fn a_job_is_started_at_each_time_once() {
    assert_eq!(deeds(&turn(cron_job(json!({}), json!({})), vec![], 299)), [""; 0]);
    let plan = turn(cron_job(json!({}), json!({})), vec![], 300);
    assert_eq!(deeds(&plan), [format!("+{}", due(5))]);
    assert_eq!(plan.again_after, Some(Duration::from_millis(300_100)));
    let Action::Create { draft, .. } = &plan.actions[0] else {
        panic!("{plan:?}")
    };
    assert_eq!(draft.body["metadata"]["labels"]["app"], "report");
    let started = json!({ "lastScheduleTime": at(300) });
    assert_eq!(
        deeds(&turn(cron_job(json!({}), started), vec![job(&due(5), None)], 301)),
        [""; 0]
    );
    let lost_answer = turn(cron_job(json!({}), json!({})), vec![job(&due(5), None)], 301);
    assert_eq!(
        deeds(&lost_answer),
        [""; 0],
        "it is there, though the status does not say so"
    );
}

#[test]
fn missed_times_are_not_made_up_for_and_late_ones_may_be_dropped() {
    for (spec, now, expected) in [
        (json!({}), 3630, vec![format!("+{}", due(60))]),
        (
            json!({ "startingDeadlineSeconds": 60 }),
            3630,
            vec![format!("+{}", due(60))],
        ),
        (json!({ "startingDeadlineSeconds": 60 }), 3700, vec![]),
        (json!({ "suspend": true }), 3630, vec![]),
    ] {
        assert_eq!(
            deeds(&turn(cron_job(spec.clone(), json!({})), vec![], now)),
            expected,
            "{spec} at {now}"
        );
    }
}

#[test]
fn what_runs_may_be_joined_waited_for_or_replaced() {
    for (policy, expected) in [
        ("Allow", vec![format!("+{}", due(10))]),
        ("Forbid", vec!["JobAlreadyActive".to_owned()]),
        ("Replace", vec![format!("-{}", due(5)), format!("+{}", due(10))]),
    ] {
        let cron = cron_job(
            json!({ "concurrencyPolicy": policy }),
            json!({ "lastScheduleTime": at(300) }),
        );
        assert_eq!(deeds(&turn(cron, vec![job(&due(5), None)], 600)), expected, "{policy}");
    }
}

#[test]
fn old_jobs_are_forgotten_by_how_they_ended() {
    let jobs = vec![
        job("ok1", Some(("Complete", 10))),
        job("ok2", Some(("Complete", 20))),
        job("ok3", Some(("Complete", 30))),
        job("bad1", Some(("Failed", 15))),
        job("bad2", Some(("Failed", 25))),
    ];
    let cron = cron_job(json!({ "successfulJobsHistoryLimit": 2 }), json!({}));
    let plan = turn(cron, jobs, 100);
    assert_eq!(deeds(&plan), ["-ok1", "-bad1"]);
    let status = plan.actions.iter().find_map(|action| match action {
        Action::ReplaceStatus { draft } => Some(draft.body["status"].clone()),
        _ => None,
    });
    assert_eq!(status.unwrap()["lastSuccessfulTime"], json!(at(30)));
}
