//! The Prometheus HTTP API over this process' series.
//!
//! ```text
//!   GET or POST /api/v1/…  ──> Params ──> handler ──> Backend {store, engine, targets} ──> JSON as Prometheus writes it
//! ```
//!
//! Paths, parameters, error texts and number formats are Prometheus', because its clients (Grafana, `promtool`,
//! adapters, dashboards' scripts) are the specification:
//! <https://prometheus.io/docs/prometheus/latest/querying/api/>.
//!
//! Queries run on blocking threads, at most [`QUERIES_CONCURRENT_MAX`] at once; when a client goes away, its
//! query stops.

mod json;
mod params;
mod query;
mod reply;
mod series;
mod status;
#[cfg(test)]
mod tests;

pub(crate) use json::Json;
pub use json::{ApiFloat, ApiTime};

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use flyball_core::Clock;
use promql::engine::Engine;
use tokio::sync::Semaphore;

use crate::Store;
use crate::rules::Rules;
use crate::scrape::Targets;

/// Queries evaluated at one time, as upstream's `--query.max-concurrency`; further ones wait.
pub const QUERIES_CONCURRENT_MAX: usize = 20;

/// The longest time that a query may take, as upstream's `--query.timeout`.
pub const QUERY_TIMEOUT_MAX: Duration = Duration::from_secs(120);

/// The largest form that is read. A query of a megabyte is refused by the parser anyway.
const FORM_BYTES_MAX: usize = 2 << 20;

/// Whose requests are answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum HostCheck {
    /// Only requests whose `Host` is a loopback address or `localhost`: a web page that has made its name
    /// point to 127.0.0.1 cannot read the metrics.
    #[default]
    Loopback,
    /// Any: for servers that are meant to be reached by name.
    Any,
}

/// What the API answers from.
#[derive(Clone)]
pub struct Backend {
    inner: Arc<Inner>,
    rules: Rules,
}

struct Inner {
    store: Store,
    engine: Engine,
    clock: Arc<dyn Clock>,
    targets: Targets,
    host_check: HostCheck,
    started_ms: i64,
    permits: Arc<Semaphore>,
}

impl Backend {
    /// A backend over a store. `targets` is [`crate::Scraper::targets`], or the default where nothing is scraped.
    #[must_use]
    pub fn new(store: Store, engine: Engine, clock: Arc<dyn Clock>, targets: Targets, host_check: HostCheck) -> Self {
        let started_ms = clock.now().as_millisecond();
        let permits = Arc::new(Semaphore::new(QUERIES_CONCURRENT_MAX));
        Backend {
            inner: Arc::new(Inner {
                store,
                engine,
                clock,
                targets,
                host_check,
                started_ms,
                permits,
            }),
            rules: Rules::default(),
        }
    }

    /// The same backend with rules to tell about.
    #[must_use]
    pub fn with_rules(mut self, rules: Rules) -> Self {
        self.rules = rules;
        self
    }

    fn now_ms(&self) -> i64 {
        self.inner.clock.now().as_millisecond()
    }
}

/// The API's routes: `/api/v1/…`, `/-/healthy` and `/-/ready`.
pub fn router(backend: Backend) -> Router {
    let api = Router::new()
        .route("/query", get(query::instant).post(query::instant))
        .route("/query_range", get(query::range).post(query::range))
        .route("/query_exemplars", get(query::exemplars).post(query::exemplars))
        .route("/format_query", get(query::format).post(query::format))
        .route("/series", get(series::series).post(series::series))
        .route("/labels", get(series::label_names).post(series::label_names))
        .route("/label/{name}/values", get(series::label_values))
        .route("/metadata", get(series::metadata))
        .route("/targets", get(status::targets))
        .route("/rules", get(status::rules))
        .route("/alerts", get(status::alerts))
        .route("/alertmanagers", get(status::alertmanagers))
        .route("/status/buildinfo", get(status::build))
        .route("/status/config", get(status::config))
        .route("/status/flags", get(status::flags))
        .route("/status/runtimeinfo", get(status::runtime))
        .route("/status/tsdb", get(status::tsdb))
        .fallback(|| async { reply::ApiError::not_found("no such endpoint") });
    Router::new()
        .nest("/api/v1", api)
        .route("/-/healthy", get(|| async { "Flyball is Healthy.\n" }))
        .route("/-/ready", get(|| async { "Flyball is Ready.\n" }))
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
        .layer(middleware::from_fn_with_state(backend.clone(), check_host))
        .with_state(backend)
}

async fn check_host(State(backend): State<Backend>, request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let host = host.or(request.uri().host()).unwrap_or("");
    if backend.inner.host_check == HostCheck::Any || is_loopback(host) {
        return next.run(request).await;
    }
    let message = "this API answers only to localhost: use 127.0.0.1 in the URL\n";
    (StatusCode::FORBIDDEN, message).into_response()
}

/// Whether a `Host` header names this machine; in-process clients send none.
fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name.is_empty()
        || name.eq_ignore_ascii_case("localhost")
        || name
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}
