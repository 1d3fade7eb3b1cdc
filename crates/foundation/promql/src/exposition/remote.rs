//! Remote write: what other collectors push, versions 1.0 and 2.0, after decompression.
//!
//! Messages: `prompb/types.proto`, `prompb/remote.proto` and `prompb/io/prometheus/write/v2/types.proto` of
//! Prometheus; <https://prometheus.io/docs/specs/prw/remote_write_spec_2_0/>.

use std::sync::Arc;

use crate::histogram::{CUSTOM_BUCKETS_SCHEMA, CounterResetHint, FloatHistogram};
use crate::labels::{Labels, LabelsBuilder};
use crate::sample::{STALE_NAN, Value, is_stale_nan};

use super::protobuf::{RawBuckets, span};
use super::wire::Reader;
use super::{ErrorKind, ParseError};

/// Which message a request carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// `prometheus.WriteRequest`: strings where they are used.
    V1,
    /// `io.prometheus.write.v2.Request`: strings in a table.
    V2,
}

/// A series and samples to append to it.
#[derive(Debug, Clone, PartialEq)]
pub struct WriteSeries {
    /// The series.
    pub labels: Labels,
    /// Unix milliseconds and values, in the sender's order.
    pub samples: Vec<(i64, Value)>,
}

/// Reads a request.
///
/// # Errors
/// Line 1 and the reason: the message is binary and has no better place.
pub fn read(body: &[u8], version: Version) -> Result<Vec<WriteSeries>, ParseError> {
    let series = match version {
        Version::V1 => read_v1(body),
        Version::V2 => read_v2(body),
    };
    series.map_err(|kind| ParseError {
        line: 1,
        column: 0,
        kind,
    })
}

fn read_v1(body: &[u8]) -> Result<Vec<WriteSeries>, ErrorKind> {
    let mut all = Vec::new();
    let mut reader = Reader::new(body);
    while let Some((field, value)) = reader.field()? {
        if field != 1 {
            continue;
        }
        let (mut labels, mut samples) = (LabelsBuilder::new(), Vec::new());
        let mut series = Reader::new(value.bytes()?);
        while let Some((field, value)) = series.field()? {
            match field {
                1 => {
                    let (mut name, mut text) = ("", "");
                    let mut label = Reader::new(value.bytes()?);
                    while let Some((field, value)) = label.field()? {
                        match field {
                            1 => name = value.string()?,
                            2 => text = value.string()?,
                            _ => {}
                        }
                    }
                    labels.set(name, text);
                }
                2 => samples.push(sample(value.bytes()?)?),
                4 => samples.push(histogram(value.bytes()?)?),
                _ => {}
            }
        }
        all.push(checked(&labels, samples)?);
    }
    Ok(all)
}

fn read_v2(body: &[u8]) -> Result<Vec<WriteSeries>, ErrorKind> {
    let (mut symbols, mut messages) = (Vec::new(), Vec::new());
    let mut reader = Reader::new(body);
    while let Some((field, value)) = reader.field()? {
        match field {
            4 => symbols.push(value.string()?),
            5 => messages.push(value.bytes()?),
            _ => {}
        }
    }
    let symbol = |index: &u64| {
        usize::try_from(*index)
            .ok()
            .and_then(|index| symbols.get(index))
            .ok_or(ErrorKind::Wire)
    };
    let mut all = Vec::with_capacity(messages.len());
    for message in messages {
        let (mut references, mut samples) = (Vec::new(), Vec::new());
        let mut series = Reader::new(message);
        while let Some((field, value)) = series.field()? {
            match field {
                1 => value.repeated_varints(&mut references)?,
                2 => samples.push(sample(value.bytes()?)?),
                3 => samples.push(histogram(value.bytes()?)?),
                _ => {}
            }
        }
        let (pairs, rest) = references.as_chunks::<2>();
        if !rest.is_empty() {
            return Err(ErrorKind::Wire);
        }
        let mut labels = LabelsBuilder::new();
        for [name, text] in pairs {
            labels.set(symbol(name)?, symbol(text)?);
        }
        all.push(checked(&labels, samples)?);
    }
    Ok(all)
}

fn checked(labels: &LabelsBuilder, samples: Vec<(i64, Value)>) -> Result<WriteSeries, ErrorKind> {
    match labels.get("__name__") {
        Some(_) => Ok(WriteSeries {
            labels: labels.build(),
            samples,
        }),
        None => Err(ErrorKind::NoMetricName),
    }
}

fn sample(message: &[u8]) -> Result<(i64, Value), ErrorKind> {
    let (mut time_ms, mut number) = (0, 0.0);
    let mut reader = Reader::new(message);
    while let Some((field, value)) = reader.field()? {
        match field {
            1 => number = value.double()?,
            // An `int64` travels as its two's complement.
            2 => time_ms = value.varint()? as i64,
            _ => {}
        }
    }
    Ok((time_ms, Value::Float(number)))
}

fn histogram(message: &[u8]) -> Result<(i64, Value), ErrorKind> {
    let mut time_ms = 0;
    let mut found = FloatHistogram::default();
    let (mut positive, mut negative) = (RawBuckets::default(), RawBuckets::default());
    let mut custom_values = Vec::new();
    let mut reader = Reader::new(message);
    while let Some((field, value)) = reader.field()? {
        match field {
            1 => found.count = value.varint()? as f64,
            2 => found.count = value.double()?,
            3 => found.sum = value.double()?,
            4 => found.schema = i32::try_from(value.zigzag()?).map_err(|_| ErrorKind::Histogram)?,
            5 => found.zero_threshold = value.double()?,
            6 => found.zero_count = value.varint()? as f64,
            7 => found.zero_count = value.double()?,
            8 => negative.spans.push(span(value.bytes()?)?),
            9 => value.repeated_varints(&mut negative.deltas)?,
            10 => value.repeated_doubles(&mut negative.counts)?,
            11 => positive.spans.push(span(value.bytes()?)?),
            12 => value.repeated_varints(&mut positive.deltas)?,
            13 => value.repeated_doubles(&mut positive.counts)?,
            14 => {
                found.counter_reset_hint = match value.varint()? {
                    1 => CounterResetHint::Reset,
                    2 => CounterResetHint::NotReset,
                    3 => CounterResetHint::Gauge,
                    _ => CounterResetHint::Unknown,
                }
            }
            15 => time_ms = value.varint()? as i64,
            16 => value.repeated_doubles(&mut custom_values)?,
            _ => {}
        }
    }
    if is_stale_nan(found.sum) {
        return Ok((time_ms, Value::Float(STALE_NAN)));
    }
    found.positive = positive.into_buckets()?;
    found.negative = negative.into_buckets()?;
    if found.schema == CUSTOM_BUCKETS_SCHEMA {
        found.custom_values = custom_values.into();
    }
    found.validate().map_err(|_| ErrorKind::Histogram)?;
    Ok((time_ms, Value::Histogram(Arc::new(found))))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::wire::{put_bytes_field, put_double_field, put_varint, put_varint_field};
    use super::*;

    fn message(build: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut bytes = Vec::new();
        build(&mut bytes);
        bytes
    }

    fn sample_message() -> Vec<u8> {
        message(|sample| {
            put_double_field(sample, 1, 2.5);
            put_varint_field(sample, 2, 1_234);
        })
    }

    fn v1() -> Vec<u8> {
        let labels = [("__name__", "up"), ("job", "web")].map(|(name, value)| {
            message(|label| {
                put_bytes_field(label, 1, name.as_bytes());
                put_bytes_field(label, 2, value.as_bytes());
            })
        });
        let series = message(|series| {
            labels.iter().for_each(|label| put_bytes_field(series, 1, label));
            put_bytes_field(series, 2, &sample_message());
        });
        message(|request| put_bytes_field(request, 1, &series))
    }

    fn v2(last: u64) -> Vec<u8> {
        let references = message(|packed| [1, 2, 3, last].into_iter().for_each(|index| put_varint(packed, index)));
        let series = message(|series| {
            put_bytes_field(series, 1, &references);
            put_bytes_field(series, 2, &sample_message());
        });
        message(|request| {
            ["", "__name__", "up", "job", "web"]
                .iter()
                .for_each(|symbol| put_bytes_field(request, 4, symbol.as_bytes()));
            put_bytes_field(request, 5, &series);
        })
    }

    #[test]
    fn both_versions_say_the_same() {
        let labels = Labels::from_pairs([("__name__", "up"), ("job", "web")]);
        let expect = vec![WriteSeries {
            labels,
            samples: vec![(1_234, Value::Float(2.5))],
        }];
        assert_eq!(read(&v1(), Version::V1), Ok(expect.clone()));
        assert_eq!(read(&v2(4), Version::V2), Ok(expect));
        assert_eq!(
            read(&v2(5), Version::V2).map_err(|error| error.kind),
            Err(ErrorKind::Wire)
        );
    }

    proptest! {
        #[test]
        fn any_bytes_end(body in proptest::collection::vec(any::<u8>(), 0..200), at in 0usize..60, byte: u8) {
            for version in [Version::V1, Version::V2] {
                let _ = read(&body, version);
                for mut valid in [v1(), v2(4)] {
                    let at = at % valid.len();
                    valid[at] = byte;
                    let _ = read(&valid, version);
                }
            }
        }
    }
}
