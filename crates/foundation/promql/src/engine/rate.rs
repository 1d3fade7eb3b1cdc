//! `rate`, `increase`, `delta` with extrapolation; `irate`, `idelta`; `resets`, `changes`.

use std::sync::Arc;

use super::Dialect;
use super::annotations::{Note, Notes};
use super::range_functions::Window;
use crate::ast::RangeExtension;
use crate::histogram::{CounterResetHint, FloatHistogram};
use crate::sample::{FloatPoint, HistogramPoint, Value};

/// What is computed from the difference over a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Of a counter, per second.
    Rate,
    /// Of a counter, in total.
    Increase,
    /// Of a gauge, in total.
    Delta,
}

impl Kind {
    pub(super) fn is_counter(self) -> bool {
        self != Kind::Delta
    }
}

pub(super) fn extrapolated(window: &Window<'_>, kind: Kind, notes: &mut Notes) -> Option<Value> {
    if window.is_mixed() {
        notes.add(Note::MixedFloatsHistograms(window.name()), window.span);
        return None;
    }
    if window.histograms.is_empty() {
        let floats = window.floats;
        let (first, last) = (floats.first()?, floats.last()?);
        let mut increase = last.value - first.value;
        if kind.is_counter() {
            increase += float_resets(window, notes);
        }
        let zero = if increase > 0.0 && first.value >= 0.0 {
            Some(first.value / increase)
        } else {
            None
        };
        let times = (first.timestamp_ms, last.timestamp_ms);
        let plan = Plan::new(window, kind, times, floats.len(), window.float_starts, zero)?;
        if plan.adds_first {
            increase += first.value;
        }
        return Some(Value::Float(increase * plan.factor));
    }
    let histograms = window.histograms;
    let (first, last) = (histograms.first()?, histograms.last()?);
    let mut increase = match histograms.len() {
        1 => None,
        _ => Some(histogram_increase(window, kind, notes)?),
    };
    let zero = increase
        .as_ref()
        .filter(|increase| increase.count > 0.0 && first.histogram.count >= 0.0);
    let zero = zero.map(|increase| first.histogram.count / increase.count);
    let times = (first.timestamp_ms, last.timestamp_ms);
    let plan = Plan::new(window, kind, times, histograms.len(), window.histogram_starts, zero)?;
    if plan.adds_first {
        increase = Some(match increase {
            None => FloatHistogram::clone(&first.histogram),
            Some(increase) => add(&increase, &first.histogram, window, notes)?,
        });
    }
    let mut increase = increase?;
    increase.scale(plan.factor);
    Some(Value::Histogram(Arc::new(increase)))
}

/// How the difference between the first and the last sample is extrapolated to the whole range.
struct Plan {
    factor: f64,
    /// The counter began at zero within the range, so its first value is part of the increase.
    adds_first: bool,
}

/// Samples further from an end of the range than this many average distances do not cover it.
const EXTRAPOLATION_THRESHOLD: f64 = 1.1;

impl Plan {
    /// `None` if a single sample is not enough. `zero` is how many sampled intervals before the first sample a counter
    /// of this slope was at zero.
    fn new(
        window: &Window<'_>,
        kind: Kind,
        (first_ms, last_ms): (i64, i64),
        count: usize,
        starts: &[i64],
        zero: Option<f64>,
    ) -> Option<Plan> {
        let mut to_start = (first_ms - window.start_ms) as f64 / 1000.0;
        let mut to_end = (window.end_ms - last_ms) as f64 / 1000.0;
        let mut sampled = (last_ms - first_ms) as f64 / 1000.0;
        let average = if count > 1 { sampled / (count - 1) as f64 } else { 0.0 };
        let threshold = average * EXTRAPOLATION_THRESHOLD;
        let start = starts.first().copied().unwrap_or(0);
        let adds_first = kind.is_counter() && start != 0 && start > window.start_ms && start < first_ms;
        if adds_first {
            to_start = 0.0;
            sampled = (last_ms - start) as f64 / 1000.0;
        } else if count < 2 {
            return None;
        } else {
            if to_start >= threshold {
                to_start = average / 2.0;
            }
            if let Some(zero) = zero.filter(|_| kind.is_counter()) {
                // Counters are never negative.
                let to_zero = sampled * zero;
                if to_zero < to_start {
                    to_start = to_zero;
                }
            }
        }
        if to_end >= threshold {
            to_end = average / 2.0;
        }
        let mut factor = if sampled == 0.0 {
            1.0
        } else {
            (sampled + to_start + to_end) / sampled
        };
        if kind == Kind::Rate {
            factor /= window.range_ms as f64 / 1000.0;
        }
        Some(Plan { factor, adds_first })
    }
}

/// What counter resets took away from the increase.
fn float_resets(window: &Window<'_>, notes: &mut Notes) -> f64 {
    let mut lost = 0.0;
    if window.float_starts.is_empty() {
        for pair in window.floats.windows(2) {
            if pair[1].value < pair[0].value {
                lost += pair[0].value;
            }
        }
        return lost;
    }
    let mut overlap = false;
    for (at, pair) in window.floats.windows(2).enumerate() {
        let starts = start_pair(window.float_starts, at);
        overlap |= starts.is_some_and(|(before, now)| overlaps(before, pair[0].timestamp_ms, now));
        let reset = starts.is_some_and(|(before, now)| {
            is_start_reset(window.dialect, before, pair[0].timestamp_ms, now, pair[1].timestamp_ms)
        });
        if pair[1].value < pair[0].value || reset {
            lost += pair[0].value;
        }
    }
    if overlap {
        notes.add(Note::StartTimeOverlap(window.name()), window.span);
    }
    lost
}

fn start_pair(starts: &[i64], at: usize) -> Option<(i64, i64)> {
    Some((*starts.get(at)?, *starts.get(at + 1)?))
}

/// The difference of histograms with counter resets corrected; `None` if they are not compatible.
fn histogram_increase(window: &Window<'_>, kind: Kind, notes: &mut Notes) -> Option<FloatHistogram> {
    let points = window.histograms;
    let (first, last) = (&points.first()?.histogram, &points.last()?.histogram);
    let mut previous: Arc<FloatHistogram> = Arc::clone(first);
    let mixed = |notes: &mut Notes| {
        notes.add(Note::MixedSchemas(window.name()), window.span);
        None
    };
    let counter = kind.is_counter();
    if counter {
        let gauge = |point: &HistogramPoint| point.histogram.counter_reset_hint == CounterResetHint::Gauge;
        if points.iter().any(gauge) {
            notes.add(Note::NotCounter(window.name()), window.span);
        }
        // A reset right behind the first sample makes its layout irrelevant.
        if is_reset(window, 1) {
            let second = &points[1].histogram;
            previous = Arc::new(FloatHistogram {
                schema: second.schema,
                custom_values: second.custom_values.clone(),
                ..FloatHistogram::default()
            });
        }
    }
    let custom = previous.uses_custom_buckets();
    let inner = if counter { &points[1..points.len() - 1] } else { &[] };
    if last.uses_custom_buckets() != custom || inner.iter().any(|p| p.histogram.uses_custom_buckets() != custom) {
        return mixed(notes);
    }
    let schema = inner
        .iter()
        .map(|point| point.histogram.schema)
        .fold(last.schema.min(previous.schema), i32::min);
    let mut increase = subtract(&last.reduced_to(schema), &previous, window, notes)?;
    if counter {
        let mut overlap = false;
        for (at, point) in points.iter().enumerate().skip(1) {
            let starts = start_pair(window.histogram_starts, at - 1);
            let before_ms = points[at - 1].timestamp_ms;
            overlap |= starts.is_some_and(|(before, now)| overlaps(before, before_ms, now));
            let start_reset = starts.is_some_and(|(before, now)| {
                is_start_reset(window.dialect, before, before_ms, now, point.timestamp_ms)
            });
            if start_reset || point.histogram.is_reset_since(&previous) {
                increase = add(&increase, &previous, window, notes)?;
            }
            previous = Arc::clone(&point.histogram);
        }
        if overlap {
            notes.add(Note::StartTimeOverlap(window.name()), window.span);
        }
    } else if [first, last]
        .iter()
        .any(|end| end.counter_reset_hint != CounterResetHint::Gauge)
    {
        notes.add(Note::NotGauge(window.name()), window.span);
    }
    increase.counter_reset_hint = CounterResetHint::Gauge;
    increase.compact();
    Some(increase)
}

/// Whether a counter was reset between samples `at - 1` and `at`.
fn is_reset(window: &Window<'_>, at: usize) -> bool {
    let (before, now) = (&window.histograms[at - 1], &window.histograms[at]);
    let start_reset = start_pair(window.histogram_starts, at - 1).is_some_and(|(first, second)| {
        is_start_reset(window.dialect, first, before.timestamp_ms, second, now.timestamp_ms)
    });
    start_reset || now.histogram.is_reset_since(&before.histogram)
}

pub(super) fn add(
    a: &FloatHistogram,
    b: &FloatHistogram,
    window: &Window<'_>,
    notes: &mut Notes,
) -> Option<FloatHistogram> {
    let Ok((sum, reconciled)) = a.plus(b) else {
        notes.add(Note::MixedSchemas(window.name()), window.span);
        return None;
    };
    notes.reconciled(reconciled, "addition", window.span);
    Some(sum)
}

pub(super) fn subtract(
    a: &FloatHistogram,
    b: &FloatHistogram,
    window: &Window<'_>,
    notes: &mut Notes,
) -> Option<FloatHistogram> {
    let Ok((difference, reconciled)) = a.minus(b) else {
        notes.add(Note::MixedSchemas(window.name()), window.span);
        return None;
    };
    notes.reconciled(reconciled, "subtraction", window.span);
    Some(difference)
}

/// Whether start times say that a counter was reset between two samples. A start time that is 0, or not before its
/// sample, says nothing. One that equals the time of the sample before is a reset only if that sample's own start is
/// known: otherwise both are of a series whose start nobody knows.
pub(super) fn is_start_reset(dialect: Dialect, before_start: i64, before_ms: i64, start: i64, now_ms: i64) -> bool {
    let unchanged = before_start == start && dialect != Dialect::Prometheus3_14;
    if unchanged || start == 0 || start >= now_ms || start < before_ms {
        return false;
    }
    start > before_ms || (before_start <= before_ms && before_start != 0 && before_start != before_ms)
}

/// Whether a sample claims to count from within the time that the sample before has covered.
fn overlaps(before_start: i64, before_ms: i64, start: i64) -> bool {
    start != 0 && start < before_ms && start != before_start
}

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
