//! Workloads from the user's object to ready Pods and back, on the real local API server.

use cluster::{Deletion, Patch, ResourceExt};
use k8s_openapi::api::apps::v1::Deployment;
use serde_json::{Value, json};

use crate::support::{TestCluster, key, ready};

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
    test.until("web is complete", |caches| {
        caches.deployments.get(&key("web")).is_some_and(|web| complete(&web))
    })
    .await;
    assert_eq!(ready(&test.pods()), 3);
    let sets = test.caches.replica_sets.all(Some("default"));
    assert_eq!(sets.len(), 1);
    assert_eq!(sets[0].annotations()["deployment.kubernetes.io/revision"], "1");
}

#[tokio::test(start_paused = true)]
async fn deleting_a_deployment_takes_everything_it_owns_along() {
    let test = TestCluster::start().await;
    test.create(web(3, "v1")).await;
    test.until("three Pods are ready", |caches| {
        ready(&caches.pods.all(Some("default"))) == 3
    })
    .await;
    let deployments = test.cluster.objects::<Deployment>("default");
    deployments.delete("web", &Deletion::default()).await.unwrap();
    test.until("all is gone", |caches| {
        caches.pods.is_empty() && caches.replica_sets.is_empty() && caches.deployments.is_empty()
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_rolling_update_never_goes_below_its_floor_or_above_its_surge() {
    let test = TestCluster::start().await;
    test.create(web(4, "v1")).await;
    test.until("four Pods are ready", |caches| {
        ready(&caches.pods.all(Some("default"))) == 4
    })
    .await;

    let watching = tokio::spawn({
        let caches = test.caches.clone();
        async move {
            let (mut changes, mut fewest, mut most) = (caches.pods.changes(), usize::MAX, 0);
            while changes.next().await.is_some() {
                let pods = caches.pods.all(Some("default"));
                fewest = fewest.min(ready(&pods));
                let staying = pods
                    .iter()
                    .filter(|pod| pod.metadata.deletion_timestamp.is_none())
                    .count();
                most = most.max(staying);
                if pods
                    .iter()
                    .all(|pod| pod.spec.as_ref().unwrap().containers[0].image.as_deref() == Some("v2"))
                {
                    break;
                }
            }
            (fewest, most)
        }
    });
    let patch = json!({ "spec": { "template": { "spec": { "containers": [{ "name": "web", "image": "v2" }] } } } });
    let deployments = test.cluster.objects::<Deployment>("default");
    deployments.patch("web", &Patch::Merge(patch)).await.unwrap();
    test.until("web runs v2", |caches| {
        let web = caches.deployments.get(&key("web")).unwrap();
        is_complete(&web, 4) && caches.pods.len() == 4
    })
    .await;
    let (fewest, most) = watching.await.unwrap();
    assert_eq!((fewest, most), (4, 5), "maxUnavailable 0, maxSurge 1");
    let web = deployments.get("web").await.unwrap();
    assert_eq!(web.annotations()["deployment.kubernetes.io/revision"], "2");
}

#[tokio::test(start_paused = true)]
async fn a_namespace_takes_its_content_along() {
    let test = TestCluster::start().await;
    test.create(json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "shop" } }))
        .await;
    let mut shop = web(2, "v1");
    shop["metadata"]["namespace"] = json!("shop");
    test.create(shop).await;
    test.until("the shop runs", |caches| ready(&caches.pods.all(Some("shop"))) == 2)
        .await;
    let namespaces = test.cluster.objects::<k8s_openapi::api::core::v1::Namespace>(None);
    namespaces.delete("shop", &Deletion::default()).await.unwrap();
    test.until("the shop is gone", |caches| {
        caches.namespaces.get(&cluster::ObjectKey::new("", "shop")).is_none() && caches.pods.is_empty()
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_service_lists_the_ready_pods_behind_it() {
    let test = TestCluster::start().await;
    test.create(json!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "name": "web", "namespace": "default" },
        "spec": { "selector": { "app": "web" }, "ports": [{ "name": "http", "port": 80, "targetPort": "http", "protocol": "TCP" }] },
    }))
    .await;
    test.create(web(2, "v1")).await;
    let ready_addresses = |caches: &controllers::Caches| {
        let slices = caches.endpoint_slices.filter(Some("default"), |slice| {
            slice
                .labels()
                .get("kubernetes.io/service-name")
                .is_some_and(|name| name == "web")
        });
        let endpoints = slices.iter().flat_map(|slice| slice.endpoints.iter().flatten());
        endpoints
            .filter(|endpoint| endpoint.conditions.as_ref().unwrap().ready == Some(true))
            .count()
    };
    test.until("both Pods are endpoints", |caches| ready_addresses(caches) == 2)
        .await;
    let slices = test.caches.endpoint_slices.all(Some("default"));
    assert_eq!(
        slices[0].ports.as_ref().unwrap()[0].port,
        Some(8080),
        "the named port of the Pod"
    );
    let endpoints = test.caches.endpoints.get(&key("web")).unwrap();
    assert_eq!(
        endpoints.subsets.as_ref().unwrap()[0].addresses.as_ref().unwrap().len(),
        2
    );

    let deployments = test.cluster.objects::<Deployment>("default");
    deployments.set_replicas("web", 0).await.unwrap();
    test.until("no Pod is an endpoint", |caches| ready_addresses(caches) == 0)
        .await;
}
