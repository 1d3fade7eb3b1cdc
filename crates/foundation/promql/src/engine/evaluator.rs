//! Walking the syntax tree.

use super::annotations::Notes;
use super::bucket_use::BucketUse;
use super::budget::Budget;
use super::column::{Cell, Column, Series, merge_equal_labels};
use super::invariant::is_invariant;
use super::{Check, EngineOptions, MatrixSeries, Query, QueryError, QueryResult, QueryValue, TimeRange, VectorSample};
use crate::ast::{Expr, ExprKind, Sign, ValueType};
use crate::sample::{FloatPoint, HistogramPoint};
use crate::source::Source;

/// The times that an expression is evaluated at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Steps {
    pub(super) start_ms: i64,
    pub(super) step_ms: i64,
    pub(super) count: usize,
}

impl Steps {
    pub(super) fn time(&self, step: usize) -> i64 {
        self.start_ms + self.step_ms * step as i64
    }

    pub(super) fn last_ms(&self) -> i64 {
        self.time(self.count - 1)
    }

    fn first_only(&self) -> Steps {
        Steps { count: 1, ..*self }
    }
}

/// The times of the whole query: what `start()`, `end()`, `range()` and `step()` mean.
#[derive(Clone, Copy, Debug)]
pub(super) struct QueryTimes {
    pub(super) start_ms: i64,
    pub(super) end_ms: i64,
    pub(super) step_ms: i64,
}

/// The value of an expression at all steps.
pub(super) enum Data {
    Scalar(Vec<f64>),
    String(String),
    Vector(Vec<Series>),
}

pub(super) struct Evaluator<'a> {
    pub(super) options: &'a EngineOptions,
    pub(super) source: &'a dyn Source,
    pub(super) budget: Budget<'a>,
    pub(super) times: QueryTimes,
    pub(super) notes: Notes,
    pub(super) bucket_use: BucketUse,
}

/// Times are milliseconds; beyond this, about 146 million years, sums of a few of them could overflow.
pub(super) const TIME_MS_MAX: i64 = i64::MAX / 2;

pub(super) fn instant(
    options: &EngineOptions,
    source: &dyn Source,
    query: &Query,
    time_ms: i64,
    check: Check<'_>,
) -> Result<QueryResult, QueryError> {
    let times = QueryTimes {
        start_ms: time_ms,
        end_ms: time_ms,
        step_ms: 0,
    };
    let mut evaluator = Evaluator::new(options, source, times, check)?;
    let steps = Steps {
        start_ms: time_ms,
        step_ms: 1,
        count: 1,
    };
    let value = if query.expr().value_type() == ValueType::Matrix {
        QueryValue::Matrix(evaluator.top_level_matrix(query.expr(), &steps)?)
    } else {
        match evaluator.eval(query.expr(), &steps)? {
            Data::Scalar(values) => QueryValue::Scalar(time_ms, values[0]),
            Data::String(text) => QueryValue::String(time_ms, text),
            Data::Vector(series) => QueryValue::Vector(to_vector(drop_names(series)?, time_ms)),
        }
    };
    Ok(QueryResult {
        value,
        annotations: evaluator.notes.finish(query.text()),
    })
}

pub(super) fn range(
    options: &EngineOptions,
    source: &dyn Source,
    query: &Query,
    range: TimeRange,
    check: Check<'_>,
) -> Result<QueryResult, QueryError> {
    let TimeRange {
        start_ms,
        end_ms,
        step_ms,
    } = range;
    if step_ms <= 0 {
        return Err(QueryError::BadData("step must be greater than 0".to_owned()));
    }
    if end_ms < start_ms {
        return Err(QueryError::BadData("end time must not be before start time".to_owned()));
    }
    let count = usize::try_from(end_ms.saturating_sub(start_ms) / step_ms)
        .unwrap_or(usize::MAX)
        .saturating_add(1);
    if count > options.limits.steps_max {
        return Err(QueryError::BadData(format!(
            "exceeded maximum resolution of {} points per timeseries; try a longer step",
            options.limits.steps_max
        )));
    }
    let found = query.expr().value_type();
    if !matches!(found, ValueType::Scalar | ValueType::Vector) {
        return Err(QueryError::BadData(format!(
            "invalid expression type \"{found}\" for range query, must be scalar or instant vector"
        )));
    }
    let mut evaluator = Evaluator::new(
        options,
        source,
        QueryTimes {
            start_ms,
            end_ms,
            step_ms,
        },
        check,
    )?;
    let steps = Steps {
        start_ms,
        step_ms,
        count,
    };
    let series = match evaluator.eval(query.expr(), &steps)? {
        Data::Vector(series) => drop_names(series)?,
        Data::Scalar(values) => {
            let column = Column::from_floats(values);
            vec![Series {
                labels: crate::labels::Labels::empty(),
                drop_name: false,
                column,
            }]
        }
        Data::String(_) => Vec::new(),
    };
    let mut matrix: Vec<MatrixSeries> = series.into_iter().map(|series| to_matrix(series, &steps)).collect();
    matrix.retain(|series| !series.floats.is_empty() || !series.histograms.is_empty());
    matrix.sort_by(|a, b| a.labels.cmp(&b.labels));
    Ok(QueryResult {
        value: QueryValue::Matrix(matrix),
        annotations: evaluator.notes.finish(query.text()),
    })
}

impl<'a> Evaluator<'a> {
    fn new(
        options: &'a EngineOptions,
        source: &'a dyn Source,
        times: QueryTimes,
        check: Check<'a>,
    ) -> Result<Self, QueryError> {
        let beyond = |time: i64| time.unsigned_abs() > TIME_MS_MAX.unsigned_abs();
        if beyond(times.start_ms) || beyond(times.end_ms) {
            return Err(QueryError::BadData("time is out of range".to_owned()));
        }
        let budget = Budget::new(options.limits, check);
        Ok(Evaluator {
            options,
            source,
            budget,
            times,
            notes: Notes::default(),
            bucket_use: BucketUse::default(),
        })
    }

    /// The value of an expression at every step; computed at one step only if it is the same at all.
    pub(super) fn eval(&mut self, expr: &Expr, steps: &Steps) -> Result<Data, QueryError> {
        self.budget.check()?;
        if steps.count > 1 && !matches!(expr.kind, ExprKind::Number(_)) && is_invariant(expr) {
            return Ok(match self.eval_node(expr, &steps.first_only())? {
                Data::Scalar(values) => Data::Scalar(vec![values[0]; steps.count]),
                Data::Vector(mut series) => {
                    for one in &mut series {
                        one.column = one.column.repeated(steps.count);
                    }
                    Data::Vector(series)
                }
                text @ Data::String(_) => text,
            });
        }
        self.eval_node(expr, steps)
    }

    fn eval_node(&mut self, expr: &Expr, steps: &Steps) -> Result<Data, QueryError> {
        let outside = self.bucket_use;
        self.bucket_use = outside.inside(expr);
        let data = self.eval_kind(expr, steps);
        self.bucket_use = outside;
        data
    }

    fn eval_kind(&mut self, expr: &Expr, steps: &Steps) -> Result<Data, QueryError> {
        match &expr.kind {
            ExprKind::Number(number) => Ok(Data::Scalar(vec![number.value; steps.count])),
            ExprKind::String(literal) => Ok(Data::String(literal.text.clone())),
            ExprKind::Paren(inner) => self.eval(inner, steps),
            ExprKind::Unary(Sign::Plus, inner) => self.eval(inner, steps),
            ExprKind::Unary(Sign::Minus, inner) => Ok(negated(self.eval(inner, steps)?)),
            ExprKind::Binary(binary) => self.binary(binary, expr.span, steps),
            ExprKind::Aggregate(aggregate) => self.aggregate(aggregate, expr.span, steps).map(Data::Vector),
            ExprKind::Call(call) => self.call(call, expr.span, steps),
            ExprKind::Vector(selector) => self.instant_selector(selector, expr.span, steps).map(Data::Vector),
            ExprKind::Matrix(_) | ExprKind::Subquery(_) => Err(QueryError::execution(
                "a range vector can only be the argument of a function",
            )),
        }
    }

    pub(super) fn scalar(&mut self, expr: &Expr, steps: &Steps) -> Result<Vec<f64>, QueryError> {
        match self.eval(expr, steps)? {
            Data::Scalar(values) => Ok(values),
            _ => Err(QueryError::execution("expected a scalar")),
        }
    }

    pub(super) fn vector(&mut self, expr: &Expr, steps: &Steps) -> Result<Vec<Series>, QueryError> {
        match self.eval(expr, steps)? {
            Data::Vector(series) => Ok(series),
            _ => Err(QueryError::execution("expected an instant vector")),
        }
    }

    pub(super) fn string<'e>(&self, expr: &'e Expr) -> Result<&'e str, QueryError> {
        match &expr.unwrapped().kind {
            ExprKind::String(literal) => Ok(&literal.text),
            _ => Err(QueryError::execution("expected a string literal")),
        }
    }

    /// A string that is the name of a label; `what` begins the sentence if it cannot be one.
    pub(super) fn label_name<'e>(&self, expr: &'e Expr, what: &str) -> Result<&'e str, QueryError> {
        match &expr.unwrapped().kind {
            ExprKind::String(literal) if literal.text.is_empty() || literal.bytes.is_some() => {
                Err(QueryError::execution(format_args!("{what} {literal}")))
            }
            _ => self.string(expr),
        }
    }

    /// A range vector as the result of a query.
    fn top_level_matrix(&mut self, expr: &Expr, steps: &Steps) -> Result<Vec<MatrixSeries>, QueryError> {
        let ranges = self.ranges(expr, "", steps)?;
        let end = ranges.shift.apply(steps.start_ms);
        let start = end.saturating_sub(ranges.range_ms).saturating_add(1);
        let mut matrix = Vec::new();
        for series in &ranges.series {
            let mut data = series.data.between(start, end);
            if ranges.extension.is_some() {
                data.floats = self.extended_points(&series.data, &ranges, end)?;
            }

            let labels = if series.drop_name {
                data.labels.without_metric_schema()
            } else {
                data.labels
            };
            if !data.floats.is_empty() || !data.histograms.is_empty() {
                matrix.push(MatrixSeries {
                    labels,
                    floats: data.floats,
                    histograms: data.histograms,
                });
            }
        }
        matrix.sort_by(|a, b| a.labels.cmp(&b.labels));
        Ok(matrix)
    }
}

fn negated(data: Data) -> Data {
    match data {
        Data::Scalar(values) => Data::Scalar(values.into_iter().map(|value| -value).collect()),
        Data::Vector(mut series) => {
            for one in &mut series {
                one.drop_name = true;
                one.column.negate();
            }
            Data::Vector(series)
        }
        text @ Data::String(_) => text,
    }
}

/// Removes the names of series that are no longer what their name says.
fn drop_names(mut series: Vec<Series>) -> Result<Vec<Series>, QueryError> {
    for one in &mut series {
        if one.drop_name {
            one.labels = one.labels.without_metric_schema();
        }
    }
    merge_equal_labels(series)
}

fn to_vector(series: Vec<Series>, timestamp_ms: i64) -> Vec<VectorSample> {
    let sample = |series: Series| {
        let value = series.column.get(0)?.to_value();
        Some(VectorSample {
            labels: series.labels,
            timestamp_ms,
            value,
        })
    };
    series.into_iter().filter_map(sample).collect()
}

fn to_matrix(series: Series, steps: &Steps) -> MatrixSeries {
    let mut matrix = MatrixSeries {
        labels: series.labels,
        ..MatrixSeries::default()
    };
    for step in 0..steps.count {
        let timestamp_ms = steps.time(step);
        match series.column.get(step) {
            Some(Cell::Float(value)) => matrix.floats.push(FloatPoint { timestamp_ms, value }),
            Some(Cell::Histogram(histogram)) => {
                matrix.histograms.push(HistogramPoint {
                    timestamp_ms,
                    histogram: histogram.clone(),
                });
            }
            None => {}
        }
    }
    matrix
}
