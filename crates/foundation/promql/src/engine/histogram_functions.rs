//! Quantiles and fractions of histograms, native and classic.

use std::collections::HashMap;

use super::QueryError;
use super::annotations::{Details, Note, metric_name};
use super::column::{Cell, Column, Series, merge_equal_labels};
use super::evaluator::{Evaluator, Steps};
use super::quantile::{ClassicBucket, NanEffect, classic_fraction, classic_quantile, native_fraction, native_quantile};
use crate::ast::{Call, Span};
use crate::functions::Function;
use crate::histogram::{FloatHistogram, Kahan, Tally};
use crate::labels::{BUCKET_BOUND, Labels};
use crate::number::GoFloat;

impl Evaluator<'_> {
    pub(super) fn histogram_call(&mut self, call: &Call, steps: &Steps) -> Result<Vec<Series>, QueryError> {
        let args = &call.args;
        let vector_at = match call.function {
            Function::HistogramQuantile => 1,
            Function::HistogramFraction => 2,
            _ => 0,
        };
        let span = args[vector_at].span;
        let input = self.vector(&args[vector_at], steps)?;
        if call.function == Function::HistogramFraction {
            let (lower, upper) = (self.scalar(&args[0], steps)?, self.scalar(&args[1], steps)?);
            let histograms = Histograms::new(&input);
            return self.each_histogram(
                &histograms,
                &input,
                span,
                steps,
                |this, step, shape, name| match shape {
                    Shape::Native(histogram) => {
                        let (fraction, excluded) = native_fraction(lower[step], upper[step], histogram);
                        if excluded {
                            this.notes.add(Note::FractionNan(name()), span);
                        }
                        fraction
                    }
                    Shape::Classic(buckets) => classic_fraction(lower[step], upper[step], buckets),
                },
            );
        }
        if call.function == Function::HistogramQuantile {
            let q = self.scalar(&args[0], steps)?;
            return self.quantiles(&input, &q, args[0].span, span, steps);
        }
        let label = self.string(&args[1])?.to_owned();
        let mut result = Vec::new();
        for arg in &args[2..] {
            let q = self.scalar(arg, steps)?;
            for mut series in self.quantiles(&input, &q, arg.span, span, steps)? {
                let mut builder = series.labels.to_builder();
                series.labels = builder.set(&label, &open_metrics_float(q[0])).build();
                result.push(series);
            }
        }
        merge_equal_labels(result)
    }

    fn quantiles(
        &mut self,
        input: &[Series],
        q: &[f64],
        q_span: Span,
        span: Span,
        steps: &Steps,
    ) -> Result<Vec<Series>, QueryError> {
        for wrong in q.iter().filter(|q| !(0.0..=1.0).contains(*q)) {
            self.notes
                .add(Note::InvalidQuantile(GoFloat(*wrong).to_string()), q_span);
        }
        let histograms = Histograms::new(input);
        self.each_histogram(&histograms, input, span, steps, |this, step, shape, name| match shape {
            Shape::Native(histogram) => {
                let (value, effect) = native_quantile(q[step], histogram);
                match effect {
                    NanEffect::None => {}
                    NanEffect::Result => this.notes.add(Note::QuantileNan(name()), span),
                    NanEffect::Skew => this.notes.add(Note::QuantileNanSkew(name()), span),
                }
                value
            }
            Shape::Classic(buckets) => {
                let (value, forced) = classic_quantile(q[step], buckets);
                if let Some(forced) = forced {
                    let details = Details::forced(steps.time(step), forced.bounds, forced.difference);
                    this.notes.add_with(Note::ForcedMonotonicity(name()), span, details);
                }
                value
            }
        })
    }

    /// Computes one value per histogram and step, be it native or classic. Where both are present neither counts.
    fn each_histogram(
        &mut self,
        histograms: &Histograms,
        input: &[Series],
        span: Span,
        steps: &Steps,
        mut compute: impl FnMut(&mut Self, usize, Shape<'_>, &dyn Fn() -> String) -> f64,
    ) -> Result<Vec<Series>, QueryError> {
        let mut result = Vec::new();
        let mut buckets = Vec::new();
        for group in &histograms.groups {
            let mut columns = [(); 2].map(|()| Column::new(steps.count));
            for step in 0..steps.count {
                buckets.clear();
                for (at, bound) in &group.classic {
                    if let Some(Cell::Float(count)) = input[*at].column.get(step) {
                        match bound {
                            Some(upper) => buckets.push(ClassicBucket { upper: *upper, count }),
                            None => self.bad_bucket(&input[*at], span),
                        }
                    }
                }
                let native = group.native.iter().find_map(|at| match input[*at].column.get(step) {
                    Some(Cell::Histogram(histogram)) => Some((histogram, &input[*at].labels)),
                    _ => None,
                });
                let classic_name = || metric_name(&group.labels);
                match native {
                    Some((_, labels)) if !buckets.is_empty() => {
                        self.notes.add(Note::MixedClassicNative(metric_name(labels)), span);
                    }
                    Some((histogram, labels)) => {
                        let value = compute(self, step, Shape::Native(histogram), &|| metric_name(labels));
                        columns[0].set_float(step, value);
                    }
                    None if !buckets.is_empty() => {
                        let value = compute(self, step, Shape::Classic(&mut buckets), &classic_name);
                        columns[1].set_float(step, value);
                    }
                    None => {}
                }
            }
            let native_labels = group.native.first().map(|at| &input[*at].labels);
            for (column, labels) in columns.into_iter().zip([native_labels, Some(&group.labels)]) {
                if let Some(labels) = labels.filter(|_| !column.is_empty()) {
                    result.push(Series {
                        labels: labels.clone(),
                        drop_name: true,
                        column,
                    });
                }
            }
        }
        self.budget.use_samples(result.len() * steps.count)?;
        merge_equal_labels(result)
    }

    fn bad_bucket(&mut self, series: &Series, span: Span) {
        let label = series.labels.value(BUCKET_BOUND).to_owned();
        self.notes
            .add(Note::BadBucketLabel(label, metric_name(&series.labels)), span);
    }
}

/// One histogram at one step.
enum Shape<'a> {
    Native(&'a FloatHistogram),
    Classic(&'a mut Vec<ClassicBucket>),
}

/// Series that belong to one histogram: all labels but `le` are equal.
#[derive(Default)]
struct HistogramGroup {
    labels: Labels,
    /// Series by place and bound; `None` if `le` is not a number.
    classic: Vec<(usize, Option<f64>)>,
    native: Vec<usize>,
}

struct Histograms {
    groups: Vec<HistogramGroup>,
}

impl Histograms {
    fn new(input: &[Series]) -> Self {
        let mut places: HashMap<Labels, usize> = HashMap::new();
        let mut groups: Vec<HistogramGroup> = Vec::new();
        for (at, series) in input.iter().enumerate() {
            let mut add = |labels: Labels| {
                *places.entry(labels).or_insert_with_key(|labels| {
                    groups.push(HistogramGroup {
                        labels: labels.clone(),
                        ..HistogramGroup::default()
                    });
                    groups.len() - 1
                })
            };
            // A series may hold floats at some steps and histograms at others, so it may be part of two groups.
            let bound = parse_bound(series.labels.value(BUCKET_BOUND));
            let classic = add(series.labels.without(|name| name == BUCKET_BOUND));
            let native = series.column.has_histograms().then(|| add(series.labels.clone()));
            groups[classic].classic.push((at, bound));
            if let Some(native) = native {
                groups[native].native.push(at);
            }
        }
        Histograms { groups }
    }
}

fn parse_bound(text: &str) -> Option<f64> {
    text.parse().ok().filter(|bound: &f64| !bound.is_nan())
}

/// A float as OpenMetrics writes label values of quantiles: with a decimal point even if it is whole.
fn open_metrics_float(value: f64) -> String {
    let text = GoFloat(value).to_string();
    let whole = value.is_finite() && !text.contains(['.', 'e']);
    if whole { text + ".0" } else { text }
}

/// The variance of observations, each taken at the middle of its bucket.
pub(super) fn variance(histogram: &FloatHistogram) -> f64 {
    let mean = histogram.sum / histogram.count;
    let mut sum = Kahan::default();
    for bucket in histogram.buckets().filter(|bucket| bucket.count != 0.0) {
        let middle = if histogram.uses_custom_buckets() {
            (bucket.upper + bucket.lower) / 2.0
        } else if bucket.lower <= 0.0 && bucket.upper >= 0.0 {
            0.0
        } else {
            (bucket.upper * bucket.lower).sqrt().copysign(bucket.upper)
        };
        let delta = middle - mean;
        sum.add(bucket.count * delta * delta);
    }
    sum.total() / histogram.count
}
