//! The Endpoints object of a Service: ready and not ready addresses, without those that are going.

use std::collections::BTreeMap;
use std::sync::Arc;

use cluster::{Deletion, ObjectMeta, Resource, ResourceExt};
use k8s_openapi::api::core::v1::{EndpointAddress, EndpointPort, EndpointSubset, Endpoints, Pod};
use serde_json::json;

use super::Observed;
use super::address::{self, Port};
use crate::action::{Action, Plan};
use crate::pods;

const MANAGED_BY: &str = "endpoints.kubernetes.io/managed-by";
const MANAGER: &str = "endpoint-controller";

/// Addresses in one object at most; upstream's limit, above which readers have to use slices.
const ADDRESSES_MAX: usize = 1000;

pub(super) fn reconcile(observed: &Observed, plan: &mut Plan) {
    let subsets = subsets(observed);
    match &observed.endpoints {
        Some(endpoints) if endpoints.subsets.as_deref().unwrap_or_default() == subsets => {}
        Some(endpoints) => {
            let metadata = json!({ "resourceVersion": endpoints.resource_version() });
            let subsets = (!subsets.is_empty()).then_some(subsets);
            plan.push(Action::patch(
                &**endpoints,
                json!({ "metadata": metadata, "subsets": subsets }),
            ));
        }
        None => plan.push(Action::create(&draft(observed, subsets))),
    }
}

/// Deletes what this controller made for a Service that is gone.
pub(super) fn remove_orphan(endpoints: Option<Arc<Endpoints>>) -> Plan {
    let mut plan = Plan::nothing();
    let is_ours = |endpoints: &Arc<Endpoints>| endpoints.labels().get(MANAGED_BY).map(String::as_str) == Some(MANAGER);
    if let Some(endpoints) = endpoints.filter(is_ours)
        && endpoints.metadata.deletion_timestamp.is_none()
    {
        plan.push(Action::delete(&*endpoints, Deletion::default()));
    }
    plan
}

fn draft(observed: &Observed, subsets: Vec<EndpointSubset>) -> Endpoints {
    let service = &*observed.service;
    let mut labels = service.labels().clone();
    labels.insert(MANAGED_BY.to_owned(), MANAGER.to_owned());
    let metadata = ObjectMeta {
        name: service.metadata.name.clone(),
        namespace: service.namespace(),
        labels: Some(labels),
        ..ObjectMeta::default()
    };
    Endpoints {
        metadata,
        subsets: Some(subsets).filter(|subsets| !subsets.is_empty()),
    }
}

#[derive(Default)]
struct Addresses {
    ready: Vec<EndpointAddress>,
    not_ready: Vec<EndpointAddress>,
}

fn subsets(observed: &Observed) -> Vec<EndpointSubset> {
    let service = &*observed.service;
    // The older object has room for one family.
    let family = address::families(service)[0];
    let publishes_all = address::publishes_not_ready(service);
    let mut by_ports = BTreeMap::<Vec<Port>, Addresses>::new();
    let in_service = observed
        .pods
        .iter()
        .filter(|pod| publishes_all || !pods::is_terminating(pod));
    let addressed = in_service.filter_map(|pod| address::address(pod, family).map(|address| (pod, address)));
    for (pod, address) in addressed.take(ADDRESSES_MAX) {
        let addresses = by_ports.entry(address::ports(service, pod)).or_default();
        let list = match publishes_all || pods::is_ready(pod) {
            true => &mut addresses.ready,
            false => &mut addresses.not_ready,
        };
        list.push(endpoint_address(observed, pod, address));
    }
    by_ports
        .into_iter()
        .map(|(ports, addresses)| subset(ports, addresses))
        .collect()
}

fn endpoint_address(observed: &Observed, pod: &Pod, address: &str) -> EndpointAddress {
    let mut target = pod.object_ref(&());
    target.api_version = None;
    target.resource_version = None;
    EndpointAddress {
        ip: address.to_owned(),
        hostname: address::hostname(&observed.service, pod),
        node_name: pod.spec.as_ref().and_then(|spec| spec.node_name.clone()),
        target_ref: Some(target),
    }
}

fn subset(ports: Vec<Port>, addresses: Addresses) -> EndpointSubset {
    let some = |list: Vec<EndpointAddress>| Some(list).filter(|list| !list.is_empty());
    let port = |port: Port| EndpointPort {
        name: Some(port.name).filter(|name| !name.is_empty()),
        port: port.number,
        protocol: Some(port.protocol),
        app_protocol: port.app_protocol,
    };
    EndpointSubset {
        addresses: some(addresses.ready),
        not_ready_addresses: some(addresses.not_ready),
        ports: Some(ports.into_iter().map(port).collect()),
    }
}
