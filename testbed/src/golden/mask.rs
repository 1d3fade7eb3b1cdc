//! What differs from run to run, and says nothing about behaviour.

use serde_json::Value;

/// Keys whose values are made up anew each time.
const VOLATILE: [&str; 16] = [
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "deletionTimestamp",
    "time",
    "lastTransitionTime",
    "lastUpdateTime",
    "continue",
    "clusterIP",
    "nodePort",
    "healthCheckNodePort",
    "hash",
    "serverRelativeURL",
    "expirationTimestamp",
    "controller-uid",
    "batch.kubernetes.io/controller-uid",
];

/// Replaces what is volatile by its name in angle brackets; its presence still counts, its value does not.
pub fn mask(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            let generated = fields.get("generateName").and_then(Value::as_str).map(str::to_owned);
            for (key, field) in fields.iter_mut() {
                let made_up = matches!(field, Value::String(text) if !text.is_empty() && text != "None")
                    || field.is_number() && key == "nodePort";
                match (&generated, key.as_str()) {
                    (Some(prefix), "name") => *field = format!("{prefix}<suffix>").into(),
                    (_, key) if made_up && VOLATILE.contains(&key) => *field = format!("<{key}>").into(),
                    // Prose is upstream's own; our server has none, and none of it is kept here.
                    (_, "description") if field.is_string() => *field = "<description>".into(),
                    (_, "clusterIPs") => *field = "<clusterIPs>".into(),
                    (_, "token") if made_up => *field = "<token>".into(),
                    _ => mask(field),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(mask),
        Value::String(text) if is_age(text) => *text = "<age>".into(),
        _ => {}
    }
}

/// A cell of a table that shows an age: `0s`, `12s`, `3m5s`.
fn is_age(text: &str) -> bool {
    let units = text.strip_suffix(['s', 'm', 'h', 'd']).unwrap_or_default();
    !units.is_empty()
        && units
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'm' || byte == b'h')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::mask;

    #[test]
    fn only_made_up_values_are_masked() {
        let mut value = json!({
            "metadata": {"uid": "1-2", "generateName": "web-", "name": "web-x7z", "creationTimestamp": null},
            "spec": {"clusterIP": "None"},
            "rows": [{"cells": ["web", "2", "12s"]}],
        });
        mask(&mut value);
        assert_eq!(
            value,
            json!({
                "metadata": {"uid": "<uid>", "generateName": "web-", "name": "web-<suffix>", "creationTimestamp": null},
                "spec": {"clusterIP": "None"},
                "rows": [{"cells": ["web", "2", "<age>"]}],
            })
        );
    }
}
