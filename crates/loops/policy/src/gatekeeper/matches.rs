//! Which objects a constraint is about: `spec.match`.

use apimachinery::selector::LabelSelector;
use serde_json::{Map, Value};

use super::Review;

/// Whether a constraint is about what is reviewed. `namespace_labels` are those of the object's namespace, where they
/// are known. Every criterion that is given must hold; one that is not given holds.
pub fn matches(constraint: &Value, review: &Review, namespace_labels: Option<&Map<String, Value>>) -> bool {
    let Some(criteria) = constraint.pointer("/spec/match") else {
        return true;
    };
    let object = review.object();
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let named = review.as_value()["namespace"].as_str().unwrap_or_default();
    let namespace = match (text("/kind"), named) {
        // A Namespace is judged as if it were in itself.
        ("Namespace", _) => text("/metadata/name"),
        (_, "") => text("/metadata/namespace"),
        (_, named) => named,
    };
    kinds(criteria, review)
        && namespaces(criteria, namespace)
        && scope(criteria, namespace.is_empty() || text("/kind") == "Namespace")
        && name(criteria, text("/metadata/name"), text("/metadata/generateName"))
        && labels(
            criteria.get("labelSelector"),
            object.pointer("/metadata/labels").and_then(Value::as_object),
        )
        && (criteria.get("namespaceSelector").is_none()
            || namespace.is_empty()
            || labels(criteria.get("namespaceSelector"), namespace_labels))
}

fn kinds(criteria: &Value, review: &Review) -> bool {
    let Some(entries) = criteria["kinds"].as_array().filter(|entries| !entries.is_empty()) else {
        return true;
    };
    let (group, kind) = review.group_kind();
    let lists = |list: &Value, wanted: &str| match list.as_array() {
        None => true,
        Some(items) => items.is_empty() || items.iter().any(|item| *item == "*" || *item == *wanted),
    };
    entries
        .iter()
        .any(|entry| lists(&entry["apiGroups"], &group) && lists(&entry["kinds"], &kind))
}

/// An object without a namespace is neither left out by `namespaces` nor by `excludedNamespaces`.
fn namespaces(criteria: &Value, namespace: &str) -> bool {
    let listed = |list: &str| {
        let entries = criteria[list].as_array()?;
        let mut patterns = entries.iter().filter_map(Value::as_str);
        (!entries.is_empty()).then(|| patterns.any(|pattern| glob(pattern, namespace)))
    };
    namespace.is_empty() || listed("namespaces").unwrap_or(true) && !listed("excludedNamespaces").unwrap_or(false)
}

fn scope(criteria: &Value, is_cluster_scoped: bool) -> bool {
    match criteria["scope"].as_str() {
        Some("Cluster") => is_cluster_scoped,
        Some("Namespaced") => !is_cluster_scoped,
        _ => true,
    }
}

fn name(criteria: &Value, name: &str, generate_name: &str) -> bool {
    match criteria["name"].as_str() {
        None | Some("") => true,
        Some(pattern) => glob(pattern, if name.is_empty() { generate_name } else { name }),
    }
}

fn labels(selector: Option<&Value>, labels: Option<&Map<String, Value>>) -> bool {
    let Some(selector) = selector.filter(|selector| !selector.is_null()) else {
        return true;
    };
    // A selector that cannot be read matches nothing: a constraint must not reach further than its author wrote.
    let Ok(selector) = LabelSelector::from_value(selector) else {
        return false;
    };
    let value = |key: &str| labels.and_then(|labels| labels.get(key)).and_then(Value::as_str);
    selector.matches_with(value)
}

/// Gatekeeper's patterns: a `*` at the start, at the end, or both.
fn glob(pattern: &str, text: &str) -> bool {
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(_), Some(_)) => text.contains(pattern.trim_matches('*')),
        (Some(suffix), None) => text.ends_with(suffix),
        (None, Some(prefix)) => text.starts_with(prefix),
        (None, None) => text == pattern,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_criterion_must_hold() {
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {
            "name": "web-1", "namespace": "shop", "labels": {"app": "web"}}});
        for (criteria, expected) in [
            (json!({}), true),
            (json!({"kinds": [{"apiGroups": [""], "kinds": ["Pod"]}]}), true),
            (json!({"kinds": [{"apiGroups": ["apps"], "kinds": ["*"]}]}), false),
            (json!({"namespaces": ["sh*"]}), true),
            (json!({"excludedNamespaces": ["*op"]}), false),
            (json!({"scope": "Cluster"}), false),
            (json!({"name": "web-*"}), true),
            (json!({"labelSelector": {"matchLabels": {"app": "web"}}}), true),
            (json!({"labelSelector": {"matchLabels": {"app": "db"}}}), false),
            (json!({"namespaceSelector": {"matchLabels": {"team": "a"}}}), false),
        ] {
            let constraint = json!({"spec": {"match": criteria}});
            assert_eq!(matches(&constraint, &Review::of(&pod), None), expected, "{constraint}");
        }
    }

    #[test]
    fn an_object_without_a_namespace_is_excluded_by_no_list() {
        let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}});
        let constraint = json!({"spec": {"match": {"namespaces": ["default"], "excludedNamespaces": ["*"]}}});
        assert!(matches(&constraint, &Review::of(&node), None));
    }
}
