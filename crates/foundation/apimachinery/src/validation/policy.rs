//! Configuration, storage claims, scaling, disruption, access.

use serde_json::{Value, json};

use super::check::Check;
use crate::encoding::base64_decode;
use crate::meta::path_segment_errors;
use crate::status::Cause;

/// All values of a config map or secret together may have this many bytes.
const DATA_BYTES_MAX: usize = 1024 * 1024;

/// What is wrong with the key of a config map or secret, which becomes a file name.
fn key_errors(key: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if key.len() > 253 {
        errors.push("must be no more than 253 bytes".to_owned());
    }
    if key.is_empty()
        || !key
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
    {
        errors.push(
            "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  \
             or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
                .to_owned(),
        );
    }
    match key {
        "." => errors.push("must not be '.'".to_owned()),
        ".." => errors.push("must not be '..'".to_owned()),
        other if other.starts_with("..") => errors.push("must not start with '..'".to_owned()),
        _ => {}
    }
    errors
}

fn keys(check: &mut Check<'_>, field: &str) {
    for key in check.get(field).as_object().into_iter().flatten().map(|(key, _)| key) {
        let path = format!("{}[{key}]", check.path(field));
        for why in key_errors(key) {
            check.push(Cause::invalid(path.clone(), &Value::from(&**key), &why));
        }
    }
}

fn bytes_of(values: &Value, encoded: bool) -> usize {
    let texts = values
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(_, value)| value.as_str());
    texts
        .map(|text| if encoded { text.len() / 4 * 3 } else { text.len() })
        .sum()
}

pub(super) fn config_map(check: &mut Check<'_>) {
    keys(check, "data");
    keys(check, "binaryData");
    let data = check.get("data").as_object();
    for key in check
        .get("binaryData")
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, _)| key)
    {
        if data.is_some_and(|data| data.contains_key(key)) {
            let path = check.path(&format!("data[{key}]"));
            check.push(Cause::invalid(
                path,
                &Value::from(&**key),
                "duplicate of key present in binaryData",
            ));
        }
    }
    if bytes_of(check.get("data"), false) + bytes_of(check.get("binaryData"), true) > DATA_BYTES_MAX {
        check.push(Cause::too_long("", DATA_BYTES_MAX));
    }
}

pub(super) fn secret(check: &mut Check<'_>) {
    keys(check, "data");
    if bytes_of(check.get("data"), true) > DATA_BYTES_MAX {
        check.push(Cause::too_long("data", DATA_BYTES_MAX));
    }
    let required: &[&str] = match check.text("type") {
        "kubernetes.io/dockercfg" => &[".dockercfg"],
        "kubernetes.io/dockerconfigjson" => &[".dockerconfigjson"],
        "kubernetes.io/ssh-auth" => &["ssh-privatekey"],
        "kubernetes.io/tls" => &["tls.crt", "tls.key"],
        _ => &[],
    };
    for key in required {
        let value = check.get("data").get(*key).and_then(Value::as_str);
        if value.is_none() {
            check.push(Cause::required(format!("data[{key}]"), ""));
        } else if key.ends_with("json") && !value.and_then(base64_decode).is_some_and(|bytes| is_json(&bytes)) {
            check.push(Cause::invalid(
                format!("data[{key}]"),
                &Value::from("<secret contents redacted>"),
                "invalid JSON",
            ));
        }
    }
}

fn is_json(bytes: &[u8]) -> bool {
    serde_json::from_slice::<Value>(bytes).is_ok()
}

pub(super) fn persistent_volume_claim(check: &mut Check<'_>) {
    check.within_or_null("spec", |spec| {
        if spec.get("accessModes").as_array().is_none_or(Vec::is_empty) {
            spec.required("accessModes", "at least 1 access mode is required");
        }
        const MODES: [&str; 4] = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];
        for mode in spec.get("accessModes").as_array().into_iter().flatten() {
            if !mode.as_str().is_some_and(|mode| MODES.contains(&mode)) {
                spec.push(Cause::not_supported(spec.path("accessModes"), mode, &MODES));
            }
        }
        match spec.quantity("resources.requests.storage") {
            Some(amount) if amount.is_zero() => {
                let path = spec.path("resources[storage]");
                let value = spec.get("resources.requests.storage");
                spec.push(Cause::invalid(path, value, "must be greater than zero"));
            }
            Some(_) => {}
            None => {
                let path = spec.path("resources[storage]");
                spec.push(Cause::required(path, ""));
            }
        }
        spec.one_of("volumeMode", &["Block", "Filesystem"]);
    });
}

pub(super) fn autoscaler(check: &mut Check<'_>) {
    check.within_or_null("spec", |spec| {
        let (least, most) = (
            spec.get("minReplicas").as_i64(),
            spec.get("maxReplicas").as_i64().unwrap_or(0),
        );
        if least.is_some_and(|least| least < 1) {
            spec.invalid("minReplicas", "must be greater than or equal to 1");
        }
        let too_small = |spec: &mut Check<'_>, why: &str| {
            let path = spec.path("maxReplicas");
            spec.push(Cause::invalid(path, &Value::from(most), why));
        };
        if most < 1 {
            spec.required("maxReplicas", "must be set and greater than 0");
        } else if least.is_some_and(|least| most < least) {
            too_small(spec, "must be greater than or equal to `minReplicas`");
        }
        spec.within_or_null("scaleTargetRef", |target| {
            for field in ["kind", "name"] {
                if target.text(field).is_empty() {
                    target.required(field, "");
                } else {
                    target.invalid_all(field, path_segment_errors(target.text(field)));
                }
            }
        });
        let api_version = spec.text("scaleTargetRef.apiVersion");
        if !api_version.contains('/') && spec.text("scaleTargetRef.kind") != "ReplicationController" {
            spec.invalid("scaleTargetRef.apiVersion", "apiVersion must specify API group");
        }
        let wakes = |metric: &Value| matches!(metric["type"].as_str(), Some("Object" | "External"));
        if least == Some(0)
            && !spec
                .get("metrics")
                .as_array()
                .is_some_and(|metrics| metrics.iter().any(wakes))
        {
            spec.forbidden(
                "metrics",
                "must specify at least one Object or External metric to support scaling to zero replicas",
            );
        }
        spec.each("metrics", metric);
        spec.within("behavior", |behavior| {
            for (direction, window_max) in [("scaleUp", 3600), ("scaleDown", 3600)] {
                behavior.within(direction, |rules| scaling_rules(rules, window_max));
            }
        });
    });
}

fn metric(check: &mut Check<'_>) {
    let known = [
        ("Resource", "resource"),
        ("ContainerResource", "containerResource"),
        ("Pods", "pods"),
        ("Object", "object"),
        ("External", "external"),
    ];
    let kind = check.text("type");
    let Some((_, field)) = known.iter().find(|(name, _)| *name == kind) else {
        if kind.is_empty() {
            check.required("type", "must specify a metric source type");
        } else {
            // Said twice upstream, once for the type and once for the source.
            for _ in 0..2 {
                check.not_supported("type", &["ContainerResource", "External", "Object", "Pods", "Resource"]);
            }
        }
        return;
    };
    if !check.has(field) {
        check.required(field, "must populate information for the given metric source");
        return;
    }
    check.within(field, |source| {
        if matches!(kind, "Resource" | "ContainerResource") && source.text("name").is_empty() {
            source.required("name", "must specify a resource name");
        }
        if !matches!(kind, "Resource" | "ContainerResource") && source.text("metric.name").is_empty() {
            source.required("metric.name", "must specify a metric name");
        }
        source.within_or_null("target", |target| {
            if target.text("type").is_empty() {
                target.required("type", "must specify a metric target type");
            }
            target.one_of("type", &["Utilization", "Value", "AverageValue"]);
            for field in ["value", "averageValue"] {
                if target.quantity(field).is_some_and(|amount| amount.sign() <= 0) {
                    target.invalid(field, "must be positive");
                }
            }
            if target
                .get("averageUtilization")
                .as_i64()
                .is_some_and(|percent| percent < 1)
            {
                target.invalid("averageUtilization", "must be greater than 0");
            }
            let wanted: &[&str] = match kind {
                "Pods" => &["averageValue"],
                "Resource" | "ContainerResource" => &["averageUtilization", "averageValue"],
                _ => &["value", "averageValue"],
            };
            if !wanted.iter().any(|field| target.has(field)) {
                let why = match kind {
                    "Pods" => "must specify a positive target averageValue",
                    "Resource" | "ContainerResource" => "must set either a target raw value or a target utilization",
                    _ => "must set either a target value for metric or a per-pod target",
                };
                let field = if matches!(kind, "Object" | "External") {
                    "averageValue"
                } else {
                    wanted[0]
                };
                target.required(field, why);
            }
        });
    });
}

fn scaling_rules(check: &mut Check<'_>, window_max: i64) {
    check.not_negative("stabilizationWindowSeconds");
    if check
        .get("stabilizationWindowSeconds")
        .as_i64()
        .is_some_and(|seconds| seconds > window_max)
    {
        check.invalid(
            "stabilizationWindowSeconds",
            &format!("must be less than or equal to {window_max}"),
        );
    }
    check.one_of("selectPolicy", &["Disabled", "Max", "Min"]);
    if check.get("policies").as_array().is_none_or(Vec::is_empty) {
        check.required("policies", "must specify at least one Policy");
    }
    check.each("policies", |policy| {
        policy.one_of("type", &["Percent", "Pods"]);
        if policy.get("value").as_i64().unwrap_or(0) <= 0 {
            policy.invalid("value", "must be greater than zero");
        }
        let period = policy.get("periodSeconds").as_i64().unwrap_or(0);
        if period <= 0 {
            policy.invalid("periodSeconds", "must be greater than zero");
        } else if period > 1800 {
            policy.invalid("periodSeconds", "must be less than or equal to 1800");
        }
    });
}

pub(super) fn disruption_budget(check: &mut Check<'_>) {
    check.within_or_null("spec", |spec| {
        if spec.has("minAvailable") && spec.has("maxUnavailable") {
            let shown = json!({"MinAvailable": spec.get("minAvailable"), "Selector": spec.get("selector"),
                "MaxUnavailable": spec.get("maxUnavailable"),
                "UnhealthyPodEvictionPolicy": spec.get("unhealthyPodEvictionPolicy")});
            let why = "minAvailable and maxUnavailable cannot be both set";
            spec.push(Cause::invalid(spec.path(""), &shown, why));
        }
        for field in ["minAvailable", "maxUnavailable"] {
            spec.int_or_percent(field);
            let percent = spec
                .text(field)
                .strip_suffix('%')
                .and_then(|digits| digits.parse::<i64>().ok());
            if percent.is_some_and(|percent| percent > 100) {
                spec.invalid(field, "must not be greater than 100%");
            }
        }
        spec.selector("selector");
        spec.one_of("unhealthyPodEvictionPolicy", &["AlwaysAllow", "IfHealthyBudget"]);
    });
}

pub(super) fn role(check: &mut Check<'_>) {
    let namespaced = check.text("kind") == "Role";
    check.each("rules", |rule| {
        let empty = |rule: &Check<'_>, field: &str| rule.get(field).as_array().is_none_or(Vec::is_empty);
        if empty(rule, "verbs") {
            rule.required("verbs", "verbs must contain at least one value");
        }
        if !empty(rule, "nonResourceURLs") {
            if namespaced {
                rule.invalid("nonResourceURLs", "namespaced rules cannot apply to non-resource URLs");
            } else if !empty(rule, "apiGroups") || !empty(rule, "resources") {
                rule.invalid(
                    "nonResourceURLs",
                    "rules cannot apply to both regular resources and non-resource URLs",
                );
            }
            return;
        }
        if empty(rule, "apiGroups") {
            rule.required("apiGroups", "resource rules must supply at least one api group");
        }
        if empty(rule, "resources") {
            rule.required("resources", "resource rules must supply at least one resource");
        }
    });
}

pub(super) fn role_binding(check: &mut Check<'_>) {
    const GROUP: &str = "rbac.authorization.k8s.io";
    if check.text("roleRef.apiGroup") != GROUP {
        check.not_supported("roleRef.apiGroup", &[GROUP]);
    }
    let kinds: &[&str] = if check.text("kind") == "RoleBinding" {
        &["Role", "ClusterRole"]
    } else {
        &["ClusterRole"]
    };
    if !kinds.contains(&check.text("roleRef.kind")) {
        check.not_supported("roleRef.kind", kinds);
    }
    if check.text("roleRef.name").is_empty() {
        check.required("roleRef.name", "");
    }
    let namespaced = check.text("kind") == "RoleBinding";
    check.each("subjects", |subject| {
        if subject.text("name").is_empty() {
            subject.required("name", "");
        }
        match subject.text("kind") {
            "ServiceAccount" => {
                if !namespaced && subject.text("namespace").is_empty() {
                    subject.required("namespace", "");
                }
            }
            "User" | "Group" => {
                if subject.text("apiGroup") != GROUP {
                    subject.not_supported("apiGroup", &[GROUP]);
                }
            }
            _ => subject.not_supported("kind", &["ServiceAccount", "User", "Group"]),
        }
    });
}
