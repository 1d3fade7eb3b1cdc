//! `count`, `sum`, `max` and their like, and arrays.

use super::operators::{add, multiply};
use super::{Builtin, Env, Fault, Outcome, array, int, items, ok, wrong_element, wrong_type};
use crate::value::{Number, Value};

pub(super) const TABLE: &[Builtin] = &[
    Builtin::new("count", 1, count),
    Builtin::new("sum", 1, |_, a| fold(a, Number::from(0i64), add)),
    Builtin::new("product", 1, |_, a| {
        fold(a, Number::from(1i64), |x, y| Ok(multiply(x, y)))
    }),
    Builtin::new("max", 1, |_, a| {
        Ok(items(a, 0, &["set", "array"])?.iter().max().cloned())
    }),
    Builtin::new("min", 1, |_, a| {
        Ok(items(a, 0, &["set", "array"])?.iter().min().cloned())
    }),
    Builtin::new("sort", 1, |_, a| {
        let mut items = items(a, 0, &["set", "array"])?.to_vec();
        items.sort();
        ok(items)
    }),
    Builtin::new("all", 1, |_, a| {
        ok(items(a, 0, &["array", "set"])?
            .iter()
            .all(|item| *item == Value::Bool(true)))
    }),
    Builtin::new("any", 1, |_, a| {
        ok(items(a, 0, &["array", "set"])?.contains(&Value::Bool(true)))
    }),
    Builtin::new("array.concat", 2, |_, a| {
        let (left, right) = (array(a, 0)?, array(a, 1)?);
        ok(left.iter().chain(right.iter()).cloned().collect::<Vec<_>>())
    }),
    Builtin::new("array.reverse", 1, |_, a| {
        ok(array(a, 0)?.iter().rev().cloned().collect::<Vec<_>>())
    }),
    Builtin::new("array.flatten", 1, flatten),
    Builtin::new("array.slice", 3, slice),
];

fn count(_: &mut Env<'_>, args: &[Value]) -> Outcome {
    match &args[0] {
        Value::Array(items) => ok(items.len()),
        Value::Object(object) => ok(object.len()),
        Value::Set(set) => ok(set.len()),
        Value::String(text) => ok(text.chars().count()),
        _ => Err(wrong_type(args, 0, &["array", "object", "set", "string"])),
    }
}

fn fold(args: &[Value], start: Number, step: fn(&Number, &Number) -> Result<Number, Fault>) -> Outcome {
    let mut total = start;
    for item in items(args, 0, &["set", "array"])? {
        let number = item.as_number().ok_or_else(|| wrong_element(args, 0, item, "number"))?;
        total = step(&total, number)?;
    }
    ok(total)
}

/// One level of nesting less.
fn flatten(_: &mut Env<'_>, args: &[Value]) -> Outcome {
    let mut out = Vec::new();
    for item in array(args, 0)?.iter() {
        match item {
            Value::Array(inner) => out.extend(inner.iter().cloned()),
            other => out.push(other.clone()),
        }
    }
    ok(out)
}

fn slice(_: &mut Env<'_>, args: &[Value]) -> Outcome {
    let items = array(args, 0)?;
    let len = items.len() as i64;
    let start = int(args, 1)?.clamp(0, len);
    let stop = int(args, 2)?.clamp(start, len);
    ok(items[start as usize..stop as usize].to_vec())
}
