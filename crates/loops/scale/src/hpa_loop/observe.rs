//! Everything that one turn needs to see.

use apimachinery::selector::LabelSelector;
use std::sync::Arc;

use cluster::{Cache, Cluster, Kind, ObjectKey};
use k8s_openapi::api::core::v1 as core;

use super::apis::MetricsApis;
use super::convert::pod_of;
use crate::hpa::{Autoscaler, Failure, FailureCode, MetricReading, Pod, Scale};
use crate::selector::{self, Labels, selects};

/// What was seen, in the form that [`crate::hpa::Snapshot`] borrows.
#[derive(Debug)]
pub struct Observation {
    /// The target's scale.
    pub scale: Result<Scale, Failure>,
    /// The kind of the target, where it is known.
    pub target: Option<Kind>,
    /// The selected pods, sorted by name.
    pub pods: Result<Vec<Pod>, Failure>,
    /// One for each metric of the spec.
    pub readings: Vec<Result<MetricReading, Failure>>,
    /// The selector of the scale, where it could be read.
    pub selector: Option<LabelSelector>,
    /// The labels of the selected pods.
    pub labels: Vec<Labels>,
}

/// Where pods come from.
pub trait PodsOf {
    /// The pods of a namespace that a selector selects, sorted by name.
    fn selected(&self, namespace: &str, selector: &LabelSelector) -> Vec<Arc<core::Pod>>;
}

fn is_selected(pod: &core::Pod, selector: &LabelSelector) -> bool {
    pod.metadata
        .labels
        .as_ref()
        .is_some_and(|labels| selects(selector, labels))
}

impl PodsOf for Cache<core::Pod> {
    fn selected(&self, namespace: &str, selector: &LabelSelector) -> Vec<Arc<core::Pod>> {
        self.filter(Some(namespace), |pod| is_selected(pod, selector))
    }
}

/// A list of one namespace, as a one-time look gets it.
impl PodsOf for [Arc<core::Pod>] {
    fn selected(&self, _: &str, selector: &LabelSelector) -> Vec<Arc<core::Pod>> {
        let mut pods: Vec<_> = self.iter().filter(|pod| is_selected(pod, selector)).cloned().collect();
        pods.sort_by(|a, b| a.metadata.name.cmp(&b.metadata.name));
        pods
    }
}

/// Looks at the target's scale and pods, and reads the metrics unless the replicas alone decide.
///
/// The pods come from the shared cache; `claim` is asked whether the selection is this autoscaler's alone.
pub async fn observe(
    cluster: &Cluster,
    pods: &(impl PodsOf + ?Sized),
    apis: &MetricsApis,
    autoscaler: &Autoscaler,
    claim: impl FnOnce(&ObjectKey, &LabelSelector, &[&Labels]) -> Result<(), Failure>,
) -> Observation {
    let mut seen = Observation {
        scale: Err(Failure::internal(FailureCode::GetScaleFailed, "not read yet")),
        target: None,
        pods: Ok(Vec::new()),
        readings: Vec::new(),
        selector: None,
        labels: Vec::new(),
    };
    let selector_text = match read_scale(cluster, autoscaler, &mut seen).await {
        Ok(selector_text) => selector_text,
        Err(failure) => {
            seen.scale = Err(failure);
            return seen;
        }
    };
    match selector::of_scale(&selector_text) {
        Err(failure) => seen.pods = Err(failure),
        Ok(selector) => {
            let selected = pods.selected(&autoscaler.namespace, &selector);
            seen.labels = selected.iter().filter_map(|pod| pod.metadata.labels.clone()).collect();
            let key = ObjectKey::new(&autoscaler.namespace, &autoscaler.name);
            let labels: Vec<_> = seen.labels.iter().collect();
            seen.pods = claim(&key, &selector, &labels).map(|()| selected.iter().map(|pod| pod_of(pod)).collect());
            seen.selector = Some(selector);
        }
    }
    if seen.pods.is_ok() && needs_metrics(autoscaler, &seen.scale) {
        for metric in &autoscaler.metrics {
            seen.readings
                .push(apis.read(autoscaler, &metric.source, &selector_text).await);
        }
    }
    seen
}

/// Outside its bounds the replicas alone decide.
fn needs_metrics(autoscaler: &Autoscaler, scale: &Result<Scale, Failure>) -> bool {
    let Ok(scale) = scale else {
        return false;
    };
    let current = scale.spec_replicas;
    current == 0 || (autoscaler.minimum() <= current && current <= autoscaler.max_replicas)
}

/// Fills in the scale; its selector as text.
async fn read_scale(cluster: &Cluster, autoscaler: &Autoscaler, seen: &mut Observation) -> Result<String, Failure> {
    let target = &autoscaler.target;
    let failed = |error: &dyn std::fmt::Display| Failure::internal(FailureCode::GetScaleFailed, error.to_string());
    if target.api_version.matches('/').count() > 1 {
        let message = format!("unexpected GroupVersion string: {}", target.api_version);
        return Err(Failure::spec(FailureCode::GetScaleFailed, message));
    }
    let kind = cluster
        .kind(&target.api_version, &target.kind)
        .await
        .map_err(|error| failed(&error))?;
    let kind = kind.ok_or_else(|| {
        failed(&format!(
            "no matches for kind {} in {}",
            target.kind, target.api_version
        ))
    })?;
    let objects = cluster.values(&kind, autoscaler.namespace.as_str());
    let scale = objects.scale(&target.name).await.map_err(|error| failed(&error))?;
    seen.target = Some(kind);
    let status = scale.status.unwrap_or_default();
    seen.scale = Ok(Scale {
        spec_replicas: scale.spec.and_then(|spec| spec.replicas).unwrap_or(0),
        status_replicas: status.replicas,
    });
    Ok(status.selector.unwrap_or_default())
}
