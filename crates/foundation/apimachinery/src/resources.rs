//! The kinds an API server serves.
//!
//! A [`Registry`] is a value: it starts with the built-in kinds, a caller adds those of CustomResourceDefinitions and
//! aggregated APIs and swaps the whole registry atomically. Cloning is cheap, resources are shared.

mod names;
mod path;
mod registry;

pub use names::{GroupKind, GroupResource, GroupVersion, GroupVersionKind, GroupVersionResource, compare_versions};
pub use path::RequestPath;
pub use registry::Registry;

use serde_json::Value;

/// Whether objects of a kind live in a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// One set of names a namespace.
    Namespaced,
    /// One set of names a cluster.
    Cluster,
}

/// A part of a resource with a path of its own, such as `deployments/scale`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subresource {
    /// The last segment of its path: `scale`.
    pub name: String,
    /// What it speaks: for `deployments/scale`, the Scale of autoscaling/v1.
    pub kind: GroupVersionKind,
    /// The verbs that authorisation knows for it.
    pub verbs: Vec<String>,
}

/// One resource of one version of one group, as discovery describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Group, version and kind of its objects.
    pub kind: GroupVersionKind,
    /// The name in paths: `deployments`.
    pub plural: String,
    /// The name of one: `deployment`.
    pub singular: String,
    /// What kubectl accepts for it: `deploy`.
    pub short_names: Vec<String>,
    /// Groups of resources it answers to: `all`.
    pub categories: Vec<String>,
    /// Whether its objects live in namespaces.
    pub scope: Scope,
    /// The verbs that authorisation knows for it.
    pub verbs: Vec<String>,
    /// Its parts with paths of their own, in discovery's order.
    pub subresources: Vec<Subresource>,
    /// The hash by which clients notice a change of the stored version; empty where there is none.
    pub storage_version_hash: String,
}

impl Resource {
    /// Group and version.
    pub fn group_version(&self) -> GroupVersion {
        GroupVersion {
            group: self.kind.group.clone(),
            version: self.kind.version.clone(),
        }
    }

    /// Group and plural name, whose text (`deployments.apps`) messages use.
    pub fn group_resource(&self) -> GroupResource {
        GroupResource {
            group: self.kind.group.clone(),
            resource: self.plural.clone(),
        }
    }

    /// Group, version and plural name.
    pub fn group_version_resource(&self) -> GroupVersionResource {
        GroupVersionResource {
            group: self.kind.group.clone(),
            version: self.kind.version.clone(),
            resource: self.plural.clone(),
        }
    }

    /// The kind of a list of these objects: `DeploymentList`.
    pub fn list_kind(&self) -> String {
        format!("{}List", self.kind.kind)
    }

    /// Whether objects live in namespaces.
    pub fn namespaced(&self) -> bool {
        self.scope == Scope::Namespaced
    }

    /// Whether discovery names this verb.
    pub fn allows(&self, verb: &str) -> bool {
        self.verbs.iter().any(|known| known == verb)
    }

    /// The subresource of this name.
    pub fn subresource(&self, name: &str) -> Option<&Subresource> {
        self.subresources.iter().find(|subresource| subresource.name == name)
    }

    /// The path of one object, or of the collection where `name` is `None`; `namespace` is left out for cluster scope.
    pub fn path(&self, namespace: Option<&str>, name: Option<&str>) -> String {
        let mut path = self.group_version().path();
        if let (Scope::Namespaced, Some(namespace)) = (self.scope, namespace) {
            path.push_str("/namespaces/");
            path.push_str(namespace);
        }
        path.push('/');
        path.push_str(&self.plural);
        if let Some(name) = name {
            path.push('/');
            path.push_str(name);
        }
        path
    }

    /// The resources of a legacy `APIResourceList`, which is how an aggregated API describes itself.
    pub fn from_api_resource_list(list: &Value) -> Vec<Resource> {
        let Some(group_version) = list["groupVersion"].as_str().map(GroupVersion::parse) else {
            return Vec::new();
        };
        let entries = list["resources"].as_array().map(Vec::as_slice).unwrap_or_default();
        let mut resources: Vec<Resource> = Vec::new();
        for entry in entries {
            let name = entry["name"].as_str().unwrap_or_default();
            match name.split_once('/') {
                None => resources.push(from_entry(&group_version, name, entry)),
                Some((plural, subresource)) => {
                    let parent = resources.iter().position(|resource| resource.plural == plural);
                    // The metrics APIs have subresources of resources that are not theirs (`pods/http_requests`): such
                    // a parent is shown as something that nothing can be done with.
                    let parent = parent.unwrap_or_else(|| {
                        let namespaced = serde_json::json!({"namespaced": entry["namespaced"]});
                        resources.push(from_entry(&group_version, plural, &namespaced));
                        resources.len() - 1
                    });
                    let subresource = subresource_from_entry(&group_version, subresource, entry);
                    resources[parent].subresources.push(subresource);
                }
            }
        }
        resources
    }
}

/// Reads one line of the recorded table; its subresources are nested.
pub(crate) fn from_record(record: &Value) -> Resource {
    let group_version = GroupVersion::parse(record["groupVersion"].as_str().unwrap_or_default());
    let mut resource = from_entry(&group_version, record["name"].as_str().unwrap_or_default(), record);
    for entry in record["subresources"].as_array().map(Vec::as_slice).unwrap_or_default() {
        let name = entry["name"].as_str().unwrap_or_default();
        resource
            .subresources
            .push(subresource_from_entry(&group_version, name, entry));
    }
    resource
}

fn from_entry(group_version: &GroupVersion, plural: &str, entry: &Value) -> Resource {
    Resource {
        kind: group_version.kind(entry["kind"].as_str().unwrap_or_default()),
        plural: plural.to_owned(),
        singular: entry["singularName"].as_str().unwrap_or_default().to_owned(),
        short_names: strings(&entry["shortNames"]),
        categories: strings(&entry["categories"]),
        scope: if entry["namespaced"] == true {
            Scope::Namespaced
        } else {
            Scope::Cluster
        },
        verbs: strings(&entry["verbs"]),
        subresources: Vec::new(),
        storage_version_hash: entry["storageVersionHash"].as_str().unwrap_or_default().to_owned(),
    }
}

fn subresource_from_entry(parent: &GroupVersion, name: &str, entry: &Value) -> Subresource {
    let kind = entry["kind"].as_str().unwrap_or_default();
    let kind = match entry["version"].as_str() {
        Some(version) => GroupVersionKind::new(entry["group"].as_str().unwrap_or_default(), version, kind),
        None => parent.kind(kind),
    };
    Subresource {
        name: name.to_owned(),
        kind,
        verbs: strings(&entry["verbs"]),
    }
}

fn strings(value: &Value) -> Vec<String> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|item| item.as_str().map(str::to_owned))
        .collect()
}
