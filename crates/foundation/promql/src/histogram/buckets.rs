//! Sparse buckets: spans of indices and their counts.

use std::fmt;

use super::bounds::upper_bound;
use crate::number::GoFloat;

/// A run of adjacent populated buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    /// The first span's first bucket index; for later spans the gap to the span before.
    pub offset: i32,
    /// The number of buckets.
    pub length: u32,
}

/// The buckets of one sign.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Buckets {
    /// Which buckets there are; the lengths add up to the number of counts.
    pub spans: Vec<Span>,
    /// Absolute (not cumulative) observation counts in the order of the spans.
    pub counts: Vec<f64>,
}

impl Buckets {
    /// Builds buckets from `(index, count)` in strictly ascending order of indices.
    pub fn from_counts(counts: impl IntoIterator<Item = (i32, f64)>) -> Self {
        let mut buckets = Buckets::default();
        let mut next = 0_i32;
        for (index, count) in counts {
            match buckets.spans.last_mut() {
                Some(span) if index == next => span.length += 1,
                _ => buckets.spans.push(Span {
                    offset: index.wrapping_sub(next),
                    length: 1,
                }),
            }
            next = index.wrapping_add(1);
            buckets.counts.push(count);
        }
        buckets
    }

    /// `(index, count)` in ascending order of indices.
    #[must_use]
    pub fn iter(&self) -> BucketIter<'_> {
        BucketIter {
            indices: SpanIndices::new(&self.spans),
            counts: &self.counts,
        }
    }

    /// Whether there is no bucket.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    pub(super) fn compact(&mut self) {
        let joined = self.spans.iter().skip(1).all(|span| span.offset > 0);
        if joined && self.spans.iter().all(|span| span.length > 0) && self.counts.iter().all(|count| *count != 0.0) {
            return;
        }
        *self = Buckets::from_counts(self.iter().filter(|(_, count)| *count != 0.0));
    }

    pub(super) fn heap_bytes(&self) -> usize {
        8 * (self.spans.len() + self.counts.len())
    }
}

/// `(index, count)` pairs of [`Buckets`].
#[derive(Clone)]
pub struct BucketIter<'a> {
    indices: SpanIndices<'a>,
    counts: &'a [f64],
}

impl Iterator for BucketIter<'_> {
    type Item = (i32, f64);

    fn next(&mut self) -> Option<Self::Item> {
        let (count, rest) = self.counts.split_first()?;
        let index = self.indices.next()?;
        self.counts = rest;
        Some((index, *count))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.counts.len()))
    }
}

impl DoubleEndedIterator for BucketIter<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        // Spans of a malformed histogram may promise more buckets than there are counts: these have no value.
        while self.indices.remaining() > self.counts.len() {
            self.indices.next_back()?;
        }
        let index = self.indices.next_back()?;
        let (count, rest) = self.counts.split_at_checked(self.indices.remaining())?;
        self.counts = count;
        Some((index, *rest.first()?))
    }
}

/// The indices that spans name; walks from both ends.
#[derive(Clone)]
struct SpanIndices<'a> {
    spans: &'a [Span],
    front: i32,
    front_left: u32,
    back: i32,
    back_left: u32,
    remaining: usize,
}

impl<'a> SpanIndices<'a> {
    fn new(spans: &'a [Span]) -> Self {
        let end = spans.iter().fold(0_i32, |at, span| {
            at.wrapping_add(span.offset).wrapping_add(span.length as i32)
        });
        let remaining = spans.iter().map(|span| span.length as usize).sum();
        let front = spans.first().map_or(0, |span| span.offset);
        let (front_left, back_left) = (
            spans.first().map_or(0, |span| span.length),
            spans.last().map_or(0, |span| span.length),
        );
        SpanIndices {
            spans,
            front,
            front_left,
            back: end,
            back_left,
            remaining,
        }
    }

    fn remaining(&self) -> usize {
        self.remaining
    }

    fn next(&mut self) -> Option<i32> {
        self.remaining = self.remaining.checked_sub(1)?;
        while self.front_left == 0 {
            self.spans = self.spans.get(1..)?;
            let span = self.spans.first()?;
            self.front = self.front.wrapping_add(span.offset);
            self.front_left = span.length;
        }
        let index = self.front;
        self.front = index.wrapping_add(1);
        self.front_left -= 1;
        Some(index)
    }

    fn next_back(&mut self) -> Option<i32> {
        self.remaining = self.remaining.checked_sub(1)?;
        while self.back_left == 0 {
            let (span, before) = self.spans.split_last()?;
            self.back = self.back.wrapping_sub(span.offset);
            self.spans = before;
            self.back_left = before.last()?.length;
        }
        self.back = self.back.wrapping_sub(1);
        self.back_left -= 1;
        Some(self.back)
    }
}

/// A bucket with its bounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bucket {
    /// Lower bound.
    pub lower: f64,
    /// Upper bound.
    pub upper: f64,
    /// Whether the lower bound belongs to the bucket.
    pub lower_inclusive: bool,
    /// Whether the upper bound belongs to the bucket.
    pub upper_inclusive: bool,
    /// Observations in the bucket.
    pub count: f64,
}

impl Bucket {
    pub(super) fn positive(index: i32, count: f64, schema: i32, custom_values: &[f64]) -> Self {
        let (lower, upper) = (
            upper_bound(index.wrapping_sub(1), schema, custom_values),
            upper_bound(index, schema, custom_values),
        );
        let custom = schema == super::CUSTOM_BUCKETS_SCHEMA;
        Bucket {
            lower,
            upper,
            lower_inclusive: custom && index == 0,
            upper_inclusive: true,
            count,
        }
    }

    pub(super) fn negative(index: i32, count: f64, schema: i32) -> Self {
        let mirrored = Bucket::positive(index, count, schema, &[]);
        Bucket {
            lower: -mirrored.upper,
            upper: -mirrored.lower,
            lower_inclusive: true,
            upper_inclusive: false,
            count,
        }
    }

    /// The share (0 to 1) of the bucket's width at or below `value`, which lies strictly between finite bounds.
    /// Exponential buckets are interpolated on a logarithmic scale.
    #[must_use]
    pub fn fraction_below(&self, value: f64, interpolation: Interpolation) -> f64 {
        if interpolation == Interpolation::Linear {
            return (value - self.lower) / (self.upper - self.lower);
        }
        let [lower, upper, at] = [self.lower, self.upper, value].map(|x| x.abs().log2());
        if value > 0.0 {
            (at - lower) / (upper - lower)
        } else {
            1.0 - (at - upper) / (lower - upper)
        }
    }
}

/// How observations are assumed to spread within a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interpolation {
    /// Evenly: custom buckets and the zero bucket.
    Linear,
    /// Evenly on a logarithmic scale: exponential buckets.
    Exponential,
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = if self.lower_inclusive { '[' } else { '(' };
        let close = if self.upper_inclusive { ']' } else { ')' };
        write!(
            f,
            "{open}{},{}{close}:{}",
            GoFloat(self.lower),
            GoFloat(self.upper),
            GoFloat(self.count)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_indices_agree_in_both_directions() {
        let pairs = [(-3, 1.0), (-2, 2.0), (4, 3.0), (6, 4.0), (7, 5.0)];
        let buckets = Buckets::from_counts(pairs);
        assert_eq!(buckets.spans.len(), 3);
        assert_eq!(buckets.iter().collect::<Vec<_>>(), pairs);
        let mut reversed = buckets.iter().rev().collect::<Vec<_>>();
        reversed.reverse();
        assert_eq!(reversed, pairs);
    }

    #[test]
    fn compaction_drops_empty_buckets_and_joins_spans() {
        let spans = vec![
            Span { offset: 1, length: 2 },
            Span { offset: 0, length: 1 },
            Span { offset: 3, length: 0 },
        ];
        let mut buckets = Buckets {
            spans,
            counts: vec![0.0, 1.0, 2.0],
        };
        buckets.compact();
        assert_eq!(
            buckets,
            Buckets {
                spans: vec![Span { offset: 2, length: 2 }],
                counts: vec![1.0, 2.0]
            }
        );
    }

    #[test]
    fn malformed_spans_yield_only_buckets_that_have_both_index_and_count() {
        let buckets = Buckets {
            spans: vec![Span { offset: 0, length: 5 }],
            counts: vec![1.0, 2.0],
        };
        assert_eq!(buckets.iter().collect::<Vec<_>>(), [(0, 1.0), (1, 2.0)]);
        assert_eq!(buckets.iter().rev().collect::<Vec<_>>(), [(1, 2.0), (0, 1.0)]);
        let buckets = Buckets {
            spans: vec![Span { offset: 0, length: 1 }],
            counts: vec![1.0, 2.0],
        };
        assert_eq!(buckets.iter().collect::<Vec<_>>(), [(0, 1.0)]);
    }
}
