//! Which kinds are served now, and under which key their objects lie.

use std::collections::HashMap;
use std::sync::Arc;

use apimachinery::resources::{GroupVersion, GroupVersionKind, GroupVersionResource, Registry, Resource};

use apimachinery::schema::{self, Schema};

use crate::custom::{self, CustomKind};
use serde_json::Value;

use crate::store::TableName;

/// One served resource of one version, with where its objects lie.
#[derive(Clone, Debug)]
pub struct Served {
    /// What discovery says of it.
    pub resource: Arc<Resource>,
    /// The table of its objects, shared by all versions.
    pub table: TableName,
    /// The type that is stored; other versions are converted from it.
    pub storage: GroupVersionKind,
    /// What the definition of a custom kind says; `None` for built-in kinds.
    pub custom: Option<Arc<CustomKind>>,
}

impl Served {
    fn of(resource: &Arc<Resource>, storage_version: &str) -> Self {
        let mut storage = resource.kind.clone();
        storage.version = storage_version.to_owned();
        let mut table = resource.group_resource();
        // Events have two groups and one store; the older form is the stored one, as upstream stores them.
        if storage.kind == "Event" && storage.group == "events.k8s.io" {
            storage = GroupVersionKind::new("", "v1", "Event");
            table.group.clear();
        }
        Served {
            resource: resource.clone(),
            table: TableName::new(&table.to_string()),
            storage,
            custom: None,
        }
    }

    /// The shape of its objects; `None` for kinds that the server makes up as it answers.
    pub fn schema(&self) -> Option<&Schema> {
        match &self.custom {
            Some(custom) => Some(&custom.schema),
            None => schema::builtin(&self.resource.kind),
        }
    }

    /// The shape of objects as they are stored.
    pub fn storage_schema(&self) -> Option<&Schema> {
        match &self.custom {
            Some(custom) => Some(&custom.schema),
            None => schema::builtin(&self.storage),
        }
    }

    /// Whether objects are stored in the version that this resource serves.
    pub fn is_storage_version(&self) -> bool {
        self.resource.kind == self.storage
    }
}

/// All served kinds at one moment: a value that is swapped whole when a CustomResourceDefinition comes or goes.
#[derive(Clone, Debug)]
pub struct Kinds {
    registry: Registry,
    served: HashMap<GroupVersionResource, Arc<Served>>,
}

impl Kinds {
    /// The built-in kinds.
    pub fn builtin() -> Self {
        let registry = Registry::builtin();
        let preferred: HashMap<String, Vec<String>> = registry.groups().into_iter().collect();
        let served = registry.iter().map(|resource| {
            // The stored version is the first one, in order of preference, that serves the resource.
            let versions = preferred
                .get(&resource.kind.group)
                .map(Vec::as_slice)
                .unwrap_or_default();
            let serves = |version: &&String| {
                let key = GroupVersionResource::new(&resource.kind.group, version, &resource.plural);
                registry.resource(&key).is_some()
            };
            let version = versions.iter().find(serves).unwrap_or(&resource.kind.version);
            (
                resource.group_version_resource(),
                Arc::new(Served::of(resource, version)),
            )
        });
        let served = served.collect();
        Kinds { registry, served }
    }

    /// With the kinds of some CustomResourceDefinitions; a name that is served already keeps its meaning.
    pub fn with_custom<'a>(mut self, definitions: impl IntoIterator<Item = &'a Value>) -> Self {
        for version in definitions.into_iter().flat_map(custom::versions_of) {
            let key = version.resource.group_version_resource();
            if self.served.contains_key(&key) {
                continue;
            }
            self.registry.add(version.resource);
            if let Some(resource) = self.registry.resource(&key) {
                let served = Served {
                    custom: Some(version.custom),
                    ..Served::of(resource, &version.storage_version)
                };
                self.served.insert(key, Arc::new(served));
            }
        }
        self
    }

    /// What discovery knows.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The resource of a path.
    pub fn find(&self, key: &GroupVersionResource) -> Option<&Arc<Served>> {
        self.served.get(key)
    }

    /// The resource of a kind.
    pub fn find_kind(&self, kind: &GroupVersionKind) -> Option<&Arc<Served>> {
        let resource = self.registry.kind(kind)?;
        self.served.get(&resource.group_version_resource())
    }

    /// Everything that is served, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Served>> {
        self.served.values()
    }

    /// Whether anything of a group version is served.
    pub fn serves(&self, group_version: &GroupVersion) -> bool {
        self.registry.of_group_version(group_version).next().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_share_a_table() {
        let kinds = Kinds::builtin();
        let check = |group: &str, version: &str, resource: &str, table: &str, storage: &str| {
            let served = kinds
                .find(&GroupVersionResource::new(group, version, resource))
                .expect("it is built in");
            assert_eq!((served.table.as_str(), &*served.storage.to_string()), (table, storage));
        };
        check("", "v1", "pods", "pods", "/v1, Kind=Pod");
        check(
            "apps",
            "v1",
            "deployments",
            "deployments.apps",
            "apps/v1, Kind=Deployment",
        );
        let hpa = (
            "horizontalpodautoscalers.autoscaling",
            "autoscaling/v2, Kind=HorizontalPodAutoscaler",
        );
        check("autoscaling", "v1", "horizontalpodautoscalers", hpa.0, hpa.1);
        check("autoscaling", "v2", "horizontalpodautoscalers", hpa.0, hpa.1);
        check("events.k8s.io", "v1", "events", "events", "/v1, Kind=Event");
    }
}
