//! Custom kinds: from a CustomResourceDefinition to what is served.

use std::sync::Arc;

use apimachinery::resources::{GroupVersionKind, Resource, Scope, Subresource};
use apimachinery::schema::Schema;
use apimachinery::status::Cause;
use apimachinery::subresource::{self, ScalePaths};
use serde_json::{Value, json};

/// What a version of a CustomResourceDefinition says besides its names.
#[derive(Debug)]
pub struct CustomKind {
    /// The shape of its objects.
    pub schema: Schema,
    /// The version as the definition writes it: printer columns, selectable fields.
    pub version: Value,
    /// Where its Scale is; `None` for kinds without one.
    pub scale: Option<ScalePaths>,
}

/// A served version of a custom kind.
#[derive(Clone, Debug)]
pub(crate) struct CustomVersion {
    pub(crate) resource: Resource,
    pub(crate) custom: Arc<CustomKind>,
    /// The version that is stored.
    pub(crate) storage_version: String,
}

/// The verbs of custom kinds, in the order upstream's discovery gives them.
const VERBS: [&str; 8] = [
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "create",
    "update",
    "watch",
];

/// The versions that a definition serves; none while it is not established.
pub(crate) fn versions_of(definition: &Value) -> Vec<CustomVersion> {
    if !has_condition(definition, "Established") {
        return Vec::new();
    }
    let spec = &definition["spec"];
    let versions = || spec["versions"].as_array().into_iter().flatten();
    let storage = versions()
        .find(|version| version["storage"] == true)
        .map(|version| text(&version["name"]));
    let served = versions().filter(|version| version["served"] == true);
    served
        .map(|version| version_of(spec, version, storage.clone().unwrap_or_default()))
        .collect()
}

fn version_of(spec: &Value, version: &Value, storage_version: String) -> CustomVersion {
    let names = &spec["names"];
    let kind = GroupVersionKind::new(&text(&spec["group"]), &text(&version["name"]), &text(&names["kind"]));
    let scale = ScalePaths::custom(&version["subresources"]["scale"]);
    let mut subresources = Vec::new();
    let verbs = || ["get", "patch", "update"].map(str::to_owned).to_vec();
    if version["subresources"].get("status").is_some() {
        subresources.push(Subresource {
            name: "status".to_owned(),
            kind: kind.clone(),
            verbs: verbs(),
        });
    }
    if scale.is_some() {
        let kind = subresource::scale_kind();
        subresources.push(Subresource {
            name: "scale".to_owned(),
            kind,
            verbs: verbs(),
        });
    }
    let resource = Resource {
        kind,
        plural: text(&names["plural"]),
        singular: text(&names["singular"]),
        short_names: strings(&names["shortNames"]),
        categories: strings(&names["categories"]),
        scope: if spec["scope"] == "Namespaced" {
            Scope::Namespaced
        } else {
            Scope::Cluster
        },
        verbs: VERBS.map(str::to_owned).to_vec(),
        subresources,
        storage_version_hash: String::new(),
    };
    let schema = Schema::from_custom(&version["schema"]["openAPIV3Schema"]);
    let custom = CustomKind {
        schema,
        version: version.clone(),
        scale,
    };
    CustomVersion {
        resource,
        custom: Arc::new(custom),
        storage_version,
    }
}

/// Says in a definition's status that its names are accepted and that it is served. Upstream's controllers say so after a
/// moment; here names are checked at the write, so it holds at once.
pub(crate) fn establish(definition: &mut Value, now: &str) {
    let spec = definition["spec"].clone();
    let Some(fields) = definition.as_object_mut() else {
        return;
    };
    let status = fields.entry("status").or_insert_with(|| json!({}));
    if !status.is_object() {
        *status = json!({});
    }
    let mut names = spec["names"].clone();
    if names["singular"].is_null() && names.is_object() {
        names["singular"] = json!(text(&names["kind"]).to_lowercase());
    }
    status["acceptedNames"] = names;
    let storage = spec["versions"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|version| version["storage"] == true);
    let storage = storage.map(|version| text(&version["name"])).unwrap_or_default();
    let mut stored = strings(&status["storedVersions"]);
    if !stored.contains(&storage) {
        stored.push(storage);
    }
    status["storedVersions"] = json!(stored);
    let conditions = [
        ("NamesAccepted", "NoConflicts", "no conflicts found"),
        (
            "Established",
            "InitialNamesAccepted",
            "the initial names have been accepted",
        ),
    ];
    for (kind, reason, message) in conditions {
        let known = status["conditions"]
            .as_array()
            .is_some_and(|list| list.iter().any(|one| one["type"] == kind));
        if !known {
            let condition = json!({"type": kind, "status": "True", "reason": reason, "message": message,
                                   "lastTransitionTime": now});
            match status["conditions"].as_array_mut() {
                Some(list) => list.push(condition),
                None => status["conditions"] = json!([condition]),
            }
        }
    }
}

/// Names that a definition leaves to be derived. Source: `SetDefaults_CustomResourceDefinitionSpec`.
pub(crate) fn set_default_names(definition: &mut Value) {
    let kind = text(&definition["spec"]["names"]["kind"]);
    if !definition["spec"]["names"].is_object() {
        return;
    }
    let names = &mut definition["spec"]["names"];
    if text(&names["singular"]).is_empty() {
        names["singular"] = json!(kind.to_lowercase());
    }
    if text(&names["listKind"]).is_empty() {
        names["listKind"] = json!(format!("{kind}List"));
    }
    if definition["spec"]["conversion"].is_null() {
        definition["spec"]["conversion"] = json!({"strategy": "None"});
    }
}

/// What is wrong with a definition. Source: the rules of apiextensions' `validation.go` that keep a kind servable.
pub(crate) fn causes(definition: &Value) -> Vec<Cause> {
    let spec = &definition["spec"];
    let names = &spec["names"];
    let mut causes = Vec::new();
    let required = [
        ("spec.group", &spec["group"]),
        ("spec.scope", &spec["scope"]),
        ("spec.names.plural", &names["plural"]),
        ("spec.names.kind", &names["kind"]),
    ];
    for (field, value) in required {
        if text(value).is_empty() {
            causes.push(Cause::required(field, ""));
        }
    }
    let expected = format!("{}.{}", text(&names["plural"]), text(&spec["group"]));
    let name = &definition["metadata"]["name"];
    if text(name) != expected {
        causes.push(Cause::invalid(
            "metadata.name",
            name,
            "must be spec.names.plural+\".\"+spec.group",
        ));
    }
    if !matches!(spec["scope"].as_str(), None | Some("" | "Cluster" | "Namespaced")) {
        causes.push(Cause::not_supported(
            "spec.scope",
            &spec["scope"],
            &["Cluster", "Namespaced"],
        ));
    }
    let versions = spec["versions"].as_array().map(Vec::as_slice).unwrap_or_default();
    if versions.iter().filter(|version| version["storage"] == true).count() != 1 {
        let why = "must have exactly one version marked as storage version";
        causes.push(Cause::invalid("spec.versions", &spec["versions"], why));
    }
    for (place, version) in versions.iter().enumerate() {
        let path = format!("spec.versions[{place}]");
        if text(&version["name"]).is_empty() {
            causes.push(Cause::required(format!("{path}.name"), ""));
        }
        let schema = &version["schema"]["openAPIV3Schema"];
        if !schema.is_object() {
            causes.push(Cause::required(
                format!("{path}.schema.openAPIV3Schema"),
                "schemas are required",
            ));
        } else if schema["type"] != "object" {
            let why = "must be object at the root";
            causes.push(Cause::invalid(
                format!("{path}.schema.openAPIV3Schema.type"),
                &schema["type"],
                why,
            ));
        }
    }
    causes
}

fn has_condition(object: &Value, kind: &str) -> bool {
    let conditions = object["status"]["conditions"].as_array();
    conditions
        .into_iter()
        .flatten()
        .any(|condition| condition["type"] == kind && condition["status"] == "True")
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn strings(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(text).collect()
}
