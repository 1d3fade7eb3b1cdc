//! The other kinds of workloads, each through its life.

use std::time::Duration;

use cluster::{Deletion, Error, ObjectKey, ResourceExt};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Event, Pod};
use serde_json::{Value, json};

use crate::support::{TestCluster, key, ready};

fn template(image: &str, restart: &str) -> Value {
    json!({
        "metadata": { "labels": { "app": "work" } },
        "spec": { "containers": [{ "name": "work", "image": image }], "restartPolicy": restart },
    })
}

#[tokio::test(start_paused = true)]
async fn a_stateful_set_comes_in_order_and_goes_in_reverse() {
    let test = TestCluster::start().await;
    test.create(json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": { "name": "db", "namespace": "default" },
        "spec": { "replicas": 3, "serviceName": "db", "selector": { "matchLabels": { "app": "work" } },
            "updateStrategy": { "type": "RollingUpdate", "rollingUpdate": { "partition": 0 } },
            "template": template("db", "Always"),
            "volumeClaimTemplates": [{ "metadata": { "name": "data" },
                "spec": { "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Gi" } } } }] },
    }))
    .await;
    test.until("db is complete", |caches| {
        let set = caches.stateful_sets.get(&key("db"));
        let status = set.and_then(|set| set.status.clone()).unwrap_or_default();
        status.ready_replicas == Some(3) && status.current_revision == status.update_revision
    })
    .await;
    let mut pods = test.pods();
    pods.sort_by_key(|pod| pod.creation_timestamp());
    assert_eq!(
        pods.iter().map(|pod| pod.name_any()).collect::<Vec<_>>(),
        ["db-0", "db-1", "db-2"]
    );
    assert!(
        pods.windows(2)
            .all(|pair| pair[0].creation_timestamp() < pair[1].creation_timestamp()),
        "one by one"
    );
    let bound = |caches: &controllers::Caches| {
        let claims = caches.claims.all(Some("default"));
        claims
            .iter()
            .filter(|claim| {
                claim
                    .status
                    .as_ref()
                    .is_some_and(|s| s.phase.as_deref() == Some("Bound"))
            })
            .count()
    };
    test.until("each has its volume", |caches| {
        bound(caches) == 3 && caches.volumes.len() == 3
    })
    .await;

    test.cluster
        .objects::<StatefulSet>("default")
        .set_replicas("db", 1)
        .await
        .unwrap();
    test.until("two are gone", |caches| caches.pods.len() == 1).await;
    assert_eq!(test.pods()[0].name_any(), "db-0");
    assert_eq!(test.caches.claims.len(), 3, "claims stay");
}

#[tokio::test(start_paused = true)]
async fn a_job_runs_to_its_end_and_says_so() {
    let test = TestCluster::start().await;
    test.create(json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": { "name": "sum", "namespace": "default" },
        "spec": { "completions": 4, "parallelism": 2, "completionMode": "Indexed", "backoffLimit": 3,
            "ttlSecondsAfterFinished": 120, "template": template("once", "Never") },
    }))
    .await;
    let status = |caches: &controllers::Caches| {
        caches
            .jobs
            .get(&key("sum"))
            .and_then(|job| job.status.clone())
            .unwrap_or_default()
    };
    let is_complete = |caches: &controllers::Caches| {
        status(caches)
            .conditions
            .iter()
            .flatten()
            .any(|c| c.type_ == "Complete" && c.status == "True")
    };
    test.until("sum is complete", is_complete).await;
    let done = status(&test.caches);
    assert_eq!(
        (done.succeeded, done.failed, done.completed_indexes.as_deref()),
        (Some(4), None, Some("0-3"))
    );
    assert_eq!(test.caches.pods.len(), 4, "one Pod an index");
    assert!(
        test.pods().iter().all(|pod| pod.finalizers().is_empty()),
        "all are counted and let go"
    );
    test.until("its time is over", |caches| {
        caches.jobs.is_empty() && caches.pods.is_empty()
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_job_that_cannot_succeed_gives_up() {
    let test = TestCluster::start().await;
    test.create(json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": { "name": "doomed", "namespace": "default" },
        "spec": { "completions": 1, "parallelism": 1, "backoffLimit": 2, "template": template("fails", "Never") },
    }))
    .await;
    test.until("doomed has failed", |caches| {
        let job = caches.jobs.get(&key("doomed"));
        let conditions = job.and_then(|job| job.status.clone()?.conditions).unwrap_or_default();
        conditions
            .iter()
            .any(|c| c.type_ == "Failed" && c.reason.as_deref() == Some("BackoffLimitExceeded"))
    })
    .await;
    assert_eq!(test.caches.pods.len(), 3, "the first and two repetitions");
    test.cluster
        .objects::<Job>("default")
        .delete(
            "doomed",
            &Deletion::default().propagating(cluster::Propagation::Background),
        )
        .await
        .unwrap();
    test.until("all is gone", |caches| caches.pods.is_empty() && caches.jobs.is_empty())
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_cron_job_starts_a_job_every_minute() {
    let test = TestCluster::start().await;
    test.create(json!({
        "apiVersion": "batch/v1", "kind": "CronJob", "metadata": { "name": "tick", "namespace": "default" },
        "spec": { "schedule": "* * * * *", "successfulJobsHistoryLimit": 2, "failedJobsHistoryLimit": 1, "concurrencyPolicy": "Forbid",
            "jobTemplate": { "spec": { "completions": 1, "parallelism": 1, "backoffLimit": 1, "template": template("once", "Never") } } },
    }))
    .await;
    tokio::time::sleep(Duration::from_secs(10 * 60 + 30)).await;
    let jobs = test.caches.jobs.all(Some("default"));
    assert_eq!(jobs.len(), 2, "older ones are forgotten");
    let tick = test.caches.cron_jobs.get(&key("tick")).unwrap();
    let last = tick.status.as_ref().unwrap().last_schedule_time.clone().unwrap();
    assert_eq!(last.0.to_string(), "2026-01-01T12:10:00Z");
}

#[tokio::test(start_paused = true)]
async fn a_daemon_runs_on_each_node() {
    let test = TestCluster::start().await;
    test.create(json!({
        "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": { "name": "log", "namespace": "default" },
        "spec": { "selector": { "matchLabels": { "app": "work" } }, "template": template("log", "Always") },
    }))
    .await;
    test.until("it is available", |caches| {
        let status = caches.daemon_sets.get(&key("log")).and_then(|set| set.status.clone());
        status.is_some_and(|status| status.number_available == Some(1) && status.desired_number_scheduled == 1)
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_eviction_is_granted_as_far_as_the_budget_goes() {
    let test = TestCluster::start().await;
    test.create(json!({
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": { "name": "work", "namespace": "default" },
        "spec": { "minAvailable": 2, "selector": { "matchLabels": { "app": "work" } } },
    }))
    .await;
    test.create(json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": { "name": "work", "namespace": "default" },
        "spec": { "replicas": 3, "selector": { "matchLabels": { "app": "work" } }, "template": template("work", "Always") },
    }))
    .await;
    let allowed = |caches: &controllers::Caches| {
        let budget = caches.disruption_budgets.get(&key("work"));
        budget.and_then(|budget| budget.status.clone()?.disruptions_allowed)
    };
    test.until("one may go", |caches| allowed(caches) == Some(1)).await;
    let pods = test.pods();
    let objects = test.cluster.objects::<Pod>("default");
    objects.evict(&pods[0].name_any(), &Deletion::default()).await.unwrap();
    let refused = objects.evict(&pods[1].name_any(), &Deletion::default()).await;
    assert!(matches!(refused, Err(Error::Throttled { .. })), "{refused:?}");
    test.until("a new one has come", |caches| {
        allowed(caches) == Some(1) && ready(&caches.pods.all(Some("default"))) == 3
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn every_namespace_has_its_service_account_and_events_count_repetitions() {
    let test = TestCluster::start().await;
    test.create(json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "shop" } }))
        .await;
    test.until("the account is there", |caches| {
        caches
            .service_accounts
            .get(&ObjectKey::new("shop", "default"))
            .is_some()
    })
    .await;

    let recorder = cluster::EventRecorder::start(&test.cluster, "tester", test.clock.clone());
    let node = test.caches.nodes.all(None).remove(0);
    for _ in 0..3 {
        recorder.about(&*node, cluster::EventType::Warning, "Hot", "the node is hot");
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
    let events = test
        .cluster
        .objects::<Event>("default")
        .list(&Default::default())
        .await
        .unwrap()
        .items;
    let hot: Vec<_> = events
        .iter()
        .filter(|event| event.reason.as_deref() == Some("Hot"))
        .collect();
    assert_eq!(hot.len(), 1);
    assert_eq!((hot[0].count, hot[0].type_.as_deref()), (Some(3), Some("Warning")));
    assert!(hot[0].last_timestamp > hot[0].first_timestamp);
}

#[tokio::test(start_paused = true)]
async fn owners_can_go_first_last_or_alone() {
    for (propagation, pods_after) in [
        (cluster::Propagation::Background, 0),
        (cluster::Propagation::Foreground, 0),
        (cluster::Propagation::Orphan, 2),
    ] {
        let test = TestCluster::start().await;
        test.create(json!({
            "apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": { "name": "work", "namespace": "default" },
            "spec": { "replicas": 2, "selector": { "matchLabels": { "app": "work" } }, "template": template("work", "Always") },
        }))
        .await;
        test.until("two run", |caches| ready(&caches.pods.all(Some("default"))) == 2)
            .await;
        let sets = test
            .cluster
            .objects::<k8s_openapi::api::apps::v1::ReplicaSet>("default");
        sets.delete("work", &Deletion::default().propagating(propagation))
            .await
            .unwrap();
        test.until(&format!("{propagation:?}: the set is gone"), |caches| {
            caches.replica_sets.is_empty()
        })
        .await;
        if propagation == cluster::Propagation::Foreground {
            assert!(test.caches.pods.is_empty(), "its Pods went first");
        }
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(test.caches.pods.len(), pods_after, "{propagation:?}");
        assert!(test.pods().iter().all(|pod| pod.owner_references().is_empty()));
    }
}
