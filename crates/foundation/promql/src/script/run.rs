//! Running one case.

use super::compare;
use super::expectation::{Evaluation, Grid, Remarks, Times};
use super::load::TestStorage;
use super::pin::{evaluation_times, pin};
use crate::engine::{Engine, QueryResult, QueryValue, Severity, TimeRange, VectorSample};
use crate::sample::Value;

/// How far around an instant query's time it is also run as a range query, in milliseconds.
const AROUND_MS: i64 = 60_000;

/// Checks a case.
pub(super) fn check(evaluation: &Evaluation, engine: &Engine, storage: &TestStorage) -> Result<(), String> {
    let query = engine.parse(&evaluation.query).map_err(|error| error.to_string())?;
    match evaluation.times {
        Times::Range(Grid {
            start_ms,
            end_ms,
            step_ms,
        }) => {
            let result = engine.range(
                storage,
                &query,
                TimeRange {
                    start_ms,
                    end_ms,
                    step_ms,
                },
            );
            let Some(result) = outcome(evaluation, result)? else {
                return Ok(());
            };
            remarks(evaluation, &result)?;
            compare::value(evaluation, &result.value)
        }
        Times::Instant(time_ms) => {
            instant(evaluation, &evaluation.query, time_ms, engine, storage)?;
            let mut expr = query.expr().clone();
            if !pin(&mut expr, time_ms) {
                return Ok(());
            }
            let pinned = expr.to_string();
            for time in evaluation_times(time_ms) {
                instant(evaluation, &pinned, time, engine, storage)
                    .map_err(|reason| format!("{reason} (as {pinned} at {time} ms)"))?;
            }
            Ok(())
        }
    }
}

/// The result of a query that is not expected to fail; `None` if it failed as expected.
fn outcome(
    evaluation: &Evaluation,
    result: Result<QueryResult, crate::engine::QueryError>,
) -> Result<Option<QueryResult>, String> {
    match (result, &evaluation.fail) {
        (Ok(result), None) => Ok(Some(result)),
        (Ok(_), Some(_)) => Err("expected an error, but got none".to_owned()),
        (Err(error), None) => Err(format!("error: {error}")),
        (Err(error), Some(pattern)) if pattern.matches(&error.to_string()) => Ok(None),
        (Err(error), Some(pattern)) => Err(format!("expected an error as {pattern:?}, but got: {error}")),
    }
}

fn instant(
    evaluation: &Evaluation,
    text: &str,
    time_ms: i64,
    engine: &Engine,
    storage: &TestStorage,
) -> Result<(), String> {
    let query = engine.parse(text).map_err(|error| error.to_string())?;
    let Some(result) = outcome(evaluation, engine.instant(storage, &query, time_ms))? else {
        return Ok(());
    };
    remarks(evaluation, &result)?;
    compare::value(evaluation, &result.value)?;
    let range = match &result.value {
        QueryValue::Scalar(..) | QueryValue::Vector(_) => true,
        QueryValue::String(..) | QueryValue::Matrix(_) => false,
    };
    let depends_on_range = ["start()", "end()", "range()", "step()"]
        .iter()
        .any(|call| text.contains(call));
    if !range || depends_on_range || evaluation.points.is_some() {
        return Ok(());
    }
    let around = TimeRange {
        start_ms: time_ms - AROUND_MS,
        end_ms: time_ms + AROUND_MS,
        step_ms: AROUND_MS,
    };
    let whole = engine
        .range(storage, &query, around)
        .map_err(|error| format!("error in range mode: {error}"))?;
    if evaluation.ordered {
        return Ok(());
    }
    let QueryValue::Matrix(matrix) = whole.value else {
        return Err("a range query did not return a matrix".to_owned());
    };
    compare::sorted(&matrix)?;
    let mut middle = Vec::new();
    for series in matrix {
        let float = series.floats.iter().find(|point| point.timestamp_ms == time_ms);
        let histogram = series.histograms.iter().find(|point| point.timestamp_ms == time_ms);
        let value = float
            .map(|point| Value::Float(point.value))
            .or_else(|| histogram.map(|point| Value::Histogram(point.histogram.clone())));
        if let Some(value) = value {
            middle.push(VectorSample {
                labels: series.labels,
                timestamp_ms: time_ms,
                value,
            });
        }
    }
    let value = match (&result.value, middle.first()) {
        (
            QueryValue::Scalar(..),
            Some(VectorSample {
                value: Value::Float(value),
                ..
            }),
        ) => QueryValue::Scalar(time_ms, *value),
        _ => QueryValue::Vector(middle),
    };
    compare::value(evaluation, &value).map_err(|reason| format!("{reason} (in range mode)"))
}

fn remarks(evaluation: &Evaluation, result: &QueryResult) -> Result<(), String> {
    let of = |severity: Severity| -> Vec<String> {
        let annotations = result
            .annotations
            .iter()
            .filter(|annotation| annotation.severity == severity);
        annotations.map(ToString::to_string).collect()
    };
    check_remarks("warning", &evaluation.warnings, &of(Severity::Warning))?;
    check_remarks("info", &evaluation.infos, &of(Severity::Info))
}

fn check_remarks(kind: &str, expected: &Remarks, found: &[String]) -> Result<(), String> {
    if expected.some && found.is_empty() {
        return Err(format!("expected a {kind}, but there is none"));
    }
    if expected.none && !found.is_empty() {
        return Err(format!("unexpected {kind}: {found:?}"));
    }
    for pattern in &expected.expected {
        if !found.iter().any(|text| pattern.matches(text)) {
            return Err(format!("expected {kind} {pattern:?}, found {found:?}"));
        }
    }
    let unexpected = |text: &&String| !expected.expected.iter().any(|pattern| pattern.matches(text));
    match found
        .iter()
        .find(|text| !expected.expected.is_empty() && unexpected(text))
    {
        Some(text) => Err(format!("unexpected {kind} {text:?}")),
        None => Ok(()),
    }
}
