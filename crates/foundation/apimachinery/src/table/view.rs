//! Reading an object for printing: what is absent has a word.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::human_duration;
use crate::selector::LabelSelector;

const NULL: &Value = &Value::Null;

/// An object and the time at which it is looked at.
pub(super) struct View<'a> {
    pub(super) object: &'a Value,
    now: Timestamp,
}

/// How long ago a time in RFC 3339 was.
pub(super) fn since(text: &str, now: Timestamp) -> String {
    match text.parse::<Timestamp>() {
        // Truncated toward zero, as a duration's whole seconds are.
        Ok(then) => human_duration(now.duration_since(then).as_secs()),
        Err(_) => "<unknown>".to_owned(),
    }
}

impl<'a> View<'a> {
    pub(super) fn new(object: &'a Value, now: Timestamp) -> Self {
        View { object, now }
    }

    /// The value at a dotted path, null where there is none.
    pub(super) fn at(&self, path: &str) -> &'a Value {
        at(self.object, path)
    }

    /// The text at a path, empty where there is none.
    pub(super) fn text(&self, path: &str) -> &'a str {
        self.at(path).as_str().unwrap_or_default()
    }

    /// The text at a path, or a word.
    pub(super) fn text_or(&self, path: &str, word: &'static str) -> &'a str {
        self.at(path).as_str().filter(|text| !text.is_empty()).unwrap_or(word)
    }

    /// The number at a path, 0 where there is none.
    pub(super) fn number(&self, path: &str) -> i64 {
        self.at(path).as_i64().unwrap_or(0)
    }

    /// The elements of the list at a path.
    pub(super) fn list(&self, path: &str) -> &'a [Value] {
        list(self.at(path))
    }

    pub(super) fn kind(&self) -> &'a str {
        self.text("kind")
    }

    pub(super) fn name(&self) -> &'a str {
        self.text("metadata.name")
    }

    pub(super) fn age(&self) -> String {
        self.since("metadata.creationTimestamp")
    }

    /// How long ago the time at a path was.
    pub(super) fn since(&self, path: &str) -> String {
        since(self.text(path), self.now)
    }

    /// From one time to another, or to now, in whole seconds.
    pub(super) fn between(&self, from: &str, to: &str) -> Option<String> {
        let from: Timestamp = self.text(from).parse().ok()?;
        let to = self.text(to).parse().unwrap_or(self.now);
        Some(human_duration(to.duration_since(from).as_secs()))
    }

    /// How long ago a time in RFC 3339 was.
    pub(super) fn ago(&self, text: &str) -> String {
        since(text, self.now)
    }

    pub(super) fn deleting(&self) -> bool {
        !self.at("metadata.deletionTimestamp").is_null()
    }

    /// Whether a condition of this type is true.
    pub(super) fn has_condition(&self, kind: &str) -> bool {
        self.list("status.conditions")
            .iter()
            .any(|condition| condition["type"] == kind && condition["status"] == "True")
    }
}

pub(super) fn at<'a>(object: &'a Value, path: &str) -> &'a Value {
    path.split('.')
        .try_fold(object, |value, key| value.get(key))
        .unwrap_or(NULL)
}

pub(super) fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The texts of a field of each element, joined.
pub(super) fn join(items: &[Value], field: &str, separator: &str) -> String {
    items
        .iter()
        .filter_map(|item| at(item, field).as_str())
        .collect::<Vec<_>>()
        .join(separator)
}

/// Text or a number as text; `<unset>` words are the caller's.
pub(super) fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// A structured selector as text; `<none>` where it is absent or empty.
pub(super) fn selector(selector: &Value) -> String {
    match LabelSelector::from_value(selector) {
        Err(_) => "<error>".to_owned(),
        Ok(LabelSelector::Nothing) => "<none>".to_owned(),
        Ok(all) if all.is_everything() => "<none>".to_owned(),
        Ok(some) => some.to_string(),
    }
}

/// A plain map as `a=b,c=d`; `<none>` where it is absent or empty.
pub(super) fn map(map: &Value) -> String {
    let mut pairs: Vec<String> = map
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", scalar(value)))
        .collect();
    pairs.sort();
    if pairs.is_empty() {
        "<none>".to_owned()
    } else {
        pairs.join(",")
    }
}

/// Rows of pods that ended say so, so that clients may hide them.
pub(super) fn row_conditions(object: &Value) -> Option<Value> {
    if object["kind"] != "Pod" {
        return None;
    }
    let (reason, message) = match object["status"]["phase"].as_str()? {
        "Succeeded" => ("Succeeded", "The pod has completed successfully."),
        "Failed" => ("Failed", "The pod failed."),
        _ => return None,
    };
    Some(json!([{"type": "Completed", "status": "True", "reason": reason, "message": message}]))
}
