//! `# METADATA` comment blocks: YAML that describes the rule or package after it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::ast::{Annotation, Module, Span};
use crate::error::{Code, Error, Location};
use crate::value::Value;

const MARK: &str = "METADATA";

/// Reads all blocks of a module and attaches each to what follows it.
pub(super) fn attach(module: &Module) -> Result<Vec<Annotation>, Error> {
    let mut out = Vec::new();
    let comments = &module.comments;
    let mut i = 0;
    while i < comments.len() {
        if comments[i].1.trim() != MARK {
            i += 1;
            continue;
        }
        let start = i;
        i += 1;
        // The block goes on while comments stand on neighbouring lines.
        while i < comments.len() && comments[i].0.row == comments[i - 1].0.row + 1 {
            i += 1;
        }
        out.push(read(module, &comments[start..i])?);
    }
    Ok(out)
}

fn read(module: &Module, block: &[(Span, Arc<str>)]) -> Result<Annotation, Error> {
    let span = Span {
        end: block[block.len() - 1].0.end,
        ..block[0].0
    };
    let fail = |message: String| {
        let location = Location {
            file: module.file.clone(),
            row: span.row,
            col: span.col,
        };
        Error::new(Code::Parse, message).at(location)
    };
    let yaml: String = block[1..]
        .iter()
        .map(|(_, text)| format!("{}\n", text.strip_prefix(' ').unwrap_or(text)))
        .collect();
    let json: serde_json::Value = if yaml.trim().is_empty() {
        return Err(fail("expected METADATA block, found whitespace".to_owned()));
    } else {
        serde_saphyr::from_str(&yaml).map_err(|e| fail(format!("yaml: {e}")))?
    };
    let serde_json::Value::Object(map) = json else {
        return Err(fail("METADATA must be a map of fields".to_owned()));
    };
    let mut fields: BTreeMap<String, Value> = map
        .iter()
        .map(|(key, value)| (key.clone(), Value::from(value)))
        .collect();
    normalise(&mut fields);

    let last_row = block[block.len() - 1].0.row;
    let package = module.package_span.row > last_row;
    let rule = module.rules.iter().position(|rule| rule.span.row > last_row);
    let written = fields.get("scope").and_then(|s| s.as_str().map(str::to_owned));
    let scope = match written {
        Some(scope) if matches!(&*scope, "rule" | "document" | "package" | "subpackages") => scope,
        Some(scope) => {
            return Err(fail(format!(
                "invalid scope {scope:?}, must be one of rule, document, package, subpackages"
            )));
        }
        None if package => "package".to_owned(),
        None if fields.get("entrypoint") == Some(&Value::Bool(true)) => "document".to_owned(),
        None => "rule".to_owned(),
    };
    let (target_row, target_rule) = match (&*scope, package, rule) {
        ("package" | "subpackages", _, _) => (module.package_span.row, None),
        (_, false, Some(i)) => (module.rules[i].span.row, Some(i)),
        (_, true, _) => return Err(fail(format!("annotation scope '{scope}' must be applied to rule"))),
        (_, false, None) => return Err(fail("annotation is not attached to anything".to_owned())),
    };
    fields.insert("scope".to_owned(), scope.as_str().into());
    let fields = Value::object(fields.into_iter().map(|(k, v)| (k.into(), v)));
    Ok(Annotation {
        scope,
        fields,
        span,
        target_row,
        target_rule,
    })
}

/// Short forms become the objects that they stand for.
fn normalise(fields: &mut BTreeMap<String, Value>) {
    if let Some(Value::Array(authors)) = fields.get("authors") {
        let authors = authors.iter().map(|author| match author.as_str() {
            Some(text) => person(text),
            None => author.clone(),
        });
        let authors = Value::array(authors.collect::<Vec<_>>());
        fields.insert("authors".to_owned(), authors);
    }
    if let Some(Value::Array(related)) = fields.get("related_resources") {
        let related = related.iter().map(|item| match item {
            Value::String(_) => Value::record([("ref", item.clone())]),
            other => other.clone(),
        });
        let related = Value::array(related.collect::<Vec<_>>());
        fields.insert("related_resources".to_owned(), related);
    }
}

/// `Jane Doe <jane@example.com>`.
fn person(text: &str) -> Value {
    let (name, email) = match text.rsplit_once(' ') {
        Some((name, last)) if last.starts_with('<') && last.ends_with('>') => (name.trim(), &last[1..last.len() - 1]),
        _ if text.starts_with('<') && text.ends_with('>') => ("", &text[1..text.len() - 1]),
        _ => (text.trim(), ""),
    };
    let mut entries = Vec::new();
    if !name.is_empty() {
        entries.push(("name", name.into()));
    }
    if !email.is_empty() {
        entries.push(("email", email.into()));
    }
    Value::record(entries)
}
