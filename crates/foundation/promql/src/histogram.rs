//! Native histograms: observation counts in exponential or custom buckets.
//!
//! One histogram is one sample. Its buckets are sparse: [`Span`]s say which bucket indices are populated, and counts
//! follow in the same order. What the indices mean depends on the schema:
//!
//! ```text
//!  schema -4..=8   bucket i ends at 2^(i * 2^-schema); a zero bucket covers [-zero_threshold, zero_threshold]
//!  schema -53      bucket i ends at custom_values[i], the one behind the last at +Inf; no zero bucket
//! ```
//!
//! Arithmetic first brings two histograms to one layout: the coarser schema, the wider zero bucket, the common
//! custom bounds. Counts are floats, because rates and averages are not whole numbers.

mod arithmetic;
mod bounds;
mod buckets;
mod kahan;
mod resets;
mod trim;
mod validate;

use std::fmt;
use std::sync::Arc;

pub use arithmetic::{Accumulator, MixedSchemas, Reconciliation};
pub use bounds::{CUSTOM_BUCKETS_SCHEMA, EXPONENTIAL_SCHEMA_MAX, EXPONENTIAL_SCHEMA_MIN, upper_bound};
pub use buckets::{Bucket, Buckets, Interpolation, Span};
pub use kahan::{Kahan, Tally};
pub use trim::TrimSide;
pub use validate::InvalidHistogram;

use crate::number::GoFloat;

/// What is known about counter resets between a histogram and the one before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CounterResetHint {
    /// Nothing is known: compare the two.
    #[default]
    Unknown,
    /// The counter was reset just before this sample.
    Reset,
    /// The counter was not reset before this sample.
    NotReset,
    /// Not a counter.
    Gauge,
}

/// A native histogram with float counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FloatHistogram {
    /// Counter reset information.
    pub counter_reset_hint: CounterResetHint,
    /// Resolution: -4 to 8 for exponential buckets, [`CUSTOM_BUCKETS_SCHEMA`] for custom ones.
    pub schema: i32,
    /// Half the width of the zero bucket.
    pub zero_threshold: f64,
    /// Observations in the zero bucket.
    pub zero_count: f64,
    /// All observations, NaN included.
    pub count: f64,
    /// Sum of all observations; [`crate::sample::STALE_NAN`] marks staleness.
    pub sum: f64,
    /// Buckets of positive observations; all buckets of a custom schema.
    pub positive: Buckets,
    /// Buckets of negative observations, index counting away from zero.
    pub negative: Buckets,
    /// Ascending finite upper bounds of a custom schema, shared between samples; empty otherwise.
    pub custom_values: Arc<[f64]>,
}

impl FloatHistogram {
    /// Whether the buckets have explicit bounds.
    #[must_use]
    pub fn uses_custom_buckets(&self) -> bool {
        self.schema == CUSTOM_BUCKETS_SCHEMA
    }

    /// Positive buckets in ascending order.
    pub fn positive_buckets(&self) -> impl DoubleEndedIterator<Item = Bucket> + '_ {
        self.positive
            .iter()
            .map(|(index, count)| Bucket::positive(index, count, self.schema, &self.custom_values))
    }

    /// Negative buckets in descending order: away from zero.
    pub fn negative_buckets(&self) -> impl DoubleEndedIterator<Item = Bucket> + '_ {
        self.negative
            .iter()
            .map(|(index, count)| Bucket::negative(index, count, self.schema))
    }

    /// The zero bucket of an exponential histogram.
    #[must_use]
    pub fn zero_bucket(&self) -> Bucket {
        Bucket {
            lower: -self.zero_threshold,
            upper: self.zero_threshold,
            lower_inclusive: true,
            upper_inclusive: true,
            count: self.zero_count,
        }
    }

    /// All buckets in ascending order, the zero bucket if it is populated. Buckets that overlap the zero bucket are
    /// cut at its threshold.
    pub fn buckets(&self) -> impl DoubleEndedIterator<Item = Bucket> + '_ {
        let threshold = self.zero_threshold;
        let negative = self.negative_buckets().rev().map(move |mut bucket| {
            if bucket.upper < 0.0 && bucket.upper > -threshold {
                bucket.upper = -threshold;
            }
            bucket
        });
        let positive = self.positive_buckets().map(move |mut bucket| {
            if bucket.lower > 0.0 && bucket.lower < threshold {
                bucket.lower = threshold;
            }
            bucket
        });
        let zero = (self.zero_count > 0.0).then(|| self.zero_bucket());
        negative.chain(zero).chain(positive)
    }

    /// Multiplies all counts and the sum. A negative factor makes a gauge.
    pub fn scale(&mut self, factor: f64) -> &mut Self {
        self.map_counts(|count| count * factor, factor < 0.0)
    }

    /// Divides all counts and the sum. Division by zero leaves no buckets; a negative divisor makes a gauge.
    pub fn divide(&mut self, divisor: f64) -> &mut Self {
        if divisor == 0.0 {
            (self.positive, self.negative) = (Buckets::default(), Buckets::default());
        }
        self.map_counts(|count| count / divisor, divisor < 0.0)
    }

    fn map_counts(&mut self, change: impl Fn(f64) -> f64, to_gauge: bool) -> &mut Self {
        let scalars = [&mut self.zero_count, &mut self.count, &mut self.sum];
        let counts = self.positive.counts.iter_mut().chain(self.negative.counts.iter_mut());
        for value in scalars.into_iter().chain(counts) {
            *value = change(*value);
        }
        if to_gauge {
            self.counter_reset_hint = CounterResetHint::Gauge;
        }
        self
    }

    /// Removes empty buckets and joins adjacent spans.
    pub fn compact(&mut self) -> &mut Self {
        self.positive.compact();
        self.negative.compact();
        self
    }

    /// Whether any field is infinite, as after an addition beyond the range of floats.
    #[must_use]
    pub fn has_overflow(&self) -> bool {
        let scalars = [self.zero_count, self.count, self.sum];
        let buckets = self
            .positive
            .counts
            .iter()
            .chain(&self.negative.counts)
            .chain(self.custom_values.iter());
        scalars.iter().chain(buckets).any(|value| value.is_infinite())
    }

    /// Whether two histograms hold the same observations in the same layout; hints on resets do not count. NaN equals
    /// NaN, as two equal samples should be equal.
    #[must_use]
    pub fn same_observations(&self, other: &FloatHistogram) -> bool {
        let scalars = |histogram: &FloatHistogram| {
            [
                histogram.count,
                histogram.sum,
                histogram.zero_count,
                histogram.zero_threshold,
            ]
            .map(f64::to_bits)
        };
        let same = |a: &Buckets, b: &Buckets| {
            let bits = |(index, count): (i32, f64)| (index, count.to_bits());
            a.iter().map(bits).eq(b.iter().map(bits))
        };
        self.schema == other.schema
            && scalars(self) == scalars(other)
            && self.custom_values == other.custom_values
            && same(&self.positive, &other.positive)
            && same(&self.negative, &other.negative)
    }

    /// Bytes on the heap, without the shared custom bounds.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.positive.heap_bytes() + self.negative.heap_bytes()
    }
}

/// `{count:3, sum:5.5, [-1,1]:1, (1,2]:2}`: populated buckets in ascending order.
impl fmt::Display for FloatHistogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{count:{}, sum:{}", GoFloat(self.count), GoFloat(self.sum))?;
        let negative = self.negative_buckets().rev();
        let zero = Some(self.zero_bucket()).filter(|_| !self.uses_custom_buckets());
        for bucket in negative
            .chain(zero)
            .chain(self.positive_buckets())
            .filter(|bucket| bucket.count != 0.0)
        {
            write!(f, ", {bucket}")?;
        }
        f.write_str("}")
    }
}
