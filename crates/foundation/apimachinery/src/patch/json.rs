//! JSON Patch (RFC 6902).

use serde_json::Value;

use super::PatchError;

/// Operations of one patch; upstream has the same limit.
const OPERATIONS_MAX: usize = 10_000;

/// Applies all operations in order, or none where one fails.
pub fn json_patch(target: &Value, patch: &Value) -> Result<Value, PatchError> {
    let operations = patch
        .as_array()
        .ok_or_else(|| malformed("a JSON patch is a list of operations"))?;
    if operations.len() > OPERATIONS_MAX {
        return Err(malformed(&format!(
            "the patch has {} operations, {OPERATIONS_MAX} are allowed",
            operations.len()
        )));
    }
    let mut value = target.clone();
    for operation in operations {
        apply(&mut value, operation)?;
    }
    Ok(value)
}

fn malformed(why: &str) -> PatchError {
    PatchError::Malformed(why.to_owned())
}

fn missing(operation: &str, path: &str) -> PatchError {
    PatchError::DoesNotFit(format!(
        "{operation} operation does not apply: doc is missing path: {path:?}: missing value"
    ))
}

fn apply(value: &mut Value, operation: &Value) -> Result<(), PatchError> {
    let text = |key: &str| {
        operation[key]
            .as_str()
            .ok_or_else(|| malformed(&format!("an operation needs {key:?}")))
    };
    let (name, path) = (text("op")?, text("path")?);
    let given = || {
        operation
            .get("value")
            .cloned()
            .ok_or_else(|| malformed(&format!("{name} needs a \"value\"")))
    };
    match name {
        "add" => add(value, path, given()?),
        "remove" => remove(value, name, path).map(drop),
        "replace" => {
            *value.pointer_mut(path).ok_or_else(|| missing(name, path))? = given()?;
            Ok(())
        }
        "move" => {
            let from = text("from")?;
            if path.strip_prefix(from).is_some_and(|rest| rest.starts_with('/')) {
                return Err(PatchError::DoesNotFit(format!("cannot move {from:?} into itself")));
            }
            let moved = remove(value, name, from)?;
            add(value, path, moved)
        }
        "copy" => {
            let from = text("from")?;
            let copied = value.pointer(from).cloned().ok_or_else(|| missing(name, from))?;
            add(value, path, copied)
        }
        "test" => {
            let found = value.pointer(path).unwrap_or(&Value::Null);
            if *found == given()? {
                Ok(())
            } else {
                Err(PatchError::DoesNotFit(format!(
                    "testing value {path} failed: test failed"
                )))
            }
        }
        other => Err(malformed(&format!("Unexpected kind: {other}"))),
    }
}

/// The pointer of the parent and the unescaped last segment.
fn split(path: &str) -> Result<(&str, String), PatchError> {
    let (parent, last) = path
        .rsplit_once('/')
        .ok_or_else(|| malformed(&format!("{path:?} is no path")))?;
    Ok((parent, last.replace("~1", "/").replace("~0", "~")))
}

fn add(value: &mut Value, path: &str, added: Value) -> Result<(), PatchError> {
    if path.is_empty() {
        *value = added;
        return Ok(());
    }
    let (parent, last) = split(path)?;
    match value.pointer_mut(parent) {
        Some(Value::Object(fields)) => {
            fields.insert(last, added);
            Ok(())
        }
        Some(Value::Array(items)) => {
            let place = if last == "-" {
                Some(items.len())
            } else {
                last.parse().ok()
            };
            match place.filter(|place| *place <= items.len()) {
                Some(place) => {
                    items.insert(place, added);
                    Ok(())
                }
                None => Err(PatchError::DoesNotFit(format!(
                    "add operation does not apply: index {last} is out of bounds: {path}"
                ))),
            }
        }
        _ => Err(missing("add", path)),
    }
}

fn remove(value: &mut Value, operation: &str, path: &str) -> Result<Value, PatchError> {
    let (parent, last) = split(path)?;
    let removed = match value.pointer_mut(parent) {
        Some(Value::Object(fields)) => fields.shift_remove(&last),
        Some(Value::Array(items)) => last
            .parse()
            .ok()
            .filter(|place: &usize| *place < items.len())
            .map(|place| items.remove(place)),
        _ => None,
    };
    removed.ok_or_else(|| missing(operation, path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(target: Value, patch: Value, expect: Option<Value>) {
        assert_eq!(json_patch(&target, &patch).ok(), expect, "{target} {patch}");
    }

    /// Examples of RFC 6902, appendix A.
    #[test]
    fn operations_of_the_rfc() {
        check(
            json!({"foo": "bar"}),
            json!([{"op": "add", "path": "/baz", "value": "q"}]),
            Some(json!({"foo": "bar", "baz": "q"})),
        );
        check(
            json!({"foo": ["a", "c"]}),
            json!([{"op": "add", "path": "/foo/1", "value": "b"}]),
            Some(json!({"foo": ["a", "b", "c"]})),
        );
        check(
            json!({"baz": 1, "foo": 2}),
            json!([{"op": "remove", "path": "/baz"}]),
            Some(json!({"foo": 2})),
        );
        check(
            json!({"foo": [1, 2, 3]}),
            json!([{"op": "remove", "path": "/foo/1"}]),
            Some(json!({"foo": [1, 3]})),
        );
        check(
            json!({"a": {"b": 1}, "c": {}}),
            json!([{"op": "move", "from": "/a/b", "path": "/c/d"}]),
            Some(json!({"a": {}, "c": {"d": 1}})),
        );
        check(
            json!({"a": [1]}),
            json!([{"op": "test", "path": "/a/0", "value": 1}]),
            Some(json!({"a": [1]})),
        );
        check(json!({"a": 1}), json!([{"op": "test", "path": "/a", "value": 2}]), None);
        check(
            json!({"/": 9, "~1": 10}),
            json!([{"op": "test", "path": "/~01", "value": 10}]),
            Some(json!({"/": 9, "~1": 10})),
        );
        check(
            json!({"foo": ["bar"]}),
            json!([{"op": "add", "path": "/foo/-", "value": [1]}]),
            Some(json!({"foo": ["bar", [1]]})),
        );
        check(
            json!({"foo": "bar"}),
            json!([{"op": "add", "path": "/baz/bat", "value": "q"}]),
            None,
        );
        check(
            json!({"a": 1}),
            json!([{"op": "replace", "path": "/b", "value": 1}]),
            None,
        );
        check(
            json!({"a": 1}),
            json!([{"op": "copy", "from": "/a", "path": "/b"}]),
            Some(json!({"a": 1, "b": 1})),
        );
    }
}
