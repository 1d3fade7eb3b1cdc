//! GraphQL documents: read into the tree that tools of the field exchange as JSON, and checked.
//!
//! The tree is a [`Value`] from the start, since policies may hand trees in as well as texts.
//! Nodes carry a `Position` while they are checked; [`prune`] takes it out.

mod lexer;
mod parser;
mod query;
mod schema;

pub(crate) use parser::{query as parse_query, schema as parse_schema};
pub(crate) use query::validate as validate_query;
pub(crate) use schema::{Schema, validate as validate_schema};

use crate::value::Value;

/// What is wrong with a document, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) message: String,
    pub(crate) row: usize,
    pub(crate) col: usize,
}

impl Problem {
    /// A problem at a node; a tree that was handed in has no places.
    fn at(node: &Value, message: impl Into<String>) -> Self {
        let place = |name: &str| {
            let number = get(get(node, "Position")?, name)?.as_number()?.as_i64()?;
            usize::try_from(number).ok()
        };
        Self {
            message: message.into(),
            row: place("Line").unwrap_or(0),
            col: place("Column").unwrap_or(0),
        }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sentence = self.message.strip_suffix('.').filter(|rest| !rest.ends_with('.'));
        let message = sentence.unwrap_or(&self.message);
        if self.row == 0 {
            return write!(f, "{message} in GraphQL");
        }
        write!(f, "{message} in GraphQL string at location {}:{}", self.row, self.col)
    }
}

fn get<'v>(node: &'v Value, name: &str) -> Option<&'v Value> {
    node.as_object()?.get_str(name)
}

fn text<'v>(node: &'v Value, name: &str) -> &'v str {
    get(node, name).and_then(Value::as_str).unwrap_or_default()
}

fn list<'v>(node: &'v Value, name: &str) -> &'v [Value] {
    get(node, name).and_then(Value::as_array).unwrap_or_default()
}

fn flag(node: &Value, name: &str) -> bool {
    get(node, name) == Some(&Value::Bool(true))
}

/// The tree without places, nulls and empty collections.
pub(crate) fn prune(value: &Value) -> Value {
    let dull = |value: &Value| match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(object) => object.is_empty(),
        _ => false,
    };
    match value {
        Value::Array(items) => Value::array(items.iter().map(prune).filter(|item| !dull(item)).collect::<Vec<_>>()),
        Value::Object(object) => Value::object(
            object
                .iter()
                .filter(|(key, _)| key.as_str() != Some("Position"))
                .map(|(key, value)| (key.clone(), prune(value)))
                .filter(|(_, value)| !dull(value)),
        ),
        other => other.clone(),
    }
}

/// A type as it is written: `[Int!]!`.
fn type_text(node: &Value) -> String {
    let inner = match get(node, "Elem") {
        Some(element @ Value::Object(_)) => format!("[{}]", type_text(element)),
        _ => text(node, "NamedType").to_owned(),
    };
    if flag(node, "NonNull") {
        format!("{inner}!")
    } else {
        inner
    }
}

/// The name at the core of a type.
fn type_name(node: &Value) -> &str {
    match get(node, "Elem") {
        Some(element @ Value::Object(_)) => type_name(element),
        _ => text(node, "NamedType"),
    }
}
