//! Pods and their templates.

use std::collections::HashSet;

use serde_json::Value;

use super::check::Check;
use super::container::{container, ephemeral_container};
use crate::meta::{dns1123_label_errors, dns1123_subdomain_errors, validate_annotations, validate_labels};

pub(super) fn pod(check: &mut Check<'_>) {
    check.within_or_null("spec", spec);
}

/// A template: labels and annotations, then the pod itself.
pub(super) fn template(check: &mut Check<'_>) {
    let causes = validate_labels(check.get("metadata.labels"), &check.path("labels"));
    causes.into_iter().for_each(|cause| check.push(cause));
    let causes = validate_annotations(check.get("metadata.annotations"), &check.path("annotations"));
    causes.into_iter().for_each(|cause| check.push(cause));
    check.within_or_null("spec", spec);
}

fn spec(check: &mut Check<'_>) {
    let mut volumes = HashSet::new();
    check.each("volumes", |volume| volume_rules(volume, &mut volumes));
    let restart_policy = check.text("restartPolicy").to_owned();
    if check.get("containers").as_array().is_none_or(Vec::is_empty) {
        check.required("containers", "");
    }
    let mut names = HashSet::new();
    check.each("containers", |one| container(one, &mut names, &volumes, false));
    check.each("initContainers", |one| container(one, &mut names, &volumes, true));
    check.each("ephemeralContainers", |one| ephemeral_container(one, &mut names));
    if restart_policy.is_empty() {
        check.required("restartPolicy", "");
    }
    check.one_of("restartPolicy", &["Always", "OnFailure", "Never"]);
    check.one_of(
        "dnsPolicy",
        &["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"],
    );
    check.not_negative("terminationGracePeriodSeconds");
    if check
        .get("activeDeadlineSeconds")
        .as_i64()
        .is_some_and(|seconds| !(1..=i64::from(i32::MAX)).contains(&seconds))
    {
        check.invalid("activeDeadlineSeconds", "must be between 1 and 2147483647, inclusive");
    }
    let causes = validate_labels(check.get("nodeSelector"), &check.path("nodeSelector"));
    causes.into_iter().for_each(|cause| check.push(cause));
    for field in ["serviceAccountName", "nodeName", "priorityClassName"] {
        let name = check.text(field);
        if !name.is_empty() {
            check.invalid_all(field, dns1123_subdomain_errors(name));
        }
    }
    for field in ["hostname", "subdomain"] {
        let name = check.text(field);
        if !name.is_empty() {
            check.invalid_all(field, dns1123_label_errors(name));
        }
    }
    check.each("tolerations", toleration);
}

fn volume_rules(check: &mut Check<'_>, names: &mut HashSet<String>) {
    let name = check.text("name").to_owned();
    if name.is_empty() {
        check.required("name", "");
    } else {
        check.invalid_all("name", dns1123_label_errors(&name));
        if names.contains(&name) {
            check.duplicate("name");
        }
    }
    let sources: Vec<&str> = check
        .value
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(key, value)| *key != "name" && !value.is_null())
        .map(|(key, _)| &**key)
        .collect();
    if sources.is_empty() {
        check.required("", "must specify a volume type");
    }
    for extra in sources.iter().skip(1) {
        check.forbidden(extra, "may not specify more than 1 volume type");
    }
    for (source, field) in [
        ("secret", "secretName"),
        ("configMap", "name"),
        ("persistentVolumeClaim", "claimName"),
        ("hostPath", "path"),
    ] {
        check.within(source, |source| {
            if source.text(field).is_empty() {
                source.required(field, "");
            }
        });
    }
    names.insert(name);
}

fn toleration(check: &mut Check<'_>) {
    let key = check.text("key");
    if !key.is_empty() {
        check.invalid_all("key", crate::meta::label_key_errors(key));
    }
    let operator = check.text("operator");
    if key.is_empty() && operator != "Exists" {
        check.invalid(
            "operator",
            "operator must be Exists when `key` is empty, which means \"match all values and all keys\"",
        );
    }
    if operator == "Exists" && !check.text("value").is_empty() {
        let path = check.path("operator");
        check.push(crate::status::Cause::invalid(
            path,
            check.get("value"),
            "value must be empty when `operator` is 'Exists'",
        ));
    }
    if !check.text("effect").is_empty() {
        check.one_of("effect", &["NoSchedule", "PreferNoSchedule", "NoExecute"]);
    }
    if check.has("tolerationSeconds") && check.text("effect") != "NoExecute" {
        check.invalid("effect", "effect must be 'NoExecute' when `tolerationSeconds` is set");
    }
}

/// Whether a template's labels are what the selector of its owner selects.
pub(super) fn labels_match(check: &mut Check<'_>, selector: &crate::selector::LabelSelector) {
    if selector.is_everything() {
        return;
    }
    let empty = serde_json::Map::new();
    let labels = check.get("template.metadata.labels").as_object().unwrap_or(&empty);
    if !selector.matches(labels) {
        let path = check.path("template.metadata.labels");
        let shown = match check.get("template.metadata.labels") {
            Value::Null => Value::Null,
            labels => labels.clone(),
        };
        check.push(crate::status::Cause::invalid(
            path,
            &shown,
            "`selector` does not match template `labels`",
        ));
    }
}
