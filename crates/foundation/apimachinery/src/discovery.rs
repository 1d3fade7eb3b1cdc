//! Discovery documents, made from a [`Registry`].
//!
//! Clients ask `/api` and `/apis` for everything at once (aggregated, v2 or v2beta1, chosen by the Accept header) or
//! walk the legacy documents one group and version at a time.

use serde_json::{Map, Value, json};

use crate::resources::{GroupVersion, Registry, Resource};

/// Media type parameters of aggregated discovery; the answer's Content-Type must repeat those that were asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aggregated {
    /// `apidiscovery.k8s.io/v2`, kubectl 1.30 and later.
    V2,
    /// `apidiscovery.k8s.io/v2beta1`, kubectl 1.26 to 1.29.
    V2Beta1,
}

impl Aggregated {
    /// The full media type of the answer.
    pub fn content_type(self) -> &'static str {
        match self {
            Aggregated::V2 => "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
            Aggregated::V2Beta1 => "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList",
        }
    }

    /// The first form that an Accept header names before plain JSON, if any.
    pub fn from_accept(accept: &str) -> Option<Self> {
        for range in accept.split(',') {
            let mut parts = range.split(';').map(str::trim);
            if parts.next() != Some("application/json") {
                continue;
            }
            let parameters: Vec<&str> = parts.filter(|parameter| !parameter.starts_with("q=")).collect();
            if parameters.is_empty() {
                return None;
            }
            if parameters.contains(&"g=apidiscovery.k8s.io") && parameters.contains(&"as=APIGroupDiscoveryList") {
                if parameters.contains(&"v=v2") {
                    return Some(Aggregated::V2);
                }
                if parameters.contains(&"v=v2beta1") {
                    return Some(Aggregated::V2Beta1);
                }
            }
        }
        None
    }
}

/// Which half of the API a document describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Root {
    /// `/api`: the core group.
    Core,
    /// `/apis`: all named groups.
    Groups,
}

/// The aggregated document at `/api` or `/apis`.
///
/// `stale` names group versions whose backend did not answer; they are listed without resources, as upstream lists them.
pub fn aggregated(registry: &Registry, root: Root, form: Aggregated, stale: &[GroupVersion]) -> Value {
    let api_version = match form {
        Aggregated::V2 => "apidiscovery.k8s.io/v2",
        Aggregated::V2Beta1 => "apidiscovery.k8s.io/v2beta1",
    };
    let mut groups = registry.groups();
    for GroupVersion { group, version } in stale {
        match groups.iter_mut().find(|(name, _)| name == group) {
            Some((_, versions)) if versions.contains(version) => {}
            Some((_, versions)) => versions.push(version.clone()),
            None => groups.push((group.clone(), vec![version.clone()])),
        }
    }
    let items: Vec<Value> = groups
        .into_iter()
        .filter(|(group, _)| group.is_empty() == (root == Root::Core))
        .map(|(group, versions)| {
            let versions: Vec<Value> = versions
                .into_iter()
                .map(|version| {
                    let group_version = GroupVersion {
                        group: group.clone(),
                        version,
                    };
                    aggregated_version(registry, &group_version, stale.contains(&group_version))
                })
                .collect();
            let metadata = if group.is_empty() {
                json!({})
            } else {
                json!({"name": group})
            };
            json!({"metadata": metadata, "versions": versions})
        })
        .collect();
    json!({"kind": "APIGroupDiscoveryList", "apiVersion": api_version, "metadata": {}, "items": items})
}

fn aggregated_version(registry: &Registry, group_version: &GroupVersion, stale: bool) -> Value {
    let resources: Vec<Value> = registry
        .of_group_version(group_version)
        .map(|resource| aggregated_resource(resource))
        .collect();
    let freshness = if stale { "Stale" } else { "Current" };
    json!({"version": group_version.version, "resources": resources, "freshness": freshness})
}

fn aggregated_resource(resource: &Resource) -> Value {
    let mut entry = Map::new();
    entry.insert("resource".into(), json!(resource.plural));
    // A kind of the document's own group and version is written with both empty.
    entry.insert(
        "responseKind".into(),
        json!({"group": "", "version": "", "kind": resource.kind.kind}),
    );
    entry.insert(
        "scope".into(),
        json!(if resource.namespaced() { "Namespaced" } else { "Cluster" }),
    );
    entry.insert("singularResource".into(), json!(resource.singular));
    entry.insert("verbs".into(), json!(resource.verbs));
    if !resource.short_names.is_empty() {
        entry.insert("shortNames".into(), json!(resource.short_names));
    }
    if !resource.categories.is_empty() {
        entry.insert("categories".into(), json!(resource.categories));
    }
    if !resource.subresources.is_empty() {
        let own = resource.group_version();
        let subresources: Vec<Value> = resource
            .subresources
            .iter()
            .map(|subresource| {
                let kind = &subresource.kind;
                let (group, version) = if kind.group_version() == own {
                    ("", "")
                } else {
                    (&*kind.group, &*kind.version)
                };
                json!({
                    "subresource": subresource.name,
                    "responseKind": {"group": group, "version": version, "kind": kind.kind},
                    "verbs": subresource.verbs,
                })
            })
            .collect();
        entry.insert("subresources".into(), subresources.into());
    }
    Value::Object(entry)
}

/// The legacy document at `/api`; `address` is where clients reach the server, as `host:port`.
pub fn api_versions(address: &str) -> Value {
    json!({
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
    })
}

/// The legacy document at `/apis`.
pub fn api_group_list(registry: &Registry) -> Value {
    let groups: Vec<Value> = registry
        .groups()
        .into_iter()
        .filter(|(group, _)| !group.is_empty())
        .map(|(group, versions)| group_entry(&group, &versions))
        .collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
}

/// The legacy document at `/apis/GROUP`, `None` for a group that is not served.
pub fn api_group(registry: &Registry, group: &str) -> Option<Value> {
    let (name, versions) = registry
        .groups()
        .into_iter()
        .find(|(name, _)| name == group && !name.is_empty())?;
    let mut document = json!({"kind": "APIGroup", "apiVersion": "v1"});
    for (key, value) in group_entry(&name, &versions).as_object().into_iter().flatten() {
        document[key] = value.clone();
    }
    Some(document)
}

fn group_entry(group: &str, versions: &[String]) -> Value {
    let versions: Vec<Value> = versions
        .iter()
        .map(|version| json!({"groupVersion": format!("{group}/{version}"), "version": version}))
        .collect();
    json!({"name": group, "versions": versions, "preferredVersion": versions.first()})
}

/// The legacy document at `/api/v1` or `/apis/GROUP/VERSION`, `None` for a version that is not served.
pub fn api_resource_list(registry: &Registry, group_version: &GroupVersion) -> Option<Value> {
    let mut entries = Vec::new();
    for resource in registry.of_group_version(group_version) {
        entries.push(legacy_resource(resource));
        for subresource in &resource.subresources {
            let mut entry = json!({
                "name": format!("{}/{}", resource.plural, subresource.name),
                "singularName": "",
                "namespaced": resource.namespaced(),
                "kind": subresource.kind.kind,
                "verbs": subresource.verbs,
            });
            if subresource.kind.group_version() != resource.group_version() {
                entry["group"] = json!(subresource.kind.group);
                entry["version"] = json!(subresource.kind.version);
            }
            entries.push(entry);
        }
    }
    if entries.is_empty() {
        return None;
    }
    let mut document =
        json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version.to_string()});
    document["resources"] = entries.into();
    Some(document)
}

fn legacy_resource(resource: &Resource) -> Value {
    let mut entry = json!({
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced(),
        "kind": resource.kind.kind,
        "verbs": resource.verbs,
    });
    if !resource.short_names.is_empty() {
        entry["shortNames"] = json!(resource.short_names);
    }
    if !resource.categories.is_empty() {
        entry["categories"] = json!(resource.categories);
    }
    if !resource.storage_version_hash.is_empty() {
        entry["storageVersionHash"] = json!(resource.storage_version_hash);
    }
    entry
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_headers_of_clients() {
        let both = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
                    application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";
        assert_eq!(Aggregated::from_accept(both), Some(Aggregated::V2));
        let old = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";
        assert_eq!(Aggregated::from_accept(old), Some(Aggregated::V2Beta1));
        assert_eq!(Aggregated::from_accept("application/json, */*"), None);
        assert_eq!(Aggregated::from_accept("*/*"), None);
    }

    #[test]
    fn a_stale_backend_is_listed_without_resources() {
        let metrics = GroupVersion::parse("metrics.k8s.io/v1beta1");
        let document = aggregated(&Registry::builtin(), Root::Groups, Aggregated::V2, &[metrics]);
        let last = document["items"]
            .as_array()
            .and_then(|items| items.last())
            .cloned()
            .unwrap_or_default();
        assert_eq!(
            last,
            json!({"metadata": {"name": "metrics.k8s.io"},
                   "versions": [{"version": "v1beta1", "resources": [], "freshness": "Stale"}]})
        );
    }

    #[test]
    fn the_core_list_in_legacy_form() {
        let document = api_resource_list(&Registry::builtin(), &GroupVersion::parse("v1")).expect("core is served");
        let find = |name: &str| {
            document["resources"]
                .as_array()
                .into_iter()
                .flatten()
                .find(|entry| entry["name"] == name)
                .cloned()
        };
        assert_eq!(
            find("pods/eviction"),
            Some(
                json!({"name": "pods/eviction", "singularName": "", "namespaced": true, "group": "policy",
                        "version": "v1", "kind": "Eviction", "verbs": ["create"]})
            )
        );
        assert_eq!(
            find("pods").map(|pod| pod["storageVersionHash"].clone()),
            Some(json!("xPOwRZ+Yhw8="))
        );
        assert!(api_group(&Registry::builtin(), "nothing").is_none());
    }
}
