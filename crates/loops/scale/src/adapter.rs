//! Metrics APIs from Prometheus, by the rules of prometheus-adapter.
//!
//! ```text
//!   rules.yaml ──> Config ──> Rule (template, association, naming)
//!                               │
//!   /api/v1/series ─ SeriesShape ┴─> Registry ──> discovery documents
//!                                       │
//!   GET …/pods/*/http_requests ──> query ──> Prometheus ──> value policy ──> MetricValueList
//! ```
//!
//! What decides is pure: rules, registry, queries and conversion know no server. [`serve`] puts them behind HTTP,
//! given someone who asks Prometheus ([`MetricsQuery`]) and someone who knows objects ([`ObjectLookup`]).
//!
//! Running example: the rule `seriesQuery: http_requests_total{pod!=""}` with the template `<<.Resource>>` makes, of a
//! series with the labels `namespace` and `pod`, the metric `pods/http_requests`; asked for `web-1` and `web-2` it is
//! `sum(rate(http_requests_total{namespace="default",pod=~"web-1|web-2"}[1m])) by (pod)`.

pub mod config;
pub mod go;
pub mod template;

mod association;
pub mod query;
mod registry;
mod resources;
mod rule;

pub use association::Association;
pub use config::Config;
pub use registry::{CustomRegistry, ExternalRegistry, MetricInfo, SeriesShape};
pub use resources::{ApiResource, GroupResource, ResourceMapper};
pub use rule::{Filter, Rule};
