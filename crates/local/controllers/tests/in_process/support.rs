//! A cluster for tests: the real local API server in this process, the controllers, and a node that only
//! pretends. All on one virtual clock.

pub(crate) mod faults;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use apiserver::ApiServer;
use cluster::{Cluster, Deletion, ListOptions, ObjectKey, Patch, ResourceExt, RuntimeClock};
use controllers::{Caches, Controllers};
use flyball_core::Clock;
use k8s_openapi::api::core::v1::{Event, Node, Pod};
use serde_json::json;

/// A running test cluster.
pub(crate) struct TestCluster {
    /// The API without faults.
    pub(crate) cluster: Cluster,
    /// The shared clock.
    pub(crate) clock: Arc<dyn Clock>,
    /// The picture that assertions look at.
    pub(crate) caches: Caches,
    server: ApiServer,
    controllers: Option<Controllers>,
}

/// The only node's name.
pub(crate) const NODE: &str = "laptop";

impl TestCluster {
    /// Everything runs, the node too.
    pub(crate) async fn start() -> Self {
        Self::start_with(Cluster::in_process).await
    }

    /// As [`Self::start`], with the controllers' way to the API made by `connect`, which may put faults in.
    pub(crate) async fn start_with(connect: impl FnOnce(apiserver::ApiService) -> Cluster) -> Self {
        let start = "2026-01-01T12:00:00Z".parse().expect("a valid time");
        let clock: Arc<dyn Clock> = Arc::new(RuntimeClock::starting_at(start));
        let server = ApiServer::builder(clock.clone())
            .build()
            .expect("a fresh server builds");
        let cluster = Cluster::in_process(server.service());
        let caches = Caches::of(&cluster);
        assert!(caches.synced().await);
        create_node(&cluster, NODE).await;
        tokio::spawn(pretend(cluster.clone(), clock.clone(), NODE));
        let controllers = Some(controllers::run_with(
            &connect(server.service()),
            clock.clone(),
            options(),
        ));
        Self {
            cluster,
            clock,
            caches,
            server,
            controllers,
        }
    }

    /// Ends the controllers between two awaits, as a crash would, and starts new ones with empty caches.
    pub(crate) async fn restart_controllers(&mut self) {
        if let Some(controllers) = self.controllers.take() {
            controllers.stop().await;
        }
        let cluster = Cluster::in_process(self.server.service());
        self.controllers = Some(controllers::run_with(&cluster, self.clock.clone(), options()));
    }

    /// Creates an object from JSON.
    pub(crate) async fn create(&self, object: serde_json::Value) {
        let (version, kind) = (object["apiVersion"].as_str().unwrap(), object["kind"].as_str().unwrap());
        let kind = self.cluster.kind(version, kind).await.unwrap().expect("a served kind");
        let namespace = match kind.reach {
            cluster::Reach::Namespaced => Some(
                object
                    .pointer("/metadata/namespace")
                    .map_or("default", |n| n.as_str().unwrap()),
            ),
            cluster::Reach::ClusterWide => None,
        };
        self.cluster.values(&kind, namespace).create(&object).await.unwrap();
    }

    /// Waits in virtual time until `holds`; fails with `what` after ten virtual minutes.
    pub(crate) async fn until(&self, what: &str, holds: impl Fn(&Caches) -> bool) {
        for _ in 0..6000 {
            if holds(&self.caches) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("never: {what}\n{}", self.report().await);
    }

    /// What a person would look at first: Pods and Events.
    pub(crate) async fn report(&self) -> String {
        let mut report = String::new();
        for pod in self.pods() {
            let node = pod.spec.as_ref().and_then(|spec| spec.node_name.clone());
            let phase = pod.status.as_ref().and_then(|status| status.phase.clone());
            let going = pod.metadata.deletion_timestamp.is_some();
            report += &format!("{} on {node:?} {phase:?} going {going}\n", pod.name_any());
        }
        let events = self.cluster.objects::<Event>(None).list(&ListOptions::default()).await;
        for event in events.map(|list| list.items).unwrap_or_default() {
            let (name, count) = (event.involved_object.name.unwrap_or_default(), event.count.unwrap_or(0));
            report += &format!("{name} {count}x {:?}: {:?}\n", event.reason, event.message);
        }
        report
    }

    /// The Pods of the default namespace.
    pub(crate) fn pods(&self) -> Vec<Arc<Pod>> {
        self.caches.pods.all(Some("default"))
    }
}

/// How many Pods are ready and stay.
pub(crate) fn ready(pods: &[Arc<Pod>]) -> usize {
    let is_ready = |pod: &&Arc<Pod>| {
        let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
        pod.metadata.deletion_timestamp.is_none()
            && conditions.into_iter().any(|c| c.type_ == "Ready" && c.status == "True")
    };
    pods.iter().filter(is_ready).count()
}

/// A key in the default namespace.
pub(crate) fn key(name: &str) -> ObjectKey {
    ObjectKey::new("default", name)
}

async fn create_node(cluster: &Cluster, name: &str) {
    let node = json!({
        "apiVersion": "v1", "kind": "Node", "metadata": { "name": name, "labels": { "kubernetes.io/hostname": name } },
    });
    let nodes = cluster.objects::<Node>(None);
    nodes.create(&node).await.unwrap();
    let status = json!({ "status": {
        "allocatable": { "cpu": "8", "memory": "16Gi", "pods": "110" },
        "conditions": [{ "type": "Ready", "status": "True" }],
    } });
    nodes.patch_status(name, &Patch::Merge(status)).await.unwrap();
}

/// A node whose Pods are ready one second after they are bound and gone one second after they are deleted. A
/// Pod whose first container's image is `broken` never becomes ready; one of image `once` succeeds, of image
/// `fails` fails.
async fn pretend(cluster: Cluster, clock: Arc<dyn Clock>, name: &'static str) {
    let address = Arc::new(AtomicU32::new(1));
    let mut changes = cluster.cache::<Pod>().changes();
    while let Some(change) = changes.next().await {
        let Some(pod) = change.after else { continue };
        let bound_here = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()) == Some(name);
        let going = pod.metadata.deletion_timestamp.is_some();
        let is_new = pod.status.as_ref().is_none_or(|status| status.pod_ip.is_none());
        if bound_here && going {
            let pods = cluster.objects::<Pod>(change.key.namespace.as_str());
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_secs(1)).await;
                let deletion = Deletion::of_uid(pod.uid().unwrap()).within_seconds(0);
                let _ = pods.delete(&pod.name_any(), &deletion).await;
            });
        } else if bound_here && is_new {
            let (cluster, clock, address) = (cluster.clone(), clock.clone(), address.clone());
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_secs(1)).await;
                run(&cluster, &*clock, &pod, address.fetch_add(1, Ordering::SeqCst)).await;
            });
        }
    }
}

async fn run(cluster: &Cluster, clock: &dyn Clock, pod: &Pod, number: u32) {
    let image = pod.spec.as_ref().and_then(|spec| spec.containers[0].image.clone());
    let (phase, ready) = match image.as_deref() {
        Some("broken") => ("Running", "False"),
        Some("once") => ("Succeeded", "False"),
        Some("fails") => ("Failed", "False"),
        _ => ("Running", "True"),
    };
    let address = format!("127.8.{}.{}", number / 250, number % 250 + 1);
    let status = json!({ "status": {
        "phase": phase,
        "podIP": address, "podIPs": [{ "ip": address }],
        "startTime": clock.now(),
        "conditions": [{ "type": "Ready", "status": ready, "lastTransitionTime": clock.now() }],
    } });
    let pods = cluster.objects::<Pod>(pod.namespace().unwrap().as_str());
    let _ = pods.patch_status(&pod.name_any(), &Patch::Merge(status)).await;
}

fn options() -> controllers::Options {
    controllers::Options {
        volumes: Some("/var/lib/test-volumes".into()),
    }
}
