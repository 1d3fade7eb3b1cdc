//! APIs that others answer, under the same roof: metrics.k8s.io, custom.metrics.k8s.io, external.metrics.k8s.io.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use apimachinery::resources::{GroupVersion, Registry, Resource};
use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Request, Response};
use serde_json::Value;

use crate::http::Body;

/// An API of one group and version, answered in this process.
///
/// Requests come with their whole path and with the authenticated [`User`](crate::User) as an extension; they have been
/// authorised. Discovery of the version (`/apis/GROUP/VERSION`) is answered from [`AggregatedApi::resources`].
pub trait AggregatedApi: Send + Sync {
    /// What it serves now, as an `APIResourceList` document; asked at every discovery, so it should be at hand.
    fn resources(&self) -> Value;

    /// Answers a request.
    fn call(&self, request: Request<Bytes>) -> BoxFuture<'static, Response<Body>>;
}

/// The aggregated APIs by group and version.
#[derive(Default)]
pub(crate) struct Aggregated {
    apis: RwLock<BTreeMap<GroupVersion, Arc<dyn AggregatedApi>>>,
}

impl Aggregated {
    pub(crate) fn register(&self, group_version: GroupVersion, api: Arc<dyn AggregatedApi>) {
        self.apis
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(group_version, api);
    }

    pub(crate) fn find(&self, group_version: &GroupVersion) -> Option<Arc<dyn AggregatedApi>> {
        self.apis
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(group_version)
            .cloned()
    }

    /// What discovery shows: the server's own kinds and those of all aggregated APIs.
    pub(crate) fn discovered(&self, own: &Registry) -> Registry {
        let mut registry = own.clone();
        let apis = self.apis.read().unwrap_or_else(PoisonError::into_inner).clone();
        for (group_version, api) in apis {
            for resource in Resource::from_api_resource_list(&api.resources()) {
                if resource.group_version() == group_version {
                    registry.add(resource);
                }
            }
        }
        registry
    }
}
