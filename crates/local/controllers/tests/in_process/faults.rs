//! Whatever the API answers, the end is the same, nothing is made twice, and then it is quiet.

use std::collections::BTreeSet;
use std::time::Duration;

use cluster::{Patch, ResourceExt};
use k8s_openapi::api::apps::v1::Deployment;
use serde_json::{Value, json};

use crate::support::faults::Faults;
use crate::support::{TestCluster, key, ready};

/// Seeds of fault plans; a failing one is printed and can be run alone.
const SEEDS: std::ops::Range<u64> = 0..8;

fn web(image: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": "web", "namespace": "default" },
        "spec": {
            "replicas": 4, "progressDeadlineSeconds": 600, "revisionHistoryLimit": 10,
            "selector": { "matchLabels": { "app": "web" } },
            "strategy": { "type": "RollingUpdate", "rollingUpdate": { "maxSurge": 1, "maxUnavailable": 0 } },
            "template": {
                "metadata": { "labels": { "app": "web" } },
                "spec": { "containers": [{ "name": "web", "image": image }] },
            },
        },
    })
}

fn runs(test: &TestCluster, image: &str) -> bool {
    let pods = test.pods();
    let is_new = |pod: &std::sync::Arc<k8s_openapi::api::core::v1::Pod>| {
        pod.spec.as_ref().unwrap().containers[0].image.as_deref() == Some(image)
    };
    pods.len() == 4 && ready(&pods) == 4 && pods.iter().all(is_new)
}

#[tokio::test(start_paused = true)]
async fn a_rollout_through_faults_ends_as_one_without() {
    for seed in SEEDS {
        rollout(seed).await;
    }
}

async fn rollout(seed: u64) {
    let faults = Faults::seeded(seed);
    let test = TestCluster::start_with(|service| faults.before(service)).await;
    // Every Pod that ever was, and the fewest that were ready at once after the first four.
    let watching = tokio::spawn({
        let caches = test.caches.clone();
        async move {
            let (mut changes, mut ever, mut fewest) = (caches.pods.changes(), BTreeSet::new(), None::<usize>);
            while let Some(change) = changes.next().await {
                ever.extend(change.after.iter().filter_map(|pod| pod.uid()));
                let ready = ready(&caches.pods.all(Some("default")));
                fewest = match fewest {
                    Some(fewest) => Some(fewest.min(ready)),
                    None => Some(4).filter(|_| ready == 4),
                };
                if change.key.name == "end" {
                    break;
                }
            }
            (ever.len(), fewest)
        }
    });
    test.create(web("v1")).await;
    test.until(&format!("seed {seed}: v1 runs"), |_| runs(&test, "v1"))
        .await;
    let patch = json!({ "spec": { "template": { "spec": { "containers": [{ "name": "web", "image": "v2" }] } } } });
    let deployments = test.cluster.objects::<Deployment>("default");
    deployments.patch("web", &Patch::Merge(patch)).await.unwrap();
    test.until(&format!("seed {seed}: v2 runs"), |_| runs(&test, "v2"))
        .await;
    faults.stop();

    // Eventually stable: the status settles, and then nobody writes any more.
    tokio::time::sleep(Duration::from_secs(120)).await;
    let web = test.caches.deployments.get(&key("web")).unwrap();
    let status = web.status.clone().unwrap();
    assert_eq!(
        (status.replicas, status.updated_replicas, status.available_replicas),
        (Some(4), Some(4), Some(4)),
        "seed {seed}"
    );
    let writes = faults.writes();
    tokio::time::sleep(Duration::from_secs(1200)).await;
    assert_eq!(faults.writes(), writes, "seed {seed}: quiet for twenty minutes");
    assert_eq!(test.caches.replica_sets.all(Some("default")).len(), 2, "seed {seed}");
    assert!(faults.injected() > 10, "seed {seed}: {} faults", faults.injected());

    test.create(
        json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "end", "namespace": "default" },
        "spec": { "schedulerName": "nobody", "containers": [{ "name": "end", "image": "end" }] } }),
    )
    .await;
    let (ever, fewest) = watching.await.unwrap();
    assert_eq!(
        ever, 9,
        "seed {seed}: four of v1, four of v2 and the end, none made twice"
    );
    assert_eq!(fewest, Some(4), "seed {seed}: maxUnavailable is 0");
}

#[tokio::test(start_paused = true)]
async fn an_idle_cluster_is_asked_almost_nothing() {
    let faults = Faults::seeded(1);
    faults.stop();
    let test = TestCluster::start_with(|service| faults.before(service)).await;
    test.create(web("v1")).await;
    test.until("v1 runs", |_| runs(&test, "v1")).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let writes = faults.writes();
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(faults.writes(), writes, "no write in an hour");
}

/// Controllers that are killed at any moment and started anew bring about the same.
#[tokio::test(start_paused = true)]
async fn a_crash_at_any_moment_is_survived() {
    for crash_after_milliseconds in (0..1500).step_by(150) {
        let mut test = TestCluster::start().await;
        test.create(web("v1")).await;
        tokio::time::sleep(Duration::from_millis(crash_after_milliseconds)).await;
        test.restart_controllers().await;
        test.until(
            &format!("v1 runs after a crash at {crash_after_milliseconds} ms"),
            |_| runs(&test, "v1"),
        )
        .await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(test.pods().len(), 4);
        assert_eq!(test.caches.replica_sets.all(Some("default")).len(), 1);
    }
}
