//! The table of all served resources.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use super::{GroupKind, GroupVersion, GroupVersionKind, GroupVersionResource, Resource, compare_versions, from_record};

/// Discovery of kube-apiserver 1.37.2; see `data/README.md`.
const RECORDED: &str = include_str!("../../data/resources.jsonl");

static BUILTIN: LazyLock<Registry> = LazyLock::new(|| {
    let mut registry = Registry::default();
    for line in RECORDED.lines() {
        let record = serde_json::from_str(line).expect("the recorded table is JSON, a test reads every line");
        registry.add(from_record(&record));
    }
    registry
});

/// All resources that a server serves, in discovery's order.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    resources: Vec<Arc<Resource>>,
    by_resource: HashMap<GroupVersionResource, usize>,
    by_kind: HashMap<GroupVersionKind, usize>,
}

impl Registry {
    /// The kinds that are built into Kubernetes.
    pub fn builtin() -> Self {
        BUILTIN.clone()
    }

    /// Adds a resource, or replaces the one of the same group, version and plural name.
    pub fn add(&mut self, resource: Resource) {
        let key = resource.group_version_resource();
        match self.by_resource.get(&key) {
            Some(&place) => {
                self.resources[place] = Arc::new(resource);
                self.index();
            }
            None => {
                let place = self.resources.len();
                self.by_resource.insert(key, place);
                // Subresource-only kinds share a kind with nothing; of two resources of one kind the first one speaks for it.
                self.by_kind.entry(resource.kind.clone()).or_insert(place);
                self.resources.push(Arc::new(resource));
            }
        }
    }

    /// Removes the resources for which the predicate holds, such as those of a deleted CustomResourceDefinition.
    pub fn remove(&mut self, mut condemned: impl FnMut(&Resource) -> bool) {
        self.resources.retain(|resource| !condemned(resource));
        self.index();
    }

    fn index(&mut self) {
        self.by_resource.clear();
        self.by_kind.clear();
        for (place, resource) in self.resources.iter().enumerate() {
            self.by_resource.insert(resource.group_version_resource(), place);
            self.by_kind.entry(resource.kind.clone()).or_insert(place);
        }
    }

    /// The resource of a path.
    pub fn resource(&self, key: &GroupVersionResource) -> Option<&Arc<Resource>> {
        self.by_resource.get(key).map(|&place| &self.resources[place])
    }

    /// The resource of an object's kind.
    pub fn kind(&self, kind: &GroupVersionKind) -> Option<&Arc<Resource>> {
        self.by_kind.get(kind).map(|&place| &self.resources[place])
    }

    /// The resource of a kind in its preferred version.
    pub fn group_kind(&self, kind: &GroupKind) -> Option<&Arc<Resource>> {
        self.resources
            .iter()
            .find(|resource| resource.kind.group == kind.group && resource.kind.kind == kind.kind)
    }

    /// Resources that answer to what a person types: plural, singular, short name or kind, optionally followed by
    /// `.group` or `.version.group`; the preferred first.
    pub fn search(&self, typed: &str) -> Vec<&Arc<Resource>> {
        let typed = typed.to_lowercase();
        let (name, suffix) = typed.split_once('.').unwrap_or((&typed, ""));
        self.resources
            .iter()
            .filter(|resource| {
                let named = resource.plural == name
                    || resource.singular == name
                    || resource.short_names.iter().any(|short| short == name)
                    || resource.kind.kind.to_lowercase() == name;
                let group = &resource.kind.group;
                named
                    && (suffix.is_empty() || suffix == group || suffix == format!("{}.{group}", resource.kind.version))
            })
            .collect()
    }

    /// All resources in discovery's order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.resources.iter()
    }

    /// The resources of one group and version.
    pub fn of_group_version<'a>(&'a self, wanted: &'a GroupVersion) -> impl Iterator<Item = &'a Arc<Resource>> {
        self.resources
            .iter()
            .filter(move |resource| resource.kind.group == wanted.group && resource.kind.version == wanted.version)
    }

    /// Groups in discovery's order, each with its versions, the preferred one first.
    ///
    /// Built-in groups keep the order they were recorded in; groups that were added later follow.
    pub fn groups(&self) -> Vec<(String, Vec<String>)> {
        let mut groups: Vec<(String, Vec<String>)> = Vec::new();
        for resource in &self.resources {
            let GroupVersionKind { group, version, .. } = &resource.kind;
            match groups.iter_mut().find(|(name, _)| name == group) {
                Some((_, versions)) if versions.contains(version) => {}
                Some((_, versions)) => versions.push(version.clone()),
                None => groups.push((group.clone(), vec![version.clone()])),
            }
        }
        for (_, versions) in &mut groups {
            versions.sort_by(|left, right| compare_versions(left, right));
        }
        groups
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::Scope;

    #[test]
    fn every_recorded_resource_is_there_and_found_both_ways() {
        let registry = Registry::builtin();
        assert_eq!(registry.iter().count(), 72);
        for resource in registry.iter() {
            assert_eq!(registry.resource(&resource.group_version_resource()), Some(resource));
            assert!(registry.kind(&resource.kind).is_some(), "{}", resource.kind);
        }
    }

    #[test]
    fn a_deployment_and_its_scale() {
        let registry = Registry::builtin();
        let deployment = registry.search("deploy")[0];
        assert_eq!(deployment.group_resource().to_string(), "deployments.apps");
        assert_eq!(deployment.scope, Scope::Namespaced);
        assert!(deployment.allows("deletecollection"));
        let scale = deployment.subresource("scale").expect("deployments have a scale");
        assert_eq!(scale.kind, GroupVersionKind::new("autoscaling", "v1", "Scale"));
        assert_eq!(
            deployment.path(Some("a"), Some("web")),
            "/apis/apps/v1/namespaces/a/deployments/web"
        );
    }

    #[test]
    fn what_a_person_types() {
        let registry = Registry::builtin();
        let check = |typed: &str, expect: &[&str]| {
            let found: Vec<String> = registry
                .search(typed)
                .iter()
                .map(|resource| format!("{} {}", resource.plural, resource.group_version()))
                .collect();
            assert_eq!(found, expect, "{typed}");
        };
        check(
            "hpa",
            &[
                "horizontalpodautoscalers autoscaling/v2",
                "horizontalpodautoscalers autoscaling/v1",
            ],
        );
        check("hpa.v1.autoscaling", &["horizontalpodautoscalers autoscaling/v1"]);
        check("events", &["events v1", "events events.k8s.io/v1"]);
        check("events.events.k8s.io", &["events events.k8s.io/v1"]);
        check("Pod", &["pods v1"]);
        check("nothing", &[]);
    }

    #[test]
    fn a_custom_kind_comes_and_goes() {
        let mut registry = Registry::builtin();
        let document = serde_json::json!({"groupVersion": "example.com/v1", "resources": [
            {"name": "things", "singularName": "thing", "namespaced": true, "kind": "Thing", "verbs": ["get"]},
            {"name": "things/status", "singularName": "", "namespaced": true, "kind": "Thing", "verbs": ["get"]},
        ]});
        for resource in Resource::from_api_resource_list(&document) {
            registry.add(resource);
        }
        assert_eq!(registry.search("things.example.com")[0].subresources[0].name, "status");
        registry.remove(|resource| resource.kind.group == "example.com");
        assert!(registry.search("things").is_empty());
        assert_eq!(registry.search("pods").len(), 1);
    }
}
