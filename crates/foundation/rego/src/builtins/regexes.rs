//! Regular expressions (RE2's syntax, in linear time) and globs.

use std::sync::Arc;

use regex::Regex;

use super::{Builtin, Env, Fault, Outcome, array, failed, int, ok, string, wrong_element, wrong_type};
use crate::glob;
use crate::value::Value;

/// The largest compiled pattern in bytes, and how many are kept.
const SIZE_MAX: usize = 10 << 20;
const KEPT_MAX: usize = 200;

pub(super) const TABLE: &[Builtin] = &[
    Builtin::new("regex.match", 2, is_match),
    Builtin::new("re_match", 2, is_match),
    Builtin::new("regex.is_valid", 1, |env, a| {
        let Some(pattern) = a[0].as_str() else { return ok(false) };
        ok(compile(env, &pattern.into()).is_ok())
    }),
    Builtin::new("regex.split", 2, split),
    Builtin::new("regex.find_n", 3, find_n),
    Builtin::new("regex.find_all_string_submatch_n", 3, find_groups),
    Builtin::new("regex.replace", 3, replace),
    Builtin::new("regex.template_match", 4, template_match),
    Builtin::new("regex.globs_match", 2, |_, a| {
        match glob::intersect(string(a, 0)?, string(a, 1)?) {
            Ok(meets) => ok(meets),
            Err(message) => failed(message),
        }
    }),
    Builtin::new("glob.match", 3, glob_match),
    Builtin::new("glob.quote_meta", 1, |_, a| ok(glob::quote(string(a, 0)?))),
];

fn compile(env: &mut Env<'_>, pattern: &Arc<str>) -> Result<Arc<Regex>, Fault> {
    if let Some(known) = env.memory.regexes.get(pattern) {
        return Ok(known.clone());
    }
    let built = regex::RegexBuilder::new(&translate(pattern))
        .size_limit(SIZE_MAX)
        .build();
    let regex = Arc::new(built.map_err(|error| {
        let reason = error.to_string();
        let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ");
        Fault::Failed(format!("error parsing regexp: {reason}: `{pattern}`"))
    })?);
    if env.memory.regexes.len() >= KEPT_MAX {
        env.memory.regexes.clear();
    }
    env.memory.regexes.insert(pattern.clone(), regex.clone());
    Ok(regex)
}

/// Where RE2 and this crate differ: `\d`, `\w`, `\s` and `\b` are ASCII there, `\z` and `\C`
/// aside, and brackets need no escape within brackets.
fn translate(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut chars = pattern.chars().peekable();
    let mut in_class = false;
    let mut class_start = false;
    while let Some(c) = chars.next() {
        let first = std::mem::replace(&mut class_start, false);
        match c {
            '\\' => match chars.next() {
                Some('Q') => {
                    let mut literal = String::new();
                    while let Some(c) = chars.next() {
                        if c == '\\' && chars.peek() == Some(&'E') {
                            chars.next();
                            break;
                        }
                        literal.push(c);
                    }
                    out.push_str(&regex::escape(&literal));
                }
                Some(c @ ('d' | 'w' | 's' | 'D' | 'W' | 'S')) => {
                    let inner = match c.to_ascii_lowercase() {
                        'd' => "0-9",
                        'w' => "0-9A-Za-z_",
                        // Without the vertical tab, as in Perl of old.
                        _ => "\\t\\n\\x0C\\r ",
                    };
                    let not = if c.is_ascii_uppercase() { "^" } else { "" };
                    out.push_str(&format!("[{not}{inner}]"));
                }
                Some(c @ ('b' | 'B')) if !in_class => out.push_str(&format!("(?-u:\\{c})")),
                Some('/') => out.push('/'),
                Some('_') => out.push('_'),
                Some('"') => out.push('"'),
                Some('\'') => out.push('\''),
                Some(c @ ('<' | '>' | '`')) => out.push(c),
                Some(c) => {
                    out.push('\\');
                    out.push(c);
                }
                None => out.push('\\'),
            },
            '[' if in_class => {
                if chars.peek() == Some(&':') {
                    // A POSIX class is closed before the bracket around it.
                    out.push('[');
                    while let Some(c) = chars.next() {
                        out.push(c);
                        if c == ':' && chars.peek() == Some(&']') {
                            out.extend(chars.next());
                            break;
                        }
                    }
                } else {
                    out.push_str("\\[");
                }
            }
            '[' => {
                in_class = true;
                out.push('[');
                if chars.peek() == Some(&'^') {
                    out.extend(chars.next());
                }
                class_start = true;
            }
            ']' if in_class && first => out.push_str("\\]"),
            ']' if in_class => {
                in_class = false;
                out.push(']');
            }
            '&' | '~' if in_class => {
                out.push('\\');
                out.push(c);
            }
            '-' if in_class && chars.peek() == Some(&'-') => out.push_str("\\-"),
            c => out.push(c),
        }
    }
    out
}

fn is_match(env: &mut Env<'_>, args: &[Value]) -> Outcome {
    let regex = compile(env, string(args, 0)?)?;
    ok(regex.is_match(string(args, 1)?))
}

fn split(env: &mut Env<'_>, args: &[Value]) -> Outcome {
    let regex = compile(env, string(args, 0)?)?;
    let text = string(args, 1)?;
    if text.is_empty() {
        return ok(vec![Value::from("")]);
    }
    // Empty matches split between characters, but neither before the first nor after the last.
    let mut out: Vec<Value> = Vec::new();
    let (mut start, mut end) = (0, 0);
    for found in regex.find_iter(text) {
        end = found.start();
        if found.end() != 0 {
            out.push(text[start..end].into());
        }
        start = found.end();
    }
    if end != text.len() {
        out.push(text[start..].into());
    }
    ok(out)
}

fn count(args: &[Value], at: usize) -> Result<usize, Fault> {
    Ok(usize::try_from(int(args, at)?).unwrap_or(usize::MAX))
}

fn find_n(env: &mut Env<'_>, args: &[Value]) -> Outcome {
    let regex = compile(env, string(args, 0)?)?;
    let text = string(args, 1)?;
    let found = regex.find_iter(text).take(count(args, 2)?);
    ok(found.map(|found| found.as_str().into()).collect::<Vec<Value>>())
}

fn find_groups(env: &mut Env<'_>, args: &[Value]) -> Outcome {
    let regex = compile(env, string(args, 0)?)?;
    let text = string(args, 1)?;
    let found = regex
        .captures_iter(text)
        .take(count(args, 2)?)
        .map(|groups| Value::array(groups.iter().map(|group| group.map_or("", |m| m.as_str()).into())));
    ok(found.collect::<Vec<Value>>())
}

fn replace(env: &mut Env<'_>, args: &[Value]) -> Outcome {
    let text = string(args, 0)?;
    let regex = compile(env, string(args, 1)?)?;
    ok(regex.replace_all(text, &**string(args, 2)?).into_owned())
}

/// A template is a text in which pieces between two delimiters are regular expressions.
fn template_match(env: &mut Env<'_>, args: &[Value]) -> Outcome {
    let (template, text) = (string(args, 0)?, string(args, 1)?);
    let delimiter = |at: usize| -> Result<char, Fault> {
        let text = string(args, at)?;
        let mut chars = text.chars();
        match (chars.next(), chars.next()) {
            (Some(c), None) => Ok(c),
            _ => failed("delimiters must be single characters".to_owned()),
        }
    };
    let (open, close) = (delimiter(2)?, delimiter(3)?);
    let mut pattern = String::from("^");
    let mut depth = 0;
    let mut piece = String::new();
    for c in template.chars() {
        if c == open && (open != close || depth == 0) {
            if depth > 0 {
                piece.push(c);
            } else {
                pattern.push_str(&regex::escape(&std::mem::take(&mut piece)));
            }
            depth += 1;
        } else if c == close && depth > 0 {
            depth -= 1;
            if depth == 0 {
                pattern.push_str(&format!("({})", std::mem::take(&mut piece)));
            } else {
                piece.push(c);
            }
        } else if c == close {
            return failed(format!("unbalanced braces in {template:?}"));
        } else {
            piece.push(c);
        }
    }
    if depth != 0 {
        return failed(format!("unbalanced braces in {template:?}"));
    }
    pattern.push_str(&regex::escape(&piece));
    pattern.push('$');
    let regex = compile(env, &pattern.into())?;
    ok(regex.is_match(text))
}

fn glob_match(_: &mut Env<'_>, args: &[Value]) -> Outcome {
    let pattern = string(args, 0)?;
    let delimiters: Vec<char> = match &args[1] {
        // Null: no delimiter at all. An empty list: the dot.
        Value::Null => Vec::new(),
        Value::Array(items) if items.is_empty() => vec!['.'],
        Value::Array(items) => {
            let mut out = Vec::new();
            for item in items.iter() {
                let text = item.as_str().ok_or_else(|| wrong_element(args, 1, item, "string"))?;
                let mut chars = text.chars();
                match (chars.next(), chars.next()) {
                    (Some(c), None) => out.push(c),
                    _ => return Err(wrong_element(args, 1, item, "rune")),
                }
            }
            out
        }
        _ => return Err(wrong_type(args, 1, &["array", "null"])),
    };
    let _ = array;
    let text = string(args, 2)?;
    match glob::matches(pattern, &delimiters, text) {
        Ok(found) => ok(found),
        Err(message) => failed(message),
    }
}
