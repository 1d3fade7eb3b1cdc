//! What a built-in object means beyond what its manifest says.
//!
//! ```text
//! spec:                          spec:
//!   template: {...}    ──>         replicas: 1
//!                                  strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 25%, maxUnavailable: 25%}}
//!                                  revisionHistoryLimit: 10 ...
//! ```
//!
//! Source: the `SetDefaults_*` functions of Kubernetes' `pkg/apis/*/v1/defaults.go`.

mod networking;
mod pod;
mod policy;
mod workload;

use serde_json::{Map, Value, json};

use crate::resources::GroupVersionKind;

/// Fills in the defaults of a built-in object; kinds without any, and custom kinds, stay as they are.
pub fn apply(kind: &GroupVersionKind, object: &mut Value) {
    if !object.is_object() {
        return;
    }
    match (&*kind.group, &*kind.kind) {
        ("", "Pod") => pod::pod(object),
        ("", "PodTemplate") => pod::template(object, "template"),
        ("", "ReplicationController") => workload::replication_controller(object),
        ("apps", "Deployment") => workload::deployment(object),
        ("apps", "ReplicaSet") => workload::replica_set(object),
        ("apps", "StatefulSet") => workload::stateful_set(object),
        ("apps", "DaemonSet") => workload::daemon_set(object),
        ("batch", "Job") => workload::job(object),
        ("batch", "CronJob") => workload::cron_job(object),
        ("", "Service") => networking::service(object),
        ("", "Endpoints") => networking::endpoints(object),
        ("discovery.k8s.io", "EndpointSlice") => networking::endpoint_slice(object),
        ("networking.k8s.io", "NetworkPolicy") => networking::network_policy(object),
        ("", "Secret") => policy::secret(object),
        ("", "LimitRange") => policy::limit_range(object),
        ("", "Namespace") => policy::namespace(object),
        ("", "PersistentVolume") => policy::persistent_volume(object),
        ("", "PersistentVolumeClaim") => policy::persistent_volume_claim(object),
        ("storage.k8s.io", "StorageClass") => policy::storage_class(object),
        ("scheduling.k8s.io", "PriorityClass") => set(object, "preemptionPolicy", json!("PreemptLowerPriority")),
        ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") => policy::role_binding(object),
        ("autoscaling", "HorizontalPodAutoscaler") => policy::autoscaler(&kind.version, object),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => policy::custom_resource_definition(object),
        ("apiregistration.k8s.io", "APIService") => {
            if let Some(service) = object.pointer_mut("/spec/service") {
                set(service, "port", json!(443));
            }
        }
        ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration" | "MutatingWebhookConfiguration") => {
            policy::webhooks(&kind.kind, object);
        }
        ("authentication.k8s.io", "TokenRequest") => set(field(object, "spec"), "expirationSeconds", json!(3600)),
        _ => {}
    }
}

/// Sets a field that is absent or null.
fn set(object: &mut Value, name: &str, value: Value) {
    if object.get(name).is_none_or(Value::is_null)
        && let Value::Object(fields) = object
    {
        fields.insert(name.to_owned(), value);
    }
}

/// The object at a field, which is made where it is absent or null. A field of another type is replaced: such objects
/// never pass decoding.
fn field<'a>(object: &'a mut Value, name: &str) -> &'a mut Value {
    let field = &mut object[name];
    if !field.is_object() {
        *field = Value::Object(Map::new());
    }
    field
}

/// The elements of a list of objects at a field.
fn each<'a>(object: &'a mut Value, name: &str) -> impl Iterator<Item = &'a mut Value> {
    let list = object.get_mut(name).and_then(Value::as_array_mut);
    list.into_iter().flatten().filter(|item| item.is_object())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: (&str, &str, &str), mut object: Value, expect: Value) {
        let kind = GroupVersionKind::new(kind.0, kind.1, kind.2);
        apply(&kind, &mut object);
        for (path, value) in expect.as_object().into_iter().flatten() {
            assert_eq!(object.pointer(path), Some(value), "{kind} {path} in {object:#}");
        }
        let once = object.clone();
        apply(&kind, &mut object);
        assert_eq!(object, once, "defaults change nothing the second time");
    }

    #[test]
    fn a_deployment() {
        check(
            ("apps", "v1", "Deployment"),
            json!({"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "web", "ports": [{"containerPort": 80}],
                "resources": {"limits": {"cpu": "1"}},
                "readinessProbe": {"httpGet": {"port": 80}}}]}}}}),
            json!({
                "/spec/replicas": 1,
                "/spec/strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}},
                "/spec/revisionHistoryLimit": 10,
                "/spec/progressDeadlineSeconds": 600,
                "/spec/template/spec/restartPolicy": "Always",
                "/spec/template/spec/dnsPolicy": "ClusterFirst",
                "/spec/template/spec/terminationGracePeriodSeconds": 30,
                "/spec/template/spec/schedulerName": "default-scheduler",
                "/spec/template/spec/containers/0/imagePullPolicy": "Always",
                "/spec/template/spec/containers/0/ports/0/protocol": "TCP",
                "/spec/template/spec/containers/0/resources": {"limits": {"cpu": "1"}},
                "/spec/template/spec/containers/0/readinessProbe": {"httpGet": {"port": 80, "path": "/", "scheme": "HTTP"},
                    "timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3},
            }),
        );
        check(
            ("apps", "v1", "Deployment"),
            json!({"spec": {"replicas": 0, "strategy": {"type": "Recreate"}, "template": {"spec": {}}}}),
            json!({"/spec/replicas": 0, "/spec/strategy": {"type": "Recreate"}}),
        );
    }

    #[test]
    fn a_pod_requests_what_it_limits() {
        check(
            ("", "v1", "Pod"),
            json!({"spec": {"serviceAccountName": "sa", "volumes": [{"name": "a"}, {"name": "b", "configMap": {"name": "x"}}],
                "containers": [{"name": "c", "image": "web:1.2",
                    "resources": {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}}}]}}),
            json!({
                "/spec/containers/0/imagePullPolicy": "IfNotPresent",
                "/spec/containers/0/resources/requests": {"cpu": "500m", "memory": "1Gi"},
                "/spec/serviceAccount": "sa",
                "/spec/enableServiceLinks": true,
                "/spec/volumes": [{"name": "a", "emptyDir": {}}, {"name": "b", "configMap": {"name": "x", "defaultMode": 420}}],
            }),
        );
    }

    #[test]
    fn pull_policies_by_tag() {
        for (image, policy) in [
            ("web", "Always"),
            ("web:latest", "Always"),
            ("web:1", "IfNotPresent"),
            ("host:5000/web", "Always"),
            ("host:5000/web:1", "IfNotPresent"),
            ("web@sha256:0", "IfNotPresent"),
        ] {
            check(
                ("", "v1", "Pod"),
                json!({"spec": {"containers": [{"name": "c", "image": image}]}}),
                json!({"/spec/containers/0/imagePullPolicy": policy}),
            );
        }
    }

    #[test]
    fn other_workloads() {
        check(
            ("apps", "v1", "StatefulSet"),
            json!({"spec": {"template": {"spec": {}}, "volumeClaimTemplates": [{"metadata": {"name": "d"}, "spec": {}}]}}),
            json!({
                "/spec/podManagementPolicy": "OrderedReady",
                "/spec/updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0, "maxUnavailable": 1}},
                "/spec/persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
                "/spec/volumeClaimTemplates/0/spec/volumeMode": "Filesystem",
            }),
        );
        check(
            ("batch", "v1", "Job"),
            json!({"spec": {"template": {"spec": {"restartPolicy": "Never"}}}}),
            json!({"/spec/completions": 1, "/spec/parallelism": 1, "/spec/backoffLimit": 6, "/spec/completionMode": "NonIndexed",
                   "/spec/suspend": false, "/spec/podReplacementPolicy": "TerminatingOrFailed"}),
        );
        check(
            ("batch", "v1", "CronJob"),
            json!({"spec": {"schedule": "* * * * *", "jobTemplate": {"spec": {"template": {"spec": {}}}}}}),
            json!({"/spec/concurrencyPolicy": "Allow", "/spec/successfulJobsHistoryLimit": 3, "/spec/failedJobsHistoryLimit": 1,
                   "/spec/suspend": false, "/spec/jobTemplate/spec/template/spec/dnsPolicy": "ClusterFirst"}),
        );
        check(
            ("apps", "v1", "DaemonSet"),
            json!({"spec": {"template": {"spec": {}}}}),
            json!({"/spec/updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}}}),
        );
    }

    #[test]
    fn services_and_policies() {
        check(
            ("", "v1", "Service"),
            json!({"spec": {"ports": [{"port": 80}]}}),
            json!({"/spec/ports/0": {"port": 80, "protocol": "TCP", "targetPort": 80}, "/spec/type": "ClusterIP",
                   "/spec/sessionAffinity": "None", "/spec/internalTrafficPolicy": "Cluster"}),
        );
        check(
            ("autoscaling", "v2", "HorizontalPodAutoscaler"),
            json!({"spec": {"maxReplicas": 3, "behavior": {"scaleDown": {"stabilizationWindowSeconds": 5}}}}),
            json!({
                "/spec/minReplicas": 1,
                "/spec/metrics": [{"type": "Resource", "resource": {"name": "cpu",
                    "target": {"type": "Utilization", "averageUtilization": 80}}}],
                "/spec/behavior/scaleDown": {"stabilizationWindowSeconds": 5, "selectPolicy": "Max",
                    "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}]},
                "/spec/behavior/scaleUp": {"stabilizationWindowSeconds": 0, "selectPolicy": "Max", "policies": [
                    {"type": "Pods", "value": 4, "periodSeconds": 15}, {"type": "Percent", "value": 100, "periodSeconds": 15}]},
            }),
        );
        check(
            ("", "v1", "Secret"),
            json!({"stringData": {"a": "hello"}}),
            json!({"/type": "Opaque", "/data": {"a": "aGVsbG8="}}),
        );
        check(
            ("", "v1", "Namespace"),
            json!({"metadata": {"name": "a"}}),
            json!({"/metadata/labels": {"kubernetes.io/metadata.name": "a"}}),
        );
        check(
            ("networking.k8s.io", "v1", "NetworkPolicy"),
            json!({"spec": {"podSelector": {}, "egress": [{"ports": [{"port": 53}]}]}}),
            json!({"/spec/policyTypes": ["Ingress", "Egress"], "/spec/egress/0/ports/0/protocol": "TCP"}),
        );
        check(
            ("rbac.authorization.k8s.io", "v1", "RoleBinding"),
            json!({"roleRef": {"kind": "Role", "name": "r"}, "subjects": [{"kind": "User", "name": "u"}]}),
            json!({"/roleRef/apiGroup": "rbac.authorization.k8s.io", "/subjects/0/apiGroup": "rbac.authorization.k8s.io"}),
        );
    }
}
