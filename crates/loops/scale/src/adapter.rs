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

pub mod template;

pub mod go;

mod resources;

mod association;

pub mod query;

mod rule;

mod registry;

mod compiled;

pub mod source;

pub mod value;

pub mod resource_metrics;

mod discovery;

pub mod planner;

mod engine;

mod objects;

mod prometheus;

pub mod provider;

pub mod serve;

pub mod flags;

pub use association::Association;
pub use compiled::{BAD_RULE, Compiled};
pub use config::Config;
pub use discovery::{Offered, QueryStatus};
pub use engine::{Adapter, AdapterOptions};
pub use objects::{ClusterObjects, PodCache, mapper_of};
pub use prometheus::SourceQuery;
pub use registry::{CustomRegistry, ExternalRegistry, MetricInfo, SeriesShape};
pub use resources::{ApiResource, ResourceMapper, core_resource, is_root_scoped};
pub use rule::{Asked, Filter, Rule};
pub use serve::MetricsService;
pub use source::{MetricsQuery, ObjectLookup};
