//! What controllers ask about Pods.

use std::time::Duration;

use cluster::ObjectMeta;
use flyball_core::Timestamp;
use k8s_openapi::api::core::v1::{Pod, PodCondition, PodTemplateSpec};

/// The `Ready` condition's type.
pub(crate) const READY: &str = "Ready";

/// The Pod's phase; empty before the node reported one.
pub(crate) fn phase(pod: &Pod) -> &str {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    phase.unwrap_or_default()
}

/// Whether all containers have ended for good.
pub(crate) fn is_finished(pod: &Pod) -> bool {
    matches!(phase(pod), "Succeeded" | "Failed")
}

/// Whether the Pod is being deleted.
pub(crate) fn is_terminating(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_some()
}

/// Whether the Pod counts towards its owner's replicas.
pub(crate) fn is_active(pod: &Pod) -> bool {
    !is_finished(pod) && !is_terminating(pod)
}

/// A condition by its type.
pub(crate) fn condition<'a>(pod: &'a Pod, condition_type: &str) -> Option<&'a PodCondition> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().find(|condition| condition.type_ == condition_type)
}

/// Whether the Pod's `Ready` condition is true.
pub(crate) fn is_ready(pod: &Pod) -> bool {
    condition(pod, READY).is_some_and(|condition| condition.status == "True")
}

/// Since when the Pod is ready.
pub(crate) fn ready_since(pod: &Pod) -> Option<Timestamp> {
    let ready = condition(pod, READY).filter(|condition| condition.status == "True")?;
    ready.last_transition_time.as_ref().map(|time| time.0)
}

/// Whether a Pod is, or when it will be, ready for `min_ready_seconds`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Availability {
    /// It has been ready for long enough.
    Available,
    /// It is ready and will be available after this time if it stays so.
    AvailableAfter(Duration),
    /// It is not ready.
    Unavailable,
}

pub(crate) fn availability(pod: &Pod, min_ready_seconds: i32, now: Timestamp) -> Availability {
    if !is_ready(pod) {
        return Availability::Unavailable;
    }
    let required = Duration::from_secs(u64::try_from(min_ready_seconds).unwrap_or(0));
    if required.is_zero() {
        return Availability::Available;
    }
    let Some(since) = ready_since(pod) else {
        return Availability::Unavailable;
    };
    let ready_for = Duration::try_from(now.duration_since(since)).unwrap_or_default();
    match required.checked_sub(ready_for) {
        Some(left) if !left.is_zero() => Availability::AvailableAfter(left),
        _ => Availability::Available,
    }
}

/// How many Pods are available, and after what time the next one becomes so.
pub(crate) fn count_available<'a>(
    pods: impl IntoIterator<Item = &'a Pod>,
    min_ready_seconds: i32,
    now: Timestamp,
) -> (i32, Option<Duration>) {
    let (mut available, mut next) = (0, None::<Duration>);
    for pod in pods {
        match availability(pod, min_ready_seconds, now) {
            Availability::Available => available += 1,
            Availability::AvailableAfter(left) => next = Some(next.map_or(left, |known| known.min(left))),
            Availability::Unavailable => {}
        }
    }
    (available, next)
}

/// A Pod made from a template; the caller adds name, namespace and owner.
pub(crate) fn from_template(template: &PodTemplateSpec) -> Pod {
    let given = template.metadata.as_ref();
    let metadata = ObjectMeta {
        labels: given.and_then(|metadata| metadata.labels.clone()),
        annotations: given.and_then(|metadata| metadata.annotations.clone()),
        finalizers: given.and_then(|metadata| metadata.finalizers.clone()),
        ..ObjectMeta::default()
    };
    Pod {
        metadata,
        spec: template.spec.clone(),
        status: None,
    }
}

/// What the world outside sees of a Pod: where it is and whether it serves. Two Pods with one face need no
/// new endpoints.
pub(crate) fn face(pod: &Pod) -> impl PartialEq {
    let status = pod.status.as_ref();
    let addresses: Vec<_> = status
        .and_then(|status| status.pod_ips.as_ref())
        .into_iter()
        .flatten()
        .cloned()
        .collect();
    (
        pod.metadata.uid.clone(),
        pod.metadata.labels.clone(),
        status.and_then(|status| status.pod_ip.clone()),
        addresses,
        is_ready(pod),
        is_terminating(pod),
        is_finished(pod),
        pod.spec.as_ref().and_then(|spec| spec.node_name.clone()),
    )
}
