//! Numbers as Prometheus writes them.

use std::fmt;

/// A float in Go's `%g` form: shortest digits, an exponent below 1e-4 and from 1e6 on, `+Inf`, `-Inf`, `NaN`.
#[derive(Clone, Copy)]
pub struct GoFloat(pub f64);

impl fmt::Display for GoFloat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.0;
        if !value.is_finite() {
            return Plain(value).fmt(f);
        }
        let scientific = format!("{value:e}");
        let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
        let exponent: i32 = exponent.parse().unwrap_or(0);
        if (-4..6).contains(&exponent) {
            write!(f, "{value}")
        } else {
            let sign = if exponent < 0 { '-' } else { '+' };
            write!(f, "{mantissa}e{sign}{:02}", exponent.abs())
        }
    }
}

/// A float without exponent, as in the HTTP API's answers: shortest digits, `+Inf`, `-Inf`, `NaN`.
#[derive(Clone, Copy)]
pub struct Plain(pub f64);

impl fmt::Display for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            value if value.is_nan() => f.write_str("NaN"),
            f64::INFINITY => f.write_str("+Inf"),
            f64::NEG_INFINITY => f.write_str("-Inf"),
            value => write!(f, "{value}"),
        }
    }
}

/// Whether two floats differ by less than their sum times `epsilon`. Two NaNs are equal, unless exactly one of them is
/// the staleness marker.
#[must_use]
pub fn almost_equal(a: f64, b: f64, epsilon: f64) -> bool {
    use crate::sample::is_stale_nan;
    if is_stale_nan(a) || is_stale_nan(b) {
        return is_stale_nan(a) && is_stale_nan(b);
    }
    if (a.is_nan() && b.is_nan()) || a == b {
        return true;
    }
    let (sum, difference) = (a.abs() + b.abs(), (a - b).abs());
    if a == 0.0 || b == 0.0 || sum < f64::MIN_POSITIVE {
        return difference < epsilon * f64::MIN_POSITIVE;
    }
    difference / sum.min(f64::MAX) < epsilon
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_look_as_go_prints_them() {
        let check = |value: f64, expect: &str| assert_eq!(GoFloat(value).to_string(), expect);
        check(0.5, "0.5");
        check(100.0, "100");
        check(1e-5, "1e-05");
        check(1.5e22, "1.5e+22");
        check(123_456_789.0, "1.23456789e+08");
        check(123_456.5, "123456.5");
        check(f64::INFINITY, "+Inf");
        check(f64::NAN, "NaN");
        assert_eq!(Plain(1e22).to_string(), "10000000000000000000000");
    }
}
