//! The metrics APIs over HTTP: `custom.metrics.k8s.io`, `external.metrics.k8s.io`, `metrics.k8s.io`.
//!
//! Source of paths and shapes: custom-metrics-apiserver's installer and k8s.io/metrics. Only reading is served.

mod discovery;
mod documents;
mod paths;
mod table;

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use apimachinery::selector::LabelSelector;
use apimachinery::status::Status;
use bytes::Bytes;
use flyball_core::Clock;
use futures::future::BoxFuture;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use serde_json::Value;

use super::provider::{CustomRequest, Objects, Provider, UsageRequest};
use paths::{Query, Target};

pub use discovery::{GROUPS, group_document, resource_list};

/// Answers requests from a [`Provider`]. Clones share it.
#[derive(Clone)]
pub struct MetricsService {
    provider: Arc<dyn Provider>,
    clock: Arc<dyn Clock>,
}

impl MetricsService {
    /// A service of the three groups.
    pub fn new(provider: Arc<dyn Provider>, clock: Arc<dyn Clock>) -> Self {
        Self { provider, clock }
    }

    /// The `APIResourceList` of one group and version; `None` for one that is not served.
    pub fn resources(&self, group: &str, version: &str) -> Option<Value> {
        resource_list(&*self.provider, group, version)
    }

    /// Answers one request. The caller was authorised before.
    pub async fn handle<B>(&self, request: Request<B>) -> Response<Bytes> {
        let (parts, _) = request.into_parts();
        if parts.method != Method::GET && parts.method != Method::HEAD {
            return json(&Status::method_not_allowed().to_value(), 405);
        }
        let wants_table = parts
            .headers
            .get_all(header::ACCEPT)
            .iter()
            .any(|accept| accept.to_str().is_ok_and(|accept| accept.contains("as=Table")));
        match self.answer(parts.uri.path(), parts.uri.query(), wants_table).await {
            Ok(document) => json(&document, 200),
            Err(status) => json(&status.to_value(), status.code),
        }
    }

    async fn answer(&self, path: &str, query: Option<&str>, wants_table: bool) -> Result<Value, Status> {
        let query = Query::parse(query.unwrap_or_default());
        match paths::target(path).ok_or_else(Status::no_such_path)? {
            Target::Group(group) => group_document(&group).ok_or_else(Status::no_such_path),
            Target::Version(group, version) => self.resources(&group, &version).ok_or_else(Status::no_such_path),
            Target::Custom { version, request } => self.custom(&version, request, &query).await,
            Target::External { namespace, metric } => self.external(&namespace, &metric, &query).await,
            Target::Pods { namespace, name } => self.usage(Kind::Pods, namespace, name, &query, wants_table).await,
            Target::Nodes { name } => self.usage(Kind::Nodes, None, name, &query, wants_table).await,
        }
    }

    async fn custom(&self, version: &str, mut request: CustomRequest, query: &Query) -> Result<Value, Status> {
        request.metric_selector = selector(query.get("metricLabelSelector")).map_err(|status| *status)?;
        if let Objects::Selected(all) = &mut request.objects {
            *all = selector(query.get("labelSelector")).map_err(|status| *status)?;
        }
        let metric = request.metric.clone();
        let metric_selector = request.metric_selector.clone();
        let values = self.provider.custom(request).await?;
        Ok(documents::custom(version, &metric, &metric_selector, &values))
    }

    async fn external(&self, namespace: &str, metric: &str, query: &Query) -> Result<Value, Status> {
        let selector = selector(query.get("labelSelector")).map_err(|status| *status)?;
        let values = self.provider.external(namespace, metric, &selector).await?;
        Ok(documents::external(metric, &values))
    }

    async fn usage(
        &self,
        kind: Kind,
        namespace: Option<String>,
        name: Option<String>,
        query: &Query,
        wants_table: bool,
    ) -> Result<Value, Status> {
        let named = name.clone();
        let request = UsageRequest {
            namespace,
            name: name.or_else(|| query.field("metadata.name")),
            selector: selector(query.get("labelSelector")).map_err(|status| *status)?,
        };
        let now = self.clock.now();
        let items = match kind {
            Kind::Pods => {
                let (pods, window_seconds) = self.provider.pods(request).await?;
                documents::pods(&pods, window_seconds, now)
            }
            Kind::Nodes => {
                let (nodes, window_seconds) = self.provider.nodes(request).await?;
                documents::nodes(&nodes, window_seconds, now)
            }
        };
        if wants_table {
            return Ok(table::of(&items));
        }
        match named {
            None => Ok(documents::usage_list(kind.list_kind(), items)),
            Some(name) => items.into_iter().next().ok_or_else(|| kind.not_found(&name)),
        }
    }
}

/// The two kinds of `metrics.k8s.io`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Pods,
    Nodes,
}

impl Kind {
    fn list_kind(self) -> &'static str {
        match self {
            Self::Pods => "PodMetricsList",
            Self::Nodes => "NodeMetricsList",
        }
    }

    fn not_found(self, name: &str) -> Status {
        let resource = match self {
            Self::Pods => "pods",
            Self::Nodes => "nodes",
        };
        let resource = apimachinery::resources::GroupResource {
            group: "metrics.k8s.io".to_owned(),
            resource: resource.to_owned(),
        };
        Status::not_found(&resource, name)
    }
}

fn selector(text: Option<&str>) -> Result<LabelSelector, Box<Status>> {
    LabelSelector::parse(text.unwrap_or_default()).map_err(|error| Box::new(Status::bad_request(error.to_string())))
}

fn json(document: &Value, code: u16) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(document.to_string()));
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("application/json"),
    );
    response
}

impl<B: Send + 'static> tower::Service<Request<B>> for MetricsService {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move { Ok(service.handle(request).await.map(Full::new)) })
    }
}
