//! The small grammars of names.

const LABEL_BYTES_MAX: usize = 63;
const SUBDOMAIN_BYTES_MAX: usize = 253;

fn too_long(limit_bytes: usize) -> String {
    format!("must be no more than {limit_bytes} bytes")
}

/// Upstream's sentence about a regular expression that does not match.
pub(crate) fn pattern_error(message: &str, pattern: &str, examples: &[&str]) -> String {
    let mut sentence = message.to_owned();
    if !examples.is_empty() {
        let quoted: Vec<String> = examples.iter().map(|example| format!("'{example}'")).collect();
        sentence += &format!(
            " (e.g. {}, regex used for validation is '{pattern}')",
            quoted.join(",  or ")
        );
    } else {
        sentence += &format!(" (regex used for validation is '{pattern}')");
    }
    sentence
}

fn lower_alphanumeric(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

/// Whether `text` is not empty, starts and ends with `edge` and has only `edge` or `inner` bytes.
fn enclosed(text: &str, edge: fn(u8) -> bool, inner: &[u8]) -> bool {
    let bytes = text.as_bytes();
    match (bytes.first(), bytes.last()) {
        (Some(&first), Some(&last)) => {
            edge(first) && edge(last) && bytes.iter().all(|&byte| edge(byte) || inner.contains(&byte))
        }
        _ => false,
    }
}

fn is_dns1123_label(text: &str) -> bool {
    enclosed(text, lower_alphanumeric, b"-")
}

/// What is wrong with a name of at most 63 bytes of `a-z0-9-`: namespaces, container names.
pub fn dns1123_label_errors(text: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if text.len() > LABEL_BYTES_MAX {
        errors.push(too_long(LABEL_BYTES_MAX));
    }
    if !is_dns1123_label(text) {
        if text.split('.').all(is_dns1123_label) {
            errors.push("must not contain dots".to_owned());
        } else {
            errors.push(pattern_error(
                "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start \
                 and end with an alphanumeric character",
                "[a-z0-9]([-a-z0-9]*[a-z0-9])?",
                &["my-name", "123-abc"],
            ));
        }
    }
    errors
}

/// What is wrong with a name of dotted labels, at most 253 bytes: most object names.
pub fn dns1123_subdomain_errors(text: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if text.len() > SUBDOMAIN_BYTES_MAX {
        errors.push(too_long(SUBDOMAIN_BYTES_MAX));
    }
    if !text.split('.').all(is_dns1123_label) {
        errors.push(pattern_error(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must \
             start and end with an alphanumeric character",
            r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*",
            &["example.com"],
        ));
    }
    errors
}

/// What is wrong with a label that must start with a letter: Service names.
pub fn dns1035_label_errors(text: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if text.len() > LABEL_BYTES_MAX {
        errors.push(too_long(LABEL_BYTES_MAX));
    }
    if !is_dns1123_label(text) || text.starts_with(|first: char| first.is_ascii_digit()) {
        errors.push(pattern_error(
            "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic \
             character, and end with an alphanumeric character",
            "[a-z]([-a-z0-9]*[a-z0-9])?",
            &["my-name", "abc-123"],
        ));
    }
    errors
}

/// What is wrong with a name that only has to be a segment of a path: RBAC roles.
pub fn path_segment_errors(text: &str) -> Vec<String> {
    if matches!(text, "." | "..") {
        return vec![format!("may not be '{text}'")];
    }
    let contained = ["/", "%"].into_iter().filter(|illegal| text.contains(illegal));
    contained
        .map(|illegal| format!("may not contain '{illegal}'"))
        .collect()
}

/// What is wrong with a port's name: at most 15 bytes of `a-z0-9-` with a letter among them.
pub fn port_name_errors(text: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if text.len() > 15 {
        errors.push("must be no more than 15 characters".to_owned());
    }
    if !text.bytes().all(|byte| lower_alphanumeric(byte) || byte == b'-') {
        errors.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)".to_owned());
    }
    if !text.bytes().any(|byte| byte.is_ascii_lowercase()) {
        errors.push("must contain at least one letter (a-z)".to_owned());
    }
    if text.contains("--") {
        errors.push("must not contain consecutive hyphens".to_owned());
    }
    if text.starts_with('-') || text.ends_with('-') {
        errors.push("must not begin or end with a hyphen".to_owned());
    }
    errors
}

fn qualified_name(text: &str) -> bool {
    enclosed(text, |byte| byte.is_ascii_alphanumeric(), b"-_.")
}

/// What is wrong with the key of a label or annotation: `[PREFIX/]NAME`.
pub fn label_key_errors(text: &str) -> Vec<String> {
    const PATTERN: &str = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
    const MESSAGE: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an \
                           alphanumeric character";
    const EXAMPLES: [&str; 3] = ["MyName", "my.name", "123-abc"];
    let parts: Vec<&str> = text.split('/').collect();
    let (prefix, name) = match parts.as_slice() {
        [name] => (None, *name),
        [prefix, name] => (Some(*prefix), *name),
        _ => {
            let sentence = pattern_error(&format!("a valid label key {MESSAGE}"), PATTERN, &EXAMPLES);
            return vec![format!(
                "{sentence} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
            )];
        }
    };
    let mut errors = Vec::new();
    match prefix {
        Some("") => errors.push("prefix part must be non-empty".to_owned()),
        Some(prefix) => errors.extend(
            dns1123_subdomain_errors(prefix)
                .iter()
                .map(|why| format!("prefix part {why}")),
        ),
        None => {}
    }
    if name.is_empty() {
        errors.push("name part must be non-empty".to_owned());
    } else if name.len() > LABEL_BYTES_MAX {
        errors.push(format!("name part {}", too_long(LABEL_BYTES_MAX)));
    }
    if !qualified_name(name) {
        errors.push(format!("name part {}", pattern_error(MESSAGE, PATTERN, &EXAMPLES)));
    }
    errors
}

/// What is wrong with the value of a label.
pub fn label_value_errors(text: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if text.len() > LABEL_BYTES_MAX {
        errors.push(too_long(LABEL_BYTES_MAX));
    }
    if !text.is_empty() && !qualified_name(text) {
        errors.push(pattern_error(
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must \
             start and end with an alphanumeric character",
            "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?",
            &["MyValue", "my_value", "12345"],
        ));
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rule: fn(&str) -> Vec<String>, good: &[&str], bad: &[&str]) {
        for text in good {
            assert_eq!(rule(text), Vec::<String>::new(), "{text}");
        }
        for text in bad {
            assert!(!rule(text).is_empty(), "{text}");
        }
    }

    /// From the tables of apimachinery's `validation_test.go`.
    #[test]
    fn grammars() {
        let long = "a".repeat(64);
        check(
            dns1123_label_errors,
            &["a", "ab", "a1", "a-1", "a--1--2--b", "0", "0-a", &"a".repeat(63)],
            &[
                "", "A", "ABC", "-", "a-", "-a", "_", "a_", "a.", ".a", "a.b", " ", "a b", &long,
            ],
        );
        check(
            dns1123_subdomain_errors,
            &["a", "a.b", "0.0", "a-1.b-2", &"a".repeat(253)],
            &[
                "",
                "A",
                "a.",
                ".a",
                "a..b",
                "a-.b",
                "a.-b",
                "a_b",
                "a b",
                &"a".repeat(254),
            ],
        );
        check(
            dns1035_label_errors,
            &["a", "a1", "a-1"],
            &["", "0", "1a", "A", "a-", "a.b"],
        );
        check(
            label_key_errors,
            &[
                "simple",
                "now-with-dashes",
                "1-starts-with-num",
                "1234",
                "simple/simple",
                "a.b/c_D.e",
                "1.2.3.4/5678",
            ],
            &[
                "",
                "nospecialchars%^=@",
                "cantendwithadash-",
                "only/one/slash",
                "Example.com/abc",
                "/a",
                "a/",
                &long,
            ],
        );
        check(
            label_value_errors,
            &["", "A", "a_b.c-1", "1"],
            &["a b", "-a", "a-", "a/b", &long],
        );
        check(
            port_name_errors,
            &["http", "a", "web-1"],
            &["", "1", "HTTP", "a--b", "-a", "a-", "averyveryverylong"],
        );
        check(path_segment_errors, &["system:node", "A b"], &[".", "..", "a/b", "a%b"]);
    }

    #[test]
    fn a_full_sentence() {
        assert_eq!(
            dns1123_subdomain_errors("Web"),
            [
                "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must \
              start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
              '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
            ]
        );
    }
}
