//! Aggregations that compute one value per group.

use std::collections::HashMap;
use std::sync::Arc;

use super::QueryError;
use super::accumulate::{Problem, State};
use super::annotations::{Note, metric_name};
use super::column::{Cell, Column, Series};
use super::evaluator::{Evaluator, Steps};
use super::quantile::quantile;
use crate::ast::{AggregateExpr, AggregateOp, Span};
use crate::histogram::{FloatHistogram, Tally};
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
