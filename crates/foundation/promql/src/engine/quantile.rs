//! Quantiles and fractions: of values, of classic buckets, of native histograms.

use std::cmp::Ordering;

use crate::histogram::{Bucket, FloatHistogram, Interpolation};

/// The quantile of values, interpolated between neighbours. Sorts the values, NaN first.
pub(super) fn quantile(q: f64, values: &mut [f64]) -> f64 {
    if values.is_empty() || q.is_nan() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    values.sort_unstable_by(|a, b| match (a.is_nan(), b.is_nan()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => a.total_cmp(b),
    });
    let last = values.len() - 1;
    let rank = q * last as f64;
    let lower = (rank.floor().max(0.0) as usize).min(last);
    let weight = rank - rank.floor();
    if weight == 0.0 {
        return values[lower];
    }
    values[lower] * (1.0 - weight) + values[(lower + 1).min(last)] * weight
}

/// A bucket of a classic histogram: observations up to a bound.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct ClassicBucket {
    pub(super) upper: f64,
    pub(super) count: f64,
}

/// Where counts had to be corrected because they decreased.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Forced {
    pub(super) bounds: (f64, f64),
    pub(super) difference: f64,
}

/// Relative differences below this are rounding errors of summed rates.
const SMALL_DELTA_TOLERANCE: f64 = 1e-12;

/// The quantile of a classic histogram, interpolated linearly within the bucket it falls into.
pub(super) fn classic_quantile(q: f64, buckets: &mut Vec<ClassicBucket>) -> (f64, Option<Forced>) {
    if q.is_nan() || buckets.is_empty() {
        return (f64::NAN, None);
    }
    if !(0.0..=1.0).contains(&q) {
        return (if q < 0.0 { f64::NEG_INFINITY } else { f64::INFINITY }, None);
    }
    if !sort_and_join(buckets) {
        return (f64::NAN, None);
    }
    let forced = make_monotonic(buckets);
    let last = buckets.len() - 1;
    let observations = buckets[last].count;
    if last == 0 || observations == 0.0 {
        return (f64::NAN, forced);
    }
    let mut rank = q * observations;
    let at = buckets[..last].partition_point(|bucket| bucket.count < rank || bucket.count.is_nan());
    let value = if at == last {
        buckets[last - 1].upper
    } else if at == 0 && buckets[0].upper <= 0.0 {
        buckets[0].upper
    } else {
        let (mut start, end, mut count) = (0.0, buckets[at].upper, buckets[at].count);
        if at > 0 {
            start = buckets[at - 1].upper;
            count -= buckets[at - 1].count;
            rank -= buckets[at - 1].count;
        }
        start + (end - start) * (rank / count)
    };
    (value, forced)
}

/// Sorts buckets by bound and adds up those with one bound. False unless the last one counts everything.
fn sort_and_join(buckets: &mut Vec<ClassicBucket>) -> bool {
    buckets.sort_by(|a, b| a.upper.total_cmp(&b.upper));
    if buckets.last().is_none_or(|last| last.upper != f64::INFINITY) {
        return false;
    }
    buckets.dedup_by(|next, kept| {
        let same = next.upper == kept.upper;
        if same {
            kept.count += next.count;
        }
        same
    });
    true
}

/// Counts of later buckets cannot be smaller: rounding errors are ignored, decreases are removed and reported.
fn make_monotonic(buckets: &mut [ClassicBucket]) -> Option<Forced> {
    let mut forced: Option<Forced> = None;
    let mut previous = buckets.first()?.count;
    for bucket in &mut buckets[1..] {
        let current = bucket.count;
        if current == previous {
            continue;
        }
        if crate::number::almost_equal(previous, current, SMALL_DELTA_TOLERANCE) {
            bucket.count = previous;
        } else if current < previous {
            bucket.count = previous;
            let at = forced.get_or_insert(Forced {
                bounds: (f64::INFINITY, f64::NEG_INFINITY),
                difference: 0.0,
            });
            at.bounds = (at.bounds.0.min(bucket.upper), at.bounds.1.max(bucket.upper));
            at.difference = at.difference.max(previous - current);
        } else {
            previous = current;
        }
    }
    forced
}

/// The share of observations of a classic histogram between two bounds.
pub(super) fn classic_fraction(lower: f64, upper: f64, buckets: &mut Vec<ClassicBucket>) -> f64 {
    if buckets.is_empty() || !sort_and_join(buckets) {
        return f64::NAN;
    }
    let count = buckets[buckets.len() - 1].count;
    if count == 0.0 || lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    let mut start = if buckets[0].upper <= 0.0 {
        f64::NEG_INFINITY
    } else {
        0.0
    };
    let mut below = 0.0;
    let (mut lower_rank, mut upper_rank) = (Rank::new(lower), Rank::new(upper));
    for bucket in buckets.iter() {
        let (end, total) = (bucket.upper, bucket.count);
        let interpolate = |value: f64| {
            if start == f64::NEG_INFINITY {
                total
            } else {
                below + (total - below) * (value - start) / (end - start)
            }
        };
        lower_rank.visit(start, end, below, interpolate);
        upper_rank.visit(start, end, below, interpolate);
        below = total;
        start = end;
    }
    (upper_rank.finish(count) - lower_rank.finish(count)) / count
}

/// How many observations lie below a value, found while walking up the buckets.
struct Rank {
    value: f64,
    found: Option<f64>,
}

impl Rank {
    fn new(value: f64) -> Self {
        Rank { value, found: None }
    }

    fn visit(&mut self, start: f64, end: f64, below: f64, interpolate: impl Fn(f64) -> f64) {
        if self.found.is_some() {
            return;
        }
        if start >= self.value {
            self.found = Some(below);
        } else if end > self.value {
            self.found = Some(interpolate(self.value));
        }
    }

    fn finish(&self, count: f64) -> f64 {
        match self.found {
            Some(rank) if rank > count => count,
            Some(rank) => rank,
            None => count,
        }
    }
}

/// What NaN observations did to a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NanEffect {
    None,
    /// The result is NaN because the quantile lies among them.
    Result,
    /// The result is higher than it would be without them.
    Skew,
}

/// The quantile of a native histogram: linear interpolation in custom buckets and the zero bucket, exponential in
/// exponential ones.
pub(super) fn native_quantile(q: f64, histogram: &FloatHistogram) -> (f64, NanEffect) {
    if q < 0.0 {
        return (f64::NEG_INFINITY, NanEffect::None);
    }
    if q > 1.0 {
        return (f64::INFINITY, NanEffect::None);
    }
    if histogram.count == 0.0 || q.is_nan() {
        return (f64::NAN, NanEffect::None);
    }
    let has_nan_sum = histogram.sum.is_nan();
    let custom = histogram.uses_custom_buckets();
    // From the nearer end, for precision; NaN observations are counted but in no bucket, above all others.
    let forward = has_nan_sum || q < 0.5;
    let mut rank = if forward {
        q * histogram.count
    } else {
        (1.0 - q) * histogram.count
    };
    let (mut bucket, mut count) = (None, 0.0);
    let mut buckets = histogram.buckets();
    while let Some(next) = if forward { buckets.next() } else { buckets.next_back() } {
        if next.count == 0.0 {
            continue;
        }
        bucket = Some(next);
        count += next.count;
        if count >= rank {
            break;
        }
    }
    let mut bucket = bucket.unwrap_or(Bucket {
        lower: 0.0,
        upper: 0.0,
        lower_inclusive: false,
        upper_inclusive: false,
        count: 0.0,
    });
    if custom {
        if bucket.lower == f64::NEG_INFINITY {
            if bucket.upper <= 0.0 {
                return (bucket.upper, NanEffect::None);
            }
            bucket.lower = 0.0;
        } else if bucket.upper == f64::INFINITY {
            return (bucket.lower, NanEffect::None);
        }
    } else if bucket.lower < 0.0 && bucket.upper > 0.0 {
        narrow_zero_bucket(&mut bucket, histogram);
    }
    count = count.min(histogram.count);
    if count < rank {
        return if has_nan_sum {
            (f64::NAN, NanEffect::Result)
        } else {
            (bucket.upper, NanEffect::None)
        };
    }
    if forward {
        rank -= count - bucket.count;
    } else {
        rank = count - rank;
    }
    let skewed = has_nan_sum && count + buckets.map(|bucket| bucket.count).sum::<f64>() < histogram.count;
    let effect = if skewed { NanEffect::Skew } else { NanEffect::None };
    let fraction = rank / bucket.count;
    if custom || (bucket.lower <= 0.0 && bucket.upper >= 0.0) {
        return (bucket.lower + (bucket.upper - bucket.lower) * fraction, effect);
    }
    let (lower, upper) = (bucket.lower.abs().log2(), bucket.upper.abs().log2());
    if bucket.lower > 0.0 {
        return ((lower + (upper - lower) * fraction).exp2(), effect);
    }
    (-(upper + (lower - upper) * (1.0 - fraction)).exp2(), effect)
}

/// A histogram with observations on one side of zero only has none on the other side of its zero bucket.
fn narrow_zero_bucket(bucket: &mut Bucket, histogram: &FloatHistogram) {
    match (histogram.negative.is_empty(), histogram.positive.is_empty()) {
        (true, false) => bucket.lower = 0.0,
        (false, true) => bucket.upper = 0.0,
        _ => {}
    }
}

/// The share of observations of a native histogram between two bounds, and whether NaN observations were left out.
pub(super) fn native_fraction(lower: f64, upper: f64, histogram: &FloatHistogram) -> (f64, bool) {
    if histogram.count == 0.0 || lower.is_nan() || upper.is_nan() {
        return (f64::NAN, false);
    }
    if lower >= upper {
        return (0.0, false);
    }
    let custom = histogram.uses_custom_buckets();
    let (mut lower_rank, mut upper_rank) = (Rank::new(lower), Rank::new(upper));
    let mut below = 0.0;
    for mut bucket in histogram.buckets() {
        let zero_bucket = !custom && bucket.lower <= 0.0 && bucket.upper >= 0.0;
        if zero_bucket {
            narrow_zero_bucket(&mut bucket, histogram);
        } else if custom && bucket.lower == f64::NEG_INFINITY && bucket.upper > 0.0 {
            bucket.lower = 0.0;
        }
        let linear = custom || zero_bucket;
        let interpolate = |value: f64| {
            if linear && bucket.lower == f64::NEG_INFINITY {
                return bucket.count;
            }
            let interpolation = if linear {
                Interpolation::Linear
            } else {
                Interpolation::Exponential
            };
            below + bucket.count * bucket.fraction_below(value, interpolation)
        };
        lower_rank.visit(bucket.lower, bucket.upper, below, interpolate);
        upper_rank.visit(bucket.lower, bucket.upper, below, interpolate);
        below += bucket.count;
    }
    let has_nan_sum = histogram.sum.is_nan();
    let count = if has_nan_sum { below } else { histogram.count };
    let fraction = (upper_rank.finish(count) - lower_rank.finish(count)) / histogram.count;
    (fraction, has_nan_sum && below < histogram.count)
}
