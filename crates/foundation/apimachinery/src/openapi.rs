//! OpenAPI v3 documents, made from a [`Registry`] and the recorded definitions.
//!
//! kubectl reads them to validate, to find the keys by which lists merge, and to explain fields. A document holds what
//! those need: for each path its operations with kind, media types and query parameters, and every definition that the
//! kinds of the document reach.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Map, Value, json};

use crate::resources::{GroupVersion, GroupVersionKind, Registry, Resource, Scope};
use crate::schema::definition_text;

/// The kind of a CustomResourceDefinition, with its `openAPIV3Schema`.
#[derive(Clone, Copy, Debug)]
pub struct CustomKind<'a> {
    /// The kind.
    pub kind: &'a GroupVersionKind,
    /// The schema as given, without references.
    pub schema: &'a Value,
}

/// The list of documents at `/openapi/v3`; each address carries a hash that changes with its content.
pub fn index(registry: &Registry, custom: &[CustomKind<'_>]) -> Value {
    let mut paths = Map::new();
    for (group, versions) in registry.groups() {
        for version in versions {
            let group_version = GroupVersion {
                group: group.clone(),
                version,
            };
            let path = group_version.path().trim_start_matches('/').to_owned();
            let hash = fingerprint(registry, &group_version, custom);
            let address = format!("/openapi/v3/{path}?hash={hash:016X}");
            paths.insert(path, json!({"serverRelativeURL": address}));
        }
    }
    json!({"paths": paths})
}

/// A number that changes with the content of a document, without building it. It is stable within one build of the server.
pub fn fingerprint(registry: &Registry, group_version: &GroupVersion, custom: &[CustomKind<'_>]) -> u64 {
    let mut hasher = DefaultHasher::new();
    group_version.hash(&mut hasher);
    for resource in registry.of_group_version(group_version) {
        (&resource.plural, &resource.verbs, resource.scope).hash(&mut hasher);
        resource
            .subresources
            .iter()
            .for_each(|subresource| subresource.name.hash(&mut hasher));
    }
    for kind in custom
        .iter()
        .filter(|custom| custom.kind.group_version() == *group_version)
    {
        kind.schema.to_string().hash(&mut hasher);
    }
    hasher.finish()
}

/// The document of one group and version, `None` where it is not served.
///
/// `server_version` is what `/version` says, such as `v1.37.2`.
pub fn document(
    registry: &Registry,
    group_version: &GroupVersion,
    custom: &[CustomKind<'_>],
    server_version: &str,
) -> Option<Value> {
    let mut paths = Map::new();
    for resource in registry.of_group_version(group_version) {
        add_paths(&mut paths, resource);
    }
    if paths.is_empty() {
        return None;
    }
    Some(json!({
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": server_version},
        "paths": paths,
        "components": {"schemas": schemas(registry, group_version, custom)},
    }))
}

const JSON_TYPES: [&str; 3] = [
    "application/json",
    "application/yaml",
    "application/vnd.kubernetes.protobuf",
];

fn patch_types(builtin: bool) -> &'static [&'static str] {
    const TYPES: [&str; 4] = [
        "application/json-patch+json",
        "application/merge-patch+json",
        "application/apply-patch+yaml",
        "application/strategic-merge-patch+json",
    ];
    // Custom kinds have no merge keys and do not take strategic merge patches.
    if builtin { &TYPES } else { &TYPES[..3] }
}

fn add_paths(paths: &mut Map<String, Value>, resource: &Resource) {
    let builtin = crate::schema::builtin(&resource.kind).is_some();
    let namespace = (resource.scope == Scope::Namespaced).then_some("{namespace}");
    let collection = resource.path(namespace, None);
    let one = resource.path(namespace, Some("{name}"));
    let item = |operations: &[(&str, &str)], kind: &GroupVersionKind, verbs: &[String]| {
        let mut item = Map::new();
        for (method, action) in operations {
            if verbs.iter().any(|verb| verb == verb_of(action)) {
                item.insert((*method).to_owned(), operation(action, kind, builtin));
            }
        }
        Value::Object(item)
    };
    let on_collection = [("get", "list"), ("post", "post"), ("delete", "deletecollection")];
    let on_one = [("get", "get"), ("put", "put"), ("patch", "patch"), ("delete", "delete")];
    paths.insert(collection, item(&on_collection, &resource.kind, &resource.verbs));
    paths.insert(one.clone(), item(&on_one, &resource.kind, &resource.verbs));
    if namespace.is_some() {
        paths.insert(
            resource.path(None, None),
            item(&on_collection[..1], &resource.kind, &resource.verbs),
        );
    }
    for subresource in &resource.subresources {
        let operations = [("get", "get"), ("put", "put"), ("patch", "patch"), ("post", "post")];
        let path = format!("{one}/{}", subresource.name);
        paths.insert(path, item(&operations, &subresource.kind, &subresource.verbs));
    }
}

/// The verb of authorisation behind an action of a document.
fn verb_of(action: &str) -> &str {
    match action {
        "post" => "create",
        "put" => "update",
        other => other,
    }
}

fn operation(action: &str, kind: &GroupVersionKind, builtin: bool) -> Value {
    let parameter =
        |name: &str, kind: &str| json!({"name": name, "in": "query", "schema": {"type": kind, "uniqueItems": true}});
    let mut parameters = vec![parameter("pretty", "string")];
    if matches!(action, "post" | "put" | "patch") {
        parameters.extend(["dryRun", "fieldManager", "fieldValidation"].map(|name| parameter(name, "string")));
    }
    if action == "patch" {
        parameters.push(parameter("force", "boolean"));
    }
    let mut operation = json!({
        "parameters": parameters,
        "responses": {"200": {"description": "OK", "content": content(&JSON_TYPES)}},
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": {"group": kind.group, "version": kind.version, "kind": kind.kind},
    });
    match action {
        "patch" => operation["requestBody"] = json!({"content": content(patch_types(builtin))}),
        "post" | "put" => operation["requestBody"] = json!({"content": content(&["*/*"])}),
        _ => {}
    }
    operation
}

fn content(types: &[&str]) -> Value {
    types
        .iter()
        .map(|media_type| ((*media_type).to_owned(), json!({})))
        .collect::<Map<_, _>>()
        .into()
}

/// Definitions that every document has.
const COMMON: [&str; 4] = ["DeleteOptions", "Status", "APIResourceList", "WatchEvent"];
const META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.";

fn schemas(registry: &Registry, group_version: &GroupVersion, custom: &[CustomKind<'_>]) -> Value {
    let mut wanted: Vec<String> = COMMON.iter().map(|name| format!("{META}{name}")).collect();
    let mut schemas = Map::new();
    for resource in registry.of_group_version(group_version) {
        let kinds = resource.subresources.iter().map(|subresource| &subresource.kind);
        for kind in kinds.chain([&resource.kind]) {
            for name in [kind.kind.clone(), format!("{}List", kind.kind)] {
                let kind = GroupVersionKind {
                    kind: name,
                    ..kind.clone()
                };
                wanted.extend(crate::schema::builtin(&kind).map(|schema| schema.name.to_string()));
            }
        }
    }
    for custom in custom
        .iter()
        .filter(|custom| custom.kind.group_version() == *group_version)
    {
        let name = definition_name(custom.kind);
        let list = GroupVersionKind {
            kind: format!("{}List", custom.kind.kind),
            ..custom.kind.clone()
        };
        schemas.insert(definition_name(&list), custom_list(&list, &name));
        schemas.insert(name, custom_schema(custom));
        wanted.extend([format!("{META}ObjectMeta"), format!("{META}ListMeta")]);
    }
    let mut seen = BTreeSet::new();
    while let Some(name) = wanted.pop() {
        let Some(text) = definition_text(&name).filter(|_| seen.insert(name.clone())) else {
            continue;
        };
        let full = text.replace("\"$ref\":\"#/", "\"$ref\":\"#/components/schemas/");
        let references = full.split("\"$ref\":\"#/components/schemas/").skip(1);
        wanted.extend(references.filter_map(|rest| rest.split('"').next().map(str::to_owned)));
        let mut schema: Value = serde_json::from_str(&full).unwrap_or_default();
        keep_own_kinds(&mut schema, &name, group_version);
        schemas.insert(name, schema);
    }
    schemas.sort_keys();
    Value::Object(schemas)
}

/// Kinds that every group shares list, in each document, that document's group and version.
fn keep_own_kinds(schema: &mut Value, name: &str, group_version: &GroupVersion) {
    let kind = name.rsplit('.').next().unwrap_or_default();
    if name.starts_with(META) && matches!(kind, "DeleteOptions" | "WatchEvent") {
        schema["x-kubernetes-group-version-kind"] =
            json!([{"group": group_version.group, "version": group_version.version, "kind": kind}]);
    }
}

/// `com.example.v1.Thing` for a Thing of example.com/v1.
fn definition_name(kind: &GroupVersionKind) -> String {
    let reversed: Vec<&str> = kind.group.split('.').rev().collect();
    format!("{}.{}.{}", reversed.join("."), kind.version, kind.kind)
}

fn kind_extension(kind: &GroupVersionKind) -> Value {
    json!([{"group": kind.group, "version": kind.version, "kind": kind.kind}])
}

fn custom_schema(custom: &CustomKind<'_>) -> Value {
    let mut schema = if custom.schema.is_object() {
        custom.schema.clone()
    } else {
        json!({"type": "object"})
    };
    for name in ["apiVersion", "kind"] {
        schema["properties"][name] = json!({"type": "string"});
    }
    schema["properties"]["metadata"] = json!({"allOf": [{"$ref": format!("#/components/schemas/{META}ObjectMeta")}]});
    schema["x-kubernetes-group-version-kind"] = kind_extension(custom.kind);
    schema
}

fn custom_list(list: &GroupVersionKind, item: &str) -> Value {
    json!({
        "type": "object",
        "required": ["items"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"allOf": [{"$ref": format!("#/components/schemas/{META}ListMeta")}]},
            "items": {"type": "array", "items": {"allOf": [{"$ref": format!("#/components/schemas/{item}")}]}},
        },
        "x-kubernetes-group-version-kind": kind_extension(list),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn references(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                if let Some(target) = fields.get("$ref").and_then(Value::as_str) {
                    found.insert(target.trim_start_matches("#/components/schemas/").to_owned());
                }
                fields.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }

    #[test]
    fn a_document_is_closed_and_says_what_kubectl_asks() {
        let registry = Registry::builtin();
        let document = document(&registry, &GroupVersion::parse("apps/v1"), &[], "v1.37.2").expect("served");
        let schemas = &document["components"]["schemas"];
        let mut found = BTreeSet::new();
        references(&document, &mut found);
        assert!(found.iter().all(|name| schemas.get(name).is_some()));
        // As many as the recorded document has.
        assert!(
            schemas.as_object().is_some_and(|schemas| schemas.len() >= 160),
            "{:?}",
            schemas.as_object().map(Map::len)
        );
        let patch = &document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"];
        assert_eq!(patch["x-kubernetes-group-version-kind"]["kind"], "Deployment");
        assert!(
            patch["requestBody"]["content"]
                .get("application/strategic-merge-patch+json")
                .is_some()
        );
        assert!(
            patch["parameters"]
                .as_array()
                .is_some_and(|all| all.iter().any(|one| one["name"] == "fieldValidation"))
        );
    }

    #[test]
    fn the_index_names_every_version_once() {
        let index = index(&Registry::builtin(), &[]);
        assert_eq!(index["paths"].as_object().map(Map::len), Some(23));
        let address = index["paths"]["apis/apps/v1"]["serverRelativeURL"]
            .as_str()
            .unwrap_or_default();
        assert!(address.starts_with("/openapi/v3/apis/apps/v1?hash="), "{address}");
    }

    #[test]
    fn a_custom_kind() {
        let mut registry = Registry::builtin();
        let list = json!({"groupVersion": "example.com/v1", "resources": [
            {"name": "things", "singularName": "thing", "namespaced": true, "kind": "Thing", "verbs": ["get", "patch"]}]});
        Resource::from_api_resource_list(&list)
            .into_iter()
            .for_each(|resource| registry.add(resource));
        let kind = GroupVersionKind::new("example.com", "v1", "Thing");
        let schema = json!({"type": "object", "properties": {"spec": {"type": "object"}}});
        let custom = [CustomKind {
            kind: &kind,
            schema: &schema,
        }];
        let document = document(&registry, &kind.group_version(), &custom, "v1.37.2").expect("served");
        let thing = &document["components"]["schemas"]["com.example.v1.Thing"];
        assert_eq!(thing["x-kubernetes-group-version-kind"][0]["kind"], "Thing");
        assert!(thing["properties"]["spec"].is_object());
    }
}
