//! What is wrong with a built-in object, field by field.
//!
//! Objects come here decoded (known fields of the right types) and with their defaults. The rules are those that people meet
//! in manifests; the texts are upstream's, because people search for them.
//!
//! Source: `ValidateX` and `ValidateXUpdate` of Kubernetes' `pkg/apis/*/validation`.

mod check;
mod container;
mod immutable;
mod network;
mod pod;
mod policy;
mod workload;

use serde_json::Value;

use crate::meta::{NameRule, validate_metadata, validate_metadata_update};
use crate::resources::{GroupVersionKind, Resource};
use crate::status::Cause;
use check::Check;

/// All that is wrong with a new object: its metadata, then its content.
pub fn validate_create(resource: &Resource, object: &Value) -> Vec<Cause> {
    let rule = NameRule::of(&resource.kind.group_kind());
    let mut causes = validate_metadata(&object["metadata"], resource.namespaced(), rule, "metadata");
    causes.extend(validate_content(&resource.kind, object));
    causes
}

/// All that is wrong with a new version of a stored object: metadata, content, and what may not change.
pub fn validate_update(resource: &Resource, new: &Value, old: &Value) -> Vec<Cause> {
    let mut causes = validate_metadata_update(&new["metadata"], &old["metadata"], "metadata");
    causes.extend(validate_content(&resource.kind, new));
    causes.extend(immutable::check(&resource.kind, new, old));
    causes
}

/// What is wrong with an object beyond its metadata; nothing for kinds without rules here.
pub fn validate_content(kind: &GroupVersionKind, object: &Value) -> Vec<Cause> {
    let mut check = Check::root(object);
    match (&*kind.group, &*kind.kind) {
        ("", "Pod") => pod::pod(&mut check),
        ("apps", "Deployment") => workload::deployment(&mut check),
        ("apps", "ReplicaSet") => workload::replica_set(&mut check),
        ("", "ReplicationController") => workload::replication_controller(&mut check),
        ("apps", "StatefulSet") => workload::stateful_set(&mut check),
        ("apps", "DaemonSet") => workload::daemon_set(&mut check),
        ("batch", "Job") => workload::job(&mut check),
        ("batch", "CronJob") => workload::cron_job(&mut check),
        ("", "Service") => network::service(&mut check),
        ("networking.k8s.io", "Ingress") => network::ingress(&mut check),
        ("networking.k8s.io", "NetworkPolicy") => network::network_policy(&mut check),
        ("", "ConfigMap") => policy::config_map(&mut check),
        ("", "Secret") => policy::secret(&mut check),
        ("", "PersistentVolumeClaim") => policy::persistent_volume_claim(&mut check),
        ("autoscaling", "HorizontalPodAutoscaler") => policy::autoscaler(&mut check),
        ("policy", "PodDisruptionBudget") => policy::disruption_budget(&mut check),
        ("rbac.authorization.k8s.io", "Role" | "ClusterRole") => policy::role(&mut check),
        ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") => policy::role_binding(&mut check),
        _ => {}
    }
    check.into_causes()
}

#[cfg(test)]
mod tests;
