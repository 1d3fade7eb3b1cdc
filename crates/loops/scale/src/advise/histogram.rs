//! A histogram whose buckets grow exponentially and whose weights decay.
//!
//! Source: vertical-pod-autoscaler/pkg/recommender/util. Instead of making old weights smaller, new ones are made larger,
//! and everything is scaled down before it overflows.

use flyball_core::Timestamp;

use super::DAY_SECONDS;

/// Where buckets begin and end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    /// The width of the first bucket.
    pub first: f64,
    /// How much wider each next one is.
    pub ratio: f64,
    /// How many there are.
    pub buckets: usize,
}

impl Scale {
    /// From 10 millicores to a thousand cores.
    pub const CPU: Self = Self {
        first: 0.01,
        ratio: 1.05,
        buckets: 176,
    };
    /// From 10 MB to a terabyte.
    pub const MEMORY: Self = Self {
        first: 1e7,
        ratio: 1.05,
        buckets: 176,
    };

    /// The bucket of a value; the last one takes everything beyond.
    pub fn bucket(&self, value: f64) -> usize {
        if value < self.first {
            return 0;
        }
        let index = (value * (self.ratio - 1.0) / self.first + 1.0).ln() / self.ratio.ln();
        (index as usize).min(self.buckets - 1)
    }

    /// Where a bucket begins.
    pub fn start(&self, bucket: usize) -> f64 {
        let power = i32::try_from(bucket).unwrap_or(i32::MAX);
        self.first * (self.ratio.powi(power) - 1.0) / (self.ratio - 1.0)
    }
}

/// Weights below this count as nothing.
const EPSILON: f64 = 0.0001;

/// The exponent at which weights are scaled down.
const EXPONENT_MAX: f64 = 100.0;

/// A decaying histogram.
#[derive(Debug, Clone)]
pub struct Histogram {
    scale: Scale,
    weights: Vec<f64>,
    total: f64,
    reference: Timestamp,
}

impl Histogram {
    /// An empty histogram; `reference` is a time from which weights are counted.
    pub fn new(scale: Scale, reference: Timestamp) -> Self {
        Self {
            scale,
            weights: vec![0.0; scale.buckets],
            total: 0.0,
            reference,
        }
    }

    /// Adds a sample.
    pub fn add(&mut self, at: Timestamp, value: f64, weight: f64) {
        let half_lives = |from: Timestamp| at.duration_since(from).as_secs() as f64 / DAY_SECONDS as f64;
        if half_lives(self.reference) > EXPONENT_MAX {
            let factor = (-half_lives(self.reference).round()).exp2();
            self.weights.iter_mut().for_each(|weight| *weight *= factor);
            self.total *= factor;
            self.reference = at;
        }
        let weight = weight * half_lives(self.reference).exp2();
        self.weights[self.scale.bucket(value)] += weight;
        self.total += weight;
    }

    /// The end of the bucket below which this share of the weight lies; 0 when the histogram is empty.
    pub fn percentile(&self, share: f64) -> f64 {
        let heavy = |bucket: &usize| self.weights[*bucket] > EPSILON * self.total.max(f64::MIN_POSITIVE);
        let Some(last) = (0..self.scale.buckets).rev().find(heavy) else {
            return 0.0;
        };
        let first = (0..self.scale.buckets).find(heavy).unwrap_or(0);
        let threshold = share * self.total;
        let mut sum = 0.0;
        let found = (first..last).find(|bucket| {
            sum += self.weights[*bucket];
            sum >= threshold
        });
        let bucket = found.unwrap_or(last);
        // The last bucket has no end.
        if bucket + 1 < self.scale.buckets {
            self.scale.start(bucket + 1)
        } else {
            self.scale.start(bucket)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(days: f64) -> Timestamp {
        Timestamp::from_second((days * DAY_SECONDS as f64) as i64).unwrap()
    }

    #[test]
    fn buckets_begin_where_the_one_before_ends() {
        for bucket in 1..Scale::CPU.buckets {
            let start = Scale::CPU.start(bucket);
            assert_eq!(Scale::CPU.bucket(start * 1.000_001), bucket);
            assert_eq!(Scale::CPU.bucket(start * 0.999_999), bucket - 1);
        }
        assert_eq!(Scale::CPU.bucket(1e9), 175);
        let (before, last) = (Scale::CPU.start(174), Scale::CPU.start(175));
        assert!(
            before < 1000.0 && 1000.0 < last,
            "the last bucket takes what is beyond a thousand cores"
        );
    }

    #[test]
    fn percentiles_are_ends_of_buckets() {
        let mut histogram = Histogram::new(Scale::CPU, at(0.0));
        assert_eq!(histogram.percentile(0.5), 0.0);
        for value in [0.005, 0.015, 0.5] {
            histogram.add(at(0.0), value, 1.0);
        }
        assert!((histogram.percentile(0.3) - 0.01).abs() < 1e-12);
        assert!(histogram.percentile(0.99) > 0.5);
    }

    #[test]
    fn a_day_halves_a_weight_for_as_long_as_one_likes() {
        for days in [1.0, 150.0] {
            let mut histogram = Histogram::new(Scale::CPU, at(0.0));
            histogram.add(at(0.0), 0.005, 2.0 * f64::exp2(days - 1.0).min(1e30));
            histogram.add(at(days), 1.0, 1.0);
            assert!(histogram.total.is_finite());
            assert!(histogram.percentile(0.95) > 1.0, "{days}");
        }
    }
}
