//! Aligned columns, and CSV.

use std::collections::BTreeSet;

use promql::engine::QueryValue;
use promql::labels::{Labels, METRIC_NAME};
use promql::sample::Value;

use crate::api::{ApiFloat, ApiTime};

/// Heights of a trend, from the lowest to the highest.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Characters of a trend.
const TREND_WIDTH: usize = 20;

/// A table with a column for each label. A matrix has a row for each series: last, lowest and highest value
/// and its trend.
#[must_use]
pub fn table(value: &QueryValue) -> String {
    match value {
        QueryValue::Scalar(_, value) => format!("{}\n", ApiFloat(*value)),
        QueryValue::String(_, text) => format!("{text}\n"),
        QueryValue::Vector(samples) => {
            let names = label_names(samples.iter().map(|sample| &sample.labels));
            let mut rows = vec![heading(&names, &["VALUE"])];
            rows.extend(
                samples
                    .iter()
                    .map(|sample| row(&names, &sample.labels, vec![show(&sample.value)])),
            );
            align(&rows)
        }
        QueryValue::Matrix(series) => {
            let names = label_names(series.iter().map(|series| &series.labels));
            let mut rows = vec![heading(&names, &["LAST", "MIN", "MAX", "TREND"])];
            rows.extend(series.iter().map(|series| {
                let values: Vec<f64> = series.floats.iter().map(|point| point.value).collect();
                let number = |value: Option<f64>| value.map_or("-".to_owned(), |value| ApiFloat(value).to_string());
                let (min, max) = (
                    values.iter().copied().reduce(f64::min),
                    values.iter().copied().reduce(f64::max),
                );
                row(
                    &names,
                    &series.labels,
                    vec![number(values.last().copied()), number(min), number(max), trend(&values)],
                )
            }));
            align(&rows)
        }
    }
}

/// Labels, time in milliseconds and value of a sample.
type CsvRow<'a> = (Option<&'a Labels>, i64, String);

/// Comma-separated values with a heading: a row for each sample, its labels first.
#[must_use]
pub fn csv(value: &QueryValue) -> String {
    let (names, rows): (Vec<String>, Vec<CsvRow<'_>>) = match value {
        QueryValue::Scalar(time_ms, value) => (Vec::new(), vec![(None, *time_ms, ApiFloat(*value).to_string())]),
        QueryValue::String(time_ms, text) => (Vec::new(), vec![(None, *time_ms, text.clone())]),
        QueryValue::Vector(samples) => (
            label_names(samples.iter().map(|sample| &sample.labels)),
            samples
                .iter()
                .map(|sample| (Some(&sample.labels), sample.timestamp_ms, show(&sample.value)))
                .collect(),
        ),
        QueryValue::Matrix(series) => (
            label_names(series.iter().map(|series| &series.labels)),
            series
                .iter()
                .flat_map(|series| {
                    let floats = series
                        .floats
                        .iter()
                        .map(|point| (point.timestamp_ms, ApiFloat(point.value).to_string()));
                    let histograms = series
                        .histograms
                        .iter()
                        .map(|point| (point.timestamp_ms, point.histogram.to_string()));
                    floats
                        .chain(histograms)
                        .map(|(time_ms, value)| (Some(&series.labels), time_ms, value))
                })
                .collect(),
        ),
    };
    let mut text = String::new();
    let mut line = |cells: Vec<&str>| {
        text.push_str(&cells.iter().map(|cell| escape(cell)).collect::<Vec<_>>().join(","));
        text.push('\n');
    };
    line(names.iter().map(String::as_str).chain(["timestamp", "value"]).collect());
    for (labels, time_ms, value) in &rows {
        let cells = names.iter().map(|name| labels.map_or("", |labels| labels.value(name)));
        line(cells.chain([ApiTime(*time_ms).to_string().as_str(), value]).collect());
    }
    text
}

fn show(value: &Value) -> String {
    match value {
        Value::Float(value) => ApiFloat(*value).to_string(),
        Value::Histogram(histogram) => histogram.to_string(),
    }
}

/// A value that a spreadsheet would split or evaluate is quoted.
fn escape(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

/// All label names, the metric's name first.
fn label_names<'a>(labels: impl Iterator<Item = &'a Labels>) -> Vec<String> {
    let names: BTreeSet<&str> = labels.flat_map(|labels| labels.iter().map(|(name, _)| name)).collect();
    let (metric, others): (Vec<&str>, Vec<&str>) = names.into_iter().partition(|name| *name == METRIC_NAME);
    metric.into_iter().chain(others).map(str::to_owned).collect()
}

fn heading(names: &[String], columns: &[&str]) -> Vec<String> {
    let names = names.iter().map(|name| {
        if name == METRIC_NAME {
            "METRIC".to_owned()
        } else {
            name.to_uppercase()
        }
    });
    names.chain(columns.iter().map(|column| (*column).to_owned())).collect()
}

fn row(names: &[String], labels: &Labels, values: Vec<String>) -> Vec<String> {
    // A control character in a label must not move the cursor.
    let clean = |text: &str| text.chars().map(|c| if c.is_control() { '·' } else { c }).collect();
    names
        .iter()
        .map(|name| clean(labels.value(name)))
        .chain(values)
        .collect()
}

fn align(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("   ").trim_end());
        text.push('\n');
    }
    text
}

/// The course of the values in a few characters.
fn trend(values: &[f64]) -> String {
    let finite = || values.iter().copied().filter(|value| value.is_finite());
    let (Some(min), Some(max)) = (finite().reduce(f64::min), finite().reduce(f64::max)) else {
        return String::new();
    };
    let width = values.len().min(TREND_WIDTH);
    let value_at = |column: usize| values[column * (values.len() - 1) / (width - 1).max(1)];
    let bar = |value: f64| match value {
        value if !value.is_finite() => ' ',
        _ if max == min => BARS[0],
        value => BARS[((value - min) / (max - min) * 7.0).round() as usize],
    };
    (0..width).map(|column| bar(value_at(column))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use promql::engine::{MatrixSeries, VectorSample};
    use promql::sample::FloatPoint;

    fn vector() -> QueryValue {
        let sample = |pairs: &[(&str, &str)], value| VectorSample {
            labels: Labels::from_pairs(pairs.iter().copied()),
            timestamp_ms: 1_500,
            value: Value::Float(value),
        };
        QueryValue::Vector(vec![
            sample(&[("__name__", "up"), ("pod", "web-0")], 1.0),
            sample(&[("__name__", "up"), ("pod", "a,b"), ("zone", "x")], 0.25),
        ])
    }

    #[test]
    fn vectors() {
        assert_eq!(
            table(&vector()),
            "METRIC   POD     ZONE   VALUE\nup       web-0          1\nup       a,b     x      0.25\n"
        );
        assert_eq!(
            csv(&vector()),
            "__name__,pod,zone,timestamp,value\nup,web-0,,1.500,1\nup,\"a,b\",x,1.500,0.25\n"
        );
    }

    #[test]
    fn matrices_show_their_trend() {
        let floats = [1.0, 2.0, 8.0].iter().zip(1..).map(|(&value, at)| FloatPoint {
            timestamp_ms: at * 1000,
            value,
        });
        let series = MatrixSeries {
            labels: Labels::from_pairs([("pod", "a")]),
            floats: floats.collect(),
            histograms: vec![],
        };
        let value = QueryValue::Matrix(vec![series]);
        assert_eq!(
            table(&value),
            "POD   LAST   MIN   MAX   TREND\na     8      1     8     ▁▂█\n"
        );
        assert_eq!(csv(&value), "pod,timestamp,value\na,1,1\na,2,2\na,3,8\n");
        assert_eq!(table(&QueryValue::Matrix(vec![])), "LAST   MIN   MAX   TREND\n");
    }
}
