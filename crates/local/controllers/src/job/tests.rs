use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::testing::{at, object};

fn job(spec: Value, status: Value) -> Job {
    let mut whole = json!({ "template": { "spec": { "containers": [{ "name": "work", "image": "work" }], "restartPolicy": "Never" } } });
    whole.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    object(json!({
        "metadata": { "name": "work", "namespace": "default", "uid": "job-uid", "resourceVersion": "3" },
        "spec": whole, "status": status,
    }))
}

/// A Pod by name and phase; one that is still held back by the finalizer.
fn pod(name: &str, phase: &str, ended: i64) -> Value {
    json!({
        "metadata": {
            "name": name, "namespace": "default", "uid": name, "finalizers": ["batch.kubernetes.io/job-tracking"],
            "ownerReferences": [{ "apiVersion": "batch/v1", "kind": "Job", "name": "work", "uid": "job-uid", "controller": true }],
        },
        "status": { "phase": phase, "containerStatuses": [{
            "name": "work", "image": "", "imageID": "", "ready": false, "restartCount": 0,
            "state": { "terminated": { "exitCode": 0, "finishedAt": at(ended) } } }] },
    })
}

fn turn(job: &Job, pods: &[Value], now: i64) -> Plan {
    let pods = pods.iter().map(|pod| Arc::new(object(pod.clone()))).collect();
    reconcile(
        &Observed {
            job: Arc::new(job.clone()),
            pods,
        },
        at(now),
    )
}

fn counts(plan: &Plan) -> (usize, usize, usize) {
    let of = |keep: fn(&Action) -> bool| plan.actions.iter().filter(|action| keep(action)).count();
    (
        of(|action| matches!(action, Action::Create { .. })),
        of(|action| matches!(action, Action::Delete { .. })),
        of(|action| matches!(action, Action::Patch { .. })),
    )
}

fn status(plan: &Plan) -> JobStatus {
    let found = plan.actions.iter().find_map(|action| match action {
        Action::ReplaceStatus { draft } => object::<Job>(draft.body.clone()).status,
        _ => None,
    });
    found.unwrap_or_else(|| panic!("a status: {plan:?}"))
}

#[test]
fn it_starts_as_many_as_may_run_and_are_still_needed() {
    let started = json!({ "startTime": at(0) });
    for (spec, status, running, created, deleted) in [
        (json!({ "completions": 1, "parallelism": 1 }), started.clone(), 0, 1, 0),
        (json!({ "completions": 5, "parallelism": 2 }), started.clone(), 0, 2, 0),
        (json!({ "completions": 5, "parallelism": 2 }), started.clone(), 2, 0, 0),
        (
            json!({ "completions": 5, "parallelism": 2 }),
            json!({ "startTime": at(0), "succeeded": 4 }),
            0,
            1,
            0,
        ),
        (json!({ "completions": 5, "parallelism": 1 }), started.clone(), 3, 0, 2),
        (json!({ "parallelism": 3 }), started.clone(), 0, 3, 0),
        (
            json!({ "parallelism": 3 }),
            json!({ "startTime": at(0), "succeeded": 1 }),
            2,
            0,
            0,
        ),
        (
            json!({ "completions": 3, "parallelism": 3, "suspend": true }),
            started,
            2,
            0,
            2,
        ),
    ] {
        let pods: Vec<_> = (0..running)
            .map(|number| pod(&format!("work-{number}"), "Running", 0))
            .collect();
        let plan = turn(&job(spec.clone(), status), &pods, 100);
        let (got_created, got_deleted, _) = counts(&plan);
        assert_eq!(
            (got_created, got_deleted),
            (created, deleted),
            "{spec} with {running} running"
        );
    }
}

/// A success goes through note, release and count, and ends the Job only then.
#[test]
fn a_pod_is_counted_once_on_its_way_out() {
    let spec = json!({ "completions": 1, "parallelism": 1 });
    let ended = pod("work-a", "Succeeded", 5);
    let noted = turn(
        &job(spec.clone(), json!({ "startTime": at(0) })),
        std::slice::from_ref(&ended),
        10,
    );
    assert_eq!(counts(&noted), (0, 0, 0), "noted before it is let go");
    let first = status(&noted);
    assert_eq!((first.succeeded, is_complete(&first)), (None, false));
    assert_eq!(
        first.uncounted_terminated_pods.as_ref().unwrap().succeeded,
        Some(vec!["work-a".to_owned()])
    );

    let released = turn(&job(spec.clone(), json!(first)), std::slice::from_ref(&ended), 11);
    assert_eq!(counts(&released), (0, 0, 1));

    let mut free = ended;
    free["metadata"]["finalizers"] = json!([]);
    let done = status(&turn(&job(spec.clone(), json!(first)), &[free.clone()], 12));
    assert_eq!((done.succeeded, is_complete(&done)), (Some(1), true));
    assert_eq!(turn(&job(spec, json!(done)), &[free], 13), Plan::nothing());
}

fn is_complete(status: &JobStatus) -> bool {
    finish::condition(status, "Complete").is_some_and(|condition| condition.status == "True")
}

#[test]
fn failures_are_repeated_with_growing_pauses_until_the_limit() {
    let failed = |number: i64| pod(&format!("work-{number}"), "Failed", number * 100);
    for (failures, limit, now, created, pause) in [
        (1, 6, 105, 0, Some(5)),
        (1, 6, 110, 1, None),
        (2, 6, 205, 0, Some(15)),
        (3, 6, 310, 0, Some(30)),
        (3, 6, 340, 1, None),
        (3, 2, 340, 0, None),
    ] {
        let pods: Vec<_> = (1..=failures).map(failed).collect();
        let job = job(
            json!({ "completions": 1, "parallelism": 1, "backoffLimit": limit }),
            json!({ "startTime": at(0) }),
        );
        let plan = turn(&job, &pods, now);
        let got = (counts(&plan).0, plan.again_after.map(|pause| pause.as_secs()));
        assert_eq!(got, (created, pause), "{failures} failures, limit {limit}, at {now}");
        let target = finish::condition(&status(&plan), "FailureTarget").map(|c| c.reason.clone().unwrap());
        assert_eq!(target, (failures > limit).then(|| "BackoffLimitExceeded".to_owned()));
    }
}

#[test]
fn a_deadline_ends_it_and_stops_what_runs() {
    let job = job(
        json!({ "completions": 1, "activeDeadlineSeconds": 60 }),
        json!({ "startTime": at(0) }),
    );
    let running = [pod("work-a", "Running", 0)];
    let early = turn(&job, &running, 50);
    assert_eq!(
        (counts(&early), early.again_after),
        ((0, 0, 0), Some(Duration::from_secs(10)))
    );
    let late = turn(&job, &running, 60);
    assert_eq!(counts(&late), (0, 1, 0));
    assert_eq!(
        finish::condition(&status(&late), "FailureTarget")
            .unwrap()
            .reason
            .as_deref(),
        Some("DeadlineExceeded")
    );
}

#[test]
fn an_indexed_job_fills_the_lowest_open_indexes() {
    let spec = json!({ "completions": 5, "parallelism": 3, "completionMode": "Indexed" });
    let job = job(
        spec,
        json!({ "startTime": at(0), "completedIndexes": "0-1", "succeeded": 2 }),
    );
    let mut running = pod("work-3-x", "Running", 0);
    running["metadata"]["annotations"] = json!({ "batch.kubernetes.io/job-completion-index": "3" });
    let plan = turn(&job, &[running], 10);
    let indexes: Vec<_> = plan
        .actions
        .iter()
        .filter_map(|action| match action {
            Action::Create { draft, .. } => Some((
                draft.body["spec"]["hostname"].as_str().unwrap().to_owned(),
                draft.body["spec"]["containers"][0]["env"][0]["value"]
                    .as_str()
                    .unwrap()
                    .to_owned(),
            )),
            _ => None,
        })
        .collect();
    assert_eq!(
        indexes,
        [
            ("work-2".to_owned(), "2".to_owned()),
            ("work-4".to_owned(), "4".to_owned())
        ]
    );
}

#[test]
fn a_finished_job_goes_when_its_time_is_over() {
    let done = json!({ "startTime": at(0), "succeeded": 1, "ready": 0, "terminating": 0, "uncountedTerminatedPods": {},
        "conditions": [{ "type": "Complete", "status": "True", "lastTransitionTime": at(100) }] });
    let job = job(json!({ "completions": 1, "ttlSecondsAfterFinished": 30 }), done);
    assert_eq!(turn(&job, &[], 110).again_after, Some(Duration::from_secs(20)));
    assert_eq!(counts(&turn(&job, &[], 130)), (0, 1, 0));
}

#[test]
fn pods_of_a_job_that_is_gone_are_let_go() {
    let held: Arc<Pod> = Arc::new(object(pod("work-a", "Running", 0)));
    assert_eq!(pods::release_all("work", std::slice::from_ref(&held)).actions.len(), 1);
    assert_eq!(pods::release_all("other", &[held]).actions.len(), 0);
}

proptest! {
    #[test]
    fn indexes_survive_their_text(indexes in proptest::collection::btree_set(0..200_i32, 0..50)) {
        let indexes: BTreeSet<i32> = indexes;
        prop_assert_eq!(tally::parse_indexes(&tally::format_indexes(&indexes)), indexes);
    }
}

#[test]
fn indexes_are_written_as_the_api_writes_them() {
    for (indexes, text) in [(&[][..], ""), (&[0], "0"), (&[0, 1], "0,1"), (&[0, 1, 2, 5], "0-2,5")] {
        assert_eq!(tally::format_indexes(&indexes.iter().copied().collect()), text);
    }
}
