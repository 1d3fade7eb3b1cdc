//! Over real sockets on loopback: a target is scraped, and a client that speaks Prometheus' HTTP API reads
//! what came of it.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use flyball_core::{Clock, Timestamp};
use metrics::api::{Backend, HostCheck, router};
use metrics::scrape::{FirstScrape, Settings};
use metrics::source::{Found, Server, ServerSettings, Source};
use metrics::{Limits, Scraper, Store, Target};
use promql::engine::Engine;
use promql::labels::Labels;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::Instant;

struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// Serves a router on a free port and returns its base URL.
async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

#[tokio::test]
async fn a_scraped_value_is_read_over_http() {
    let exposition = "# TYPE queue_length gauge\nqueue_length{queue=\"orders\"} 42\n";
    let target_url = serve(Router::new().route("/metrics", get(move || async move { exposition }))).await;

    let store = Store::new(Limits::default());
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let scraper = Scraper::new(store.clone(), clock.clone(), FirstScrape::Immediate);
    let targets = scraper.targets();
    let settings = Arc::new(Settings {
        interval: Duration::from_millis(100),
        ..Settings::default()
    });
    let target = Target::with_settings(
        format!("{target_url}/metrics"),
        Labels::from_pairs([("job", "orders")]),
        settings,
    );
    let (targets_tx, targets_rx) = watch::channel(vec![target]);
    let scraping = tokio::spawn(scraper.run(targets_rx));

    let backend = Backend::new(store, Engine::default(), clock, targets, HostCheck::Loopback);
    let urls = vec![serve(router(backend)).await];
    let server = Server::new(ServerSettings {
        urls,
        ..ServerSettings::default()
    })
    .expect("valid settings");
    let deadline = Instant::now() + Duration::from_secs(20);
    let sample = loop {
        let now_ms = Timestamp::now().as_millisecond();
        let answer = server
            .instant("sum by (job, queue) (queue_length)", now_ms, deadline)
            .await
            .expect("an answer in time");
        match answer.found {
            Found::Vector(samples) => break samples[0].clone(),
            _ => tokio::task::yield_now().await,
        }
    };
    assert_eq!(sample.finite(), Some(42.0));
    assert_eq!(
        sample.labels,
        Labels::from_pairs([("job", "orders"), ("queue", "orders")])
    );
    let error = server.instant("sum(", 0, deadline).await.expect_err("malformed");
    assert_eq!(error.code(), "QueryRejected");
    drop(targets_tx);
    scraping.await.expect("no panic");
}
