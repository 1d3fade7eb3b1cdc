//! Where a body is wrong, and how.

use thiserror::Error;

/// A body that could not be read: the first thing wrong, and its place.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line}, column {column}: {kind}")]
pub struct ParseError {
    /// Line, from 1. For protobuf: the number of the metric family.
    pub line: usize,
    /// Column in characters, from 1. For protobuf: the byte offset from the start of the body.
    pub column: usize,
    /// What is wrong there.
    pub kind: ErrorKind,
}

/// What can be wrong with a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ErrorKind {
    /// The body is not UTF-8.
    #[error("the body is not valid UTF-8")]
    Utf8,
    /// Neither a name, a brace, a comment nor an end of line.
    #[error("expected a metric name, `{{` or `#`")]
    MetricName,
    /// Braces without a name in or before them.
    #[error("the series has no metric name")]
    NoMetricName,
    /// A second name for one series.
    #[error("the series has two metric names")]
    TwoMetricNames,
    /// Something other than a label name within braces.
    #[error("expected a label name or `}}`")]
    LabelName,
    /// No `=` after a label's name.
    #[error("expected `=` after the label's name")]
    LabelEquals,
    /// No quote where a label's value starts.
    #[error("expected `\"` before the label's value")]
    LabelQuote,
    /// The end of the line within a quoted string.
    #[error("a quoted string is not closed before the end of the line")]
    UnclosedQuote,
    /// After a label comes neither a comma nor the closing brace.
    #[error("expected `,` or `}}` after a label")]
    LabelSeparator,
    /// Not a number.
    #[error("expected a number as the sample's value")]
    Value,
    /// Not a timestamp.
    #[error("expected a timestamp (milliseconds in the text format, seconds in OpenMetrics)")]
    Timestamp,
    /// More on the line than the format has.
    #[error("expected the end of the line")]
    EndOfLine,
    /// A `# TYPE` line with a word that is no type.
    #[error("unknown metric type")]
    Type,
    /// A `# HELP`, `# TYPE` or `# UNIT` line without a name or text.
    #[error("a metadata line needs a metric name and a text")]
    Metadata,
    /// A unit that is not a suffix of its family's name.
    #[error("the unit is not a suffix of the metric's name")]
    Unit,
    /// OpenMetrics without its end marker.
    #[error("the body does not end with `# EOF`: it was cut off, or is not OpenMetrics")]
    NoEof,
    /// Text after OpenMetrics' end marker.
    #[error("unexpected text after `# EOF`")]
    AfterEof,
    /// OpenMetrics has no empty lines, leading spaces or free comments.
    #[error("OpenMetrics allows no empty line, leading space or free comment")]
    Strict,
    /// A line longer than [`super::text::LINE_BYTES_MAX`].
    #[error("the line is longer than 1 MiB")]
    LongLine,
    /// A protobuf message ends before its fields do.
    #[error("the protobuf message is cut off")]
    Truncated,
    /// A protobuf field of another wire type than its schema says.
    #[error("the protobuf message does not fit its schema")]
    Wire,
    /// Bucket spans and counts of a native histogram that do not fit each other.
    #[error("the native histogram's spans and buckets do not match")]
    Histogram,
}

impl ParseError {
    /// The error at byte `offset` of `body`. Counting lines only here keeps it out of the hot path.
    pub(super) fn at(body: &str, offset: usize, kind: ErrorKind) -> ParseError {
        let mut offset = offset.min(body.len());
        while !body.is_char_boundary(offset) {
            offset -= 1;
        }
        let before = &body[..offset];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        ParseError {
            line: before.bytes().filter(|&byte| byte == b'\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            kind,
        }
    }
}
