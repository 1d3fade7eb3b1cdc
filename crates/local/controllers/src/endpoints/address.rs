//! One Pod as one address with ports.

use k8s_openapi::api::core::v1::{Container, Pod, Service, ServicePort};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::Observed;
use crate::pods;

/// IP families, by the names that EndpointSlices use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Ipv4,
    Ipv6,
}

impl Family {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ipv4 => "IPv4",
            Self::Ipv6 => "IPv6",
        }
    }

    fn of(address: &str) -> Self {
        if address.contains(':') { Self::Ipv6 } else { Self::Ipv4 }
    }
}

/// The families that a Service serves; IPv4 when it does not say.
pub(super) fn families(service: &Service) -> Vec<Family> {
    let named = service.spec.as_ref().and_then(|spec| spec.ip_families.as_ref());
    let families: Vec<_> = named
        .into_iter()
        .flatten()
        .map(|family| if family == "IPv6" { Family::Ipv6 } else { Family::Ipv4 })
        .collect();
    if families.is_empty() {
        vec![Family::Ipv4]
    } else {
        families
    }
}

/// A port of an endpoint: the Service port's name with the number that the Pod has for it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Port {
    pub(super) name: String,
    pub(super) protocol: String,
    pub(super) number: i32,
    pub(super) app_protocol: Option<String>,
}

/// The Pod's address in a family, if it has one and has not ended.
pub(super) fn address(pod: &Pod, family: Family) -> Option<&str> {
    let status = pod.status.as_ref().filter(|_| !pods::is_finished(pod))?;
    let all = status.pod_ips.iter().flatten().map(|ip| ip.ip.as_str());
    let first = status.pod_ip.as_deref();
    all.chain(first)
        .find(|address| !address.is_empty() && Family::of(address) == family)
}

/// The Service's ports as this Pod has them. A named target that the Pod does not have is left out, so Pods
/// of one Service may differ.
pub(super) fn ports(service: &Service, pod: &Pod) -> Vec<Port> {
    let ports = service.spec.as_ref().and_then(|spec| spec.ports.as_ref());
    let resolved = ports.into_iter().flatten().filter_map(|port| {
        Some(Port {
            name: port.name.clone().unwrap_or_default(),
            protocol: protocol(port.protocol.as_deref()).to_owned(),
            number: target(port, pod)?,
            app_protocol: port.app_protocol.clone(),
        })
    });
    let mut ports: Vec<_> = resolved.collect();
    ports.sort();
    ports
}

fn protocol(named: Option<&str>) -> &str {
    named.filter(|name| !name.is_empty()).unwrap_or("TCP")
}

fn target(port: &ServicePort, pod: &Pod) -> Option<i32> {
    match &port.target_port {
        None => Some(port.port),
        Some(IntOrString::Int(0)) => Some(port.port),
        Some(IntOrString::Int(number)) => Some(*number),
        Some(IntOrString::String(name)) if name.is_empty() => Some(port.port),
        Some(IntOrString::String(name)) => named_port(pod, name, protocol(port.protocol.as_deref())),
    }
}

fn named_port(pod: &Pod, name: &str, of_protocol: &str) -> Option<i32> {
    let spec = pod.spec.as_ref()?;
    // Restartable init containers (sidecars) serve too.
    let is_sidecar = |container: &&Container| container.restart_policy.as_deref() == Some("Always");
    let sidecars = spec.init_containers.iter().flatten().filter(is_sidecar);
    let ports = spec
        .containers
        .iter()
        .chain(sidecars)
        .flat_map(|container| container.ports.iter().flatten());
    let mut named =
        ports.filter(|port| port.name.as_deref() == Some(name) && protocol(port.protocol.as_deref()) == of_protocol);
    named.next().map(|port| port.container_port)
}

/// Whether clients may be told a name for the Pod: `hostname.service`.
pub(super) fn hostname(service: &Service, pod: &Pod) -> Option<String> {
    let spec = pod.spec.as_ref()?;
    let within = spec.subdomain.as_ref() == service.metadata.name.as_ref();
    spec.hostname.clone().filter(|name| !name.is_empty() && within)
}

/// The zone of the Pod's node.
pub(super) fn zone(observed: &Observed, pod: &Pod) -> Option<String> {
    let name = pod.spec.as_ref()?.node_name.as_ref()?;
    let node = observed
        .nodes
        .iter()
        .find(|node| node.metadata.name.as_ref() == Some(name))?;
    node.metadata
        .labels
        .as_ref()?
        .get("topology.kubernetes.io/zone")
        .cloned()
}

pub(super) fn publishes_not_ready(service: &Service) -> bool {
    let spec = service.spec.as_ref();
    spec.is_some_and(|spec| spec.publish_not_ready_addresses == Some(true))
}

pub(super) fn is_headless(service: &Service) -> bool {
    let spec = service.spec.as_ref();
    spec.is_some_and(|spec| spec.cluster_ip.as_deref() == Some("None"))
}
