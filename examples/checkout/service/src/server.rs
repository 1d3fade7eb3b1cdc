//! The server around a service's own routes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use axum::extract::{MatchedPath, Query, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::{FaultSettings, Faults, Telemetry, text_from_environment};

/// One replica of a service.
pub struct Server {
    name: &'static str,
    routes: Router,
    shared: Shared,
}

#[derive(Clone)]
struct Shared {
    telemetry: Arc<Telemetry>,
    faults: Faults,
    stopping: Arc<AtomicBool>,
}

impl Server {
    /// A server for `routes`; requests to them are counted, timed and subject to `faults`.
    pub fn new(name: &'static str, telemetry: Telemetry, faults: Faults, routes: Router) -> Self {
        let shared = Shared {
            telemetry: Arc::new(telemetry),
            faults,
            stopping: Arc::default(),
        };
        Self { name, routes, shared }
    }

    /// Serves on `LISTEN` (default `0.0.0.0:8080`) until SIGTERM or SIGINT, then finishes what is in flight.
    pub async fn run(self) -> std::io::Result<()> {
        let address = text_from_environment("LISTEN", "0.0.0.0:8080");
        let listener = TcpListener::bind(&address).await?;
        println!("{} listens on {}", self.name, listener.local_addr()?);
        let stopping = self.shared.stopping.clone();
        let name = self.name;
        axum::serve(listener, self.router())
            .with_graceful_shutdown(stop_signal(name, stopping))
            .await
    }

    fn router(self) -> Router {
        let own = self.routes.layer(from_fn_with_state(self.shared.clone(), observed));
        Router::new()
            .route("/livez", get(|| async { "ok" }))
            .route("/readyz", get(ready))
            .route("/metrics", get(metrics))
            .route("/faults", get(show_faults).put(set_faults))
            .with_state(self.shared)
            .merge(own)
    }
}

async fn ready(State(shared): State<Shared>) -> (StatusCode, &'static str) {
    match shared.stopping.load(Ordering::Relaxed) {
        true => (StatusCode::SERVICE_UNAVAILABLE, "stopping"),
        false => (StatusCode::OK, "ok"),
    }
}

async fn metrics(State(shared): State<Shared>) -> impl IntoResponse {
    const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, OPEN_METRICS)], shared.telemetry.expose())
}

async fn show_faults(State(shared): State<Shared>) -> Json<FaultSettings> {
    Json(shared.faults.settings())
}

async fn set_faults(State(shared): State<Shared>, Query(wanted): Query<FaultSettings>) -> Json<FaultSettings> {
    let settings = shared.faults.set(wanted);
    println!("faults are now {settings:?}");
    Json(settings)
}

/// Applies the faults of this replica, then counts and times what its clients get.
async fn observed(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let path = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "other".to_owned(), |matched| matched.as_str().to_owned());
    tokio::time::sleep(shared.faults.delay()).await;
    let response = match shared.faults.next_fails() {
        true => (StatusCode::INTERNAL_SERVER_ERROR, "a fault was switched on\n").into_response(),
        false => next.run(request).await,
    };
    let code = response.status().as_u16();
    shared.telemetry.observe(&path, code, started.elapsed());
    response
}

async fn stop_signal(name: &str, stopping: Arc<AtomicBool>) {
    let mut terminate = signal(SignalKind::terminate()).expect("SIGTERM can be handled");
    let mut interrupt = signal(SignalKind::interrupt()).expect("SIGINT can be handled");
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    stopping.store(true, Ordering::Relaxed);
    println!("{name} finishes what is in flight and stops");
}
