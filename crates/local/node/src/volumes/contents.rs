//! What is in a volume that is made from the API's objects.

use std::collections::BTreeMap;
use std::path::{Component, Path};

use k8s_openapi::api::core::v1::{ConfigMap, DownwardAPIVolumeFile, KeyToPath, Secret, Volume};

use crate::environment::{Sources, field_value};

/// The mode of a file that says none (API default).
const MODE_DEFAULT: u32 = 0o644;

/// Files by relative path: bytes and mode.
pub(crate) type Contents = BTreeMap<String, (Vec<u8>, u32)>;

/// What a volume must be given before its contents are known.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    pub(crate) config_maps: Vec<String>,
    pub(crate) secrets: Vec<String>,
    pub(crate) token: bool,
}

/// One source of files, however it was declared.
enum Source<'a> {
    ConfigMap {
        name: &'a str,
        items: Option<&'a [KeyToPath]>,
        optional: bool,
    },
    Secret {
        name: &'a str,
        items: Option<&'a [KeyToPath]>,
        optional: bool,
    },
    Downward(&'a [DownwardAPIVolumeFile]),
    Token {
        path: &'a str,
    },
}

fn sources(volume: &Volume) -> Option<(Vec<Source<'_>>, Option<i32>)> {
    if let Some(map) = &volume.config_map {
        let source = Source::ConfigMap {
            name: &map.name,
            items: map.items.as_deref(),
            optional: map.optional == Some(true),
        };
        return Some((vec![source], map.default_mode));
    }
    if let Some(secret) = &volume.secret {
        let name = secret.secret_name.as_deref().unwrap_or_default();
        let source = Source::Secret {
            name,
            items: secret.items.as_deref(),
            optional: secret.optional == Some(true),
        };
        return Some((vec![source], secret.default_mode));
    }
    if let Some(downward) = &volume.downward_api {
        return Some((
            vec![Source::Downward(downward.items.as_deref().unwrap_or_default())],
            downward.default_mode,
        ));
    }
    let projected = volume.projected.as_ref()?;
    let mut all = Vec::new();
    for projection in projected.sources.iter().flatten() {
        if let Some(map) = &projection.config_map {
            let optional = map.optional == Some(true);
            all.push(Source::ConfigMap {
                name: &map.name,
                items: map.items.as_deref(),
                optional,
            });
        }
        if let Some(secret) = &projection.secret {
            let optional = secret.optional == Some(true);
            all.push(Source::Secret {
                name: &secret.name,
                items: secret.items.as_deref(),
                optional,
            });
        }
        if let Some(downward) = &projection.downward_api {
            all.push(Source::Downward(downward.items.as_deref().unwrap_or_default()));
        }
        if let Some(token) = &projection.service_account_token {
            all.push(Source::Token { path: &token.path });
        }
    }
    Some((all, projected.default_mode))
}

/// What must be read for the volume; none when it is not made from objects.
pub(crate) fn needs(volume: &Volume) -> Option<Needs> {
    let mut needs = Needs::default();
    for source in sources(volume)?.0 {
        match source {
            Source::ConfigMap { name, .. } => needs.config_maps.push(name.to_owned()),
            Source::Secret { name, .. } => needs.secrets.push(name.to_owned()),
            Source::Token { .. } => needs.token = true,
            Source::Downward(_) => {}
        }
    }
    Some(needs)
}

/// The files of a volume.
///
/// # Errors
/// A sentence naming what is missing.
pub(crate) fn contents(volume: &Volume, from: Sources<'_>, token: Option<&str>) -> Result<Contents, String> {
    let mut files = Contents::new();
    let Some((sources, default_mode)) = sources(volume) else {
        return Ok(files);
    };
    let mode = |own: Option<i32>| {
        own.or(default_mode)
            .and_then(|mode| u32::try_from(mode).ok())
            .unwrap_or(MODE_DEFAULT)
    };
    for source in sources {
        match source {
            Source::ConfigMap { name, items, optional } => {
                let data = from.configuration.config_maps.get(name).map(of_config_map);
                add_keys(&mut files, data, ("configmap", name), items, optional, mode)?;
            }
            Source::Secret { name, items, optional } => {
                let data = from.configuration.secrets.get(name).map(of_secret);
                add_keys(&mut files, data, ("secret", name), items, optional, mode)?;
            }
            Source::Downward(items) => {
                for item in items {
                    let value = match (&item.field_ref, &item.resource_field_ref) {
                        (Some(field), _) => field_value(&field.field_path, from),
                        (None, Some(field)) => resource_value(field, from),
                        (None, None) => None,
                    };
                    let value = value.ok_or_else(|| format!("the file {} names no known field", item.path))?;
                    add(&mut files, &item.path, value.into_bytes(), mode(item.mode))?;
                }
            }
            Source::Token { path } => {
                if let Some(token) = token {
                    add(&mut files, path, token.as_bytes().to_vec(), mode(None))?;
                }
            }
        }
    }
    Ok(files)
}

fn resource_value(field: &k8s_openapi::api::core::v1::ResourceFieldSelector, from: Sources<'_>) -> Option<String> {
    let spec = from.pod.spec.as_ref()?;
    let name = field.container_name.as_deref();
    let container = spec
        .containers
        .iter()
        .find(|container| Some(container.name.as_str()) == name)?;
    crate::resources::field_value(field, container, from.pod)
}

fn of_config_map(map: &ConfigMap) -> BTreeMap<&str, Vec<u8>> {
    let text = map
        .data
        .iter()
        .flatten()
        .map(|(key, value)| (key.as_str(), value.clone().into_bytes()));
    let binary = map
        .binary_data
        .iter()
        .flatten()
        .map(|(key, value)| (key.as_str(), value.0.clone()));
    text.chain(binary).collect()
}

fn of_secret(secret: &Secret) -> BTreeMap<&str, Vec<u8>> {
    secret
        .data
        .iter()
        .flatten()
        .map(|(key, value)| (key.as_str(), value.0.clone()))
        .collect()
}

fn add_keys(
    files: &mut Contents,
    data: Option<BTreeMap<&str, Vec<u8>>>,
    (kind, name): (&str, &str),
    items: Option<&[KeyToPath]>,
    optional: bool,
    mode: impl Fn(Option<i32>) -> u32,
) -> Result<(), String> {
    let Some(data) = data else {
        return if optional {
            Ok(())
        } else {
            Err(format!("{kind} \"{name}\" not found"))
        };
    };
    let Some(items) = items else {
        return data
            .into_iter()
            .try_for_each(|(key, bytes)| add(files, key, bytes, mode(None)));
    };
    for item in items {
        match data.get(item.key.as_str()) {
            Some(bytes) => add(files, &item.path, bytes.clone(), mode(item.mode))?,
            None if optional => {}
            None => {
                return Err(format!(
                    "{kind} \"{name}\" references non-existent config key: {}",
                    item.key
                ));
            }
        }
    }
    Ok(())
}

fn add(files: &mut Contents, path: &str, bytes: Vec<u8>, mode: u32) -> Result<(), String> {
    let is_inside = !path.is_empty()
        && Path::new(path)
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
    if !is_inside || path.starts_with("..") {
        return Err(format!("the path {path} leaves the volume"));
    }
    files.insert(path.to_owned(), (bytes, mode));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::Configuration;
    use serde_json::json;

    #[test]
    fn projected_sources_come_together_and_paths_stay_inside() {
        let pod = serde_json::from_value(json!({
            "metadata": {"name": "web-0", "namespace": "shop", "labels": {"app": "web"}}
        }))
        .unwrap();
        let configuration = Configuration {
            config_maps: [(
                "c".to_owned(),
                serde_json::from_value(json!({"data": {"a": "1", "b": "2"}})).unwrap(),
            )]
            .into(),
            secrets: [(
                "s".to_owned(),
                serde_json::from_value(json!({"data": {"k": "aHVzaA=="}})).unwrap(),
            )]
            .into(),
        };
        let services = crate::services::Table::default();
        let from = Sources {
            pod: &pod,
            pod_ip: None,
            host_ip: "127.0.0.1",
            configuration: &configuration,
            services: &services,
        };
        let of = |volume: serde_json::Value| {
            let mut volume = volume;
            volume["name"] = json!("v");
            contents(&serde_json::from_value(volume).unwrap(), from, Some("t"))
        };
        let files = of(json!({"projected": {"defaultMode": 256, "sources": [
            {"configMap": {"name": "c", "items": [{"key": "a", "path": "sub/one", "mode": 384}]}},
            {"secret": {"name": "s"}},
            {"serviceAccountToken": {"path": "token"}},
            {"downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
        ]}}))
        .unwrap();
        let expect: Contents = [
            ("sub/one", "1", 0o600),
            ("k", "hush", 0o400),
            ("token", "t", 0o400),
            ("labels", "app=\"web\"", 0o400),
        ]
        .into_iter()
        .map(|(path, text, mode)| (path.to_owned(), (text.as_bytes().to_vec(), mode)))
        .collect();
        assert_eq!(files, expect);

        assert_eq!(
            of(json!({"configMap": {"name": "none"}})).unwrap_err(),
            "configmap \"none\" not found"
        );
        assert!(
            of(json!({"configMap": {"name": "none", "optional": true}}))
                .unwrap()
                .is_empty()
        );
        let outside = json!({"configMap": {"name": "c", "items": [{"key": "a", "path": "../x"}]}});
        assert!(of(outside).unwrap_err().contains("leaves the volume"));
    }
}
