//! Anchored and smoothed ranges: values at the edges are taken or interpolated from samples outside.

use std::sync::Arc;

use super::QueryError;
use super::annotations::{Note, Notes, metric_name};
use super::column::{Column, Series};
use super::evaluator::{Evaluator, Steps};
use super::range_functions::Window;
use super::rate::{Kind, add, is_start_reset, subtract};
use super::selection::{Ranges, Reach, advance};
use crate::ast::{RangeExtension, Span, VectorSelector};
use crate::histogram::{CounterResetHint, FloatHistogram};
use crate::sample::{FloatPoint, HistogramPoint, Value, is_stale_nan};
use crate::source::SeriesData;

pub(super) fn rate(window: &Window<'_>, kind: Kind, notes: &mut Notes) -> Option<Value> {
    if window.is_mixed() {
        notes.add(Note::MixedFloatsHistograms(window.name()), window.span);
        return None;
    }
    let seconds = window.range_ms as f64 / 1000.0;
    if window.histograms.is_empty() {
        let increase = float_increase(window, kind)?;
        return Some(Value::Float(if kind == Kind::Rate {
            increase / seconds
        } else {
            increase
        }));
    }
    let mut increase = histogram_increase(window, kind, notes)?;
    if kind == Kind::Rate {
        increase.divide(seconds);
    }
    increase.counter_reset_hint = CounterResetHint::Gauge;
    increase.compact();
    Some(Value::Histogram(Arc::new(increase)))
}

/// The points of an extended range, with one at each edge.
pub(super) fn points(window: &Window<'_>) -> Vec<FloatPoint> {
    let floats = window.floats;
    if floats.is_empty() {
        return Vec::new();
    }
    let (first, last) = edges(floats, |point| point.timestamp_ms, window);
    if floats[last].timestamp_ms <= window.start_ms {
        return Vec::new();
    }
    let lookback_start = window.start_ms.saturating_sub(window.lookback_ms);
    let left = left_edge(window, first, lookback_start, Kind::Delta).value;
    let right = right_edge(window, last, lookback_start, Kind::Delta).value;
    let inside = |point: &&FloatPoint| point.timestamp_ms > window.start_ms && point.timestamp_ms < window.end_ms;
    let inner = floats[first..=last].iter().filter(inside).copied();
    let edge = |timestamp_ms: i64, value: f64| std::iter::once(FloatPoint { timestamp_ms, value });
    edge(window.start_ms, left)
        .chain(inner)
        .chain(edge(window.end_ms, right))
        .collect()
}

fn is_smoothed(window: &Window<'_>) -> bool {
    window.extension == Some(RangeExtension::Smoothed)
}

/// The first sample that matters (the last at or before the range's start, if there is one) and the last.
fn edges<T>(points: &[T], time: impl Fn(&T) -> i64, window: &Window<'_>) -> (usize, usize) {
    let last = points.len() - 1;
    let first = points[..last]
        .partition_point(|point| time(point) <= window.start_ms)
        .saturating_sub(1);
    let last = if is_smoothed(window) {
        points[..last].partition_point(|point| time(point) < window.end_ms)
    } else {
        last
    };
    (first, last)
}

/// The value of a counter or gauge at an edge, and since when it counts.
#[derive(Clone, Copy)]
struct Edge {
    value: f64,
    start: i64,
}

/// A float with its start time.
#[derive(Clone, Copy)]
struct Started {
    point: FloatPoint,
    start: i64,
}

fn started(window: &Window<'_>, at: usize) -> Started {
    Started {
        point: window.floats[at],
        start: window.float_starts.get(at).copied().unwrap_or(0),
    }
}

fn zero_at(timestamp_ms: i64) -> FloatPoint {
    FloatPoint {
        timestamp_ms,
        value: 0.0,
    }
}

/// Whether start times say that a counter began behind `time_ms`.
fn began_after(window: &Window<'_>, time_ms: i64, started: Started) -> bool {
    started.start > time_ms
        && started.point.timestamp_ms > time_ms
        && is_start_reset(
            window.dialect,
            time_ms,
            time_ms,
            started.start,
            started.point.timestamp_ms,
        )
}

fn resets_between(window: &Window<'_>, before: Started, after: Started) -> bool {
    is_start_reset(
        window.dialect,
        before.start,
        before.point.timestamp_ms,
        after.start,
        after.point.timestamp_ms,
    )
}

fn float_increase(window: &Window<'_>, kind: Kind) -> Option<f64> {
    let floats = window.floats;
    let (mut first, last) = edges(floats, |point| point.timestamp_ms, window);
    if floats[last].timestamp_ms <= window.start_ms {
        return None;
    }
    let lookback_start = window.start_ms.saturating_sub(window.lookback_ms);
    let one = started(window, first);
    if is_smoothed(window) && one.point.timestamp_ms > window.end_ms {
        let usable =
            kind.is_counter() && began_after(window, lookback_start, one) && !began_after(window, window.end_ms, one);
        if !usable {
            return None;
        }
    }
    let left = left_edge(window, first, lookback_start, kind);
    let right = right_edge(window, last, lookback_start, kind);
    let mut increase = right.value - left.value;
    if kind.is_counter() {
        // The edges have dealt with the samples outside.
        if floats[first].timestamp_ms <= window.start_ms {
            first += 1;
        }
        let end = last + usize::from(floats[last].timestamp_ms < window.end_ms);
        increase += lost_by_resets(window, left, right, first..end.max(first));
    }
    Some(increase)
}

fn left_edge(window: &Window<'_>, first: usize, lookback_start: i64, kind: Kind) -> Edge {
    let (start_ms, counter) = (window.start_ms, kind.is_counter());
    let mut one = started(window, first);
    let mut start = if one.start > start_ms { 0 } else { one.start };
    let edge = |value: f64, start: i64| Edge { value, start };
    if one.point.timestamp_ms == start_ms {
        return edge(one.point.value, one.start);
    }
    if one.point.timestamp_ms > start_ms {
        if !counter || !began_after(window, lookback_start, one) {
            return edge(one.point.value, start);
        }
        if began_after(window, start_ms, one) || !is_smoothed(window) {
            return edge(0.0, start);
        }
        return edge(interpolate(zero_at(one.start), one.point, start_ms, counter), start);
    }
    let mut next = started(window, first + 1);
    if counter && began_after(window, start_ms, next) {
        next.point = zero_at(next.start);
    } else if counter && resets_between(window, one, next) {
        one.point = zero_at(next.start);
        start = next.start;
    }
    let value = if is_smoothed(window) {
        interpolate(one.point, next.point, start_ms, counter)
    } else {
        one.point.value
    };
    edge(value, start)
}

fn right_edge(window: &Window<'_>, last: usize, lookback_start: i64, kind: Kind) -> Edge {
    let (end_ms, counter) = (window.end_ms, kind.is_counter());
    let mut one = started(window, last);
    let mut start = if one.start > end_ms { 0 } else { one.start };
    let edge = |value: f64, start: i64| Edge { value, start };
    if one.point.timestamp_ms <= end_ms {
        return edge(one.point.value, start);
    }
    if last == 0 {
        if !counter || !began_after(window, lookback_start, one) {
            return edge(one.point.value, start);
        }
        if began_after(window, end_ms, one) || !is_smoothed(window) {
            return edge(0.0, start);
        }
        return edge(interpolate(zero_at(one.start), one.point, end_ms, counter), start);
    }
    let mut before = started(window, last - 1);
    if counter && began_after(window, end_ms, one) {
        one.point = zero_at(one.start);
        start = before.start;
    } else if counter && resets_between(window, before, one) {
        before.point = zero_at(one.start);
    }
    let value = if is_smoothed(window) {
        interpolate(before.point, one.point, end_ms, counter)
    } else {
        before.point.value
    };
    edge(value, start)
}

/// The value on the line between two points; a counter that decreased is taken to have begun at zero.
fn interpolate(a: FloatPoint, b: FloatPoint, time_ms: i64, counter: bool) -> f64 {
    let from = if counter && b.value < a.value { 0.0 } else { a.value };
    let share = (time_ms - a.timestamp_ms) as f64;
    from + (b.value - from) * share / (b.timestamp_ms - a.timestamp_ms) as f64
}

fn lost_by_resets(window: &Window<'_>, left: Edge, right: Edge, inside: std::ops::Range<usize>) -> f64 {
    let at = |time: i64, edge: Edge| Started {
        point: FloatPoint {
            timestamp_ms: time,
            value: edge.value,
        },
        start: edge.start,
    };
    let mut before = at(window.start_ms, left);
    let mut lost = 0.0;
    let last = at(window.end_ms, right);
    for now in inside.map(|index| started(window, index)).chain([last]) {
        if now.point.value < before.point.value || resets_between(window, before, now) {
            lost += before.point.value;
        }
        before = now;
    }
    lost
}

fn histogram_increase(window: &Window<'_>, kind: Kind, notes: &mut Notes) -> Option<FloatHistogram> {
    let points = window.histograms;
    let (first, last) = edges(points, |point| point.timestamp_ms, window);
    let smoothed = is_smoothed(window);
    if points[last].timestamp_ms <= window.start_ms || (smoothed && points[first].timestamp_ms > window.end_ms) {
        return None;
    }
    let counter = kind.is_counter();
    let custom = points[first].histogram.uses_custom_buckets();
    for point in points.get(first..=last)? {
        if point.histogram.uses_custom_buckets() != custom {
            notes.add(Note::MixedSchemas(window.name()), window.span);
            return None;
        }
        if counter && point.histogram.counter_reset_hint == CounterResetHint::Gauge {
            notes.add(Note::NotCounter(window.name()), window.span);
        }
    }
    let edge = |pair: &[HistogramPoint], time: i64, notes: &mut Notes| {
        interpolate_histograms(&pair[0], &pair[1], time, counter, window, notes)
    };
    let left = if smoothed && points[first].timestamp_ms < window.start_ms {
        edge(&points[first..first + 2], window.start_ms, notes)?
    } else {
        FloatHistogram::clone(&points[first].histogram)
    };
    let right = if smoothed && last > 0 && points[last].timestamp_ms > window.end_ms {
        edge(&points[last - 1..=last], window.end_ms, notes)?
    } else {
        FloatHistogram::clone(&points[last].histogram)
    };
    if !counter
        && [&left, &right]
            .iter()
            .any(|end| end.counter_reset_hint != CounterResetHint::Gauge)
    {
        notes.add(Note::NotGauge(window.name()), window.span);
    }
    let mut increase = subtract(&right, &left, window, notes)?;
    if counter {
        let mut from = first + 1;
        let mut before = &left;
        let spans_reset = |pair: &[HistogramPoint]| pair[1].histogram.is_reset_since(&pair[0].histogram);
        if smoothed && points[first].timestamp_ms < window.start_ms && spans_reset(&points[first..first + 2]) {
            // The interpolation at the left edge has dealt with this reset.
            before = &points[first + 1].histogram;
            from += 1;
        }
        // The last sample is represented by the right edge.
        if from <= last {
            for now in points[from..last].iter().map(|point| &*point.histogram).chain([&right]) {
                if now.is_reset_since(before) {
                    increase = add(&increase, before, window, notes)?;
                }
                before = now;
            }
        }
    }
    Some(increase)
}

fn interpolate_histograms(
    a: &HistogramPoint,
    b: &HistogramPoint,
    time_ms: i64,
    counter: bool,
    window: &Window<'_>,
    notes: &mut Notes,
) -> Option<FloatHistogram> {
    if time_ms == a.timestamp_ms {
        return Some(FloatHistogram::clone(&a.histogram));
    }
    if time_ms == b.timestamp_ms {
        return Some(FloatHistogram::clone(&b.histogram));
    }
    let share = (time_ms - a.timestamp_ms) as f64 / (b.timestamp_ms - a.timestamp_ms) as f64;
    if counter && b.histogram.is_reset_since(&a.histogram) {
        let mut scaled = FloatHistogram::clone(&b.histogram);
        scaled.scale(share);
        return Some(scaled);
    }
    let mut result = subtract(&b.histogram, &a.histogram, window, notes)?;
    result.scale(share);
    add(&result, &a.histogram, window, notes)
}

impl Evaluator<'_> {
    /// The points of an extended range that is the result of a query and ends at `end_ms`.
    pub(super) fn extended_points(
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
    pub(super) fn smoothed_selector(
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
