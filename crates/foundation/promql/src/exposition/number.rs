//! Numbers as targets write them.

use crate::number::GoFloat;

/// Decimal digits that always fit both an `i64` and, exactly, an `f64` (2^53 has 16 digits).
const EXACT_DIGITS_MAX: usize = 15;

/// Reads a sample value: a Go float without underscores or hexadecimal, `NaN`, `Inf`, `+Inf`, `-Inf`
/// in any case. `None` for anything else.
pub fn parse_value(word: &str) -> Option<f64> {
    let bytes = word.as_bytes();
    if let Some(integer) = short_integer(bytes) {
        return Some(integer as f64);
    }
    // Rust reads what Go reads, except that it also takes a signed NaN.
    match bytes {
        [b'+' | b'-', b'n' | b'N', ..] => None,
        _ => word.parse().ok(),
    }
}

/// A number as OpenMetrics spells it: whole ones with `.0`. Prometheus stores the bounds of buckets and the
/// quantiles of summaries in this form, whatever the target wrote.
pub fn open_metrics_float(value: f64) -> String {
    let text = GoFloat(value).to_string();
    if value.is_finite() && !text.contains(['.', 'e']) {
        text + ".0"
    } else {
        text
    }
}

/// An unsigned integer of at most [`EXACT_DIGITS_MAX`] digits: most counters and gauges.
fn short_integer(bytes: &[u8]) -> Option<u64> {
    if bytes.is_empty() || bytes.len() > EXACT_DIGITS_MAX {
        return None;
    }
    let mut value = 0u64;
    for byte in bytes {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + u64::from(digit);
    }
    Some(value)
}

/// Reads a text-format timestamp: signed integer milliseconds.
pub(super) fn parse_milliseconds(word: &str) -> Option<i64> {
    match short_integer(word.as_bytes()) {
        Some(value) => Some(value as i64),
        None => word.parse().ok(),
    }
}

/// Reads an OpenMetrics timestamp: seconds with a fraction, rounded to milliseconds.
pub(super) fn parse_seconds(word: &str) -> Option<i64> {
    let milliseconds = parse_value(word)? * 1000.0;
    // A float beyond ±2^63 (or NaN) is no time.
    (milliseconds.is_finite() && milliseconds.abs() < 9.2e18).then(|| milliseconds.round() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_read_as_go_reads_them() {
        let cases: &[(&str, Option<f64>)] = &[
            ("0", Some(0.0)),
            ("1027", Some(1027.0)),
            ("-3", Some(-3.0)),
            ("+3", Some(3.0)),
            ("8.3835e-05", Some(8.3835e-05)),
            ("1.", Some(1.0)),
            (".5", Some(0.5)),
            ("123456789012345678", Some(123456789012345678.0)),
            ("+Inf", Some(f64::INFINITY)),
            ("-inf", Some(f64::NEG_INFINITY)),
            ("Infinity", Some(f64::INFINITY)),
            ("", None),
            ("1_000", None),
            ("0x1p3", None),
            ("+NaN", None),
            ("1e", None),
            ("one", None),
        ];
        for (word, expect) in cases {
            assert_eq!(parse_value(word), *expect, "{word}");
        }
        assert!(parse_value("NaN").is_some_and(f64::is_nan));
        assert!(parse_value("nan").is_some_and(f64::is_nan));
    }

    #[test]
    fn timestamps_are_milliseconds_or_seconds() {
        assert_eq!(parse_milliseconds("1395066363000"), Some(1395066363000));
        assert_eq!(parse_milliseconds("-3982045"), Some(-3982045));
        assert_eq!(parse_milliseconds("1.5"), None);
        assert_eq!(parse_milliseconds("99999999999999999999"), None);
        assert_eq!(parse_seconds("1520879607.789"), Some(1520879607789));
        assert_eq!(parse_seconds("NaN"), None);
        assert_eq!(parse_seconds("1e300"), None);
    }
}
