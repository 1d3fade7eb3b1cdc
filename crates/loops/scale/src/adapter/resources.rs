//! Which resources a cluster has, under which names.

use apimachinery::resources::GroupResource;
use serde::{Deserialize, Serialize};

/// A resource of the core group.
pub fn core_resource(resource: &str) -> GroupResource {
    GroupResource {
        group: String::new(),
        resource: resource.to_owned(),
    }
}

/// Whether metrics of it are asked for without a namespace.
pub fn is_root_scoped(resource: &GroupResource) -> bool {
    resource.group.is_empty() && matches!(resource.resource.as_str(), "namespaces" | "nodes" | "persistentvolumes")
}

/// One resource as discovery tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiResource {
    /// The API group.
    pub group: String,
    /// The version.
    pub version: String,
    /// The kind in CamelCase.
    pub kind: String,
    /// The name in paths.
    pub plural: String,
    /// The name of one.
    pub singular: String,
    /// Whether it lives in namespaces.
    pub namespaced: bool,
}

/// Finds resources by any of their names.
#[derive(Debug, Clone, Default)]
pub struct ResourceMapper {
    resources: Vec<ApiResource>,
}

impl ResourceMapper {
    /// The resources of a cluster, preferred groups and versions first.
    pub fn new(resources: Vec<ApiResource>) -> Self {
        Self { resources }
    }

    /// The resource that `group` and `name` mean. A name is singular or plural; no group means any, the first one that
    /// has it; a group may be shortened from the right.
    pub fn find(&self, group: &str, name: &str) -> Option<&ApiResource> {
        let name = name.to_lowercase();
        let named = |resource: &&ApiResource| resource.plural == name || resource.singular == name;
        let of = |in_group: &dyn Fn(&str) -> bool| {
            self.resources
                .iter()
                .filter(named)
                .find(|resource| in_group(&resource.group))
        };
        if group.is_empty() {
            return of(&|_| true);
        }
        of(&|candidate| candidate == group).or_else(|| of(&|candidate| candidate.starts_with(group)))
    }

    /// As [`Self::find`], the normalised name alone.
    pub fn normalised(&self, group: &str, name: &str) -> Option<GroupResource> {
        self.find(group, name).map(|resource| GroupResource {
            group: resource.group.clone(),
            resource: resource.plural.clone(),
        })
    }

    /// The name of one.
    pub fn singular(&self, plural: &str) -> Option<&str> {
        let found = self.resources.iter().find(|resource| resource.plural == plural);
        found.map(|resource| resource.singular.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_answer_to_all_their_names() {
        let resource = |group: &str, plural: &str, singular: &str| ApiResource {
            group: group.into(),
            version: "v1".into(),
            kind: singular.into(),
            plural: plural.into(),
            singular: singular.into(),
            namespaced: true,
        };
        let mapper = ResourceMapper::new(vec![
            resource("", "pods", "pod"),
            resource("apps", "deployments", "deployment"),
            resource("networking.k8s.io", "ingresses", "ingress"),
            resource("extensions", "ingresses", "ingress"),
        ]);
        for (group, name, want) in [
            ("", "pod", Some("pods")),
            ("", "Pods", Some("pods")),
            ("", "deployment", Some("deployments.apps")),
            ("extensions", "ingress", Some("ingresses.extensions")),
            ("", "ingress", Some("ingresses.networking.k8s.io")),
            ("networking", "ingress", Some("ingresses.networking.k8s.io")),
            ("batch", "pod", None),
            ("", "brand", None),
        ] {
            let found = mapper.normalised(group, name).map(|found| found.to_string());
            assert_eq!(found.as_deref(), want, "{group} {name}");
        }
    }
}
