//! The adapter's questions, put to a source of the `metrics` room: this process' own store, or a Prometheus server.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use flyball_core::{Clock, Timestamp};
use futures::future::BoxFuture;
use metrics::source::{Found, Source};
use promql::labels::Labels;
use promql::sample::Value;
use tokio::time::Instant;

use super::SeriesShape;
use super::source::{Answer, MetricsQuery, Sample, SourceError};

/// Listing series may take this long: it happens in the background, and a large server needs its time.
const SERIES_DEADLINE: Duration = Duration::from_secs(60);

/// The label that holds a series' name.
const NAME: &str = "__name__";

/// A source as the adapter asks it.
#[derive(Clone)]
pub struct SourceQuery {
    source: Arc<dyn Source>,
    clock: Arc<dyn Clock>,
}

impl SourceQuery {
    /// Asks `source`; `clock` says until when series count.
    pub fn new(source: Arc<dyn Source>, clock: Arc<dyn Clock>) -> Self {
        Self { source, clock }
    }
}

fn sample(sample: &metrics::source::Sample) -> Option<Sample> {
    let Value::Float(value) = sample.value else {
        // A native histogram is no number.
        return None;
    };
    Some(Sample {
        labels: sample
            .labels
            .iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        value,
        at: Timestamp::from_millisecond(sample.timestamp_ms).unwrap_or(Timestamp::UNIX_EPOCH),
    })
}

fn shape(labels: &Labels) -> SeriesShape {
    SeriesShape {
        name: labels.metric_name().to_owned(),
        labels: labels
            .iter()
            .map(|(name, _)| name.to_owned())
            .filter(|name| name != NAME)
            .collect(),
    }
}

impl MetricsQuery for SourceQuery {
    fn instant<'a>(
        &'a self,
        query: &'a str,
        time: Timestamp,
        deadline: Duration,
    ) -> BoxFuture<'a, Result<Answer, SourceError>> {
        Box::pin(async move {
            let answer = self
                .source
                .instant(query, time.as_millisecond(), Instant::now() + deadline)
                .await;
            let answer = answer.map_err(|error| SourceError(error.to_string()))?;
            Ok(match answer.found {
                Found::Nothing => Answer::Vector(Vec::new()),
                Found::Vector(samples) => Answer::Vector(samples.iter().filter_map(sample).collect()),
                Found::Scalar(value) => Answer::Scalar(Sample {
                    labels: std::collections::BTreeMap::new(),
                    value,
                    at: time,
                }),
            })
        })
    }

    fn series<'a>(
        &'a self,
        selector: &'a str,
        start: Timestamp,
    ) -> BoxFuture<'a, Result<BTreeSet<SeriesShape>, SourceError>> {
        Box::pin(async move {
            let selectors = [selector.to_owned()];
            let end_ms = self.clock.now().as_millisecond();
            let deadline = Instant::now() + SERIES_DEADLINE;
            let found = self
                .source
                .series(&selectors, start.as_millisecond(), end_ms, deadline)
                .await;
            let found = found.map_err(|error| SourceError(error.to_string()))?;
            Ok(found.iter().map(shape).collect())
        })
    }
}
