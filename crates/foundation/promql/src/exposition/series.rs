//! The raw text of a series, and the lazy reading of its labels.

use std::borrow::Cow;

use memchr::{memchr, memchr2};

/// The name and labels of a sample, as the body has them: `name{a="b"}`, `name` or `{"name",a="b"}`.
///
/// Only the text parser makes one, after it has checked the syntax; so reading the labels cannot fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Series<'a> {
    raw: &'a str,
}

impl<'a> Series<'a> {
    pub(super) fn checked(raw: &'a str) -> Self {
        Series { raw }
    }

    /// The text as the body has it: a key for a cache of known series, no more. Two spellings of one
    /// series have two raw texts.
    pub fn raw(self) -> &'a str {
        self.raw
    }

    /// Label names and values in the order of the body, `__name__` first where the name stands
    /// before the braces.
    pub fn labels(self) -> LabelPairs<'a> {
        let name_end = self.raw.find([' ', '\t', '{']).unwrap_or(self.raw.len());
        let (name, rest) = self.raw.split_at(name_end);
        let rest = rest.trim_start_matches([' ', '\t']);
        LabelPairs {
            name: (!name.is_empty()).then_some(name),
            rest: rest.strip_prefix('{').unwrap_or(""),
        }
    }

    /// The metric's name.
    pub fn name(self) -> Cow<'a, str> {
        self.labels()
            .find(|(name, _)| name == "__name__")
            .map_or(Cow::Borrowed(""), |(_, value)| value)
    }
}

/// Iterator over the labels of a [`Series`].
#[derive(Debug, Clone)]
pub struct LabelPairs<'a> {
    name: Option<&'a str>,
    rest: &'a str,
}

impl<'a> Iterator for LabelPairs<'a> {
    type Item = (Cow<'a, str>, Cow<'a, str>);

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(name) = self.name.take() {
            return Some((Cow::Borrowed("__name__"), Cow::Borrowed(name)));
        }
        self.rest = self.rest.trim_start_matches([' ', '\t', ',']);
        let name = match self.rest.as_bytes().first()? {
            b'}' => return None,
            b'"' => take_quoted(&mut self.rest),
            _ => {
                let end = self.rest.find(['=', ' ', '\t'])?;
                let (name, rest) = self.rest.split_at(end);
                self.rest = rest;
                Cow::Borrowed(name)
            }
        };
        self.rest = self.rest.trim_start_matches([' ', '\t']);
        match self.rest.strip_prefix('=') {
            Some(rest) => {
                self.rest = rest.trim_start_matches([' ', '\t']);
                Some((name, take_quoted(&mut self.rest)))
            }
            // A quoted string that is not followed by `=` is the metric's name.
            None => Some((Cow::Borrowed("__name__"), name)),
        }
    }
}

/// Takes a quoted string from the front of `rest`, unescaped.
fn take_quoted<'a>(rest: &mut &'a str) -> Cow<'a, str> {
    let body = rest.strip_prefix('"').unwrap_or(rest);
    let end = closing_quote(body.as_bytes()).unwrap_or(body.len());
    *rest = body.get(end + 1..).unwrap_or("");
    unescape(&body[..end])
}

/// Offset of the quote that closes a string whose content starts at 0.
pub(super) fn closing_quote(bytes: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let found = from + memchr2(b'"', b'\\', bytes.get(from..)?)?;
        if bytes[found] == b'"' {
            return Some(found);
        }
        from = found + 2;
    }
}

/// Resolves `\\`, `\"` and `\n`; any other escape stays as it is written.
pub(super) fn unescape(text: &str) -> Cow<'_, str> {
    let Some(first) = memchr(b'\\', text.as_bytes()) else {
        return Cow::Borrowed(text);
    };
    let mut plain = String::with_capacity(text.len());
    plain.push_str(&text[..first]);
    let mut characters = text[first..].chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            plain.push(character);
            continue;
        }
        match characters.next() {
            Some('n') => plain.push('\n'),
            Some(escaped @ ('\\' | '"')) => plain.push(escaped),
            Some(other) => plain.extend(['\\', other]),
            None => plain.push('\\'),
        }
    }
    Cow::Owned(plain)
}
