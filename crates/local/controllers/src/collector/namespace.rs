//! A namespace that is deleted takes everything in it along: Pods first, because they use the rest.

use std::time::Duration;

use cluster::{Deletion, Error, Kind, ListOptions, ObjectKey, Propagation, Reach};
use k8s_openapi::api::core::v1::Namespace;
use serde_json::{Value, json};

use super::{Collector, gone_is_done};

/// Changes bring a namespace back; this is for what changes without being watched.
const RECHECK: Duration = Duration::from_secs(5);

pub(super) async fn run(collector: Collector) {
    while let Some(work) = collector.namespace_queue.next().await {
        match turn(&collector, work.key()).await {
            Ok(Emptied::Yes) => work.done(),
            Ok(Emptied::NotYet) => work.done_until(RECHECK),
            Err(error) => {
                tracing::debug!(namespace = work.key().name, %error, "namespace not emptied");
                work.retry();
            }
        }
    }
}

/// Whether a namespace has nothing left in it.
#[derive(PartialEq)]
enum Emptied {
    Yes,
    NotYet,
}

async fn turn(collector: &Collector, key: &ObjectKey) -> Result<Emptied, Error> {
    let Some(namespace) = collector.namespaces.get(key) else {
        return Ok(Emptied::Yes);
    };
    if namespace.metadata.deletion_timestamp.is_none() {
        return Ok(Emptied::Yes);
    }
    let kinds = collector.cluster.discover().await?;
    let in_namespaces = |kind: &&Kind| {
        let can = |verb| kind.allows(verb);
        kind.reach == Reach::Namespaced && kind.preferred && can("list") && can("delete")
    };
    let (pods, others): (Vec<_>, Vec<_>) = kinds.iter().filter(in_namespaces).partition(|kind| kind.kind == "Pod");
    for group in [pods, others] {
        let mut left = 0;
        for kind in group {
            left += empty(collector, kind, &key.name).await?;
        }
        if left > 0 {
            return Ok(Emptied::NotYet);
        }
    }
    finalize(collector, &namespace).await?;
    Ok(Emptied::Yes)
}

/// Deletes what there is of a kind; how much there was.
async fn empty(collector: &Collector, kind: &Kind, namespace: &str) -> Result<usize, Error> {
    let objects = collector.cluster.values(kind, namespace);
    let found = match objects.list(&ListOptions::default()).await {
        Ok(list) => list.items,
        // A kind whose definition was removed meanwhile.
        Err(Error::NotFound(_)) => return Ok(0),
        Err(error) => return Err(error),
    };
    let text = |object: &Value, path: &str| {
        object
            .pointer(path)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let staying = found
        .iter()
        .filter(|object| object.pointer("/metadata/deletionTimestamp").is_none());
    for object in staying {
        let deletion = Deletion::of_uid(text(object, "/metadata/uid")).propagating(Propagation::Background);
        gone_is_done(objects.delete(&text(object, "/metadata/name"), &deletion).await)?;
    }
    Ok(found.len())
}

/// Gives the namespace free.
async fn finalize(collector: &Collector, namespace: &Namespace) -> Result<(), Error> {
    let finalizers = namespace
        .spec
        .as_ref()
        .and_then(|spec| spec.finalizers.clone())
        .unwrap_or_default();
    let kept: Vec<_> = finalizers.into_iter().filter(|name| name != "kubernetes").collect();
    let mut body = serde_json::to_value(namespace).map_err(|error| Error::Unreadable(error.to_string()))?;
    body["spec"]["finalizers"] = json!(kept);
    let name = namespace.metadata.name.as_deref().unwrap_or_default();
    let namespaces = collector.cluster.objects::<Namespace>(None);
    gone_is_done(namespaces.replace_at(name, "finalize", &body).await.map(drop))
}
