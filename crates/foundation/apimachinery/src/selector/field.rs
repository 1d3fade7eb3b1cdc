//! Field selectors.
//!
//! Only some fields of each kind can be selected; [`Selectable`] knows which and how their values read as text.
//! Source of the syntax: apimachinery's `fields`; of the fields: each kind's `GetAttrs` and field label conversions.

use std::fmt;

use serde_json::Value;
use thiserror::Error;

use crate::resources::GroupKind;

/// A field selector that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FieldSelectorError {
    /// A term is not of the form `field=value`.
    #[error("invalid selector: '{selector}'; can't understand '{term}'")]
    Syntax {
        /// The whole text.
        selector: String,
        /// The term.
        term: String,
    },
    /// A backslash escapes nothing that needs it.
    #[error("invalid field selector: invalid escape sequence: {0}")]
    Escape(String),
    /// The kind does not let this field select.
    #[error("field label not supported: {0}")]
    NotSupported(String),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Term {
    field: String,
    equal: bool,
    value: String,
}

/// A conjunction of comparisons of fields with texts; the empty one selects everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct FieldSelector {
    terms: Vec<Term>,
}

impl FieldSelector {
    /// Reads the text form, as in `?fieldSelector=`.
    pub fn parse(text: &str) -> Result<Self, FieldSelectorError> {
        let mut terms = Vec::new();
        for term in split_terms(text).filter(|term| !term.is_empty()) {
            let (field, operator, value) = split_term(term).ok_or_else(|| FieldSelectorError::Syntax {
                selector: text.to_owned(),
                term: term.to_owned(),
            })?;
            terms.push(Term {
                field: field.to_owned(),
                equal: operator != "!=",
                value: unescape(value)?,
            });
        }
        Ok(FieldSelector { terms })
    }

    /// Fails on a field that the kind does not let select.
    pub fn check(&self, selectable: &Selectable) -> Result<(), FieldSelectorError> {
        match self.terms.iter().find(|term| !selectable.allows(&term.field)) {
            Some(term) => Err(FieldSelectorError::NotSupported(term.field.clone())),
            None => Ok(()),
        }
    }

    /// Whether it selects this object.
    pub fn matches(&self, selectable: &Selectable, object: &Value) -> bool {
        self.terms
            .iter()
            .all(|term| (selectable.value(object, &term.field) == term.value) == term.equal)
    }

    /// The value that a field must have, where the selector says so; lets a server answer `metadata.name=x` by a lookup.
    pub fn exact(&self, field: &str) -> Option<&str> {
        self.terms
            .iter()
            .find(|term| term.equal && term.field == field)
            .map(|term| &*term.value)
    }

    /// Whether it selects everything.
    pub fn is_everything(&self) -> bool {
        self.terms.is_empty()
    }
}

impl fmt::Display for FieldSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, term) in self.terms.iter().enumerate() {
            let comma = if place > 0 { "," } else { "" };
            let operator = if term.equal { "=" } else { "!=" };
            write!(f, "{comma}{}{operator}{}", term.field, escape(&term.value))?;
        }
        Ok(())
    }
}

/// Terms between commas that no backslash escapes.
fn split_terms(text: &str) -> impl Iterator<Item = &str> {
    let mut escaped = false;
    text.split(move |c| {
        let cut = c == ',' && !escaped;
        escaped = c == '\\' && !escaped;
        cut
    })
}

/// The first operator that no backslash escapes divides a term.
fn split_term(term: &str) -> Option<(&str, &str, &str)> {
    let mut escaped = false;
    for (place, c) in term.char_indices() {
        if !escaped {
            for operator in ["!=", "==", "="] {
                if let Some(value) = term[place..].strip_prefix(operator) {
                    return Some((&term[..place], operator, value));
                }
            }
        }
        escaped = c == '\\' && !escaped;
    }
    None
}

fn unescape(text: &str) -> Result<String, FieldSelectorError> {
    let mut plain = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(escaped @ ('\\' | ',' | '=')) => plain.push(escaped),
                Some(other) => return Err(FieldSelectorError::Escape(format!("\\{other}"))),
                None => return Err(FieldSelectorError::Escape("\\".to_owned())),
            },
            '=' => return Err(FieldSelectorError::Escape(text.to_owned())),
            other => plain.push(other),
        }
    }
    Ok(plain)
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace(',', "\\,").replace('=', "\\=")
}

/// The fields of one kind that can select.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selectable {
    fields: Vec<String>,
}

/// Beyond `metadata.name` and `metadata.namespace`, which every kind has.
const FIELDS: [(&str, &str, &[&str]); 11] = [
    (
        "",
        "Pod",
        &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.podIPs",
            "status.nominatedNodeName",
        ],
    ),
    ("", "Node", &["spec.unschedulable"]),
    ("", "Namespace", &["status.phase", "name"]),
    ("", "ReplicationController", &["status.replicas"]),
    ("", "Secret", &["type"]),
    ("", "Service", &["spec.clusterIP", "spec.type"]),
    (
        "",
        "Event",
        &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
    ),
    (
        "events.k8s.io",
        "Event",
        &[
            "regarding.kind",
            "regarding.namespace",
            "regarding.name",
            "regarding.uid",
            "regarding.apiVersion",
            "regarding.resourceVersion",
            "regarding.fieldPath",
            "reason",
            "reportingController",
            "type",
        ],
    ),
    ("apps", "ReplicaSet", &["status.replicas"]),
    ("batch", "Job", &["status.successful"]),
    ("certificates.k8s.io", "CertificateSigningRequest", &["spec.signerName"]),
];

impl Selectable {
    /// The fields of a built-in kind; of any other kind, name and namespace.
    pub fn of(kind: &GroupKind) -> Self {
        let known = FIELDS
            .iter()
            .find(|(group, name, _)| *group == kind.group && *name == kind.kind);
        let fields = known.map(|(_, _, fields)| *fields).unwrap_or_default();
        Selectable {
            fields: fields.iter().map(|&field| field.to_owned()).collect(),
        }
    }

    /// With the `selectableFields` of a CustomResourceDefinition version: JSON paths such as `.spec.color`.
    pub fn with_custom(mut self, version: &Value) -> Self {
        for field in version["selectableFields"].as_array().into_iter().flatten() {
            let path = field["jsonPath"].as_str().unwrap_or_default();
            self.fields.push(path.trim_start_matches('.').to_owned());
        }
        self
    }

    fn allows(&self, field: &str) -> bool {
        matches!(field, "metadata.name" | "metadata.namespace") || self.fields.iter().any(|known| known == field)
    }

    /// The text of a field; empty where it is absent.
    fn value(&self, object: &Value, field: &str) -> String {
        let text = |path: &str| scalar(path.split('.').fold(object, |value, key| &value[key]));
        let or = |value: String, fallback: &str| {
            if value.is_empty() { fallback.to_owned() } else { value }
        };
        match field {
            "name" => text("metadata.name"),
            "source" => {
                let component = text("source.component");
                if component.is_empty() {
                    text("reportingComponent")
                } else {
                    component
                }
            }
            "reportingController" => {
                let controller = text("reportingController");
                if controller.is_empty() {
                    text("deprecatedSource.component")
                } else {
                    controller
                }
            }
            "spec.unschedulable" | "spec.hostNetwork" => or(text(field), "false"),
            "status.replicas" => or(text(field), "0"),
            "status.successful" => or(text("status.succeeded"), "0"),
            "status.podIPs" => {
                let addresses = object["status"]["podIPs"].as_array().into_iter().flatten();
                addresses
                    .map(|address| scalar(&address["ip"]))
                    .collect::<Vec<_>>()
                    .join(",")
            }
            other => text(other),
        }
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod() -> Selectable {
        Selectable::of(&GroupKind {
            group: String::new(),
            kind: "Pod".into(),
        })
    }

    #[test]
    fn selects_pods_of_a_node() {
        let object = json!({"metadata": {"name": "a"}, "spec": {"nodeName": "n1"}, "status": {"phase": "Running"}});
        let check = |text: &str, expect: bool| {
            let selector = FieldSelector::parse(text).expect(text);
            selector.check(&pod()).expect(text);
            assert_eq!(selector.matches(&pod(), &object), expect, "{text}");
        };
        check("", true);
        check("spec.nodeName=n1", true);
        check("spec.nodeName==n1,status.phase!=Succeeded,status.phase!=Failed", true);
        check("spec.nodeName!=n1", false);
        check("metadata.namespace=", true);
        check("spec.hostNetwork=false", true);
    }

    #[test]
    fn errors() {
        let check = |text: &str, expect: &str| {
            let outcome = FieldSelector::parse(text).and_then(|selector| selector.check(&pod()));
            assert_eq!(
                outcome.map_err(|error| error.to_string()),
                Err(expect.to_owned()),
                "{text}"
            );
        };
        check("spec.foo=x", "field label not supported: spec.foo");
        check("nodeName", "invalid selector: 'nodeName'; can't understand 'nodeName'");
        check("a=\\x", "invalid field selector: invalid escape sequence: \\x");
    }

    #[test]
    fn escapes_round_trip() {
        let selector = FieldSelector::parse(r"metadata.name=a\,b\=c\\d").expect("valid");
        assert_eq!(selector.exact("metadata.name"), Some(r"a,b=c\d"));
        assert_eq!(selector.to_string(), r"metadata.name=a\,b\=c\\d");
    }
}
