//! Reading the API's JSON straight into samples, without a tree in between.
//!
//! The body's size is limited before it comes here, and what is made of it is no larger than it was: a sample
//! of sixteen bytes takes more than that as text.

use std::collections::HashSet;
use std::fmt;

use promql::engine::{MatrixSeries, QueryValue, VectorSample};
use promql::exposition::parse_value;
use promql::labels::{Labels, LabelsBuilder};
use promql::sample::{FloatPoint, Value};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::SourceError;

/// Characters of a strange body that an error shows.
const EXCERPT_CHARACTERS: usize = 80;

/// What the API answered.
#[derive(Debug)]
pub(super) struct Reply<T> {
    pub(super) data: T,
    pub(super) warnings: Vec<String>,
}

/// The frame of every answer.
#[derive(Deserialize)]
struct Frame<T> {
    status: String,
    data: Option<T>,
    #[serde(default, rename = "errorType")]
    error_type: String,
    #[serde(default)]
    error: String,
    #[serde(default)]
    warnings: Vec<String>,
    #[serde(default)]
    infos: Vec<String>,
}

/// Reads an answer whose data is a `T`; Prometheus' own errors become [`SourceError::Query`].
pub(super) fn read<T: for<'de> Deserialize<'de>>(body: &[u8]) -> Result<Reply<T>, SourceError> {
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(SourceError::Malformed(format!("it starts with {:?}", excerpt(body))));
    }
    let frame: Frame<T> = serde_json::from_slice(body).map_err(|error| SourceError::Malformed(error.to_string()))?;
    match (frame.status.as_str(), frame.data) {
        ("success", Some(data)) => {
            let mut warnings = frame.warnings;
            warnings.extend(frame.infos);
            Ok(Reply { data, warnings })
        }
        ("error", _) => Err(SourceError::Query {
            kind: frame.error_type,
            message: frame.error,
        }),
        _ => Err(SourceError::Malformed("neither data nor an error".to_owned())),
    }
}

/// The start of a body, for people.
pub(super) fn excerpt(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(4 * EXCERPT_CHARACTERS)])
        .trim()
        .chars()
        .take(EXCERPT_CHARACTERS)
        .collect()
}

/// `data` of `/query` and `/query_range`.
#[derive(Debug, Deserialize)]
pub(super) struct QueryData {
    #[serde(rename = "resultType")]
    result_type: String,
    result: Vec<Element>,
}

impl QueryData {
    /// The value, checked: no label set twice, points in order.
    pub(super) fn into_value(self) -> Result<QueryValue, SourceError> {
        let malformed = |what: &str| SourceError::Malformed(what.to_owned());
        if self.result_type == "scalar" || self.result_type == "string" {
            let [Element::Number(seconds), Element::Text(text)] = self.result.as_slice() else {
                return Err(malformed("a scalar or string is not a pair of time and text"));
            };
            let time_ms = milliseconds(*seconds);
            if self.result_type == "string" {
                return Ok(QueryValue::String(time_ms, text.clone()));
            }
            let value = parse_value(text).ok_or_else(|| malformed("a scalar is not a number"))?;
            return Ok(QueryValue::Scalar(time_ms, value));
        }
        let mut seen = HashSet::with_capacity(self.result.len());
        let mut series = Vec::with_capacity(self.result.len());
        for element in self.result {
            let Element::Series(element) = element else {
                return Err(malformed("an element is not a series"));
            };
            if element.has_histograms {
                let message = "the query returns native histograms; take a number of them with \
                               histogram_quantile(), histogram_count() or histogram_sum()";
                return Err(SourceError::Query {
                    kind: "bad_data".to_owned(),
                    message: message.to_owned(),
                });
            }
            if !seen.insert(element.labels.clone()) {
                return Err(SourceError::DuplicateSeries(element.labels.to_string()));
            }
            if !element.points.is_sorted_by(|a, b| a.timestamp_ms < b.timestamp_ms) {
                return Err(malformed("the points of a series are not in order of time"));
            }
            series.push(element);
        }
        match self.result_type.as_str() {
            "matrix" => {
                let series = series.into_iter();
                let series = series.map(|series| MatrixSeries {
                    labels: series.labels,
                    floats: series.points,
                    histograms: Vec::new(),
                });
                Ok(QueryValue::Matrix(series.collect()))
            }
            "vector" => {
                let samples = series.into_iter().map(|series| match series.points.as_slice() {
                    [point] => Ok(VectorSample {
                        labels: series.labels,
                        timestamp_ms: point.timestamp_ms,
                        value: Value::Float(point.value),
                    }),
                    _ => Err(malformed("an element of a vector has no value")),
                });
                Ok(QueryValue::Vector(samples.collect::<Result<_, _>>()?))
            }
            other => Err(SourceError::Malformed(format!("unknown resultType {other:?}"))),
        }
    }
}

fn milliseconds(seconds: f64) -> i64 {
    // A float beyond the range of an integer becomes its end.
    (seconds * 1000.0).round() as i64
}

/// An element of `result`: of a scalar its time or text, else a series.
#[derive(Debug)]
enum Element {
    Number(f64),
    Text(String),
    Series(WireSeries),
}

#[derive(Debug, Default)]
struct WireSeries {
    labels: Labels,
    points: Vec<FloatPoint>,
    has_histograms: bool,
}

impl<'de> Deserialize<'de> for Element {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ElementVisitor)
    }
}

struct ElementVisitor;

impl<'de> Visitor<'de> for ElementVisitor {
    type Value = Element;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a series, a time or a text")
    }

    fn visit_f64<E>(self, value: f64) -> Result<Element, E> {
        Ok(Element::Number(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Element, E> {
        Ok(Element::Number(value as f64))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Element, E> {
        Ok(Element::Number(value as f64))
    }

    fn visit_str<E>(self, value: &str) -> Result<Element, E> {
        Ok(Element::Text(value.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Element, A::Error> {
        let mut series = WireSeries::default();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "metric" => series.labels = map.next_value::<Metric>()?.0,
                "value" => series.points.push(map.next_value::<Point>()?.0),
                "values" => {
                    series.points = map
                        .next_value::<Vec<Point>>()?
                        .into_iter()
                        .map(|point| point.0)
                        .collect()
                }
                other => {
                    series.has_histograms |= other == "histogram" || other == "histograms";
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(Element::Series(series))
    }
}

/// `{"name":"value",…}`.
#[derive(Debug)]
pub(super) struct Metric(pub(super) Labels);

impl<'de> Deserialize<'de> for Metric {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MetricVisitor;
        impl<'de> Visitor<'de> for MetricVisitor {
            type Value = Metric;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("labels")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Metric, A::Error> {
                let mut builder = LabelsBuilder::new();
                while let Some((name, value)) = map.next_entry::<String, String>()? {
                    builder.set(&name, &value);
                }
                Ok(Metric(builder.build()))
            }
        }
        deserializer.deserialize_map(MetricVisitor)
    }
}

/// `[1700000000.5,"0.5"]`.
struct Point(FloatPoint);

impl<'de> Deserialize<'de> for Point {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PointVisitor;
        impl<'de> Visitor<'de> for PointVisitor {
            type Value = Point;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a pair of time and value")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Point, A::Error> {
                let seconds: f64 = seq
                    .next_element()?
                    .ok_or_else(|| A::Error::custom("a point without time"))?;
                let text: String = seq
                    .next_element()?
                    .ok_or_else(|| A::Error::custom("a point without value"))?;
                let value = parse_value(&text).ok_or_else(|| A::Error::custom(format_args!("{text:?} is no value")))?;
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Point(FloatPoint {
                    timestamp_ms: milliseconds(seconds),
                    value,
                }))
            }
        }
        deserializer.deserialize_seq(PointVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(body: &str) -> Result<QueryValue, SourceError> {
        read::<QueryData>(body.as_bytes()).and_then(|reply| reply.data.into_value())
    }

    fn success(data: &str) -> Result<QueryValue, SourceError> {
        query(&format!("{{\"status\":\"success\",\"data\":{data}}}"))
    }

    #[test]
    fn values_of_every_kind() {
        let labels = || Labels::from_pairs([("a", "b")]);
        let vector = |value| {
            QueryValue::Vector(vec![VectorSample {
                labels: labels(),
                timestamp_ms: 1500,
                value: Value::Float(value),
            }])
        };
        assert_eq!(
            success(r#"{"resultType":"vector","result":[{"metric":{"a":"b"},"value":[1.5,"2"]}]}"#),
            Ok(vector(2.0))
        );
        assert_eq!(
            success(r#"{"result":[{"value":[1.5,"-Inf"],"metric":{"a":"b"}}],"resultType":"vector"}"#),
            Ok(vector(f64::NEG_INFINITY))
        );
        assert_eq!(
            success(r#"{"resultType":"vector","result":[]}"#),
            Ok(QueryValue::Vector(vec![]))
        );
        assert_eq!(
            success(r#"{"resultType":"scalar","result":[1,"2"]}"#),
            Ok(QueryValue::Scalar(1000, 2.0))
        );
        let floats = vec![
            FloatPoint {
                timestamp_ms: 1000,
                value: 2.0,
            },
            FloatPoint {
                timestamp_ms: 2000,
                value: 3.0,
            },
        ];
        assert_eq!(
            success(r#"{"resultType":"matrix","result":[{"metric":{"a":"b"},"values":[[1,"2"],[2,"3"]]}]}"#),
            Ok(QueryValue::Matrix(vec![MatrixSeries {
                labels: labels(),
                floats,
                histograms: vec![]
            }]))
        );
    }

    #[test]
    fn every_wrong_answer_has_a_name() {
        let code = |result: Result<QueryValue, SourceError>| result.expect_err("a wrong answer").code();
        assert_eq!(code(query("<html><body>Sign in</body></html>")), "SourceMalformed");
        assert_eq!(code(query("")), "SourceMalformed");
        assert_eq!(code(query("{}")), "SourceMalformed");
        assert_eq!(
            code(query(
                r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"a":"b"},"val"#
            )),
            "SourceMalformed"
        );
        assert_eq!(
            code(success(
                r#"{"resultType":"vector","result":[{"metric":{},"value":[1,"x"]}]}"#
            )),
            "SourceMalformed"
        );
        assert_eq!(
            code(success(r#"{"resultType":"vector","result":[{"metric":{}}]}"#)),
            "SourceMalformed"
        );
        assert_eq!(
            code(success(
                r#"{"resultType":"vector","result":[{"metric":{},"value":[1,"1"]},{"metric":{},"value":[1,"2"]}]}"#
            )),
            "DuplicateSeries"
        );
        assert_eq!(
            code(success(
                r#"{"resultType":"matrix","result":[{"metric":{},"values":[[2,"1"],[1,"1"]]}]}"#
            )),
            "SourceMalformed"
        );
        assert_eq!(
            code(success(
                r#"{"resultType":"vector","result":[{"metric":{},"histogram":[1,{"count":"1"}]}]}"#
            )),
            "QueryRejected"
        );
        assert_eq!(
            code(query(r#"{"status":"error","errorType":"bad_data","error":"x"}"#)),
            "QueryRejected"
        );
    }
}
