//! Values as text: JSON, and the notation of the language itself.

use std::fmt::{self, Write};

use super::Value;

/// Digits as C's `%g` writes them: with an exponent below 1e-4 and from 1e6 on.
pub(super) fn general(negative: bool, digits: &str, point: i64) -> String {
    let mut out = String::from(if negative { "-" } else { "" });
    let exponent = point - 1;
    if (-4..6).contains(&exponent) {
        plain(&mut out, digits, point);
    } else {
        scientific(&mut out, digits, exponent);
    }
    out
}

fn plain(out: &mut String, digits: &str, point: i64) {
    if point <= 0 {
        out.push_str("0.");
        out.extend(std::iter::repeat_n('0', point.unsigned_abs() as usize));
        out.push_str(digits);
        return;
    }
    let whole = point as usize;
    if digits.len() <= whole {
        out.push_str(digits);
        out.extend(std::iter::repeat_n('0', whole - digits.len()));
    } else {
        out.push_str(&digits[..whole]);
        out.push('.');
        out.push_str(&digits[whole..]);
    }
}

fn scientific(out: &mut String, digits: &str, exponent: i64) {
    let (first, rest) = digits.split_at(1);
    out.push_str(first);
    if !rest.is_empty() {
        out.push('.');
        out.push_str(rest);
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    // Writing to a String cannot fail.
    let _ = write!(out, "e{sign}{:02}", exponent.unsigned_abs());
}

/// A float as JSON encoders write it: plain from 1e-6 up to 1e21.
pub(super) fn shortest_f64(float: f64) -> String {
    let text = format!("{:e}", float.abs());
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let exponent: i64 = exponent.parse().unwrap_or(0);
    let mut out = String::from(if float < 0.0 { "-" } else { "" });
    if (-6..21).contains(&exponent) {
        plain(&mut out, &digits, exponent + 1);
    } else {
        scientific(&mut out, &digits, exponent);
    }
    out
}

impl Value {
    /// Compact JSON, as Go's encoder writes it: sets are arrays, keys that are no strings are
    /// written as their JSON text, and `<`, `>`, `&` are escaped.
    pub fn to_json(&self) -> String {
        let mut out = String::new();
        self.write_json(&mut out, Escape::Html);
        out
    }

    /// JSON with `indent` per level and `prefix` before each line.
    pub fn to_json_pretty(&self, prefix: &str, indent: &str) -> String {
        let mut out = String::new();
        self.write_pretty(&mut out, prefix, indent, 0);
        out
    }

    fn write_json(&self, out: &mut String, escape: Escape) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
            Self::Number(n) => {
                let _ = write!(out, "{n}");
            }
            Self::String(s) => quote(out, s, escape),
            Self::Array(items) => write_items(out, items.iter(), escape),
            Self::Set(set) => write_items(out, set.iter(), escape),
            Self::Object(object) => {
                out.push('{');
                for (i, (key, value)) in object.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    write_key(out, key, escape);
                    out.push(':');
                    value.write_json(out, escape);
                }
                out.push('}');
            }
        }
    }

    fn write_pretty(&self, out: &mut String, prefix: &str, indent: &str, depth: usize) {
        let line = |out: &mut String, depth: usize| {
            out.push('\n');
            out.push_str(prefix);
            out.extend(std::iter::repeat_n(indent, depth));
        };
        let items: Vec<&Value> = match self {
            Self::Array(items) => items.iter().collect(),
            Self::Set(set) => set.iter().collect(),
            Self::Object(object) if !object.is_empty() => {
                out.push('{');
                for (i, (key, value)) in object.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    line(out, depth + 1);
                    write_key(out, key, Escape::Html);
                    out.push_str(": ");
                    value.write_pretty(out, prefix, indent, depth + 1);
                }
                line(out, depth);
                out.push('}');
                return;
            }
            _ => return self.write_json(out, Escape::Html),
        };
        if items.is_empty() {
            return out.push_str("[]");
        }
        out.push('[');
        for (i, item) in items.into_iter().enumerate() {
            if i > 0 {
                out.push(',');
            }
            line(out, depth + 1);
            item.write_pretty(out, prefix, indent, depth + 1);
        }
        line(out, depth);
        out.push(']');
    }
}

fn write_items<'a>(out: &mut String, items: impl Iterator<Item = &'a Value>, escape: Escape) {
    out.push('[');
    for (i, item) in items.enumerate() {
        if i > 0 {
            out.push(',');
        }
        item.write_json(out, escape);
    }
    out.push(']');
}

fn write_key(out: &mut String, key: &Value, escape: Escape) {
    match key {
        Value::String(s) => quote(out, s, escape),
        other => {
            let mut text = String::new();
            other.write_json(&mut text, escape);
            quote(out, &text, escape);
        }
    }
}

/// Which characters a quoted string escapes beyond those that JSON demands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Escape {
    /// Also `<`, `>`, `&` and the two Unicode line separators, so that HTML may embed it.
    Html,
    /// Nothing more.
    Plain,
}

/// Appends `text` in quotes.
pub(crate) fn quote(out: &mut String, text: &str, escape: Escape) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if c < ' ' => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' if escape == Escape::Html => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

impl fmt::Display for Value {
    /// The notation of the language: `{1, 2}` is a set, `set()` the empty one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, items: &mut dyn Iterator<Item = &Value>| -> fmt::Result {
            for (i, item) in items.enumerate() {
                if i > 0 {
                    f.write_str(", ")?;
                }
                write!(f, "{item}")?;
            }
            Ok(())
        };
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(b) => write!(f, "{b}"),
            Self::Number(n) => write!(f, "{n}"),
            Self::String(s) => {
                let mut text = String::new();
                quote(&mut text, s, Escape::Plain);
                f.write_str(&text)
            }
            Self::Array(items) => {
                f.write_str("[")?;
                list(f, &mut items.iter())?;
                f.write_str("]")
            }
            Self::Set(set) if set.is_empty() => f.write_str("set()"),
            Self::Set(set) => {
                f.write_str("{")?;
                list(f, &mut set.iter())?;
                f.write_str("}")
            }
            Self::Object(object) => {
                f.write_str("{")?;
                for (i, (key, value)) in object.iter().enumerate() {
                    if i > 0 {
                        f.write_str(", ")?;
                    }
                    write!(f, "{key}: {value}")?;
                }
                f.write_str("}")
            }
        }
    }
}
