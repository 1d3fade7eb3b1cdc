//! Pods and the templates of pods.

use serde_json::{Value, json};

use super::{each, field, set};

/// Files of config maps and secrets: rw-r--r--.
const VOLUME_MODE: u32 = 0o644;

pub(super) fn pod(object: &mut Value) {
    let spec = field(object, "spec");
    pod_spec(spec);
    set(spec, "enableServiceLinks", json!(true));
    // Only pods copy limits to requests; their templates stay as written.
    for list in ["initContainers", "containers"] {
        each(spec, list).for_each(requests_from_limits);
    }
    requests_from_limits(spec);
}

/// The template at a field of a workload's spec.
pub(super) fn template(object: &mut Value, name: &str) {
    pod_spec(field(field(object, name), "spec"));
}

fn requests_from_limits(container: &mut Value) {
    let Some(limits) = container
        .pointer("/resources/limits")
        .and_then(Value::as_object)
        .cloned()
    else {
        return;
    };
    for (resource, limit) in limits {
        set(field(field(container, "resources"), "requests"), &resource, limit);
    }
}

fn pod_spec(spec: &mut Value) {
    let host_network = spec.get("hostNetwork") == Some(&Value::Bool(true));
    each(spec, "volumes").for_each(volume);
    for list in ["initContainers", "containers", "ephemeralContainers"] {
        for container in each(spec, list) {
            self::container(container);
            if host_network {
                for port in each(container, "ports") {
                    let number = port.get("containerPort").cloned().unwrap_or_default();
                    set(port, "hostPort", number);
                }
            }
        }
    }
    set(spec, "restartPolicy", json!("Always"));
    set(spec, "terminationGracePeriodSeconds", json!(30));
    // Once a negative number meant "now".
    if spec["terminationGracePeriodSeconds"]
        .as_i64()
        .is_some_and(|seconds| seconds < 0)
    {
        spec["terminationGracePeriodSeconds"] = json!(1);
    }
    set(spec, "dnsPolicy", json!("ClusterFirst"));
    // The older name of the same field; each follows the other.
    for (from, to) in [
        ("serviceAccountName", "serviceAccount"),
        ("serviceAccount", "serviceAccountName"),
    ] {
        if let Some(account) = spec
            .get(from)
            .and_then(Value::as_str)
            .filter(|account| !account.is_empty())
            .map(str::to_owned)
        {
            set(spec, to, json!(account));
        }
    }
    set(spec, "securityContext", json!({}));
    set(spec, "schedulerName", json!("default-scheduler"));
}

fn container(container: &mut Value) {
    let image = container.get("image").and_then(Value::as_str).unwrap_or_default();
    let policy = if pulls_always(image) { "Always" } else { "IfNotPresent" };
    set(container, "imagePullPolicy", json!(policy));
    set(container, "resources", json!({}));
    set(container, "terminationMessagePath", json!("/dev/termination-log"));
    set(container, "terminationMessagePolicy", json!("File"));
    each(container, "ports").for_each(|port| set(port, "protocol", json!("TCP")));
    for variable in each(container, "env") {
        if variable.get("valueFrom").is_some_and(Value::is_object) {
            field_reference(&mut variable["valueFrom"]);
        }
    }
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if container.get(name).is_some_and(Value::is_object) {
            probe(field(container, name));
        }
    }
    if container.get("lifecycle").is_some_and(Value::is_object) {
        for hook in ["postStart", "preStop"] {
            if container["lifecycle"].get(hook).is_some_and(Value::is_object) {
                http_get(&mut container["lifecycle"][hook]);
            }
        }
    }
}

/// Whether an image without a pull policy is pulled at each start: it names no tag, or `latest`.
fn pulls_always(image: &str) -> bool {
    if image.is_empty() || image.contains('@') {
        return false;
    }
    let name = image.rsplit('/').next().unwrap_or(image);
    name.split_once(':').is_none_or(|(_, tag)| tag == "latest")
}

fn probe(probe: &mut Value) {
    http_get(probe);
    if probe.get("grpc").is_some_and(Value::is_object) {
        set(&mut probe["grpc"], "service", json!(""));
    }
    for (name, value) in [
        ("timeoutSeconds", 1),
        ("periodSeconds", 10),
        ("successThreshold", 1),
        ("failureThreshold", 3),
    ] {
        if probe.get(name).is_none_or(|value| value.is_null() || *value == 0) {
            probe[name] = json!(value);
        }
    }
}

fn http_get(handler: &mut Value) {
    if handler.get("httpGet").is_some_and(Value::is_object) {
        set(&mut handler["httpGet"], "path", json!("/"));
        set(&mut handler["httpGet"], "scheme", json!("HTTP"));
    }
}

fn volume(volume: &mut Value) {
    let sourceless = volume
        .as_object()
        .is_some_and(|fields| fields.iter().all(|(key, value)| key == "name" || value.is_null()));
    if sourceless {
        set(volume, "emptyDir", json!({}));
    }
    let Value::Object(fields) = volume else {
        return;
    };
    for (kind, source) in fields.iter_mut().filter(|(_, source)| source.is_object()) {
        match &**kind {
            "configMap" | "secret" | "downwardAPI" | "projected" => set(source, "defaultMode", json!(VOLUME_MODE)),
            "hostPath" => set(source, "type", json!("")),
            "ephemeral" => {
                if let Some(spec) = source.pointer_mut("/volumeClaimTemplate/spec") {
                    set(spec, "volumeMode", json!("Filesystem"));
                }
            }
            _ => {}
        }
        each(source, "items").for_each(field_reference);
        for projection in each(source, "sources") {
            if projection.get("serviceAccountToken").is_some_and(Value::is_object) {
                set(&mut projection["serviceAccountToken"], "expirationSeconds", json!(3600));
            }
            if projection.get("downwardAPI").is_some_and(Value::is_object) {
                each(&mut projection["downwardAPI"], "items").for_each(field_reference);
            }
        }
    }
}

fn field_reference(item: &mut Value) {
    if item.get("fieldRef").is_some_and(Value::is_object) {
        set(&mut item["fieldRef"], "apiVersion", json!("v1"));
    }
}
