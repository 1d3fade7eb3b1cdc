//! Where the kubelet's results go, and where it finds configuration: the API.

use cluster::{Cluster, Deletion, EventRecorder, EventType, Object, Patch};
use k8s_openapi::api::core::v1::{ConfigMap, ObjectReference, Pod, PodStatus, Secret, ServiceAccount};
use node::kubelet::{BoxFuture, ConfigSource, PodEvent, PodRef, PodSink};
use serde_json::json;

/// How long a Pod's token is good for; upstream's kubelet asks for about an hour and renews it, a laptop's
/// cluster rarely lives longer than this.
const TOKEN_SECONDS: i64 = 24 * 60 * 60;

/// The API as the kubelet uses it.
pub(super) struct Sink {
    cluster: Cluster,
    events: EventRecorder,
}

impl Sink {
    pub(super) fn new(cluster: Cluster, events: EventRecorder) -> Self {
        let cluster = cluster.managed_by("kubelet");
        Self { cluster, events }
    }

    async fn find<K: Object>(&self, namespace: &str, name: &str) -> Result<Option<K>, String> {
        let found = self.cluster.objects::<K>(namespace).find(name).await;
        found.map_err(|error| error.to_string())
    }
}

impl PodSink for Sink {
    fn patch_status<'a>(&'a self, pod: &'a PodRef, status: PodStatus) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            // The uid makes the write fail for a namesake that came after this Pod.
            let patch = Patch::Merge(json!({"metadata": {"uid": pod.uid}, "status": status}));
            match self
                .cluster
                .objects::<Pod>(pod.namespace.as_str())
                .patch_status(&pod.name, &patch)
                .await
            {
                Err(error) if !error.is_not_found() && !error.is_conflict() => Err(error.to_string()),
                _ => Ok(()),
            }
        })
    }

    fn deleted<'a>(&'a self, pod: &'a PodRef) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            let deletion = Deletion::of_uid(pod.uid.as_str()).within_seconds(0);
            match self
                .cluster
                .objects::<Pod>(pod.namespace.as_str())
                .delete(&pod.name, &deletion)
                .await
            {
                Err(error) if !error.is_not_found() && !error.is_conflict() => Err(error.to_string()),
                _ => Ok(()),
            }
        })
    }

    fn event<'a>(&'a self, pod: &'a PodRef, event: PodEvent) -> BoxFuture<'a, ()> {
        let about = ObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("Pod".to_owned()),
            namespace: Some(pod.namespace.clone()),
            name: Some(pod.name.clone()),
            uid: Some(pod.uid.clone()),
            field_path: event.field_path,
            ..ObjectReference::default()
        };
        let event_type = if event.kind == "Warning" {
            EventType::Warning
        } else {
            EventType::Normal
        };
        self.events.record(about, event_type, event.reason, &event.message);
        Box::pin(std::future::ready(()))
    }
}

impl ConfigSource for Sink {
    fn config_map<'a>(&'a self, namespace: &'a str, name: &'a str) -> BoxFuture<'a, Result<Option<ConfigMap>, String>> {
        Box::pin(self.find(namespace, name))
    }

    fn secret<'a>(&'a self, namespace: &'a str, name: &'a str) -> BoxFuture<'a, Result<Option<Secret>, String>> {
        Box::pin(self.find(namespace, name))
    }

    fn token<'a>(&'a self, namespace: &'a str, account: &'a str) -> BoxFuture<'a, Option<String>> {
        Box::pin(async move {
            let request = json!({
                "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
                "spec": {"expirationSeconds": TOKEN_SECONDS, "audiences": []},
            });
            let accounts = self.cluster.objects::<ServiceAccount>(namespace);
            let answer = accounts.create_at(account, "token", &request).await.ok()?;
            answer["status"]["token"].as_str().map(str::to_owned)
        })
    }
}
