//! `bits.*`, on integers of any size.

use num_bigint::BigInt;

use super::{Builtin, Env, Fault, Outcome, big_int, failed, ok};
use crate::value::{Number, Value};

/// The most bits that a shift may add: a shift by a billion would be a gigabyte.
const SHIFT_MAX: u32 = 1 << 20;

pub(super) const TABLE: &[Builtin] = &[
    Builtin::new("bits.and", 2, |_, a| both(a, |x, y| x & y)),
    Builtin::new("bits.or", 2, |_, a| both(a, |x, y| x | y)),
    Builtin::new("bits.xor", 2, |_, a| both(a, |x, y| x ^ y)),
    Builtin::new("bits.negate", 1, |_, a| ok(Number::from(!big_int(a, 0)?))),
    Builtin::new("bits.lsh", 2, left),
    Builtin::new("bits.rsh", 2, right),
];

fn both(args: &[Value], apply: fn(BigInt, BigInt) -> BigInt) -> Outcome {
    ok(Number::from(apply(big_int(args, 0)?, big_int(args, 1)?)))
}

fn distance(args: &[Value]) -> Result<BigInt, Fault> {
    let by = big_int(args, 1)?;
    if by < BigInt::ZERO {
        return Err(Fault::Type(
            "operand 2 must be an unsigned integer number but got a negative integer".to_owned(),
        ));
    }
    Ok(by)
}

fn left(_: &mut Env<'_>, args: &[Value]) -> Outcome {
    let int = big_int(args, 0)?;
    match u32::try_from(distance(args)?) {
        Ok(by) if by <= SHIFT_MAX => ok(Number::from(int << by)),
        _ => failed(format!("a shift by more than {SHIFT_MAX} bits is not possible")),
    }
}

fn right(_: &mut Env<'_>, args: &[Value]) -> Outcome {
    let int = big_int(args, 0)?;
    let by = u32::try_from(distance(args)?).unwrap_or(u32::MAX);
    ok(Number::from(int >> by))
}
