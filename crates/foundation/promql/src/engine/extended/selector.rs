//! Smoothed instant selectors, and extended ranges that are the result of a query.

use std::sync::Arc;

use super::histograms::interpolate_histograms;
use super::{interpolate, points};
use crate::ast::{RangeExtension, Span, VectorSelector};
use crate::engine::QueryError;
use crate::engine::annotations::{Note, Notes, metric_name};
use crate::engine::column::{Column, Series};
use crate::engine::evaluator::{Evaluator, Steps};
use crate::engine::range_functions::Window;
use crate::engine::selection::{Ranges, Reach, advance};
use crate::histogram::{CounterResetHint, FloatHistogram};
use crate::sample::{FloatPoint, HistogramPoint, Value, is_stale_nan};
use crate::source::SeriesData;

impl Evaluator<'_> {
    /// The points of an extended range that is the result of a query and ends at `end_ms`.
    pub(in crate::engine) fn extended_points(
        &self,
        data: &SeriesData,
        ranges: &Ranges,
        end_ms: i64,
    ) -> Result<Vec<FloatPoint>, QueryError> {
        let start_ms = end_ms.saturating_sub(ranges.range_ms);
        let lookback_ms = self.options.lookback_ms;
        let smoothed = ranges.extension == Some(RangeExtension::Smoothed);
        let (from, to) = (
            start_ms.saturating_sub(lookback_ms),
            end_ms.saturating_add(if smoothed { lookback_ms } else { 0 }),
        );
        if !between(&data.histograms, |point| point.timestamp_ms, from, to).is_empty() {
            let name = if smoothed { "smoothed" } else { "anchored" };
            return Err(QueryError::execution(format_args!(
                "{name} modifier is not supported with histograms"
            )));
        }
        Ok(points(&Window {
            floats: between(&data.floats, |point| point.timestamp_ms, from, to),
            histograms: &[],
            float_starts: &[],
            histogram_starts: &[],
            start_ms,
            end_ms,
            range_ms: ranges.range_ms,
            lookback_ms,
            extension: ranges.extension,
            now_ms: end_ms,
            dialect: self.options.dialect,
            labels: &data.labels,
            span: ranges.span,
        }))
    }

    /// The values of a smoothed instant selector: on the line between the samples around each step.
    pub(in crate::engine) fn smoothed_selector(
        &mut self,
        selector: &VectorSelector,
        span: Span,
        steps: &Steps,
    ) -> Result<Vec<Series>, QueryError> {
        let lookback = self.options.lookback_ms;
        let reach = Reach {
            before_ms: lookback,
            after_ms: lookback,
            ..Reach::default()
        };
        let (all, shift) = self.select(selector, steps, reach)?;
        let mut result = Vec::new();
        for mut data in all {
            data.floats.retain(|point| !is_stale_nan(point.value));
            data.histograms.retain(|point| !is_stale_nan(point.histogram.sum));
            let mut column = Column::new(steps.count);
            for step in 0..steps.count {
                let now = shift.apply(steps.time(step));
                let (from, to) = (now.saturating_sub(lookback), now.saturating_add(lookback));
                let floats = between(&data.floats, |point| point.timestamp_ms, from, to);
                let histograms = between(&data.histograms, |point| point.timestamp_ms, from, to);
                let window = Window {
                    floats,
                    histograms,
                    float_starts: &[],
                    histogram_starts: &[],
                    start_ms: from,
                    end_ms: to,
                    range_ms: to - from,
                    lookback_ms: lookback,
                    extension: selector.extension,
                    now_ms: now,
                    dialect: self.options.dialect,
                    labels: &data.labels,
                    span,
                };
                if window.is_mixed() {
                    self.notes
                        .add(Note::MixedFloatsHistograms(metric_name(&data.labels)), span);
                } else if let Some(value) = smoothed_value(&window, &mut self.notes) {
                    column.set(step, value);
                }
            }
            if !column.is_empty() {
                self.budget.use_samples(column.size())?;
                result.push(Series {
                    labels: data.labels,
                    drop_name: false,
                    column,
                });
            }
        }
        Ok(result)
    }
}

fn between<T>(points: &[T], time: impl Fn(&T) -> i64, from: i64, to: i64) -> &[T] {
    let start = advance(points, 0, |point| time(point) <= from);
    let end = advance(points, start, |point| time(point) <= to);
    &points[start..end]
}

fn smoothed_value(window: &Window<'_>, notes: &mut Notes) -> Option<Value> {
    let now = window.now_ms;
    if window.histograms.is_empty() {
        let at = window.floats.partition_point(|point| point.timestamp_ms < now);
        let before = at.checked_sub(1).map(|at| window.floats[at]);
        return Some(Value::Float(match (before, window.floats.get(at)) {
            (_, Some(next)) if next.timestamp_ms == now => next.value,
            (Some(before), Some(next)) => interpolate(before, *next, now, false),
            (Some(before), None) => before.value,
            (None, _) => return None,
        }));
    }
    let at = window.histograms.partition_point(|point| point.timestamp_ms < now);
    let before = at.checked_sub(1).map(|at| &window.histograms[at]);
    match (before, window.histograms.get(at)) {
        (_, Some(next)) if next.timestamp_ms == now => Some(Value::Histogram(next.histogram.clone())),
        (Some(before), Some(next))
            if before.histogram.uses_custom_buckets() != next.histogram.uses_custom_buckets() =>
        {
            notes.add(Note::MixedSchemas(window.name()), window.span);
            None
        }
        (Some(before), Some(next)) => {
            let gauge = |point: &HistogramPoint| point.histogram.counter_reset_hint == CounterResetHint::Gauge;
            let counter = !(gauge(before) && gauge(next));
            let value = interpolate_histograms(before, next, now, counter, window, notes)?;
            Some(Value::Histogram(Arc::new(value)))
        }
        (Some(before), None) => {
            let mut histogram = FloatHistogram::clone(&before.histogram);
            histogram.counter_reset_hint = CounterResetHint::Unknown;
            Some(Value::Histogram(Arc::new(histogram)))
        }
        (None, _) => None,
    }
}
