//! Where numbers come from: scraping, rules, Prometheus servers, the Prometheus HTTP API.
//!
//! ```text
//!   targets (watch) ──> Scraper ──bodies──> promql::exposition ──samples──┐
//!   rule files ──────> rules::Rules ──results of promql::rules───────────┤
//!   pushes ──────────> api /write ───────────────────────────────────────┴──> Store <──> persist (a file)
//!                                                                               │
//!        ┌─────────────── promql's engine <──series── Store as a Source ────────┤
//!        v                                                                      v
//!   api::router  /api/v1/query …        source::Local ──┐                 source::observe
//!                                       source::Server ─┴──> Answer, age, named errors ──> loops, `query`
//!                                                                       └──> render: table, plot, CSV, JSON
//! ```
//!
//! This is the only crate that knows Prometheus' HTTP API and that scrapes. It knows no Kubernetes: targets
//! arrive as a list in a watch channel, and whoever owns Pods makes that list ([`scrape::annotations`] says
//! how the usual annotations read). Times come from a [`flyball_core::Clock`], waiting is tokio's, so that a test
//! with paused time scrapes a simulated day in milliseconds.
//!
//! A running example: a Pod with `prometheus.io/scrape: "true"` becomes a [`Target`], is scraped every few
//! seconds, and `rate(http_requests_total{pod="web-0"}[1m])` over HTTP or in process reads what came of it. A
//! loop asks the same through [`source::observe`] and learns as well how old the samples under the rate are.

pub mod store;

pub mod scrape;

pub mod rules;

pub mod api;

pub mod source;

pub mod render;

pub mod persist;

mod duration;
mod tls;

pub use promql::store::Limits;
pub use scrape::{Scraper, Target};
pub use store::Store;
