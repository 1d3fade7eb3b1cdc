//! Checking histograms that come from outside.

use super::{Buckets, FloatHistogram};
use super::{CUSTOM_BUCKETS_SCHEMA, EXPONENTIAL_SCHEMA_MAX, EXPONENTIAL_SCHEMA_MIN};

/// Why a histogram cannot be accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHistogram {
    /// The schema is neither exponential nor custom.
    #[error(
        "histogram schema {0} is not supported: exponential schemas are {EXPONENTIAL_SCHEMA_MIN} to \
         {EXPONENTIAL_SCHEMA_MAX}, custom buckets have {CUSTOM_BUCKETS_SCHEMA}"
    )]
    Schema(i32),
    /// The spans do not describe as many buckets as there are counts.
    #[error("histogram spans describe {spanned} buckets, but there are {counts}")]
    SpanLength {
        /// Buckets by spans.
        spanned: usize,
        /// Buckets by counts.
        counts: usize,
    },
    /// A span overlaps the one before it.
    #[error("span {0} of the histogram has a negative offset")]
    SpanOffset(usize),
    /// A count is negative.
    #[error("the histogram has a negative observation count")]
    NegativeCount,
    /// Custom bounds are not finite and ascending, or are too few for the buckets.
    #[error("custom bounds of a histogram must be finite, ascending, and cover all buckets but the last")]
    CustomBounds,
    /// A custom histogram has a zero bucket or negative buckets, or an exponential one has custom bounds.
    #[error("the histogram mixes exponential and custom buckets")]
    Mixed,
}

impl FloatHistogram {
    /// Checks the layout: spans against counts, signs, and what belongs to which schema.
    ///
    /// # Errors
    /// The first violation found.
    pub fn validate(&self) -> Result<(), InvalidHistogram> {
        for side in [&self.positive, &self.negative] {
            check_spans(side)?;
        }
        if self.uses_custom_buckets() {
            let ascending = self.custom_values.windows(2).all(|pair| pair[0] < pair[1]);
            let finite = self.custom_values.iter().all(|bound| bound.is_finite());
            let last = self.positive.iter().next_back().map_or(0, |(index, _)| index);
            let covered = usize::try_from(last).is_ok_and(|last| last <= self.custom_values.len());
            let first = self.positive.spans.first().map_or(0, |span| span.offset);
            if !(ascending && finite && covered && first >= 0) {
                return Err(InvalidHistogram::CustomBounds);
            }
            if self.zero_count != 0.0 || self.zero_threshold != 0.0 || !self.negative.is_empty() {
                return Err(InvalidHistogram::Mixed);
            }
        } else if !(EXPONENTIAL_SCHEMA_MIN..=EXPONENTIAL_SCHEMA_MAX).contains(&self.schema) {
            return Err(InvalidHistogram::Schema(self.schema));
        } else if !self.custom_values.is_empty() {
            return Err(InvalidHistogram::Mixed);
        }
        let scalars = [self.zero_count, self.count];
        let mut counts = scalars.iter().chain(&self.positive.counts).chain(&self.negative.counts);
        if counts.any(|count| *count < 0.0) {
            Err(InvalidHistogram::NegativeCount)
        } else {
            Ok(())
        }
    }
}

fn check_spans(buckets: &Buckets) -> Result<(), InvalidHistogram> {
    if let Some(at) = buckets.spans.iter().skip(1).position(|span| span.offset < 0) {
        return Err(InvalidHistogram::SpanOffset(at + 1));
    }
    let spanned = buckets.spans.iter().map(|span| span.length as usize).sum();
    let counts = buckets.counts.len();
    if spanned == counts {
        Ok(())
    } else {
        Err(InvalidHistogram::SpanLength { spanned, counts })
    }
}
