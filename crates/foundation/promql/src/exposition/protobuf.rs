//! Delimited `io.prometheus.client.MetricFamily` messages: the only format that carries native histograms.
//!
//! Message and field numbers: <https://github.com/prometheus/client_model>, `io/prometheus/client/metrics.proto`.

use std::sync::Arc;

use crate::histogram::{Buckets, CounterResetHint, FloatHistogram, Span};
use crate::labels::BUCKET_BOUND;

use super::wire::{Reader, Value, zigzag_decode};
use super::{ErrorKind, MetricKind, ParseError, open_metrics_float};

/// Buckets of one native histogram: as many as upstream's largest resolution makes in practice, times ten. A
/// span of four billion buckets must not be believed.
const BUCKETS_MAX: usize = 10_000;

/// One metric family: what it is, and its samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Family {
    /// Name.
    pub name: String,
    /// Help text.
    pub help: String,
    /// Declared type.
    pub kind: MetricKind,
    /// Unit.
    pub unit: String,
    /// Samples, classic histograms and summaries spelled out as in the text format.
    pub samples: Vec<FamilySample>,
}

/// A sample of a family.
#[derive(Debug, Clone, PartialEq)]
pub struct FamilySample {
    /// Labels with the sample's name; distinct unless the target is wrong.
    pub labels: Vec<(String, String)>,
    /// Float or native histogram.
    pub value: crate::sample::Value,
    /// Unix time in milliseconds, where the target gave one.
    pub timestamp_ms: Option<i64>,
}

/// Whether the classic buckets of a histogram that is also native are handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClassicBuckets {
    /// Only where the histogram is not native, as upstream by default.
    Unless,
    /// Always: `always_scrape_classic_histograms`.
    Always,
}

/// Reads a body family by family.
#[derive(Debug, Clone)]
pub struct Families<'a> {
    body: &'a [u8],
    reader: Reader<'a>,
    classic: ClassicBuckets,
    number: usize,
    failed: bool,
}

impl<'a> Families<'a> {
    /// A reader over a body.
    #[must_use]
    pub fn new(body: &'a [u8], classic: ClassicBuckets) -> Self {
        Families {
            body,
            reader: Reader::new(body),
            classic,
            number: 0,
            failed: false,
        }
    }

    /// The next family, or `None` at the end. After an error there is nothing more.
    ///
    /// # Errors
    /// Line is the number of the family, column the offset of its first byte.
    pub fn next_family(&mut self) -> Result<Option<Family>, ParseError> {
        if self.failed || self.reader.is_empty() {
            return Ok(None);
        }
        self.number += 1;
        let offset = self.body.len() - self.reader.remaining();
        let family = self
            .reader
            .delimited()
            .and_then(|message| family(message, self.classic));
        family.map(Some).map_err(|kind| {
            self.failed = true;
            ParseError {
                line: self.number,
                column: offset,
                kind,
            }
        })
    }
}

fn family(message: &[u8], classic: ClassicBuckets) -> Result<Family, ErrorKind> {
    let mut family = Family {
        name: String::new(),
        help: String::new(),
        kind: MetricKind::Counter,
        unit: String::new(),
        samples: Vec::new(),
    };
    let mut metrics = Vec::new();
    let mut reader = Reader::new(message);
    while let Some((field, value)) = reader.field()? {
        match field {
            1 => family.name = value.string()?.to_owned(),
            2 => family.help = value.string()?.to_owned(),
            3 => {
                family.kind = match value.varint()? {
                    0 => MetricKind::Counter,
                    1 => MetricKind::Gauge,
                    2 => MetricKind::Summary,
                    4 => MetricKind::Histogram,
                    5 => MetricKind::GaugeHistogram,
                    _ => MetricKind::Unknown,
                }
            }
            4 => metrics.push(value.bytes()?),
            5 => family.unit = value.string()?.to_owned(),
            _ => {}
        }
    }
    if family.name.is_empty() {
        return Err(ErrorKind::NoMetricName);
    }
    for metric in metrics {
        read_metric(&mut family, metric, classic)?;
    }
    Ok(family)
}

/// The samples of one metric all share its labels and time.
struct Emit<'f> {
    family: &'f mut Family,
    labels: Vec<(String, String)>,
    timestamp_ms: Option<i64>,
}

impl Emit<'_> {
    fn float(&mut self, suffix: &str, extra: Option<(&str, f64)>, value: f64) {
        let extra = extra.map(|(name, bound)| (name.to_owned(), open_metrics_float(bound)));
        self.sample(suffix, extra, crate::sample::Value::Float(value));
    }

    fn sample(&mut self, suffix: &str, extra: Option<(String, String)>, value: crate::sample::Value) {
        let name = ("__name__".to_owned(), format!("{}{suffix}", self.family.name));
        let labels = std::iter::once(name)
            .chain(self.labels.iter().cloned())
            .chain(extra)
            .collect();
        self.family.samples.push(FamilySample {
            labels,
            value,
            timestamp_ms: self.timestamp_ms,
        });
    }
}

fn read_metric(family: &mut Family, message: &[u8], classic: ClassicBuckets) -> Result<(), ErrorKind> {
    let mut labels = Vec::new();
    let mut timestamp_ms = None;
    let mut values = Vec::new();
    let mut reader = Reader::new(message);
    while let Some((field, value)) = reader.field()? {
        match field {
            1 => labels.push(label(value.bytes()?)?),
            2 | 3 | 4 | 5 | 7 => values.push((field, value.bytes()?)),
            // An `int64` travels as its two's complement.
            6 => timestamp_ms = Some(value.varint()? as i64).filter(|time_ms| *time_ms != 0),
            _ => {}
        }
    }
    let is_gauge = family.kind == MetricKind::GaugeHistogram;
    let mut emit = Emit {
        family,
        labels,
        timestamp_ms,
    };
    for (field, message) in values {
        match field {
            4 => summary(&mut emit, message)?,
            7 => histogram(&mut emit, message, classic, is_gauge)?,
            _ => emit.float("", None, double_field(message, 1)?),
        }
    }
    Ok(())
}

fn label(message: &[u8]) -> Result<(String, String), ErrorKind> {
    let (mut name, mut text) = (String::new(), String::new());
    let mut reader = Reader::new(message);
    while let Some((field, value)) = reader.field()? {
        match field {
            1 => name = value.string()?.to_owned(),
            2 => text = value.string()?.to_owned(),
            _ => {}
        }
    }
    if name.is_empty() {
        Err(ErrorKind::LabelName)
    } else {
        Ok((name, text))
    }
}

/// The double in a field of a message; 0 where it is not written.
fn double_field(message: &[u8], wanted: u64) -> Result<f64, ErrorKind> {
    let mut found = 0.0;
    let mut reader = Reader::new(message);
    while let Some((field, value)) = reader.field()? {
        if field == wanted {
            found = value.double()?;
        }
    }
    Ok(found)
}

fn summary(emit: &mut Emit<'_>, message: &[u8]) -> Result<(), ErrorKind> {
    let (mut count, mut sum, mut quantiles) = (0, 0.0, Vec::new());
    let mut reader = Reader::new(message);
    while let Some((field, value)) = reader.field()? {
        match field {
            1 => count = value.varint()?,
            2 => sum = value.double()?,
            3 => quantiles.push(value.bytes()?),
            _ => {}
        }
    }
    emit.float("_count", None, count as f64);
    emit.float("_sum", None, sum);
    for quantile in quantiles {
        emit.float(
            "",
            Some(("quantile", double_field(quantile, 1)?)),
            double_field(quantile, 2)?,
        );
    }
    Ok(())
}

/// A histogram's fields as they come.
#[derive(Default)]
struct RawHistogram {
    count: f64,
    sum: f64,
    /// Cumulative counts up to upper bounds.
    classic: Vec<(f64, f64)>,
    schema: i32,
    zero_threshold: f64,
    zero_count: f64,
    positive: RawBuckets,
    negative: RawBuckets,
    is_native: bool,
}

/// Buckets of one sign: integer deltas, or float counts.
#[derive(Default)]
pub(super) struct RawBuckets {
    pub(super) spans: Vec<Span>,
    pub(super) deltas: Vec<u64>,
    pub(super) counts: Vec<f64>,
}

impl RawBuckets {
    pub(super) fn into_buckets(self) -> Result<Buckets, ErrorKind> {
        let buckets: usize = self
            .spans
            .iter()
            .fold(0, |sum, span| sum.saturating_add(span.length as usize));
        let counts = if self.counts.is_empty() {
            let mut count = 0i64;
            let absolute = self.deltas.iter().map(|delta| {
                count = count.wrapping_add(zigzag_decode(*delta));
                count as f64
            });
            absolute.collect()
        } else {
            self.counts
        };
        if buckets != counts.len() || buckets > BUCKETS_MAX {
            return Err(ErrorKind::Histogram);
        }
        Ok(Buckets {
            spans: self.spans,
            counts,
        })
    }
}

fn histogram(emit: &mut Emit<'_>, message: &[u8], classic: ClassicBuckets, is_gauge: bool) -> Result<(), ErrorKind> {
    let raw = raw_histogram(message)?;
    if !raw.is_native || classic == ClassicBuckets::Always {
        let has_inf = raw.classic.iter().any(|(bound, _)| *bound == f64::INFINITY);
        for (bound, count) in &raw.classic {
            emit.float("_bucket", Some((BUCKET_BOUND, *bound)), *count);
        }
        if !has_inf {
            emit.float("_bucket", Some((BUCKET_BOUND, f64::INFINITY)), raw.count);
        }
        emit.float("_count", None, raw.count);
        emit.float("_sum", None, raw.sum);
    }
    if raw.is_native {
        let counter_reset_hint = if is_gauge {
            CounterResetHint::Gauge
        } else {
            CounterResetHint::Unknown
        };
        let histogram = FloatHistogram {
            counter_reset_hint,
            schema: raw.schema,
            zero_threshold: raw.zero_threshold,
            zero_count: raw.zero_count,
            count: raw.count,
            sum: raw.sum,
            positive: raw.positive.into_buckets()?,
            negative: raw.negative.into_buckets()?,
            ..FloatHistogram::default()
        };
        histogram.validate().map_err(|_| ErrorKind::Histogram)?;
        emit.sample("", None, crate::sample::Value::Histogram(Arc::new(histogram)));
    }
    Ok(())
}

fn raw_histogram(message: &[u8]) -> Result<RawHistogram, ErrorKind> {
    let mut raw = RawHistogram::default();
    let mut reader = Reader::new(message);
    while let Some((field, value)) = reader.field()? {
        match field {
            1 => raw.count = value.varint()? as f64,
            2 => raw.sum = value.double()?,
            3 => raw.classic.push(classic_bucket(value.bytes()?)?),
            4 => raw.count = value.double()?,
            5 => raw.schema = i32::try_from(value.zigzag()?).map_err(|_| ErrorKind::Histogram)?,
            6 => raw.zero_threshold = value.double()?,
            7 => raw.zero_count = value.varint()? as f64,
            8 => raw.zero_count = value.double()?,
            9 => raw.negative.spans.push(span(value.bytes()?)?),
            10 => value.repeated_varints(&mut raw.negative.deltas)?,
            11 => value.repeated_doubles(&mut raw.negative.counts)?,
            12 => raw.positive.spans.push(span(value.bytes()?)?),
            13 => value.repeated_varints(&mut raw.positive.deltas)?,
            14 => value.repeated_doubles(&mut raw.positive.counts)?,
            _ => {}
        }
        raw.is_native |= matches!(field, 9 | 12);
    }
    // Without observations a native histogram has no span, but still a zero bucket.
    raw.is_native |= raw.zero_threshold > 0.0 || raw.zero_count > 0.0;
    Ok(raw)
}

fn classic_bucket(message: &[u8]) -> Result<(f64, f64), ErrorKind> {
    let (mut bound, mut count) = (0.0, 0.0);
    let mut reader = Reader::new(message);
    while let Some((field, value)) = reader.field()? {
        match (field, value) {
            (1, _) => count = value.varint()? as f64,
            (2, _) => bound = value.double()?,
            // The float count only counts where it is written.
            (4, Value::Fixed64(bits)) if bits != 0 => count = f64::from_bits(bits),
            _ => {}
        }
    }
    Ok((bound, count))
}

pub(super) fn span(message: &[u8]) -> Result<Span, ErrorKind> {
    let (mut offset, mut length) = (0, 0);
    let mut reader = Reader::new(message);
    while let Some((field, value)) = reader.field()? {
        match field {
            1 => offset = i32::try_from(value.zigzag()?).map_err(|_| ErrorKind::Histogram)?,
            2 => length = u32::try_from(value.varint()?).map_err(|_| ErrorKind::Histogram)?,
            _ => {}
        }
    }
    Ok(Span { offset, length })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::wire::{put_bytes_field, put_double_field, put_varint, put_varint_field, zigzag_encode};
    use super::*;

    fn message(build: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut bytes = Vec::new();
        build(&mut bytes);
        bytes
    }

    fn family_message(kind: u64, value_field: u64, value: &[u8]) -> Vec<u8> {
        let metric = message(|metric| {
            let label = message(|label| {
                put_bytes_field(label, 1, b"pod");
                put_bytes_field(label, 2, b"a");
            });
            put_bytes_field(metric, 1, &label);
            put_bytes_field(metric, value_field, value);
            put_varint_field(metric, 6, 1_234);
        });
        let family = message(|family| {
            put_bytes_field(family, 1, b"m");
            put_bytes_field(family, 2, b"Help.");
            put_varint_field(family, 3, kind);
            put_bytes_field(family, 4, &metric);
        });
        let mut body = Vec::new();
        put_varint(&mut body, family.len() as u64);
        body.extend(family);
        body
    }

    fn check(body: &[u8], expect: &[&str]) {
        let mut families = Families::new(body, ClassicBuckets::Unless);
        let family = families.next_family().expect("a valid body").expect("one family");
        let lines: Vec<String> = family
            .samples
            .iter()
            .map(|sample| {
                let labels: Vec<String> = sample
                    .labels
                    .iter()
                    .map(|(name, value)| format!("{name}={value}"))
                    .collect();
                assert_eq!(sample.timestamp_ms, Some(1_234));
                let value = match &sample.value {
                    crate::sample::Value::Float(value) => value.to_string(),
                    crate::sample::Value::Histogram(histogram) => histogram.to_string(),
                };
                format!("{} {value}", labels.join(","))
            })
            .collect();
        assert_eq!(lines, expect);
        assert_eq!(families.next_family(), Ok(None));
    }

    fn native(offset: i64, length: u64, deltas: &[i64]) -> Vec<u8> {
        message(|bytes| {
            put_varint_field(bytes, 1, 6);
            put_double_field(bytes, 2, 7.5);
            put_double_field(bytes, 6, 0.001);
            put_varint_field(bytes, 7, 1);
            put_bytes_field(
                bytes,
                12,
                &message(|span| {
                    put_varint_field(span, 1, zigzag_encode(offset));
                    put_varint_field(span, 2, length);
                }),
            );
            let mut packed = Vec::new();
            deltas
                .iter()
                .for_each(|delta| put_varint(&mut packed, zigzag_encode(*delta)));
            put_bytes_field(bytes, 13, &packed);
        })
    }

    #[test]
    fn floats_and_summaries_and_classic_histograms() {
        check(
            &family_message(0, 3, &message(|bytes| put_double_field(bytes, 1, 2.5))),
            &["__name__=m,pod=a 2.5"],
        );
        let summary = message(|bytes| {
            put_varint_field(bytes, 1, 4);
            put_double_field(bytes, 2, 8.0);
            put_bytes_field(
                bytes,
                3,
                &message(|quantile| {
                    put_double_field(quantile, 1, 0.5);
                    put_double_field(quantile, 2, 1.5);
                }),
            );
        });
        check(
            &family_message(2, 4, &summary),
            &[
                "__name__=m_count,pod=a 4",
                "__name__=m_sum,pod=a 8",
                "__name__=m,pod=a,quantile=0.5 1.5",
            ],
        );
        let histogram = message(|bytes| {
            put_varint_field(bytes, 1, 3);
            put_double_field(bytes, 2, 4.5);
            put_bytes_field(
                bytes,
                3,
                &message(|bucket| {
                    put_varint_field(bucket, 1, 2);
                    put_double_field(bucket, 2, 1.0);
                }),
            );
        });
        check(
            &family_message(4, 7, &histogram),
            &[
                "__name__=m_bucket,pod=a,le=1.0 2",
                "__name__=m_bucket,pod=a,le=+Inf 3",
                "__name__=m_count,pod=a 3",
                "__name__=m_sum,pod=a 4.5",
            ],
        );
    }

    #[test]
    fn native_histograms() {
        check(
            &family_message(4, 7, &native(0, 2, &[2, 1])),
            &["__name__=m,pod=a {count:6, sum:7.5, [-0.001,0.001]:1, (0.5,1]:2, (1,2]:3}"],
        );
        for wrong in [native(0, 3, &[2, 1]), native(0, 4_000_000_000, &[2, 1])] {
            let body = family_message(4, 7, &wrong);
            let error = Families::new(&body, ClassicBuckets::Unless).next_family();
            assert_eq!(
                error,
                Err(ParseError {
                    line: 1,
                    column: 0,
                    kind: ErrorKind::Histogram
                })
            );
        }
    }

    proptest! {
        #[test]
        fn any_bytes_end_in_families_or_one_error(body in proptest::collection::vec(any::<u8>(), 0..200), cut in 0usize..100, at in 0usize..100, byte: u8) {
            let mut valid = family_message(4, 7, &native(0, 2, &[2, 1]));
            valid.truncate(cut.max(1));
            let place = at % valid.len();
            valid[place] = byte;
            for body in [body, valid] {
                let mut families = Families::new(&body, ClassicBuckets::Always);
                let mut count = 0;
                while let Ok(Some(_)) = families.next_family() {
                    count += 1;
                }
                prop_assert!(count <= body.len());
            }
        }
    }
}
