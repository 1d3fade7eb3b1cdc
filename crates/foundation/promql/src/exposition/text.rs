//! The line parser of text 0.0.4 and OpenMetrics.

use std::borrow::Cow;

use memchr::memchr;

use super::error::{ErrorKind, ParseError};
use super::number::{parse_milliseconds, parse_seconds, parse_value};
use super::series::{Series, closing_quote, unescape};
use super::{Entry, Exemplar, MetricKind, Sample};

/// A longer line is an error: no sane exporter writes one, and a missing newline in a huge body should
/// say so early.
pub const LINE_BYTES_MAX: usize = 1 << 20;

/// The two text formats: they share a grammar, and OpenMetrics is the stricter one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Prometheus text 0.0.4 and 1.0.0.
    Text,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

/// What to do with OpenMetrics' `_created` lines, which give the time at which a counter, histogram
/// or summary was born as if it were a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CreatedSamples {
    /// Hand them out like any other sample, as Prometheus does by default.
    Keep,
    /// Leave them out.
    Skip,
}

/// A pull parser over one body.
#[derive(Debug, Clone)]
pub struct Parser<'a> {
    body: &'a str,
    position: usize,
    dialect: Dialect,
    created: CreatedSamples,
    /// Family of the last `# TYPE` line, where that type has `_created` lines.
    family_with_created: Option<Cow<'a, str>>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Lines,
    /// After `# EOF`, or after the end of a text body, or after an error.
    Ended,
}

impl<'a> Parser<'a> {
    /// A parser over `body`. Fails where the body is not UTF-8: that is checked once, for all of it.
    pub fn new(body: &'a [u8], dialect: Dialect) -> Result<Self, ParseError> {
        match std::str::from_utf8(body) {
            Ok(body) => Ok(Parser {
                body,
                position: 0,
                dialect,
                created: CreatedSamples::Keep,
                family_with_created: None,
                state: State::Lines,
            }),
            Err(error) => {
                let valid = std::str::from_utf8(&body[..error.valid_up_to()]).unwrap_or("");
                Err(ParseError::at(valid, valid.len(), ErrorKind::Utf8))
            }
        }
    }

    /// The same parser with another treatment of `_created` lines.
    pub fn created_samples(mut self, created: CreatedSamples) -> Self {
        self.created = created;
        self
    }

    /// The next statement, or `None` at the end. After an error there is nothing more.
    pub fn next_entry(&mut self) -> Result<Option<Entry<'a>>, ParseError> {
        if self.state == State::Ended {
            return Ok(None);
        }
        let entry = self
            .entry()
            .map_err(|Fault { at, kind }| ParseError::at(self.body, at, kind));
        if !matches!(entry, Ok(Some(_))) {
            self.state = State::Ended;
        }
        entry
    }

    fn entry(&mut self) -> Result<Option<Entry<'a>>, Fault> {
        loop {
            let bytes = self.body.as_bytes();
            if self.dialect == Dialect::Text {
                self.skip_blanks();
            }
            match bytes.get(self.position) {
                None if self.dialect == Dialect::OpenMetrics => return Err(self.fault(ErrorKind::NoEof)),
                None => return Ok(None),
                Some(b'\n') if self.dialect == Dialect::Text => self.position += 1,
                Some(b'\r') if self.dialect == Dialect::Text => self.end_of_line()?,
                Some(b'\n' | b'\r' | b' ' | b'\t') => return Err(self.fault(ErrorKind::Strict)),
                Some(b'#') => match self.comment()? {
                    Comment::Entry(entry) => return Ok(Some(entry)),
                    Comment::Free => {}
                    Comment::Eof => return Ok(None),
                },
                Some(_) => {
                    let start = self.position;
                    let sample = self.sample()?;
                    if self.position - start > LINE_BYTES_MAX {
                        return Err(Fault {
                            at: start,
                            kind: ErrorKind::LongLine,
                        });
                    }
                    if self.created == CreatedSamples::Keep || !self.is_created(&sample.series) {
                        return Ok(Some(Entry::Sample(sample)));
                    }
                }
            }
        }
    }

    // --- comments and metadata ------------------------------------------------------------------

    fn comment(&mut self) -> Result<Comment<'a>, Fault> {
        let line_start = self.position;
        let line_end = memchr(b'\n', &self.body.as_bytes()[line_start..]).map_or(self.body.len(), |at| line_start + at);
        let line = self.body[line_start + 1..line_end].trim_end_matches('\r');
        self.position = (line_end + 1).min(self.body.len());
        let fault = |kind| Fault { at: line_start, kind };
        let strict = self.dialect == Dialect::OpenMetrics;

        if strict && line == " EOF" {
            if self.position < self.body.len() {
                return Err(self.fault(ErrorKind::AfterEof));
            }
            return Ok(Comment::Eof);
        }
        let (keyword, rest) = take_word(line);
        if !matches!(keyword, "HELP" | "TYPE" | "UNIT") || (keyword == "UNIT" && !strict) {
            return if strict {
                Err(fault(ErrorKind::Strict))
            } else {
                Ok(Comment::Free)
            };
        }
        let Some((family, rest)) = take_family(rest) else {
            // `# TYPE` alone is a free comment for the lenient dialect only where nothing follows it.
            return if strict || !rest.trim().is_empty() {
                Err(fault(ErrorKind::Metadata))
            } else {
                Ok(Comment::Free)
            };
        };
        let text = rest.trim_start_matches([' ', '\t']);
        let entry = match keyword {
            "HELP" => Entry::Help {
                family,
                text: unescape(text),
            },
            "TYPE" => {
                let kind = MetricKind::parse(text.trim_end()).ok_or(fault(ErrorKind::Type))?;
                let has_created = matches!(
                    kind,
                    MetricKind::Counter | MetricKind::Histogram | MetricKind::Summary | MetricKind::GaugeHistogram
                );
                self.family_with_created = has_created.then(|| family.clone());
                Entry::Type { family, kind }
            }
            _ => {
                let suffix = text.is_empty() || family.strip_suffix(text).is_some_and(|stem| stem.ends_with('_'));
                if !suffix {
                    return Err(fault(ErrorKind::Unit));
                }
                Entry::Unit { family, unit: text }
            }
        };
        Ok(Comment::Entry(entry))
    }

    fn is_created(&self, series: &Series<'a>) -> bool {
        self.dialect == Dialect::OpenMetrics
            && self
                .family_with_created
                .as_deref()
                .is_some_and(|family| series.name().strip_suffix("_created") == Some(family))
    }

    // --- samples --------------------------------------------------------------------------------

    fn sample(&mut self) -> Result<Sample<'a>, Fault> {
        let series = self.series()?;
        self.skip_blanks();
        let value = self.number(parse_value, ErrorKind::Value)?;
        let mut timestamp_ms = None;
        let mut exemplar = None;
        self.skip_blanks();
        if !self.at_line_end() && self.peek() != Some(b'#') {
            timestamp_ms = Some(self.timestamp()?);
            self.skip_blanks();
        }
        if self.dialect == Dialect::OpenMetrics && self.peek() == Some(b'#') {
            self.position += 1;
            exemplar = Some(self.exemplar()?);
        }
        self.end_of_line()?;
        Ok(Sample {
            series,
            value,
            timestamp_ms,
            exemplar,
        })
    }

    fn exemplar(&mut self) -> Result<Exemplar<'a>, Fault> {
        self.skip_blanks();
        let start = self.position;
        if self.peek() != Some(b'{') {
            return Err(self.fault(ErrorKind::EndOfLine));
        }
        self.braces(Name::Forbidden)?;
        let labels = Series::checked(&self.body[start..self.position]);
        self.skip_blanks();
        let value = self.number(parse_value, ErrorKind::Value)?;
        self.skip_blanks();
        let timestamp_ms = if self.at_line_end() {
            None
        } else {
            Some(self.timestamp()?)
        };
        Ok(Exemplar {
            labels,
            value,
            timestamp_ms,
        })
    }

    fn series(&mut self) -> Result<Series<'a>, Fault> {
        let start = self.position;
        self.take_while(NAME);
        let has_name = self.position > start;
        if has_name && self.body.as_bytes()[start].is_ascii_digit() {
            return Err(Fault {
                at: start,
                kind: ErrorKind::MetricName,
            });
        }
        let mut end = self.position;
        self.skip_blanks();
        if self.peek() == Some(b'{') {
            let names = self.braces(if has_name { Name::Forbidden } else { Name::Allowed })?;
            if !has_name && names == 0 {
                return Err(Fault {
                    at: start,
                    kind: ErrorKind::NoMetricName,
                });
            }
            end = self.position;
        } else if !has_name {
            return Err(self.fault(ErrorKind::MetricName));
        } else if self.position == end {
            // A name runs straight into something else.
            return Err(self.fault(if self.at_line_end() {
                ErrorKind::Value
            } else {
                ErrorKind::MetricName
            }));
        }
        Ok(Series::checked(&self.body[start..end]))
    }

    /// Checks `{...}` and returns how many bare quoted names it has.
    fn braces(&mut self, name: Name) -> Result<usize, Fault> {
        let mut names = 0;
        self.position += 1;
        loop {
            self.skip_blanks();
            let start = self.position;
            match self.peek() {
                Some(b'}') => {
                    self.position += 1;
                    return Ok(names);
                }
                Some(b'"') => self.quoted()?,
                Some(byte) if CLASS[usize::from(byte)] & LABEL != 0 && !byte.is_ascii_digit() => self.take_while(LABEL),
                _ => return Err(self.fault(ErrorKind::LabelName)),
            }
            let quoted = self.body.as_bytes()[start] == b'"';
            self.skip_blanks();
            match self.peek() {
                Some(b'=') => {
                    self.position += 1;
                    self.skip_blanks();
                    if self.peek() != Some(b'"') {
                        return Err(self.fault(ErrorKind::LabelQuote));
                    }
                    self.quoted()?;
                    self.skip_blanks();
                }
                _ if quoted => {
                    names += 1;
                    if name == Name::Forbidden || names > 1 {
                        return Err(Fault {
                            at: start,
                            kind: ErrorKind::TwoMetricNames,
                        });
                    }
                }
                _ => return Err(self.fault(ErrorKind::LabelEquals)),
            }
            match self.peek() {
                Some(b',') => self.position += 1,
                Some(b'}') => {}
                _ => return Err(self.fault(ErrorKind::LabelSeparator)),
            }
        }
    }

    /// Passes a quoted string; a raw newline within it is an error, as upstream.
    fn quoted(&mut self) -> Result<(), Fault> {
        let start = self.position + 1;
        let rest = &self.body.as_bytes()[start..];
        let end = closing_quote(rest).ok_or(Fault {
            at: self.position,
            kind: ErrorKind::UnclosedQuote,
        })?;
        if memchr(b'\n', &rest[..end]).is_some() {
            return Err(Fault {
                at: self.position,
                kind: ErrorKind::UnclosedQuote,
            });
        }
        self.position = start + end + 1;
        Ok(())
    }

    fn timestamp(&mut self) -> Result<i64, Fault> {
        match self.dialect {
            Dialect::Text => self.number(parse_milliseconds, ErrorKind::Timestamp),
            Dialect::OpenMetrics => self.number(parse_seconds, ErrorKind::Timestamp),
        }
    }

    fn number<T>(&mut self, parse: impl Fn(&str) -> Option<T>, kind: ErrorKind) -> Result<T, Fault> {
        let start = self.position;
        let bytes = self.body.as_bytes();
        let mut end = start;
        while end < bytes.len() && bytes[end] > b' ' {
            end += 1;
        }
        self.position = end;
        parse(&self.body[start..end]).ok_or(Fault { at: start, kind })
    }

    // --- the cursor -----------------------------------------------------------------------------

    fn peek(&self) -> Option<u8> {
        self.body.as_bytes().get(self.position).copied()
    }

    fn skip_blanks(&mut self) {
        while let Some(b' ' | b'\t') = self.peek() {
            self.position += 1;
        }
    }

    fn take_while(&mut self, class: u8) {
        let bytes = self.body.as_bytes();
        while self.position < bytes.len() && CLASS[usize::from(bytes[self.position])] & class != 0 {
            self.position += 1;
        }
    }

    fn at_line_end(&self) -> bool {
        matches!(self.peek(), None | Some(b'\n' | b'\r'))
    }

    fn end_of_line(&mut self) -> Result<(), Fault> {
        if self.peek() == Some(b'\r') {
            self.position += 1;
        }
        match self.peek() {
            None => Ok(()),
            Some(b'\n') => {
                self.position += 1;
                Ok(())
            }
            Some(_) => Err(self.fault(ErrorKind::EndOfLine)),
        }
    }

    fn fault(&self, kind: ErrorKind) -> Fault {
        Fault {
            at: self.position,
            kind,
        }
    }
}

/// An error before its line is counted.
#[derive(Debug, Clone, Copy)]
struct Fault {
    at: usize,
    kind: ErrorKind,
}

enum Comment<'a> {
    Entry(Entry<'a>),
    Free,
    Eof,
}

/// Whether braces may hold the metric's name as a bare quoted string.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Name {
    Allowed,
    Forbidden,
}

/// Bytes of an unquoted metric name.
const NAME: u8 = 1;
/// Bytes of an unquoted label name.
const LABEL: u8 = 2;

/// The classes of each byte.
const CLASS: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let character = byte as u8;
        if character.is_ascii_alphanumeric() || character == b'_' {
            classes[byte] = NAME | LABEL;
        } else if character == b':' {
            classes[byte] = NAME;
        }
        byte += 1;
    }
    classes
};

/// Splits the first word from a comment.
fn take_word(text: &str) -> (&str, &str) {
    let text = text.trim_start_matches([' ', '\t']);
    text.split_at(text.find([' ', '\t']).unwrap_or(text.len()))
}

/// Splits the family's name, bare or quoted, from a metadata line.
fn take_family(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let text = text.trim_start_matches([' ', '\t']);
    if let Some(quoted) = text.strip_prefix('"') {
        let end = closing_quote(quoted.as_bytes())?;
        return Some((unescape(&quoted[..end]), &quoted[end + 1..]));
    }
    let (name, rest) = take_word(text);
    let valid = !name.is_empty()
        && !name.as_bytes()[0].is_ascii_digit()
        && name.bytes().all(|byte| CLASS[usize::from(byte)] & NAME != 0);
    valid.then_some((Cow::Borrowed(name), rest))
}

#[cfg(test)]
mod tests;
