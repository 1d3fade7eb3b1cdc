//! Metrics for loops: ask a query, get values that say how fresh they are, or a named reason why not.
//!
//! ```text
//!   loop ──observe(query, time, deadline)──> Source ─┬─ Local(Store)      the engine of this process
//!                                                    └─ Server            Prometheus, Thanos, Mimir …
//!                                                         ├─ Replica a    breaker ──> Transport
//!                                                         └─ Replica b    breaker ──> Transport
//! ```
//!
//! A loop acts on what it reads here, so that three things are types and not conventions: that nothing was
//! found ([`Found::Nothing`]: never a zero), how old the samples under a value are ([`Freshness`]), and which
//! kind of failure it was ([`SourceError`]: a refused connection is no reason to scale to the minimum).

mod answer;
mod breaker;
mod error;
mod local;
mod observe;
mod server;
mod transport;

pub use error::SourceError;
pub use local::Local;
pub use observe::{Freshness, Observation, observe};
pub use server::{Credentials, Method, Server, ServerSettings};
pub use transport::{HttpTransport, Response, Transport};

use futures::future::BoxFuture;
use promql::engine::{MatrixSeries, QueryValue, TimeRange, VectorSample};
use promql::labels::Labels;
use promql::sample::Value;
use tokio::time::Instant;

use crate::tls;

pub use tls::{TlsError, TlsSettings, Verification};

/// Something that answers PromQL.
pub trait Source: Send + Sync {
    /// The source's name in evidence and errors.
    fn name(&self) -> &str;

    /// A query at a time (Unix milliseconds), answered before `deadline` or not at all.
    fn instant<'a>(
        &'a self,
        query: &'a str,
        at_ms: i64,
        deadline: Instant,
    ) -> BoxFuture<'a, Result<Answer, SourceError>>;

    /// A query over a range. No series is an empty list.
    fn range<'a>(
        &'a self,
        query: &'a str,
        range: TimeRange,
        deadline: Instant,
    ) -> BoxFuture<'a, Result<Vec<MatrixSeries>, SourceError>>;

    /// Label sets of the series that match one of the selectors and have samples within the range.
    fn series<'a>(
        &'a self,
        selectors: &'a [String],
        start_ms: i64,
        end_ms: i64,
        deadline: Instant,
    ) -> BoxFuture<'a, Result<Vec<Labels>, SourceError>>;
}

/// What an instant query found.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The values.
    pub found: Found,
    /// What the source remarked; a loop records it as evidence.
    pub warnings: Vec<String>,
}

/// The values of an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// The query is well-formed and matches nothing.
    Nothing,
    /// A number that depends on no series, or on `scalar()`; NaN is possible.
    Scalar(f64),
    /// One element or more, no label set twice.
    Vector(Vec<Sample>),
}

impl Found {
    /// The vector's elements; a scalar has none.
    #[must_use]
    pub fn samples(&self) -> &[Sample] {
        match self {
            Found::Vector(samples) => samples,
            Found::Nothing | Found::Scalar(_) => &[],
        }
    }

    /// The values in the engine's form, as [`crate::render`] takes them.
    #[must_use]
    pub fn into_query_value(self, at_ms: i64) -> QueryValue {
        let sample = |sample: Sample| VectorSample {
            labels: sample.labels,
            timestamp_ms: sample.timestamp_ms,
            value: sample.value,
        };
        match self {
            Found::Nothing => QueryValue::Vector(Vec::new()),
            Found::Scalar(value) => QueryValue::Scalar(at_ms, value),
            Found::Vector(samples) => QueryValue::Vector(samples.into_iter().map(sample).collect()),
        }
    }
}

/// An element of a vector.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// What it is of.
    pub labels: Labels,
    /// The value; NaN and infinities are possible.
    pub value: Value,
    /// The time of evaluation, Unix milliseconds. When the sample under it was taken is in [`Freshness`].
    pub timestamp_ms: i64,
}

impl Sample {
    /// The value as a usable number: `None` for NaN, infinities and histograms.
    #[must_use]
    pub fn finite(&self) -> Option<f64> {
        match self.value {
            Value::Float(value) if value.is_finite() => Some(value),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
