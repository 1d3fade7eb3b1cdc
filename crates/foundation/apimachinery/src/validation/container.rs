//! Containers.

use std::collections::HashSet;

use serde_json::Value;

use super::check::Check;
use crate::meta::{dns1123_label_errors, label_key_errors, port_name_errors};
use crate::quantity::Quantity;

const PROTOCOLS: [&str; 3] = ["SCTP", "TCP", "UDP"];

pub(super) fn ephemeral_container(check: &mut Check<'_>, names: &mut HashSet<String>) {
    name(check, names);
    if check.text("image").is_empty() {
        check.required("image", "");
    }
}

fn name(check: &mut Check<'_>, names: &mut HashSet<String>) {
    let name = check.text("name").to_owned();
    if name.is_empty() {
        check.required("name", "");
        return;
    }
    check.invalid_all("name", dns1123_label_errors(&name));
    if !names.insert(name) {
        check.duplicate("name");
    }
}

pub(super) fn container(check: &mut Check<'_>, names: &mut HashSet<String>, volumes: &HashSet<String>, init: bool) {
    name(check, names);
    if check.text("image").is_empty() {
        check.required("image", "");
    }
    let mut port_names = HashSet::new();
    check.each("ports", |one| port(one, &mut port_names));
    check.each("env", variable);
    // Upstream names the list here, not the element.
    let sourceless = |source: &Value| source["configMapRef"].is_null() && source["secretRef"].is_null();
    for _ in check
        .get("envFrom")
        .as_array()
        .into_iter()
        .flatten()
        .filter(|source| sourceless(source))
    {
        let path = check.path("envFrom");
        let why = "must specify one of: `configMapRef` or `secretRef`";
        check.push(crate::status::Cause::invalid(path, &Value::from(""), why));
    }
    let mut mount_paths = HashSet::new();
    check.each("volumeMounts", |one| mount(one, volumes, &mut mount_paths));
    check.one_of("imagePullPolicy", &["Always", "IfNotPresent", "Never"]);
    check.within("resources", resources);
    // Init containers that end have nothing to probe; those that stay are like any other.
    let probed = !init || check.text("restartPolicy") == "Always";
    for field in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if probed {
            check.within(field, |one| probe(one, field));
        } else if check.has(field) {
            check.forbidden(field, "may not be set for init containers without restartPolicy=Always");
        }
    }
    check.within("lifecycle", |lifecycle| {
        lifecycle.within("postStart", handler);
        lifecycle.within("preStop", handler);
    });
}

fn port(check: &mut Check<'_>, names: &mut HashSet<String>) {
    let name = check.text("name");
    if !name.is_empty() {
        let errors = port_name_errors(name);
        let valid = errors.is_empty();
        check.invalid_all("name", errors);
        if valid && !names.insert(name.to_owned()) {
            check.duplicate("name");
        }
    }
    match check.get("containerPort").as_i64() {
        None | Some(0) => check.required("containerPort", ""),
        Some(_) => check.port_number("containerPort"),
    }
    if check.get("hostPort").as_i64().is_some_and(|port| port != 0) {
        check.port_number("hostPort");
    }
    check.one_of("protocol", &PROTOCOLS);
}

fn variable(check: &mut Check<'_>) {
    let name = check.text("name");
    if name.is_empty() {
        check.required("name", "");
    } else if !name.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b'=') {
        check.invalid(
            "name",
            "a valid environment variable name must consist only of printable ASCII characters other than '='",
        );
    }
    let valued = !check.text("value").is_empty();
    check.within("valueFrom", |source| {
        let known = ["fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef"];
        let count = known.iter().filter(|field| source.has(field)).count();
        let why = match count {
            0 => Some(
                "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`",
            ),
            _ if valued => Some("may not be specified when `value` is not empty"),
            1 => None,
            _ => Some("may not have more than one field specified at a time"),
        };
        if let Some(why) = why {
            source.push(crate::status::Cause::invalid(source.path(""), &Value::from(""), why));
        }
        for field in ["configMapKeyRef", "secretKeyRef"] {
            source.within(field, |reference| {
                if reference.text("key").is_empty() {
                    reference.required("key", "");
                }
            });
        }
        source.within("fieldRef", |reference| {
            if reference.text("fieldPath").is_empty() {
                reference.required("fieldPath", "");
            }
        });
    });
}

fn mount(check: &mut Check<'_>, volumes: &HashSet<String>, paths: &mut HashSet<String>) {
    let name = check.text("name");
    if name.is_empty() {
        check.required("name", "");
    }
    let path = check.text("mountPath");
    if path.is_empty() {
        check.required("mountPath", "");
    }
    if !volumes.contains(name) {
        let field = check.path("name");
        check.push(crate::status::Cause::not_found(field, check.get("name")));
    }
    if !paths.insert(path.to_owned()) {
        check.invalid("mountPath", "must be unique");
    }
}

fn resources(check: &mut Check<'_>) {
    for list in ["limits", "requests"] {
        check.within(list, |amounts| {
            let names: Vec<&String> = amounts
                .value
                .as_object()
                .into_iter()
                .flatten()
                .map(|(name, _)| name)
                .collect();
            for name in names {
                let field = format!("{}[{name}]", amounts.path(""));
                for why in label_key_errors(name) {
                    amounts.push(crate::status::Cause::invalid(
                        amounts.path(""),
                        &Value::from(&**name),
                        &why,
                    ));
                }
                let value = amounts.value.get(name).unwrap_or(&Value::Null);
                match Quantity::from_value(value) {
                    Ok(quantity) if quantity.sign() < 0 => {
                        amounts.push(crate::status::Cause::invalid(
                            field,
                            value,
                            "must be greater than or equal to 0",
                        ));
                    }
                    Ok(_) => {}
                    Err(error) => amounts.push(crate::status::Cause::invalid(field, value, &error.to_string())),
                }
            }
        });
    }
    let requests = check.get("requests").as_object();
    for (name, request) in requests.into_iter().flatten() {
        let limit = check.get("limits").get(name);
        let both =
            limit.and_then(|limit| Some((Quantity::from_value(request).ok()?, Quantity::from_value(limit).ok()?)));
        if let Some((_, limit)) = both.filter(|(request, limit)| request > limit) {
            let why = format!("must be less than or equal to {name} limit of {limit}");
            let path = check.path("requests");
            check.push(crate::status::Cause::invalid(path, request, &why));
        }
    }
}

fn probe(check: &mut Check<'_>, field: &str) {
    handler(check);
    for field in [
        "initialDelaySeconds",
        "timeoutSeconds",
        "periodSeconds",
        "successThreshold",
        "failureThreshold",
    ] {
        check.not_negative(field);
    }
    if field != "readinessProbe" && check.get("successThreshold").as_i64().is_some_and(|count| count != 1) {
        check.invalid("successThreshold", "must be 1");
    }
    if check
        .get("terminationGracePeriodSeconds")
        .as_i64()
        .is_some_and(|seconds| seconds <= 0)
    {
        check.invalid("terminationGracePeriodSeconds", "must be greater than 0");
    } else if field == "readinessProbe" && check.has("terminationGracePeriodSeconds") {
        check.invalid("terminationGracePeriodSeconds", "must not be set for readinessProbes");
    }
}

fn handler(check: &mut Check<'_>) {
    let present: Vec<&str> = ["exec", "httpGet", "tcpSocket", "grpc", "sleep"]
        .into_iter()
        .filter(|kind| check.has(kind))
        .collect();
    let Some((first, others)) = present.split_first() else {
        check.required("", "must specify a handler type");
        return;
    };
    check.within(first, |action| match *first {
        "exec" if action.get("command").as_array().is_none_or(Vec::is_empty) => action.required("command", ""),
        "httpGet" => {
            if action.text("path").is_empty() {
                action.required("path", "");
            }
            action.port("port");
            action.one_of("scheme", &["HTTP", "HTTPS"]);
        }
        "tcpSocket" => action.port("port"),
        "grpc" => action.port_number("port"),
        _ => {}
    });
    for other in others {
        check.forbidden(other, "may not specify more than 1 handler type");
    }
}
