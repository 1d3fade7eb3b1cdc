//! Paths and queries, decoded as Go's `net/url` decodes them.

use serde_json::{Map, Value};

use super::{Pairs, ParseError};

/// A request target in its parts.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// The path decoded, then split; `[""]` for an empty path.
    pub(super) path: Vec<String>,
    /// Names and values in the order of the query.
    pub(super) query: Pairs,
}

/// What a `+` means.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Plus {
    /// Itself, as in paths.
    Plus,
    /// A space, as in queries and forms.
    Space,
}

/// Splits and decodes a target such as `/a/b?x=1`.
pub(super) fn parse(target: &str) -> Result<Target, ParseError> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let path = unescape(path, Plus::Plus)?;
    Ok(Target {
        path: path.trim_start_matches('/').split('/').map(str::to_owned).collect(),
        query: form(query)?,
    })
}

/// Names and values of a query or a form body.
pub(super) fn form(text: &str) -> Result<Pairs, ParseError> {
    let mut pairs = Vec::new();
    for part in text.split('&').filter(|part| !part.is_empty()) {
        if part.contains(';') {
            return Err(ParseError::new("invalid semicolon separator in query"));
        }
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        pairs.push((unescape(name, Plus::Space)?, unescape(value, Plus::Space)?));
    }
    Ok(pairs)
}

/// Pairs as an object of lists.
pub(super) fn lists<V: Into<Value>>(pairs: Vec<(String, V)>) -> Value {
    let mut object = Map::new();
    for (name, value) in pairs {
        let list = object.entry(name).or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(list) = list {
            list.push(value.into());
        }
    }
    Value::Object(object)
}

fn unescape(text: &str, plus: Plus) -> Result<String, ParseError> {
    let mut decoded = Vec::with_capacity(text.len());
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'%' => {
                let digits = bytes
                    .get(at + 1..at + 3)
                    .and_then(|digits| std::str::from_utf8(digits).ok());
                let byte = digits.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
                let Some(byte) = byte.and_then(|digits| u8::from_str_radix(digits, 16).ok()) else {
                    let wrong: String = text.get(at..).unwrap_or_default().chars().take(3).collect();
                    return Err(ParseError::new(format!("invalid URL escape \"{wrong}\"")));
                };
                decoded.push(byte);
                at += 3;
                continue;
            }
            b'+' if plus == Plus::Space => decoded.push(b' '),
            byte => decoded.push(byte),
        }
        at += 1;
    }
    Ok(lossy(&decoded))
}

/// Bytes as text; each byte that is not UTF-8 becomes a replacement character, as Go's JSON encoder writes it.
pub(super) fn lossy(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_decoded_before_it_is_split() {
        let target = parse("/a%2Fb/c?x=1&x=d+e").expect("a target");
        assert_eq!(target.path, ["a", "b", "c"]);
        assert_eq!(lists(target.query), serde_json::json!({"x": ["1", "d e"]}));
    }

    #[test]
    fn wrong_escapes_are_named() {
        assert_eq!(parse("/a/%zz"), Err(ParseError::new("invalid URL escape \"%zz\"")));
        assert!(parse("/a%").is_err());
        assert!(parse("/%+1").is_err());
    }
}
