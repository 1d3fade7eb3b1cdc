//! Functions of range vectors: one window of samples per series and step.

use super::annotations::{Note, Notes, metric_name};
use super::column::{Column, Series};
use super::evaluator::{Evaluator, Steps};
use super::instant_functions::absent_labels;
use super::selection::{RangeSeries, Ranges, advance};
use super::{Dialect, QueryError};
use super::{changes, extended, over_time, rate};
use crate::ast::{Call, Expr, RangeExtension, Span, ValueType};
use crate::functions::Function;
use crate::labels::{Labels, METRIC_TYPE};
use crate::sample::{FloatPoint, HistogramPoint, Value};

/// The samples of one series that a function sees at one step.
pub(super) struct Window<'a> {
    pub(super) floats: &'a [FloatPoint],
    pub(super) histograms: &'a [HistogramPoint],
    /// Start times by index, empty when unknown.
    pub(super) float_starts: &'a [i64],
    pub(super) histogram_starts: &'a [i64],
    /// Exclusive start and inclusive end of the range.
    pub(super) start_ms: i64,
    pub(super) end_ms: i64,
    pub(super) range_ms: i64,
    pub(super) lookback_ms: i64,
    pub(super) extension: Option<RangeExtension>,
    /// When the function is evaluated.
    pub(super) now_ms: i64,
    pub(super) dialect: Dialect,
    pub(super) labels: &'a Labels,
    /// The place of the range vector in the query.
    pub(super) span: Span,
}

impl Window<'_> {
    pub(super) fn name(&self) -> String {
        metric_name(self.labels)
    }

    pub(super) fn is_mixed(&self) -> bool {
        !self.floats.is_empty() && !self.histograms.is_empty()
    }
}

impl Evaluator<'_> {
    pub(super) fn range_call(&mut self, call: &Call, steps: &Steps) -> Result<Vec<Series>, QueryError> {
        let function = call.function;
        let at = call
            .args
            .iter()
            .position(|arg| arg.value_type() == ValueType::Matrix)
            .unwrap_or(0);
        let mut scalars = Vec::new();
        let mut scalar_spans = Vec::new();
        for (_, arg) in call.args.iter().enumerate().filter(|(place, _)| *place != at) {
            scalars.push(self.scalar(arg, steps)?);
            scalar_spans.push(arg.span);
        }
        let ranges = self.ranges(&call.args[at], function.name(), steps)?;
        check_extension(function, ranges.extension)?;
        if function == Function::AbsentOverTime {
            return Ok(self.absent_over_time(&call.args[at], &ranges, steps));
        }
        let keeps_name = matches!(function, Function::LastOverTime | Function::FirstOverTime);
        let mut result = Vec::with_capacity(ranges.series.len());
        for series in &ranges.series {
            self.budget.check()?;
            let context = Context {
                function,
                scalars: &scalars,
                scalar_spans: &scalar_spans,
            };
            let column = self.windows(series, &ranges, steps, &context)?;
            if column.is_empty() {
                continue;
            }
            self.budget.use_samples(column.size())?;
            if matches!(function, Function::Rate | Function::Increase) {
                self.doubt_counter(&series.data.labels, &column, ranges.span);
            }
            let drop_name = !keeps_name || series.drop_name;
            result.push(Series {
                labels: series.data.labels.clone(),
                drop_name,
                column,
            });
        }
        Ok(result)
    }

    fn windows(
        &mut self,
        series: &RangeSeries,
        ranges: &Ranges,
        steps: &Steps,
        context: &Context<'_>,
    ) -> Result<Column, QueryError> {
        let data = &series.data;
        let starts = &data.start_timestamps_ms;
        let use_starts = self.options.use_start_timestamps
            && matches!(
                context.function,
                Function::Rate | Function::Irate | Function::Increase | Function::Resets
            );
        let lookback_ms = self.options.lookback_ms;
        let before_ms = if ranges.extension.is_some() { lookback_ms } else { 0 };
        let after_ms = if ranges.extension == Some(RangeExtension::Smoothed) {
            lookback_ms
        } else {
            0
        };
        let mut column = Column::new(steps.count);
        let (mut floats, mut histograms) = ((0, 0), (0, 0));
        for step in 0..steps.count {
            let now_ms = steps.time(step);
            let end_ms = ranges.shift.apply(now_ms);
            let start_ms = end_ms.saturating_sub(ranges.range_ms);
            let (first, last) = (start_ms.saturating_sub(before_ms), end_ms.saturating_add(after_ms));
            floats = slide(&data.floats, floats, |point| point.timestamp_ms, first, last);
            histograms = slide(&data.histograms, histograms, |point| point.timestamp_ms, first, last);
            let (float_range, histogram_range) = (floats.0..floats.1, histograms.0..histograms.1);
            if float_range.is_empty() && histogram_range.is_empty() {
                continue;
            }
            let window = Window {
                float_starts: starts
                    .floats
                    .get(float_range.clone())
                    .filter(|_| use_starts)
                    .unwrap_or_default(),
                histogram_starts: starts
                    .histograms
                    .get(histogram_range.clone())
                    .filter(|_| use_starts)
                    .unwrap_or_default(),
                floats: &data.floats[float_range],
                histograms: &data.histograms[histogram_range],
                start_ms,
                end_ms,
                range_ms: ranges.range_ms,
                lookback_ms,
                extension: ranges.extension,
                now_ms,
                dialect: self.options.dialect,
                labels: &data.labels,
                span: ranges.span,
            };
            if let Some(value) = apply(context, step, &window, &mut self.notes)? {
                column.set(step, value);
            }
        }
        Ok(column)
    }

    /// One series of ones where no series has a sample in its range.
    fn absent_over_time(&mut self, arg: &Expr, ranges: &Ranges, steps: &Steps) -> Vec<Series> {
        let mut column = Column::new(steps.count);
        for step in 0..steps.count {
            let end = ranges.shift.apply(steps.time(step));
            let start = end.saturating_sub(ranges.range_ms);
            let inside = |time: i64| time > start && time <= end;
            let present = ranges.series.iter().any(|series| {
                series.data.floats.iter().any(|point| inside(point.timestamp_ms))
                    || series.data.histograms.iter().any(|point| inside(point.timestamp_ms))
            });
            if !present {
                column.set_float(step, 1.0);
            }
        }
        let result = Series {
            labels: absent_labels(arg),
            drop_name: true,
            column,
        };
        if result.column.is_empty() {
            Vec::new()
        } else {
            vec![result]
        }
    }

    /// Says so if a metric does not look like a counter.
    fn doubt_counter(&mut self, labels: &Labels, column: &Column, span: Span) {
        let name = metric_name(labels);
        if name.is_empty() || column.floats().iter().all(|value| crate::sample::is_stale_nan(*value)) {
            return;
        }
        if self.options.type_and_unit_labels {
            let kind = labels.value(METRIC_TYPE);
            if kind != "counter" && kind != "histogram" {
                self.notes
                    .add(Note::PossibleNonCounterType(name, kind.to_owned()), span);
            }
        } else if !["_total", "_sum", "_count", "_bucket"]
            .iter()
            .any(|suffix| name.ends_with(suffix))
        {
            self.notes.add(Note::PossibleNonCounter(name), span);
        }
    }
}

/// The function and its other arguments.
pub(super) struct Context<'a> {
    pub(super) function: Function,
    scalars: &'a [Vec<f64>],
    scalar_spans: &'a [Span],
}

fn apply(
    context: &Context<'_>,
    step: usize,
    window: &Window<'_>,
    notes: &mut Notes,
) -> Result<Option<Value>, QueryError> {
    use Function as F;
    let scalar = |at: usize| context.scalars.get(at).and_then(|values| values.get(step)).copied();
    let scalar_span = |at: usize| context.scalar_spans.get(at).copied().unwrap_or(window.span);
    let extended = window.extension.is_some();
    Ok(match context.function {
        F::Rate if extended => extended::rate(window, rate::Kind::Rate, notes),
        F::Increase if extended => extended::rate(window, rate::Kind::Increase, notes),
        F::Delta if extended => extended::rate(window, rate::Kind::Delta, notes),
        F::Rate => rate::extrapolated(window, rate::Kind::Rate, notes),
        F::Increase => rate::extrapolated(window, rate::Kind::Increase, notes),
        F::Delta => rate::extrapolated(window, rate::Kind::Delta, notes),
        F::Irate => changes::instant(window, rate::Kind::Rate, notes),
        F::Idelta => changes::instant(window, rate::Kind::Delta, notes),
        F::Resets => changes::resets(window),
        F::Changes => changes::changes(window),
        F::PredictLinear => over_time::predict_linear(window, scalar(0).unwrap_or(f64::NAN), notes),
        F::Deriv => over_time::derivative(window, notes),
        F::QuantileOverTime => over_time::quantile_of(window, scalar(0).unwrap_or(f64::NAN), scalar_span(0), notes),
        F::DoubleExponentialSmoothing => {
            let factor = |at| scalar(at).unwrap_or(f64::NAN);
            over_time::smoothing(window, factor(0), factor(1), notes)?
        }
        F::Integral => over_time::integral(window, scalar(0), scalar_span(0), notes),
        function => over_time::simple(window, function, notes),
    })
}

/// Moves a half-open range of indices so that it covers times in `(first, last]`.
fn slide<T>(
    points: &[T],
    (from, to): (usize, usize),
    time: impl Fn(&T) -> i64 + Copy,
    first: i64,
    last: i64,
) -> (usize, usize) {
    let from = advance(points, from, |point| time(point) <= first);
    let to = advance(points, to.max(from), |point| time(point) <= last);
    (from, to)
}

fn check_extension(function: Function, extension: Option<RangeExtension>) -> Result<(), QueryError> {
    use Function::{Changes, Delta, Increase, Rate, Resets};
    let (name, allowed): (&str, &[Function]) = match extension {
        None => return Ok(()),
        Some(RangeExtension::Anchored) => ("anchored", &[Changes, Delta, Increase, Rate, Resets]),
        Some(RangeExtension::Smoothed) => ("smoothed", &[Delta, Increase, Rate]),
    };
    if allowed.contains(&function) {
        return Ok(());
    }
    let names: Vec<&str> = allowed.iter().map(|function| function.name()).collect();
    Err(QueryError::execution(format_args!(
        "{name} modifier can only be used with: {} - not with {}",
        names.join(", "),
        function.name()
    )))
}
