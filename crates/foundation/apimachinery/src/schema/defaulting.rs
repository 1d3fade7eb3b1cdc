//! Defaults that schemas declare.

use serde_json::Value;

use super::{Schema, Type};

/// Fills in the defaults of a CustomResourceDefinition's schema, outer ones first, and replaces null where it is no value.
///
/// Defaults of built-in kinds are [`crate::defaults`]: their recorded schemas mostly say what an absent field decodes to.
pub fn apply_defaults(schema: &Schema, value: &mut Value) {
    let schema = schema.resolved();
    match value {
        Value::Object(fields) => {
            for (name, property) in &schema.properties {
                let property = property.resolved();
                let present = fields.get(&**name);
                if present.is_some_and(|value| value.is_null() && !property.nullable && property.kind != Type::Any) {
                    fields.shift_remove(&**name);
                }
                if let (None, Some(default)) = (fields.get(&**name), &property.default) {
                    fields.insert(name.to_string(), default.clone());
                }
            }
            for (name, value) in fields.iter_mut() {
                if let Some(field) = schema.field(name) {
                    apply_defaults(field, value);
                }
            }
        }
        Value::Array(items) => {
            if let Some(shape) = &schema.items {
                items.iter_mut().for_each(|item| apply_defaults(shape, item));
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn defaults_nest() {
        let schema = Schema::from_custom(
            &json!({"type": "object", "properties": {"spec": {"type": "object", "default": {},
            "properties": {
                "size": {"type": "integer", "default": 3},
                "kept": {"type": "string", "nullable": true, "default": "x"},
                "lost": {"type": "string", "default": "y"},
                "parts": {"type": "array", "items": {"type": "object", "properties": {"weight": {"type": "integer", "default": 1}}}},
            }}}}),
        );
        let check = |mut object: Value, expect: Value| {
            apply_defaults(&schema, &mut object);
            assert_eq!(object, expect);
        };
        check(json!({}), json!({"spec": {"size": 3, "kept": "x", "lost": "y"}}));
        check(
            json!({"spec": {"size": 1, "kept": null, "lost": null, "parts": [{}, {"weight": 2}]}}),
            json!({"spec": {"size": 1, "kept": null, "lost": "y", "parts": [{"weight": 1}, {"weight": 2}]}}),
        );
    }
}
