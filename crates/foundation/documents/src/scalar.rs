//! What a plain scalar means.
//!
//! The rules are YAML 1.1's as Kubernetes' reader applies them (sigs.k8s.io/yaml on go-yaml v2), because a
//! manifest has to mean here what it means there.

use serde_json::{Number, Value};

/// A plain (unquoted) scalar as a JSON value. Infinite and not-a-number floats have no JSON form and stay
/// text.
pub(crate) fn resolve(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "y" | "Y" => {
            return Value::Bool(true);
        }
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" | "n" | "N" => {
            return Value::Bool(false);
        }
        _ => {}
    }
    let starts_a_number = text.starts_with(|first: char| first.is_ascii_digit() || matches!(first, '+' | '-' | '.'));
    if starts_a_number && let Some(number) = integer(text).or_else(|| float(text)) {
        return Value::Number(number);
    }
    Value::String(text.to_owned())
}

fn integer(text: &str) -> Option<Number> {
    let plain = text.replace('_', "");
    let (negative, digits) = match plain.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, plain.strip_prefix('+').unwrap_or(&plain)),
    };
    let magnitude = match digits.get(..2) {
        Some("0x") => u64::from_str_radix(&digits[2..], 16).ok()?,
        Some("0b") => u64::from_str_radix(&digits[2..], 2).ok()?,
        Some("0o") => u64::from_str_radix(&digits[2..], 8).ok()?,
        _ if digits.len() > 1 && digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            u64::from_str_radix(digits, 8).ok()?
        }
        _ if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok()?,
        _ => return None,
    };
    match negative {
        false => Some(magnitude.into()),
        true => i64::try_from(-i128::from(magnitude)).ok().map(Number::from),
    }
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`, the pattern of go-yaml v2.
fn float(text: &str) -> Option<Number> {
    let plain = text.replace('_', "");
    let allowed = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'+' | b'-' | b'e' | b'E');
    if !plain.bytes().all(allowed) || !plain.bytes().any(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Number::from_f64(plain.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::resolve;

    #[test]
    fn plain_scalars_mean_what_they_mean_to_kubernetes() {
        let cases: [(&str, Value); 22] = [
            ("", Value::Null),
            ("~", Value::Null),
            ("yes", json!(true)),
            ("Off", json!(false)),
            ("80", json!(80)),
            ("-7", json!(-7)),
            ("0644", json!(420)),
            ("0o17", json!(15)),
            ("0x1F", json!(31)),
            ("1_000", json!(1000)),
            ("1.5", json!(1.5)),
            ("1e3", json!(1000.0)),
            (".5", json!(0.5)),
            ("18446744073709551615", json!(u64::MAX)),
            ("1.2.3", json!("1.2.3")),
            ("10.0.0.1", json!("10.0.0.1")),
            ("2026-01-01", json!("2026-01-01")),
            ("100m", json!("100m")),
            ("-", json!("-")),
            ("0x", json!("0x")),
            (".inf", json!(".inf")),
            ("NULLS", json!("NULLS")),
        ];
        for (text, value) in cases {
            assert_eq!(resolve(text), value, "{text}");
        }
    }
}
