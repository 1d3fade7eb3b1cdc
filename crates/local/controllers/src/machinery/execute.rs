//! Carries actions out.

use cluster::{Cluster, Deletion, Error, EventRecorder, EventType, Preconditions};
use k8s_openapi::api::core::v1::ObjectReference;
use serde_json::{Value, json};

use super::expectations::Expected;
use crate::action::{Action, Draft, Target};

/// Does one turn's actions in order. After a failure only statuses follow, which report it, and bindings; the
/// first failure is the turn's.
pub(crate) async fn execute(
    cluster: &Cluster,
    events: &EventRecorder,
    actions: Vec<Action>,
) -> (Expected, Result<(), Error>) {
    let mut expected = Expected::default();
    let mut outcome = Ok(());
    for action in actions {
        // A binding does not rest on what came before it, and one Pod must not hold up another.
        let stands_alone = matches!(action, Action::ReplaceStatus { .. } | Action::Bind { .. });
        if outcome.is_err() && !stands_alone {
            continue;
        }
        if let Err(error) = one(cluster, events, &mut expected, action).await
            && outcome.is_ok()
        {
            outcome = Err(error);
        }
    }
    (expected, outcome)
}

async fn one(cluster: &Cluster, events: &EventRecorder, expected: &mut Expected, action: Action) -> Result<(), Error> {
    match action {
        Action::Create { draft, told_to } => {
            let created = create(cluster, &draft).await;
            if let Some(owner) = told_to {
                tell_created(events, owner, &draft.target, created.as_ref().err());
            }
            expected.revision(&draft.target.kind.plural, revision(&created?));
            Ok(())
        }
        Action::ReplaceStatus { draft } => {
            let Draft { target, body } = draft;
            let objects = cluster.values(&target.kind, target.key.namespace());
            let written = objects.replace_status(&target.key.name, &body).await?;
            expected.revision(&target.kind.plural, revision(&written));
            Ok(())
        }
        Action::Patch { target, patch } => {
            let objects = cluster.values(&target.kind, target.key.namespace());
            let written = objects.patch(&target.key.name, &cluster::Patch::Merge(patch)).await?;
            expected.revision(&target.kind.plural, revision(&written));
            Ok(())
        }
        Action::Delete {
            target,
            deletion,
            told_to,
        } => {
            let deleted = delete(cluster, &target, deletion).await;
            if let Some(owner) = told_to {
                tell_deleted(events, owner, &target, deleted.as_ref().err());
            }
            deleted?;
            expected.departure(&target);
            Ok(())
        }
        Action::Bind { pod, node } => bind(cluster, events, expected, &pod, &node).await,
        Action::Event {
            about,
            event_type,
            reason,
            message,
        } => {
            events.record(about, event_type, reason, &message);
            Ok(())
        }
    }
}

fn revision(object: &Value) -> Option<&str> {
    object.pointer("/metadata/resourceVersion").and_then(Value::as_str)
}

/// Creates an object, or finds that an earlier try did: when the server failed it may have done so after the
/// write, and names repeat from try to try.
async fn create(cluster: &Cluster, draft: &Draft) -> Result<Value, Error> {
    let Draft { target, body } = draft;
    let objects = cluster.values(&target.kind, target.key.namespace());
    let error = match objects.create(body).await {
        Ok(created) => return Ok(created),
        Err(error @ (Error::AlreadyExists(_) | Error::Unavailable(_))) => error,
        Err(error) => return Err(error),
    };
    match objects.find(&target.key.name).await? {
        Some(existing) if controller_uid(&existing) == controller_uid(body) => Ok(existing),
        _ => Err(error),
    }
}

fn controller_uid(object: &Value) -> Option<&str> {
    let references = object.pointer("/metadata/ownerReferences")?.as_array()?;
    let controller = references.iter().find(|reference| reference["controller"] == true)?;
    controller["uid"].as_str()
}

async fn delete(cluster: &Cluster, target: &Target, mut deletion: Deletion) -> Result<(), Error> {
    let preconditions = deletion.preconditions.get_or_insert_with(Preconditions::default);
    preconditions.uid.get_or_insert_with(|| target.uid.clone());
    let objects = cluster.values(&target.kind, target.key.namespace());
    let error = match objects.delete(&target.key.name, &deletion).await {
        Ok(()) | Err(Error::NotFound(_)) => return Ok(()),
        Err(error) => error,
    };
    // The one that was meant may be gone, and another may have its name.
    match objects.find(&target.key.name).await? {
        Some(existing) if existing.pointer("/metadata/uid").and_then(Value::as_str) == Some(&target.uid) => Err(error),
        _ => Ok(()),
    }
}

/// Binds a Pod. One that is gone or was bound by another needs nothing more.
async fn bind(
    cluster: &Cluster,
    events: &EventRecorder,
    expected: &mut Expected,
    pod: &Target,
    node: &str,
) -> Result<(), Error> {
    let binding = json!({
        "apiVersion": "v1", "kind": "Binding",
        "metadata": { "name": pod.key.name, "namespace": pod.key.namespace, "uid": pod.uid },
        "target": { "apiVersion": "v1", "kind": "Node", "name": node },
    });
    let pods = cluster.values(&pod.kind, pod.key.namespace());
    let outcome = pods.create_at(&pod.key.name, "binding", &binding).await;
    let Some(bound) = pods.find(&pod.key.name).await? else {
        return Ok(());
    };
    // The answer to a binding has no revision, and the next placement must see this one.
    expected.revision(&pod.kind.plural, revision(&bound));
    match bound.pointer("/spec/nodeName").and_then(Value::as_str) {
        Some(name) if name == node => {
            let message = format!("Successfully assigned {} to {node}", pod.key);
            events.record(pod.reference(), EventType::Normal, "Scheduled", &message);
            Ok(())
        }
        Some(name) if !name.is_empty() => Ok(()),
        _ => outcome.map(drop),
    }
}

fn tell_created(events: &EventRecorder, owner: ObjectReference, target: &Target, error: Option<&Error>) {
    let (kind, name) = (&target.kind.kind, &target.key.name);
    let spoken = kind.to_ascii_lowercase();
    match error {
        None => events.record(
            owner,
            EventType::Normal,
            "SuccessfulCreate",
            &format!("Created {spoken}: {name}"),
        ),
        Some(error) => events.record(
            owner,
            EventType::Warning,
            "FailedCreate",
            &format!("Error creating: {error}"),
        ),
    }
}

fn tell_deleted(events: &EventRecorder, owner: ObjectReference, target: &Target, error: Option<&Error>) {
    let (kind, name) = (target.kind.kind.to_ascii_lowercase(), &target.key.name);
    match error {
        None => events.record(
            owner,
            EventType::Normal,
            "SuccessfulDelete",
            &format!("Deleted {kind}: {name}"),
        ),
        Some(error) => events.record(
            owner,
            EventType::Warning,
            "FailedDelete",
            &format!("Error deleting: {error}"),
        ),
    }
}
