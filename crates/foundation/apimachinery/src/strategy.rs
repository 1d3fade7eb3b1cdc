//! What creating and updating do to an object besides storing it.
//!
//! A create starts a life: identity, time, generation 1, and a status that only controllers write. An update may only touch
//! the part it is addressed to, and counts a generation when what is wanted changed.
//!
//! Source: apiserver's `registry/rest` and the strategies of Kubernetes' `pkg/registry`.

use serde_json::{Value, json};

use crate::resources::{GroupVersionKind, Resource};

/// The part of an object that a write is addressed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The object itself; its status is kept where the kind has a status subresource.
    Main,
    /// The status subresource: everything else is kept.
    Status,
}

/// Metadata that only servers write.
const SERVER_OWNED: [&str; 5] = [
    "selfLink",
    "resourceVersion",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "creationTimestamp",
];

/// Kinds that count no generations.
const WITHOUT_GENERATION: [(&str, &str); 19] = [
    ("", "ConfigMap"),
    ("", "Secret"),
    ("", "Namespace"),
    ("", "Node"),
    ("", "Service"),
    ("", "ServiceAccount"),
    ("", "Endpoints"),
    ("", "Event"),
    ("", "LimitRange"),
    ("", "ResourceQuota"),
    ("", "PersistentVolume"),
    ("", "PersistentVolumeClaim"),
    ("", "PodTemplate"),
    ("apps", "ControllerRevision"),
    ("coordination.k8s.io", "Lease"),
    ("events.k8s.io", "Event"),
    ("autoscaling", "HorizontalPodAutoscaler"),
    ("storage.k8s.io", "StorageClass"),
    ("rbac.authorization.k8s.io", "*"),
];

fn counts_generations(kind: &GroupVersionKind) -> bool {
    !WITHOUT_GENERATION
        .iter()
        .any(|(group, name)| *group == kind.group && (*name == kind.kind || *name == "*"))
}

/// Makes an object ready to be stored for the first time: identity, creation time (RFC 3339, whole seconds), generation and
/// an empty status. The name must already be there.
pub fn prepare_create(resource: &Resource, object: &mut Value, uid: &str, now: &str) {
    let metadata = &mut object["metadata"];
    if !metadata.is_object() {
        *metadata = json!({});
    }
    if let Value::Object(fields) = metadata {
        for name in SERVER_OWNED {
            fields.shift_remove(name);
        }
        fields.shift_remove("generation");
        fields.insert("uid".into(), json!(uid));
        fields.insert("creationTimestamp".into(), json!(now));
        if counts_generations(&resource.kind) {
            fields.insert("generation".into(), json!(1));
        }
    }
    if resource.subresource("status").is_some()
        && let Value::Object(fields) = object
    {
        fields.shift_remove("status");
    }
    match (&*resource.kind.group, &*resource.kind.kind) {
        ("", "Pod") => {
            object["status"] = json!({"phase": "Pending", "qosClass": quality_of_service(object)});
        }
        ("", "Namespace") => {
            if object.pointer("/spec/finalizers").is_none_or(Value::is_null) {
                object["spec"]["finalizers"] = json!(["kubernetes"]);
            }
            object["status"] = json!({"phase": "Active"});
        }
        ("", "PersistentVolume" | "PersistentVolumeClaim") => object["status"] = json!({"phase": "Pending"}),
        ("", "Service") => object["status"] = json!({"loadBalancer": {}}),
        ("apps", "Deployment") | ("batch", "CronJob") => object["status"] = json!({}),
        ("apps", "ReplicaSet" | "StatefulSet") | ("", "ReplicationController") => {
            object["status"] = json!({"replicas": 0});
        }
        ("apps", "DaemonSet") => {
            object["status"] = json!({"currentNumberScheduled": 0, "numberMisscheduled": 0,
                                      "desiredNumberScheduled": 0, "numberReady": 0});
        }
        ("batch", "Job") => {
            own_pods(object, uid);
            object["status"] = json!({});
        }
        _ => {}
    }
}

/// A job selects its pods by its unique id, unless the manifest brings a selector of its own.
fn own_pods(job: &mut Value, uid: &str) {
    if job["spec"]["manualSelector"] == true {
        return;
    }
    let name = job["metadata"]["name"].clone();
    let labels = &mut job["spec"]["template"]["metadata"]["labels"];
    if !labels.is_object() {
        *labels = json!({});
    }
    // Both spellings: the plain ones are older, and people still select by them.
    for (key, value) in [
        ("batch.kubernetes.io/controller-uid", json!(uid)),
        ("batch.kubernetes.io/job-name", name.clone()),
        ("controller-uid", json!(uid)),
        ("job-name", name),
    ] {
        labels[key] = value;
    }
    job["spec"]["selector"] = json!({"matchLabels": {"batch.kubernetes.io/controller-uid": uid}});
}

/// `Guaranteed`, `Burstable` or `BestEffort`, by the cpu and memory of a pod's containers.
pub fn quality_of_service(pod: &Value) -> &'static str {
    let lists = ["initContainers", "containers"].map(|list| pod["spec"][list].as_array());
    let (mut any, mut all) = (false, true);
    for container in lists.into_iter().flatten().flatten() {
        for resource in ["cpu", "memory"] {
            let amount =
                |part: &str| crate::quantity::Quantity::from_value(&container["resources"][part][resource]).ok();
            let (request, limit) = (amount("requests"), amount("limits"));
            let some = |amount: Option<crate::quantity::Quantity>| amount.filter(|amount| !amount.is_zero());
            any |= some(request).is_some() || some(limit).is_some();
            all &= some(limit).is_some() && request.is_none_or(|request| Some(request) == limit);
        }
    }
    match (any, all) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}

/// Makes a new version of a stored object ready to replace it: keeps the parts that the write is not addressed to, fills in
/// metadata that a client may leave out, and counts a generation when something other than metadata and status changed.
pub fn prepare_update(resource: &Resource, old: &Value, new: &mut Value, part: Part) {
    match part {
        Part::Status => {
            let status = new.get("status").cloned();
            let metadata = new["metadata"].take();
            *new = old.clone();
            match (status, &mut *new) {
                (Some(status), new) => new["status"] = status,
                (None, Value::Object(fields)) => drop(fields.shift_remove("status")),
                (None, _) => {}
            }
            // What a status write may carry besides the status.
            for name in ["managedFields", "resourceVersion"] {
                copy_or_remove(&metadata, &mut new["metadata"], name);
            }
            return;
        }
        Part::Main if resource.subresource("status").is_some() => copy_or_remove(old, new, "status"),
        Part::Main => {}
    }
    for name in [
        "uid",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "selfLink",
    ] {
        let absent = new["metadata"].get(name).is_none_or(Value::is_null);
        if absent {
            copy_or_remove(&old["metadata"], &mut new["metadata"], name);
        }
    }
    copy_or_remove(&old["metadata"], &mut new["metadata"], "generation");
    if counts_generations(&resource.kind) && wanted(old) != wanted(new) {
        let generation = old["metadata"]["generation"].as_i64().unwrap_or(0);
        new["metadata"]["generation"] = json!(generation + 1);
    }
}

/// The fields of an object that say what is wanted.
fn wanted(object: &Value) -> Vec<(&String, &Value)> {
    let stated = |name: &str| !matches!(name, "metadata" | "status" | "apiVersion" | "kind");
    let mut fields: Vec<_> = object
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, _)| stated(name))
        .collect();
    fields.sort_by_key(|(name, _)| *name);
    fields
}

fn copy_or_remove(from: &Value, to: &mut Value, name: &str) {
    match (from.get(name), to) {
        (Some(value), to) => to[name] = value.clone(),
        (None, Value::Object(fields)) => drop(fields.shift_remove(name)),
        (None, _) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::Registry;

    const NOW: &str = "2026-11-25T04:00:00Z";

    fn resource(typed: &str) -> std::sync::Arc<Resource> {
        Registry::builtin().search(typed)[0].clone()
    }

    #[test]
    fn a_create_starts_a_life() {
        let mut deployment = json!({"metadata": {"name": "a", "uid": "mine", "resourceVersion": "7", "generation": 9},
                                    "spec": {}, "status": {"replicas": 3}});
        prepare_create(&resource("deployments"), &mut deployment, "u1", NOW);
        assert_eq!(
            deployment,
            json!({"metadata": {"name": "a", "uid": "u1", "generation": 1, "creationTimestamp": NOW}, "spec": {}, "status": {}})
        );
        let mut map = json!({"metadata": {"name": "a"}, "data": {}});
        prepare_create(&resource("configmaps"), &mut map, "u1", NOW);
        assert!(map["metadata"].get("generation").is_none());
    }

    #[test]
    fn a_job_selects_by_its_id() {
        let mut job = json!({"metadata": {"name": "j"}, "spec": {"template": {"spec": {}}}});
        prepare_create(&resource("jobs"), &mut job, "u1", NOW);
        assert_eq!(
            job["spec"]["selector"]["matchLabels"]["batch.kubernetes.io/controller-uid"],
            "u1"
        );
        assert_eq!(job["spec"]["template"]["metadata"]["labels"]["job-name"], "j");
    }

    #[test]
    fn generations_count_what_is_wanted() {
        let old = json!({"metadata": {"name": "a", "uid": "u", "creationTimestamp": NOW, "generation": 4},
                         "spec": {"replicas": 1}, "status": {"replicas": 1}});
        let update = |change: fn(&mut Value), part: Part| {
            let mut new = old.clone();
            change(&mut new);
            prepare_update(&resource("deployments"), &old, &mut new, part);
            new
        };
        let labelled = update(|new| new["metadata"]["labels"] = json!({"a": "b"}), Part::Main);
        assert_eq!(labelled["metadata"]["generation"], 4);
        let scaled = update(
            |new| {
                new["spec"]["replicas"] = json!(2);
                new["status"]["replicas"] = json!(2);
                new["metadata"]["generation"] = json!(77);
                new["metadata"]["uid"] = Value::Null;
            },
            Part::Main,
        );
        assert_eq!(scaled["metadata"]["generation"], 5);
        assert_eq!(scaled["metadata"]["uid"], "u");
        assert_eq!(scaled["status"]["replicas"], 1);
        let reported = update(
            |new| {
                new["spec"]["replicas"] = json!(2);
                new["status"]["replicas"] = json!(2);
            },
            Part::Status,
        );
        assert_eq!(
            (&reported["spec"]["replicas"], &reported["status"]["replicas"]),
            (&json!(1), &json!(2))
        );
        assert_eq!(reported["metadata"]["generation"], 4);
    }

    #[test]
    fn classes_of_service() {
        let check = |resources: Value, expect: &str| {
            assert_eq!(
                quality_of_service(&json!({"spec": {"containers": [{"resources": resources}]}})),
                expect
            );
        };
        check(json!({}), "BestEffort");
        check(json!({"requests": {"cpu": "1"}}), "Burstable");
        check(
            json!({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1000m", "memory": "1Gi"}}),
            "Guaranteed",
        );
        check(json!({"limits": {"cpu": "1"}, "requests": {"cpu": "1"}}), "Burstable");
    }
}
