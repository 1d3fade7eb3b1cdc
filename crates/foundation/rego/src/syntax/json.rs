//! The syntax tree as JSON, in the field's format.

use super::ast::{Module, Term, TermKind};
use crate::value::Value;

/// A module, as far as tools read it: its package and imports, and the heads of its rules.
pub(crate) fn module(module: &Module) -> Value {
    let data = Value::record([("type", "var".into()), ("value", "data".into())]);
    let path = std::iter::once(data).chain(module.package.iter().map(string_term));
    let mut fields = vec![("package", Value::record([("path", Value::array(path))]))];
    if !module.imports.is_empty() {
        let imports = module.imports.iter().map(|import| {
            let path = import.path.iter().map(term);
            let path = Value::record([
                ("type", "ref".into()),
                ("value", Value::array(path.collect::<Vec<_>>())),
            ]);
            let mut fields = vec![("path", path)];
            if let Some(alias) = &import.alias {
                fields.push(("alias", Value::String(alias.clone())));
            }
            Value::record(fields)
        });
        fields.push(("imports", Value::array(imports.collect::<Vec<_>>())));
    }
    Value::record(fields)
}

fn string_term(term: &Term) -> Value {
    let text = term.as_var().or(term.as_string()).cloned().unwrap_or_default();
    Value::record([("type", "string".into()), ("value", Value::String(text))])
}

fn term(term: &Term) -> Value {
    let tagged = |kind: &str, value: Value| Value::record([("type", kind.into()), ("value", value)]);
    let many = |items: &[Term]| Value::array(items.iter().map(self::term).collect::<Vec<_>>());
    match &term.kind {
        TermKind::Var(name) => tagged("var", Value::String(name.clone())),
        TermKind::Ref(head, path) => tagged(
            "ref",
            Value::array(std::iter::once(&**head).chain(path).map(self::term).collect::<Vec<_>>()),
        ),
        TermKind::Array(items) => tagged("array", many(items)),
        TermKind::Set(items) => tagged("set", many(items)),
        TermKind::Call(operator, args) => {
            let operator = std::iter::once(self::term(operator)).chain(args.iter().map(self::term));
            tagged("call", Value::array(operator.collect::<Vec<_>>()))
        }
        _ => {
            let value = term.constant().unwrap_or_default();
            tagged(value.type_name(), value)
        }
    }
}
