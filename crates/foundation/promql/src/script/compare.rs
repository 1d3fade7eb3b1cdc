//! Comparing values with what is expected: floats up to a relative error.

use super::expectation::{Evaluation, Expected, Grid, Times};
use super::notation::SequenceValue;
use crate::engine::{MatrixSeries, QueryValue, VectorSample};
use crate::histogram::{Buckets, FloatHistogram};
use crate::number::almost_equal;
use crate::sample::Value;

/// Relative error allowed for values.
const EPSILON: f64 = 0.000_001;

pub(super) fn value(evaluation: &Evaluation, value: &QueryValue) -> Result<(), String> {
    match value {
        QueryValue::Scalar(_, value) => match &evaluation.expected {
            Expected::Scalar(expected) if almost_equal(*expected, *value, EPSILON) => Ok(()),
            Expected::Scalar(expected) => Err(format!("expected scalar {expected} but got {value}")),
            _ => Err(format!("expected vector or matrix result, but got scalar {value}")),
        },
        QueryValue::String(_, text) => match &evaluation.expected {
            Expected::String(expected) if expected == text => Ok(()),
            Expected::String(expected) => Err(format!("expected string {expected:?} but got {text:?}")),
            // Upstream compares with the empty string if a script expects none.
            _ if text.is_empty() => Ok(()),
            _ => Err(format!("unexpected string {text:?}")),
        },
        QueryValue::Vector(vector) => check_vector(evaluation, vector),
        QueryValue::Matrix(matrix) => check_matrix(evaluation, matrix),
    }
}

fn check_vector(evaluation: &Evaluation, vector: &[VectorSample]) -> Result<(), String> {
    let Expected::Series(expected) = &evaluation.expected else {
        return Err(format!(
            "expected {:?}, but got a vector of {} elements",
            evaluation.expected,
            vector.len()
        ));
    };
    for (at, sample) in vector.iter().enumerate() {
        let labels = &sample.labels;
        let Some((position, values)) = expected.get(labels) else {
            return Err(format!(
                "unexpected metric {labels} in result, has value {}",
                shown(&sample.value)
            ));
        };
        if evaluation.ordered && *position != at + 1 {
            return Err(format!(
                "expected metric {labels} at position {position} but was at {}",
                at + 1
            ));
        }
        match values.first() {
            Some(SequenceValue::Sample { value, has_hint }) if same(value, &sample.value, *has_hint) => {}
            Some(SequenceValue::Sample { value, .. }) => {
                return Err(format!(
                    "expected {} for {labels} but got {}",
                    shown(value),
                    shown(&sample.value)
                ));
            }
            _ => {
                return Err(format!(
                    "no value is expected for {labels}, but got {}",
                    shown(&sample.value)
                ));
            }
        }
    }
    match expected
        .keys()
        .find(|labels| !vector.iter().any(|sample| sample.labels == **labels))
    {
        Some(missing) => Err(format!("expected metric {missing} not found")),
        None => Ok(()),
    }
}

fn check_matrix(evaluation: &Evaluation, matrix: &[MatrixSeries]) -> Result<(), String> {
    if evaluation.ordered {
        return Err("expected ordered result, but query returned a matrix".to_owned());
    }
    let Expected::Series(expected) = &evaluation.expected else {
        return Err(format!("expected {:?}, but got a matrix", evaluation.expected));
    };
    let grid = match (evaluation.points, evaluation.times) {
        (Some(grid), _) | (None, Times::Range(grid)) => grid,
        (None, Times::Instant(time)) => Grid {
            start_ms: time,
            end_ms: time,
            step_ms: 1,
        },
    };
    sorted(matrix)?;
    for series in matrix {
        let Some((_, values)) = expected.get(&series.labels) else {
            return Err(format!(
                "unexpected metric {} in result, has {}",
                series.labels,
                points(series)
            ));
        };
        check_series(series, values, grid).map_err(|reason| format!("{}: {reason}", series.labels))?;
    }
    match expected
        .keys()
        .find(|labels| !matrix.iter().any(|series| series.labels == **labels))
    {
        Some(missing) => Err(format!("expected metric {missing} not found")),
        None => Ok(()),
    }
}

fn check_series(series: &MatrixSeries, values: &[SequenceValue], grid: Grid) -> Result<(), String> {
    let (mut floats, mut histograms) = (series.floats.iter(), series.histograms.iter());
    for (at, expected) in values.iter().enumerate() {
        let time = grid.start_ms + grid.step_ms * at as i64;
        if time > grid.end_ms {
            return Err(format!(
                "expected {} points, but the range cannot have this many",
                values.len()
            ));
        }
        let SequenceValue::Sample { value, has_hint } = expected else {
            continue;
        };
        let found = match value {
            Value::Float(_) => floats
                .next()
                .map(|point| (point.timestamp_ms, Value::Float(point.value))),
            Value::Histogram(_) => histograms
                .next()
                .map(|point| (point.timestamp_ms, Value::Histogram(point.histogram.clone()))),
        };
        match found {
            Some((found_at, found)) if found_at == time && same(value, &found, *has_hint) => {}
            Some((found_at, found)) => {
                let (value, found) = (shown(value), shown(&found));
                let all = points(series);
                return Err(format!(
                    "expected {value} at {time} ms, but got {found} at {found_at} ms; has {all}"
                ));
            }
            None => {
                return Err(format!(
                    "expected {} at {time} ms, but has {}",
                    shown(value),
                    points(series)
                ));
            }
        }
    }
    if floats.next().is_some() || histograms.next().is_some() {
        return Err(format!("more points than expected: {}", points(series)));
    }
    Ok(())
}

pub(super) fn sorted(matrix: &[MatrixSeries]) -> Result<(), String> {
    match matrix.windows(2).find(|pair| pair[0].labels > pair[1].labels) {
        Some(pair) => Err(format!(
            "matrix is not sorted: {} comes before {}",
            pair[0].labels, pair[1].labels
        )),
        None => Ok(()),
    }
}

fn same(expected: &Value, found: &Value, has_hint: bool) -> bool {
    match (expected, found) {
        (Value::Float(expected), Value::Float(found)) => almost_equal(*expected, *found, EPSILON),
        (Value::Histogram(expected), Value::Histogram(found)) => same_histogram(expected, found, has_hint),
        _ => false,
    }
}

fn same_histogram(expected: &FloatHistogram, found: &FloatHistogram, has_hint: bool) -> bool {
    let close = |a: f64, b: f64| almost_equal(a, b, EPSILON);
    let same_buckets = |a: &Buckets, b: &Buckets| {
        let populated = |(_, count): &(i32, f64)| *count != 0.0;
        let (a, b): (Vec<_>, Vec<_>) = (
            a.iter().filter(populated).collect(),
            b.iter().filter(populated).collect(),
        );
        a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| a.0 == b.0 && close(a.1, b.1))
    };
    expected.schema == found.schema
        && close(expected.count, found.count)
        && close(expected.sum, found.sum)
        && expected.custom_values == found.custom_values
        && expected.zero_threshold == found.zero_threshold
        && close(expected.zero_count, found.zero_count)
        && same_buckets(&expected.positive, &found.positive)
        && same_buckets(&expected.negative, &found.negative)
        && (!has_hint || expected.counter_reset_hint == found.counter_reset_hint)
}

fn shown(value: &Value) -> String {
    match value {
        Value::Float(value) => format!("{value}"),
        Value::Histogram(histogram) => format!("{histogram} (hint {:?})", histogram.counter_reset_hint),
    }
}

fn points(series: &MatrixSeries) -> String {
    let floats: Vec<_> = series
        .floats
        .iter()
        .map(|point| (point.timestamp_ms, point.value))
        .collect();
    let histograms: Vec<_> = series
        .histograms
        .iter()
        .map(|point| (point.timestamp_ms, point.histogram.to_string()))
        .collect();
    format!("floats {floats:?}, histograms {histograms:?}")
}
