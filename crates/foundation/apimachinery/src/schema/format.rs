//! The `format`s of custom schemas that Kubernetes checks.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Whether a text is of this format; formats that are not known allow every text.
pub(super) fn holds(format: &str, text: &str) -> bool {
    let number = |range: std::ops::RangeInclusive<usize>| range.contains(&text.len());
    let hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    match format {
        "date-time" | "datetime" => text.parse::<jiff::Timestamp>().is_ok(),
        "date" => text.parse::<jiff::civil::Date>().is_ok() && text.len() == 10,
        "duration" => is_duration(text),
        "ipv4" => text.parse::<Ipv4Addr>().is_ok(),
        "ipv6" => text.parse::<Ipv6Addr>().is_ok(),
        "cidr" => text.split_once('/').is_some_and(|(address, bits)| {
            let bits: u8 = bits.parse().unwrap_or(u8::MAX);
            (address.parse::<Ipv4Addr>().is_ok() && bits <= 32) || (address.parse::<Ipv6Addr>().is_ok() && bits <= 128)
        }),
        "byte" => {
            text.len().is_multiple_of(4)
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte))
        }
        "uuid" | "uuid3" | "uuid4" | "uuid5" => {
            let groups: Vec<&str> = text.split('-').collect();
            number(36..=36)
                && groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
                && groups.iter().all(|group| hex(group))
        }
        "mac" => text.split([':', '-']).all(|pair| pair.len() == 2 && hex(pair)) && text.len() == 17,
        "hexcolor" => text
            .strip_prefix('#')
            .is_some_and(|digits| matches!(digits.len(), 3 | 6) && hex(digits)),
        "hostname" => crate::meta::dns1123_subdomain_errors(&text.to_lowercase()).is_empty(),
        "email" => text
            .split_once('@')
            .is_some_and(|(user, host)| !user.is_empty() && host.contains('.')),
        "uri" => text.split_once(':').is_some_and(|(scheme, _)| {
            scheme.starts_with(|c: char| c.is_ascii_alphabetic())
                && scheme
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
        }),
        _ => true,
    }
}

/// Go's `time.ParseDuration`: numbers with units.
fn is_duration(text: &str) -> bool {
    let mut rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    if rest == "0" {
        return true;
    }
    if rest.is_empty() {
        return false;
    }
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let unit = ["ns", "us", "µs", "ms", "s", "m", "h"]
            .into_iter()
            .find(|unit| rest[digits..].starts_with(unit));
        match unit {
            Some(unit) if digits > 0 && rest[..digits].parse::<f64>().is_ok() => rest = &rest[digits + unit.len()..],
            _ => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats() {
        let check = |format: &str, good: &[&str], bad: &[&str]| {
            good.iter()
                .for_each(|text| assert!(holds(format, text), "{format} {text}"));
            bad.iter()
                .for_each(|text| assert!(!holds(format, text), "{format} {text}"));
        };
        check("date-time", &["2026-11-25T03:00:00Z"], &["yesterday", "2026-11-25"]);
        check("duration", &["1h30m", "0", "1.5s", "-2ms"], &["", "1", "h", "1 h"]);
        check("ipv4", &["127.0.0.1"], &["127.0.0", "::1"]);
        check("cidr", &["10.0.0.0/8", "::/0"], &["10.0.0.0", "10.0.0.0/33"]);
        check("uuid", &["123e4567-e89b-12d3-a456-426614174000"], &["123e4567"]);
        check("unknown", &["anything"], &[]);
    }
}
