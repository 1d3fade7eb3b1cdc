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
    let client = kube::Client::new(support::builder().build().expect("built").service(), "default");
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
    let client = kube::Client::new(support::builder().build().expect("built").service(), "default");
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

/// The lines of a watch: word, name, and what `show` makes of the object. Ends when nothing comes for a (virtual) second.
async fn lines(client: &kube::Client, path: &str) -> Vec<String> {
    use futures::{AsyncBufReadExt, io::Lines};
    let request = http::Request::get(path).body(Vec::new()).expect("a request");
    let stream = client.request_stream(request).await.expect("a watch");
    let mut lines: Lines<_> = Box::pin(stream).lines();
    let mut seen = Vec::new();
    while let Ok(Some(line)) = tokio::time::timeout(std::time::Duration::from_secs(1), lines.next()).await {
        let event: serde_json::Value = serde_json::from_str(&line.expect("a line")).expect("an event");
        let name = event["object"]["metadata"]["name"]
            .as_str()
            .or(event["object"]["reason"].as_str());
        seen.push(format!(
            "{} {}",
            event["type"].as_str().unwrap_or("?"),
            name.unwrap_or("-")
        ));
    }
    seen
}

#[tokio::test(start_paused = true)]
async fn watches_through_selectors_and_from_any_moment() {
    let client = kube::Client::new(support::builder().build().expect("built").service(), "default");
    let api: Api<ConfigMap> = Api::default_namespaced(client.clone());
    let label = |value: &str| Patch::Merge(json!({"metadata": {"labels": {"app": value}}}));
    api.create(&PostParams::default(), &config_map("a", "1"))
        .await
        .expect("created");
    let from = api
        .get("a")
        .await
        .expect("read")
        .metadata
        .resource_version
        .expect("a version");
    for value in ["web", "web", "db"] {
        api.patch("a", &PatchParams::default(), &label(value))
            .await
            .expect("patched");
    }
    api.create(&PostParams::default(), &config_map("b", "1"))
        .await
        .expect("created");

    let base = "/api/v1/namespaces/default/configmaps?watch=1";
    let check = async |query: &str, expect: &[&str]| {
        assert_eq!(lines(&client, &format!("{base}{query}")).await, expect, "{query}");
    };
    // From nothing: what is there. From a version: what came after it.
    check("", &["ADDED a", "ADDED b"]).await;
    check(
        &format!("&resourceVersion={from}"),
        &["MODIFIED a", "MODIFIED a", "ADDED b"],
    )
    .await;
    // Through a selector an object comes into view and leaves it; a write that changes nothing is no event.
    let from_selector = format!("&resourceVersion={from}&labelSelector=app%3Dweb");
    check(&from_selector, &["ADDED a", "DELETED a"]).await;
    check(
        &format!("&resourceVersion={from}&fieldSelector=metadata.name%3Db"),
        &["ADDED b"],
    )
    .await;
    let streaming = "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
    check(streaming, &["ADDED a", "ADDED b", "BOOKMARK -"]).await;
}

#[tokio::test(start_paused = true)]
async fn quiet_watches_get_bookmarks_and_end_in_time() {
    use futures::AsyncBufReadExt;
    let client = kube::Client::new(support::builder().build().expect("built").service(), "default");
    let path = "/api/v1/secrets?watch=1&allowWatchBookmarks=true&timeoutSeconds=150&resourceVersion=1";
    let request = http::Request::get(path).body(Vec::new()).expect("a request");
    let stream = client.request_stream(request).await.expect("a watch");
    let started = tokio::time::Instant::now();
    let lines: Vec<String> = Box::pin(stream).lines().try_collect().await.expect("lines");
    assert_eq!(started.elapsed().as_secs(), 150);
    assert_eq!(lines.len(), 2, "one a minute");
    assert!(
        lines
            .iter()
            .all(|line| line.contains("BOOKMARK") && line.contains("\"resourceVersion\":\"")),
        "{lines:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn who_watches_from_too_long_ago_lists_again() {
    let client = kube::Client::new(support::builder().build().expect("built").service(), "default");
    let api: Api<ConfigMap> = Api::default_namespaced(client.clone());
    api.create(&PostParams::default(), &config_map("a", "0"))
        .await
        .expect("created");
    for round in 1..=apiserver::store::HISTORY_EVENTS_MAX {
        let patch = Patch::Merge(json!({"data": {"key": round.to_string()}}));
        api.patch("a", &PatchParams::default(), &patch).await.expect("patched");
    }
    let error = api.watch(&WatchParams::default(), "1").await.err().expect("too old");
    let kube::Error::Api(status) = error else {
        panic!("an API error")
    };
    assert_eq!((status.code, status.reason.as_str()), (410, "Expired"));
}

#[tokio::test(start_paused = true)]
async fn an_aggregated_api_is_under_the_same_roof() {
    use apiserver::{AggregatedApi, Body, User};
    use http_body_util::{BodyExt, Full};
    struct Metrics;
    impl AggregatedApi for Metrics {
        fn resources(&self) -> serde_json::Value {
            json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "metrics.k8s.io/v1beta1", "resources": [
                {"name": "pods", "singularName": "", "namespaced": true, "kind": "PodMetrics", "verbs": ["get", "list"]}]})
        }

        fn call(
            &self,
            request: http::Request<bytes::Bytes>,
        ) -> futures::future::BoxFuture<'static, http::Response<Body>> {
            let user = request
                .extensions()
                .get::<User>()
                .map(|user| user.name.clone())
                .unwrap_or_default();
            let body = json!({"path": request.uri().path(), "user": user}).to_string();
            Box::pin(async move { http::Response::new(Full::new(body.into()).boxed_unsync()) })
        }
    }
    let server = support::builder().build().expect("built");
    server.register_aggregated("metrics.k8s.io", "v1beta1", std::sync::Arc::new(Metrics));
    let client = kube::Client::new(server.service(), "default");
    let groups = client.list_api_groups().await.expect("groups").groups;
    assert!(groups.iter().any(|group| group.name == "metrics.k8s.io"));
    let resources = client
        .list_api_group_resources("metrics.k8s.io/v1beta1")
        .await
        .expect("resources")
        .resources;
    assert_eq!(resources[0].kind, "PodMetrics");
    let path = "/apis/metrics.k8s.io/v1beta1/namespaces/default/pods";
    let ask = |user: Option<&str>| {
        let mut request = http::Request::get(path);
        if let Some(user) = user {
            request = request.header("impersonate-user", user);
        }
        client.request::<serde_json::Value>(request.body(Vec::new()).expect("a request"))
    };
    assert_eq!(
        ask(None).await.expect("answered"),
        json!({"path": path, "user": "flyball:admin"})
    );
    assert!(ask(Some("eve")).await.is_err(), "who may not is not let through");
}
