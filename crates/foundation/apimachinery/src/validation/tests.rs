use super::*;
use crate::resources::Registry;
use serde_json::json;

/// Texts of all causes of an object with its defaults, as `field: detail`.
fn causes(typed: &str, object: &Value) -> Vec<String> {
    let registry = Registry::builtin();
    let resource = registry.search(typed)[0];
    let mut object = object.clone();
    object["kind"] = json!(resource.kind.kind);
    object["metadata"] = json!({"name": "x", "namespace": "default"});
    if !resource.namespaced() {
        object["metadata"] = json!({"name": "x"});
    }
    crate::defaults::apply(&resource.kind, &mut object);
    validate_create(resource, &object)
        .iter()
        .map(|cause| format!("{}: {}", cause.field, cause.detail))
        .collect()
}

fn check(typed: &str, object: Value, expect: &[&str]) {
    assert_eq!(causes(typed, &object), expect, "{object}");
}

fn pods(labels: Value) -> Value {
    json!({"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "i"}]}})
}

#[test]
fn deployments() {
    let selector = json!({"matchLabels": {"app": "web"}});
    check(
        "deployments",
        json!({"spec": {"selector": selector, "template": pods(json!({"app": "web"}))}}),
        &[],
    );
    check(
        "deployments",
        json!({"spec": {"selector": selector, "template": pods(json!({"app": "other"}))}}),
        &[
            "spec.template.metadata.labels: Invalid value: {\"app\":\"other\"}: `selector` does not match template `labels`",
        ],
    );
    check(
        "deployments",
        json!({"spec": {"replicas": -1, "selector": selector, "template": pods(json!({"app": "web"})),
               "strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}}}}),
        &[
            "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
            "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0",
        ],
    );
}

#[test]
fn pods_and_containers() {
    let pod = |container: Value| json!({"spec": {"containers": [container]}});
    check("pods", json!({"spec": {}}), &["spec.containers: Required value"]);
    check("pods", pod(json!({"name": "c", "image": "i"})), &[]);
    check(
        "pods",
        pod(
            json!({"name": "c", "ports": [{"containerPort": 70000}], "env": [{"value": "x"}],
            "volumeMounts": [{"name": "v", "mountPath": "/v"}], "readinessProbe": {"periodSeconds": -1}}),
        ),
        &[
            "spec.containers[0].image: Required value",
            "spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
            "spec.containers[0].env[0].name: Required value",
            "spec.containers[0].volumeMounts[0].name: Not found: \"v\"",
            "spec.containers[0].readinessProbe: Required value: must specify a handler type",
            "spec.containers[0].readinessProbe.periodSeconds: Invalid value: -1: must be greater than or equal to 0",
        ],
    );
    check(
        "pods",
        pod(json!({"name": "c", "image": "i", "resources": {"limits": {"cpu": "100m"}, "requests": {"cpu": "1"}}})),
        &[
            "spec.containers[0].resources.requests: Invalid value: \"1\": must be less than or equal to cpu limit of 100m",
        ],
    );
}

#[test]
fn the_rest() {
    check("services", json!({"spec": {}}), &["spec.ports: Required value"]);
    check(
        "services",
        json!({"spec": {"ports": [{"port": 80}, {"port": 81}]}}),
        &[
            "spec.ports[0].name: Required value",
            "spec.ports[1].name: Required value",
        ],
    );
    check(
        "hpa",
        json!({"spec": {"minReplicas": 3, "maxReplicas": 2, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}}),
        &["spec.maxReplicas: Invalid value: 2: must be greater than or equal to `minReplicas`"],
    );
    check(
        "configmaps",
        json!({"data": {"a b": ""}}),
        &[
            "data[a b]: Invalid value: \"a b\": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. \
           'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
        ],
    );
    check(
        "roles",
        json!({"rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}]}),
        &[],
    );
    check(
        "jobs",
        json!({"spec": {"template": pods(json!({}))}}),
        &["spec.template.spec.restartPolicy: Required value: valid values: \"OnFailure\", \"Never\""],
    );
    check(
        "cronjobs",
        json!({"spec": {"schedule": "* * *", "jobTemplate": {"spec": {"template": {"spec": {"restartPolicy": "Never",
               "containers": [{"name": "c", "image": "i"}]}}}}}}),
        &["spec.schedule: Invalid value: \"* * *\": expected exactly 5 fields, found 3: [* * *]"],
    );
}

#[test]
fn what_may_not_change() {
    let registry = Registry::builtin();
    let check = |typed: &str, old: Value, new: Value, expect: &[&str]| {
        let resource = registry.search(typed)[0];
        let fields: Vec<String> = immutable::check(&resource.kind, &new, &old)
            .into_iter()
            .map(|cause| cause.field)
            .collect();
        assert_eq!(fields, expect, "{typed}");
    };
    let with = |spec: Value| json!({ "spec": spec });
    check(
        "deployments",
        with(json!({"selector": {"a": "b"}})),
        with(json!({"selector": {"a": "c"}})),
        &["spec.selector"],
    );
    check(
        "statefulsets",
        with(json!({"replicas": 1, "serviceName": "a"})),
        with(json!({"replicas": 2, "serviceName": "a"})),
        &[],
    );
    check(
        "statefulsets",
        with(json!({"serviceName": "a"})),
        with(json!({"serviceName": "b"})),
        &["spec"],
    );
    let pod =
        |image: &str, command: &str| with(json!({"containers": [{"name": "c", "image": image, "command": [command]}]}));
    check("pods", pod("1", "a"), pod("2", "a"), &[]);
    check("pods", pod("1", "a"), pod("1", "b"), &["spec"]);
    check(
        "services",
        with(json!({"clusterIP": "10.0.0.1"})),
        with(json!({"clusterIP": "10.0.0.2"})),
        &["spec.clusterIPs[0]"],
    );
    check(
        "configmaps",
        json!({"immutable": true, "data": {"a": "1"}}),
        json!({"immutable": true, "data": {"a": "2"}}),
        &["data"],
    );
    check(
        "rolebindings",
        json!({"roleRef": {"name": "a"}}),
        json!({"roleRef": {"name": "b"}}),
        &["roleRef"],
    );
}
