//! Loaded series.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::notation::{SequenceValue, SeriesDescription, parse_labels, parse_series};
use crate::histogram::{Buckets, CUSTOM_BUCKETS_SCHEMA, CounterResetHint, FloatHistogram};
use crate::labels::{BUCKET_BOUND, Labels, METRIC_NAME};
use crate::matcher::Matcher;
use crate::parser::literals;
use crate::sample::{FloatPoint, HistogramPoint, Sample, Value};
use crate::source::{SelectHints, SeriesData, SeriesIter, Source, SourceError, StartTimestamps};

/// The series that a script has loaded.
#[derive(Clone, Debug, Default)]
pub struct TestStorage {
    series: BTreeMap<Labels, Vec<Sample>>,
}

impl Source for TestStorage {
    fn select<'a>(&'a self, matchers: &'a [Matcher], hints: &SelectHints) -> Result<SeriesIter<'a>, SourceError> {
        let (start, end) = (hints.start_ms, hints.end_ms);
        let matching = self
            .series
            .iter()
            .filter(|(labels, _)| matchers.iter().all(|m| m.matches_labels(labels)));
        Ok(Box::new(matching.map(move |(labels, samples)| {
            Ok(to_data(labels, samples, start, end))
        })))
    }
}

fn to_data(labels: &Labels, samples: &[Sample], start: i64, end: i64) -> SeriesData {
    let mut data = SeriesData {
        labels: labels.clone(),
        ..SeriesData::default()
    };
    let StartTimestamps { floats, histograms } = &mut data.start_timestamps_ms;
    let mut before: Option<&FloatHistogram> = None;

    for sample in samples {
        let timestamp_ms = sample.timestamp_ms;
        if !(start..=end).contains(&timestamp_ms) {
            before = match &sample.value {
                Value::Histogram(histogram) => Some(histogram),
                Value::Float(_) => None,
            };
            continue;
        }

        match &sample.value {
            Value::Float(value) => {
                before = None;
                data.floats.push(FloatPoint {
                    timestamp_ms,
                    value: *value,
                });
                floats.push(sample.start_timestamp_ms);
            }
            Value::Histogram(histogram) => {
                let mut hinted = FloatHistogram::clone(histogram);
                hinted.counter_reset_hint = stored_hint(histogram, before);
                before = Some(histogram);
                data.histograms.push(HistogramPoint {
                    timestamp_ms,
                    histogram: Arc::new(hinted),
                });
                histograms.push(sample.start_timestamp_ms);
            }
        }
    }
    data
}

/// What a store knows about resets: nothing about the first histogram of a chunk, that there was none before the
/// others. A chunk ends where a counter was reset or the layout changed.
fn stored_hint(histogram: &FloatHistogram, before: Option<&FloatHistogram>) -> CounterResetHint {
    let layout = |histogram: &FloatHistogram| (histogram.schema, histogram.zero_threshold.to_bits());
    match before {
        _ if histogram.counter_reset_hint == CounterResetHint::Gauge => CounterResetHint::Gauge,
        Some(before)
            if before.counter_reset_hint != CounterResetHint::Gauge
                && layout(before) == layout(histogram)
                && before.custom_values == histogram.custom_values
                && !histogram.is_reset_since(before) =>
        {
            CounterResetHint::NotReset
        }
        _ => CounterResetHint::Unknown,
    }
}

impl TestStorage {
    /// Adds a sample; one at the same time is replaced.
    pub fn add(&mut self, labels: &Labels, sample: Sample) {
        let samples = self.series.entry(labels.clone()).or_default();
        match samples.binary_search_by_key(&sample.timestamp_ms, |sample| sample.timestamp_ms) {
            Ok(at) => samples[at] = sample,
            Err(at) => samples.insert(at, sample),
        }
    }

    /// Executes a `load` command.
    pub fn load(&mut self, command: &str, lines: &[&str]) -> Result<(), String> {
        let (word, step) = command
            .split_once([' ', '\t'])
            .ok_or("load needs a step, such as: load 5m")?;
        let with_custom_buckets = match word {
            "load" => false,
            "load_with_nhcb" => true,
            _ => return Err(format!("unknown command {word:?}")),
        };
        let step_ms = duration_millis(step.trim())?;
        let mut loaded: Vec<(Labels, Vec<Sample>)> = Vec::new();
        let mut starts: Option<StartTimes> = None;
        for line in lines {
            if let Some(found) = start_times(line)? {
                if starts.replace(found).is_some() {
                    return Err("@st line has no following sample line".to_owned());
                }
                continue;
            }
            let description = parse_series(line)?;
            let samples = samples(&description, starts.take(), step_ms)?;
            loaded.push((description.labels, samples));
        }
        if starts.is_some() {
            return Err("@st line has no following sample line".to_owned());
        }
        if with_custom_buckets {
            let converted = with_custom(&loaded);
            loaded.extend(converted);
        }
        for (labels, samples) in loaded {
            samples.into_iter().for_each(|sample| self.add(&labels, sample));
        }
        Ok(())
    }
}

/// A duration such as `5m`, or `0`.
pub(super) fn duration_millis(text: &str) -> Result<i64, String> {
    match text {
        "0" => Ok(0),
        "" => Err("empty duration string".to_owned()),
        text => literals::duration_millis(text),
    }
}

fn samples(description: &SeriesDescription, starts: Option<StartTimes>, step_ms: i64) -> Result<Vec<Sample>, String> {
    let offsets = match starts {
        None => Vec::new(),
        Some((labels, _)) if labels != description.labels => {
            return Err("@st metric does not match the following sample line metric".to_owned());
        }
        Some((_, offsets)) if offsets.len() != description.values.len() => {
            return Err(format!(
                "@st line has {} values but sample line has {}",
                offsets.len(),
                description.values.len()
            ));
        }
        Some((_, offsets)) => offsets,
    };
    let sample = |(at, value): (usize, &SequenceValue)| match value {
        SequenceValue::Omitted => None,
        SequenceValue::Sample { value, .. } => {
            let timestamp_ms = step_ms * at as i64;
            let start_timestamp_ms = offsets
                .get(at)
                .copied()
                .flatten()
                .map_or(0, |offset| timestamp_ms + offset);
            Some(Sample {
                timestamp_ms,
                start_timestamp_ms,
                value: value.clone(),
            })
        }
    };
    Ok(description.values.iter().enumerate().filter_map(sample).collect())
}

/// A series and the start times of its samples, relative to these.
type StartTimes = (Labels, Vec<Option<i64>>);

/// `metric{…}@st -1m -1m-30sx3 _`: start times relative to the samples of the next line.
fn start_times(line: &str) -> Result<Option<StartTimes>, String> {
    if !line.split_whitespace().next().is_some_and(|word| word.ends_with("@st")) {
        return Ok(None);
    }
    let (labels, rest) = parse_labels(line)?;
    let items = rest.strip_prefix("@st").ok_or("invalid @st line")?;
    let mut offsets = Vec::new();
    for item in items.split_whitespace() {
        start_item(item, &mut offsets).map_err(|reason| format!("invalid ST item {item:?}: {reason}"))?;
    }
    Ok(Some((labels, offsets)))
}

fn start_item(item: &str, offsets: &mut Vec<Option<i64>>) -> Result<(), String> {
    let count = |text: &str| match text.strip_prefix('x') {
        None if text.is_empty() => Ok(0),
        None => Err("expected x and a number of repetitions".to_owned()),
        Some(digits) => digits
            .parse()
            .ok()
            .filter(|n: &usize| *n <= 1_000_000)
            .ok_or("invalid repeat count".to_owned()),
    };
    if let Some(rest) = item.strip_prefix('_') {
        offsets.extend(std::iter::repeat_n(None, count(rest)?.max(1)));
        return Ok(());
    }
    let (base, rest) = signed_duration(item)?;
    let (step, rest) = if rest.starts_with(['+', '-']) {
        signed_duration(rest)?
    } else {
        (0, rest)
    };
    offsets.extend((0..=count(rest)? as i64).map(|at| Some(base + step * at)));
    Ok(())
}

fn signed_duration(text: &str) -> Result<(i64, &str), String> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let number = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    let is_unit = |c: char| c.is_ascii_alphabetic() && c != 'x';
    let end = digits[number..]
        .find(|c| !is_unit(c))
        .map_or(digits.len(), |at| number + at);
    Ok((sign * duration_millis(&digits[..end])?, &digits[end..]))
}

/// A classic histogram at one time.
#[derive(Default)]
struct Classic {
    buckets: Vec<(f64, f64)>,
    count: Option<f64>,
    sum: f64,
}

/// Classic histograms among the series, converted to histograms with custom buckets.
fn with_custom(loaded: &[(Labels, Vec<Sample>)]) -> Vec<(Labels, Vec<Sample>)> {
    let mut found: HashMap<Labels, BTreeMap<i64, Classic>> = HashMap::new();
    for (labels, samples) in loaded {
        let name = labels.metric_name();
        let Some((base, suffix)) = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|suffix| Some((name.strip_suffix(suffix)?, *suffix)))
        else {
            continue;
        };
        let bound: Option<f64> = labels.value(BUCKET_BOUND).parse().ok();
        let mut builder = labels.to_builder();
        let target = builder.set(METRIC_NAME, base).remove(BUCKET_BOUND).build();
        let times = found.entry(target).or_default();
        for sample in samples {
            let Value::Float(value) = sample.value else { continue };
            let classic = times.entry(sample.timestamp_ms).or_default();
            match (suffix, bound) {
                ("_bucket", Some(bound)) => classic.buckets.push((bound, value)),
                ("_sum", _) => classic.sum = value,
                ("_count", _) => classic.count = Some(value),
                _ => {}
            }
        }
    }
    let convert = |(timestamp_ms, classic): (i64, Classic)| {
        let value = Value::Histogram(Arc::new(classic.convert()));
        Sample {
            timestamp_ms,
            start_timestamp_ms: 0,
            value,
        }
    };
    found
        .into_iter()
        .map(|(labels, times)| (labels, times.into_iter().map(convert).collect()))
        .collect()
}

impl Classic {
    fn convert(mut self) -> FloatHistogram {
        self.buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        let count = self.count.or(self.buckets.last().map(|bucket| bucket.1)).unwrap_or(0.0);
        if self.buckets.last().is_none_or(|bucket| bucket.0 != f64::INFINITY) {
            self.buckets.push((f64::INFINITY, count));
        }
        let mut below = 0.0;
        let counts = self
            .buckets
            .iter()
            .map(|bucket| bucket.1 - std::mem::replace(&mut below, bucket.1));
        let mut histogram = FloatHistogram {
            schema: CUSTOM_BUCKETS_SCHEMA,
            count,
            sum: self.sum,
            positive: Buckets::from_counts((0..).zip(counts)),
            custom_values: self
                .buckets
                .iter()
                .map(|bucket| bucket.0)
                .filter(|bound| bound.is_finite())
                .collect(),
            ..FloatHistogram::default()
        };
        histogram.compact();
        histogram
    }
}
