//! The functions of templates.

use std::cmp::Ordering;

use super::Value;
use crate::adapter::go::quoted;

const NAMES: &[&str] = &[
    "and", "or", "not", "len", "index", "slice", "print", "println", "printf", "eq", "ne", "lt", "le", "gt", "ge",
];

pub(super) fn is_known(name: &str) -> bool {
    NAMES.contains(&name)
}

pub(super) fn call(name: &str, mut arguments: Vec<Value>) -> Result<Value, String> {
    match name {
        "and" | "or" => arguments.pop().ok_or_else(|| "an argument is missing".to_owned()),
        "not" => one(arguments).map(|value| Value::Bool(!value.is_true())),
        "len" => length(&one(arguments)?).map(Value::Integer),
        "index" => index(arguments),
        "slice" => slice(&arguments),
        "print" => Ok(Value::Text(printed(&arguments))),
        "println" => {
            let words: Vec<_> = arguments.iter().map(Value::to_string).collect();
            Ok(Value::Text(words.join(" ") + "\n"))
        }
        "printf" => formatted(&arguments).map(Value::Text),
        "eq" => equals_any(&arguments),
        _ => compare(name, &arguments),
    }
}

fn one(arguments: Vec<Value>) -> Result<Value, String> {
    let count = arguments.len();
    let mut arguments = arguments.into_iter();
    match (arguments.next(), count) {
        (Some(value), 1) => Ok(value),
        _ => Err(format!("one argument is needed, there are {count}")),
    }
}

fn length(value: &Value) -> Result<i64, String> {
    let length = match value {
        Value::Text(text) => text.len(),
        Value::List(items) => items.len(),
        Value::Map(map) => map.len(),
        other => return Err(format!("{} has no length", other.kind())),
    };
    Ok(i64::try_from(length).unwrap_or(i64::MAX))
}

fn index(arguments: Vec<Value>) -> Result<Value, String> {
    let mut arguments = arguments.into_iter();
    let mut value = arguments.next().ok_or("an argument is missing")?;
    for key in arguments {
        value = match (value, key) {
            (Value::Map(mut map), Value::Text(key)) => Value::Text(map.remove(&key).unwrap_or_default()),
            (Value::List(items), Value::Integer(at)) => usize::try_from(at)
                .ok()
                .and_then(|at| items.into_iter().nth(at))
                .ok_or_else(|| format!("{at} is outside of the list"))?,
            (Value::Text(text), Value::Integer(at)) => usize::try_from(at)
                .ok()
                .and_then(|at| text.as_bytes().get(at).copied())
                .map(|byte| Value::Integer(i64::from(byte)))
                .ok_or_else(|| format!("{at} is outside of the text"))?,
            (value, key) => return Err(format!("{} cannot be indexed by {}", value.kind(), key.kind())),
        };
    }
    Ok(value)
}

fn slice(arguments: &[Value]) -> Result<Value, String> {
    let (value, bounds) = arguments.split_first().ok_or("an argument is missing")?;
    let length = usize::try_from(length(value)?).unwrap_or(usize::MAX);
    let bound = |place: usize, default: usize| match bounds.get(place) {
        None => Ok(default),
        Some(Value::Integer(at)) => usize::try_from(*at).map_err(|_| format!("{at} is negative")),
        Some(other) => Err(format!("{} is no bound", other.kind())),
    };
    let (from, to) = (bound(0, 0)?, bound(1, length)?);
    let outside = || format!("{from}..{to} is outside of 0..{length}");
    match value {
        Value::Text(text) => text.get(from..to).map(Value::from).ok_or_else(outside),
        Value::List(items) => items
            .get(from..to)
            .map(|items| Value::List(items.to_vec()))
            .ok_or_else(outside),
        other => Err(format!("{} cannot be sliced", other.kind())),
    }
}

/// A blank between two values neither of which is a text, as Go's `Sprint`.
fn printed(arguments: &[Value]) -> String {
    let mut out = String::new();
    for (place, value) in arguments.iter().enumerate() {
        let is_text = |value: &Value| matches!(value, Value::Text(_));
        if place > 0 && !is_text(value) && !is_text(&arguments[place - 1]) {
            out.push(' ');
        }
        out.push_str(&value.to_string());
    }
    out
}

fn formatted(arguments: &[Value]) -> Result<String, String> {
    let Some((Value::Text(format), mut values)) = arguments.split_first() else {
        return Err("the first argument must be a format".to_owned());
    };
    let mut out = String::new();
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let verb = chars.next().unwrap_or('%');
        if verb == '%' {
            out.push('%');
            continue;
        }
        let Some((value, rest)) = values.split_first() else {
            return Err(format!("%{verb} has no argument"));
        };
        values = rest;
        out.push_str(&match (verb, value) {
            ('v' | 's', value) => value.to_string(),
            ('q', Value::Text(text)) => quoted(text),
            ('d', Value::Integer(number)) => number.to_string(),
            ('f', Value::Float(number)) => format!("{number:.6}"),
            ('g', Value::Float(number)) => number.to_string(),
            ('t', Value::Bool(truth)) => truth.to_string(),
            (verb, value) => return Err(format!("%{verb} cannot show {}", value.kind())),
        });
    }
    match values {
        [] => Ok(out),
        more => Err(format!("{} arguments too many", more.len())),
    }
}

fn order(a: &Value, b: &Value) -> Result<Ordering, String> {
    let incomparable = || format!("{} and {} cannot be compared", a.kind(), b.kind());
    match (a, b) {
        (Value::Text(a), Value::Text(b)) => Ok(a.cmp(b)),
        (Value::Integer(a), Value::Integer(b)) => Ok(a.cmp(b)),
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(b).ok_or_else(incomparable),
        _ => Err(incomparable()),
    }
}

fn equal(a: &Value, b: &Value) -> Result<bool, String> {
    match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => Ok(a == b),
        (Value::Nothing, other) | (other, Value::Nothing) => Ok(*other == Value::Nothing),
        (a, b) => order(a, b).map(Ordering::is_eq),
    }
}

fn equals_any(arguments: &[Value]) -> Result<Value, String> {
    let Some((first, others @ [_, ..])) = arguments.split_first() else {
        return Err("two arguments are needed".to_owned());
    };
    for other in others {
        if equal(first, other)? {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

fn compare(name: &str, arguments: &[Value]) -> Result<Value, String> {
    let [a, b] = arguments else {
        return Err(format!("two arguments are needed, there are {}", arguments.len()));
    };
    Ok(Value::Bool(match name {
        "ne" => !equal(a, b)?,
        "lt" => order(a, b)?.is_lt(),
        "le" => order(a, b)?.is_le(),
        "gt" => order(a, b)?.is_gt(),
        "ge" => order(a, b)?.is_ge(),
        _ => return Err("it is not known".to_owned()),
    }))
}
