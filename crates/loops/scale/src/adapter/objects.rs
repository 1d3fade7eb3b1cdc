//! Names and labels of the cluster's objects, from shared watch caches.

use std::sync::Arc;

use apimachinery::resources::GroupResource;
use apimachinery::selector::LabelSelector;
use cluster::{Cache, Cached, Cluster, Kind, Reach};
use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::Pod;

use super::source::{ObjectLookup, ObjectMeta, SourceError};
use super::{ApiResource, ResourceMapper};
use crate::selector::{Labels, selects};

/// Which cache pods come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PodCache {
    /// Whole pods, shared with loops that need them anyway.
    Whole,
    /// Metadata alone: a fifth of the memory.
    Metadata,
}

/// Looks objects up in the cluster's shared caches; the first question about a kind starts its watch.
#[derive(Debug, Clone)]
pub struct ClusterObjects {
    cluster: Cluster,
    pods: PodCache,
}

impl ClusterObjects {
    /// The objects of a cluster.
    pub fn new(cluster: Cluster, pods: PodCache) -> Self {
        Self { cluster, pods }
    }

    async fn find(
        &self,
        resource: &GroupResource,
        namespace: Option<&str>,
        selector: &LabelSelector,
    ) -> Result<Vec<ObjectMeta>, SourceError> {
        if resource.group.is_empty() && resource.resource == "pods" {
            return match self.pods {
                PodCache::Whole => from_cache(&self.cluster.cache::<Pod>(), namespace, selector).await,
                PodCache::Metadata => from_cache(&self.cluster.metadata_cache::<Pod>(), namespace, selector).await,
            };
        }
        let kind = self.kind(resource).await?;
        from_cache(&self.cluster.metadata_cache_of(&kind), namespace, selector).await
    }

    async fn kind(&self, resource: &GroupResource) -> Result<Kind, SourceError> {
        let kinds = self
            .cluster
            .discover()
            .await
            .map_err(|error| SourceError(error.to_string()))?;
        let of = |kind: &&Kind| kind.group == resource.group && kind.plural == resource.resource;
        let found = kinds
            .iter()
            .find(|kind| of(kind) && kind.preferred)
            .or_else(|| kinds.iter().find(of));
        found
            .cloned()
            .ok_or_else(|| SourceError(format!("the cluster has no resource {resource}")))
    }
}

async fn from_cache<K: Cached>(
    cache: &Cache<K>,
    namespace: Option<&str>,
    selector: &LabelSelector,
) -> Result<Vec<ObjectMeta>, SourceError> {
    if !cache.synced().await {
        return Err(SourceError("the watch of the objects has ended".to_owned()));
    }
    let none = Labels::new();
    let selected = cache.filter(namespace, |object| {
        selects(selector, object.meta().labels.as_ref().unwrap_or(&none))
    });
    let meta = |object: Arc<K>| {
        let meta = object.meta();
        ObjectMeta {
            namespace: meta.namespace.clone().unwrap_or_default(),
            name: meta.name.clone().unwrap_or_default(),
            labels: meta.labels.clone().unwrap_or_default(),
        }
    };
    Ok(selected.into_iter().map(meta).collect())
}

impl ObjectLookup for ClusterObjects {
    fn objects<'a>(
        &'a self,
        resource: &'a GroupResource,
        namespace: Option<&'a str>,
        selector: &'a LabelSelector,
    ) -> BoxFuture<'a, Result<Vec<ObjectMeta>, SourceError>> {
        Box::pin(self.find(resource, namespace, selector))
    }
}

/// The resources of a cluster as discovery tells them, preferred versions first. Metrics APIs themselves are left out.
pub fn mapper_of(kinds: &[Kind]) -> ResourceMapper {
    let is_metrics = |group: &str| super::serve::GROUPS.iter().any(|(name, _)| *name == group);
    let (preferred, others): (Vec<&Kind>, Vec<&Kind>) = kinds
        .iter()
        .filter(|kind| !is_metrics(&kind.group))
        .partition(|kind| kind.preferred);
    let resource = |kind: &Kind| ApiResource {
        group: kind.group.clone(),
        version: kind.version.clone(),
        kind: kind.kind.clone(),
        plural: kind.plural.clone(),
        singular: kind.kind.to_lowercase(),
        namespaced: kind.reach == Reach::Namespaced,
    };
    ResourceMapper::new(preferred.into_iter().chain(others).map(resource).collect())
}
