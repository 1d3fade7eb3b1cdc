//! Samples: a time and a value, which is a float or a histogram.

use std::sync::Arc;

use crate::histogram::FloatHistogram;

/// The NaN that marks the end of a series: Prometheus writes these bits when a target or a series disappears.
pub const STALE_NAN_BITS: u64 = 0x7ff0_0000_0000_0002;

/// The staleness marker as a float. Compare with [`is_stale_nan`]: no NaN equals another.
pub const STALE_NAN: f64 = f64::from_bits(STALE_NAN_BITS);

/// Whether a value is the staleness marker (other NaNs are ordinary values).
#[must_use]
pub fn is_stale_nan(value: f64) -> bool {
    value.to_bits() == STALE_NAN_BITS
}

/// A float at a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FloatPoint {
    /// Milliseconds since the Unix epoch.
    pub timestamp_ms: i64,
    /// The value; [`STALE_NAN`] marks the end of the series.
    pub value: f64,
}

/// A native histogram at a time.
#[derive(Clone, Debug, PartialEq)]
pub struct HistogramPoint {
    /// Milliseconds since the Unix epoch.
    pub timestamp_ms: i64,
    /// The value; a sum of [`STALE_NAN`] marks the end of the series.
    pub histogram: Arc<FloatHistogram>,
}

/// A sample's value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A float.
    Float(f64),
    /// A native histogram.
    Histogram(Arc<FloatHistogram>),
}

impl Value {
    /// Whether this is the staleness marker.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        match self {
            Value::Float(value) => is_stale_nan(*value),
            Value::Histogram(histogram) => is_stale_nan(histogram.sum),
        }
    }
}

/// A sample as storages take it in and tests write it.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Milliseconds since the Unix epoch.
    pub timestamp_ms: i64,
    /// Since when a counter counts, in milliseconds since the Unix epoch; 0 when unknown.
    pub start_timestamp_ms: i64,
    /// The value.
    pub value: Value,
}
