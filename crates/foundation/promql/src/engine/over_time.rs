//! Functions that summarize the samples of a range.

use std::sync::Arc;

use super::QueryError;
use super::accumulate::{HistogramSum, Problem};
use super::annotations::{Note, Notes};
use super::quantile::quantile;
use super::range_functions::Window;
use crate::ast::Span;
use crate::functions::Function;
use crate::histogram::{Kahan, Tally};
use crate::number::GoFloat;
use crate::sample::{FloatPoint, Value};

/// Functions without further arguments.
pub(super) fn simple(window: &Window<'_>, function: Function, notes: &mut Notes) -> Option<Value> {
    use Function as F;
    let float = |value: f64| Some(Value::Float(value));
    match function {
        F::CountOverTime => float((window.floats.len() + window.histograms.len()) as f64),
        F::PresentOverTime => float(1.0),
        F::FirstOverTime => first(window),
        F::LastOverTime => last(window),
        F::TsOfFirstOverTime => {
            let times = [
                window.floats.first().map(|p| p.timestamp_ms),
                window.histograms.first().map(|p| p.timestamp_ms),
            ];
            float(times.into_iter().flatten().min()? as f64 / 1000.0)
        }
        F::TsOfLastOverTime => {
            let times = [
                window.floats.last().map(|p| p.timestamp_ms),
                window.histograms.last().map(|p| p.timestamp_ms),
            ];
            float(times.into_iter().flatten().max()? as f64 / 1000.0)
        }
        F::SumOverTime | F::AvgOverTime => sum_or_average(window, function == F::AvgOverTime, notes),
        _ => {
            let floats = floats_only(window, notes)?;
            float(match function {
                F::MaxOverTime => extremum(floats, |value, best| value > best).value,
                F::MinOverTime => extremum(floats, |value, best| value < best).value,
                F::TsOfMaxOverTime => extremum(floats, |value, best| value >= best).timestamp_ms as f64 / 1000.0,
                F::TsOfMinOverTime => extremum(floats, |value, best| value <= best).timestamp_ms as f64 / 1000.0,
                F::StdvarOverTime => variance(floats),
                F::StddevOverTime => variance(floats).sqrt(),
                F::MadOverTime => median_absolute_deviation(floats),
                _ => return None,
            })
        }
    }
}

/// The floats of a window, if there are any; histograms among them are ignored with a remark.
fn floats_only<'a>(window: &Window<'a>, notes: &mut Notes) -> Option<&'a [FloatPoint]> {
    if window.floats.is_empty() {
        return None;
    }
    remark_ignored(window, notes);
    Some(window.floats)
}

fn remark_ignored(window: &Window<'_>, notes: &mut Notes) {
    if window.is_mixed() {
        notes.add(Note::IgnoredInRange(window.name()), window.span);
    }
}

fn first(window: &Window<'_>) -> Option<Value> {
    match (window.floats.first(), window.histograms.first()) {
        (Some(float), Some(histogram)) if float.timestamp_ms >= histogram.timestamp_ms => {
            Some(Value::Histogram(histogram.histogram.clone()))
        }
        (Some(float), _) => Some(Value::Float(float.value)),
        (None, histogram) => histogram.map(|point| Value::Histogram(point.histogram.clone())),
    }
}

fn last(window: &Window<'_>) -> Option<Value> {
    match (window.floats.last(), window.histograms.last()) {
        (Some(float), Some(histogram)) if histogram.timestamp_ms >= float.timestamp_ms => {
            Some(Value::Histogram(histogram.histogram.clone()))
        }
        (Some(float), _) => Some(Value::Float(float.value)),
        (None, histogram) => histogram.map(|point| Value::Histogram(point.histogram.clone())),
    }
}

fn sum_or_average(window: &Window<'_>, average: bool, notes: &mut Notes) -> Option<Value> {
    if window.is_mixed() {
        notes.add(Note::MixedFloatsHistograms(window.name()), window.span);
        return None;
    }
    if !window.floats.is_empty() {
        return Some(Value::Float(if average {
            mean(window.floats)
        } else {
            sum(window.floats)
        }));
    }
    let mut total = HistogramSum::default();
    for point in window.histograms {
        total.add(&point.histogram, average, false);
        match total.problem.take() {
            Some(Problem::MixedSchemas) => {
                notes.add(Note::MixedSchemas(window.name()), window.span);
                return None;
            }
            Some(Problem::Bounds) => notes.add(Note::BoundsReconciled("aggregation"), window.span),
            None => {}
        }
    }
    if total.reset_seen && total.no_reset_seen {
        notes.add(Note::ResetCollision("aggregation"), window.span);
    }
    total
        .finish(window.histograms.len() as f64)
        .map(|histogram| Value::Histogram(Arc::new(histogram)))
}

fn sum(points: &[FloatPoint]) -> f64 {
    let mut sum = Kahan::default();
    points.iter().for_each(|point| sum.add(point.value));
    if sum.sum.is_infinite() { sum.sum } else { sum.total() }
}

/// The sum divided by the count, or an incremental mean from where the sum would leave the range of floats.
fn mean(points: &[FloatPoint]) -> f64 {
    let mut sum = Kahan::new(points[0].value);
    for (at, point) in points.iter().enumerate().skip(1) {
        let mut next = sum;
        next.add(point.value);
        if next.sum.is_infinite() {
            return incremental_mean(sum, at, &points[at..]);
        }
        sum = next;
    }
    let count = points.len() as f64;
    sum.sum / count + sum.compensation / count
}

fn incremental_mean(sum: Kahan, summed: usize, rest: &[FloatPoint]) -> f64 {
    let before = summed as f64;
    let mut mean = Kahan {
        sum: sum.sum / before,
        compensation: sum.compensation / before,
    };
    for (at, point) in rest.iter().enumerate() {
        let count = (summed + at + 1) as f64;
        let share = (count - 1.0) / count;
        mean = Kahan {
            sum: share * mean.sum,
            compensation: share * mean.compensation,
        };
        mean.add(point.value / count);
    }
    mean.total()
}

/// The point that beats all before it; any number beats NaN.
fn extremum(points: &[FloatPoint], beats: impl Fn(f64, f64) -> bool) -> FloatPoint {
    let mut best = points[0];
    for point in points {
        if beats(point.value, best.value) || best.value.is_nan() {
            best = *point;
        }
    }
    best
}

/// Welford's algorithm with compensated sums.
fn variance(points: &[FloatPoint]) -> f64 {
    let (mut mean, mut squares) = (Kahan::default(), Kahan::default());
    for (at, point) in points.iter().enumerate() {
        let delta = point.value - mean.total();
        mean.add(delta / (at + 1) as f64);
        squares.add(delta * (point.value - mean.total()));
    }
    squares.total() / points.len() as f64
}

fn median_absolute_deviation(points: &[FloatPoint]) -> f64 {
    let mut values: Vec<f64> = points.iter().map(|point| point.value).collect();
    if values.iter().any(|value| value.is_nan()) {
        return f64::NAN;
    }
    let median = quantile(0.5, &mut values);
    values.iter_mut().for_each(|value| *value = (*value - median).abs());
    quantile(0.5, &mut values)
}

pub(super) fn quantile_of(window: &Window<'_>, q: f64, q_span: Span, notes: &mut Notes) -> Option<Value> {
    if window.floats.is_empty() {
        return None;
    }
    if !(0.0..=1.0).contains(&q) {
        notes.add(Note::InvalidQuantile(GoFloat(q).to_string()), q_span);
    }
    remark_ignored(window, notes);
    let mut values: Vec<f64> = window.floats.iter().map(|point| point.value).collect();
    Some(Value::Float(quantile(q, &mut values)))
}

/// At least two floats, for functions that need a direction.
fn two_floats<'a>(window: &Window<'a>, notes: &mut Notes) -> Option<&'a [FloatPoint]> {
    if !window.floats.is_empty() {
        remark_ignored(window, notes);
    }
    Some(window.floats).filter(|floats| floats.len() >= 2)
}

pub(super) fn derivative(window: &Window<'_>, notes: &mut Notes) -> Option<Value> {
    let floats = two_floats(window, notes)?;
    // A time near the samples keeps the numbers small.
    Some(Value::Float(regression(floats, floats[0].timestamp_ms).0))
}

pub(super) fn predict_linear(window: &Window<'_>, seconds: f64, notes: &mut Notes) -> Option<Value> {
    let floats = two_floats(window, notes)?;
    let (slope, intercept) = regression(floats, window.now_ms);
    Some(Value::Float(slope * seconds + intercept))
}

/// Least squares: slope per second, and value at a time.
fn regression(points: &[FloatPoint], time_ms: i64) -> (f64, f64) {
    let first = points[0].value;
    let [mut x, mut y, mut xy, mut xx] = [Kahan::default(); 4];
    for point in points {
        let seconds = (point.timestamp_ms - time_ms) as f64 / 1000.0;
        x.add(seconds);
        y.add(point.value);
        xy.add(seconds * point.value);
        xx.add(seconds * seconds);
    }
    if points.iter().all(|point| point.value == first) {
        return if first.is_infinite() {
            (f64::NAN, f64::NAN)
        } else {
            (0.0, first)
        };
    }
    let count = points.len() as f64;
    let [x, y, xy, xx] = [x, y, xy, xx].map(Kahan::total);
    let slope = (xy - x * y / count) / (xx - x * x / count);
    (slope, y / count - slope * x / count)
}

/// Double exponential smoothing (<https://en.wikipedia.org/wiki/Exponential_smoothing>).
pub(super) fn smoothing(
    window: &Window<'_>,
    smoothing: f64,
    trend_factor: f64,
    notes: &mut Notes,
) -> Result<Option<Value>, QueryError> {
    for (name, symbol, factor) in [("smoothing", "sf", smoothing), ("trend", "tf", trend_factor)] {
        if factor <= 0.0 || factor >= 1.0 {
            return Err(QueryError::execution(format_args!(
                "invalid {name} factor. Expected: 0 < {symbol} < 1, got: {factor:.6}"
            )));
        }
    }
    let Some(floats) = two_floats(window, notes) else {
        return Ok(None);
    };
    let (mut before, mut level) = (0.0, floats[0].value);
    let mut trend = floats[1].value - floats[0].value;
    for (at, point) in floats.iter().enumerate().skip(1) {
        if at > 1 {
            trend = trend_factor * (level - before) + (1.0 - trend_factor) * trend;
        }
        let next = smoothing * point.value + (1.0 - smoothing) * (level + trend);
        (before, level) = (level, next);
    }
    Ok(Some(Value::Float(level)))
}

/// The area under the samples in value-seconds: 0 takes the left of two values, 1 the right, 2 their mean. NaN is 0.
pub(super) fn integral(
    window: &Window<'_>,
    strategy: Option<f64>,
    strategy_span: Span,
    notes: &mut Notes,
) -> Option<Value> {
    let floats = floats_only(window, notes)?;
    let strategy = strategy.unwrap_or(2.0);
    if ![0.0, 1.0, 2.0].contains(&strategy) {
        notes.add(
            Note::InvalidIntegralStrategy(GoFloat(strategy).to_string()),
            strategy_span,
        );
    }
    let zero_if_nan = |value: f64| if value.is_nan() { 0.0 } else { value };
    let mut sum = Kahan::default();
    for pair in floats.windows(2) {
        let (left, right) = (zero_if_nan(pair[0].value), zero_if_nan(pair[1].value));
        let height = if strategy == 0.0 {
            Kahan::new(left)
        } else if strategy == 1.0 {
            Kahan::new(right)
        } else {
            middle(left, right)
        };
        if height.sum != 0.0 || height.compensation != 0.0 {
            let seconds = (pair[1].timestamp_ms - pair[0].timestamp_ms) as f64 / 1000.0;
            sum.compensation += height.compensation * seconds;
            sum.add(height.sum * seconds);
        }
    }
    Some(Value::Float(if sum.sum.is_infinite() { sum.sum } else { sum.total() }))
}

/// The mean of two floats, also if their sum is not a float.
fn middle(left: f64, right: f64) -> Kahan {
    let mut sum = Kahan::new(left);
    sum.add(right);
    if sum.sum.is_infinite() && left.is_finite() && right.is_finite() {
        let mut halves = Kahan::new(left / 2.0);
        halves.add(right / 2.0);
        return halves;
    }
    Kahan {
        sum: sum.sum / 2.0,
        compensation: sum.compensation / 2.0,
    }
}
