//! Warnings and infos: what a user should know about a result.

use std::collections::BTreeMap;
use std::fmt;

use super::date;
use crate::ast::{BinaryOp, Span};
use crate::histogram::Reconciliation;
use crate::labels::{METRIC_NAME, Quoted};
use crate::number::GoFloat;

/// How much a user should worry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The result may be wrong or incomplete.
    Warning,
    /// The result may be surprising.
    Info,
}

/// A remark on a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Annotation {
    /// How much a user should worry.
    pub severity: Severity,
    /// The remark, in Prometheus' words.
    pub message: String,
    /// The line of the part of the query it is about, counted from 1.
    pub line: usize,
    /// The column of that part in bytes, counted from 1.
    pub column: usize,
}

impl fmt::Display for Annotation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Warning => "warning",
            Severity::Info => "info",
        };
        write!(f, "PromQL {severity}: {} ({}:{})", self.message, self.line, self.column)
    }
}

/// The kinds of remarks. Equal remarks at one place are one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Note {
    InvalidIntegralStrategy(String),
    InvalidRatio(String, String),
    InvalidQuantile(String),
    BadBucketLabel(String, String),
    MixedFloatsHistograms(String),
    MixedFloatsHistogramsInAggregation,
    MixedClassicNative(String),
    NotCounter(String),
    NotGauge(String),
    MixedSchemas(String),
    IncompatibleLayout(BinaryOpName),
    SortInRange,
    ResetCollision(&'static str),
    StartTimeOverlap(String),
    PossibleNonCounter(String),
    PossibleNonCounterType(String, String),
    ForcedMonotonicity(String),
    IncompatibleTypes(&'static str, BinaryOpName, &'static str),
    IgnoredInAggregation(&'static str),
    IgnoredInRange(String),
    QuantileNan(String),
    QuantileNanSkew(String),
    FractionNan(String),
    BoundsReconciled(&'static str),
}

/// An operator as it is written.
pub(super) type BinaryOpName = &'static str;

impl Note {
    fn severity(&self) -> Severity {
        use Note::{
            BoundsReconciled, ForcedMonotonicity, FractionNan, IgnoredInAggregation, IgnoredInRange, IncompatibleTypes,
            PossibleNonCounter, PossibleNonCounterType, QuantileNan, QuantileNanSkew,
        };
        match self {
            PossibleNonCounter(_)
            | PossibleNonCounterType(..)
            | ForcedMonotonicity(_)
            | IncompatibleTypes(..)
            | IgnoredInAggregation(_)
            | IgnoredInRange(_)
            | QuantileNan(_)
            | QuantileNanSkew(_)
            | FractionNan(_)
            | BoundsReconciled(_) => Severity::Info,
            _ => Severity::Warning,
        }
    }

    fn message(&self, details: &Details) -> String {
        let named = |text: &str, name: &str| match name {
            "" => text.to_owned(),
            name => format!("{text} for metric name {}", Quoted(name)),
        };
        match self {
            Note::InvalidIntegralStrategy(got) => {
                format!("strategy should be 0, 1, or 2 (default), using 2, got {got}")
            }
            Note::InvalidRatio(got, to) => {
                format!("ratio value should be between -1 and 1, got {got}, capping to {to}")
            }
            Note::InvalidQuantile(got) => format!("quantile value should be between 0 and 1, got {got}"),
            Note::BadBucketLabel(label, name) => {
                let text = format!(
                    "bucket label \"le\" is missing or has a malformed value of {}",
                    Quoted(label)
                );
                named(&text, name)
            }
            Note::MixedFloatsHistograms(name) => {
                format!(
                    "encountered a mix of histograms and floats for metric name {}",
                    Quoted(name)
                )
            }
            Note::MixedFloatsHistogramsInAggregation => {
                "encountered a mix of histograms and floats for aggregation".to_owned()
            }
            Note::MixedClassicNative(name) => named("vector contains a mix of classic and native histograms", name),
            Note::NotCounter(name) => format!("this native histogram metric is not a counter: {}", Quoted(name)),
            Note::NotGauge(name) => format!("this native histogram metric is not a gauge: {}", Quoted(name)),
            Note::MixedSchemas(name) => format!(
                "vector contains a mix of histograms with exponential and custom buckets schemas for metric name {}",
                Quoted(name)
            ),
            Note::IncompatibleLayout(op) => {
                format!("incompatible bucket layout encountered for binary operator {op}")
            }
            Note::SortInRange => {
                "sort is ineffective for range queries since results are always ordered by labels".to_owned()
            }
            Note::ResetCollision(what) => format!("conflicting counter resets during histogram {what}"),
            Note::StartTimeOverlap(name) => {
                let text = "sample has start time that overlaps with previous sample timestamp for metric";
                let times = if details.count > 1 {
                    format!(" ({} occurrences)", details.count)
                } else {
                    String::new()
                };
                format!("{text} {}{times}", Quoted(name))
            }
            Note::PossibleNonCounter(name) => format!(
                "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: {}",
                Quoted(name)
            ),
            Note::PossibleNonCounterType(name, kind) => format!(
                "metric might not be a counter, __type__ label is not set to \"counter\" or \"histogram\", got {}: {}",
                Quoted(kind),
                Quoted(name)
            ),
            Note::ForcedMonotonicity(name) => {
                let text = "input to histogram_quantile needed to be fixed for monotonicity (see \
                            https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)";
                format!("{}, {}", named(text, name), details.monotonicity())
            }
            Note::IncompatibleTypes(left, op, right) => format!(
                "incompatible sample types encountered for binary operator {}: {left} {op} {right}",
                Quoted(op)
            ),
            Note::IgnoredInAggregation(op) => format!("ignored histogram in {op} aggregation"),
            Note::IgnoredInRange(name) => format!(
                "ignored histograms in a range containing both floats and histograms for metric name {}",
                Quoted(name)
            ),
            Note::QuantileNan(name) => named("input to histogram_quantile has NaN observations, result is NaN", name),
            Note::QuantileNanSkew(name) => named(
                "input to histogram_quantile has NaN observations, result is skewed higher",
                name,
            ),
            Note::FractionNan(name) => {
                let text = "input to histogram_fraction has NaN observations, which are excluded from all fractions";
                named(text, name)
            }
            Note::BoundsReconciled(what) => format!("mismatched custom buckets were reconciled during {what}"),
        }
    }
}

/// What repeated remarks of one kind add up to.
#[derive(Clone, Debug)]
pub(super) struct Details {
    count: usize,
    times_ms: (i64, i64),
    buckets: (f64, f64),
    difference: f64,
}

impl Details {
    fn once() -> Self {
        Details {
            count: 1,
            times_ms: (0, 0),
            buckets: (0.0, 0.0),
            difference: 0.0,
        }
    }

    /// Where monotonicity was forced: at a time, between two bounds, by at most a difference.
    pub(super) fn forced(time_ms: i64, buckets: (f64, f64), difference: f64) -> Self {
        Details {
            count: 1,
            times_ms: (time_ms, time_ms),
            buckets,
            difference,
        }
    }

    fn merge(&mut self, other: &Details) {
        self.count += other.count;
        self.times_ms = (
            self.times_ms.0.min(other.times_ms.0),
            self.times_ms.1.max(other.times_ms.1),
        );
        self.buckets = (self.buckets.0.min(other.buckets.0), self.buckets.1.max(other.buckets.1));
        self.difference = self.difference.max(other.difference);
    }

    fn monotonicity(&self) -> String {
        let (low, high) = (GoFloat(self.buckets.0), GoFloat(self.buckets.1));
        let (from, to) = (date::rfc3339(self.times_ms.0), date::rfc3339(self.times_ms.1));
        format!(
            "from buckets {low} to {high}, with a max diff of {}, over {} samples from {from} to {to}",
            two_digits(self.difference),
            self.count
        )
    }
}

/// A number with two significant digits.
fn two_digits(value: f64) -> GoFloat {
    GoFloat(format!("{value:.1e}").parse().unwrap_or(value))
}

/// The remarks of one query.
#[derive(Debug, Default)]
pub(super) struct Notes(BTreeMap<(Span2, Note), Details>);

/// A place, ordered.
type Span2 = (usize, usize);

impl Notes {
    pub(super) fn add(&mut self, note: Note, span: Span) {
        self.add_with(note, span, Details::once());
    }

    pub(super) fn add_with(&mut self, note: Note, span: Span, details: Details) {
        self.0
            .entry(((span.start, span.end), note))
            .and_modify(|sum| sum.merge(&details))
            .or_insert(details);
    }

    /// Remarks on two histograms brought to one layout.
    pub(super) fn reconciled(&mut self, notes: Reconciliation, what: &'static str, span: Span) {
        if notes.bounds_reconciled {
            self.add(Note::BoundsReconciled(what), span);
        }
    }

    pub(super) fn incompatible(&mut self, left: &'static str, op: BinaryOp, right: &'static str, span: Span) {
        self.add(Note::IncompatibleTypes(left, op.as_str(), right), span);
    }

    /// The remarks with places in the query's text, warnings first.
    pub(super) fn finish(&self, text: &str) -> Vec<Annotation> {
        let mut all: Vec<Annotation> = self
            .0
            .iter()
            .map(|(((start, end), note), details)| {
                let (line, column) = Span {
                    start: *start,
                    end: *end,
                }
                .line_column(text);
                Annotation {
                    severity: note.severity(),
                    message: note.message(details),
                    line,
                    column,
                }
            })
            .collect();
        all.sort_by_key(|annotation| annotation.severity);
        all.dedup();
        all
    }
}

/// The metric's name of a label set, for remarks.
pub(super) fn metric_name(labels: &crate::labels::Labels) -> String {
    labels.value(METRIC_NAME).to_owned()
}
