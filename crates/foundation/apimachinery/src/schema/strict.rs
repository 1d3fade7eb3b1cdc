//! What strict decoding of a body finds: unknown fields and values of the wrong type.

use serde_json::Value;
use thiserror::Error;

use super::{Schema, Type};

/// Fields deeper than this are not looked at; no built-in kind but JSONSchemaProps nests without end.
const DEPTH_MAX: usize = 128;

/// The paths of fields that the schema does not know, as upstream writes them: `spec.containers[0].foo`.
///
/// `strict decoding error: unknown field "PATH"` is the message clients expect for each.
pub fn unknown_fields(schema: &Schema, object: &Value) -> Vec<String> {
    let mut found = Vec::new();
    unknown(schema, object, String::new(), 0, &mut found);
    found
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

fn unknown(schema: &Schema, value: &Value, path: String, depth: usize, found: &mut Vec<String>) {
    let schema = schema.resolved();
    if depth > DEPTH_MAX {
        return;
    }
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = join(&path, name);
                match schema.field(name) {
                    Some(field) => unknown(field, value, path, depth + 1, found),
                    None if schema.is_open() => {}
                    None => found.push(path),
                }
            }
        }
        Value::Array(items) => {
            let Some(shape) = &schema.items else { return };
            for (place, item) in items.iter().enumerate() {
                unknown(shape, item, format!("{path}[{place}]"), depth + 1, found);
            }
        }
        _ => {}
    }
}

/// The known field that an unknown one was probably meant to be, for `did you mean`: `replica` -> `replicas`.
///
/// `path` is one of [`unknown_fields`].
pub fn suggestion(schema: &Schema, path: &str) -> Option<String> {
    let (parent, name) = path.rsplit_once('.').unwrap_or(("", path));
    let mut plain = String::new();
    let mut inside = false;
    for c in parent.chars() {
        match c {
            '[' => inside = true,
            ']' => inside = false,
            other if !inside => plain.push(other),
            _ => {}
        }
    }
    let mut parent = schema.at(&plain)?.resolved();
    while let (Type::Array, Some(items)) = (parent.kind, &parent.items) {
        parent = items.resolved();
    }
    let limit = (name.len() / 3).max(1);
    let lower = name.to_lowercase();
    parent
        .properties
        .keys()
        .map(|known| (distance(&lower, &known.to_lowercase()), known))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, known)| known.to_string())
}

/// The number of letters to insert, delete or replace (Levenshtein).
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in right.iter().enumerate() {
            let replace = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replace.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[right.len()]
}

/// A value of the wrong type, in the words of Go's decoder.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("json: cannot unmarshal {found} into Go struct field {owner}.{path} of type {wanted}")]
pub struct TypeMismatch {
    /// What stands there: `string`, `number 1.5`.
    pub found: String,
    /// The struct that has the field: `DeploymentSpec`.
    pub owner: String,
    /// The path without indices: `spec.replicas`.
    pub path: String,
    /// What should stand there: `int32`.
    pub wanted: String,
}

/// The first value of the wrong type in an object of a built-in kind; null is of every type.
pub fn check_types(schema: &Schema, object: &Value) -> Result<(), TypeMismatch> {
    check(schema, object, "", "", 0)
}

fn check(schema: &Schema, value: &Value, owner: &str, path: &str, depth: usize) -> Result<(), TypeMismatch> {
    let schema = schema.resolved();
    if depth > DEPTH_MAX {
        return Ok(());
    }
    let fits = match (schema.kind, value) {
        (_, Value::Null) | (Type::Any, _) => true,
        (Type::Object, Value::Object(_)) | (Type::Array, Value::Array(_)) => true,
        (Type::String | Type::IntOrString | Type::StringOrNumber, Value::String(_)) => true,
        (Type::Integer | Type::IntOrString, Value::Number(number)) => {
            let range = if &*schema.format == "int32" || schema.kind == Type::IntOrString {
                i64::from(i32::MIN)..=i64::from(i32::MAX)
            } else {
                i64::MIN..=i64::MAX
            };
            number.as_i64().is_some_and(|number| range.contains(&number))
        }
        (Type::Number | Type::StringOrNumber, Value::Number(_)) | (Type::Boolean, Value::Bool(_)) => true,
        _ => false,
    };
    if !fits {
        return Err(TypeMismatch {
            found: go_kind(value),
            owner: owner.to_owned(),
            path: path.to_owned(),
            wanted: go_type(schema),
        });
    }
    match value {
        Value::Object(fields) => {
            let name = schema.name.rsplit('.').next().unwrap_or_default();
            let owner = if name.is_empty() { owner } else { name };
            for (key, value) in fields {
                if let Some(field) = schema.field(key) {
                    check(field, value, owner, &join(path, key), depth + 1)?;
                }
            }
        }
        Value::Array(items) => {
            if let Some(shape) = &schema.items {
                for item in items {
                    check(shape, item, owner, path, depth + 1)?;
                }
            }
        }
        _ => {}
    }
    Ok(())
}

fn go_kind(value: &Value) -> String {
    match value {
        Value::Number(number) if number.is_i64() => "number".to_owned(),
        Value::Number(number) => format!("number {number}"),
        Value::String(_) => "string".to_owned(),
        Value::Bool(_) => "bool".to_owned(),
        Value::Array(_) => "array".to_owned(),
        Value::Object(_) | Value::Null => "object".to_owned(),
    }
}

fn go_type(schema: &Schema) -> String {
    let schema = schema.resolved();
    let mut names = schema.name.rsplit('.');
    if let (Some(name), Some(package)) = (names.next().filter(|name| !name.is_empty()), names.next()) {
        return format!("{package}.{name}");
    }
    match schema.kind {
        Type::Array => format!("[]{}", schema.items.as_deref().map(go_type).unwrap_or_default()),
        Type::Object => format!(
            "map[string]{}",
            schema.additional.as_deref().map(go_type).unwrap_or_default()
        ),
        Type::String if &*schema.format == "byte" => "[]uint8".to_owned(),
        Type::Integer if !schema.format.is_empty() => schema.format.to_string(),
        Type::Integer => "int64".to_owned(),
        Type::Number => "float64".to_owned(),
        Type::Boolean => "bool".to_owned(),
        _ => "string".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::GroupVersionKind;
    use crate::schema::builtin;
    use serde_json::json;

    fn deployment() -> &'static Schema {
        builtin(&GroupVersionKind::new("apps", "v1", "Deployment")).expect("known")
    }

    #[test]
    fn unknown_fields_have_paths() {
        let object = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a", "lables": {}},
            "spec": {"replica": 1, "template": {"spec": {"containers": [{"name": "c", "imagee": "x"}]},
                     "metadata": {"labels": {"any": "thing"}}}}});
        let found = unknown_fields(deployment(), &object);
        assert_eq!(
            found,
            [
                "metadata.lables",
                "spec.replica",
                "spec.template.spec.containers[0].imagee"
            ]
        );
        let meant: Vec<_> = found.iter().filter_map(|path| suggestion(deployment(), path)).collect();
        assert_eq!(meant, ["labels", "replicas", "image"]);
    }

    #[test]
    fn mismatches_read_as_upstream() {
        let check = |object: Value, expect: &str| {
            let error = check_types(deployment(), &object).map_err(|error| error.to_string());
            assert_eq!(
                error,
                if expect.is_empty() {
                    Ok(())
                } else {
                    Err(expect.to_owned())
                }
            );
        };
        check(
            json!({"spec": {"replicas": 3, "strategy": {"rollingUpdate": {"maxSurge": "25%"}}}}),
            "",
        );
        check(
            json!({"spec": {"replicas": "3"}}),
            "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32",
        );
        check(
            json!({"spec": {"template": {"spec": {"containers": {"name": "a"}}}}}),
            "json: cannot unmarshal object into Go struct field PodSpec.spec.template.spec.containers of type []v1.Container",
        );
        check(
            json!({"spec": {"template": {"spec": {"containers": [{"env": [{"name": "A", "value": 1}]}]}}}}),
            "json: cannot unmarshal number into Go struct field EnvVar.spec.template.spec.containers.env.value of type string",
        );
    }
}
