//! A query's values together with the age of the samples under them.

use promql::ast::{Expr, ExprKind};
use promql::labels::Labels;
use promql::matcher::Matcher;
use promql::parser::{ParserOptions, parse};
use promql::sample::Value;
use tokio::time::Instant;

use super::{Answer, Source, SourceError};

/// Selectors of one query whose freshness is asked for. Dashboards' queries have one to four.
const SELECTORS_MAX: usize = 8;

/// An answer and what it rests on.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// The source's name.
    pub source: String,
    /// The query.
    pub query: String,
    /// When it was evaluated, Unix milliseconds.
    pub at_ms: i64,
    /// The values.
    pub answer: Answer,
    /// The samples under all values; `None` where the query selects no series or none has a recent sample.
    pub freshness: Option<Freshness>,
    /// For a plain selector: when each element's own sample was taken, in the answer's order.
    sampled_ms: Vec<Option<i64>>,
}

/// The samples that a query rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freshness {
    /// Series with a sample within the lookback: what coverage is counted from.
    pub series: usize,
    /// Of the newest samples of all series the newest, Unix milliseconds.
    pub newest_ms: i64,
    /// Of the newest samples of all series the oldest, Unix milliseconds.
    pub oldest_ms: i64,
}

impl Observation {
    /// When the sample under element `index` was taken: its own where that is known, else the oldest of all,
    /// so that no value looks fresher than it is.
    #[must_use]
    pub fn sampled_ms(&self, index: usize) -> Option<i64> {
        let own = self.sampled_ms.get(index).copied().flatten();
        own.or(self.freshness.map(|freshness| freshness.oldest_ms))
    }

    /// How old the sample under element `index` was at the time of evaluation.
    #[must_use]
    pub fn age_ms(&self, index: usize) -> Option<i64> {
        self.sampled_ms(index)
            .map(|sampled_ms| self.at_ms.saturating_sub(sampled_ms))
    }
}

/// Asks a query, and when the samples of its selectors were taken: `timestamp(selector)` for each, so that any
/// Prometheus can say. That is one more request for most queries.
///
/// # Errors
/// Any [`SourceError`], of the query or of the question about its samples.
pub async fn observe(
    source: &dyn Source,
    query: &str,
    at_ms: i64,
    deadline: Instant,
) -> Result<Observation, SourceError> {
    let expr = parse(query, &ParserOptions::default()).map_err(|error| SourceError::Query {
        kind: "bad_data".into(),
        message: error.to_string(),
    })?;
    let answer = source.instant(query, at_ms, deadline).await?;
    let mut freshness: Option<Freshness> = None;
    let mut times: Vec<(Labels, i64)> = Vec::new();
    for selector in selectors(&expr) {
        let question = format!("timestamp({selector})");
        for sample in source.instant(&question, at_ms, deadline).await?.found.samples() {
            let Value::Float(seconds) = sample.value else { continue };
            let time_ms = (seconds * 1000.0).round() as i64;
            times.push((sample.labels.clone(), time_ms));
            freshness = Some(freshness.map_or(
                Freshness {
                    series: 1,
                    newest_ms: time_ms,
                    oldest_ms: time_ms,
                },
                |known| Freshness {
                    series: known.series + 1,
                    newest_ms: known.newest_ms.max(time_ms),
                    oldest_ms: known.oldest_ms.min(time_ms),
                },
            ));
        }
    }
    let plain = matches!(expr.unwrapped().kind, ExprKind::Vector(_));
    let own = |labels: &Labels| {
        times
            .iter()
            .find(|(other, _)| *other == labels.without_metric_name())
            .map(|(_, time_ms)| *time_ms)
    };
    let sampled_ms = answer
        .found
        .samples()
        .iter()
        .map(|sample| own(&sample.labels).filter(|_| plain))
        .collect();
    Ok(Observation {
        source: source.name().to_owned(),
        query: query.to_owned(),
        at_ms,
        answer,
        freshness,
        sampled_ms,
    })
}

/// The distinct selectors of a query, as text without range, offset and `@`.
fn selectors(expr: &Expr) -> Vec<String> {
    let mut found = Vec::new();
    expr.for_each_selector(&mut |selector| {
        let matchers: Vec<String> = selector.matchers.iter().map(Matcher::to_string).collect();
        let text = format!("{{{}}}", matchers.join(","));
        if !found.contains(&text) && found.len() < SELECTORS_MAX {
            found.push(text);
        }
    });
    found
}
