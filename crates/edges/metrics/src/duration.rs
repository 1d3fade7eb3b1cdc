//! Prometheus durations: `1h30m`, `500ms`.

/// Units from long to short, in milliseconds; each may occur once and in this order.
const UNITS: [(&str, i64); 7] = [
    ("y", 365 * 24 * 3_600_000),
    ("w", 7 * 24 * 3_600_000),
    ("d", 24 * 3_600_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];

/// Reads a duration; `0` needs no unit. `None` where it is none or overflows.
pub(crate) fn parse_ms(text: &str) -> Option<i64> {
    if text == "0" {
        return Some(0);
    }
    let (mut rest, mut sum, mut next) = (text, 0i64, 0);
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: i64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let unit = UNITS
            .iter()
            .skip(next)
            .position(|(unit, _)| *unit == &rest[..letters])?
            + next;
        sum = sum.checked_add(number.checked_mul(UNITS[unit].1)?)?;
        next = unit + 1;
        rest = &rest[letters..];
    }
    (next > 0).then_some(sum)
}

/// Writes a duration as Prometheus does: `1h30m`, `0s`.
pub(crate) fn format_ms(milliseconds: i64) -> String {
    if milliseconds == 0 {
        return "0s".to_owned();
    }
    let mut rest = milliseconds.unsigned_abs();
    let mut text = if milliseconds < 0 {
        "-".to_owned()
    } else {
        String::new()
    };
    for (unit, size) in UNITS {
        let size = size.unsigned_abs();
        // Years and weeks only where nothing is left over: 8d, not 1w1d.
        let exact_only = unit == "y" || unit == "w";
        if rest >= size && (!exact_only || rest.is_multiple_of(size)) {
            text.push_str(&format!("{}{unit}", rest / size));
            rest %= size;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_and_write_as_upstream() {
        let cases = [
            ("5m", 300_000),
            ("1h30m", 5_400_000),
            ("500ms", 500),
            ("1d", 86_400_000),
            ("1w", 604_800_000),
            ("8d", 691_200_000),
        ];
        for (text, milliseconds) in cases {
            assert_eq!(parse_ms(text), Some(milliseconds));
            assert_eq!(format_ms(milliseconds), text);
        }
        assert_eq!(parse_ms("0"), Some(0));
        for wrong in ["", "5", "m", "1m1h", "1m1m", "5 m", "-1s", "1.5s", "99999999999y"] {
            assert_eq!(parse_ms(wrong), None, "{wrong}");
        }
    }
}
