//! Addresses: scheme, user, host, path, query, fragment.

use crate::builtins::percent_decode;
use crate::value::Value;

/// The parts of a URI, as `uri.parse` returns them.
pub(crate) fn parse(text: &str) -> Result<Value, String> {
    let fail = |why: &str| Err(format!("parse {text:?}: {why}"));
    if text.chars().any(|c| c < ' ' || c == '\u{7f}') {
        return fail("net/url: invalid control character in URL");
    }
    let mut parts: Vec<(&str, Value)> = Vec::new();
    let (rest, fragment) = match text.split_once('#') {
        Some((rest, fragment)) => (rest, Some(fragment)),
        None => (text, None),
    };
    let (scheme, rest) = match rest.find([':', '/', '?']) {
        Some(at) if rest.as_bytes()[at] == b':' => {
            let scheme = &rest[..at];
            let valid = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
                && scheme
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
            match (valid, scheme.is_empty()) {
                (_, true) => return fail("missing protocol scheme"),
                (true, _) => (scheme.to_lowercase(), &rest[at + 1..]),
                (false, _) => return fail("first path segment in URL cannot contain colon"),
            }
        }
        _ => (String::new(), rest),
    };
    let (rest, query) = match rest.split_once('?') {
        Some((rest, query)) => (rest, Some(query)),
        None => (rest, None),
    };
    if !scheme.is_empty() {
        parts.push(("scheme", scheme.as_str().into()));
    }
    let path = match rest.strip_prefix("//") {
        Some(after) => {
            let end = after.find('/').unwrap_or(after.len());
            authority(&after[..end], &mut parts).map_err(|why| format!("parse {text:?}: {why}"))?;
            &after[end..]
        }
        None if !scheme.is_empty() && !rest.starts_with('/') => {
            parts.push(("opaque", rest.into()));
            ""
        }
        None => rest,
    };
    if !path.is_empty() {
        let decoded = percent_decode(path, false).map_err(|why| format!("parse {text:?}: {why}"))?;
        parts.push(("path", decoded.as_str().into()));
        parts.push(("raw_path", path.into()));
    }
    if let Some(query) = query.filter(|query| !query.is_empty()) {
        parts.push(("raw_query", query.into()));
    }
    if let Some(fragment) = fragment.filter(|fragment| !fragment.is_empty()) {
        let decoded = percent_decode(fragment, false).map_err(|why| format!("parse {text:?}: {why}"))?;
        parts.push(("fragment", decoded.into()));
    }
    Ok(Value::record(parts))
}

fn authority<'t>(text: &'t str, parts: &mut Vec<(&str, Value)>) -> Result<(), String> {
    let host = match text.rsplit_once('@') {
        Some((user, host)) => {
            parts.push(("userinfo", user.into()));
            host
        }
        None => text,
    };
    if host.is_empty() {
        return Ok(());
    }
    if host.contains(' ') {
        return Err("invalid character \" \" in host name".to_owned());
    }
    let (name, port) = match host.strip_prefix('[') {
        Some(inside) => {
            let (name, after) = inside.split_once(']').ok_or("missing ']' in host")?;
            (name, after.strip_prefix(':'))
        }
        None => match host.rsplit_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (host, None),
        },
    };
    if let Some(port) = port
        && !port.chars().all(|c| c.is_ascii_digit())
    {
        return Err(format!("invalid port {:?} after host", format!(":{port}")));
    }
    parts.push(("host", host.into()));
    parts.push(("hostname", name.into()));
    if let Some(port) = port.filter(|port| !port.is_empty()) {
        parts.push(("port", port.into()));
    }
    Ok(())
}
