//! Dropping what a stored object does not keep.

use serde_json::Value;

use super::{Schema, Type};

/// Removes fields that the schema does not know; returns their paths, so that a server can warn.
pub fn prune(schema: &Schema, object: &mut Value) -> Vec<String> {
    let mut dropped = Vec::new();
    prune_at(schema, object, "", &mut dropped);
    dropped
}

fn prune_at(schema: &Schema, value: &mut Value, path: &str, dropped: &mut Vec<String>) {
    let schema = schema.resolved();
    match value {
        Value::Object(fields) => fields.retain(|name, value| {
            let path = if path.is_empty() {
                name.clone()
            } else {
                format!("{path}.{name}")
            };
            match schema.field(name) {
                Some(field) => prune_at(field, value, &path, dropped),
                None if schema.is_open() => {}
                None => {
                    dropped.push(path);
                    return false;
                }
            }
            true
        }),
        Value::Array(items) => {
            if let Some(shape) = &schema.items {
                for (place, item) in items.iter_mut().enumerate() {
                    prune_at(shape, item, &format!("{path}[{place}]"), dropped);
                }
            }
        }
        _ => {}
    }
}

/// Removes what a typed decoder would not have kept of a built-in object: nulls, and optional lists and maps that are empty.
///
/// Empty structs stay (`emptyDir: {}` means something), and so does raw JSON.
pub fn drop_empty(schema: &Schema, object: &mut Value) {
    let schema = schema.resolved();
    match object {
        Value::Object(fields) if !(schema.properties.is_empty() && schema.is_open()) => {
            fields.retain(|name, value| {
                let Some(field) = schema.field(name) else {
                    return !value.is_null();
                };
                drop_empty(field, value);
                let field = field.resolved();
                let required = schema.required.iter().any(|known| **known == **name);
                match value {
                    Value::Null => field.kind == Type::Any,
                    Value::Array(items) => required || !items.is_empty() || field.kind != Type::Array,
                    Value::Object(map) => required || !map.is_empty() || field.additional.is_none(),
                    _ => true,
                }
            });
        }
        Value::Array(items) => {
            if let Some(shape) = &schema.items {
                items.iter_mut().for_each(|item| drop_empty(shape, item));
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::GroupVersionKind;
    use crate::schema::builtin;
    use serde_json::json;

    #[test]
    fn unknown_fields_of_a_custom_kind_go() {
        let schema = Schema::from_custom(
            &json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {
                "size": {"type": "integer"},
                "raw": {"type": "object", "x-kubernetes-preserve-unknown-fields": true, "properties": {"a": {"type": "object"}}},
                "map": {"type": "object", "additionalProperties": {"type": "object", "properties": {"x": {"type": "string"}}}},
                "pod": {"type": "object", "x-kubernetes-embedded-resource": true},
            }}}}),
        );
        let mut object = json!({"apiVersion": "a/v1", "kind": "A", "metadata": {"name": "x", "wrong": 1}, "other": 1,
            "spec": {"size": 1, "colour": "red", "raw": {"b": 1, "a": {"c": 1}}, "map": {"k": {"x": "1", "y": 2}},
                     "pod": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {}}}});
        let dropped = prune(&schema, &mut object);
        assert_eq!(
            dropped,
            [
                "metadata.wrong",
                "other",
                "spec.colour",
                "spec.raw.a.c",
                "spec.map.k.y",
                "spec.pod.spec"
            ]
        );
        assert_eq!(object["spec"]["raw"], json!({"b": 1, "a": {}}));
        assert_eq!(object["spec"]["pod"]["metadata"]["name"], "p");
    }

    #[test]
    fn a_pod_loses_what_says_nothing() {
        let mut pod = json!({"metadata": {"labels": {}, "creationTimestamp": null},
            "spec": {"nodeName": null, "volumes": [{"name": "v", "emptyDir": {}}], "containers": [{"name": "c", "args": [], "resources": {}}]}});
        drop_empty(
            builtin(&GroupVersionKind::new("", "v1", "Pod")).expect("known"),
            &mut pod,
        );
        assert_eq!(
            pod,
            json!({"metadata": {}, "spec": {"volumes": [{"name": "v", "emptyDir": {}}],
                   "containers": [{"name": "c", "resources": {}}]}})
        );
    }
}
