//! Other faces of an object: its scale, an eviction, a binding, a token.
//!
//! Source: `pkg/registry/*/storage` of Kubernetes and the custom resources' `scale` subresource.

use serde_json::{Map, Value, json};

use crate::resources::GroupVersionKind;
use crate::selector::LabelSelector;

/// Where a kind keeps what a Scale shows, as JSON pointers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScalePaths {
    /// The wanted replicas: `/spec/replicas`.
    pub spec_replicas: String,
    /// The observed replicas: `/status/replicas`.
    pub status_replicas: String,
    /// The selector: `/spec/selector` (structured, or a plain map) or a text that the status holds; `None` for no selector.
    pub selector: Option<String>,
}

impl ScalePaths {
    /// Of the built-in workloads.
    pub fn builtin() -> Self {
        ScalePaths {
            spec_replicas: "/spec/replicas".into(),
            status_replicas: "/status/replicas".into(),
            selector: Some("/spec/selector".into()),
        }
    }

    /// Of the `subresources.scale` of a CustomResourceDefinition's version, which has paths such as `.spec.replicas`.
    pub fn custom(scale: &Value) -> Option<Self> {
        let pointer = |key: &str| scale[key].as_str().map(|path| path.replace('.', "/"));
        Some(ScalePaths {
            spec_replicas: pointer("specReplicasPath")?,
            status_replicas: pointer("statusReplicasPath")?,
            selector: pointer("labelSelectorPath"),
        })
    }
}

/// The Scale of an object.
pub fn read_scale(object: &Value, paths: &ScalePaths) -> Value {
    let metadata = &object["metadata"];
    let kept = ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"];
    let metadata: Map<String, Value> = kept
        .iter()
        .filter_map(|key| metadata.get(*key).map(|value| ((*key).to_owned(), value.clone())))
        .collect();
    let count = |pointer: &str| object.pointer(pointer).and_then(Value::as_i64).unwrap_or(0);
    let mut status = json!({"replicas": count(&paths.status_replicas)});
    if let Some(selector) = paths.selector.as_deref().and_then(|pointer| object.pointer(pointer)) {
        let text = selector_text(selector);
        if !text.is_empty() {
            status["selector"] = json!(text);
        }
    }
    json!({
        "kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata,
        "spec": {"replicas": count(&paths.spec_replicas)}, "status": status,
    })
}

fn selector_text(selector: &Value) -> String {
    match selector {
        Value::String(text) => text.clone(),
        Value::Object(map) if map.contains_key("matchLabels") || map.contains_key("matchExpressions") => {
            LabelSelector::from_value(selector)
                .map(|selector| selector.to_string())
                .unwrap_or_default()
        }
        Value::Object(map) => LabelSelector::from_map(map).to_string(),
        _ => String::new(),
    }
}

/// Writes the wanted replicas of a Scale into an object; the error is the sentence of a bad request.
pub fn write_scale(object: &mut Value, scale: &Value, paths: &ScalePaths) -> Result<(), String> {
    let replicas = match scale.pointer("/spec/replicas") {
        None | Some(Value::Null) => 0,
        Some(value) => value
            .as_i64()
            .ok_or_else(|| format!("spec.replicas: {value} is no whole number"))?,
    };
    if replicas < 0 {
        return Err(format!(
            "spec.replicas: Invalid value: {replicas}: must be greater than or equal to 0"
        ));
    }
    let (parents, last) = paths
        .spec_replicas
        .rsplit_once('/')
        .unwrap_or(("", &paths.spec_replicas));
    let mut place = object;
    for key in parents.split('/').filter(|key| !key.is_empty()) {
        place = &mut place[key];
        if !place.is_object() {
            *place = json!({});
        }
    }
    place[last] = json!(replicas);
    Ok(())
}

/// The kind behind a Scale, for checks of `kind` and `apiVersion` of a request.
pub fn scale_kind() -> GroupVersionKind {
    GroupVersionKind::new("autoscaling", "v1", "Scale")
}

/// What an Eviction asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Eviction {
    /// The pod; empty where the body leaves it to the path.
    pub name: String,
    /// Seconds that the pod has to end; `None` for its own.
    pub grace_period_seconds: Option<i64>,
    /// The only unique id that may be deleted.
    pub uid: Option<String>,
    /// Whether to check only (`dryRun: [All]`).
    pub dry_run: DryRun,
}

/// Whether a request only pretends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DryRun {
    /// It acts.
    #[default]
    No,
    /// It goes through everything but the write.
    All,
}

impl Eviction {
    /// Reads a body of policy/v1 Eviction.
    pub fn read(body: &Value) -> Self {
        let options = &body["deleteOptions"];
        let dry = options["dryRun"]
            .as_array()
            .is_some_and(|all| all.iter().any(|one| one == "All"));
        Eviction {
            name: body["metadata"]["name"].as_str().unwrap_or_default().to_owned(),
            grace_period_seconds: options["gracePeriodSeconds"].as_i64(),
            uid: options["preconditions"]["uid"].as_str().map(str::to_owned),
            dry_run: if dry { DryRun::All } else { DryRun::No },
        }
    }
}

/// Binds a pod to the node that a Binding names; the error is the sentence of a conflict or bad request.
///
/// `now` is RFC 3339.
pub fn bind(pod: &mut Value, binding: &Value, now: &str) -> Result<(), String> {
    let target = &binding["target"];
    let node = target["name"]
        .as_str()
        .filter(|name| !name.is_empty())
        .ok_or("target.name: Required value")?;
    if !matches!(target["kind"].as_str(), None | Some("" | "Node")) {
        return Err(format!(
            "target.kind: Unsupported value: {}: supported values: \"Node\", \"<empty>\"",
            target["kind"]
        ));
    }
    if !pod["metadata"]["deletionTimestamp"].is_null() {
        return Err(format!(
            "pod {} is being deleted, cannot be assigned to a host",
            text(&pod["metadata"]["name"])
        ));
    }
    if let Some(assigned) = pod["spec"]["nodeName"].as_str().filter(|name| !name.is_empty()) {
        return Err(format!(
            "pod {} is already assigned to node {assigned:?}",
            text(&pod["metadata"]["name"])
        ));
    }
    pod["spec"]["nodeName"] = json!(node);
    for (key, value) in binding["metadata"]["annotations"].as_object().into_iter().flatten() {
        pod["metadata"]["annotations"][key] = value.clone();
    }
    let conditions = &mut pod["status"]["conditions"];
    if !conditions.is_array() {
        *conditions = json!([]);
    }
    if let Value::Array(conditions) = conditions {
        conditions.retain(|condition| condition["type"] != "PodScheduled");
        conditions
            .push(json!({"type": "PodScheduled", "status": "True", "lastProbeTime": null, "lastTransitionTime": now}));
    }
    Ok(())
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The answer to a TokenRequest: the request with the token and when it expires (RFC 3339).
pub fn token_response(request: &Value, token: &str, expires: &str) -> Value {
    let mut response = request.clone();
    response["kind"] = json!("TokenRequest");
    response["apiVersion"] = json!("authentication.k8s.io/v1");
    response["status"] = json!({"token": token, "expirationTimestamp": expires});
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_of_a_deployment() {
        let mut deployment = json!({"metadata": {"name": "web", "namespace": "a", "uid": "u", "resourceVersion": "5", "labels": {}},
            "spec": {"replicas": 3, "selector": {"matchLabels": {"app": "web"}}}, "status": {"replicas": 2}});
        let paths = ScalePaths::builtin();
        assert_eq!(
            read_scale(&deployment, &paths),
            json!({"kind": "Scale", "apiVersion": "autoscaling/v1",
                   "metadata": {"name": "web", "namespace": "a", "uid": "u", "resourceVersion": "5"},
                   "spec": {"replicas": 3}, "status": {"replicas": 2, "selector": "app=web"}})
        );
        assert_eq!(
            write_scale(&mut deployment, &json!({"spec": {"replicas": 7}}), &paths),
            Ok(())
        );
        assert_eq!(deployment["spec"]["replicas"], 7);
        assert!(write_scale(&mut deployment, &json!({"spec": {"replicas": -1}}), &paths).is_err());
    }

    #[test]
    fn the_scale_of_a_custom_kind() {
        let version = json!({"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.size", "labelSelectorPath": ".status.labels"});
        let paths = ScalePaths::custom(&version).expect("complete");
        let mut object = json!({"metadata": {"name": "x"}, "status": {"size": 1, "labels": "a=b"}});
        assert_eq!(
            read_scale(&object, &paths)["status"],
            json!({"replicas": 1, "selector": "a=b"})
        );
        assert_eq!(
            write_scale(&mut object, &json!({"spec": {"replicas": 2}}), &paths),
            Ok(())
        );
        assert_eq!(object["spec"]["size"], 2);
    }

    #[test]
    fn a_pod_is_bound_once() {
        let mut pod = json!({"metadata": {"name": "p"}, "spec": {}, "status": {"phase": "Pending"}});
        let binding = json!({"target": {"kind": "Node", "name": "n1"}});
        assert_eq!(bind(&mut pod, &binding, "2026-11-25T04:00:00Z"), Ok(()));
        assert_eq!(pod["spec"]["nodeName"], "n1");
        assert_eq!(pod["status"]["conditions"][0]["type"], "PodScheduled");
        assert_eq!(
            bind(&mut pod, &binding, ""),
            Err("pod p is already assigned to node \"n1\"".to_owned())
        );
    }

    #[test]
    fn an_eviction() {
        let body = json!({"metadata": {"name": "p"}, "deleteOptions": {"gracePeriodSeconds": 0, "dryRun": ["All"]}});
        let expect = Eviction {
            name: "p".into(),
            grace_period_seconds: Some(0),
            uid: None,
            dry_run: DryRun::All,
        };
        assert_eq!(Eviction::read(&body), expect);
    }
}
