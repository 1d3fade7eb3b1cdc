//! Services' Pods as addresses: EndpointSlices, and the older Endpoints that some clients still read.
//!
//! ```text
//!   Service --selector--> Pods --address, ports, conditions--> EndpointSlice (≤ 100 each, one port list each)
//!                                                          └──> Endpoints
//! ```

mod address;
mod legacy;
mod slices;

use std::sync::Arc;

use cluster::{Change, ObjectKey, ResourceExt, Selector, SelectorExt};
use k8s_openapi::api::core::v1::{Endpoints, Node, Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;

use crate::action::Plan;
use crate::caches::Caches;
use crate::machinery::{Controller, Turn, Wiring};
use crate::pods;

/// All that one look at a Service's endpoints rests on.
pub(crate) struct Observed {
    /// The Service; it has a selector.
    pub(crate) service: Arc<Service>,
    /// The Pods that it selects.
    pub(crate) pods: Vec<Arc<Pod>>,
    /// The nodes, for zones.
    pub(crate) nodes: Vec<Arc<Node>>,
    /// The slices that this controller made for the Service.
    pub(crate) slices: Vec<Arc<EndpointSlice>>,
    /// The Endpoints of the Service's name.
    pub(crate) endpoints: Option<Arc<Endpoints>>,
}

pub(crate) struct EndpointsController;

impl Controller for EndpointsController {
    const NAME: &'static str = "endpointslice-controller";

    fn wire(&self, caches: &Caches, wiring: &mut Wiring<'_>) {
        wiring.on_itself(&caches.services);
        wiring.on_itself(&caches.endpoints);
        wiring.on(&caches.endpoint_slices, |change: &Change<EndpointSlice>, look_at| {
            for slice in [&change.before, &change.after].into_iter().flatten() {
                let service = slice.labels().get(slices::SERVICE_NAME);
                service
                    .into_iter()
                    .for_each(|name| look_at(ObjectKey::new(&change.key.namespace, name)));
            }
        });
        let services = caches.services.clone();
        wiring.on(&caches.pods, move |change: &Change<Pod>, look_at| {
            if let (Some(before), Some(after)) = (&change.before, &change.after)
                && pods::face(before) == pods::face(after)
            {
                return;
            }
            let sides = [&change.before, &change.after];
            let selecting = services.filter(Some(&change.key.namespace), |service| {
                let selector = selector(service);
                let matches = |pod: &Arc<Pod>| selector.as_ref().is_some_and(|selector| selector.matches(pod.labels()));
                sides.into_iter().flatten().any(matches)
            });
            selecting.iter().for_each(|service| look_at(ObjectKey::of(&**service)));
        });
    }

    fn reconcile(&self, caches: &Caches, turn: &Turn<'_>) -> Plan {
        // A Service that is gone takes its slices with it by ownership, and its Endpoints by name.
        let Some(service) = caches.services.get(turn.key) else {
            return legacy::remove_orphan(caches.endpoints.get(turn.key));
        };
        let Some(selector) = selector(&service) else {
            return Plan::nothing();
        };
        let namespace = Some(turn.key.namespace.as_str());
        let is_ours = |slice: &EndpointSlice| slices::is_of(slice, &turn.key.name);
        let observed = Observed {
            pods: caches.pods.list(namespace, &selector),
            nodes: caches.nodes.all(None),
            slices: caches.endpoint_slices.filter(namespace, is_ours),
            endpoints: caches.endpoints.get(turn.key),
            service,
        };
        reconcile(&observed)
    }
}

/// The selector of a Service whose endpoints are ours to keep; without one they are the user's own.
fn selector(service: &Service) -> Option<Selector> {
    let spec = service.spec.as_ref()?;
    let external = spec.type_.as_deref() == Some("ExternalName");
    let labels = spec
        .selector
        .as_ref()
        .filter(|labels| !labels.is_empty() && !external)?;
    Some(labels.clone().into_iter().collect())
}

/// What to do about the endpoints of one Service.
pub(crate) fn reconcile(observed: &Observed) -> Plan {
    let mut plan = Plan::nothing();
    if observed.service.metadata.deletion_timestamp.is_none() {
        slices::reconcile(observed, &mut plan);
        legacy::reconcile(observed, &mut plan);
    }
    plan
}

#[cfg(test)]
mod tests;
