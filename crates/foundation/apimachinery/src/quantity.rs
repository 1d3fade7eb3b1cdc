//! Quantities: `100m`, `1.5Gi`, `2e3`.
//!
//! A quantity is a decimal number and the family of suffixes in which it was written. It keeps nine digits after the
//! point; what is smaller is rounded up, away from zero, so that no request for something becomes a request for nothing.
//! Values are held in nanounits in an `i128`, which covers every value that upstream's cap of 2⁶³-1 units allows.
//!
//! Source of grammar, canonical form, rounding and cap: apimachinery's `api/resource`.

use std::cmp::Ordering;
use std::fmt;
use std::ops::{Add, AddAssign, Neg, Sub};
use std::str::FromStr;

use thiserror::Error;

/// A text that is no quantity.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum QuantityError {
    /// The text is malformed.
    #[error("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")]
    Format,
    /// The suffix is not known.
    #[error("unable to parse quantity's suffix")]
    Suffix,
}

/// The family of suffixes a quantity is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// `Ki`, `Mi`, `Gi`: powers of 1024.
    BinarySi,
    /// `m`, none, `k`, `M`: powers of 1000.
    DecimalSi,
    /// `e3`, `e6`: powers of 1000 as exponents.
    DecimalExponent,
}

/// A number with the unit family it was written in. Equality and order are those of the numbers.
#[derive(Clone, Copy, Debug)]
pub struct Quantity {
    nanos: i128,
    format: Format,
}

const NANOS: i128 = 1_000_000_000;
/// Upstream caps quantities at the largest signed 64-bit number of whole units.
const NANOS_MAX: i128 = i64::MAX as i128 * NANOS;

const BINARY: [(&str, u32); 6] = [("Ki", 10), ("Mi", 20), ("Gi", 30), ("Ti", 40), ("Pi", 50), ("Ei", 60)];
const DECIMAL: [(&str, i32); 10] = [
    ("n", -9),
    ("u", -6),
    ("m", -3),
    ("", 0),
    ("k", 3),
    ("M", 6),
    ("G", 9),
    ("T", 12),
    ("P", 15),
    ("E", 18),
];

/// What a suffix multiplies by.
enum Scale {
    TwoTo(u32),
    TenTo(i32),
}

fn suffix(text: &str) -> Option<(Scale, Format)> {
    if let Some((_, exponent)) = BINARY.iter().find(|(name, _)| *name == text) {
        return Some((Scale::TwoTo(*exponent), Format::BinarySi));
    }
    if let Some((_, exponent)) = DECIMAL.iter().find(|(name, _)| *name == text) {
        return Some((Scale::TenTo(*exponent), Format::DecimalSi));
    }
    let exponent = text.strip_prefix(['e', 'E'])?;
    let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some((Scale::TenTo(exponent.parse().ok()?), Format::DecimalExponent))
}

impl FromStr for Quantity {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let (negative, unsigned) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        let end = unsigned
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(unsigned.len());
        let (number, suffix_text) = unsigned.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
            return Err(QuantityError::Format);
        }
        if !suffix_text
            .bytes()
            .all(|byte| b"eEinumkKMGTP+-0123456789".contains(&byte))
        {
            return Err(QuantityError::Format);
        }
        let (scale, format) = suffix(suffix_text).ok_or(QuantityError::Suffix)?;
        let magnitude = nanos(whole, fraction, &scale);
        // Binary suffixes cannot say fractions of a unit that are smaller than a thousandth of a Ki.
        let format = if format == Format::BinarySi && magnitude < 1024 * NANOS {
            Format::DecimalSi
        } else {
            format
        };
        Ok(Quantity {
            nanos: if negative { -magnitude } else { magnitude },
            format,
        })
    }
}

/// `whole.fraction` times `scale` in nanounits, rounded up, capped.
fn nanos(whole: &str, fraction: &str, scale: &Scale) -> i128 {
    let digits: Vec<u8> = whole
        .bytes()
        .chain(fraction.bytes())
        .skip_while(|&digit| digit == b'0')
        .collect();
    if digits.is_empty() {
        return 0;
    }
    let (exponent, factor) = match scale {
        Scale::TenTo(exponent) => (9 + i64::from(*exponent), 1),
        Scale::TwoTo(exponent) => (9, 1i128 << exponent),
    };
    // The number is `digits` times ten to this power, times `factor`.
    let power = exponent - fraction.len() as i64;
    if digits.len() as i64 + power > 29 {
        return NANOS_MAX;
    }
    // Thirty digits fit an i128 with room for a factor below 2^26; further digits only round up.
    let (mut value, mut inexact, mut dropped) = (0i128, false, 0i64);
    for &digit in &digits {
        match value
            .checked_mul(10)
            .and_then(|value| value.checked_add(i128::from(digit - b'0')))
        {
            Some(next) if next < i128::MAX / factor / 10 => value = next,
            _ => {
                dropped += 1;
                inexact |= digit != b'0';
            }
        }
    }
    value *= factor;
    for _ in 0..(power + dropped).max(0) {
        value = value.saturating_mul(10).min(NANOS_MAX);
    }
    for _ in 0..(-(power + dropped)).max(0) {
        inexact |= value % 10 != 0;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    (value + i128::from(inexact)).min(NANOS_MAX)
}

impl Quantity {
    /// A whole number of units.
    pub fn new(units: i64, format: Format) -> Self {
        Quantity {
            nanos: i128::from(units) * NANOS,
            format,
        }
    }

    /// A number of thousandths of a unit.
    pub fn from_millis(millis: i64, format: Format) -> Self {
        Quantity {
            nanos: i128::from(millis) * (NANOS / 1000),
            format,
        }
    }

    /// Nothing, in decimal suffixes.
    pub fn zero() -> Self {
        Quantity::new(0, Format::DecimalSi)
    }

    /// From a number, rounded up to nanounits; not a number is zero.
    pub fn from_f64(units: f64) -> Self {
        let nanos = (units * NANOS as f64).ceil();
        Quantity {
            nanos: (nanos as i128).clamp(-NANOS_MAX, NANOS_MAX),
            format: Format::DecimalSi,
        }
    }

    /// From the value of an object's field: text or number.
    pub fn from_value(value: &serde_json::Value) -> Result<Self, QuantityError> {
        match value {
            serde_json::Value::String(text) => text.parse(),
            serde_json::Value::Number(number) => number.to_string().parse(),
            _ => Err(QuantityError::Format),
        }
    }

    /// Whole units, rounded up.
    pub fn value(self) -> i64 {
        saturate(divide_up(self.nanos, NANOS))
    }

    /// Thousandths of a unit, rounded up.
    pub fn milli_value(self) -> i64 {
        saturate(divide_up(self.nanos, NANOS / 1000))
    }

    /// As a floating point number of units.
    pub fn as_f64(self) -> f64 {
        self.nanos as f64 / NANOS as f64
    }

    /// The family of suffixes.
    pub fn format(self) -> Format {
        self.format
    }

    /// The same number in another family.
    pub fn with_format(self, format: Format) -> Self {
        Quantity { format, ..self }
    }

    /// Whether it is nothing.
    pub fn is_zero(self) -> bool {
        self.nanos == 0
    }

    /// 1, 0 or -1.
    pub fn sign(self) -> i32 {
        self.nanos.signum() as i32
    }
}

fn divide_up(value: i128, by: i128) -> i128 {
    let quotient = value / by;
    if value % by == 0 {
        quotient
    } else {
        quotient + value.signum()
    }
}

fn saturate(value: i128) -> i64 {
    value.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64
}

impl fmt::Display for Quantity {
    /// The canonical form: the largest suffix that leaves an integer.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.nanos == 0 {
            return f.write_str("0");
        }
        let whole = self.nanos % NANOS == 0;
        let units = self.nanos / NANOS;
        if self.format == Format::BinarySi && whole && units.abs() >= 1024 {
            let (name, exponent) = BINARY
                .iter()
                .rev()
                .find(|(_, exponent)| units % (1 << exponent) == 0)
                .unwrap_or(&("", 0));
            return write!(f, "{}{name}", units >> exponent);
        }
        let mut mantissa = self.nanos;
        let mut exponent = -9;
        while mantissa % 1000 == 0 && exponent < 18 {
            mantissa /= 1000;
            exponent += 3;
        }
        match self.format {
            Format::DecimalExponent if exponent == 0 => write!(f, "{mantissa}"),
            Format::DecimalExponent => write!(f, "{mantissa}e{exponent}"),
            _ => {
                let name = DECIMAL
                    .iter()
                    .find(|(_, known)| *known == exponent)
                    .map_or("", |(name, _)| name);
                write!(f, "{mantissa}{name}")
            }
        }
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.nanos == other.nanos
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.nanos.cmp(&other.nanos)
    }
}

impl Add for Quantity {
    type Output = Quantity;

    /// The family of the left side, or of the right one where the left is nothing.
    fn add(self, other: Quantity) -> Quantity {
        let format = if self.is_zero() { other.format } else { self.format };
        Quantity {
            nanos: (self.nanos + other.nanos).clamp(-NANOS_MAX, NANOS_MAX),
            format,
        }
    }
}

impl AddAssign for Quantity {
    fn add_assign(&mut self, other: Quantity) {
        *self = *self + other;
    }
}

impl Sub for Quantity {
    type Output = Quantity;

    fn sub(self, other: Quantity) -> Quantity {
        self + -other
    }
}

impl Neg for Quantity {
    type Output = Quantity;

    fn neg(self) -> Quantity {
        Quantity {
            nanos: -self.nanos,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, canonical: &str) {
        let parsed: Result<Quantity, _> = text.parse();
        assert_eq!(
            parsed.map(|quantity| quantity.to_string()),
            Ok(canonical.to_owned()),
            "{text}"
        );
    }

    /// From the tables of apimachinery's `quantity_test.go`.
    #[test]
    fn canonical_forms() {
        for same in [
            "0",
            "1",
            "100m",
            "1Ki",
            "1.5Gi",
            "12Mi",
            "3G",
            "1n",
            "5u",
            "10k",
            "1e6",
            "9223372036854775807",
            "-4",
        ] {
            let expect = match same {
                "1.5Gi" => "1536Mi",
                other => other,
            };
            check(same, expect);
        }
        check("0.5", "500m");
        check("0.5Ki", "512");
        check("0.1Ki", "102400m");
        check("1024", "1024");
        check("1000", "1k");
        check("1024Ki", "1Mi");
        check("1000000Ki", "1000000Ki");
        check("0.001", "1m");
        check("1e3", "1e3");
        check("1E6", "1e6");
        check("1E", "1E");
        check("2500e-3", "2500e-3");
        check("100.035k", "100035");
        check("-0.5", "-500m");
        check("+1", "1");
        check(".5", "500m");
        check("1.", "1");
        check("0.0000000001", "1n");
        check("1.0000000001", "1000000001n");
        check("-0.0000000001", "-1n");
        check("9223372036854775808", "9223372036854775807");
        check("100E", "9223372036854775807");
        check("8Ei", "9223372036854775807");
        check("7Ei", "7Ei");
        check("1.1E", "1100P");
        check("00.001", "1m");
    }

    #[test]
    fn what_is_no_quantity() {
        for (text, expect) in [
            ("", QuantityError::Format),
            ("abc", QuantityError::Format),
            ("1.2.3", QuantityError::Format),
            (".", QuantityError::Format),
            ("1 ", QuantityError::Format),
            ("1.1Mi1", QuantityError::Suffix),
            ("1mm", QuantityError::Suffix),
            ("1e", QuantityError::Suffix),
            ("1K", QuantityError::Suffix),
        ] {
            assert_eq!(text.parse::<Quantity>(), Err(expect), "{text}");
        }
    }

    #[test]
    fn rounding_up() {
        let quantity = |text: &str| text.parse::<Quantity>().expect(text);
        assert_eq!(quantity("100m").value(), 1);
        assert_eq!(quantity("1500m").value(), 2);
        assert_eq!(quantity("1001u").milli_value(), 2);
        assert_eq!(quantity("1Ki").milli_value(), 1_024_000);
        assert_eq!(quantity("-1500m").value(), -2);
        assert!(quantity("1Gi") > quantity("1G"));
        assert_eq!(quantity("1000m"), quantity("1"));
        assert_eq!((quantity("1Gi") + quantity("512Mi")).to_string(), "1536Mi");
        assert_eq!((quantity("1") - quantity("250m")).to_string(), "750m");
    }

    proptest! {
        #[test]
        fn canonical_form_is_a_fixed_point(text in "[0-9]{1,12}(\\.[0-9]{0,6})?(n|u|m|k|M|G|Ki|Mi|Gi|e3|e-3)?") {
            let quantity: Quantity = text.parse().unwrap();
            let canonical = quantity.to_string();
            let again: Quantity = canonical.parse().unwrap();
            prop_assert_eq!(again, quantity);
            prop_assert_eq!(again.to_string(), canonical);
        }

        #[test]
        fn any_text_is_answered(text in "\\PC{0,24}") {
            let _ = text.parse::<Quantity>();
        }

        #[test]
        fn order_is_that_of_numbers(left in -1_000_000i64..1_000_000, right in -1_000_000i64..1_000_000) {
            let quantity = |millis| Quantity::from_millis(millis, Format::DecimalSi);
            prop_assert_eq!(quantity(left).cmp(&quantity(right)), left.cmp(&right));
            prop_assert_eq!((quantity(left) + quantity(right)).milli_value(), left + right);
        }
    }
}
