//! What the adapter asks of others: numbers of Prometheus, names of the cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use apimachinery::resources::GroupResource;
use apimachinery::selector::LabelSelector;
use flyball_core::Timestamp;
use futures::future::BoxFuture;
use thiserror::Error;

use super::SeriesShape;

/// A source that could not answer. Its text is for our own logs and status, never for the caller of the API.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct SourceError(pub String);

/// One number with its labels.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The labels.
    pub labels: BTreeMap<String, String>,
    /// The value.
    pub value: f64,
    /// When it was taken.
    pub at: Timestamp,
}

/// What an instant query gives.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// Any number of samples.
    Vector(Vec<Sample>),
    /// One number without labels.
    Scalar(Sample),
}

/// Someone who can ask Prometheus, or is one.
pub trait MetricsQuery: Send + Sync {
    /// Evaluates a query at a time; it should not take longer than `deadline`.
    fn instant<'a>(
        &'a self,
        query: &'a str,
        time: Timestamp,
        deadline: Duration,
    ) -> BoxFuture<'a, Result<Answer, SourceError>>;

    /// The shapes of all series that a selector selects and that have a sample since `start`. Whoever implements this reads
    /// the answer as a stream: a shape is kept once, however many series have it.
    fn series<'a>(
        &'a self,
        selector: &'a str,
        start: Timestamp,
    ) -> BoxFuture<'a, Result<BTreeSet<SeriesShape>, SourceError>>;
}

/// An object, reduced to what the metrics APIs show of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObjectMeta {
    /// The namespace; empty for cluster-wide kinds.
    pub namespace: String,
    /// The name.
    pub name: String,
    /// The labels.
    pub labels: BTreeMap<String, String>,
}

/// Someone who knows the objects of the cluster, from memory wherever it can.
pub trait ObjectLookup: Send + Sync {
    /// The objects of a kind that a selector selects, of one namespace or of all, sorted by namespace and name.
    fn objects<'a>(
        &'a self,
        resource: &'a GroupResource,
        namespace: Option<&'a str>,
        selector: &'a LabelSelector,
    ) -> BoxFuture<'a, Result<Vec<ObjectMeta>, SourceError>>;
}
