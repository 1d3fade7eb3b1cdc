//! `/query`, `/query_range`, `/format_query`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::extract::State;
use promql::engine::{Check, Engine, Interrupt, Query, QueryError, QueryResult, QueryValue, TimeRange};
use tokio::time::Instant;

use super::params::Params;
use super::reply::{ApiError, Reply, Result};
use super::{Backend, QUERY_TIMEOUT_MAX};
use crate::Store;

/// Points of a series in one answer: a day at 8 s. More than a screen can show.
const POINTS_MAX: i64 = 11_000;

pub(super) async fn instant(State(backend): State<Backend>, params: Params) -> Result {
    let limit = params.limit()?;
    let time_ms = params.time_ms("time")?.unwrap_or_else(|| backend.now_ms());
    let run = move |engine: &Engine, store: &Store, query: &Query, check: Check<'_>| {
        engine.instant_checked(store, query, time_ms, check)
    };
    evaluate(&backend, &params, limit, run).await
}

pub(super) async fn range(State(backend): State<Backend>, params: Params) -> Result {
    let limit = params.limit()?;
    let start_ms = params.required_time_ms("start")?;
    let end_ms = params.required_time_ms("end")?;
    if end_ms < start_ms {
        return Err(ApiError::parameter(
            "end",
            "end timestamp must not be before start time",
        ));
    }
    let step_ms = params.duration_ms("step")?;
    let step_ms = step_ms.ok_or_else(|| ApiError::parameter("step", "cannot parse \"\" to a valid duration"))?;
    if step_ms <= 0 {
        let message = "zero or negative query resolution step widths are not accepted. Try a positive integer";
        return Err(ApiError::parameter("step", message));
    }
    if end_ms.saturating_sub(start_ms) / step_ms > POINTS_MAX {
        let message = "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)";
        return Err(ApiError::bad_data(message));
    }
    let range = TimeRange {
        start_ms,
        end_ms,
        step_ms,
    };
    let run = move |engine: &Engine, store: &Store, query: &Query, check: Check<'_>| {
        engine.range_checked(store, query, range, check)
    };
    evaluate(&backend, &params, limit, run).await
}

pub(super) async fn format(State(backend): State<Backend>, params: Params) -> Result {
    let query = parse(&backend.inner.engine, &params)?;
    Ok(Reply::new(|json| {
        json.string(&query.expr().to_string());
    }))
}

pub(super) async fn tree(State(backend): State<Backend>, params: Params) -> Result {
    let query = parse(&backend.inner.engine, &params)?;
    Ok(Reply::new(|json| {
        json.raw(super::ast::tree(query.expr()));
    }))
}

/// Exemplars are not stored; the query is checked all the same.
pub(super) async fn exemplars(State(backend): State<Backend>, params: Params) -> Result {
    parse(&backend.inner.engine, &params)?;
    Ok(Reply::new(|json| {
        json.raw("[]");
    }))
}

fn parse(engine: &Engine, params: &Params) -> std::result::Result<Query, ApiError> {
    let text = params.get("query").unwrap_or("");
    engine.parse(text).map_err(|error| ApiError::parameter("query", error))
}

/// Tells a query that its client has gone.
struct CancelOnDrop(Arc<AtomicBool>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

async fn evaluate<F>(backend: &Backend, params: &Params, limit: usize, run: F) -> Result
where
    F: Fn(&Engine, &Store, &Query, Check<'_>) -> std::result::Result<QueryResult, QueryError> + Send + 'static,
{
    let timeout = params.timeout(QUERY_TIMEOUT_MAX)?;
    let with_stats = params.get("stats").is_some();
    let mut options = *backend.inner.engine.options();
    if let Some(lookback_ms) = params.duration_ms("lookback_delta")? {
        options.lookback_ms = lookback_ms;
    }
    let engine = Engine::new(options);
    let query = parse(&engine, params)?;

    let arrived = Instant::now();
    let deadline = arrived + timeout;
    let permit = tokio::time::timeout_at(deadline, backend.inner.permits.clone().acquire_owned()).await;
    let permit = permit.map_err(|_| ApiError::from(QueryError::Timeout))?;
    let queued = arrived.elapsed();

    let canceled = Arc::new(AtomicBool::new(false));
    let _cancel = CancelOnDrop(canceled.clone());
    let store = backend.inner.store.clone();
    let evaluation = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        let check = || match () {
            () if canceled.load(Ordering::Relaxed) => Err(Interrupt::Canceled),
            () if Instant::now() >= deadline => Err(Interrupt::Timeout),
            () => Ok(()),
        };
        run(&engine, &store, &query, &check)
    });
    let mut result = evaluation
        .await
        .map_err(|_| ApiError::internal("the evaluation of the query failed"))??;
    let took = arrived.elapsed();

    let truncated = truncate(&mut result.value, limit);
    let statistics = with_stats.then(|| stats(queued, took));
    let reply = Reply::new(|json| {
        json.query_value(&result.value, statistics.as_deref());
    });
    let reply = if truncated {
        reply.warn("results truncated due to limit")
    } else {
        reply
    };
    Ok(reply.annotate(&result.annotations))
}

fn truncate(value: &mut QueryValue, limit: usize) -> bool {
    let length = match value {
        QueryValue::Vector(samples) => samples.len(),
        QueryValue::Matrix(series) => series.len(),
        QueryValue::Scalar(..) | QueryValue::String(..) => 0,
    };
    match value {
        QueryValue::Vector(samples) => samples.truncate(limit),
        QueryValue::Matrix(series) => series.truncate(limit),
        QueryValue::Scalar(..) | QueryValue::String(..) => {}
    }
    length > limit
}

/// The timings that are measured here; upstream's others are left out rather than made up.
fn stats(queued: Duration, took: Duration) -> String {
    let (queued, total) = (queued.as_secs_f64(), took.as_secs_f64());
    let evaluation = total - queued;
    format!("{{\"timings\":{{\"evalTotalTime\":{evaluation},\"execQueueTime\":{queued},\"execTotalTime\":{total}}}}}")
}
