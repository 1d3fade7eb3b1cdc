//! Cutting observations off above or below a value: the operators `</` and `>/`.

use super::FloatHistogram;
use super::buckets::{Bucket, Interpolation};

/// Which observations stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrimSide {
    /// `</`: observations up to the value stay.
    KeepBelow,
    /// `>/`: observations above the value stay.
    KeepAbove,
}

/// What stays of one bucket, and where its observations are assumed to lie when the sum is estimated.
struct Kept {
    count: f64,
    midpoint: f64,
}

impl Kept {
    const NOTHING: Kept = Kept {
        count: 0.0,
        midpoint: 0.0,
    };
}

impl FloatHistogram {
    /// Removes the observations on the other side of `value`. Buckets that contain the value are interpolated. If
    /// anything was removed, count and sum are estimated anew from the buckets.
    pub fn trim(&mut self, value: f64, side: TrimSide) -> &mut Self {
        let custom = self.uses_custom_buckets();
        let interpolation = if custom {
            Interpolation::Linear
        } else {
            Interpolation::Exponential
        };
        let (mut count, mut sum, mut changed) = (0.0, 0.0, false);
        let mut apply = |before: f64, kept: &Kept| {
            count += kept.count;
            sum += kept.midpoint * kept.count;
            changed |= before != kept.count;
        };
        let trimmed = |buckets: Vec<Bucket>, sign: f64, apply: &mut dyn FnMut(f64, &Kept)| -> Vec<f64> {
            let keep = |bucket: Bucket| {
                if bucket.count == 0.0 {
                    return 0.0;
                }
                let kept = trim_bucket(&bucket, value, side, sign, interpolation);
                apply(bucket.count, &kept);
                kept.count
            };
            buckets.into_iter().map(keep).collect()
        };
        let positive = trimmed(self.positive_buckets().collect(), 1.0, &mut apply);
        let negative = trimmed(self.negative_buckets().collect(), -1.0, &mut apply);
        let [has_positive, has_negative] =
            [&self.positive, &self.negative].map(|buckets| buckets.counts.iter().any(|count| *count != 0.0));
        let mut zero = self.zero_count;
        if self.zero_count > 0.0 {
            let lower = if has_positive && !has_negative {
                0.0
            } else {
                -self.zero_threshold
            };
            let upper = if has_negative && !has_positive {
                0.0
            } else {
                self.zero_threshold
            };
            let kept = trim_zero_bucket(lower, upper, self.zero_count, value, side);
            apply(self.zero_count, &kept);
            zero = kept.count;
        }
        if changed {
            (self.count, self.sum, self.zero_count) = (count, sum, zero);
            self.positive.counts = positive;
            self.negative.counts = negative;
            self.compact();
        }
        self
    }
}

fn trim_bucket(bucket: &Bucket, value: f64, side: TrimSide, sign: f64, interpolation: Interpolation) -> Kept {
    let (keeps_all, contains_value) = match side {
        TrimSide::KeepBelow => (bucket.upper <= value, bucket.lower < value),
        TrimSide::KeepAbove => (bucket.lower >= value, bucket.upper > value),
    };
    if keeps_all {
        return Kept {
            count: bucket.count,
            midpoint: midpoint(bucket.lower, bucket.upper, sign, interpolation),
        };
    }
    if !contains_value {
        return Kept::NOTHING;
    }
    if bucket.lower == f64::NEG_INFINITY || bucket.upper == f64::INFINITY {
        return trim_open_bucket(bucket, value, side);
    }
    let below = bucket.count * bucket.fraction_below(value, interpolation);
    match side {
        TrimSide::KeepBelow => Kept {
            count: below,
            midpoint: midpoint(bucket.lower, value, sign, interpolation),
        },
        TrimSide::KeepAbove => Kept {
            count: bucket.count - below,
            midpoint: midpoint(value, bucket.upper, sign, interpolation),
        },
    }
}

/// A bucket without an end that contains the value. Only custom buckets have a lower one; if it ends above zero, its
/// observations are assumed to begin at zero. Otherwise nobody knows where they lie, and they are removed, unless the
/// open end is on the side that stays.
fn trim_open_bucket(bucket: &Bucket, value: f64, side: TrimSide) -> Kept {
    let (count, upper) = (bucket.count, bucket.upper);
    if bucket.lower == f64::NEG_INFINITY {
        let from_zero = upper > 0.0 && upper.is_finite();
        return match side {
            TrimSide::KeepBelow if value >= upper => Kept { count, midpoint: 0.0 },
            TrimSide::KeepBelow if value > 0.0 && from_zero => Kept {
                count: count * value / upper,
                midpoint: value / 2.0,
            },
            TrimSide::KeepBelow if upper <= 0.0 => Kept { count, midpoint: value },
            TrimSide::KeepAbove if value >= 0.0 && from_zero => Kept {
                count: count * (1.0 - value / upper),
                midpoint: f64::midpoint(value, upper),
            },
            _ => Kept::NOTHING,
        };
    }
    match side {
        TrimSide::KeepAbove if value >= bucket.lower => Kept { count, midpoint: value },
        _ => Kept::NOTHING,
    }
}

fn trim_zero_bucket(lower: f64, upper: f64, count: f64, value: f64, side: TrimSide) -> Kept {
    let whole = Kept {
        count,
        midpoint: f64::midpoint(lower, upper),
    };
    match side {
        TrimSide::KeepBelow if value <= lower => Kept::NOTHING,
        TrimSide::KeepBelow if value >= upper => whole,
        TrimSide::KeepBelow => Kept {
            count: count * ((value - lower) / (upper - lower)),
            midpoint: f64::midpoint(lower, value),
        },
        TrimSide::KeepAbove if value <= lower => whole,
        TrimSide::KeepAbove if value >= upper => Kept::NOTHING,
        TrimSide::KeepAbove => Kept {
            count: count * ((upper - value) / (upper - lower)),
            midpoint: f64::midpoint(value, upper),
        },
    }
}

fn midpoint(lower: f64, upper: f64, sign: f64, interpolation: Interpolation) -> f64 {
    match (lower.is_infinite(), upper.is_infinite()) {
        (true, true) => 0.0,
        (true, false) if upper > 0.0 => upper / 2.0,
        (true, false) => upper,
        (false, true) => lower,
        (false, false) if interpolation == Interpolation::Linear => f64::midpoint(lower, upper),
        (false, false) => sign * (lower * upper).abs().sqrt(),
    }
}
