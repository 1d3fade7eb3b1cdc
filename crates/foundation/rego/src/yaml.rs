//! YAML in and out.

use crate::value::Value;

/// Reads a document; an empty one is null.
pub(crate) fn read(text: &str) -> Result<Value, String> {
    if text.trim().is_empty() {
        return Ok(Value::Null);
    }
    let json: serde_json::Value = serde_saphyr::from_str(text).map_err(|error| {
        let error = error.to_string();
        format!("yaml: {}", error.lines().next().unwrap_or_default())
    })?;
    Ok(Value::from(&json))
}

/// Writes a document in block style, keys sorted.
pub(crate) fn write(value: &Value) -> Result<String, String> {
    let mut out = String::new();
    block(value, 0, &mut out);
    if !out.ends_with('\n') {
        out.push('\n');
    }
    Ok(out)
}

fn block(value: &Value, depth: usize, out: &mut String) {
    let indent = |out: &mut String| out.extend(std::iter::repeat_n(' ', depth));
    match value {
        Value::Object(object) if !object.is_empty() => {
            for (i, (key, value)) in object.iter().enumerate() {
                if i > 0 {
                    indent(out);
                }
                let key = match key {
                    Value::String(text) => scalar(text),
                    other => scalar(&other.to_json()),
                };
                out.push_str(&key);
                out.push(':');
                child(value, depth, true, out);
            }
        }
        Value::Array(items) if !items.is_empty() => sequence(items, depth, out),
        Value::Set(set) if !set.is_empty() => sequence(set.as_slice(), depth, out),
        Value::String(text) => out.push_str(&scalar(text)),
        other => out.push_str(&other.to_json()),
    }
}

fn sequence(items: &[Value], depth: usize, out: &mut String) {
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            out.extend(std::iter::repeat_n(' ', depth));
        }
        out.push('-');
        child(item, depth, false, out);
    }
}

fn child(value: &Value, depth: usize, of_key: bool, out: &mut String) {
    let (nested, sequence) = match value {
        Value::Object(object) => (!object.is_empty(), false),
        Value::Array(items) => (!items.is_empty(), true),
        Value::Set(set) => (!set.is_empty(), true),
        _ => (false, false),
    };
    if !nested {
        out.push(' ');
        if let Value::String(text) = value
            && text.contains('\n')
            && of_key
        {
            literal(text, depth + 2, out);
            return;
        }
        block(value, depth + 2, out);
        out.push('\n');
    } else if of_key {
        // A list stands at the depth of its key.
        let depth = if sequence { depth } else { depth + 2 };
        out.push('\n');
        out.extend(std::iter::repeat_n(' ', depth));
        block(value, depth, out);
    } else {
        out.push(' ');
        block(value, depth + 2, out);
    }
}

fn literal(text: &str, depth: usize, out: &mut String) {
    let chomp = if text.ends_with("\n\n") {
        "+"
    } else if text.ends_with('\n') {
        ""
    } else {
        "-"
    };
    out.push('|');
    if text.starts_with(' ') {
        out.push('2');
    }
    out.push_str(chomp);
    out.push('\n');
    for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
        if !line.is_empty() {
            out.extend(std::iter::repeat_n(' ', depth));
            out.push_str(line);
        }
        out.push('\n');
    }
}

/// A string, in quotes where it would otherwise be read as something else.
fn scalar(text: &str) -> String {
    let reserved = [
        "", "~", "null", "Null", "NULL", "true", "True", "TRUE", "false", "False", "FALSE", "yes", "Yes", "YES", "no",
        "No", "NO", "on", "On", "ON", "off", "Off", "OFF", "y", "Y", "n", "N", "<<", "=",
    ];
    let plain = !reserved.contains(&text)
        && text.parse::<f64>().is_err()
        && !text.starts_with(|c: char| "-?:,[]{}#&*!|>'\"%@` \t.0123456789+".contains(c))
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.chars().any(char::is_control);
    if plain || (!reserved.contains(&text) && safe_digits(text)) {
        return text.to_owned();
    }
    if text.chars().any(char::is_control) {
        return Value::from(text).to_json();
    }
    if text.parse::<f64>().is_ok() || reserved.contains(&text) {
        return format!("\"{text}\"");
    }
    format!("'{}'", text.replace('\'', "''"))
}

/// Words such as `10.0.0.1` or `1a`, which start with a digit and are no number.
fn safe_digits(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '/' | '-'))
        && text.parse::<f64>().is_err()
        && text
            .chars()
            .any(|c| c.is_ascii_alphabetic() || text.matches('.').count() > 1 && c == '.')
        && !text.starts_with("0x")
        && !text.starts_with("0o")
        && !looks_like_a_date(text)
}

fn looks_like_a_date(text: &str) -> bool {
    text.len() >= 10 && text.as_bytes()[4] == b'-' && text[..4].bytes().all(|b| b.is_ascii_digit())
}
