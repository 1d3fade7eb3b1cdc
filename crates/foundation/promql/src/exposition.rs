//! Reading what a target exposes: Prometheus text 0.0.4, OpenMetrics 1.0 text and the
//! delimited protobuf format.
//!
//! ```text
//!   Content-Type ──> Format ──┬─> text::Parser ──────> Entry<'body> ┐
//!   body (bytes) ─────────────┤                                     ├─> the scrape loop
//!                             └─> protobuf::Families ─> Family ──────────┘
//! ```
//!
//! The text parser borrows from the body and allocates only where a string has an escape. A sample's
//! series is handed out as the *raw* text between the line's start and the closing brace: it has been
//! checked, and it is the key under which a scrape loop remembers which stored series the line belongs
//! to, so that a scrape of known series never builds a label set.
//!
//! One running example: of the line `http_requests_total{code="200"} 1027 1395066363000` the series is
//! `http_requests_total{code="200"}`, the value 1027 and the timestamp 1395066363000 ms.
//!
//! Formats: <https://prometheus.io/docs/instrumenting/exposition_formats/>,
//! <https://prometheus.io/docs/specs/om/open_metrics_spec/>.

mod error;
mod number;

pub mod protobuf;
pub mod remote;
mod series;
pub mod text;
pub mod wire;

pub use error::{ErrorKind, ParseError};
pub use number::{open_metrics_float, parse_value};
pub use series::{LabelPairs, Series};

use std::borrow::Cow;

/// What a scraper offers in `Accept`, best first: protobuf carries native histograms, OpenMetrics
/// carries exemplars and units, text 0.0.4 is what everybody speaks. `escaping=allow-utf-8` asks for
/// names as they are.
pub const ACCEPT: &str = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,\
application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
application/openmetrics-text;version=0.0.1;q=0.4,\
text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1";

/// The format of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Prometheus text 0.0.4 (and 1.0.0, which adds quoted names): timestamps in milliseconds.
    Text,
    /// OpenMetrics text: timestamps in seconds, exemplars, units, `# EOF` at the end.
    OpenMetrics,
    /// Length-delimited `io.prometheus.client.MetricFamily` messages.
    Protobuf,
}

impl Format {
    /// The format that a `Content-Type` header names. Unknown and absent types read as text 0.0.4:
    /// many small exporters send `text/html` or nothing.
    pub fn from_content_type(content_type: Option<&str>) -> Format {
        let media = content_type.unwrap_or("").split(';').next().unwrap_or("").trim();
        if media.eq_ignore_ascii_case("application/openmetrics-text") {
            Format::OpenMetrics
        } else if media.eq_ignore_ascii_case("application/vnd.google.protobuf") {
            Format::Protobuf
        } else {
            Format::Text
        }
    }
}

/// The declared type of a metric family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MetricKind {
    /// Only grows, except when its process restarts.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Cumulative buckets, or a native histogram.
    Histogram,
    /// Buckets that can go down.
    GaugeHistogram,
    /// Quantiles computed by the target.
    Summary,
    /// Constant 1 whose labels are the message.
    Info,
    /// One boolean for each state.
    StateSet,
    /// Not declared.
    Unknown,
}

impl MetricKind {
    /// The word that the metadata API uses.
    pub fn as_str(self) -> &'static str {
        match self {
            MetricKind::Counter => "counter",
            MetricKind::Gauge => "gauge",
            MetricKind::Histogram => "histogram",
            MetricKind::GaugeHistogram => "gaugehistogram",
            MetricKind::Summary => "summary",
            MetricKind::Info => "info",
            MetricKind::StateSet => "stateset",
            MetricKind::Unknown => "unknown",
        }
    }

    /// Reads the word of a `# TYPE` line; `untyped` is the older name of `unknown`.
    pub fn parse(word: &str) -> Option<MetricKind> {
        Some(match word {
            "counter" => MetricKind::Counter,
            "gauge" => MetricKind::Gauge,
            "histogram" => MetricKind::Histogram,
            "gaugehistogram" => MetricKind::GaugeHistogram,
            "summary" => MetricKind::Summary,
            "info" => MetricKind::Info,
            "stateset" => MetricKind::StateSet,
            "unknown" | "untyped" => MetricKind::Unknown,
            _ => return None,
        })
    }
}

/// One statement of a text body.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry<'a> {
    /// `# HELP family text`.
    Help {
        /// Name of the metric family.
        family: Cow<'a, str>,
        /// The text, unescaped.
        text: Cow<'a, str>,
    },
    /// `# TYPE family kind`.
    Type {
        /// Name of the metric family.
        family: Cow<'a, str>,
        /// Its declared type.
        kind: MetricKind,
    },
    /// `# UNIT family unit` (OpenMetrics).
    Unit {
        /// Name of the metric family.
        family: Cow<'a, str>,
        /// The unit, as a suffix of the family's name.
        unit: &'a str,
    },
    /// A line with a value.
    Sample(Sample<'a>),
}

/// A line with a value.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample<'a> {
    /// The checked, still raw name and labels.
    pub series: Series<'a>,
    /// The value; NaN and infinities are values.
    pub value: f64,
    /// Unix time in milliseconds, where the target gave one.
    pub timestamp_ms: Option<i64>,
    /// OpenMetrics exemplar, where there is one.
    pub exemplar: Option<Exemplar<'a>>,
}

/// An example of an event that was counted, usually with a trace id.
#[derive(Debug, Clone, PartialEq)]
pub struct Exemplar<'a> {
    /// Its labels: the raw text between braces.
    pub labels: Series<'a>,
    /// Its value.
    pub value: f64,
    /// Unix time in milliseconds, where given.
    pub timestamp_ms: Option<i64>,
}
