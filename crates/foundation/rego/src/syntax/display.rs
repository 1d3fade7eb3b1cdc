//! Syntax as text: for messages, and for printing back what was read.

use std::fmt::{self, Display};

use super::ast::{TemplatePart, Term, TermKind};
use crate::value::Value;

/// Whether `text` can follow a dot.
fn is_identifier(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn list(f: &mut fmt::Formatter<'_>, items: &[Term]) -> fmt::Result {
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            f.write_str(", ")?;
        }
        item.fmt(f)?;
    }
    Ok(())
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            TermKind::Null | TermKind::Bool(_) | TermKind::Number(_) | TermKind::String(_) => {
                self.constant().unwrap_or(Value::Null).fmt(f)
            }
            TermKind::Var(name) if name.starts_with('$') => f.write_str("_"),
            TermKind::Var(name) => f.write_str(name),
            TermKind::Ref(head, path) => {
                head.fmt(f)?;
                for step in path {
                    match step.as_string() {
                        Some(text) if is_identifier(text) => write!(f, ".{text}")?,
                        _ => write!(f, "[{step}]")?,
                    }
                }
                Ok(())
            }
            TermKind::Array(items) => {
                f.write_str("[")?;
                list(f, items)?;
                f.write_str("]")
            }
            TermKind::Set(items) if items.is_empty() => f.write_str("set()"),
            TermKind::Set(items) => {
                f.write_str("{")?;
                list(f, items)?;
                f.write_str("}")
            }
            TermKind::Object(entries) => {
                f.write_str("{")?;
                for (i, (key, value)) in entries.iter().enumerate() {
                    let comma = if i > 0 { ", " } else { "" };
                    write!(f, "{comma}{key}: {value}")?;
                }
                f.write_str("}")
            }
            TermKind::ArrayCompr(head, _) => write!(f, "[{head} | …]"),
            TermKind::SetCompr(head, _) => write!(f, "{{{head} | …}}"),
            TermKind::ObjectCompr(key, value, _) => write!(f, "{{{key}: {value} | …}}"),
            TermKind::Call(operator, args) => {
                write!(f, "{operator}(")?;
                list(f, args)?;
                f.write_str(")")
            }
            TermKind::Template(parts) => {
                f.write_str("$\"")?;
                for part in parts {
                    match part {
                        TemplatePart::Text(text) => f.write_str(text)?,
                        TemplatePart::Term(term) | TemplatePart::Scoped(term) => write!(f, "{{{term}}}")?,
                    }
                }
                f.write_str("\"")
            }
        }
    }
}
