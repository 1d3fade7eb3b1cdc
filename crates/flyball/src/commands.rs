//! Which command each container of the manifests would run.

use std::collections::BTreeMap;
use std::path::Path;

use node::image::{HostMachine, HostTree, Request, Resolution, Unresolved, resolve};
use serde_json::Value;

use crate::manifests::{Manifest, Manifests};

/// One container and what was found for it.
pub(crate) struct Resolved {
    /// `Deployment/web`.
    pub(crate) owner: String,
    /// The container's name.
    pub(crate) container: String,
    /// Its image.
    pub(crate) image: String,
    /// What it would run.
    pub(crate) command: Result<Resolution, Unresolved>,
}

/// The commands of all containers, in the order of the manifests.
pub(crate) fn resolve_all(manifests: &Manifests, folder: &Path) -> Vec<Resolved> {
    let tree = HostTree::around(folder);
    let containers = manifests.objects.iter().flat_map(containers);
    let resolved = containers.map(|(owner, request)| Resolved {
        owner,
        container: request.container.clone(),
        image: request.image.clone(),
        command: resolve(&request, &tree, &HostMachine),
    });
    resolved.collect()
}

/// The containers of an object, wherever its kind keeps its Pod template.
fn containers(manifest: &Manifest) -> Vec<(String, Request)> {
    let object = manifest.object();
    let template = match manifest.text("/kind") {
        "Pod" => object.clone(),
        "CronJob" => object
            .pointer("/spec/jobTemplate/spec/template")
            .cloned()
            .unwrap_or_default(),
        _ => object.pointer("/spec/template").cloned().unwrap_or_default(),
    };
    let annotations = strings(template.pointer("/metadata/annotations"));
    let lists = ["initContainers", "containers"].map(|list| template.pointer(&format!("/spec/{list}")).cloned());
    let all = lists
        .into_iter()
        .flatten()
        .filter_map(|list| list.as_array().cloned())
        .flatten();
    let request = |container: Value| {
        let text = |name: &str| container[name].as_str().unwrap_or_default().to_owned();
        let list = |name: &str| {
            let items = container[name].as_array().into_iter().flatten();
            items.filter_map(|item| item.as_str().map(str::to_owned)).collect()
        };
        Request {
            container: text("name"),
            image: text("image"),
            command: list("command"),
            arguments: list("args"),
            working_directory: Some(text("workingDir")).filter(|directory| !directory.is_empty()),
            annotations: annotations.clone(),
        }
    };
    all.map(|container| (manifest.name(), request(container))).collect()
}

fn strings(map: Option<&Value>) -> BTreeMap<String, String> {
    let entries = map.and_then(Value::as_object).into_iter().flatten();
    entries
        .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
        .collect()
}
