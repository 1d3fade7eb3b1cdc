//! Kubernetes quantities as thousandths, read and written the way the API writes them.
//!
//! Source of grammar and canonical form: apimachinery's `api/resource`. The metrics APIs and the HPA calculate in
//! thousandths, so finer values are rounded up when read, as `MilliValue` does.

use std::fmt;

/// Which suffixes a quantity prefers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// `m`, `k`, `M`, …
    #[default]
    DecimalSi,
    /// `Ki`, `Mi`, …
    BinarySi,
}

impl Format {
    /// The name that upstream has for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DecimalSi => "DecimalSI",
            Self::BinarySi => "BinarySI",
        }
    }
}

/// An amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Quantity {
    /// In thousandths.
    pub milli: i64,
    /// How it is written.
    pub format: Format,
}

/// Suffix and power of ten.
const DECIMAL: &[(&str, i32)] = &[
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

/// Suffix and power of 1024.
const BINARY: &[(&str, u32)] = &[("Ki", 1), ("Mi", 2), ("Gi", 3), ("Ti", 4), ("Pi", 5), ("Ei", 6)];

impl Quantity {
    /// In decimal form.
    pub fn decimal(milli: i64) -> Self {
        Self {
            milli,
            format: Format::DecimalSi,
        }
    }

    /// In the form that the metrics APIs use for a resource: binary for memory.
    pub fn of_resource(resource: &str, milli: i64) -> Self {
        let format = if resource == "memory" {
            Format::BinarySi
        } else {
            Format::DecimalSi
        };
        Self { milli, format }
    }

    /// Reads a quantity; `None` when it is none. Beyond the range it is capped, and less than a thousandth is
    /// rounded up, away from zero.
    pub fn parse(text: &str) -> Option<Self> {
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        let digits = unsigned
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(unsigned.len());
        let (number, suffix) = unsigned.split_at(digits);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.len() + fraction.len() == 0 || fraction.contains('.') {
            return None;
        }
        let (factor, exponent, format) = scale_of(suffix)?;
        let magnitude = thousandths(whole, fraction, factor, exponent);
        let milli = if text.starts_with('-') { -magnitude } else { magnitude };
        Some(Self { milli, format })
    }
}

fn scale_of(suffix: &str) -> Option<(i128, i32, Format)> {
    if let Some((_, exponent)) = DECIMAL.iter().find(|(name, _)| *name == suffix) {
        return Some((1, *exponent, Format::DecimalSi));
    }
    if let Some((_, power)) = BINARY.iter().find(|(name, _)| *name == suffix) {
        return Some((1024i128.pow(*power), 0, Format::BinarySi));
    }
    let exponent: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
    Some((1, exponent, Format::DecimalSi))
}

/// `whole.fraction × factor × 10^exponent` in thousandths, rounded up and capped.
fn thousandths(whole: &str, fraction: &str, factor: i128, exponent: i32) -> i64 {
    let digits = |text: &str, into: i128| {
        text.bytes().try_fold(into, |sum: i128, digit| {
            sum.checked_mul(10)?.checked_add(i128::from(digit - b'0'))
        })
    };
    let value = digits(whole, 0)
        .and_then(|value| digits(fraction, value))
        .and_then(|value| value.checked_mul(factor));
    let Some(value) = value else {
        return i64::MAX;
    };
    let power = exponent
        .saturating_add(3)
        .saturating_sub(i32::try_from(fraction.len()).unwrap_or(i32::MAX));
    let scaled = match 10i128.checked_pow(power.unsigned_abs()) {
        Some(ten) if power >= 0 => value.checked_mul(ten).unwrap_or(i128::MAX),
        Some(ten) => (value + ten - 1) / ten,
        None if power >= 0 && value != 0 => i128::MAX,
        None => i128::from(value != 0),
    };
    i64::try_from(scaled).unwrap_or(i64::MAX)
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = self.milli / 1000;
        let exact = self.milli % 1000 == 0;
        // Small or broken amounts are decimal even where the format is binary: nothing is rounded for display.
        if self.format == Format::BinarySi && exact && whole.unsigned_abs() >= 1024 {
            let mut value = whole;
            let mut suffix = "";
            for (name, _) in BINARY {
                if value % 1024 != 0 {
                    break;
                }
                value /= 1024;
                suffix = name;
            }
            return write!(f, "{value}{suffix}");
        }
        if self.milli == 0 {
            return f.write_str("0");
        }
        let mut value = self.milli;
        let mut suffix = "m";
        for (name, _) in &DECIMAL[3..] {
            if value % 1000 != 0 {
                break;
            }
            value /= 1000;
            suffix = name;
        }
        write!(f, "{value}{suffix}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_in_thousandths() {
        for (text, milli) in [
            ("0", 0),
            ("1", 1000),
            ("100m", 100),
            ("1.5", 1500),
            (".5", 500),
            ("2k", 2_000_000),
            ("1Ki", 1_024_000),
            ("64Mi", 67_108_864_000),
            ("1e3", 1_000_000),
            ("123456n", 1),
            ("1500u", 2),
            ("-2", -2000),
            ("12E", i64::MAX),
            ("100000000000000000000000000000000000000000", i64::MAX),
        ] {
            assert_eq!(
                Quantity::parse(text).map(|quantity| quantity.milli),
                Some(milli),
                "{text}"
            );
        }
        for text in ["", "m", "1.2.3", "1x", "one", "--1", "1 "] {
            assert_eq!(Quantity::parse(text), None, "{text}");
        }
    }

    #[test]
    fn they_are_written_in_canonical_form() {
        for (milli, decimal, memory) in [
            (10_500, "10500m", "10500m"),
            (2_000_000, "2k", "2000"),
            (0, "0", "0"),
            (1_000_000, "1k", "1k"),
            (67_108_864_000, "67108864", "64Mi"),
            (-1500, "-1500m", "-1500m"),
        ] {
            assert_eq!(Quantity::decimal(milli).to_string(), decimal);

            assert_eq!(Quantity::of_resource("memory", milli).to_string(), memory);
        }
    }
}
