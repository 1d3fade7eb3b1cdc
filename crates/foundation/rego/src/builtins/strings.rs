//! Strings.

use super::{
    Builtin, Env, Fault, Outcome, array, boolean, failed, int, object, ok, sprintf, string, string_items,
    wrong_element, wrong_type,
};
use crate::value::Value;

pub(super) const TABLE: &[Builtin] = &[
    Builtin::new("concat", 2, |_, a| {
        let glue = string(a, 0)?;
        ok(string_items(a, 1, &["set", "array"])?.join(glue))
    }),
    Builtin::new("contains", 2, |_, a| ok(string(a, 0)?.contains(&**string(a, 1)?))),
    Builtin::new("startswith", 2, |_, a| ok(string(a, 0)?.starts_with(&**string(a, 1)?))),
    Builtin::new("endswith", 2, |_, a| ok(string(a, 0)?.ends_with(&**string(a, 1)?))),
    Builtin::new("lower", 1, |_, a| ok(map_chars(string(a, 0)?, char::to_lowercase))),
    Builtin::new("upper", 1, |_, a| ok(map_chars(string(a, 0)?, char::to_uppercase))),
    Builtin::new("indexof", 2, indexof),
    Builtin::new("indexof_n", 2, indexof_n),
    Builtin::new("substring", 3, substring),
    Builtin::new("split", 2, |_, a| ok(split(string(a, 0)?, string(a, 1)?, usize::MAX))),
    Builtin::new("strings.split_n", 3, split_n),
    Builtin::new("replace", 3, |_, a| {
        let (text, old, new) = (string(a, 0)?, string(a, 1)?, string(a, 2)?);
        ok(text.replace(&**old, new))
    }),
    Builtin::new("strings.replace_n", 2, replace_n),
    Builtin::new("trim", 2, |_, a| {
        let cut = string(a, 1)?;
        ok(string(a, 0)?.trim_matches(|c| cut.contains(c)))
    }),
    Builtin::new("trim_left", 2, |_, a| {
        let cut = string(a, 1)?;
        ok(string(a, 0)?.trim_start_matches(|c| cut.contains(c)))
    }),
    Builtin::new("trim_right", 2, |_, a| {
        let cut = string(a, 1)?;
        ok(string(a, 0)?.trim_end_matches(|c| cut.contains(c)))
    }),
    Builtin::new("trim_prefix", 2, |_, a| {
        let text = string(a, 0)?;
        ok(text.strip_prefix(&**string(a, 1)?).unwrap_or(text))
    }),
    Builtin::new("trim_suffix", 2, |_, a| {
        let text = string(a, 0)?;
        ok(text.strip_suffix(&**string(a, 1)?).unwrap_or(text))
    }),
    Builtin::new("trim_space", 1, |_, a| ok(string(a, 0)?.trim())),
    Builtin::new("strings.reverse", 1, |_, a| {
        ok(string(a, 0)?.chars().rev().collect::<String>())
    }),
    Builtin::new("strings.count", 2, |_, a| {
        let (text, part) = (string(a, 0)?, string(a, 1)?);
        // An empty part stands before each character and at the end.
        ok(if part.is_empty() {
            text.chars().count() + 1
        } else {
            text.matches(&**part).count()
        })
    }),
    Builtin::new("strings.any_prefix_match", 2, |_, a| {
        any_match(a, |text, part| text.starts_with(part))
    }),
    Builtin::new("strings.any_suffix_match", 2, |_, a| {
        any_match(a, |text, part| text.ends_with(part))
    }),
    Builtin::new("strings.render_template", 2, render_template),
    Builtin::new("sprintf", 2, |_, a| ok(sprintf::sprintf(string(a, 0)?, array(a, 1)?))),
    Builtin::new("internal.template_string", 1, template_string),
    Builtin::new("internal.print", 1, print),
    Builtin::new("internal.test_case", 1, |_, _| ok(true)),
    Builtin::new("print", 0, |_, _| ok(true)),
    Builtin::new("trace", 1, |_, a| string(a, 0).and_then(|_| ok(true))),
];

/// One character for one, as the field's tools do: `ß` stays, where its capital is two letters.
fn map_chars<I: Iterator<Item = char>>(text: &str, map: fn(char) -> I) -> String {
    text.chars()
        .map(|c| {
            let mut mapped = map(c);
            match (mapped.next(), mapped.next()) {
                (Some(one), None) => one,
                _ => c,
            }
        })
        .collect()
}

fn indexof(_: &mut Env<'_>, args: &[Value]) -> Outcome {
    let (text, part) = (string(args, 0)?, string(args, 1)?);
    if part.is_empty() {
        return failed("empty search character");
    }
    ok(text.find(&**part).map_or(-1, |at| text[..at].chars().count() as i64))
}

fn indexof_n(_: &mut Env<'_>, args: &[Value]) -> Outcome {
    let (text, part) = (string(args, 0)?, string(args, 1)?);
    if part.is_empty() {
        return failed("empty search character");
    }
    let mut out: Vec<Value> = Vec::new();
    for (i, (at, _)) in text.char_indices().enumerate() {
        if text[at..].starts_with(&**part) {
            out.push(i.into());
        }
    }
    ok(out)
}

fn substring(_: &mut Env<'_>, args: &[Value]) -> Outcome {
    let text = string(args, 0)?;
    let (offset, length) = (int(args, 1)?, int(args, 2)?);
    let Ok(offset) = usize::try_from(offset) else {
        return failed("negative offset");
    };
    let rest = text.chars().skip(offset);
    ok(match usize::try_from(length) {
        Ok(length) => rest.take(length).collect::<String>(),
        Err(_) => rest.collect(),
    })
}

fn split(text: &str, separator: &str, most: usize) -> Vec<Value> {
    if separator.is_empty() {
        let mut out: Vec<Value> = Vec::new();
        let mut rest = text.chars();
        while out.len() + 1 < most {
            match rest.next() {
                Some(c) => out.push(c.to_string().into()),
                None => return out,
            }
        }
        if !rest.as_str().is_empty() {
            out.push(rest.as_str().into());
        }
        return out;
    }
    text.splitn(most, separator).map(Value::from).collect()
}

fn split_n(_: &mut Env<'_>, args: &[Value]) -> Outcome {
    let (text, separator) = (string(args, 0)?, string(args, 1)?);
    let n = int(args, 2)?;
    match usize::try_from(n) {
        Ok(0) => ok(Vec::new()),
        Ok(n) => ok(split(text, separator, n)),
        Err(_) => ok(split(text, separator, usize::MAX)),
    }
}

/// All replacements at once: at each place the first pattern that matches, in order of keys.
fn replace_n(_: &mut Env<'_>, args: &[Value]) -> Outcome {
    let patterns = object(args, 0)?;
    let mut pairs: Vec<(&str, &str)> = Vec::new();
    for (key, value) in patterns.iter() {
        let key = key
            .as_str()
            .ok_or_else(|| Fault::Type("operand 1 non-string key found in pattern object".to_owned()))?;
        let value = value
            .as_str()
            .ok_or_else(|| Fault::Type("operand 1 non-string value found in pattern object".to_owned()))?;
        pairs.push((key, value));
    }
    let text = string(args, 1)?;
    let mut out = String::new();
    let mut at = 0;
    let mut after_empty = false;
    while at <= text.len() {
        let rest = &text[at..];
        // After an empty pattern matched, the text has to move on by one character.
        let found = pairs
            .iter()
            .find(|(old, _)| rest.starts_with(old) && !(after_empty && old.is_empty()));
        match found {
            Some((old, new)) if !old.is_empty() => {
                out.push_str(new);
                at += old.len();
                after_empty = true;
                continue;
            }
            Some((_, new)) => out.push_str(new),
            None => {}
        }
        after_empty = false;
        let Some(c) = rest.chars().next() else { break };
        out.push(c);
        at += c.len_utf8();
    }
    ok(out)
}

fn any_match(args: &[Value], matches: fn(&str, &str) -> bool) -> Outcome {
    let texts = one_or_many(args, 0)?;
    let parts = one_or_many(args, 1)?;
    ok(texts.iter().any(|text| parts.iter().any(|part| matches(text, part))))
}

fn one_or_many(args: &[Value], at: usize) -> Result<Vec<&str>, Fault> {
    let items = match &args[at] {
        Value::String(text) => return Ok(vec![text]),
        Value::Array(items) => &items[..],
        Value::Set(set) => set.as_slice(),
        _ => return Err(wrong_type(args, at, &["string", "set", "array"])),
    };
    items
        .iter()
        .map(|item| item.as_str().ok_or_else(|| wrong_element(args, at, item, "string")))
        .collect()
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.to_string(),
        other => other.to_string(),
    }
}

/// Parts are texts, or sets of one value, or empty sets where an expression was undefined.
fn template_string(_: &mut Env<'_>, args: &[Value]) -> Outcome {
    let mut out = String::new();
    for part in array(args, 0)?.iter() {
        match part {
            Value::Set(set) if set.is_empty() => out.push_str("<undefined>"),
            Value::Set(set) if set.len() > 1 => {
                return Err(Fault::Halt(
                    "template-strings must not produce multiple outputs".to_owned(),
                ));
            }
            Value::Set(set) => out.push_str(&set.iter().map(shown).collect::<String>()),
            other => out.push_str(&shown(other)),
        }
    }
    ok(out)
}

/// The most lines that one `print` may write: operands with several values multiply.
const PRINT_LINES_MAX: usize = 1000;

fn print(env: &mut Env<'_>, args: &[Value]) -> Outcome {
    let mut lines = vec![String::new()];
    for (i, operand) in array(args, 0)?.iter().enumerate() {
        let texts: Vec<String> = match operand {
            Value::Set(set) if set.is_empty() => vec!["<undefined>".to_owned()],
            Value::Set(set) => set.iter().map(shown).collect(),
            other => vec![shown(other)],
        };
        let space = if i > 0 { " " } else { "" };
        lines = lines
            .iter()
            .flat_map(|line| texts.iter().map(move |text| format!("{line}{space}{text}")))
            .take(PRINT_LINES_MAX)
            .collect();
    }
    let location = env.program.location(env.place);
    lines.iter().for_each(|line| env.host.print(&location, line));
    ok(true)
}

/// The part of Go's text templates that needs no functions: `{{.a.b}}`, `{{range}}`, `{{if}}`.
fn render_template(_: &mut Env<'_>, args: &[Value]) -> Outcome {
    let text = string(args, 0)?;
    object(args, 1)?;
    let _ = boolean;
    match super::super::template::render(text, &args[1]) {
        Ok(out) => ok(out),
        Err(message) => failed(message),
    }
}
