//! The store of this process as a source.

use futures::future::BoxFuture;
use promql::engine::{Check, Engine, Interrupt, MatrixSeries, Query, QueryError, QueryResult, QueryValue, TimeRange};
use promql::labels::Labels;
use promql::parser::{ParserOptions, parse_selector};
use tokio::time::Instant;

use super::{Answer, Found, Sample, Source, SourceError};
use crate::Store;

/// A [`Source`] over a store: the same engine that the HTTP API uses, without HTTP.
#[derive(Debug, Clone)]
pub struct Local {
    store: Store,
    engine: Engine,
}

impl Local {
    /// A source over a store, with the engine's default options.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Local {
            store,
            engine: Engine::default(),
        }
    }

    /// Evaluates on a blocking thread; past the deadline the evaluation stops.
    async fn evaluate(
        &self,
        query: &str,
        deadline: Instant,
        run: impl Fn(&Engine, &Store, &Query, Check<'_>) -> Result<QueryResult, QueryError> + Send + 'static,
    ) -> Result<QueryResult, SourceError> {
        let query = self.engine.parse(query)?;
        let (engine, store) = (self.engine.clone(), self.store.clone());
        let evaluation = tokio::task::spawn_blocking(move || {
            let check = || {
                if Instant::now() >= deadline {
                    Err(Interrupt::Timeout)
                } else {
                    Ok(())
                }
            };
            run(&engine, &store, &query, &check)
        });
        let result = tokio::time::timeout_at(deadline, evaluation)
            .await
            .map_err(|_| SourceError::Timeout)?;
        let failed = |_| SourceError::Query {
            kind: "internal".into(),
            message: "the evaluation of the query failed".into(),
        };
        Ok(result.map_err(failed)??)
    }
}

impl From<QueryError> for SourceError {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::Timeout | QueryError::Canceled => SourceError::Timeout,
            error => SourceError::Query {
                kind: error.error_type().to_owned(),
                message: error.to_string(),
            },
        }
    }
}

impl Source for Local {
    fn name(&self) -> &str {
        "local"
    }

    fn instant<'a>(
        &'a self,
        query: &'a str,
        at_ms: i64,
        deadline: Instant,
    ) -> BoxFuture<'a, Result<Answer, SourceError>> {
        Box::pin(async move {
            let run = move |engine: &Engine, store: &Store, query: &Query, check: Check<'_>| {
                engine.instant_checked(store, query, at_ms, check)
            };
            let result = self.evaluate(query, deadline, run).await?;
            let warnings = result.annotations.iter().map(ToString::to_string).collect();
            Ok(Answer {
                found: found(result.value)?,
                warnings,
            })
        })
    }

    fn range<'a>(
        &'a self,
        query: &'a str,
        range: TimeRange,
        deadline: Instant,
    ) -> BoxFuture<'a, Result<Vec<MatrixSeries>, SourceError>> {
        Box::pin(async move {
            let run = move |engine: &Engine, store: &Store, query: &Query, check: Check<'_>| {
                engine.range_checked(store, query, range, check)
            };
            match self.evaluate(query, deadline, run).await?.value {
                QueryValue::Matrix(series) => Ok(series),
                _ => Ok(Vec::new()),
            }
        })
    }

    fn series<'a>(
        &'a self,
        selectors: &'a [String],
        start_ms: i64,
        end_ms: i64,
        _deadline: Instant,
    ) -> BoxFuture<'a, Result<Vec<Labels>, SourceError>> {
        Box::pin(async move {
            let mut found = Vec::new();
            for selector in selectors {
                let matchers = parse_selector(selector, &ParserOptions::default()).map_err(QueryError::from)?;
                found.extend(self.store.head().label_sets(&matchers, start_ms, end_ms));
            }
            found.sort();
            found.dedup();
            Ok(found)
        })
    }
}

/// A query's value as what an instant query found.
pub(super) fn found(value: QueryValue) -> Result<Found, SourceError> {
    let type_error = |kind: &str| SourceError::Query {
        kind: "bad_data".into(),
        message: format!("the query returns a {kind}; an instant vector or a scalar is wanted"),
    };
    match value {
        QueryValue::Scalar(_, value) => Ok(Found::Scalar(value)),
        QueryValue::Vector(samples) if samples.is_empty() => Ok(Found::Nothing),
        QueryValue::Vector(samples) => Ok(Found::Vector(
            samples
                .into_iter()
                .map(|sample| Sample {
                    labels: sample.labels,
                    value: sample.value,
                    timestamp_ms: sample.timestamp_ms,
                })
                .collect(),
        )),
        QueryValue::String(..) => Err(type_error("string")),
        QueryValue::Matrix(_) => Err(type_error("range vector")),
    }
}
