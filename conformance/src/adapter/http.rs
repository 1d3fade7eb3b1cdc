//! The HTTP surface, in front of a provider that holds as many values as the setup says.

use std::collections::BTreeMap;
use std::sync::Arc;

use apimachinery::quantity::Quantity;
use apimachinery::selector::LabelSelector;
use apimachinery::status::Status;
use flyball_core::{ManualClock, Timestamp};
use futures::future::BoxFuture;
use scale::adapter::provider::{
    CustomRequest, CustomValue, ExternalValue, Objects, Provider, UsageRequest, metric_not_found,
};
use scale::adapter::resource_metrics::{NodeUsage, PodUsage};
use scale::adapter::{MetricInfo, MetricsService};
use serde_json::{Value, json};

use super::{same, wait};

struct Counted(Value);

impl Counted {
    fn count(&self, request: &CustomRequest) -> Option<u64> {
        let (name, selector) = match &request.objects {
            Objects::Named(name) => (name.as_str(), LabelSelector::everything()),
            Objects::Selected(selector) => ("*", selector.clone()),
        };
        let entry = self.0["custom"].as_array()?.iter().find(|entry| {
            entry["resource"] == *request.resource
                && entry["name"] == *name
                && entry["metric"] == *request.metric
                && entry["namespace"].as_str().unwrap_or_default() == request.namespace
        })?;
        if selector.is_everything() {
            return entry["items"].as_u64();
        }
        let labelled = &entry["labelled"];
        let matches = labelled["labels"]
            .as_object()
            .is_some_and(|labels| selector.matches(labels));
        if matches { labelled["items"].as_u64() } else { Some(0) }
    }
}

impl Provider for Counted {
    fn custom_metrics(&self) -> Vec<MetricInfo> {
        Vec::new()
    }

    fn external_metrics(&self) -> Vec<String> {
        Vec::new()
    }

    fn custom(&self, request: CustomRequest) -> BoxFuture<'_, Result<Vec<CustomValue>, Status>> {
        let value = |_| CustomValue {
            kind: String::new(),
            group: String::new(),
            version: String::new(),
            namespace: String::new(),
            name: String::new(),
            at: Timestamp::UNIX_EPOCH,
            window_seconds: None,
            value: Quantity::zero(),
        };
        let answer = match self.count(&request) {
            Some(count) => Ok((0..count).map(value).collect()),
            None => Err(metric_not_found(&request.metric, &request.resource, "")),
        };
        Box::pin(async { answer })
    }

    fn external<'a>(
        &'a self,
        _: &'a str,
        metric: &'a str,
        selector: &'a LabelSelector,
    ) -> BoxFuture<'a, Result<Vec<ExternalValue>, Status>> {
        let entries = self.0["external"].as_array().into_iter().flatten();
        let selected = entries.filter(|entry| {
            let labels = entry["labels"].as_object();
            entry["metric"] == *metric && labels.is_some_and(|labels| selector.matches(labels))
        });
        let value = |entry: &Value| ExternalValue {
            labels: serde_json::from_value::<BTreeMap<_, _>>(entry["labels"].clone()).unwrap_or_default(),
            at: Timestamp::UNIX_EPOCH,
            value: Quantity::from_value(&entry["value"]).unwrap_or_else(|_| Quantity::zero()),
        };
        let values = selected.map(value).collect();
        Box::pin(async { Ok(values) })
    }

    fn pods(&self, _: UsageRequest) -> BoxFuture<'_, Result<(Vec<PodUsage>, i64), Status>> {
        Box::pin(async { Ok((Vec::new(), 0)) })
    }

    fn nodes(&self, _: UsageRequest) -> BoxFuture<'_, Result<(Vec<NodeUsage>, i64), Status>> {
        Box::pin(async { Ok((Vec::new(), 0)) })
    }
}

pub(super) fn http(case: &Value, setup: &Value) -> Result<(), String> {
    let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
    let service = MetricsService::new(Arc::new(Counted(setup.clone())), clock);
    let request = http::Request::builder()
        .method(case["method"].as_str().unwrap_or("GET"))
        .uri(case["path"].as_str().unwrap_or_default())
        .body(())
        .map_err(|error| error.to_string())?;
    let response = wait(service.handle(request));
    let (expect, observed) = (&case["expect"], &case["observed"]);
    same("status", &json!(response.status().as_u16()), &expect["status"])?;
    let content_type = response
        .headers()
        .get("content-type")
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
        .to_owned();
    let body: Value = serde_json::from_slice(response.body()).map_err(|error| error.to_string())?;
    if let Some(items) = expect.get("items") {
        same("items", &json!(body["items"].as_array().map(Vec::len)), items)?;
    }
    if observed.is_null() {
        return same("kind of the error", &body["kind"], &json!("Status"));
    }
    same("content type", &json!(content_type), &observed["content_type"])?;
    same("kind", &body["kind"], &observed["kind"])?;
    same("apiVersion", &body["apiVersion"], &observed["apiVersion"])?;
    same(
        "items",
        &json!(body["items"].as_array().map(Vec::len)),
        &observed["items"],
    )?;
    let Some(values) = observed.get("values") else {
        return Ok(());
    };
    let shown = |item: &Value| json!({"metricName": item["metricName"], "metricLabels": item["metricLabels"], "value": item["value"]});
    let got: Vec<_> = body["items"].as_array().into_iter().flatten().map(shown).collect();
    same("values", &json!(got), values)
}
