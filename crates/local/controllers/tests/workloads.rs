//! Workloads from the user's object to ready Pods and back, on the real local API server.

mod support;

use cluster::{Deletion, Patch, ResourceExt};
use k8s_openapi::api::apps::v1::Deployment;
use serde_json::{Value, json};

use support::{TestCluster, key, ready};

fn web(replicas: i32, image: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": "web", "namespace": "default" },
        "spec": {
            "replicas": replicas,
            "progressDeadlineSeconds": 600, "revisionHistoryLimit": 10,
            "selector": { "matchLabels": { "app": "web" } },
            "strategy": { "type": "RollingUpdate", "rollingUpdate": { "maxSurge": 1, "maxUnavailable": 0 } },
            "template": {
                "metadata": { "labels": { "app": "web" } },
                "spec": { "containers": [{ "name": "web", "image": image, "ports": [{ "name": "http", "containerPort": 8080 }] }] },
            },
        },
    })
}

fn is_complete(deployment: &Deployment, replicas: i32) -> bool {
    let status = deployment.status.clone().unwrap_or_default();
    status.observed_generation == deployment.metadata.generation
        && status.available_replicas == Some(replicas)
        && status.updated_replicas == Some(replicas)
        && status.replicas == Some(replicas)
}

#[tokio::test(start_paused = true)]
async fn a_deployment_of_three_becomes_three_ready_pods() {
    let test = TestCluster::start().await;
    test.create(web(3, "v1")).await;
    let complete = |deployment: &Deployment| is_complete(deployment, 3);
    test.until("web is complete", |caches| caches.deployments.get(&key("web")).is_some_and(|web| complete(&web)))
        .await;
    assert_eq!(ready(&test.pods()), 3);
    let sets = test.caches.replica_sets.all(Some("default"));
    assert_eq!(sets.len(), 1);
    assert_eq!(sets[0].annotations()["deployment.kubernetes.io/revision"], "1");
}
