//! Comparison, arithmetic and membership: what the language's operators stand for.

use std::cmp::Ordering;

use super::{Builtin, Env, Fault, Outcome, failed, number, ok, set, wrong_type};
use crate::value::{Number, Real, Value};

pub(super) const TABLE: &[Builtin] = &[
    Builtin::comparison("eq", Ordering::is_eq),
    Builtin::comparison("assign", Ordering::is_eq),
    Builtin::comparison("equal", Ordering::is_eq),
    Builtin::comparison("neq", Ordering::is_ne),
    Builtin::comparison("lt", Ordering::is_lt),
    Builtin::comparison("lte", Ordering::is_le),
    Builtin::comparison("gt", Ordering::is_gt),
    Builtin::comparison("gte", Ordering::is_ge),
    Builtin::new("plus", 2, |_, a| {
        exact(a, i64::checked_add, |x, y| Some(x + y), Real::add)
    }),
    Builtin::new("minus", 2, minus),
    Builtin::new("mul", 2, |_, a| {
        exact(a, i64::checked_mul, |x, y| Some(x * y), Real::mul)
    }),
    Builtin::new("div", 2, div),
    Builtin::new("rem", 2, rem),
    Builtin::new("abs", 1, |_, a| {
        unary(a, |n| if n.is_negative() { n.negate() } else { n })
    }),
    Builtin::new("round", 1, |_, a| rounded(a, round)),
    Builtin::new("ceil", 1, |_, a| rounded(a, |n| step(n, Ordering::Greater))),
    Builtin::new("floor", 1, |_, a| rounded(a, |n| step(n, Ordering::Less))),
    Builtin::new("and", 2, |_, a| {
        let (left, right) = (set(a, 0)?, set(a, 1)?);
        ok(Value::set(left.iter().filter(|item| right.contains(item)).cloned()))
    }),
    Builtin::new("or", 2, |_, a| {
        let (left, right) = (set(a, 0)?, set(a, 1)?);
        ok(Value::set(left.iter().chain(right.iter()).cloned()))
    }),
    Builtin::new("internal.member_2", 2, |_, a| ok(member(&a[0], &a[1]))),
    Builtin::new("internal.member_3", 3, |_, a| {
        ok(a[2].child(&a[0]).is_some_and(|found| *found == a[1]))
    }),
];

fn member(item: &Value, collection: &Value) -> bool {
    match collection {
        Value::Array(items) => items.contains(item),
        Value::Object(object) => object.iter().any(|(_, value)| value == item),
        Value::Set(set) => set.contains(item),
        _ => false,
    }
}

/// Exact on integers of any size, and in 64-bit mantissas otherwise.
fn exact(
    args: &[Value],
    small: fn(i64, i64) -> Option<i64>,
    integers: fn(num_bigint::BigInt, num_bigint::BigInt) -> Option<num_bigint::BigInt>,
    reals: fn(Real, Real) -> Real,
) -> Outcome {
    let (a, b) = (number(args, 0)?, number(args, 1)?);
    if let (Some(x), Some(y)) = (a.as_plain_i64(), b.as_plain_i64())
        && let Some(result) = small(x, y)
    {
        return ok(result);
    }
    if let (Some(x), Some(y)) = (a.to_bigint(), b.to_bigint())
        && let Some(result) = integers(x, y)
    {
        return ok(Number::from(result));
    }
    ok(reals(a.to_real(), b.to_real()).to_number())
}

fn minus(_: &mut Env<'_>, args: &[Value]) -> Outcome {
    match (&args[0], &args[1]) {
        (Value::Number(_), Value::Number(_)) => exact(args, i64::checked_sub, |x, y| Some(x - y), Real::sub),
        (Value::Set(a), Value::Set(b)) => ok(Value::set(a.iter().filter(|item| !b.contains(item)).cloned())),
        (Value::Number(_), _) => Err(wrong_type(args, 1, &["number"])),
        (Value::Set(_), _) => Err(wrong_type(args, 1, &["set"])),
        (_, Value::Number(_)) => Err(wrong_type(args, 0, &["number"])),
        (_, Value::Set(_)) => Err(wrong_type(args, 0, &["set"])),
        _ => Err(wrong_type(args, 0, &["number", "set"])),
    }
}

fn div(_: &mut Env<'_>, args: &[Value]) -> Outcome {
    let (a, b) = (number(args, 0)?, number(args, 1)?);
    if let (Some(x), Some(y)) = (a.as_plain_i64(), b.as_plain_i64())
        && y != 0
        && x.checked_rem(y) == Some(0)
    {
        return ok(x / y);
    }
    match a.to_real().div(b.to_real()) {
        Some(result) => ok(result.to_number()),
        None => failed("divide by zero"),
    }
}

fn rem(_: &mut Env<'_>, args: &[Value]) -> Outcome {
    let (a, b) = (number(args, 0)?, number(args, 1)?);
    let (Some(x), Some(y)) = (a.to_bigint(), b.to_bigint()) else {
        return failed("modulo on floating-point number");
    };
    if y == num_bigint::BigInt::ZERO {
        return failed("modulo by zero");
    }
    ok(Number::from(x % y))
}

fn unary(args: &[Value], apply: fn(Real) -> Real) -> Outcome {
    let n = number(args, 0)?;
    match n.to_bigint() {
        Some(int) => ok(Number::from(num_bigint::BigInt::from(int.magnitude().clone()))),
        None => ok(apply(n.to_real()).to_number()),
    }
}

fn rounded(args: &[Value], apply: fn(Real) -> num_bigint::BigInt) -> Outcome {
    let n = number(args, 0)?;
    match n.to_bigint() {
        Some(int) => ok(Number::from(int)),
        None => ok(Number::from(apply(n.to_real()))),
    }
}

/// Half away from zero.
fn round(n: Real) -> num_bigint::BigInt {
    let half = Real::parse("0.5");
    if n.is_negative() {
        n.sub(half).truncate()
    } else {
        n.add(half).truncate()
    }
}

/// The next integer in a direction.
fn step(n: Real, towards: Ordering) -> num_bigint::BigInt {
    let whole = n.truncate();
    match (n.is_integer(), n.is_negative(), towards) {
        (false, false, Ordering::Greater) => whole + 1,
        (false, true, Ordering::Less) => whole - 1,
        _ => whole,
    }
}

/// Addition for `sum`.
pub(super) fn add(a: &Number, b: &Number) -> Result<Number, Fault> {
    match (a.as_plain_i64(), b.as_plain_i64()) {
        (Some(x), Some(y)) if x.checked_add(y).is_some() => Ok(Number::from(x + y)),
        _ => match (a.to_bigint(), b.to_bigint()) {
            (Some(x), Some(y)) => Ok(Number::from(x + y)),
            _ => Ok(a.to_real().add(b.to_real()).to_number()),
        },
    }
}

/// Multiplication for `product`.
pub(super) fn multiply(a: &Number, b: &Number) -> Number {
    match (a.to_bigint(), b.to_bigint()) {
        (Some(x), Some(y)) => Number::from(x * y),
        _ => a.to_real().mul(b.to_real()).to_number(),
    }
}
