//! What a server of the metrics APIs answers from.

use apimachinery::quantity::Quantity;
use apimachinery::selector::LabelSelector;
use apimachinery::status::Status;
use flyball_core::Timestamp;
use futures::future::BoxFuture;
use std::collections::BTreeMap;

use super::MetricInfo;
use super::resource_metrics::{NodeUsage, PodUsage};

/// Which objects a request for a metric means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Objects {
    /// The one of this name.
    Named(String),
    /// All that a selector selects.
    Selected(LabelSelector),
}

/// A request for a metric of objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomRequest {
    /// The API group of the objects.
    pub group: String,
    /// Their kind as it is named in the path.
    pub resource: String,
    /// Their namespace; empty for cluster-wide kinds, and for namespaces themselves.
    pub namespace: String,
    /// Which of them.
    pub objects: Objects,
    /// The metric.
    pub metric: String,
    /// Selects series.
    pub metric_selector: LabelSelector,
}

/// A value of one object.
#[derive(Debug, Clone, PartialEq)]
pub struct CustomValue {
    /// The object's kind in CamelCase.
    pub kind: String,
    /// The API group of the kind.
    pub group: String,
    /// The version of the kind.
    pub version: String,
    /// The object's namespace; empty for cluster-wide kinds.
    pub namespace: String,
    /// The object's name.
    pub name: String,
    /// When the sample was taken.
    pub at: Timestamp,
    /// Over how many seconds it was measured, if that is known.
    pub window_seconds: Option<i64>,
    /// The value.
    pub value: Quantity,
}

/// A value of no object.
#[derive(Debug, Clone, PartialEq)]
pub struct ExternalValue {
    /// The labels of the sample.
    pub labels: BTreeMap<String, String>,
    /// When it was taken.
    pub at: Timestamp,
    /// The value.
    pub value: Quantity,
}

/// Which pods or nodes a request means.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UsageRequest {
    /// One namespace, or all.
    pub namespace: Option<String>,
    /// One object, or all.
    pub name: Option<String>,
    /// By label.
    pub selector: LabelSelector,
}

/// Answers for the metrics APIs. All methods answer from memory or within a deadline.
pub trait Provider: Send + Sync {
    /// The metrics of objects that are offered now.
    fn custom_metrics(&self) -> Vec<MetricInfo>;

    /// The metrics of no object that are offered now.
    fn external_metrics(&self) -> Vec<String>;

    /// Values of objects. For a named object there is exactly one.
    fn custom(&self, request: CustomRequest) -> BoxFuture<'_, Result<Vec<CustomValue>, Status>>;

    /// Values of no object.
    fn external<'a>(
        &'a self,
        namespace: &'a str,
        metric: &'a str,
        selector: &'a LabelSelector,
    ) -> BoxFuture<'a, Result<Vec<ExternalValue>, Status>>;

    /// Usage of pods, and the window it was measured over in seconds.
    fn pods(&self, request: UsageRequest) -> BoxFuture<'_, Result<(Vec<PodUsage>, i64), Status>>;

    /// Usage of nodes, and the window it was measured over in seconds.
    fn nodes(&self, request: UsageRequest) -> BoxFuture<'_, Result<(Vec<NodeUsage>, i64), Status>>;
}

/// 404 in the words of the metrics APIs.
pub fn metric_not_found(metric: &str, of: &str, name: &str) -> Status {
    let mut message = format!("the server could not find the metric {metric} for {of}");
    if !name.is_empty() {
        message.push(' ');
        message.push_str(name);
    }
    Status {
        code: 404,
        reason: "NotFound",
        message,
        details: Box::default(),
    }
}

/// 500 without what went wrong: the backend's words are for our own logs and status.
pub fn cannot_fetch() -> Status {
    Status::internal_error("unable to fetch metrics")
}
