//! The built-in store as the adapter asks it.

use std::collections::BTreeSet;
use std::time::Duration;

use flyball_core::Timestamp;
use futures::future::BoxFuture;
use metrics::source::{Found, Local, Source};
use scale::adapter::source::{Answer, Sample, SourceError};
use scale::adapter::{MetricsQuery, SeriesShape};
use tokio::time::Instant;

/// How long listing series may take; it is all in memory.
const LIST_PATIENCE: Duration = Duration::from_secs(10);

/// The store.
pub(super) struct Built {
    local: Local,
}

impl Built {
    pub(super) fn new(local: Local) -> Self {
        Self { local }
    }
}

impl MetricsQuery for Built {
    fn instant<'a>(
        &'a self,
        query: &'a str,
        time: Timestamp,
        deadline: Duration,
    ) -> BoxFuture<'a, Result<Answer, SourceError>> {
        Box::pin(async move {
            let answer = self
                .local
                .instant(query, time.as_millisecond(), Instant::now() + deadline)
                .await;
            let found = answer.map_err(|error| SourceError(error.to_string()))?.found;
            Ok(match found {
                Found::Nothing => Answer::Vector(Vec::new()),
                Found::Scalar(value) => Answer::Scalar(Sample {
                    labels: Default::default(),
                    value,
                    at: time,
                }),
                Found::Vector(samples) => Answer::Vector(samples.iter().filter_map(sample).collect()),
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
            let deadline = Instant::now() + LIST_PATIENCE;
            let series = self
                .local
                .series(&selectors, start.as_millisecond(), i64::MAX, deadline)
                .await;
            let series = series.map_err(|error| SourceError(error.to_string()))?;
            let shape = |labels: &promql::labels::Labels| SeriesShape {
                name: labels.metric_name().to_owned(),
                labels: labels
                    .iter()
                    .map(|label| label.0.to_owned())
                    .filter(|name| name != "__name__")
                    .collect(),
            };
            Ok(series.iter().map(shape).collect())
        })
    }
}

/// A histogram has no single value; it is left out as upstream's conversion leaves it.
fn sample(sample: &metrics::source::Sample) -> Option<Sample> {
    let promql::sample::Value::Float(value) = sample.value else {
        return None;
    };
    Some(Sample {
        labels: sample
            .labels
            .iter()
            .map(|label| (label.0.to_owned(), label.1.to_owned()))
            .collect(),
        value,
        at: Timestamp::from_millisecond(sample.timestamp_ms).ok()?,
    })
}
