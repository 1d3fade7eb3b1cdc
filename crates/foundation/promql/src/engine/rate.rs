//! `rate`, `increase`, `delta`, with extrapolation to the whole range.

use std::sync::Arc;

use super::Dialect;
use super::annotations::{Note, Notes};
use super::range_functions::Window;
use crate::histogram::{CounterResetHint, FloatHistogram};
use crate::sample::{HistogramPoint, Value};

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
