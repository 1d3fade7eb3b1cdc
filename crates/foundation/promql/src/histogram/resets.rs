//! Detecting counter resets between two histograms.

use std::iter::Peekable;

use super::arithmetic::{reduce, zero_count_for};
use super::bounds::{common_bounds, common_index, exponential_bound};
use super::{CounterResetHint, FloatHistogram};

impl FloatHistogram {
    /// Whether a counter was reset between `previous` and this histogram: a hint says so, or a count decreased, or
    /// the resolution increased, which only a restart does. Gauges are compared as if they were counters.
    #[must_use]
    pub fn is_reset_since(&self, previous: &FloatHistogram) -> bool {
        match self.counter_reset_hint {
            CounterResetHint::Reset => return true,
            CounterResetHint::NotReset => return false,
            CounterResetHint::Unknown | CounterResetHint::Gauge => {}
        }
        if self.count < previous.count {
            return true;
        }
        match (self.uses_custom_buckets(), previous.uses_custom_buckets()) {
            (true, true) => self.custom_reset(previous),
            (false, false) => self.exponential_reset(previous),
            _ => true,
        }
    }

    fn custom_reset(&self, previous: &FloatHistogram) -> bool {
        if self.custom_values == previous.custom_values {
            return any_decrease(self.positive.iter(), previous.positive.iter());
        }
        let common = common_bounds(&self.custom_values, &previous.custom_values);
        let project = |histogram: &FloatHistogram| {
            let mut counts = vec![0.0; common.len() + 1];
            for (index, count) in histogram.positive.iter() {
                let at = common_index(index, &histogram.custom_values, &common);
                if let Some(slot) = usize::try_from(at).ok().and_then(|at| counts.get_mut(at)) {
                    *slot += count;
                }
            }
            counts
        };
        project(self)
            .iter()
            .zip(project(previous))
            .any(|(now, before)| *now < before)
    }

    fn exponential_reset(&self, previous: &FloatHistogram) -> bool {
        if self.schema > previous.schema || self.zero_threshold < previous.zero_threshold {
            return true;
        }
        let (zero, threshold) = if self.zero_threshold == previous.zero_threshold {
            (previous.zero_count, previous.zero_threshold)
        } else {
            zero_count_for(previous, self.zero_threshold)
        };
        if threshold != self.zero_threshold || self.zero_count < zero {
            return true;
        }
        let (schema, threshold) = (self.schema, self.zero_threshold);
        let outside = move |(index, _): &(i32, f64)| threshold == 0.0 || exponential_bound(*index, schema) > threshold;
        let sides = [
            (&self.positive, &previous.positive),
            (&self.negative, &previous.negative),
        ];
        sides.into_iter().any(|(now, before)| {
            if previous.schema == schema {
                any_decrease(now.iter().filter(outside), before.iter().filter(outside))
            } else {
                let before = reduce(before, previous.schema, schema);
                any_decrease(now.iter().filter(outside), before.into_iter().filter(outside))
            }
        })
    }
}

/// Whether a populated bucket of `before` is absent from `now` or larger than there.
fn any_decrease(now: impl Iterator<Item = (i32, f64)>, mut before: impl Iterator<Item = (i32, f64)>) -> bool {
    let mut now = now.peekable();
    before.any(|(index, count)| count > count_at(&mut now, index) || (count != 0.0 && count_missing(&mut now, index)))
}

fn count_at<I: Iterator<Item = (i32, f64)>>(buckets: &mut Peekable<I>, index: i32) -> f64 {
    while buckets.next_if(|(candidate, _)| *candidate < index).is_some() {}
    buckets
        .peek()
        .filter(|(candidate, _)| *candidate == index)
        .map_or(0.0, |(_, count)| *count)
}

fn count_missing<I: Iterator<Item = (i32, f64)>>(buckets: &mut Peekable<I>, index: i32) -> bool {
    buckets.peek().is_none_or(|(candidate, _)| *candidate != index)
}

#[cfg(test)]
mod tests {
    use super::super::Buckets;
    use super::*;

    #[test]
    fn resets_are_seen_in_buckets_and_layout() {
        let histogram = |schema: i32, counts: &[(i32, f64)]| FloatHistogram {
            schema,
            count: 10.0,
            positive: Buckets::from_counts(counts.iter().copied()),
            ..FloatHistogram::default()
        };
        let check = |now: FloatHistogram, before: FloatHistogram, expect: bool| {
            assert_eq!(now.is_reset_since(&before), expect, "{before} -> {now}");
        };
        check(histogram(0, &[(1, 2.0)]), histogram(0, &[(1, 1.0)]), false);
        check(histogram(0, &[(1, 1.0)]), histogram(0, &[(1, 2.0)]), true);
        check(histogram(0, &[(2, 1.0)]), histogram(0, &[(1, 1.0)]), true);
        check(histogram(0, &[(2, 1.0)]), histogram(0, &[(1, 0.0)]), false);
        check(histogram(1, &[]), histogram(0, &[]), true);
        check(histogram(0, &[(1, 3.0)]), histogram(1, &[(1, 1.0), (2, 2.0)]), false);
        check(histogram(0, &[(1, 2.0)]), histogram(1, &[(1, 1.0), (2, 2.0)]), true);
    }
}
