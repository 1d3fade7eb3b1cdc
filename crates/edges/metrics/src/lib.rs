//! Where numbers come from: scraping, Prometheus servers, the Prometheus HTTP API.
//!
//! ```text
//!   targets (watch) ──> Scraper ──bodies──> promql::exposition ──samples──> Store ──┐
//!                                                                                  ├──> api::router
//!                                           promql's engine <──series── Store <────┘    /api/v1/query …
//! ```
//!
//! This is the only crate that knows Prometheus' HTTP API and that scrapes. It knows no Kubernetes: targets
//! arrive as a list in a watch channel, and whoever owns Pods makes that list ([`scrape::annotations`] says
//! how the usual annotations read). Times come from a [`flyball_core::Clock`], waiting is tokio's, so that a test
//! with paused time scrapes a simulated day in a second.
//!
//! A running example: a Pod with `prometheus.io/scrape: "true"` becomes a [`Target`], is scraped every few
//! seconds, and `rate(http_requests_total{pod="web-0"}[1m])` over HTTP or in process reads what came of it.

pub mod api;
mod duration;
pub mod render;
pub mod rules;
pub mod scrape;
pub mod source;
pub mod store;
mod tls;

pub use promql::store::Limits;
pub use scrape::{Scraper, Target};
pub use store::Store;
