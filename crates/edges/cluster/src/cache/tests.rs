use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::ObjectMeta;

use super::*;

fn config(namespace: &str, name: &str, revision: u64) -> ConfigMap {
    let metadata = ObjectMeta {
        namespace: Some(namespace.into()),
        name: Some(name.into()),
        resource_version: Some(revision.to_string()),
        labels: Some([("name".to_owned(), name.to_owned())].into()),
        ..ObjectMeta::default()
    };
    ConfigMap {
        metadata,
        ..ConfigMap::default()
    }
}

fn names(objects: &[Arc<ConfigMap>]) -> Vec<String> {
    objects.iter().map(|object| object.name_any()).collect()
}

fn listed(objects: impl IntoIterator<Item = ConfigMap>) -> BTreeMap<ObjectKey, Arc<ConfigMap>> {
    let entry = |object| (ObjectKey::of(&object), Arc::new(object));
    objects.into_iter().map(entry).collect()
}

#[tokio::test]
async fn readers_see_one_namespace_or_all_and_select_by_label() {
    let cache = Cache::new();
    for (namespace, name) in [("b", "x"), ("a", "z"), ("a", "y"), ("ab", "w")] {
        cache.apply(config(namespace, name, 1));
    }
    assert_eq!(names(&cache.all(Some("a"))), ["y", "z"]);
    assert_eq!(names(&cache.all(None)), ["y", "z", "w", "x"]);
    let selector = Selector::from_iter([("name", "z")]);
    assert_eq!(names(&cache.list(Some("a"), &selector)), ["z"]);
    assert!(cache.get(&ObjectKey::new("a", "x")).is_none());
}

#[tokio::test]
async fn a_slow_subscriber_sees_the_first_and_the_last_state_of_a_key_once() {
    let cache = Cache::new();
    cache.apply(config("a", "x", 1));
    let mut changes = cache.changes();
    let initial = changes.next().await.unwrap();
    assert!(initial.before.is_none() && initial.after.is_some());

    cache.apply(config("a", "x", 2));
    cache.apply(config("a", "y", 3));
    cache.apply(config("a", "x", 4));
    cache.remove(&config("a", "x", 5));

    let gone = changes.next().await.unwrap();
    assert_eq!(gone.key, ObjectKey::new("a", "x"));
    assert_eq!(gone.before.unwrap().resource_version().as_deref(), Some("1"));
    assert!(gone.after.is_none());
    assert_eq!(changes.next().await.unwrap().key.name, "y");
    assert_eq!(cache.revision(), 5);
    cache.end();
    assert!(changes.next().await.is_none());
}

#[tokio::test]
async fn a_relist_tells_what_vanished_and_what_changed_and_nothing_else() {
    let cache = Cache::new();
    cache.replace(listed([
        config("a", "same", 1),
        config("a", "old", 2),
        config("a", "gone", 3),
    ]));
    let mut changes = cache.changes();
    for _ in 0..3 {
        changes.next().await.unwrap();
    }
    cache.replace(listed([
        config("a", "same", 1),
        config("a", "old", 7),
        config("a", "new", 8),
    ]));
    let mut told = Vec::new();
    cache.end();
    while let Some(change) = changes.next().await {
        told.push((change.key.name, change.before.is_some(), change.after.is_some()));
    }
    let expected = [("gone", true, false), ("new", false, true), ("old", true, true)];
    assert_eq!(
        told,
        expected.map(|(name, before, after)| (name.to_owned(), before, after))
    );
}

#[tokio::test]
async fn synced_waits_for_the_complete_list() {
    let cache = Cache::<ConfigMap>::new();
    assert!(!cache.is_synced());
    let waiting = tokio::spawn({
        let cache = cache.clone();
        async move { cache.synced().await }
    });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    cache.replace(BTreeMap::new());
    assert!(waiting.await.unwrap());
}
