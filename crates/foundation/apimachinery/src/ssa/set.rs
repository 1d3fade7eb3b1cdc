//! Sets of paths of fields, in the form of `fieldsV1`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// A set of paths. Steps are written as in `fieldsV1`: `f:NAME` a field, `k:{...}` a list element by its keys, `v:...` by its
/// value, `i:N` by its place. A path may be in the set with or without what lies below it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSet {
    member: bool,
    children: BTreeMap<String, FieldSet>,
}

/// The step to a field.
pub(super) fn field(name: &str) -> String {
    format!("f:{name}")
}

impl FieldSet {
    /// Reads `fieldsV1`; steps that are malformed are kept as they are.
    pub fn from_value(fields: &Value) -> Self {
        let mut set = FieldSet::default();
        for (step, below) in fields.as_object().into_iter().flatten() {
            if step == "." {
                set.member = true;
                continue;
            }
            let mut child = FieldSet::from_value(below);
            child.member |= below.as_object().is_none_or(Map::is_empty);
            set.children.insert(normalized(step), child);
        }
        set
    }

    /// The form of `fieldsV1`.
    pub fn to_value(&self) -> Value {
        let mut fields = Map::new();
        for (step, child) in &self.children {
            let mut below = child.to_value();
            if let (true, false, Value::Object(fields)) = (child.member, child.children.is_empty(), &mut below) {
                fields.shift_insert(0, ".".to_owned(), Value::Object(Map::new()));
            }
            fields.insert(step.clone(), below);
        }
        Value::Object(fields)
    }

    /// Whether no path is in the set.
    pub fn is_empty(&self) -> bool {
        !self.member && self.children.values().all(FieldSet::is_empty)
    }

    /// Adds a path of steps; the empty path is never a member.
    pub(super) fn insert(&mut self, path: &[String]) {
        if path.is_empty() {
            return;
        }
        let mut set = self;
        for step in path {
            set = set.children.entry(step.clone()).or_default();
        }
        set.member = true;
    }

    /// Adds a path of fields by name.
    pub fn insert_fields(&mut self, names: &[&str]) {
        let path: Vec<String> = names.iter().map(|name| field(name)).collect();
        self.insert(&path);
    }

    /// Whether this very path is in the set.
    pub(super) fn has(&self, path: &[String]) -> bool {
        let last = path.iter().try_fold(self, |set, step| set.children.get(step));
        last.is_some_and(|set| set.member)
    }

    pub(super) fn child(&self, step: &str) -> Option<&FieldSet> {
        self.children.get(step)
    }

    pub(super) fn is_member(&self) -> bool {
        self.member
    }

    /// With every step's own membership decided anew by `decide(step, path below)`.
    pub(super) fn map_children(&self, mut decide: impl FnMut(&str, &FieldSet) -> FieldSet) -> FieldSet {
        let children = self
            .children
            .iter()
            .map(|(step, child)| (step.clone(), decide(step, child)));
        FieldSet {
            member: self.member,
            children: children.collect(),
        }
    }

    pub(super) fn with_member(mut self, member: bool) -> Self {
        self.member |= member;
        self
    }

    /// Paths that are in either set.
    pub fn union(&self, other: &FieldSet) -> FieldSet {
        let mut set = self.clone();
        set.member |= other.member;
        for (step, child) in &other.children {
            let merged = match set.children.get(step) {
                Some(own) => own.union(child),
                None => child.clone(),
            };
            set.children.insert(step.clone(), merged);
        }
        set
    }

    /// Paths that are in both sets.
    pub fn intersection(&self, other: &FieldSet) -> FieldSet {
        let shared = self.children.iter().filter_map(|(step, child)| {
            let both = child.intersection(other.children.get(step)?);
            (!both.is_empty()).then(|| (step.clone(), both))
        });
        FieldSet {
            member: self.member && other.member,
            children: shared.collect(),
        }
    }

    /// Paths that are in this set only; what lies below a path of the other set stays.
    pub fn difference(&self, other: &FieldSet) -> FieldSet {
        self.subtract(other, |_| false)
    }

    /// Paths that are in this set and neither in the other nor below one of its paths.
    pub fn recursive_difference(&self, other: &FieldSet) -> FieldSet {
        self.subtract(other, |other| other.member)
    }

    fn subtract(&self, other: &FieldSet, whole: fn(&FieldSet) -> bool) -> FieldSet {
        let left = self.children.iter().filter_map(|(step, child)| {
            let rest = match other.children.get(step) {
                Some(other) if whole(other) => return None,
                Some(other) => child.subtract(other, whole),
                None => child.clone(),
            };
            (!rest.is_empty()).then(|| (step.clone(), rest))
        });
        FieldSet {
            member: self.member && !other.member,
            children: left.collect(),
        }
    }

    /// All paths: at each place first what is owned there, then what lies below.
    pub(super) fn paths(&self) -> Vec<Vec<String>> {
        fn walk(set: &FieldSet, path: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
            for (step, _) in set.children.iter().filter(|(_, child)| child.member) {
                found.push([path.as_slice(), std::slice::from_ref(step)].concat());
            }
            for (step, child) in &set.children {
                path.push(step.clone());
                walk(child, path, found);
                path.pop();
            }
        }
        let mut found = Vec::new();
        walk(self, &mut Vec::new(), &mut found);
        found
    }
}

/// Keys of list elements in the order and form that this crate writes.
fn normalized(step: &str) -> String {
    let form = |kind: &str| {
        let value: Value = serde_json::from_str(step.strip_prefix(kind)?).ok()?;
        let value = match value {
            Value::Object(mut keys) => {
                keys.sort_keys();
                Value::Object(keys)
            }
            other => other,
        };
        Some(format!("{kind}{value}"))
    };
    form("k:").or_else(|| form("v:")).unwrap_or_else(|| step.to_owned())
}

/// A path as people read it: `.spec.containers[name="web"].image`.
pub(super) fn display(path: &[String]) -> String {
    let step = |step: &String| {
        let (kind, rest) = step.split_once(':').unwrap_or(("f", step));
        match kind {
            "k" => {
                let keys: Value = serde_json::from_str(rest).unwrap_or_default();
                let keys = keys
                    .as_object()
                    .into_iter()
                    .flatten()
                    .map(|(key, value)| format!("{key}={value}"));
                format!("[{}]", keys.collect::<Vec<_>>().join(","))
            }
            "v" => format!("[={rest}]"),
            "i" => format!("[{rest}]"),
            _ => format!(".{rest}"),
        }
    };
    path.iter().map(step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn the_form_of_managed_fields() {
        let value = json!({"f:metadata": {"f:labels": {".": {}, "f:app": {}}},
            "f:spec": {"f:ports": {"k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}, "f:port": {}}}, "f:replicas": {}}});
        let set = FieldSet::from_value(&value);
        assert_eq!(set.to_value(), value);
        let texts: Vec<String> = set.paths().iter().map(|path| display(path)).collect();
        assert_eq!(
            texts,
            [
                ".metadata.labels",
                ".metadata.labels.app",
                ".spec.replicas",
                ".spec.ports[port=80,protocol=\"TCP\"]",
                ".spec.ports[port=80,protocol=\"TCP\"].port",
            ]
        );
        let reordered = json!({"f:spec": {"f:ports": {"k:{\"protocol\":\"TCP\",\"port\":80}": {}}}});
        assert!(!FieldSet::from_value(&reordered).intersection(&set).is_empty());
    }

    fn sets() -> impl Strategy<Value = FieldSet> {
        let path = proptest::collection::vec("f:[ab]|k:\\{\"n\":[12]\\}|v:[12]", 1..4);
        proptest::collection::vec(path, 0..8).prop_map(|paths| {
            let mut set = FieldSet::default();
            paths.iter().for_each(|path| set.insert(path));
            set
        })
    }

    proptest! {
        #[test]
        fn fields_v1_round_trip(set in sets()) {
            prop_assert_eq!(FieldSet::from_value(&set.to_value()), set);
        }

        #[test]
        fn algebra(a in sets(), b in sets()) {
            let paths = |set: &FieldSet| set.paths();
            let union = a.union(&b);
            prop_assert!(paths(&union).iter().all(|path| a.has(path) || b.has(path)));
            prop_assert_eq!(paths(&union).len(), paths(&a).len() + paths(&b.difference(&a)).len());
            prop_assert!(paths(&a.difference(&b)).iter().all(|path| a.has(path) && !b.has(path)));
            prop_assert!(paths(&a.intersection(&b)).iter().all(|path| a.has(path) && b.has(path)));
        }
    }
}
