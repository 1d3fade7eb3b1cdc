//! kube's client on the in-process service, unmodified.

mod support;

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, DeleteParams, ListParams, ObjectMeta, Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use serde_json::json;

fn config_map(name: &str, value: &str) -> ConfigMap {
    ConfigMap {
        metadata: ObjectMeta {
            name: Some(name.into()),
            ..ObjectMeta::default()
        },
        data: Some([("key".to_owned(), value.to_owned())].into()),
        ..ConfigMap::default()
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_writes_and_a_watcher_sees() {
    let client = kube::Client::new(support::server().service(), "default");
    let api: Api<ConfigMap> = Api::default_namespaced(client);
    let from = api
        .list(&ListParams::default())
        .await
        .expect("a list")
        .metadata
        .resource_version
        .expect("a version");
    let mut events = api
        .watch(&WatchParams::default(), &from)
        .await
        .expect("a watch")
        .boxed();

    let created = api
        .create(&PostParams::default(), &config_map("a", "1"))
        .await
        .expect("created");
    assert_eq!(created.metadata.uid.as_ref().map(String::len), Some(36));
    let patch = Patch::Merge(json!({"data": {"key": "2"}}));
    api.patch("a", &PatchParams::default(), &patch).await.expect("patched");
    let stale = ConfigMap {
        metadata: created.metadata,
        ..config_map("a", "3")
    };
    let refused = api.replace("a", &PostParams::default(), &stale).await;
    let kube::Error::Api(status) = refused.expect_err("somebody wrote in between") else {
        panic!("an API error")
    };
    assert_eq!((status.code, status.reason.as_str()), (409, "Conflict"));
    api.delete("a", &DeleteParams::default()).await.expect("deleted");

    let mut seen = Vec::new();
    while seen.len() < 3 {
        let event = events.try_next().await.expect("an event").expect("the watch goes on");
        let (word, object) = match event {
            WatchEvent::Added(object) => ("added", object),
            WatchEvent::Modified(object) => ("modified", object),
            WatchEvent::Deleted(object) => ("deleted", object),
            other => panic!("unexpected: {other:?}"),
        };
        seen.push((word, object.data.unwrap_or_default()["key"].clone()));
    }
    assert_eq!(
        seen,
        [
            ("added", "1".into()),
            ("modified", "2".into()),
            ("deleted", "2".to_owned())
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_reflector_keeps_up() {
    use kube::runtime::{WatchStreamExt, reflector, watcher};
    let client = kube::Client::new(support::server().service(), "default");
    let api: Api<ConfigMap> = Api::default_namespaced(client);
    api.create(&PostParams::default(), &config_map("a", "1"))
        .await
        .expect("created");
    for config in [watcher::Config::default(), watcher::Config::default().streaming_lists()] {
        let (store, writer) = reflector::store();
        let stream = reflector(writer, watcher(api.clone(), config))
            .default_backoff()
            .applied_objects();
        let task = tokio::spawn(stream.for_each(|_| std::future::ready(())));
        store.wait_until_ready().await.expect("the first list");
        let names: Vec<_> = store
            .state()
            .iter()
            .filter_map(|object| object.metadata.name.clone())
            .collect();
        assert_eq!(names, ["a"]);
        task.abort();
    }
}
