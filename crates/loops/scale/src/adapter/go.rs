//! Two habits of Go that rules rely on: `%q` and regular expressions of RE2.

use std::fmt::Write;

use regex::Regex;

/// A text in quotes, escaped as Go's `%q` does it.
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '\x07' => out.push_str("\\a"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            '\x0b' => out.push_str("\\v"),
            c if (c as u32) < 0x80 && c.is_control() => {
                let _ = write!(out, "\\x{:02x}", c as u32);
            }
            c if c.is_control() || (c.is_whitespace() && c != ' ') => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Compiles a pattern as Go's `regexp` reads it.
///
/// Both engines share RE2's semantics; what differs is how a few things are written. Go's `\d`, `\w`, `\s` and `\b`
/// know ASCII alone, `\Q…\E` quotes, a brace that begins no repetition is itself, and classes have no operators.
///
/// # Errors
/// With the engine's message.
pub fn regex(pattern: &str) -> Result<Regex, String> {
    Regex::new(&translated(pattern)?).map_err(|error| error.to_string())
}

fn translated(pattern: &str) -> Result<String, String> {
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut rest = pattern;
    // Within a class: whether its first character is still to come.
    let mut class: Option<bool> = None;
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        let first = class == Some(true);
        if class.is_some() && c != '^' {
            class = Some(false);
        }
        rest = match c {
            '\\' => escape(after, class.is_some(), &mut out)?,
            '[' if class.is_none() => {
                class = Some(true);
                out.push('[');
                after
            }
            '[' => {
                // `[:alpha:]` is a class in a class; any other bracket is itself.
                match after.strip_prefix(':').and_then(|named| named.find(":]")) {
                    Some(end) => {
                        let length = 1 + end + 2;
                        out.push('[');
                        out.push_str(&after[..length]);
                        &after[length..]
                    }
                    None => {
                        out.push_str("\\[");
                        after
                    }
                }
            }
            ']' if class.is_some() && !first => {
                class = None;
                out.push(']');
                after
            }
            ']' if class.is_some() => {
                out.push_str("\\]");
                after
            }
            '&' | '~' if class.is_some() => {
                out.push('\\');
                out.push(c);
                after
            }
            '-' if class.is_some() && out.ends_with('-') => {
                out.push_str("\\-");
                after
            }
            '{' if class.is_none() && !is_repetition(after) => {
                out.push_str("\\{");
                after
            }
            c => {
                out.push(c);
                after
            }
        };
    }
    Ok(out)
}

/// Whether what follows a brace makes it a repetition: `3}`, `3,}`, `3,5}`.
fn is_repetition(after: &str) -> bool {
    let Some((inside, _)) = after.split_once('}') else {
        return false;
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (from, to) = inside.split_once(',').unwrap_or((inside, ""));
    !from.is_empty() && digits(from) && digits(to)
}

/// Translates what follows a backslash; the rest behind it.
fn escape<'a>(after: &'a str, in_class: bool, out: &mut String) -> Result<&'a str, String> {
    let Some(c) = after.chars().next() else {
        return Err("trailing backslash at the end of the expression".to_owned());
    };
    let rest = &after[c.len_utf8()..];
    let set = |members: &str, negated: bool| match (in_class, negated) {
        (true, false) => members.to_owned(),
        (false, false) => format!("[{members}]"),
        (_, true) => format!("[^{members}]"),
    };
    match c {
        'd' | 'D' => out.push_str(&set("0-9", c == 'D')),
        'w' | 'W' => out.push_str(&set("0-9A-Za-z_", c == 'W')),
        's' | 'S' => out.push_str(&set("\\t\\n\\x0C\\r ", c == 'S')),
        'b' if !in_class => out.push_str("(?-u:\\b)"),
        'Q' => {
            let (literal, rest) = rest.split_once("\\E").unwrap_or((rest, ""));
            out.push_str(&regex::escape(literal));
            return Ok(rest);
        }
        'E' => {}
        '<' | '>' => out.push(c),
        c => {
            out.push('\\');
            out.push(c);
        }
    }
    Ok(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_those_of_go() {
        for (text, want) in [
            ("plain", "\"plain\""),
            ("a\"b\\c", "\"a\\\"b\\\\c\""),
            ("a\nb\x01", "\"a\\nb\\x01\""),
            ("ü☃", "\"ü☃\""),
            ("a\u{a0}b", "\"a\\u00a0b\""),
        ] {
            assert_eq!(quoted(text), want);
        }
    }

    #[test]
    fn patterns_mean_what_they_mean_in_go() {
        for (pattern, text, matches) in [
            (r"^\d+$", "12", true),
            (r"^\d+$", "٣", false),
            (r"^\w+$", "ü", false),
            (r"^[\w-]+$", "a-b_1", true),
            (r"^[^\d]$", "a", true),
            (r"^[\D]$", "1", false),
            (r"^\Qa.b\E$", "a.b", true),
            (r"^\Qa.b\E$", "axb", false),
            (r"^a{,2}$", "a{,2}", true),
            (r"^a{2}$", "aa", true),
            (r"^{x}$", "{x}", true),
            (r"^[a&&b]+$", "a&b", true),
            (r"^[[:alpha:]]+$", "ab", true),
            (r"^[[a]+$", "[a", true),
            (r"^[]a]+$", "]a", true),
            (r"^[^]a]$", "b", true),
            (r"^container_(.*)_total$", "container_x_total", true),
            (r"\bfoo\b", "a foo b", true),
        ] {
            assert_eq!(
                regex(pattern).map(|regex| regex.is_match(text)),
                Ok(matches),
                "{pattern} on {text}"
            );
        }
        assert!(regex("(").is_err());
        assert!(regex("a\\").is_err());
    }

    #[test]
    fn names_of_groups_are_greedy_as_in_go() {
        let regex = regex("^(.*)_total$").unwrap();
        let expand = |template: &str| {
            let mut out = String::new();
            regex.captures("requests_total").unwrap().expand(template, &mut out);
            out
        };
        assert_eq!(expand("${1}_per_second"), "requests_per_second");
        assert_eq!(expand("$1_per_second"), "");
        assert_eq!(expand("$$1"), "$1");
    }
}
