//! Numbers, times, label sets and query values as Prometheus writes them in JSON.

use std::fmt::{self, Write};

use promql::engine::{MatrixSeries, QueryValue, VectorSample};
use promql::histogram::FloatHistogram;
use promql::labels::Labels;
use promql::number::Plain;
use promql::sample::Value;

/// A sample's value: decimal, but with an exponent below 1e-6 and from 1e21 on, as upstream's
/// `jsonutil.MarshalFloat`.
#[derive(Debug, Clone, Copy)]
pub struct ApiFloat(pub f64);

impl fmt::Display for ApiFloat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let magnitude = self.0.abs();
        if !magnitude.is_finite() || magnitude == 0.0 || (1e-6..1e21).contains(&magnitude) {
            return Plain(self.0).fmt(f);
        }
        let scientific = format!("{:e}", self.0);
        let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
        match exponent.strip_prefix('-') {
            Some(digits) => write!(f, "{mantissa}e-{digits:0>2}"),
            None => write!(f, "{mantissa}e+{exponent:0>2}"),
        }
    }
}

/// Unix milliseconds as seconds: three decimals, or none.
#[derive(Debug, Clone, Copy)]
pub struct ApiTime(pub i64);

impl fmt::Display for ApiTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let milliseconds = self.0.unsigned_abs();
        write!(f, "{sign}{}", milliseconds / 1000)?;
        match milliseconds % 1000 {
            0 => Ok(()),
            fraction => write!(f, ".{fraction:03}"),
        }
    }
}

/// A JSON text under construction. Answers are written straight into it: a tree of a large matrix would
/// take many times its size.
#[derive(Debug, Default)]
pub(crate) struct Json(pub(crate) String);

impl Json {
    /// Appends a number or other text that needs no escapes.
    pub(super) fn raw(&mut self, text: impl fmt::Display) -> &mut Self {
        // Writing to a string cannot fail.
        let _ = write!(self.0, "{text}");
        self
    }

    /// Appends a string.
    pub(super) fn string(&mut self, text: &str) -> &mut Self {
        self.0.push('"');
        for character in text.chars() {
            match character {
                '"' => self.0.push_str("\\\""),
                '\\' => self.0.push_str("\\\\"),
                '\n' => self.0.push_str("\\n"),
                '\r' => self.0.push_str("\\r"),
                '\t' => self.0.push_str("\\t"),
                character if (character as u32) < 0x20 => {
                    self.raw(format_args!("\\u{:04x}", character as u32));
                }
                character => self.0.push(character),
            }
        }
        self.0.push('"');
        self
    }

    /// Appends `[item,item,…]`.
    pub(super) fn list<T>(
        &mut self,
        items: impl IntoIterator<Item = T>,
        mut each: impl FnMut(&mut Self, T),
    ) -> &mut Self {
        self.0.push('[');
        for (index, item) in items.into_iter().enumerate() {
            if index > 0 {
                self.0.push(',');
            }
            each(self, item);
        }
        self.0.push(']');
        self
    }

    /// Appends `{"name":value,…}`.
    pub(super) fn object<'a, T>(
        &mut self,
        fields: impl IntoIterator<Item = (&'a str, T)>,
        mut each: impl FnMut(&mut Self, T),
    ) -> &mut Self {
        self.0.push('{');
        for (index, (name, value)) in fields.into_iter().enumerate() {
            if index > 0 {
                self.0.push(',');
            }
            self.string(name).raw(':');
            each(self, value);
        }
        self.0.push('}');
        self
    }

    pub(super) fn labels(&mut self, labels: &Labels) -> &mut Self {
        self.object(labels, |json, value| {
            json.string(value);
        })
    }

    /// Appends a query's value, and statistics that are JSON already.
    pub(crate) fn query_value(&mut self, value: &QueryValue, statistics: Option<&str>) -> &mut Self {
        let kind = match value {
            QueryValue::Scalar(..) => "scalar",
            QueryValue::String(..) => "string",
            QueryValue::Vector(_) => "vector",
            QueryValue::Matrix(_) => "matrix",
        };
        self.raw("{\"resultType\":").string(kind).raw(",\"result\":");
        match value {
            QueryValue::Scalar(time_ms, value) => self.float_point(*time_ms, *value),
            QueryValue::String(time_ms, text) => self.raw('[').raw(ApiTime(*time_ms)).raw(',').string(text).raw(']'),
            QueryValue::Vector(samples) => self.list(samples, Json::vector_sample),
            QueryValue::Matrix(series) => self.list(series, Json::matrix_series),
        };
        if let Some(statistics) = statistics {
            self.raw(",\"stats\":").raw(statistics);
        }
        self.raw('}')
    }

    fn float_point(&mut self, time_ms: i64, value: f64) -> &mut Self {
        self.raw(format_args!("[{},\"{}\"]", ApiTime(time_ms), ApiFloat(value)))
    }

    fn histogram_point(&mut self, time_ms: i64, histogram: &FloatHistogram) -> &mut Self {
        self.raw('[').raw(ApiTime(time_ms)).raw(',');
        self.histogram(histogram);
        self.raw(']')
    }

    fn vector_sample(&mut self, sample: &VectorSample) {
        self.raw("{\"metric\":").labels(&sample.labels);
        match &sample.value {
            Value::Float(value) => self.raw(",\"value\":").float_point(sample.timestamp_ms, *value),
            Value::Histogram(histogram) => self
                .raw(",\"histogram\":")
                .histogram_point(sample.timestamp_ms, histogram),
        };
        self.raw('}');
    }

    fn matrix_series(&mut self, series: &MatrixSeries) {
        self.raw("{\"metric\":").labels(&series.labels);
        if !series.floats.is_empty() {
            self.raw(",\"values\":").list(&series.floats, |json, point| {
                json.float_point(point.timestamp_ms, point.value);
            });
        }
        if !series.histograms.is_empty() {
            self.raw(",\"histograms\":").list(&series.histograms, |json, point| {
                json.histogram_point(point.timestamp_ms, &point.histogram);
            });
        }
        self.raw('}');
    }

    fn histogram(&mut self, histogram: &FloatHistogram) {
        self.raw(format_args!(
            "{{\"count\":\"{}\",\"sum\":\"{}\"",
            ApiFloat(histogram.count),
            ApiFloat(histogram.sum)
        ));
        let mut buckets = histogram.buckets().filter(|bucket| bucket.count != 0.0).peekable();
        if buckets.peek().is_some() {
            self.raw(",\"buckets\":").list(buckets, |json, bucket| {
                // 0: (lower, upper], 1: [lower, upper), 2: (lower, upper), 3: [lower, upper].
                let borders = match (bucket.lower_inclusive, bucket.upper_inclusive) {
                    (false, true) => 0,
                    (true, false) => 1,
                    (false, false) => 2,
                    (true, true) => 3,
                };
                let (lower, upper, count) = (ApiFloat(bucket.lower), ApiFloat(bucket.upper), ApiFloat(bucket.count));
                json.raw(format_args!("[{borders},\"{lower}\",\"{upper}\",\"{count}\"]"));
            });
        }
        self.raw('}');
    }
}
