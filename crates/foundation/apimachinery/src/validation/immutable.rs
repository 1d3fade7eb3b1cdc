//! What an update may not change.

use serde_json::Value;

use crate::resources::GroupVersionKind;
use crate::status::Cause;

const IMMUTABLE: &str = "field is immutable";

/// Fields that never change, by kind.
const FIELDS: [(&str, &str, &[&str]); 8] = [
    ("apps", "Deployment", &["spec.selector"]),
    ("apps", "ReplicaSet", &["spec.selector"]),
    ("apps", "DaemonSet", &["spec.selector"]),
    (
        "batch",
        "Job",
        &[
            "spec.completionMode",
            "spec.selector",
            "spec.template",
            "spec.podFailurePolicy",
            "spec.backoffLimitPerIndex",
        ],
    ),
    ("", "Secret", &["type"]),
    (
        "storage.k8s.io",
        "StorageClass",
        &["provisioner", "parameters", "reclaimPolicy", "volumeBindingMode"],
    ),
    ("scheduling.k8s.io", "PriorityClass", &["value", "preemptionPolicy"]),
    ("networking.k8s.io", "IngressClass", &["spec.controller"]),
];

pub(super) fn check(kind: &GroupVersionKind, new: &Value, old: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let listed = FIELDS
        .iter()
        .find(|(group, name, _)| *group == kind.group && *name == kind.kind);
    for field in listed.map(|(_, _, fields)| *fields).unwrap_or_default() {
        // A suspended job that never started may still be given another template.
        if *field == "spec.template" && not_started(old) {
            continue;
        }
        if at(new, field) != at(old, field) {
            causes.push(Cause::invalid(*field, at(new, field), IMMUTABLE));
        }
    }
    match (&*kind.group, &*kind.kind) {
        ("apps", "StatefulSet") => stateful_set(new, old, &mut causes),
        ("", "Pod") => pod(new, old, &mut causes),
        ("", "Service") => service(new, old, &mut causes),
        ("", "ConfigMap" | "Secret") => sealed(new, old, &mut causes),
        ("", "PersistentVolumeClaim") => claim(new, old, &mut causes),
        ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") if new["roleRef"] != old["roleRef"] => {
            causes.push(Cause::invalid("roleRef", &new["roleRef"], "cannot change roleRef"));
        }
        _ => {}
    }
    causes
}

fn at<'a>(object: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(object, |value, key| &value[key])
}

fn not_started(job: &Value) -> bool {
    job["spec"]["suspend"] == true && job["status"]["startTime"].is_null()
}

/// An object with only the allowed fields of its spec taken from another.
fn with_allowed(new: &Value, old: &Value, allowed: &[&str]) -> Value {
    let mut spec = new["spec"].clone();
    if let Value::Object(fields) = &mut spec {
        for name in allowed {
            match old["spec"].get(*name) {
                Some(value) => drop(fields.insert((*name).to_owned(), value.clone())),
                None => drop(fields.shift_remove(*name)),
            }
        }
    }
    spec
}

fn stateful_set(new: &Value, old: &Value, causes: &mut Vec<Cause>) {
    let allowed = [
        "replicas",
        "ordinals",
        "template",
        "updateStrategy",
        "revisionHistoryLimit",
        "persistentVolumeClaimRetentionPolicy",
        "minReadySeconds",
    ];
    if with_allowed(new, old, &allowed) != old["spec"] {
        causes.push(Cause::forbidden(
            "spec",
            "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', \
             'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
        ));
    }
}

fn pod(new: &Value, old: &Value, causes: &mut Vec<Cause>) {
    let mut plain = new.clone();
    plain["spec"] = with_allowed(
        new,
        old,
        &[
            "activeDeadlineSeconds",
            "tolerations",
            "terminationGracePeriodSeconds",
            "schedulingGates",
            "ephemeralContainers",
            "nodeName",
        ],
    );
    for list in ["containers", "initContainers"] {
        let (Some(containers), Some(before)) = (plain["spec"][list].as_array().cloned(), old["spec"][list].as_array())
        else {
            if let Value::Object(spec) = &mut plain["spec"]
                && spec.get(list).is_some_and(Value::is_null)
            {
                spec.shift_remove(list);
            }
            continue;
        };
        if containers.len() != before.len() {
            causes.push(Cause::forbidden(
                format!("spec.{list}"),
                "pod updates may not add or remove containers",
            ));
            return;
        }
        let same_image = |(mut container, before): (Value, &Value)| {
            container["image"] = before["image"].clone();
            container
        };
        plain["spec"][list] = containers.into_iter().zip(before).map(same_image).collect();
    }
    if plain["spec"] != old["spec"] {
        causes.push(Cause::forbidden(
            "spec",
            "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,\
             `spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),\
             `spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
        ));
    }
    let assigned = old["spec"]["nodeName"].as_str().filter(|name| !name.is_empty());
    if assigned.is_some() && new["spec"]["nodeName"] != old["spec"]["nodeName"] {
        causes.push(Cause::invalid("spec.nodeName", &new["spec"]["nodeName"], IMMUTABLE));
    }
}

fn service(new: &Value, old: &Value, causes: &mut Vec<Cause>) {
    let addressed = |object: &Value| object["spec"]["type"] != "ExternalName";
    let given = old["spec"]["clusterIP"].as_str().filter(|address| !address.is_empty());
    if addressed(new) && addressed(old) && given.is_some() && new["spec"]["clusterIP"] != old["spec"]["clusterIP"] {
        let addresses = Value::Array(vec![new["spec"]["clusterIP"].clone()]);
        causes.push(Cause::invalid(
            "spec.clusterIPs[0]",
            &addresses,
            "may not change once set",
        ));
    }
}

fn sealed(new: &Value, old: &Value, causes: &mut Vec<Cause>) {
    if old["immutable"] != true {
        return;
    }
    let why = "field is immutable when `immutable` is set";
    if new["immutable"] != true {
        causes.push(Cause::forbidden("immutable", why));
    }
    for field in ["data", "binaryData"] {
        if new[field] != old[field] {
            causes.push(Cause::forbidden(field, why));
        }
    }
}

fn claim(new: &Value, old: &Value, causes: &mut Vec<Cause>) {
    let mut allowed = vec!["volumeAttributesClassName"];
    // A claim is bound once; only a bound one grows.
    if old["spec"]["volumeName"].as_str().is_none_or(str::is_empty) {
        allowed.push("volumeName");
    } else {
        allowed.push("resources");
    }
    if with_allowed(new, old, &allowed) != old["spec"] {
        causes.push(Cause::forbidden(
            "spec",
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims",
        ));
    }
}
