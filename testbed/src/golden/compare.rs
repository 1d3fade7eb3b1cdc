//! Where two answers differ.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value;

use super::Answer;

/// One place in which an answer is not the recorded one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    /// Where: `status`, `contentType`, or a path into the body such as `body.spec.replicas`.
    pub path: String,
    /// What was recorded; empty where nothing was.
    pub expected: String,
    /// What came.
    pub actual: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: expected {}, got {}", self.path, self.expected, self.actual)
    }
}

/// All places in which `actual` is not `expected`, in the order of the document.
pub fn differences(expected: &Answer, actual: &Answer) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut note = |path: &str, expected: String, actual: String| {
        if expected != actual {
            found.push(Difference {
                path: path.to_owned(),
                expected,
                actual,
            });
        }
    };
    note("status", expected.status.to_string(), actual.status.to_string());
    note(
        "contentType",
        expected.content_type.clone(),
        actual.content_type.clone(),
    );
    walk("body", Some(&expected.body), Some(&actual.body), &mut found);
    found
}

fn walk(path: &str, expected: Option<&Value>, actual: Option<&Value>, found: &mut Vec<Difference>) {
    match (expected, actual) {
        (Some(Value::Object(expected)), Some(Value::Object(actual))) => {
            let keys: BTreeSet<&String> = expected.keys().chain(actual.keys()).collect();
            for key in keys {
                walk(&format!("{path}.{key}"), expected.get(key), actual.get(key), found);
            }
        }
        (Some(Value::Array(expected)), Some(Value::Array(actual))) => {
            for index in 0..expected.len().max(actual.len()) {
                walk(
                    &format!("{path}[{index}]"),
                    expected.get(index),
                    actual.get(index),
                    found,
                );
            }
        }
        (expected, actual) if expected == actual => {}
        (expected, actual) => found.push(Difference {
            path: path.to_owned(),
            expected: shown(expected),
            actual: shown(actual),
        }),
    }
}

fn shown(value: Option<&Value>) -> String {
    value.map_or_else(|| "nothing".to_owned(), Value::to_string)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_place_is_named() {
        let answer = |status, body| Answer {
            name: "x".into(),
            status,
            content_type: "application/json".into(),
            body,
        };
        let expected = answer(200, json!({"a": [1, 2], "b": {"c": 1}}));
        let actual = answer(201, json!({"a": [1], "b": {"d": 1}}));
        let paths: Vec<_> = differences(&expected, &actual)
            .into_iter()
            .map(|difference| difference.path)
            .collect();
        assert_eq!(paths, ["status", "body.a[1]", "body.b.c", "body.b.d"]);
        assert!(differences(&expected, &expected).is_empty());
    }
}
