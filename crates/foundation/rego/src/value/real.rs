//! Binary floating point with a 64-bit mantissa: the arithmetic in which Rego computes what
//! integers cannot hold. Rounding is to nearest, ties to even; text is the shortest decimal
//! that reads back as the same number (Steele and White, 1990, with exact integers).

use std::cmp::Ordering;

use num_bigint::{BigInt, BigUint, Sign};

use super::Number;
use super::number::EXPONENT_MAX;

/// Bits of the mantissa.
const PRECISION: u64 = 64;

/// `(-1)^negative * mantissa * 2^exponent`; the mantissa has its top bit set, or is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Real {
    negative: bool,
    mantissa: u64,
    exponent: i64,
}

impl Real {
    pub(crate) const ZERO: Self = Self {
        negative: false,
        mantissa: 0,
        exponent: 0,
    };

    pub(crate) fn from_i64(int: i64) -> Self {
        Self::round(int < 0, BigUint::from(int.unsigned_abs()), 0, false)
    }

    /// `size * 2^exponent`, rounded; `sticky` says that a bit below the last one is set.
    fn round(negative: bool, size: BigUint, exponent: i64, sticky: bool) -> Self {
        let bits = size.bits();
        if bits == 0 {
            return Self::ZERO;
        }
        if bits <= PRECISION {
            let shift = PRECISION - bits;
            let mantissa = u64::try_from(size).expect("at most 64 bits") << shift;
            return Self {
                negative,
                mantissa,
                exponent: exponent - shift as i64,
            };
        }
        let drop = bits - PRECISION;
        let kept = u64::try_from(&size >> drop).expect("64 bits are left");
        let half = size.bit(drop - 1);
        let below = sticky || size.trailing_zeros().is_some_and(|zeros| zeros < drop - 1);
        let up = half && (below || kept & 1 == 1);
        match kept.checked_add(u64::from(up)) {
            Some(mantissa) => Self {
                negative,
                mantissa,
                exponent: exponent + drop as i64,
            },
            None => Self {
                negative,
                mantissa: 1 << 63,
                exponent: exponent + drop as i64 + 1,
            },
        }
    }

    /// `numerator / denominator`, rounded.
    fn ratio(negative: bool, numerator: BigUint, denominator: &BigUint) -> Self {
        // Enough bits that the quotient has more than the mantissa's; the rest is sticky.
        let shift = (PRECISION + 2 + denominator.bits()).saturating_sub(numerator.bits());
        let numerator = numerator << shift;
        let quotient = &numerator / denominator;
        let sticky = &quotient * denominator != numerator;
        // The sticky bit joins as one more low bit, so that `round` sees an inexact tail.
        let size = (quotient << 1u8) + u8::from(sticky);
        Self::round(negative, size, -(shift as i64) - 1, false)
    }

    pub(crate) fn parse(text: &str) -> Self {
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, power) = match text.find(['e', 'E']) {
            Some(i) => (&text[..i], text[i + 1..].trim_start_matches('+').parse().unwrap_or(0)),
            None => (text, 0i64),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}");
        let size = BigUint::parse_bytes(digits.as_bytes(), 10).unwrap_or_default();
        let power = (power - fraction.len() as i64).clamp(-EXPONENT_MAX, EXPONENT_MAX);
        let ten = BigUint::from(10u8).pow(power.unsigned_abs() as u32);
        if power >= 0 {
            Self::round(negative, size * ten, 0, false)
        } else {
            Self::ratio(negative, size, &ten)
        }
    }

    fn signed(self) -> BigInt {
        let sign = if self.negative { Sign::Minus } else { Sign::Plus };
        BigInt::from_biguint(sign, BigUint::from(self.mantissa))
    }

    pub(crate) fn add(self, other: Self) -> Self {
        if self.mantissa == 0 {
            return other;
        }
        if other.mantissa == 0 {
            return self;
        }
        let (high, low) = if self.exponent >= other.exponent {
            (self, other)
        } else {
            (other, self)
        };
        let gap = (high.exponent - low.exponent) as u64;
        // Beyond two mantissas the smaller number cannot reach the rounding bit.
        if gap > 2 * PRECISION + 2 {
            return high;
        }
        let sum = (high.signed() << gap) + low.signed();
        let (sign, size) = sum.into_parts();
        Self::round(sign == Sign::Minus, size, low.exponent, false)
    }

    pub(crate) fn negate(self) -> Self {
        Self {
            negative: !self.negative && self.mantissa != 0,
            ..self
        }
    }

    pub(crate) fn sub(self, other: Self) -> Self {
        self.add(other.negate())
    }

    pub(crate) fn mul(self, other: Self) -> Self {
        let size = BigUint::from(u128::from(self.mantissa) * u128::from(other.mantissa));
        Self::round(
            self.negative != other.negative,
            size,
            self.exponent + other.exponent,
            false,
        )
    }

    /// The quotient; `None` if `other` is zero.
    pub(crate) fn div(self, other: Self) -> Option<Self> {
        if other.mantissa == 0 {
            return None;
        }
        if self.mantissa == 0 {
            return Some(Self::ZERO);
        }
        let negative = self.negative != other.negative;
        let quotient = Self::ratio(negative, BigUint::from(self.mantissa), &BigUint::from(other.mantissa));
        Some(Self {
            exponent: quotient.exponent + self.exponent - other.exponent,
            ..quotient
        })
    }

    pub(crate) fn is_integer(self) -> bool {
        self.mantissa == 0 || self.exponent >= -i64::from(self.mantissa.trailing_zeros())
    }

    pub(crate) fn is_negative(self) -> bool {
        self.negative
    }

    pub(crate) fn abs(self) -> Self {
        Self {
            negative: false,
            ..self
        }
    }

    /// The integer part, towards zero.
    pub(crate) fn truncate(self) -> BigInt {
        let size = BigUint::from(self.mantissa);
        // Numbers are parsed with bounded exponents, so the shift is bounded as well.
        let size = match self.exponent {
            e if e >= 0 => size << e.min(4 * EXPONENT_MAX) as u64,
            e if e <= -(PRECISION as i64) => BigUint::ZERO,
            e => size >> e.unsigned_abs(),
        };
        BigInt::from_biguint(if self.negative { Sign::Minus } else { Sign::Plus }, size)
    }

    pub(crate) fn to_number(self) -> Number {
        if self.is_integer() {
            return self.integer_text();
        }
        let (digits, point) = self.shortest();
        Number::from_decimal_text(super::text::general(self.negative, &digits, point))
    }

    /// Integers are written out in full, but with the shortest digits that identify them.
    fn integer_text(self) -> Number {
        let exact = self.truncate();
        if exact.bits() <= PRECISION {
            return exact.into();
        }
        let (digits, point) = self.shortest();
        let mut text = String::from(if self.negative { "-" } else { "" });
        text.push_str(&digits);
        text.extend(std::iter::repeat_n(
            '0',
            (point.max(0) as usize).saturating_sub(digits.len()),
        ));
        Number::from_decimal_text(text)
    }

    /// Shortest digits `d` and the place of the point, value = 0.d * 10^point.
    fn shortest(self) -> (String, i64) {
        let even = self.mantissa & 1 == 0;
        // value = r / s; half the gap to the neighbours above and below = up / s, down / s.
        let mantissa = BigUint::from(self.mantissa);
        let boundary = self.mantissa == 1 << 63;
        let (mut r, mut s, mut up, mut down);
        if self.exponent >= 0 {
            let e = self.exponent as u64;
            down = BigUint::from(1u8) << e;
            up = if boundary { &down << 1u8 } else { down.clone() };
            r = mantissa << (e + 1 + u64::from(boundary));
            s = BigUint::from(if boundary { 4u8 } else { 2u8 });
        } else {
            let e = self.exponent.unsigned_abs();
            down = BigUint::from(1u8);
            up = BigUint::from(if boundary { 2u8 } else { 1u8 });
            r = mantissa << (1 + u64::from(boundary));
            s = BigUint::from(1u8) << (e + 1 + u64::from(boundary));
        }
        let mut point = 0i64;
        let reaches = |r: &BigUint, up: &BigUint, s: &BigUint| match (r + up).cmp(s) {
            Ordering::Greater => true,
            Ordering::Equal => even,
            Ordering::Less => false,
        };
        while reaches(&r, &up, &s) {
            s *= 10u8;
            point += 1;
        }
        while !reaches(&(&r * 10u8), &(&up * 10u8), &s) {
            r *= 10u8;
            up *= 10u8;
            down *= 10u8;
            point -= 1;
        }
        let mut digits = String::new();
        loop {
            r *= 10u8;
            up *= 10u8;
            down *= 10u8;
            let digit = &r / &s;
            r -= &digit * &s;
            let digit = u8::try_from(digit).unwrap_or(9);
            let low = match r.cmp(&down) {
                Ordering::Less => true,
                Ordering::Equal => even,
                Ordering::Greater => false,
            };
            let high = reaches(&r, &up, &s);
            let round_up = match (low, high) {
                (false, false) => {
                    digits.push(char::from(b'0' + digit));
                    continue;
                }
                (true, false) => false,
                (false, true) => true,
                (true, true) => (&r << 1u8) >= s,
            };
            digits.push(char::from(b'0' + digit + u8::from(round_up)));
            return (digits, point);
        }
    }
}

impl PartialOrd for Real {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        let difference = self.sub(*other);
        Some(match (difference.mantissa, difference.negative) {
            (0, _) => Ordering::Equal,
            (_, true) => Ordering::Less,
            (_, false) => Ordering::Greater,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_rounds_and_prints_as_64_bit_mantissas_do() {
        let check = |a: &str, op: char, b: &str, expect: &str| {
            let (a, b) = (Real::parse(a), Real::parse(b));
            let result = match op {
                '+' => a.add(b),
                '-' => a.sub(b),
                '*' => a.mul(b),
                _ => a.div(b).expect("divisor is not zero"),
            };
            assert_eq!(result.to_number().to_string(), expect);
        };
        check("0.1", '+', "0.2", "0.3");
        check("1", '/', "3", "0.33333333333333333334");
        check("2", '/', "3", "0.6666666666666666667");
        check("1.5", '*', "2", "3");
        check("10", '-', "0.5", "9.5");
        check("1e-7", '*', "1", "1e-07");
        check("1e30", '+', "0", "1000000000000000000000000000000");
    }
}
