//! Anchored and smoothed ranges: values at the edges are taken or interpolated from samples outside.

use std::sync::Arc;

use super::annotations::{Note, Notes};
use super::range_functions::Window;
use super::rate::{Kind, is_start_reset};
use crate::ast::RangeExtension;
use crate::histogram::CounterResetHint;
use crate::sample::{FloatPoint, Value};

mod histograms;
mod selector;

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
    let mut increase = histograms::histogram_increase(window, kind, notes)?;
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
