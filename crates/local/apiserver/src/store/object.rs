//! One stored object: its bytes and the few facts that selectors ask for.

use std::fmt::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

/// The name of a table of the store: plural and group as messages write it, `deployments.apps` or `pods`.
///
/// All served versions of a resource share one table.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableName(Arc<str>);

impl TableName {
    /// From its text.
    pub fn new(text: &str) -> Self {
        TableName(Arc::from(text))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where an object lies: its table, and `namespace/name` within it (the namespace is empty for cluster scope).
///
/// One string rather than two, because a table is ordered by it: a namespace is a range of keys.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ObjectKey {
    /// The table.
    pub table: TableName,
    /// `namespace/name`.
    pub path: Arc<str>,
}

impl ObjectKey {
    /// The key of an object; an empty namespace means cluster scope.
    pub fn new(table: &TableName, namespace: &str, name: &str) -> Self {
        ObjectKey {
            table: table.clone(),
            path: Arc::from(format!("{namespace}/{name}")),
        }
    }
}

/// What selectors may ask of an object without reading its bytes again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// `metadata.labels`.
    pub labels: Box<[(Box<str>, Box<str>)]>,
}

impl Facts {
    /// Reads them from an object.
    pub fn of(object: &Value) -> Self {
        let labels = object["metadata"]["labels"].as_object().into_iter().flatten();
        let text = |value: &Value| Box::from(value.as_str().unwrap_or_default());
        Facts {
            labels: labels
                .map(|(key, value)| (Box::from(key.as_str()), text(value)))
                .collect(),
        }
    }

    /// The value of a label.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.labels
            .iter()
            .find(|(known, _)| **known == *key)
            .map(|(_, value)| &**value)
    }
}

/// An object that waits for its resource version.
///
/// The version is the only part of an object that is decided while the store is locked, so the text is made before,
/// with a gap right behind `"metadata":{` that the store fills.
#[derive(Clone, Debug)]
pub struct Draft {
    head: Box<str>,
    rest: Vec<u8>,
    facts: Facts,
}

impl Draft {
    /// Serialises an object; its `metadata.resourceVersion` is dropped, a `metadata` that is missing is added.
    ///
    /// `kind` and `apiVersion` come from the arguments: what is stored always says what it is.
    pub fn new(api_version: &str, kind: &str, object: &Value) -> Self {
        let mut rest = Vec::with_capacity(1024);
        let mut first = true;
        let mut separate = |rest: &mut Vec<u8>| {
            if !std::mem::take(&mut first) {
                rest.push(b',');
            }
        };
        for (key, value) in object["metadata"].as_object().into_iter().flatten() {
            if key != "resourceVersion" {
                separate(&mut rest);
                write_member(&mut rest, key, value);
            }
        }
        rest.push(b'}');
        for (key, value) in object.as_object().into_iter().flatten() {
            if !matches!(key.as_str(), "apiVersion" | "kind" | "metadata") {
                rest.push(b',');
                write_member(&mut rest, key, value);
            }
        }
        rest.push(b'}');
        Draft {
            head: head(api_version, kind).into(),
            rest,
            facts: Facts::of(object),
        }
    }

    /// The object at a revision.
    pub(super) fn at(&self, path: Arc<str>, revision: u64) -> Stored {
        splice(path, &self.head, revision, &self.rest, self.facts.clone())
    }
}

/// An object as it lies in the store: immutable, shared by readers and watchers.
#[derive(Debug)]
pub struct Stored {
    path: Arc<str>,
    revision: u64,
    bytes: Bytes,
    head_length: usize,
    rest_at: usize,
    facts: Facts,
}

impl Stored {
    /// `namespace/name`, the key within its table.
    pub fn path(&self) -> &Arc<str> {
        &self.path
    }

    /// The namespace, empty for cluster scope.
    pub fn namespace(&self) -> &str {
        self.path.split_once('/').map_or("", |(namespace, _)| namespace)
    }

    /// The name.
    pub fn name(&self) -> &str {
        self.path.split_once('/').map_or(&*self.path, |(_, name)| name)
    }

    /// The resource version of this state of the object.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The object as compact JSON, `kind` and `apiVersion` first.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The JSON after `kind` and `apiVersion`: `"metadata":{...},...}`, for lists (whose items do not repeat them) and
    /// for the other served versions of the same object.
    pub fn body(&self) -> Bytes {
        self.bytes.slice(self.head_length..)
    }

    /// What selectors ask for.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Reads the object.
    pub fn value(&self) -> Value {
        serde_json::from_slice(&self.bytes).expect("the store holds only what it serialised itself")
    }

    /// The same state under a later revision: what the event of a deletion shows.
    pub(super) fn moved_to(&self, revision: u64) -> Stored {
        let head = std::str::from_utf8(&self.bytes[..self.head_length + METADATA.len()])
            .expect("the head was made from a str");
        splice(
            self.path.clone(),
            head,
            revision,
            &self.bytes[self.rest_at..],
            self.facts.clone(),
        )
    }

    /// Reads back what [`Stored::bytes`] gave, from a log.
    pub(super) fn restore(path: &str, revision: u64, bytes: Bytes) -> Option<Stored> {
        let facts = Facts::of(&serde_json::from_slice(&bytes).ok()?);
        let text = std::str::from_utf8(&bytes).ok()?;
        let head_length = text.find(METADATA)?;
        let gap = version_text(revision);
        let rest_at = head_length + METADATA.len() + gap.len();
        text.get(head_length + METADATA.len()..)?
            .starts_with(&gap)
            .then_some(())?;
        Some(Stored {
            path: Arc::from(path),
            revision,
            bytes,
            head_length,
            rest_at,
            facts,
        })
    }
}

/// What separates the head of an object from its body.
const METADATA: &str = "\"metadata\":{";

fn head(api_version: &str, kind: &str) -> String {
    format!("{}{METADATA}", type_head(api_version, kind))
}

/// The text that opens an object of a type: everything before `"metadata"`.
pub fn type_head(api_version: &str, kind: &str) -> String {
    format!(
        "{{\"kind\":{},\"apiVersion\":{},",
        Value::from(kind),
        Value::from(api_version)
    )
}

fn version_text(revision: u64) -> String {
    format!("\"resourceVersion\":\"{revision}\"")
}

fn splice(path: Arc<str>, head: &str, revision: u64, rest: &[u8], facts: Facts) -> Stored {
    let mut text = String::with_capacity(head.len() + 48);
    text.push_str(head);
    // Writing to a String cannot fail.
    let _ = write!(text, "{}", version_text(revision));
    let mut bytes = text.into_bytes();
    let head_length = head.len() - METADATA.len();
    // The rest of a draft begins with a member or closes the metadata; the rest of a stored object has its comma already.
    if !matches!(rest.first(), Some(b'}' | b',')) {
        bytes.push(b',');
    }
    let rest_at = head.len() + version_text(revision).len();
    bytes.extend_from_slice(rest);
    Stored {
        path,
        revision,
        bytes: Bytes::from(bytes),
        head_length,
        rest_at,
        facts,
    }
}

fn write_member(out: &mut Vec<u8>, key: &str, value: &Value) {
    // Serialising a Value into memory cannot fail: its keys are strings.
    let _ = serde_json::to_writer(&mut *out, key);
    out.push(b':');
    let _ = serde_json::to_writer(&mut *out, value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn draft(object: &Value) -> Draft {
        Draft::new("apps/v1", "Deployment", object)
    }

    #[test]
    fn the_version_is_filled_in_and_moves() {
        let check = |object: Value, expect: &str| {
            let stored = draft(&object).at("a/web".into(), 7);
            assert_eq!(std::str::from_utf8(stored.bytes()), Ok(expect));
            let moved = stored.moved_to(12);
            let later = expect.replace("\"resourceVersion\":\"7\"", "\"resourceVersion\":\"12\"");
            assert_eq!(std::str::from_utf8(moved.bytes()), Ok(later.as_str()));
            let again = Stored::restore("a/web", 12, moved.bytes().clone()).expect("its own bytes");
            assert_eq!(again.moved_to(7).bytes(), stored.bytes());
            assert_eq!(again.body(), moved.body());
        };
        check(
            json!({"metadata": {"name": "web", "resourceVersion": "3"}, "spec": {"replicas": 1}}),
            r#"{"kind":"Deployment","apiVersion":"apps/v1","metadata":{"resourceVersion":"7","name":"web"},"spec":{"replicas":1}}"#,
        );
        check(
            json!({}),
            r#"{"kind":"Deployment","apiVersion":"apps/v1","metadata":{"resourceVersion":"7"}}"#,
        );
    }

    #[test]
    fn the_body_leaves_the_type_out() {
        let stored = draft(&json!({"metadata": {"name": "web"}})).at("a/web".into(), 7);
        assert_eq!(
            &stored.body()[..],
            br#""metadata":{"resourceVersion":"7","name":"web"}}"#
        );
        assert_eq!((stored.namespace(), stored.name()), ("a", "web"));
    }
}
