//! OpenAPI documents: which paths there are and what they take. One place where they are asked for.

use apimachinery::resources::GroupVersion;
use serde_json::{Map, Value, json};

use crate::kinds::Kinds;

/// What `/openapi/v3` lists.
pub(crate) fn index(kinds: &Kinds) -> Value {
    let mut paths = Map::new();
    for (group, versions) in kinds.registry().groups() {
        for version in versions {
            let path = GroupVersion {
                group: group.clone(),
                version,
            }
            .path();
            let key = path.trim_start_matches('/').to_owned();
            paths.insert(key, json!({"serverRelativeURL": format!("/openapi/v3{path}?hash=1")}));
        }
    }
    json!({"paths": paths})
}

/// The document of one group version, by its path without the leading slash.
pub(crate) fn document(kinds: &Kinds, path: &str) -> Option<Value> {
    let group_version = match path.split('/').collect::<Vec<_>>().as_slice() {
        ["api", version] => GroupVersion::parse(version),
        ["apis", group, version] => GroupVersion {
            group: (*group).to_owned(),
            version: (*version).to_owned(),
        },
        _ => return None,
    };
    let mut paths = Map::new();
    for resource in kinds.registry().of_group_version(&group_version) {
        let kind = json!({"group": resource.kind.group, "version": resource.kind.version, "kind": resource.kind.kind});
        let parameter = |name: &str| json!({"name": name, "in": "query", "schema": {"type": "string"}});
        let parameters = ["dryRun", "fieldManager", "fieldValidation"].map(parameter);
        let write = |action: &str| {
            json!({"x-kubernetes-group-version-kind": kind, "x-kubernetes-action": action,
                   "parameters": parameters})
        };
        let one = resource.path(Some("{namespace}"), Some("{name}"));
        paths.insert(one, json!({"put": write("put"), "patch": write("patch")}));
        paths.insert(resource.path(Some("{namespace}"), None), json!({"post": write("post")}));
    }
    if paths.is_empty() {
        return None;
    }
    let info = json!({"title": "Kubernetes", "version": "v1.37.2"});
    Some(json!({"openapi": "3.0.0", "info": info, "paths": paths, "components": {"schemas": {}}}))
}
