//! The metrics APIs of a cluster, read as the upstream controller reads them.

use std::fmt::Write;

use cluster::Cluster;
use flyball_core::Timestamp;
use http::Request;
use serde::Deserialize;
use serde_json::Value;

use crate::hpa::{
    Autoscaler, ContainerUsage, Failure, FailureCode, MetricReading, MetricSource, ObjectReference, PodSample,
    PodUsage, Samples, SelectorTerms,
};
use crate::quantity;

/// The window of a custom metric that names none (the controller's own default), in seconds.
const WINDOW_SECONDS_DEFAULT: i64 = 60;

/// Reads metrics. Clones share the cluster's client.
#[derive(Debug, Clone)]
pub struct MetricsApis {
    cluster: Cluster,
}

/// The items of any list.
#[derive(Deserialize)]
struct Items {
    #[serde(default)]
    items: Vec<Value>,
}

/// What discovery says of a group.
#[derive(Deserialize)]
struct Group {
    #[serde(rename = "preferredVersion")]
    preferred: Preferred,
}

#[derive(Deserialize)]
struct Preferred {
    version: String,
}

impl MetricsApis {
    /// The APIs of one cluster.
    pub fn new(cluster: Cluster) -> Self {
        Self { cluster }
    }

    /// One metric of an autoscaler, for the pods that `pod_selector` selects.
    ///
    /// # Errors
    /// `MetricSourceFailed` when the API cannot be asked, `NoMetricsReturned` when it has nothing.
    pub async fn read(
        &self,
        autoscaler: &Autoscaler,
        source: &MetricSource,
        pod_selector: &str,
    ) -> Result<MetricReading, Failure> {
        let namespace = &autoscaler.namespace;
        match source {
            MetricSource::Resource { resource } => self
                .resource(namespace, resource, None, pod_selector)
                .await
                .map(MetricReading::Pods),
            MetricSource::ContainerResource { resource, container } => self
                .resource(namespace, resource, Some(container), pod_selector)
                .await
                .map(MetricReading::Pods),
            MetricSource::Pods { metric, selector } => self
                .pods(namespace, metric, selector, pod_selector)
                .await
                .map(MetricReading::Pods),
            MetricSource::Object {
                metric,
                selector,
                object,
            } => self
                .object(namespace, metric, selector, object)
                .await
                .map(MetricReading::Object),
            MetricSource::External { metric, selector } => self
                .external(namespace, metric, selector)
                .await
                .map(MetricReading::External),
            MetricSource::Unknown { kind } => Err(Failure::spec(FailureCode::UnknownMetricType, kind.clone())),
        }
    }

    async fn resource(
        &self,
        namespace: &str,
        resource: &str,
        container: Option<&str>,
        pod_selector: &str,
    ) -> Result<Samples, Failure> {
        let path = format!("/apis/metrics.k8s.io/v1beta1/namespaces/{namespace}/pods");
        let items = self
            .items("resource", &path, &[("labelSelector", pod_selector)])
            .await?;
        let usages: Vec<_> = items.iter().map(usage_of).collect();
        Samples::of_resource(&usages, resource, container)
    }

    async fn pods(
        &self,
        namespace: &str,
        metric: &str,
        selector: &Option<SelectorTerms>,
        pod_selector: &str,
    ) -> Result<Samples, Failure> {
        let version = self.custom_version().await?;
        let path = format!("/apis/custom.metrics.k8s.io/{version}/namespaces/{namespace}/pods/*/{metric}");
        let series = selector_text(selector);
        let query = [("labelSelector", pod_selector), ("metricLabelSelector", &series)];
        let items = self.items("custom", &path, &query).await?;
        let samples = items.iter().map(|item| {
            let window = item["windowSeconds"].as_i64().or_else(|| item["window"].as_i64());
            PodSample {
                pod: item["describedObject"]["name"].as_str().unwrap_or_default().into(),
                value_milli: milli_of(&item["value"]),
                at: time_of(item),
                window_seconds: window.unwrap_or(WINDOW_SECONDS_DEFAULT),
            }
        });
        Ok(Samples::new(samples.collect()))
    }

    async fn object(
        &self,
        namespace: &str,
        metric: &str,
        selector: &Option<SelectorTerms>,
        object: &ObjectReference,
    ) -> Result<i64, Failure> {
        let version = self.custom_version().await?;
        let group = object.api_version.split_once('/').map_or("", |(group, _)| group);
        let base = format!("/apis/custom.metrics.k8s.io/{version}/namespaces/{namespace}");
        // A reference cannot leave its namespace, so a namespace's name is not even looked at.
        let path = if object.kind == "Namespace" && group.is_empty() {
            format!("{base}/metrics/{metric}")
        } else {
            let resource = self.resource_of(object, group).await?;
            format!("{base}/{resource}/{}/{metric}", object.name)
        };
        let series = selector_text(selector);
        let items = self.items("custom", &path, &[("metricLabelSelector", &series)]).await?;
        match items.as_slice() {
            [item] => Ok(milli_of(&item["value"])),
            more => Err(failed("custom", format!("{} values for one object", more.len()))),
        }
    }

    async fn external(
        &self,
        namespace: &str,
        metric: &str,
        selector: &Option<SelectorTerms>,
    ) -> Result<Vec<i64>, Failure> {
        let path = format!("/apis/external.metrics.k8s.io/v1beta1/namespaces/{namespace}/{metric}");
        let series = selector_text(selector);
        let items = self.items("external", &path, &[("labelSelector", &series)]).await?;
        Ok(items.iter().map(|item| milli_of(&item["value"])).collect())
    }

    /// The path name of an object's kind, with its group: `services`, `ingresses.networking.k8s.io`.
    async fn resource_of(&self, object: &ObjectReference, group: &str) -> Result<String, Failure> {
        let found = self.cluster.kind(&object.api_version, &object.kind).await;
        let kind = found.map_err(|error| failed("custom", error))?.ok_or_else(|| {
            let ObjectReference { api_version, kind, .. } = object;
            failed("custom", format!("the cluster does not know {api_version} {kind}"))
        })?;
        Ok(match group {
            "" => kind.plural,
            group => format!("{}.{group}", kind.plural),
        })
    }

    /// The version that the group prefers. A server that does not say serves the newest one, if it serves any.
    async fn custom_version(&self) -> Result<String, Failure> {
        let request = Request::get("/apis/custom.metrics.k8s.io").body(Vec::new());
        let request = request.map_err(|error| failed("custom", error))?;
        match self.cluster.request::<Group>(request).await {
            Ok(group) => Ok(group.preferred.version),
            Err(error) if error.is_not_found() => Ok("v1beta2".to_owned()),
            Err(error) => Err(failed("custom", error)),
        }
    }

    /// The items of a list, of which there must be one at least: no data is not zero.
    async fn items(&self, api: &str, path: &str, query: &[(&str, &str)]) -> Result<Vec<Value>, Failure> {
        let mut uri = path.to_owned();
        let mut separator = '?';
        for (name, value) in query.iter().filter(|(_, value)| !value.is_empty()) {
            let _ = write!(uri, "{separator}{name}={}", percent_encoded(value));
            separator = '&';
        }
        let request = Request::get(uri).body(Vec::new()).map_err(|error| failed(api, error))?;
        let list: Items = self
            .cluster
            .request(request)
            .await
            .map_err(|error| failed(api, error))?;
        if list.items.is_empty() {
            let message = format!("no metrics returned from {api} metrics API");
            return Err(Failure::internal(FailureCode::NoMetricsReturned, message));
        }
        Ok(list.items)
    }
}

fn failed(api: &str, error: impl std::fmt::Display) -> Failure {
    let message = format!("unable to fetch metrics from {api} metrics API: {error}");
    Failure::internal(FailureCode::MetricSourceFailed, message)
}

fn milli_of(value: &Value) -> i64 {
    value.as_str().and_then(quantity::milli_of).unwrap_or(0)
}

fn time_of(item: &Value) -> Timestamp {
    let text = item["timestamp"].as_str().unwrap_or_default();
    text.parse().unwrap_or(Timestamp::UNIX_EPOCH)
}

fn usage_of(item: &Value) -> PodUsage {
    let containers = item["containers"].as_array().into_iter().flatten();
    PodUsage {
        pod: item["metadata"]["name"].as_str().unwrap_or_default().to_owned(),
        at: time_of(item),
        window_seconds: seconds_of(item["window"].as_str().unwrap_or_default()),
        containers: containers
            .map(|container| ContainerUsage {
                name: container["name"].as_str().unwrap_or_default().to_owned(),
                usage_milli: container["usage"]
                    .as_object()
                    .into_iter()
                    .flatten()
                    .map(|(name, amount)| (name.clone(), milli_of(amount)))
                    .collect(),
            })
            .collect(),
    }
}

/// A Go duration such as `1m0s` in whole seconds.
fn seconds_of(text: &str) -> i64 {
    text.parse::<jiff::SignedDuration>()
        .map_or(0, |duration| duration.as_secs())
}

/// A structured selector as text.
fn selector_text(selector: &Option<SelectorTerms>) -> String {
    let Some(selector) = selector else {
        return String::new();
    };
    let labels = selector
        .match_labels
        .iter()
        .map(|(key, value)| format!("{key}={value}"));
    let expressions = selector.match_expressions.iter().map(|term| {
        let (key, values) = (&term.key, term.values.join(","));
        match term.operator.as_str() {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "DoesNotExist" => format!("!{key}"),
            _ => key.clone(),
        }
    });
    labels.chain(expressions).collect::<Vec<_>>().join(",")
}

/// A value of a query string.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}
