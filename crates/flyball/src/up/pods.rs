//! Pods as people see them.

use k8s_openapi::api::core::v1::{ContainerStatus, Pod};

use super::view;

/// How problems begin that are about Pods which cannot run, so that they can be taken back.
pub(crate) const BLOCKED_PREFIX: &str = "pod/";

/// Reasons in which a container waits for something that only its author can change.
const BLOCKING: [&str; 6] = [
    "NoCommandForImage",
    "BuildFailed",
    "CreateContainerConfigError",
    "CreateContainerError",
    "ErrImagePull",
    "ImagePullBackOff",
];

/// A name with its namespace in front, unless that is the default one.
pub(crate) fn shown_name(namespace: &str, name: &str) -> String {
    match namespace {
        "" | "default" => name.to_owned(),
        namespace => format!("{namespace}/{name}"),
    }
}

/// A Pod's line in the view.
pub(crate) fn line(pod: &Pod) -> view::Pod {
    let containers = containers(pod);
    let (name, namespace) = names(pod);
    view::Pod {
        name: shown_name(namespace, name),
        ready: (
            containers.iter().filter(|container| container.ready).count(),
            pod.spec.as_ref().map_or(0, |spec| spec.containers.len()),
        ),
        status: status(pod),
        restarts: containers.iter().map(|container| container.restart_count).sum(),
        address: address(pod).unwrap_or_default(),
    }
}

/// What is to be told about a Pod that cannot run as it is.
pub(crate) fn blocked(pod: &Pod) -> Option<String> {
    let waiting = containers(pod)
        .iter()
        .find_map(|container| container.state.as_ref()?.waiting.as_ref())?;
    let reason = waiting.reason.as_deref()?;
    if !BLOCKING.contains(&reason) {
        return None;
    }
    let (name, namespace) = names(pod);
    let message = waiting.message.as_deref().unwrap_or("no reason given");
    Some(format!(
        "{BLOCKED_PREFIX}{} cannot run: {message} [{reason}]",
        shown_name(namespace, name)
    ))
}

/// kubectl's STATUS column in its common cases: a reason of the Pod, of its containers, or its phase.
fn status(pod: &Pod) -> String {
    if pod.metadata.deletion_timestamp.is_some() {
        return "Terminating".to_owned();
    }
    let state = |container: &ContainerStatus| {
        let state = container.state.as_ref()?;
        let waiting = state.waiting.as_ref().and_then(|waiting| waiting.reason.clone());
        waiting.or_else(|| {
            state
                .terminated
                .as_ref()
                .and_then(|terminated| terminated.reason.clone())
        })
    };
    let status = pod.status.as_ref();
    let own = status.and_then(|status| status.reason.clone());
    own.or_else(|| containers(pod).iter().find_map(state))
        .or_else(|| status.and_then(|status| status.phase.clone()))
        .unwrap_or_else(|| "Pending".to_owned())
}

/// Where a Pod is reached.
fn address(pod: &Pod) -> Option<String> {
    pod.status.as_ref()?.pod_ip.clone()
}

fn containers(pod: &Pod) -> &[ContainerStatus] {
    let statuses = pod
        .status
        .as_ref()
        .and_then(|status| status.container_statuses.as_deref());
    statuses.unwrap_or_default()
}

fn names(pod: &Pod) -> (&str, &str) {
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    (name, pod.metadata.namespace.as_deref().unwrap_or_default())
}
