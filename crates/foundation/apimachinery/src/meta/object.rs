//! Rules about `metadata` as a whole.

use serde_json::{Map, Value, json};

use super::content::{
    dns1035_label_errors, dns1123_label_errors, dns1123_subdomain_errors, label_key_errors, label_value_errors,
    path_segment_errors,
};
use crate::resources::{GroupKind, GroupVersion};
use crate::status::Cause;

/// All annotations of an object together may have this many bytes.
const ANNOTATIONS_BYTES_MAX: usize = 256 * 1024;
/// The bytes that a generated name keeps of its prefix: 63 without the suffix.
const GENERATED_PREFIX_BYTES_MAX: usize = 58;
const SUFFIX_LENGTH: usize = 5;
/// Letters and digits without vowels and look-alikes, so that no suffix is a word.
const SUFFIX_ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// `prefix` with five letters drawn from `random`; a long prefix is cut so that the name stays within 63 bytes.
pub fn generate_name(prefix: &str, mut random: impl FnMut() -> u64) -> String {
    let mut end = prefix.len().min(GENERATED_PREFIX_BYTES_MAX);
    while !prefix.is_char_boundary(end) {
        end -= 1;
    }
    let mut name = prefix[..end].to_owned();
    for _ in 0..SUFFIX_LENGTH {
        let place = random() % SUFFIX_ALPHABET.len() as u64;
        name.push(char::from(SUFFIX_ALPHABET[place as usize]));
    }
    name
}

/// Which grammar the name of a kind's objects obeys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameRule {
    /// Dotted labels, 253 bytes: most kinds.
    Subdomain,
    /// One label, 63 bytes: namespaces.
    Label,
    /// One label that starts with a letter: services.
    Label1035,
    /// Any segment of a path: RBAC.
    PathSegment,
}

impl NameRule {
    /// The rule of a kind; [`NameRule::Subdomain`] for custom kinds.
    pub fn of(kind: &GroupKind) -> Self {
        match (&*kind.group, &*kind.kind) {
            ("", "Namespace") => NameRule::Label,
            // Relaxed since 1.34: a Service may start with a digit.
            ("", "Service") => NameRule::Label,
            ("rbac.authorization.k8s.io", _) => NameRule::PathSegment,
            _ => NameRule::Subdomain,
        }
    }

    /// What is wrong with a name.
    pub fn errors(self, name: &str) -> Vec<String> {
        match self {
            NameRule::Subdomain => dns1123_subdomain_errors(name),
            NameRule::Label => dns1123_label_errors(name),
            NameRule::Label1035 => dns1035_label_errors(name),
            NameRule::PathSegment => path_segment_errors(name),
        }
    }
}

/// What is wrong with the metadata of a new object; `path` is the field it stands in, usually `metadata`.
pub fn validate_metadata(metadata: &Value, namespaced: bool, rule: NameRule, path: &str) -> Vec<Cause> {
    let text = |key: &str| metadata[key].as_str().unwrap_or_default();
    let mut causes = Vec::new();
    let prefix = text("generateName");
    if !prefix.is_empty() {
        // The suffix hides a dash at the end.
        let masked = prefix
            .strip_suffix('-')
            .map_or(prefix.to_owned(), |head| format!("{head}a"));
        let errors = rule.errors(&masked).into_iter();
        causes.extend(errors.map(|why| Cause::invalid(format!("{path}.generateName"), &json!(prefix), &why)));
    }
    let name = text("name");
    if name.is_empty() {
        causes.push(Cause::required(
            format!("{path}.name"),
            "name or generateName is required",
        ));
    } else {
        let errors = rule.errors(name).into_iter();
        causes.extend(errors.map(|why| Cause::invalid(format!("{path}.name"), &json!(name), &why)));
    }
    let namespace = text("namespace");
    let field = format!("{path}.namespace");
    match (namespaced, namespace) {
        (true, "") => causes.push(Cause::required(field, "")),
        (true, namespace) => {
            let errors = dns1123_label_errors(namespace).into_iter();
            causes.extend(errors.map(|why| Cause::invalid(field.clone(), &json!(namespace), &why)));
        }
        (false, "") => {}
        (false, _) => causes.push(Cause::forbidden(field, "not allowed on this type")),
    }
    causes.extend(validate_common(metadata, path));
    causes
}

fn validate_common(metadata: &Value, path: &str) -> Vec<Cause> {
    let mut causes = validate_labels(&metadata["labels"], &format!("{path}.labels"));
    causes.extend(validate_annotations(
        &metadata["annotations"],
        &format!("{path}.annotations"),
    ));
    causes.extend(owner_causes(
        &metadata["ownerReferences"],
        &format!("{path}.ownerReferences"),
    ));
    causes.extend(finalizer_causes(&metadata["finalizers"], &format!("{path}.finalizers")));
    causes
}

/// What is wrong with a map of labels.
pub fn validate_labels(labels: &Value, path: &str) -> Vec<Cause> {
    let mut causes = Vec::new();
    for (key, value) in labels.as_object().into_iter().flatten() {
        causes.extend(
            label_key_errors(key)
                .into_iter()
                .map(|why| Cause::invalid(path, &json!(key), &why)),
        );
        let errors = label_value_errors(value.as_str().unwrap_or_default()).into_iter();
        causes.extend(errors.map(|why| Cause::invalid(path, value, &why)));
    }
    causes
}

/// What is wrong with a map of annotations: keys as of labels in any case, values of any text within a total size.
pub fn validate_annotations(annotations: &Value, path: &str) -> Vec<Cause> {
    let mut causes = Vec::new();
    let mut bytes = 0;
    for (key, value) in annotations.as_object().into_iter().flatten() {
        bytes += key.len() + value.as_str().map_or(0, str::len);
        let errors = label_key_errors(&key.to_lowercase()).into_iter();
        causes.extend(errors.map(|why| Cause::invalid(path, &json!(key), &why)));
    }
    if bytes > ANNOTATIONS_BYTES_MAX {
        causes.push(Cause::too_long(path, ANNOTATIONS_BYTES_MAX));
    }
    causes
}

/// What is wrong with a list of owner references.
pub fn owner_causes(owners: &Value, path: &str) -> Vec<Cause> {
    let mut causes = Vec::new();
    let mut controller: Option<String> = None;
    for (place, owner) in owners.as_array().into_iter().flatten().enumerate() {
        let field = format!("{path}[{place}]");
        let text = |key: &str| owner[key].as_str().unwrap_or_default();
        let api_version = text("apiVersion");
        if api_version.is_empty() {
            causes.push(Cause::required(format!("{field}.apiVersion"), "must not be empty"));
        } else if api_version.matches('/').count() > 1 || GroupVersion::parse(api_version).version.is_empty() {
            let why = "must be <group>/<version> or <version>";
            causes.push(Cause::invalid(format!("{field}.apiVersion"), &json!(api_version), why));
        }
        for key in ["kind", "name", "uid"] {
            if text(key).is_empty() {
                causes.push(Cause::required(format!("{field}.{key}"), "must not be empty"));
            }
        }
        if owner["controller"] == true {
            let name = format!("{}/{}", text("kind"), text("name"));
            match &controller {
                Some(first) => {
                    let why = format!(
                        "Only one reference can have Controller set to true. Found \"true\" in references for {first} and {name}"
                    );
                    causes.push(Cause::invalid(path, owners, &why));
                }
                None => controller = Some(name),
            }
        }
    }
    causes
}

fn finalizer_causes(finalizers: &Value, path: &str) -> Vec<Cause> {
    let mut causes = Vec::new();
    let names: Vec<&str> = finalizers
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    for name in &names {
        causes.extend(
            label_key_errors(name)
                .into_iter()
                .map(|why| Cause::invalid(path, &json!(name), &why)),
        );
    }
    if names.contains(&"orphan") && names.contains(&"foregroundDeletion") {
        let why = "finalizer orphan and foregroundDeletion cannot be both set";
        causes.push(Cause::invalid(path, finalizers, why));
    }
    causes
}

/// Metadata that no update may change, once the server has filled in what the client left out.
const IMMUTABLE: [&str; 5] = ["name", "namespace", "uid", "creationTimestamp", "deletionTimestamp"];

/// What is wrong with an update of metadata.
pub fn validate_metadata_update(new: &Value, old: &Value, path: &str) -> Vec<Cause> {
    let mut causes = Vec::new();
    if !old["deletionTimestamp"].is_null() {
        let known: Vec<&Value> = old["finalizers"].as_array().into_iter().flatten().collect();
        let added: Vec<String> = new["finalizers"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|finalizer| !known.contains(finalizer))
            .map(Value::to_string)
            .collect();
        if !added.is_empty() {
            let why = format!(
                "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
                added.join(", ")
            );
            causes.push(Cause::forbidden(format!("{path}.finalizers"), &why));
        }
    }
    for key in IMMUTABLE {
        if new[key] != old[key] {
            causes.push(Cause::invalid(format!("{path}.{key}"), &new[key], "field is immutable"));
        }
    }
    causes.extend(validate_common(new, path));
    causes
}

/// The owner reference with `controller: true`, if any.
pub fn controller_of(object: &Value) -> Option<&Value> {
    object["metadata"]["ownerReferences"]
        .as_array()?
        .iter()
        .find(|owner| owner["controller"] == true)
}

/// Whether a map such as a Service's `spec.selector` selects these labels; an empty map selects nothing.
pub fn selects(selector: &Map<String, Value>, labels: &Value) -> bool {
    !selector.is_empty() && selector.iter().all(|(key, value)| labels.get(key) == Some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(causes: &[Cause]) -> Vec<&str> {
        causes.iter().map(|cause| &*cause.field).collect()
    }

    #[test]
    fn generated_names() {
        let mut draws = 0..;
        assert_eq!(generate_name("web-", || draws.next().unwrap_or(0)), "web-bcdfg");
        assert_eq!(generate_name(&"x".repeat(80), || 26).len(), 63);
    }

    #[test]
    fn a_new_object() {
        let check = |metadata: Value, namespaced: bool, expect: &[&str]| {
            let causes = validate_metadata(&metadata, namespaced, NameRule::Subdomain, "metadata");
            assert_eq!(fields(&causes), expect, "{metadata}");
        };
        check(json!({"name": "a", "namespace": "b"}), true, &[]);
        check(
            json!({"generateName": "a-", "name": "a-bcdfg", "namespace": "b"}),
            true,
            &[],
        );
        check(json!({"name": "a"}), true, &["metadata.namespace"]);
        check(json!({"name": "a", "namespace": "b"}), false, &["metadata.namespace"]);
        check(json!({"namespace": "b"}), true, &["metadata.name"]);
        check(
            json!({"name": "a", "labels": {"x": "no spaces"}}),
            false,
            &["metadata.labels"],
        );
        check(
            json!({"name": "a", "annotations": {"Example.com/x": "any text"}}),
            false,
            &[],
        );
        check(
            json!({"name": "a", "annotations": {"x": "y".repeat(300_000)}}),
            false,
            &["metadata.annotations"],
        );
        check(
            json!({"name": "a", "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "x"}]}),
            false,
            &["metadata.ownerReferences[0].uid"],
        );
    }

    #[test]
    fn an_update() {
        let old = json!({"name": "a", "uid": "1", "deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["x/a"]});
        let mut new = old.clone();
        new["finalizers"] = json!([]);
        assert_eq!(
            fields(&validate_metadata_update(&new, &old, "metadata")),
            Vec::<&str>::new()
        );
        new["finalizers"] = json!(["x/a", "x/b"]);
        new["uid"] = json!("2");
        assert_eq!(
            fields(&validate_metadata_update(&new, &old, "metadata")),
            ["metadata.finalizers", "metadata.uid"]
        );
    }
}
