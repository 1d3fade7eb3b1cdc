//! Series and their values in short: `metric{label="value"} 1+2x3 _ stale {{schema:0 sum:1 buckets:[1 2]}}`.

use std::sync::Arc;

use crate::histogram::{Buckets, CounterResetHint, FloatHistogram};
use crate::labels::{Labels, LabelsBuilder, METRIC_NAME};
use crate::parser::literals;
use crate::sample::{STALE_NAN, Value};

/// The most values that one line may describe.
const VALUES_MAX: usize = 1_000_000;

/// One value of a sequence.
#[derive(Clone, Debug, PartialEq)]
pub enum SequenceValue {
    /// `_`: no sample.
    Omitted,
    /// A sample. A histogram's reset hint is compared only if it was written.
    Sample {
        /// The value.
        value: Value,
        /// Whether `counter_reset_hint` was written.
        has_hint: bool,
    },
}

/// A series and its values, one per step.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesDescription {
    /// The series.
    pub labels: Labels,
    /// Its values.
    pub values: Vec<SequenceValue>,
}

/// Parses a line of a script.
///
/// # Errors
/// What is wrong, with the text from the place on.
pub fn parse_series(line: &str) -> Result<SeriesDescription, String> {
    let mut scanner = Scanner { rest: line.trim() };
    let labels = scanner.labels()?;
    let mut values = Vec::new();
    loop {
        scanner.space();
        if scanner.rest.is_empty() {
            return Ok(SeriesDescription { labels, values });
        }
        scanner.item(&mut values)?;
        if values.len() > VALUES_MAX {
            return Err(format!("more than {VALUES_MAX} values in one line"));
        }
    }
}

/// A series without values, and what is behind it.
pub(super) fn parse_labels(line: &str) -> Result<(Labels, &str), String> {
    let mut scanner = Scanner { rest: line.trim() };
    let labels = scanner.labels()?;
    Ok((labels, scanner.rest))
}

struct Scanner<'a> {
    rest: &'a str,
}

impl<'a> Scanner<'a> {
    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn eat(&mut self, text: &str) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn error<T>(&self, expected: &str) -> Result<T, String> {
        let rest: String = self.rest.chars().take(30).collect();
        Err(format!("expected {expected} at {rest:?}"))
    }

    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(bytes);
        self.rest = rest;
        taken
    }

    fn word(&mut self) -> &'a str {
        let is_name = |c: char| c.is_alphanumeric() || c == '_' || c == ':' || c == '.';
        let end = self.rest.find(|c| !is_name(c)).unwrap_or(self.rest.len());
        self.take(end)
    }

    fn quoted(&mut self) -> Result<String, String> {
        let quote = self.rest.chars().next().unwrap_or_default();
        if !matches!(quote, '"' | '\'' | '`') {
            return self.error("a quoted string");
        }
        let mut escaped = false;
        for (at, c) in self.rest.char_indices().skip(1) {
            if escaped {
                escaped = false;
            } else if c == quote {
                return literals::string(self.take(at + 1));
            } else {
                escaped = c == '\\' && quote != '`';
            }
        }
        self.error("a closing quote")
    }

    fn labels(&mut self) -> Result<Labels, String> {
        let mut builder = LabelsBuilder::new();
        let name = self.word();
        builder.set(METRIC_NAME, name);
        if !self.eat("{") {
            return if name.is_empty() {
                self.error("a metric")
            } else {
                Ok(builder.build())
            };
        }
        loop {
            self.space();
            if self.eat("}") {
                return Ok(builder.build());
            }
            let is_quoted = self.rest.starts_with(['"', '\'', '`']);
            let label = if is_quoted {
                self.quoted()?
            } else {
                self.word().to_owned()
            };
            self.space();
            if self.eat("=") {
                self.space();
                let value = self.quoted()?;
                builder.set(&label, &value);
            } else if is_quoted {
                builder.set(METRIC_NAME, &label);
            } else {
                return self.error("\"=\"");
            }
            self.space();
            if !self.eat(",") && !self.rest.starts_with('}') {
                return self.error("\",\" or \"}\"");
            }
        }
    }

    /// One item: a value, repeated or with a step.
    fn item(&mut self, values: &mut Vec<SequenceValue>) -> Result<(), String> {
        if self.rest.starts_with("{{") {
            return self.histograms(values);
        }
        if self.eat("_") {
            let count = if self.eat("x") { self.count()? } else { 1 };
            values.extend(std::iter::repeat_n(SequenceValue::Omitted, count));
            return self.end_of_item();
        }
        let mut value = if self.eat("stale") { STALE_NAN } else { self.number()? };
        let step = if self.rest.starts_with(['+', '-']) {
            self.number()?
        } else {
            0.0
        };
        let has_step = step != 0.0;
        let count = if self.eat("x") { self.count()? } else { 0 };
        let mut push = |value: f64| {
            values.push(SequenceValue::Sample {
                value: Value::Float(value),
                has_hint: false,
            });
        };
        push(value);
        for _ in 0..count {
            if has_step {
                value += step;
            }
            push(value);
        }
        self.end_of_item()
    }

    fn end_of_item(&self) -> Result<(), String> {
        if self.rest.is_empty() || self.rest.starts_with(char::is_whitespace) {
            Ok(())
        } else {
            self.error("a space")
        }
    }

    fn count(&mut self) -> Result<usize, String> {
        let digits = self.rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.rest.len());
        match self.rest[..digits].parse() {
            Ok(count) if count <= VALUES_MAX => {
                self.take(digits);
                Ok(count)
            }
            _ => self.error("a number of repetitions"),
        }
    }

    fn number(&mut self) -> Result<f64, String> {
        let negative = self.eat("-");
        if !negative {
            self.eat("+");
        }
        let lower = self.rest.to_ascii_lowercase();
        let special = [("infinity", f64::INFINITY), ("inf", f64::INFINITY), ("nan", f64::NAN)];
        let value = match special.iter().find(|(name, _)| lower.starts_with(name)) {
            Some((name, value)) => {
                self.take(name.len());
                *value
            }
            None => {
                let end = number_end(self.rest);
                match self.rest[..end].parse() {
                    Ok(value) => {
                        self.take(end);
                        value
                    }
                    Err(_) => return self.error("a number"),
                }
            }
        };
        Ok(if negative { -value } else { value })
    }

    fn histograms(&mut self, values: &mut Vec<SequenceValue>) -> Result<(), String> {
        let (first, mut has_hint) = self.histogram()?;
        let mut current = Arc::new(first);
        let mut push = |histogram: &Arc<FloatHistogram>, has_hint: bool| {
            let value = Value::Histogram(Arc::clone(histogram));
            values.push(SequenceValue::Sample { value, has_hint });
        };
        let sign = self.rest.chars().next().filter(|sign| matches!(sign, '+' | '-'));
        let step = match sign {
            Some(_) => {
                self.take(1);
                let (step, hint) = self.histogram()?;
                has_hint = hint;
                Some(step)
            }
            None => None,
        };
        let count = if self.eat("x") { self.count()? } else { 0 };
        push(&current, has_hint);
        for _ in 0..count {
            if let Some(step) = &step {
                if current.schema > step.schema {
                    return Err(format!(
                        "error combining histograms: cannot merge from schema {} to {}",
                        step.schema, current.schema
                    ));
                }
                let next = if sign == Some('-') {
                    current.minus(step)
                } else {
                    current.plus(step)
                };
                current = Arc::new(next.map_err(|error| error.to_string())?.0);
            }
            push(&current, has_hint);
        }
        self.end_of_item()
    }

    /// `{{key:value key:[1 2]}}`, and whether it has a reset hint.
    fn histogram(&mut self) -> Result<(FloatHistogram, bool), String> {
        if !self.eat("{{") {
            return self.error("\"{{\"");
        }
        let mut histogram = FloatHistogram::default();
        let (mut has_hint, mut seen) = (false, Vec::new());
        let (mut positive, mut negative) = ((0, Vec::new()), (0, Vec::new()));
        loop {
            self.space();
            if self.eat("}}") {
                break;
            }
            let end = self
                .rest
                .find(|c: char| !c.is_ascii_alphabetic() && c != '_')
                .unwrap_or(self.rest.len());
            let key = self.take(end).to_ascii_lowercase();
            if seen.contains(&key) {
                return Err(format!("duplicate key {key:?} in histogram"));
            }
            if !self.eat(":") {
                return self.error("a histogram key and \":\"");
            }
            match key.as_str() {
                "schema" => histogram.schema = self.integer()?,
                "sum" => histogram.sum = self.number()?,
                "count" => histogram.count = self.number()?,
                "z_bucket" => histogram.zero_count = self.number()?,
                "z_bucket_w" => histogram.zero_threshold = self.number()?,
                "custom_values" => histogram.custom_values = self.list()?.into(),
                "buckets" => positive.1 = self.list()?,
                "offset" => positive.0 = self.integer()?,
                "n_buckets" => negative.1 = self.list()?,
                "n_offset" => negative.0 = self.integer()?,
                "counter_reset_hint" => {
                    has_hint = true;
                    histogram.counter_reset_hint = match self.word() {
                        "unknown" => CounterResetHint::Unknown,
                        "reset" => CounterResetHint::Reset,
                        "not_reset" => CounterResetHint::NotReset,
                        "gauge" => CounterResetHint::Gauge,
                        other => return Err(format!("unknown counter reset hint {other:?}")),
                    };
                }
                _ => return Err(format!("bad histogram descriptor found: {key:?}")),
            }
            seen.push(key);
        }
        let buckets = |(offset, counts): (i32, Vec<f64>)| Buckets::from_counts((offset..).zip(counts));
        (histogram.positive, histogram.negative) = (buckets(positive), buckets(negative));
        Ok((histogram, has_hint))
    }

    fn integer(&mut self) -> Result<i32, String> {
        let value = self.number()?;
        if value.fract() == 0.0 && value.abs() < 1e9 {
            Ok(value as i32)
        } else {
            Err(format!("{value} is not whole"))
        }
    }

    fn list(&mut self) -> Result<Vec<f64>, String> {
        if !self.eat("[") {
            return self.error("\"[\"");
        }
        let mut numbers = Vec::new();
        loop {
            self.space();
            if self.eat("]") {
                return Ok(numbers);
            }
            numbers.push(self.number()?);
        }
    }
}

/// The length of the decimal number at the start of a text.
fn number_end(text: &str) -> usize {
    let bytes = text.as_bytes();
    let digits = |from: usize| bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut end = digits(0);
    if bytes.get(end) == Some(&b'.') {
        end += 1 + digits(end + 1);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let exponent = digits(end + 1 + sign);
        if exponent > 0 {
            end += 1 + sign + exponent;
        }
    }
    end
}
