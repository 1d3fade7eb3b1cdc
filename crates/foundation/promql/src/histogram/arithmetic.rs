//! Adding and subtracting histograms of different layouts.
//!
//! An [`Accumulator`] holds a histogram as a sorted list of `(index, tally)`. The tally is a plain float, or a
//! [`Kahan`] sum that carries the rounding error along, as aggregations over many series need.

use std::sync::Arc;

use super::bounds::{coarser_index, common_bounds, common_index, exponential_bound, upper_bound};
use super::buckets::Buckets;
use super::kahan::{Kahan, Tally};
use super::{CounterResetHint, FloatHistogram};

/// Exponential and custom buckets cannot be brought to one layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot apply this operation on histograms with a mix of exponential and custom bucket schemas")]
pub struct MixedSchemas;

/// What had to be reconciled to combine two histograms: reasons for annotations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reconciliation {
    /// One histogram claims a counter reset, the other claims none.
    pub reset_collision: bool,
    /// The custom bounds differed and were reduced to the common ones.
    pub bounds_reconciled: bool,
}

/// A histogram that others are added to.
#[derive(Clone, Debug)]
pub struct Accumulator<T> {
    hint: CounterResetHint,
    schema: i32,
    zero_threshold: f64,
    zero: T,
    count: T,
    sum: T,
    positive: Vec<(i32, T)>,
    negative: Vec<(i32, T)>,
    custom_values: Arc<[f64]>,
}

fn tally<T: Tally>(value: f64) -> T {
    let mut tally = T::default();
    tally.add(value);
    tally
}

impl<T: Tally> Accumulator<T> {
    /// Starts with one histogram.
    #[must_use]
    pub fn new(histogram: &FloatHistogram) -> Self {
        let list = |buckets: &Buckets| buckets.iter().map(|(index, count)| (index, tally(count))).collect();
        Accumulator {
            hint: histogram.counter_reset_hint,
            schema: histogram.schema,
            zero_threshold: histogram.zero_threshold,
            zero: tally(histogram.zero_count),
            count: tally(histogram.count),
            sum: tally(histogram.sum),
            positive: list(&histogram.positive),
            negative: list(&histogram.negative),
            custom_values: histogram.custom_values.clone(),
        }
    }

    /// Adds a histogram.
    ///
    /// # Errors
    /// One of the two has custom buckets, the other exponential ones; the accumulator is unchanged.
    pub fn add(&mut self, other: &FloatHistogram) -> Result<Reconciliation, MixedSchemas> {
        self.combine(other, 1.0)
    }

    /// Subtracts a histogram.
    ///
    /// # Errors
    /// As [`Accumulator::add`].
    pub fn subtract(&mut self, other: &FloatHistogram) -> Result<Reconciliation, MixedSchemas> {
        self.combine(other, -1.0)
    }

    fn combine(&mut self, other: &FloatHistogram, sign: f64) -> Result<Reconciliation, MixedSchemas> {
        let custom = self.schema == super::CUSTOM_BUCKETS_SCHEMA;
        if custom != other.uses_custom_buckets() {
            return Err(MixedSchemas);
        }
        let reset_collision = self.combine_hints(other.counter_reset_hint);
        let bounds_reconciled = if custom {
            self.combine_custom(other, sign)
        } else {
            self.combine_exponential(other, sign);
            false
        };
        self.count.add(sign * other.count);
        self.sum.add(sign * other.sum);
        Ok(Reconciliation {
            reset_collision,
            bounds_reconciled,
        })
    }

    /// A gauge makes a gauge, an unknown an unknown; a claimed reset against a claimed non-reset is a collision.
    fn combine_hints(&mut self, other: CounterResetHint) -> bool {
        use CounterResetHint::{Gauge, Unknown};
        let (hint, collision) = match (self.hint, other) {
            (a, b) if a == b => (a, false),
            (Gauge, _) | (_, Gauge) => (Gauge, false),
            (Unknown, _) | (_, Unknown) => (Unknown, false),
            _ => (Unknown, true),
        };
        self.hint = hint;
        collision
    }

    fn combine_custom(&mut self, other: &FloatHistogram, sign: f64) -> bool {
        if self.custom_values == other.custom_values {
            merge(&mut self.positive, other.positive.iter(), sign);
            return false;
        }
        let common = common_bounds(&self.custom_values, &other.custom_values);
        let own = std::mem::take(&mut self.custom_values);
        regroup(&mut self.positive, |index| common_index(index, &own, &common));
        for (index, count) in other.positive.iter() {
            let target = common_index(index, &other.custom_values, &common);
            merge(&mut self.positive, std::iter::once((target, count)), sign);
        }
        self.custom_values = common.into();
        true
    }

    fn combine_exponential(&mut self, other: &FloatHistogram, sign: f64) {
        let zero = self.reconcile_zero_buckets(other);
        self.zero.add(sign * zero);
        let schema = self.schema.min(other.schema);
        if schema < self.schema {
            let from = self.schema;
            regroup(&mut self.positive, |index| coarser_index(index, from, schema));
            regroup(&mut self.negative, |index| coarser_index(index, from, schema));
            self.schema = schema;
        }
        // Buckets inside the zero bucket have already been counted there.
        let threshold = self.zero_threshold;
        let outside = move |bucket: &(i32, f64)| exponential_bound(bucket.0, schema) > threshold;
        for (into, from) in [
            (&mut self.positive, &other.positive),
            (&mut self.negative, &other.negative),
        ] {
            let mut inside = true;
            let mut keep = move |bucket: &(i32, f64)| {
                inside = inside && threshold > 0.0 && !outside(bucket);
                !inside
            };
            if schema < other.schema {
                let from = reduce(from, other.schema, schema);
                merge(into, from.into_iter().filter(|bucket| keep(bucket)), sign);
            } else {
                merge(into, from.iter().filter(|bucket| keep(bucket)), sign);
            }
        }
    }

    /// Widens the zero buckets of both until they agree and no populated bucket is cut. Returns the other's count.
    fn reconcile_zero_buckets(&mut self, other: &FloatHistogram) -> f64 {
        let (mut zero, mut threshold) = (other.zero_count, other.zero_threshold);
        while threshold != self.zero_threshold {
            if self.zero_threshold > threshold {
                (zero, threshold) = zero_count_for(other, self.zero_threshold);
            }
            if threshold > self.zero_threshold {
                threshold = self.widen_zero_bucket(threshold);
            }
            if threshold.is_nan() || self.zero_threshold.is_nan() {
                break;
            }
        }
        zero
    }

    fn widen_zero_bucket(&mut self, wanted: f64) -> f64 {
        let schema = self.schema;
        let list = |buckets: &[(i32, T)]| -> Vec<(i32, f64)> {
            buckets.iter().map(|(index, count)| (*index, count.total())).collect()
        };
        let threshold = safe_threshold(&list(&self.positive), &list(&self.negative), schema, wanted);
        for side in [&mut self.positive, &mut self.negative] {
            let inside =
                side.partition_point(|(index, _)| exponential_bound(index.wrapping_sub(1), schema) < threshold);
            for (_, count) in side.drain(..inside) {
                self.zero.absorb(count);
            }
        }
        self.zero_threshold = threshold;
        threshold
    }

    /// The histogram without the rounding errors that were carried along.
    #[must_use]
    pub fn finish(&self) -> FloatHistogram {
        self.map(T::total)
    }

    /// The running sums alone, as they are before the errors are added.
    fn map(&self, value: impl Fn(T) -> f64) -> FloatHistogram {
        let side = |list: &[(i32, T)]| Buckets::from_counts(list.iter().map(|(index, count)| (*index, value(*count))));
        FloatHistogram {
            counter_reset_hint: self.hint,
            schema: self.schema,
            zero_threshold: self.zero_threshold,
            zero_count: value(self.zero),
            count: value(self.count),
            sum: value(self.sum),
            positive: side(&self.positive),
            negative: side(&self.negative),
            custom_values: self.custom_values.clone(),
        }
    }

    /// Every number times `factor`, errors included.
    pub fn scale(&mut self, scale: impl Fn(T) -> T) {
        for value in [&mut self.zero, &mut self.count, &mut self.sum] {
            *value = scale(*value);
        }
        for (_, value) in self.positive.iter_mut().chain(self.negative.iter_mut()) {
            *value = scale(*value);
        }
    }
}

impl Accumulator<Kahan> {
    /// Whether a running sum has left the range of floats.
    #[must_use]
    pub fn has_overflow(&self) -> bool {
        self.map(|value| value.sum).has_overflow()
    }
}

impl FloatHistogram {
    /// `self + other`.
    ///
    /// # Errors
    /// One of the two has custom buckets, the other exponential ones.
    pub fn plus(&self, other: &FloatHistogram) -> Result<(FloatHistogram, Reconciliation), MixedSchemas> {
        let mut sum = Accumulator::<f64>::new(self);
        let notes = sum.add(other)?;
        Ok((sum.finish(), notes))
    }

    /// `self - other`. The counter reset hint is combined as for an addition.
    ///
    /// # Errors
    /// One of the two has custom buckets, the other exponential ones.
    pub fn minus(&self, other: &FloatHistogram) -> Result<(FloatHistogram, Reconciliation), MixedSchemas> {
        let mut difference = Accumulator::<f64>::new(self);
        let notes = difference.subtract(other)?;
        Ok((difference.finish(), notes))
    }

    /// The same observations in a coarser exponential schema; a finer one leaves the histogram as it is.
    #[must_use]
    pub fn reduced_to(&self, schema: i32) -> FloatHistogram {
        let mut reduced = self.clone();
        if schema < self.schema && !self.uses_custom_buckets() && schema != super::CUSTOM_BUCKETS_SCHEMA {
            reduced.positive = Buckets::from_counts(reduce(&self.positive, self.schema, schema));
            reduced.negative = Buckets::from_counts(reduce(&self.negative, self.schema, schema));
            reduced.schema = schema;
        }
        reduced
    }
}

/// What the zero bucket of `histogram` would count if its threshold were at least `wanted`, and that threshold.
pub(super) fn zero_count_for(histogram: &FloatHistogram, wanted: f64) -> (f64, f64) {
    let lists = [&histogram.positive, &histogram.negative].map(|side| side.iter().collect::<Vec<_>>());
    let threshold = safe_threshold(&lists[0], &lists[1], histogram.schema, wanted);
    let lower = |index: i32| exponential_bound(index.wrapping_sub(1), histogram.schema);
    let inside = lists.iter().flatten().filter(|(index, _)| lower(*index) < threshold);
    (
        inside.fold(histogram.zero_count, |sum, (_, count)| sum + count),
        threshold,
    )
}

/// The smallest threshold from `wanted` on that does not cut a populated bucket.
fn safe_threshold(positive: &[(i32, f64)], negative: &[(i32, f64)], schema: i32, wanted: f64) -> f64 {
    let mut threshold = wanted;
    loop {
        let cut = [positive, negative].into_iter().flatten().find_map(|(index, count)| {
            let (lower, upper) = (
                upper_bound(index.wrapping_sub(1), schema, &[]),
                upper_bound(*index, schema, &[]),
            );
            (lower < threshold && upper > threshold && *count != 0.0).then_some(upper)
        });
        match cut {
            Some(upper) => threshold = upper,
            None => return threshold,
        }
    }
}

pub(super) fn reduce(buckets: &Buckets, from: i32, to: i32) -> Vec<(i32, f64)> {
    let mut list: Vec<(i32, f64)> = buckets.iter().collect();
    regroup(&mut list, |index| coarser_index(index, from, to));
    list
}

/// Renames indices by a monotone map and adds up those that become one.
fn regroup<T: Tally>(list: &mut Vec<(i32, T)>, target: impl Fn(i32) -> i32) {
    let mut kept = 0;
    for at in 0..list.len() {
        let (index, count) = (target(list[at].0), list[at].1);
        if kept > 0 && list[kept - 1].0 == index {
            list[kept - 1].1.absorb(count);
        } else {
            list[kept] = (index, count);
            kept += 1;
        }
    }
    list.truncate(kept);
}

/// Adds sorted buckets to a sorted list; the common case, equal layouts, allocates nothing.
fn merge<T: Tally>(into: &mut Vec<(i32, T)>, from: impl Iterator<Item = (i32, f64)>, sign: f64) {
    let mut at = 0;
    for (index, count) in from {
        while into.get(at).is_some_and(|(candidate, _)| *candidate < index) {
            at += 1;
        }
        match into.get_mut(at) {
            Some((candidate, total)) if *candidate == index => total.add(sign * count),
            _ => into.insert(at, (index, tally(sign * count))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(schema: i32, counts: &[(i32, f64)]) -> FloatHistogram {
        let count = counts.iter().map(|(_, count)| count).sum();
        let positive = Buckets::from_counts(counts.iter().copied());
        FloatHistogram {
            schema,
            count,
            sum: count,
            positive,
            ..FloatHistogram::default()
        }
    }

    #[test]
    fn addition_goes_to_the_coarser_schema() {
        let (sum, _) = histogram(1, &[(1, 1.0), (2, 2.0), (3, 4.0)])
            .plus(&histogram(0, &[(1, 10.0)]))
            .expect("same kind");
        assert_eq!(sum, histogram(0, &[(1, 13.0), (2, 4.0)]));
    }

    #[test]
    fn addition_widens_the_zero_bucket_beyond_populated_buckets() {
        let mut wide = histogram(0, &[(5, 1.0)]);
        (wide.zero_threshold, wide.zero_count) = (3.0, 7.0);
        let (sum, _) = histogram(0, &[(1, 1.0), (2, 2.0), (3, 4.0)])
            .plus(&wide)
            .expect("same kind");
        assert_eq!((sum.zero_threshold, sum.zero_count), (4.0, 10.0));
        assert_eq!(sum.positive.iter().collect::<Vec<_>>(), [(3, 4.0), (5, 1.0)]);
    }

    #[test]
    fn custom_bounds_are_reduced_to_the_common_ones() {
        let custom = |bounds: &[f64], counts: &[(i32, f64)]| FloatHistogram {
            custom_values: bounds.into(),
            ..histogram(super::super::CUSTOM_BUCKETS_SCHEMA, counts)
        };
        let a = custom(&[1.0, 2.0, 3.0], &[(0, 1.0), (1, 1.0), (2, 1.0), (3, 1.0)]);
        let b = custom(&[2.0, 4.0], &[(0, 1.0), (1, 1.0), (2, 1.0)]);
        let (sum, notes) = a.plus(&b).expect("same kind");
        assert!(notes.bounds_reconciled);
        assert_eq!(*sum.custom_values, [2.0]);
        assert_eq!(sum.positive.iter().collect::<Vec<_>>(), [(0, 3.0), (1, 4.0)]);
        assert_eq!(a.plus(&histogram(0, &[])), Err(MixedSchemas));
    }

    #[test]
    fn compensated_sums_keep_small_terms() {
        let mut sum = Kahan::default();
        [1e100, 1.0, -1e100].into_iter().for_each(|value| sum.add(value));
        assert_eq!(sum.total(), 1.0);
    }
}
