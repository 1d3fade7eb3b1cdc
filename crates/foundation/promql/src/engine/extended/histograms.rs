//! Extended ranges of histograms.

use super::{edges, is_smoothed};
use crate::engine::annotations::{Note, Notes};
use crate::engine::range_functions::Window;
use crate::engine::rate::{Kind, add, subtract};
use crate::histogram::{CounterResetHint, FloatHistogram};
use crate::sample::HistogramPoint;

pub(super) fn histogram_increase(window: &Window<'_>, kind: Kind, notes: &mut Notes) -> Option<FloatHistogram> {
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

pub(super) fn interpolate_histograms(
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
