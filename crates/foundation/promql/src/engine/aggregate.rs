//! Aggregations that compute one value per group.

use std::collections::HashMap;
use std::sync::Arc;

use super::QueryError;
use super::annotations::{Note, metric_name};
use super::column::{Cell, Column, Series};
use super::evaluator::{Evaluator, Steps};
use super::quantile::quantile;
use crate::ast::{AggregateExpr, AggregateOp, Span};
use crate::histogram::{Accumulator, CounterResetHint, FloatHistogram, Kahan, Tally};
use crate::labels::{Labels, is_metric_schema};
use crate::number::{GoFloat, Plain};
use crate::sample::Value;

impl Evaluator<'_> {
    pub(super) fn aggregate(
        &mut self,
        aggregate: &AggregateExpr,
        span: Span,
        steps: &Steps,
    ) -> Result<Vec<Series>, QueryError> {
        use AggregateOp::{Bottomk, CountValues, LimitRatio, Limitk, Quantile, Topk};
        if aggregate.op == CountValues {
            return self.count_values(aggregate, steps);
        }
        let parameter = match &aggregate.parameter {
            Some(parameter) => self.scalar(parameter, steps)?,
            None => Vec::new(),
        };
        let input = self.vector(&aggregate.expr, steps)?;
        match aggregate.op {
            Topk | Bottomk | Limitk | LimitRatio => self.rank(aggregate, span, &parameter, input, steps),
            Quantile => Ok(self.quantile_aggregation(aggregate, &parameter, &input, steps)),
            _ => Ok(self.fold(aggregate, &input, steps)),
        }
    }

    /// Aggregations that look at one sample after the other.
    fn fold(&mut self, aggregate: &AggregateExpr, input: &[Series], steps: &Steps) -> Vec<Series> {
        let grouping = Grouping::of(aggregate, input);
        let (op, span) = (aggregate.op, aggregate.expr.span);
        let mut states = vec![State::default(); grouping.labels.len() * steps.count];
        for (series, group) in input.iter().zip(&grouping.numbers) {
            let row = &mut states[group * steps.count..][..steps.count];
            for (step, state) in row.iter_mut().enumerate() {
                match series.column.get(step) {
                    None => {}
                    Some(Cell::Float(value)) => state.add_float(op, value),
                    Some(Cell::Histogram(histogram)) => self.add_histogram(op, state, histogram, series, span),
                }
            }
        }
        let mut result = Vec::with_capacity(grouping.labels.len());
        for (group, labels) in grouping.labels.iter().enumerate() {
            let mut column = Column::new(steps.count);
            for (step, state) in states[group * steps.count..][..steps.count].iter().enumerate() {
                if let Some(value) = self.finish(op, state, span) {
                    column.set(step, value);
                }
            }
            if !column.is_empty() {
                result.push(Series {
                    labels: labels.clone(),
                    drop_name: grouping.drop_name[group],
                    column,
                });
            }
        }
        result
    }

    fn add_histogram(
        &mut self,
        op: AggregateOp,
        state: &mut State,
        histogram: &Arc<FloatHistogram>,
        series: &Series,
        span: Span,
    ) {
        match op {
            AggregateOp::Count | AggregateOp::Group => state.count += 1.0,
            AggregateOp::Sum | AggregateOp::Avg => {
                state.count += 1.0;
                let sum = state.histograms.get_or_insert_default();
                sum.add(histogram, op == AggregateOp::Avg, state.floats_seen);
                if let Some(problem) = sum.problem.take() {
                    match problem {
                        Problem::MixedSchemas => {
                            self.notes.add(Note::MixedSchemas(metric_name(&series.labels)), span);
                        }
                        Problem::Bounds => self.notes.add(Note::BoundsReconciled("aggregation"), span),
                    }
                }
            }
            _ => self.notes.add(Note::IgnoredInAggregation(op.as_str()), span),
        }
    }

    fn finish(&mut self, op: AggregateOp, state: &State, span: Span) -> Option<Value> {
        if state.count == 0.0 {
            return None;
        }
        if let Some(histograms) = &state.histograms {
            if state.floats_seen {
                self.notes.add(Note::MixedFloatsHistogramsInAggregation, span);
                return None;
            }
            let histogram = histograms.finish(state.count)?;
            if histograms.reset_seen && histograms.no_reset_seen {
                self.notes.add(Note::ResetCollision("aggregation"), span);
            }
            return Some(Value::Histogram(Arc::new(histogram)));
        }
        Some(Value::Float(match op {
            AggregateOp::Sum => state.sum.total(),
            AggregateOp::Avg => state.mean(),
            AggregateOp::Count => state.count,
            AggregateOp::Group => 1.0,
            AggregateOp::Stdvar => state.value / state.count,
            AggregateOp::Stddev => (state.value / state.count).sqrt(),
            _ => state.value,
        }))
    }

    fn quantile_aggregation(
        &mut self,
        aggregate: &AggregateExpr,
        parameter: &[f64],
        input: &[Series],
        steps: &Steps,
    ) -> Vec<Series> {
        let span = aggregate
            .parameter
            .as_ref()
            .map_or(aggregate.expr.span, |parameter| parameter.span);
        for wrong in parameter.iter().filter(|q| !(0.0..=1.0).contains(*q)) {
            self.notes.add(Note::InvalidQuantile(GoFloat(*wrong).to_string()), span);
        }
        let grouping = Grouping::of(aggregate, input);
        let mut columns = vec![Column::new(steps.count); grouping.labels.len()];
        let mut values = vec![Vec::new(); grouping.labels.len()];
        for (step, q) in parameter.iter().enumerate() {
            values.iter_mut().for_each(Vec::clear);
            for (series, group) in input.iter().zip(&grouping.numbers) {
                match series.column.get(step) {
                    None => {}
                    Some(Cell::Float(value)) => values[*group].push(value),
                    Some(Cell::Histogram(_)) => {
                        self.notes
                            .add(Note::IgnoredInAggregation("quantile"), aggregate.expr.span);
                    }
                }
            }
            for (values, column) in values.iter_mut().zip(&mut columns) {
                if !values.is_empty() {
                    column.set_float(step, quantile(*q, values));
                }
            }
        }
        grouping.series(columns)
    }

    fn count_values(&mut self, aggregate: &AggregateExpr, steps: &Steps) -> Result<Vec<Series>, QueryError> {
        let label = match &aggregate.parameter {
            Some(parameter) => self.label_name(parameter, "invalid label name")?.to_owned(),
            None => String::new(),
        };

        let input = self.vector(&aggregate.expr, steps)?;
        let mut result: Vec<Series> = Vec::new();
        let mut places: HashMap<Labels, usize> = HashMap::new();
        for series in &input {
            for step in 0..steps.count {
                let text = match series.column.get(step) {
                    None => continue,
                    Some(Cell::Float(value)) => Plain(value).to_string(),
                    Some(Cell::Histogram(histogram)) => histogram.to_string(),
                };
                let mut builder = series.labels.to_builder();
                let with_value = builder.set(&label, &text).build();
                let keep = |name: &str| name == label || aggregate.grouping.iter().any(|label| label == name);
                let labels = match aggregate.without {
                    true => group_labels(&with_value, aggregate),
                    false => with_value.only(keep),
                };
                let place = *places.entry(labels.clone()).or_insert_with(|| {
                    result.push(Series {
                        labels,
                        drop_name: false,
                        column: Column::new(steps.count),
                    });
                    result.len() - 1
                });
                let column = &mut result[place].column;
                let before = match column.get(step) {
                    Some(Cell::Float(count)) => count,
                    _ => 0.0,
                };
                column.set_float(step, before + 1.0);
            }
        }
        self.budget.use_samples(result.len() * steps.count)?;
        Ok(result)
    }
}

/// Which group each series belongs to.
pub(super) struct Grouping {
    pub(super) numbers: Vec<usize>,
    pub(super) labels: Vec<Labels>,
    drop_name: Vec<bool>,
}

impl Grouping {
    pub(super) fn of(aggregate: &AggregateExpr, input: &[Series]) -> Self {
        let mut places: HashMap<Labels, usize> = HashMap::new();
        let mut grouping = Grouping {
            numbers: Vec::with_capacity(input.len()),
            labels: Vec::new(),
            drop_name: Vec::new(),
        };
        for series in input {
            let labels = group_labels(&series.labels, aggregate);
            let number = *places.entry(labels).or_insert_with_key(|labels| {
                grouping.labels.push(labels.clone());
                grouping.drop_name.push(false);
                grouping.labels.len() - 1
            });
            grouping.drop_name[number] |= series.drop_name;
            grouping.numbers.push(number);
        }
        grouping
    }

    fn series(self, columns: Vec<Column>) -> Vec<Series> {
        let parts = self.labels.into_iter().zip(self.drop_name).zip(columns);
        let series = parts.map(|((labels, drop_name), column)| Series {
            labels,
            drop_name,
            column,
        });
        series.filter(|series| !series.column.is_empty()).collect()
    }
}

fn group_labels(labels: &Labels, aggregate: &AggregateExpr) -> Labels {
    let listed = |name: &str| aggregate.grouping.iter().any(|label| label == name);
    match aggregate.without {
        true => labels.without(|name| listed(name) || is_metric_schema(name)),
        false if aggregate.grouping.is_empty() => Labels::empty(),
        false => labels.only(listed),
    }
}

/// A group at a step.
#[derive(Clone, Default)]
struct State {
    count: f64,
    floats_seen: bool,
    sum: Kahan,
    /// The mean, once the sum has left the range of floats, or the mean of a variance.
    mean: f64,
    incremental: bool,
    /// Extremum, or sum of squared deviations.
    value: f64,
    histograms: Option<Box<HistogramSum>>,
}

impl State {
    fn add_float(&mut self, op: AggregateOp, value: f64) {
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

    fn mean(&self) -> f64 {
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
    count: f64,
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
) -> Result<crate::histogram::Reconciliation, crate::histogram::MixedSchemas> {
    let share = (count - 1.0) / count;
    mean.scale(|value| Kahan {
        sum: value.sum * share,
        compensation: value.compensation * share,
    });
    let mut part = histogram.clone();
    part.divide(count);
    mean.add(&part)
}
