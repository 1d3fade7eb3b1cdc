//! Multipart forms (RFC 7578), as Go's `mime/multipart` reads them: lines may end with CRLF or, throughout, with LF.

use serde_json::Value;

use super::json;
use crate::envoy::{ParseError, target};

/// Fields by name, each a list. A part of type `application/json` is parsed, parts without a name are skipped. Without
/// a boundary there is nothing to be read.
pub(super) fn parse(content_type: &str, body: &[u8]) -> Result<Value, ParseError> {
    let Some(boundary) = parameter(content_type, "boundary")? else {
        return Ok(Value::Null);
    };
    let mut reader = Reader::start(body, &boundary)?;
    let mut fields = Vec::new();
    while let Some(part) = reader.next()? {
        let disposition = part.header("content-disposition");
        let name = match disposition.starts_with("form-data") {
            true => parameter(disposition, "name")?.unwrap_or_default(),
            false => String::new(),
        };
        if name.is_empty() {
            continue;
        }
        let content = match part
            .header("content-transfer-encoding")
            .eq_ignore_ascii_case("quoted-printable")
        {
            true => quoted_printable(part.content),
            false => part.content.to_vec(),
        };
        let value = match part.header("content-type").contains("application/json") {
            true => json::parse(&content)?,
            false => Value::String(target::lossy(&content)),
        };
        fields.push((name, value));
    }
    Ok(target::lists(fields))
}

/// A parameter of a header such as `multipart/form-data; boundary=x`; an error where one has no value.
fn parameter(header: &str, wanted: &str) -> Result<Option<String>, ParseError> {
    for part in header.split(';').skip(1).map(str::trim).filter(|part| !part.is_empty()) {
        let Some((name, value)) = part.split_once('=') else {
            return Err(ParseError::new("mime: invalid media parameter"));
        };
        if name.trim().eq_ignore_ascii_case(wanted) {
            return Ok(Some(value.trim().trim_matches('"').to_owned()));
        }
    }
    Ok(None)
}

struct Part<'body> {
    headers: Vec<(String, String)>,
    content: &'body [u8],
}

impl Part<'_> {
    fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value)
    }
}

struct Reader<'body> {
    rest: &'body [u8],
    newline: &'static str,
    delimiter: String,
    ended: bool,
}

impl<'body> Reader<'body> {
    /// Skips the preamble and the first delimiter line.
    fn start(body: &'body [u8], boundary: &str) -> Result<Self, ParseError> {
        let delimiter = format!("--{boundary}");
        let mut rest = body;
        while !rest.is_empty() {
            let (line, after) = split_line(rest);
            rest = after;
            let text = String::from_utf8_lossy(line);
            let text = text.trim_end();
            if text == delimiter || text == format!("{delimiter}--") {
                return Ok(Self {
                    rest,
                    newline: if line.ends_with(b"\r\n") { "\r\n" } else { "\n" },
                    ended: text != delimiter,
                    delimiter,
                });
            }
        }
        Err(ParseError::new("multipart: NextPart: EOF"))
    }

    fn next(&mut self) -> Result<Option<Part<'body>>, ParseError> {
        if self.ended {
            return Ok(None);
        }
        let headers = self.headers()?;
        let (length, after) = self.end_of_part().ok_or_else(|| ParseError::new("unexpected EOF"))?;
        let content = &self.rest[..length];
        let tail = &self.rest[after..];
        self.ended = tail.starts_with(b"--");
        self.rest = split_line(tail).1;
        Ok(Some(Part { headers, content }))
    }

    fn headers(&mut self) -> Result<Vec<(String, String)>, ParseError> {
        let mut headers = Vec::new();
        loop {
            let (line, after) = split_line(self.rest);
            let text = String::from_utf8_lossy(line).trim_end_matches(['\r', '\n']).to_owned();
            if line.is_empty() {
                return Err(ParseError::new("unexpected EOF"));
            }
            self.rest = after;
            if text.is_empty() {
                return Ok(headers);
            }
            let Some((name, value)) = text.split_once(':') else {
                return Err(ParseError::new(format!(
                    "malformed MIME header: missing colon: {text:?}"
                )));
            };
            headers.push((name.trim().to_owned(), value.trim().to_owned()));
        }
    }

    /// The content's length, and where what follows the delimiter begins.
    fn end_of_part(&self) -> Option<(usize, usize)> {
        let delimiter = self.delimiter.as_bytes();
        if self.rest.starts_with(delimiter) && self.closes(delimiter.len()) {
            return Some((0, delimiter.len()));
        }
        let marker = format!("{}{}", self.newline, self.delimiter);
        let mut from = 0;
        while let Some(found) = find(&self.rest[from..], marker.as_bytes()) {
            let at = from + found;
            if self.closes(at + marker.len()) {
                return Some((at, at + marker.len()));
            }
            from = at + 1;
        }
        None
    }

    /// Whether what stands at `at` ends a delimiter line: `--`, or white space and a line end.
    fn closes(&self, at: usize) -> bool {
        let tail = &self.rest[at..];
        let (line, _) = split_line(tail);
        tail.starts_with(b"--") || (line.ends_with(b"\n") && line.iter().all(u8::is_ascii_whitespace))
    }
}

/// A line with its end, and what follows it.
fn split_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes
        .iter()
        .position(|byte| *byte == b'\n')
        .map_or(bytes.len(), |at| at + 1);
    bytes.split_at(end)
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// RFC 2045, section 6.7: `=XX` is a byte, `=` at a line's end joins it with the next one.
fn quoted_printable(content: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(content.len());
    let mut rest = content;
    while let [byte, after @ ..] = rest {
        rest = after;
        if *byte != b'=' {
            decoded.push(*byte);
            continue;
        }
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        if let Some(value) = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            decoded.push(value);
            rest = &after[2..];
        } else {
            rest = after
                .strip_prefix(b"\r\n")
                .or_else(|| after.strip_prefix(b"\n"))
                .unwrap_or(after);
        }
    }
    decoded
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_field_may_look_like_the_delimiter() {
        let body = b"--b\nContent-Disposition: form-data; name=\"a\"\n\n--bc\n--b--";
        assert_eq!(
            parse("multipart/form-data; boundary=b", body),
            Ok(json!({"a": ["--bc"]}))
        );
    }

    proptest! {
        #[test]
        fn no_body_panics(body in proptest::collection::vec(any::<u8>(), 0..100), tail in "(--b|--|\r\n|\n|:|=[0-9]){0,20}") {
            let mut text = b"--b\r\n".to_vec();
            text.extend(body);
            text.extend(tail.bytes());
            let _ = parse("multipart/form-data; boundary=b", &text);
        }
    }
}
