//! JSON as Go reads it.
//!
//! Go's decoder takes a lone surrogate escape, and bytes that are not UTF-8, for a replacement character, where a
//! strict reader refuses the text. A policy should see the body that the service behind Envoy will see.

use serde_json::Value;

use crate::envoy::{ParseError, target};

/// One JSON document and nothing after it.
pub(super) fn parse(body: &[u8]) -> Result<Value, ParseError> {
    let text = without_lone_surrogates(&target::lossy(body));
    serde_json::from_str(&text).map_err(|error| ParseError::new(error.to_string()))
}

/// Replaces escapes of surrogates that have no partner by that of the replacement character.
fn without_lone_surrogates(text: &str) -> String {
    let mut repaired = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        repaired.push_str(before);
        let unit = code_unit(escape);
        let length = match unit {
            Some(0xd800..0xdc00) if matches!(code_unit(&escape[6..]), Some(0xdc00..0xe000)) => 12,
            Some(0xd800..0xe000) => {
                repaired.push_str("\\ufffd");
                rest = &escape[6..];
                continue;
            }
            Some(_) => 6,
            // A backslash and the character that it escapes, which may be another backslash.
            None => 1 + escape.chars().nth(1).map_or(0, char::len_utf8),
        };
        repaired.push_str(&escape[..length]);
        rest = &escape[length..];
    }
    repaired.push_str(rest);
    repaired
}

/// The number of a `\uXXXX` escape that a text begins with.
fn code_unit(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    u32::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn surrogates_need_their_partner() {
        for (text, value) in [
            (r#""\ud83d\ude00""#, json!("😀")),
            (r#""\ud83d""#, json!("\u{fffd}")),
            (r#""\ude00\ud83dx""#, json!("\u{fffd}\u{fffd}x")),
            (r#""\\ud83d""#, json!("\\ud83d")),
        ] {
            assert_eq!(parse(text.as_bytes()), Ok(value), "{text}");
        }
        assert!(parse(b"{} {}").is_err());
    }
}
