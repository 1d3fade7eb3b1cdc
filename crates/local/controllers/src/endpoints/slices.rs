//! EndpointSlices: keeps those that are right, changes few, creates and deletes the rest.

use std::collections::BTreeMap;
use std::sync::Arc;

use cluster::{Deletion, ObjectMeta, Resource, ResourceExt};
use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointConditions, EndpointPort, EndpointSlice};
use serde_json::json;

use super::Observed;
use super::address::{self, Family, Port};
use crate::action::{Action, Plan};
use crate::names::free_names;
use crate::ownership::controller_reference;
use crate::pods;

pub(super) const SERVICE_NAME: &str = "kubernetes.io/service-name";
const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
const MANAGER: &str = "endpointslice-controller.k8s.io";
const HEADLESS: &str = "service.kubernetes.io/headless";

/// Endpoints in one slice at most; upstream's default.
const ENDPOINTS_PER_SLICE: usize = 100;

/// Whether this controller made the slice for the Service of this name.
pub(super) fn is_of(slice: &EndpointSlice, service: &str) -> bool {
    let label = |name: &str| slice.labels().get(name).map(String::as_str);
    label(SERVICE_NAME) == Some(service) && label(MANAGED_BY) == Some(MANAGER)
}

/// What one slice should hold.
#[derive(Debug, Clone, PartialEq)]
struct Wanted {
    family: Family,
    ports: Vec<Port>,
    endpoints: Vec<Endpoint>,
}

pub(super) fn reconcile(observed: &Observed, plan: &mut Plan) {
    let mut existing = observed.slices.clone();
    let mut missing = Vec::new();
    for wanted in wanted(observed) {
        // A slice for the same ports can be changed; its address type can never be.
        let fits = |slice: &Arc<EndpointSlice>| {
            slice.address_type == wanted.family.name() && slice.metadata.deletion_timestamp.is_none()
        };
        let same_ports = |slice: &Arc<EndpointSlice>| fits(slice) && same(&slice.ports, &slice_ports(&wanted.ports));
        let best = existing
            .iter()
            .position(same_ports)
            .or_else(|| existing.iter().position(fits));
        match best {
            Some(at) => update(observed, &existing.remove(at), &wanted, plan),
            None => missing.push(wanted),
        }
    }
    let names = new_names(observed, missing.len());
    for (wanted, name) in missing.into_iter().zip(names) {
        plan.push(Action::create(&draft(&observed.service, &wanted, name)));
    }
    for slice in existing
        .iter()
        .filter(|slice| slice.metadata.deletion_timestamp.is_none())
    {
        plan.push(Action::delete(&**slice, Deletion::default()));
    }
}

/// The slices as they should be: per family and list of ports, at most a hundred endpoints each, and an
/// empty one when there are none, which tells clients that the Service is known.
fn wanted(observed: &Observed) -> Vec<Wanted> {
    let mut all = Vec::new();
    for family in address::families(&observed.service) {
        let mut by_ports = BTreeMap::<Vec<Port>, Vec<Endpoint>>::new();
        for pod in &observed.pods {
            if let Some(address) = address::address(pod, family) {
                let ports = address::ports(&observed.service, pod);
                by_ports
                    .entry(ports)
                    .or_default()
                    .push(endpoint(observed, pod, address));
            }
        }
        if by_ports.is_empty() {
            by_ports.insert(Vec::new(), Vec::new());
        }
        for (ports, endpoints) in by_ports {
            let mut chunks: Vec<_> = endpoints
                .chunks(ENDPOINTS_PER_SLICE)
                .map(<[Endpoint]>::to_vec)
                .collect();
            if chunks.is_empty() {
                chunks.push(Vec::new());
            }
            let ports = &ports;
            all.extend(chunks.into_iter().map(|endpoints| Wanted {
                family,
                ports: ports.clone(),
                endpoints,
            }));
        }
    }
    all
}

fn endpoint(observed: &Observed, pod: &Pod, address: &str) -> Endpoint {
    let service = &*observed.service;
    let serving = pods::is_ready(pod);
    let terminating = pods::is_terminating(pod);
    // "Ready" is never said of a Pod that is going, unless the Service wants everything published.
    let ready = address::publishes_not_ready(service) || (serving && !terminating);
    let mut target = pod.object_ref(&());
    target.api_version = None;
    target.resource_version = None;
    Endpoint {
        addresses: vec![address.to_owned()],
        conditions: Some(EndpointConditions {
            ready: Some(ready),
            serving: Some(serving),
            terminating: Some(terminating),
        }),
        hostname: address::hostname(service, pod),
        node_name: pod.spec.as_ref().and_then(|spec| spec.node_name.clone()),
        target_ref: Some(target),
        zone: address::zone(observed, pod),
        ..Endpoint::default()
    }
}

fn slice_ports(ports: &[Port]) -> Vec<EndpointPort> {
    let port = |port: &Port| EndpointPort {
        name: Some(port.name.clone()),
        protocol: Some(port.protocol.clone()),
        port: Some(port.number),
        app_protocol: port.app_protocol.clone(),
    };
    ports.iter().map(port).collect()
}

/// The labels of the Service, for those who select slices by them, with the controller's own.
fn labels(service: &Service) -> BTreeMap<String, String> {
    let mut labels = service.labels().clone();
    labels.remove(HEADLESS);
    labels.insert(SERVICE_NAME.to_owned(), service.name_any());
    labels.insert(MANAGED_BY.to_owned(), MANAGER.to_owned());
    if address::is_headless(service) {
        labels.insert(HEADLESS.to_owned(), String::new());
    }
    labels
}

/// Whether two lists hold the same; an absent one is an empty one.
fn same<T: PartialEq>(a: &Option<Vec<T>>, b: &[T]) -> bool {
    a.as_deref().unwrap_or_default() == b
}

fn update(observed: &Observed, slice: &EndpointSlice, wanted: &Wanted, plan: &mut Plan) {
    let (ports, labels) = (slice_ports(&wanted.ports), labels(&observed.service));
    let up_to_date =
        same(&slice.endpoints, &wanted.endpoints) && same(&slice.ports, &ports) && *slice.labels() == labels;
    if up_to_date {
        return;
    }
    let mut label_changes = json!(labels);
    for name in slice.labels().keys().filter(|name| !labels.contains_key(*name)) {
        label_changes[name] = serde_json::Value::Null;
    }
    let patch = json!({
        "metadata": { "resourceVersion": slice.resource_version(), "labels": label_changes },
        "endpoints": wanted.endpoints,
        "ports": ports,
    });
    plan.push(Action::patch(slice, patch));
}

fn new_names(observed: &Observed, count: usize) -> Vec<String> {
    let service = &*observed.service;
    let base = format!("{}-", service.name_any());
    let taken = |name: &str| {
        observed
            .slices
            .iter()
            .any(|slice| slice.metadata.name.as_deref() == Some(name))
    };
    free_names(&base, &service.uid().unwrap_or_default(), count, taken)
}

fn draft(service: &Service, wanted: &Wanted, name: String) -> EndpointSlice {
    let metadata = ObjectMeta {
        name: Some(name),
        generate_name: Some(format!("{}-", service.name_any())),
        namespace: service.namespace(),
        labels: Some(labels(service)),
        owner_references: Some(vec![controller_reference(service)]),
        ..ObjectMeta::default()
    };
    EndpointSlice {
        metadata,
        address_type: wanted.family.name().to_owned(),
        endpoints: Some(wanted.endpoints.clone()),
        ports: Some(slice_ports(&wanted.ports)),
    }
}
