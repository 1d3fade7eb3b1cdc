//! Sums and means of floats and histograms, one sample after the other.

use crate::ast::AggregateOp;
use crate::histogram::{Accumulator, CounterResetHint, FloatHistogram, Kahan, MixedSchemas, Reconciliation, Tally};

/// A group at a step.
#[derive(Clone, Default)]
pub(super) struct State {
    pub(super) count: f64,
    pub(super) floats_seen: bool,
    pub(super) sum: Kahan,
    /// The mean, once the sum has left the range of floats, or the mean of a variance.
    mean: f64,
    incremental: bool,
    /// Extremum, or sum of squared deviations.
    pub(super) value: f64,
    pub(super) histograms: Option<Box<HistogramSum>>,
}

impl State {
    pub(super) fn add_float(&mut self, op: AggregateOp, value: f64) {
        let first = self.count == 0.0;
        self.count += 1.0;
        self.floats_seen = true;
        match op {
            AggregateOp::Sum if first => self.sum = Kahan::new(value),
            AggregateOp::Sum => self.sum.add(value),
            AggregateOp::Avg if first => self.sum = Kahan::new(value),
            AggregateOp::Avg => self.add_to_mean(value),
            AggregateOp::Max if first || self.value < value || self.value.is_nan() => self.value = value,
            AggregateOp::Min if first || self.value > value || self.value.is_nan() => self.value = value,
            AggregateOp::Stdvar | AggregateOp::Stddev if first => {
                self.mean = value;
                self.value = if value.is_finite() { 0.0 } else { f64::NAN };
            }
            AggregateOp::Stdvar | AggregateOp::Stddev => {
                let delta = value - self.mean;
                self.mean += delta / self.count;
                self.value += delta * (value - self.mean);
            }
            _ => {}
        }
    }

    /// The sum divided by the count is the most precise mean, as long as the sum is a float.
    fn add_to_mean(&mut self, value: f64) {
        if !self.incremental {
            let mut sum = self.sum;
            sum.add(value);
            if !sum.sum.is_infinite() {
                self.sum = sum;
                return;
            }
            self.incremental = true;
            let before = self.count - 1.0;
            self.sum = Kahan {
                sum: self.sum.sum / before,
                compensation: self.sum.compensation / before,
            };
        }
        let share = (self.count - 1.0) / self.count;
        self.sum = Kahan {
            sum: share * self.sum.sum,
            compensation: share * self.sum.compensation,
        };
        self.sum.add(value / self.count);
    }

    pub(super) fn mean(&self) -> f64 {
        if self.incremental {
            return self.sum.total();
        }
        self.sum.sum / self.count + self.sum.compensation / self.count
    }
}

/// Histograms being added up or averaged.
#[derive(Clone, Default)]
pub(super) struct HistogramSum {
    sum: Option<Accumulator<Kahan>>,
    pub(super) count: f64,
    incremental: bool,
    incompatible: bool,
    pub(super) reset_seen: bool,
    pub(super) no_reset_seen: bool,
    average: bool,
    pub(super) problem: Option<Problem>,
}

/// What went wrong with the last histogram.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Problem {
    MixedSchemas,
    Bounds,
}

impl HistogramSum {
    pub(super) fn add(&mut self, histogram: &FloatHistogram, average: bool, floats_seen: bool) {
        if self.incompatible || floats_seen {
            return;
        }
        self.average = average;
        self.count += 1.0;
        self.reset_seen |= histogram.counter_reset_hint == CounterResetHint::Reset;
        self.no_reset_seen |= histogram.counter_reset_hint == CounterResetHint::NotReset;
        let Some(sum) = &mut self.sum else {
            self.sum = Some(Accumulator::new(histogram));
            return;
        };
        let added = if average && self.incremental {
            add_to_mean(sum, histogram, self.count)
        } else if average {
            let mut trial = sum.clone();
            let added = trial.add(histogram);
            if !trial.has_overflow() {
                *sum = trial;
                added
            } else {
                self.incremental = true;
                let before = self.count - 1.0;
                sum.scale(|value| Kahan {
                    sum: value.sum / before,
                    compensation: value.compensation / before,
                });
                add_to_mean(sum, histogram, self.count)
            }
        } else {
            sum.add(histogram)
        };
        match added {
            Err(_) => {
                self.incompatible = true;
                self.problem = Some(Problem::MixedSchemas);
            }
            Ok(notes) if notes.bounds_reconciled => self.problem = Some(Problem::Bounds),
            Ok(_) => {}
        }
    }

    pub(super) fn finish(&self, count: f64) -> Option<FloatHistogram> {
        if self.incompatible {
            return None;
        }
        let mut sum = self.sum.clone()?;
        if self.average && !self.incremental {
            sum.scale(|value| Kahan {
                sum: value.sum / count,
                compensation: value.compensation / count,
            });
        }
        let mut histogram = sum.finish();
        histogram.compact();
        Some(histogram)
    }
}

fn add_to_mean(
    mean: &mut Accumulator<Kahan>,
    histogram: &FloatHistogram,
    count: f64,
) -> Result<Reconciliation, MixedSchemas> {
    let share = (count - 1.0) / count;
    mean.scale(|value| Kahan {
        sum: value.sum * share,
        compensation: value.compensation * share,
    });
    let mut part = histogram.clone();
    part.divide(count);
    mean.add(&part)
}
