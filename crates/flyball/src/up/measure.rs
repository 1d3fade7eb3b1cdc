//! Numbers: Pods are scraped into the built-in store, which answers PromQL and the metrics APIs.
//!
//! ```text
//!   Pod cache ──targets──> Scraper ──> Store ──> Prometheus HTTP API (loopback)
//!                                        │
//!                     ConfigMap rules ──> Adapter ──> custom.metrics.k8s.io, external…, metrics… (aggregated)
//! ```

mod rules;
mod targets;
mod usage;

use std::sync::Arc;
use std::time::Duration;

use apiserver::{AggregatedApi, ApiServer, Body};
use axum::Router;
use bytes::Bytes;
use cluster::{Cluster, SystemClock};
use futures::future::BoxFuture;
use http::{Request, Response};
use metrics::api::{self, Backend, HostCheck};
use metrics::scrape::{FirstScrape, Settings};
use metrics::{Limits, Scraper, Store};
use node::kubelet::Kubelet;
use node::network::Network;
use promql::engine::Engine;
use scale::adapter::serve::GROUPS;
use scale::adapter::{Adapter, MetricsService};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::cli::Up;

/// Starts scraping, the Prometheus API on `listener`, and the metrics APIs on the API server.
pub(crate) fn start(
    arguments: &Up,
    server: &ApiServer,
    cluster: &Cluster,
    kubelet: &Kubelet,
    network: &Arc<Network>,
    listener: TcpListener,
    tasks: &mut JoinSet<()>,
) {
    let clock = Arc::new(SystemClock);
    let store = Store::new(Limits::default());
    let scraper = Scraper::new(store.clone(), clock.clone(), FirstScrape::Immediate);
    let backend = Backend::new(
        store.clone(),
        Engine::default(),
        clock.clone(),
        scraper.targets(),
        HostCheck::Loopback,
    );
    let interval = Duration::from_secs(arguments.scrape_interval);
    let settings = Settings {
        interval,
        timeout: interval.mul_f64(0.8),
        ..Settings::default()
    };
    let own = listener
        .local_addr()
        .ok()
        .map(|address| format!("http://{address}{}", usage::PATH));
    let (target_tx, target_rx) = watch::channel(Vec::new());
    tasks.spawn(targets::follow(
        cluster.cache(),
        network.clone(),
        Arc::new(settings),
        own,
        target_tx,
    ));
    tasks.spawn(scraper.run(target_rx));

    let routes = api::router(backend).merge(usage::router(kubelet.clone()));
    tasks.spawn(serve(listener, routes));

    let adapter = Arc::new(rules::adapter(cluster, store));
    tasks.spawn(rules::follow(cluster.clone(), adapter.clone()));
    let service = MetricsService::new(adapter, clock);
    for (group, versions) in GROUPS {
        for version in *versions {
            let (group, version) = (*group, *version);
            let service = service.clone();
            server.register_aggregated(
                group,
                version,
                Arc::new(MetricsApi {
                    service,
                    group,
                    version,
                }),
            );
        }
    }
}

async fn serve(listener: TcpListener, routes: Router) {
    if let Err(error) = axum::serve(listener, routes).await {
        tracing::error!(%error, "the Prometheus API is no longer served");
    }
}

/// One version of a metrics API under the API server's roof.
struct MetricsApi {
    service: MetricsService,
    group: &'static str,
    version: &'static str,
}

impl AggregatedApi for MetricsApi {
    fn resources(&self) -> Value {
        self.service.resources(self.group, self.version).unwrap_or_default()
    }

    fn call(&self, request: Request<Bytes>) -> BoxFuture<'static, Response<Body>> {
        let service = self.service.clone();
        Box::pin(async move {
            let (parts, body) = service.handle(request).await.into_parts();
            Response::from_parts(parts, Body::new(http_body_util::Full::new(body)))
        })
    }
}

/// The adapter as this module holds it.
type SharedAdapter = Arc<Adapter>;
