//! Functions that compare neighbouring samples: `irate`, `idelta`, `resets`, `changes`.

use std::sync::Arc;

use super::annotations::{Note, Notes};
use super::range_functions::Window;
use super::rate::{Kind, is_start_reset, subtract};
use crate::ast::RangeExtension;
use crate::histogram::{CounterResetHint, FloatHistogram};
use crate::sample::{FloatPoint, HistogramPoint, Value};

/// A sample of either kind.
#[derive(Clone, Copy)]
enum Point<'a> {
    Float(&'a FloatPoint),
    Histogram(&'a HistogramPoint),
}

impl Point<'_> {
    fn time(&self) -> i64 {
        match self {
            Point::Float(point) => point.timestamp_ms,
            Point::Histogram(point) => point.timestamp_ms,
        }
    }
}

/// The samples of both kinds in order of time with their start times, from the given indices on.
fn merged<'a>(window: &Window<'a>, (mut float, mut histogram): (usize, usize)) -> Vec<(Point<'a>, i64)> {
    let mut points = Vec::with_capacity(window.floats.len() + window.histograms.len());
    loop {
        let next_float = window.floats.get(float);
        let next_histogram = window.histograms.get(histogram);
        let float_first = match (next_float, next_histogram) {
            (None, None) => return points,
            (Some(a), Some(b)) => a.timestamp_ms < b.timestamp_ms,
            (a, None) => a.is_some(),
            (None, Some(_)) => false,
        };
        if let Some(point) = next_float.filter(|_| float_first) {
            points.push((
                Point::Float(point),
                window.float_starts.get(float).copied().unwrap_or(0),
            ));
            float += 1;
        } else if let Some(point) = next_histogram {
            points.push((
                Point::Histogram(point),
                window.histogram_starts.get(histogram).copied().unwrap_or(0),
            ));
            histogram += 1;
        }
    }
}

pub(super) fn instant(window: &Window<'_>, kind: Kind, notes: &mut Notes) -> Option<Value> {
    // The last two samples are among the last two of each kind.
    let from = (
        window.floats.len().saturating_sub(2),
        window.histograms.len().saturating_sub(2),
    );
    let points = merged(window, from);
    let [.., (before, before_start), (now, now_start)] = points.as_slice() else {
        return None;
    };
    let millis = now.time() - before.time();
    if millis == 0 {
        return None;
    }
    let counter = kind.is_counter();
    let start_reset = is_start_reset(window.dialect, *before_start, before.time(), *now_start, now.time());
    let seconds = if counter { millis as f64 / 1000.0 } else { 1.0 };
    match (before, now) {
        (Point::Float(before), Point::Float(now)) => {
            let reset = counter && (now.value < before.value || start_reset);
            let difference = if reset { now.value } else { now.value - before.value };
            Some(Value::Float(if counter { difference / seconds } else { difference }))
        }
        (Point::Histogram(before), Point::Histogram(now)) => {
            let (before, now) = (&before.histogram, &now.histogram);
            let gauges = [before, now].map(|histogram| histogram.counter_reset_hint == CounterResetHint::Gauge);
            if counter && gauges.contains(&true) {
                notes.add(Note::NotCounter(window.name()), window.span);
            }
            if !counter && gauges.contains(&false) {
                notes.add(Note::NotGauge(window.name()), window.span);
            }
            let reset = counter && (start_reset || now.is_reset_since(before));
            let mut result = if reset {
                FloatHistogram::clone(now)
            } else {
                subtract(now, before, window, notes)?
            };
            result.counter_reset_hint = CounterResetHint::Gauge;
            result.compact();
            if counter {
                result.divide(seconds);
            }
            Some(Value::Histogram(Arc::new(result)))
        }
        _ => {
            notes.add(Note::MixedFloatsHistograms(window.name()), window.span);
            None
        }
    }
}

/// Where counting of changes begins: of an anchored range at the last sample before it. `None` if there is no sample
/// behind its start.
fn first_indices(window: &Window<'_>) -> Option<(usize, usize)> {
    if window.extension != Some(RangeExtension::Anchored) {
        return Some((0, 0));
    }
    let start = window.start_ms;
    let floats = window.floats.partition_point(|point| point.timestamp_ms <= start);
    let histograms = window.histograms.partition_point(|point| point.timestamp_ms <= start);
    if floats == window.floats.len() && histograms == window.histograms.len() {
        return None;
    }
    let last_float = floats.checked_sub(1).map(|at| window.floats[at].timestamp_ms);
    let last_histogram = histograms.checked_sub(1).map(|at| window.histograms[at].timestamp_ms);
    Some(match (last_float, last_histogram) {
        (None, None) => (0, 0),
        (Some(_), None) => (floats - 1, histograms),
        (Some(float), Some(histogram)) if float >= histogram => (floats - 1, histograms),
        _ => (floats, histograms - 1),
    })
}

pub(super) fn resets(window: &Window<'_>) -> Option<Value> {
    let points = merged(window, first_indices(window)?);
    let is_reset = |pair: &[(Point<'_>, i64)]| {
        let ((before, before_start), (now, now_start)) = (pair[0], pair[1]);
        let start_reset = is_start_reset(window.dialect, before_start, before.time(), now_start, now.time());
        match (before, now) {
            (Point::Float(before), Point::Float(now)) => now.value < before.value || start_reset,
            (Point::Histogram(before), Point::Histogram(now)) => {
                start_reset || now.histogram.is_reset_since(&before.histogram)
            }
            _ => true,
        }
    };
    Some(Value::Float(
        points.windows(2).filter(|pair| is_reset(pair)).count() as f64
    ))
}

pub(super) fn changes(window: &Window<'_>) -> Option<Value> {
    let points = merged(window, first_indices(window)?);
    let is_change = |pair: &[(Point<'_>, i64)]| match (pair[0].0, pair[1].0) {
        (Point::Float(before), Point::Float(now)) => {
            now.value != before.value && !(now.value.is_nan() && before.value.is_nan())
        }
        (Point::Histogram(before), Point::Histogram(now)) => !now.histogram.same_observations(&before.histogram),
        _ => true,
    };
    Some(Value::Float(
        points.windows(2).filter(|pair| is_change(pair)).count() as f64
    ))
}
