//! Numbers: exact decimals of any length, kept as they were written.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use num_bigint::BigInt;

use super::Real;

/// The largest power of ten that is ever written out in digits. A number such as
/// `1e999999999` is a few bytes of text, and must not become a gigabyte of digits.
pub(super) const EXPONENT_MAX: i64 = 10_000;

/// A number. Integers of 64 bits are kept as such; everything else keeps its decimal text, so
/// that `1.10` and a number of fifty digits come out as they went in. Equality, order and hash
/// go by value: `1`, `1.0` and `1e0` are one number.
#[derive(Clone, Debug)]
pub struct Number(Repr);

#[derive(Clone, Debug)]
enum Repr {
    Int(i64),
    Text(Arc<str>),
}

/// `(-1)^negative * 0.digits * 10^exponent`, digits without zeros at either end.
#[derive(PartialEq, Eq, Hash)]
struct Decimal {
    negative: bool,
    digits: Vec<u8>,
    exponent: i64,
}

impl Decimal {
    fn parse(text: &str) -> Self {
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, power) = match text.find(['e', 'E']) {
            Some(i) => (&text[..i], parse_exponent(&text[i + 1..])),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
        let Some(first) = all.iter().position(|&d| d != b'0') else {
            return Self {
                negative: false,
                digits: Vec::new(),
                exponent: 0,
            };
        };
        let last = all.iter().rposition(|&d| d != b'0').map_or(0, |i| i + 1);
        Self {
            negative,
            exponent: (whole.len() as i64 - first as i64).saturating_add(power),
            digits: all[first..last].to_vec(),
        }
    }

    fn compare(&self, other: &Self) -> Ordering {
        let sign = |d: &Self| match (d.digits.is_empty(), d.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        };
        let size = || {
            self.exponent
                .cmp(&other.exponent)
                .then_with(|| self.digits.cmp(&other.digits))
        };
        sign(self).cmp(&sign(other)).then_with(|| match sign(self) {
            0 => Ordering::Equal,
            1 => size(),
            _ => size().reverse(),
        })
    }

    fn is_integer(&self) -> bool {
        self.exponent >= self.digits.len() as i64
    }

    fn to_bigint(&self) -> Option<BigInt> {
        if self.digits.is_empty() {
            return Some(BigInt::ZERO);
        }
        if !self.is_integer() || self.exponent > EXPONENT_MAX {
            return None;
        }
        let zeros = usize::try_from(self.exponent).ok()? - self.digits.len();
        let mut text = self.digits.clone();
        text.resize(text.len() + zeros, b'0');
        let size = BigInt::parse_bytes(&text, 10)?;
        Some(if self.negative { -size } else { size })
    }
}

fn parse_exponent(text: &str) -> i64 {
    let (negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let size = digits.parse::<i64>().unwrap_or(i64::MAX / 4).min(i64::MAX / 4);
    if negative { -size } else { size }
}

impl Number {
    /// Reads a JSON number; a leading `+` or zeros are not allowed.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let mut at = usize::from(bytes.first() == Some(&b'-'));
        let digits = |mut at: usize| {
            let start = at;
            while bytes.get(at).is_some_and(u8::is_ascii_digit) {
                at += 1;
            }
            (at > start).then_some(at)
        };
        let whole = at;
        at = digits(at)?;
        if bytes[whole] == b'0' && at > whole + 1 {
            return None;
        }
        let integer_end = at;
        if bytes.get(at) == Some(&b'.') {
            at = digits(at + 1)?;
        }
        if matches!(bytes.get(at), Some(b'e' | b'E')) {
            at += 1;
            if matches!(bytes.get(at), Some(b'+' | b'-')) {
                at += 1;
            }
            at = digits(at)?;
        }
        if at != bytes.len() {
            return None;
        }
        if integer_end == bytes.len()
            && let Ok(int) = text.parse::<i64>()
        {
            return Some(Self(Repr::Int(int)));
        }
        Some(Self(Repr::Text(text.into())))
    }

    /// The value as a 64-bit integer, if it is one (`2.0` is).
    pub fn as_i64(&self) -> Option<i64> {
        match &self.0 {
            Repr::Int(i) => Some(*i),
            Repr::Text(text) => i64::try_from(Decimal::parse(text).to_bigint()?).ok(),
        }
    }

    /// The value as an integer when it is *written* as one: `2.0` is not.
    pub(crate) fn as_plain_i64(&self) -> Option<i64> {
        match &self.0 {
            Repr::Int(i) => Some(*i),
            Repr::Text(_) => None,
        }
    }

    /// The value as an integer of any size, if it is one.
    pub fn to_bigint(&self) -> Option<BigInt> {
        match &self.0 {
            Repr::Int(i) => Some(BigInt::from(*i)),
            Repr::Text(text) => Decimal::parse(text).to_bigint(),
        }
    }

    /// Whether the value is an integer.
    pub fn is_integer(&self) -> bool {
        match &self.0 {
            Repr::Int(_) => true,
            Repr::Text(text) => Decimal::parse(text).is_integer(),
        }
    }

    /// The nearest float.
    pub fn to_f64(&self) -> f64 {
        match &self.0 {
            Repr::Int(i) => *i as f64,
            Repr::Text(text) => text.parse().unwrap_or(f64::NAN),
        }
    }

    pub(crate) fn to_real(&self) -> Real {
        match &self.0 {
            Repr::Int(i) => Real::from_i64(*i),
            Repr::Text(text) => Real::parse(text),
        }
    }

    /// A finite float as its shortest decimal; `None` for infinities and not-a-number.
    pub fn from_f64(float: f64) -> Option<Self> {
        if !float.is_finite() {
            return None;
        }
        if float.fract() == 0.0 && float.abs() < 9e15 {
            return Some(Self(Repr::Int(float as i64)));
        }
        Self::parse(&super::text::shortest_f64(float))
    }

    pub(crate) fn from_decimal_text(text: String) -> Self {
        Self::parse(&text).unwrap_or_else(|| Self(Repr::Text(text.into())))
    }
}

impl From<i64> for Number {
    fn from(int: i64) -> Self {
        Self(Repr::Int(int))
    }
}

impl From<usize> for Number {
    fn from(int: usize) -> Self {
        i64::try_from(int).map_or_else(|_| BigInt::from(int).into(), Self::from)
    }
}

impl From<BigInt> for Number {
    fn from(int: BigInt) -> Self {
        match i64::try_from(&int) {
            Ok(int) => Self(Repr::Int(int)),
            Err(_) => Self(Repr::Text(int.to_string().into())),
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Int(i) => i.fmt(f),
            Repr::Text(text) => f.write_str(text),
        }
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.0, &other.0) {
            (Repr::Int(a), Repr::Int(b)) => a.cmp(b),
            (Repr::Text(a), Repr::Text(b)) if a == b => Ordering::Equal,
            _ => Decimal::parse(&self.to_string()).compare(&Decimal::parse(&other.to_string())),
        }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Number {}

impl Hash for Number {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self.as_i64() {
            Some(int) => int.hash(state),
            None => Decimal::parse(&self.to_string()).hash(state),
        }
    }
}
