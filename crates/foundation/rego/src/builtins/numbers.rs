//! Ranges, chance, and amounts with units.

use num_bigint::BigInt;

use super::{Builtin, Env, Fault, Outcome, big_int, failed, int, number, ok, string};
use crate::value::{Number, Value};

/// The longest range: longer ones are loops written as lists.
const RANGE_LEN_MAX: usize = 10_000_000;

pub(super) const TABLE: &[Builtin] = &[
    Builtin::new("numbers.range", 2, |_, a| range(a, BigInt::from(1))),
    Builtin::new("numbers.range_step", 3, |_, a| {
        let step = big_int(a, 2)?;
        if step <= BigInt::ZERO {
            return failed("step must be a positive integer");
        }
        range(a, step)
    }),
    Builtin::new("rand.intn", 2, intn),
    Builtin::new("format_int", 2, format_int),
    Builtin::new("units.parse", 1, units),
    Builtin::new("units.parse_bytes", 1, bytes),
];

fn range(args: &[Value], step: BigInt) -> Outcome {
    let (from, to) = (big_int(args, 0)?, big_int(args, 1)?);
    let mut out = Vec::new();
    let up = from <= to;
    let mut at = from;
    while (up && at <= to) || (!up && at >= to) {
        if out.len() == RANGE_LEN_MAX {
            return failed(format!("a range of more than {RANGE_LEN_MAX} numbers is not possible"));
        }
        out.push(Value::from(Number::from(at.clone())));
        if up { at += &step } else { at -= &step }
    }
    ok(out)
}

fn intn(env: &mut Env<'_>, args: &[Value]) -> Outcome {
    string(args, 0)?;
    let n = int(args, 1)?;
    if n == 0 {
        return ok(0i64);
    }
    let key = Value::array([args[0].clone(), n.unsigned_abs().to_string().as_str().into()]);
    let answer = env.once("rand.intn", key, |env| {
        Ok(((env.host.random() % n.unsigned_abs()) as i64).into())
    })?;
    Ok(Some(answer))
}

fn format_int(_: &mut Env<'_>, args: &[Value]) -> Outcome {
    let n = number(args, 0)?;
    let base = match int(args, 1)? {
        base @ (2 | 8 | 10 | 16) => base as u32,
        _ => return Err(Fault::Type("operand 2 must be one of {2, 8, 10, 16}".to_owned())),
    };
    let int = n.to_bigint().unwrap_or_else(|| n.to_real().truncate());
    ok(int.to_str_radix(base))
}

/// Splits an amount into its digits and its unit, in the way that both built-ins share.
fn split(text: &str, what: &str) -> Result<(String, String), Fault> {
    let text = text.replace('"', "");
    if text.contains(' ') {
        return failed("spaces not allowed in resource strings");
    }
    let is_amount = |c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '+');
    let mut end = text.find(|c: char| !is_amount(c)).unwrap_or(text.len());
    // An exponent belongs to the number where digits follow it.
    let rest = &text[end..];
    if end > 0 && rest.starts_with(['e', 'E']) {
        let after = &rest[1..];
        let digits = after.trim_start_matches(['+', '-']);
        let sign = after.len() - digits.len();
        let len = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
        if len > 0 && sign <= 1 {
            end += 1 + sign + len;
        }
    }
    let (amount, unit) = text.split_at(end);
    if amount.is_empty() {
        return failed(format!("no {what} provided"));
    }
    Ok((amount.to_owned(), unit.to_owned()))
}

fn amount(text: &str, what: &str) -> Result<Number, Fault> {
    let wrong = || Fault::Failed(format!("could not parse {what} to a number"));
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let digits = if digits.starts_with('.') {
        format!("0{digits}")
    } else {
        digits.to_owned()
    };
    let trimmed = digits.trim_start_matches('0');
    let digits = if trimmed.starts_with(|c: char| c.is_ascii_digit()) {
        trimmed.to_owned()
    } else {
        format!("0{trimmed}")
    };
    let digits = digits.strip_suffix('.').map_or(digits.clone(), str::to_owned);
    Number::parse(&format!("{sign}{digits}")).ok_or_else(wrong)
}

fn scale(unit: &str) -> Option<Number> {
    let decimal = |power: u32| Number::from(BigInt::from(10).pow(power));
    let binary = |power: u32| Number::from(BigInt::from(2).pow(power));
    Some(match unit {
        "" => decimal(0),
        "k" => decimal(3),
        "m" => decimal(6),
        "g" => decimal(9),
        "t" => decimal(12),
        "p" => decimal(15),
        "e" => decimal(18),
        "ki" => binary(10),
        "mi" => binary(20),
        "gi" => binary(30),
        "ti" => binary(40),
        "pi" => binary(50),
        "ei" => binary(60),
        _ => return None,
    })
}

/// Decimals of an amount that is no integer.
const DECIMALS: u32 = 10;

fn units(_: &mut Env<'_>, args: &[Value]) -> Outcome {
    let text = string(args, 0)?;
    let (digits, unit) = split(text, "amount")?;
    // Only milli and mega differ by their case.
    let factor = if unit == "m" {
        Some(Number::from(1i64))
    } else {
        scale(&unit.to_lowercase())
    };
    let Some(factor) = factor.and_then(|factor| factor.to_bigint()) else {
        return failed(format!("unit {unit} not recognized"));
    };
    let number = amount(&digits, "amount")?;
    let Some((digits, mut point)) = exact(&number) else {
        return failed("exponent too large");
    };
    let total = digits * factor;
    point += if unit == "m" { 3 } else { 0 };
    ok(fixed(total, point))
}

/// A number as an integer and the digits after its point.
fn exact(number: &Number) -> Option<(BigInt, u32)> {
    let text = number.to_string();
    let (mantissa, power) = match text.find(['e', 'E']) {
        Some(i) => (&text[..i], text[i + 1..].trim_start_matches('+').parse::<i64>().ok()?),
        None => (&text[..], 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits: BigInt = format!("{whole}{fraction}").parse().ok()?;
    let point = fraction.len() as i64 - power;
    if point.abs() > 1000 {
        return None;
    }
    let up = u32::try_from(-point).unwrap_or(0);
    Some((digits * BigInt::from(10).pow(up), u32::try_from(point).unwrap_or(0)))
}

/// `digits / 10^point`: as an integer if it is one, rounded to [`DECIMALS`] otherwise.
fn fixed(digits: BigInt, point: u32) -> Number {
    let unit = BigInt::from(10).pow(point);
    if &digits % &unit == BigInt::ZERO {
        return Number::from(digits / unit);
    }
    let negative = digits < BigInt::ZERO;
    let size = BigInt::from(digits.magnitude().clone());
    let rounded = (size * BigInt::from(10).pow(DECIMALS) * 2 + &unit) / (unit * 2);
    let text = format!("{rounded:0>width$}", width = DECIMALS as usize + 1);
    let (whole, fraction) = text.split_at(text.len() - DECIMALS as usize);
    Number::from_decimal_text(format!("{}{whole}.{fraction}", if negative { "-" } else { "" }))
}

fn bytes(_: &mut Env<'_>, args: &[Value]) -> Outcome {
    let text = string(args, 0)?;
    let (digits, unit) = split(text, "byte amount")?;
    let number = amount(&digits, "byte amount")?;
    let lower = unit.to_lowercase();
    let unit = if lower == "b" {
        ""
    } else {
        lower.strip_suffix('b').unwrap_or(&lower)
    };
    let Some(factor) = scale(unit) else {
        return failed(format!("byte unit {} not recognized", lower));
    };
    let total = super::operators::multiply(&number, &factor);
    match total.to_bigint() {
        Some(int) => ok(Number::from(int)),
        None => ok(Number::from(total.to_real().truncate())),
    }
}
