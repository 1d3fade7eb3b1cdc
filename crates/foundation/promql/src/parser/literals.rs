//! The values of numbers, durations and strings.

/// The value of a number: decimal, hexadecimal or (with a leading zero) octal, with digits grouped by `_`.
pub(crate) fn number(text: &str) -> Option<f64> {
    let digits: String = text.chars().filter(|c| *c != '_').collect();
    let lower = digits.to_ascii_lowercase();
    if let Some(hex) = lower.strip_prefix("0x") {
        return u64::from_str_radix(hex, 16)
            .ok()
            .filter(|value| i64::try_from(*value).is_ok())
            .map(|value| value as f64);
    }
    if lower.len() > 1 && lower.starts_with('0') && lower.bytes().all(|c| (b'0'..=b'7').contains(&c)) {
        return i64::from_str_radix(&lower, 8).ok().map(|value| value as f64);
    }
    lower.parse().ok()
}

/// The milliseconds of a duration such as `1h30m`: units in descending order, each at most once, 64 bits of
/// nanoseconds in total.
pub(crate) fn duration_millis(text: &str) -> Result<i64, String> {
    const UNITS: [(&str, i64); 7] = [
        ("y", 365 * 86_400_000),
        ("w", 7 * 86_400_000),
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1000),
        ("ms", 1),
    ];
    let malformed = || format!("not a valid duration string: {text:?}");
    let (mut rest, mut total, mut units) = (text, 0_i64, &UNITS[..]);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(malformed)?;
        let unit_end = rest[digits..]
            .find(|c: char| c.is_ascii_digit())
            .map_or(rest.len(), |at| digits + at);
        let at = units
            .iter()
            .position(|(name, _)| *name == &rest[digits..unit_end])
            .ok_or_else(malformed)?;
        let part = rest[..digits]
            .parse::<i64>()
            .ok()
            .and_then(|count| count.checked_mul(units[at].1));
        total = part
            .and_then(|part| total.checked_add(part))
            .ok_or("duration out of range")?;
        units = &units[at + 1..];
        rest = &rest[unit_end..];
    }
    if total > i64::MAX / 1_000_000 {
        Err("duration out of range".to_owned())
    } else {
        Ok(total)
    }
}

/// The text of a string literal with its quotes. Bytes that are not UTF-8 are replaced.
pub(crate) fn string(literal: &str) -> Result<String, String> {
    let bytes = string_bytes(literal)?;
    Ok(String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

/// The bytes of a string literal with its quotes. Escapes are those of Go.
pub(crate) fn string_bytes(literal: &str) -> Result<Vec<u8>, String> {
    let quote = literal.chars().next().unwrap_or('"');
    let inner = literal.get(1..literal.len().saturating_sub(1)).unwrap_or_default();
    if quote == '`' || !inner.contains('\\') {
        return Ok(inner.as_bytes().to_vec());
    }
    let mut bytes = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = rest.find('\\') {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        rest = escape(&rest[at + 1..], quote, &mut bytes)?;
    }
    bytes.extend_from_slice(rest.as_bytes());
    Ok(bytes)
}

/// Writes what the escape at the start of `text` stands for and returns the text behind it.
fn escape<'a>(text: &'a str, quote: char, bytes: &mut Vec<u8>) -> Result<&'a str, String> {
    let Some(kind) = text.chars().next() else {
        return Err("escape sequence not terminated".to_owned());
    };
    let simple = match kind {
        'a' => 0x07,
        'b' => 0x08,
        'f' => 0x0c,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 0x0b,
        '\\' => b'\\',
        c if c == quote => quote as u8,
        'x' => return code(&text[1..], 2, 16, bytes),
        'u' => return code(&text[1..], 4, 16, bytes),
        'U' => return code(&text[1..], 8, 16, bytes),
        '0'..='7' => return code(text, 3, 8, bytes),
        other => return Err(format!("unknown escape sequence \\{other}")),
    };
    bytes.push(simple);
    Ok(&text[1..])
}

/// `\xNN` and `\NNN` stand for one byte, `\uNNNN` and `\UNNNNNNNN` for one character.
fn code<'a>(text: &'a str, digits: usize, radix: u32, bytes: &mut Vec<u8>) -> Result<&'a str, String> {
    let number = text
        .get(..digits)
        .filter(|number| number.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    let value = number.and_then(|number| u32::from_str_radix(number, radix).ok());
    let value = value.ok_or("illegal character in escape sequence")?;
    if digits <= 3 {
        bytes.push(u8::try_from(value).map_err(|_| "escape sequence is out of range")?);
    } else {
        let c = char::from_u32(value).ok_or("escape sequence is an invalid Unicode code point")?;
        bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    }
    Ok(&text[digits..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_durations_and_strings_have_the_values_upstream_gives_them() {
        assert_eq!(number("0x1F"), Some(31.0));
        assert_eq!(number("010"), Some(8.0));
        assert_eq!(number("09.5"), Some(9.5));
        assert_eq!(number("1_000e-2"), Some(10.0));
        assert_eq!(duration_millis("1h30m5ms"), Ok(5_400_005));
        assert!(duration_millis("5m1h").is_err());
        assert!(duration_millis("5hs").is_err());
        assert!(duration_millis("1000000y").is_err());
        assert_eq!(string(r#""a\n\x41\u00e4\"""#), Ok("a\nAä\"".to_owned()));
        assert_eq!(string("`a\\n`"), Ok("a\\n".to_owned()));
        assert!(string(r#""\q""#).is_err());
    }
}
