//! Type names, tests and casts.

use super::{Builtin, Env, Outcome, failed, ok, wrong_type};
use crate::value::{Number, Value};

pub(super) const TABLE: &[Builtin] = &[
    Builtin::new("type_name", 1, |_, a| ok(a[0].type_name())),
    Builtin::new("is_null", 1, |_, a| ok(matches!(a[0], Value::Null))),
    Builtin::new("is_boolean", 1, |_, a| ok(matches!(a[0], Value::Bool(_)))),
    Builtin::new("is_number", 1, |_, a| ok(matches!(a[0], Value::Number(_)))),
    Builtin::new("is_string", 1, |_, a| ok(matches!(a[0], Value::String(_)))),
    Builtin::new("is_array", 1, |_, a| ok(matches!(a[0], Value::Array(_)))),
    Builtin::new("is_object", 1, |_, a| ok(matches!(a[0], Value::Object(_)))),
    Builtin::new("is_set", 1, |_, a| ok(matches!(a[0], Value::Set(_)))),
    Builtin::new("cast_null", 1, |_, a| keep(a, "null")),
    Builtin::new("cast_boolean", 1, |_, a| keep(a, "boolean")),
    Builtin::new("cast_string", 1, |_, a| keep(a, "string")),
    Builtin::new("cast_object", 1, |_, a| keep(a, "object")),
    Builtin::new("cast_array", 1, |_, a| match &a[0] {
        Value::Array(_) => ok(a[0].clone()),
        Value::Set(set) => ok(set.as_slice().to_vec()),
        _ => Err(wrong_type(a, 0, &["array", "set"])),
    }),
    Builtin::new("cast_set", 1, |_, a| match &a[0] {
        Value::Array(items) => ok(Value::set(items.iter().cloned())),
        Value::Set(_) => ok(a[0].clone()),
        _ => Err(wrong_type(a, 0, &["array", "set"])),
    }),
    Builtin::new("to_number", 1, to_number),
];

fn keep(args: &[Value], expected: &str) -> Outcome {
    if args[0].type_name() == expected {
        ok(args[0].clone())
    } else {
        Err(wrong_type(args, 0, &[expected]))
    }
}

fn to_number(_: &mut Env<'_>, args: &[Value]) -> Outcome {
    match &args[0] {
        Value::Null => ok(0i64),
        Value::Bool(b) => ok(i64::from(*b)),
        Value::Number(_) => ok(args[0].clone()),
        Value::String(text) => match parse_loosely(text) {
            Some(number) => ok(number),
            None if is_no_number(text) => Err(super::Fault::Type(format!(
                "operand 1 must be a finite number, not {text:?}"
            ))),
            None => failed(format!("strconv.ParseFloat: parsing {text:?}: invalid syntax")),
        },
        _ => Err(wrong_type(args, 0, &["null", "boolean", "number", "string"])),
    }
}

/// Infinity and not-a-number, which floats know and JSON does not.
fn is_no_number(text: &str) -> bool {
    let word = text.trim_start_matches(['+', '-']).to_lowercase();
    matches!(&*word, "nan" | "inf" | "infinity")
}

/// Numbers with a plus sign, leading zeros, or without digits before the point.
fn parse_loosely(text: &str) -> Option<Number> {
    if let Some(number) = Number::parse(text) {
        return Some(number);
    }
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = match rest.find(['e', 'E']) {
        Some(i) => rest.split_at(i),
        None => (rest, ""),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let fraction = if fraction.is_empty() {
        String::new()
    } else {
        format!(".{fraction}")
    };
    Number::parse(&format!("{sign}{whole}{fraction}{exponent}"))
}
