//! The environment of a container, without asking anybody: the Pod, its configuration and the Services in, names
//! and values out, in the order and with the precedence of the kubelet.
//!
//! ```text
//!   host's few  <  Service variables  <  envFrom  <  env (with $(NAME) of what came before)
//! ```

use std::collections::BTreeMap;

use indexmap::IndexMap;
use k8s_openapi::api::core::v1::{ConfigMap, Container, EnvVar, EnvVarSource, Pod, Secret};

use crate::services::{Protocol, ServiceKind, Table};

/// What is passed on from the host: enough to find programs, toolchains, languages and the user's home.
/// Everything else of the developer's shell stays outside, for a Pod in a cluster would not have it either.
const INHERITED: [&str; 24] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LC_ALL",
    "TZ",
    "TERM",
    "CARGO_HOME",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
    "CARGO_TARGET_DIR",
    "GOPATH",
    "GOCACHE",
    "GOROOT",
    "JAVA_HOME",
    "NVM_DIR",
    "PYENV_ROOT",
    "VIRTUAL_ENV",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
];

/// The ConfigMaps and Secrets of a namespace that a container names; absent ones are absent here.
#[derive(Debug, Clone, Default)]
pub struct Configuration {
    /// By name.
    pub config_maps: BTreeMap<String, ConfigMap>,
    /// By name.
    pub secrets: BTreeMap<String, Secret>,
}

/// What a container's environment is made from.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'a> {
    /// The Pod.
    pub pod: &'a Pod,
    /// The address that the API shows, if it has one.
    pub pod_ip: Option<&'a str>,
    /// The node's address.
    pub host_ip: &'a str,
    /// What it names.
    pub configuration: &'a Configuration,
    /// The Services of the cluster.
    pub services: &'a Table,
}

/// Why the environment cannot be made: the status shows it as `CreateContainerConfigError`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvironmentError {
    /// A named object does not exist.
    #[error("{kind} \"{name}\" not found")]
    NoObject {
        /// `configmap` or `secret`.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// It has no such key.
    #[error("couldn't find key {key} in {kind} {name}")]
    NoKey {
        /// `ConfigMap` or `Secret`.
        kind: &'static str,
        /// Its name.
        name: String,
        /// The key.
        key: String,
    },
    /// A field cannot be given.
    #[error("the field {0} is not one that an environment variable can have")]
    Field(String),
}

/// The host's variables that are passed on.
#[must_use]
pub fn inherited() -> Vec<(String, String)> {
    INHERITED
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?)))
        .collect()
}

/// Makes a container's environment from what the host passes on and the declared sources.
///
/// # Errors
/// [`EnvironmentError`] when something named and not optional is missing.
pub fn compose(
    container: &Container,
    sources: Sources<'_>,
    host: Vec<(String, String)>,
) -> Result<Vec<(String, String)>, EnvironmentError> {
    let mut declared: IndexMap<String, String> = IndexMap::new();
    let enable_links = sources
        .pod
        .spec
        .as_ref()
        .and_then(|spec| spec.enable_service_links)
        .unwrap_or(true);
    let namespace = sources.pod.metadata.namespace.as_deref().unwrap_or("default");
    declared.extend(service_variables(sources.services, namespace, enable_links));
    add_all_from(&mut declared, container, sources)?;
    for variable in container.env.iter().flatten() {
        if let Some(value) = value_of(variable, &declared, container, sources)? {
            declared.insert(variable.name.clone(), value);
        }
    }
    let mut all: IndexMap<String, String> = host.into_iter().collect();
    all.insert("HOSTNAME".to_owned(), host_name(sources.pod));
    all.extend(declared);
    Ok(all.into_iter().collect())
}

/// The Pod's host name: what the specification says, or its name.
#[must_use]
pub fn host_name(pod: &Pod) -> String {
    let declared = pod
        .spec
        .as_ref()
        .and_then(|spec| spec.hostname.clone())
        .filter(|name| !name.is_empty());
    declared.or_else(|| pod.metadata.name.clone()).unwrap_or_default()
}

fn add_all_from(
    declared: &mut IndexMap<String, String>,
    container: &Container,
    sources: Sources<'_>,
) -> Result<(), EnvironmentError> {
    for from in container.env_from.iter().flatten() {
        let prefix = from.prefix.as_deref().unwrap_or_default();
        if let Some(reference) = &from.config_map_ref {
            match sources.configuration.config_maps.get(&reference.name) {
                Some(map) => declared.extend(
                    map.data
                        .iter()
                        .flatten()
                        .map(|(key, value)| (format!("{prefix}{key}"), value.clone())),
                ),
                None if reference.optional == Some(true) => {}
                None => return Err(no_object("configmap", &reference.name)),
            }
        }
        if let Some(reference) = &from.secret_ref {
            match sources.configuration.secrets.get(&reference.name) {
                Some(secret) => {
                    declared.extend(
                        secret.data.iter().flatten().map(|(key, value)| {
                            (format!("{prefix}{key}"), String::from_utf8_lossy(&value.0).into_owned())
                        }),
                    )
                }
                None if reference.optional == Some(true) => {}
                None => return Err(no_object("secret", &reference.name)),
            }
        }
    }
    Ok(())
}

fn no_object(kind: &'static str, name: &str) -> EnvironmentError {
    EnvironmentError::NoObject {
        kind,
        name: name.to_owned(),
    }
}

/// The value of one variable; none when its source is optional and absent.
fn value_of(
    variable: &EnvVar,
    known: &IndexMap<String, String>,
    container: &Container,
    sources: Sources<'_>,
) -> Result<Option<String>, EnvironmentError> {
    match &variable.value_from {
        None => Ok(Some(expand(variable.value.as_deref().unwrap_or_default(), |name| {
            known.get(name).cloned()
        }))),
        Some(from) => value_from(from, container, sources),
    }
}

fn value_from(
    from: &EnvVarSource,
    container: &Container,
    sources: Sources<'_>,
) -> Result<Option<String>, EnvironmentError> {
    if let Some(field) = &from.field_ref {
        return field_value(&field.field_path, sources)
            .map(Some)
            .ok_or_else(|| EnvironmentError::Field(field.field_path.clone()));
    }
    if let Some(field) = &from.resource_field_ref {
        return crate::resources::field_value(field, container, sources.pod)
            .map(Some)
            .ok_or_else(|| EnvironmentError::Field(field.resource.clone()));
    }
    if let Some(reference) = &from.config_map_key_ref {
        let map = sources.configuration.config_maps.get(&reference.name);
        let value = map.and_then(|map| map.data.as_ref()?.get(&reference.key).cloned());
        return required(
            value,
            map.is_some(),
            reference.optional,
            ("configmap", "ConfigMap"),
            &reference.name,
            &reference.key,
        );
    }
    if let Some(reference) = &from.secret_key_ref {
        let secret = sources.configuration.secrets.get(&reference.name);
        let value = secret.and_then(|secret| {
            secret
                .data
                .as_ref()?
                .get(&reference.key)
                .map(|bytes| String::from_utf8_lossy(&bytes.0).into_owned())
        });
        return required(
            value,
            secret.is_some(),
            reference.optional,
            ("secret", "Secret"),
            &reference.name,
            &reference.key,
        );
    }
    Ok(None)
}

fn required(
    value: Option<String>,
    has_object: bool,
    optional: Option<bool>,
    (lower, upper): (&'static str, &'static str),
    name: &str,
    key: &str,
) -> Result<Option<String>, EnvironmentError> {
    match value {
        None if optional != Some(true) && has_object => Err(EnvironmentError::NoKey {
            kind: upper,
            name: name.to_owned(),
            key: key.to_owned(),
        }),
        None if optional != Some(true) => Err(no_object(lower, name)),
        value => Ok(value),
    }
}

/// A field of the downward API; none for an unknown path.
#[must_use]
pub fn field_value(path: &str, sources: Sources<'_>) -> Option<String> {
    let metadata = &sources.pod.metadata;
    let spec = sources.pod.spec.as_ref();
    let subscript = |prefix: &str| path.strip_prefix(prefix)?.strip_prefix("['")?.strip_suffix("']");
    if let Some(key) = subscript("metadata.labels") {
        return Some(
            metadata
                .labels
                .as_ref()
                .and_then(|labels| labels.get(key))
                .cloned()
                .unwrap_or_default(),
        );
    }
    if let Some(key) = subscript("metadata.annotations") {
        return Some(
            metadata
                .annotations
                .as_ref()
                .and_then(|all| all.get(key))
                .cloned()
                .unwrap_or_default(),
        );
    }
    let text = |value: Option<&str>| Some(value.unwrap_or_default().to_owned());
    match path {
        "metadata.name" => text(metadata.name.as_deref()),
        "metadata.namespace" => text(metadata.namespace.as_deref()),
        "metadata.uid" => text(metadata.uid.as_deref()),
        "metadata.labels" => Some(lines(metadata.labels.as_ref())),
        "metadata.annotations" => Some(lines(metadata.annotations.as_ref())),
        "spec.nodeName" => text(spec.and_then(|spec| spec.node_name.as_deref())),
        "spec.serviceAccountName" => text(spec.and_then(|spec| spec.service_account_name.as_deref())),
        "status.hostIP" | "status.hostIPs" => text(Some(sources.host_ip)),
        "status.podIP" | "status.podIPs" => text(sources.pod_ip),
        _ => None,
    }
}

/// Labels or annotations as a downward API file has them: `key="value"` a line, escaped.
fn lines(map: Option<&BTreeMap<String, String>>) -> String {
    let lines: Vec<String> = map
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={value:?}"))
        .collect();
    lines.join("\n")
}

/// Replaces `$(NAME)` by its value; `$$` is a dollar; an unknown name stays as it is.
#[must_use]
pub fn expand(text: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some((name, after)) = rest.strip_prefix('(').and_then(|inner| inner.split_once(')')) {
            match value(name) {
                Some(value) => out.push_str(&value),
                None => out.push_str(&format!("$({name})")),
            }
            rest = after;
        } else {
            out.push('$');
        }
    }
    out.push_str(rest);
    out
}

/// `NAME_SERVICE_HOST` and its kin for the Services of the namespace, and for the API server from everywhere.
fn service_variables(table: &Table, namespace: &str, enable_links: bool) -> Vec<(String, String)> {
    let mut out = Vec::new();
    for service in table.services() {
        let is_api_server = (service.namespace.as_str(), service.name.as_str()) == ("default", "kubernetes");
        let is_linked = enable_links && service.namespace == namespace;
        let ServiceKind::Cluster(address) = service.kind else {
            continue;
        };
        let (true, Some(first)) = (is_linked || is_api_server, service.ports.first()) else {
            continue;
        };
        let name = variable_name(&service.name);
        out.push((format!("{name}_SERVICE_HOST"), address.to_string()));
        out.push((format!("{name}_SERVICE_PORT"), first.port.to_string()));
        for port in &service.ports {
            if let Some(port_name) = &port.name {
                out.push((
                    format!("{name}_SERVICE_PORT_{}", variable_name(port_name)),
                    port.port.to_string(),
                ));
            }
        }
        // The form of the links of old container runtimes, which programs still read.
        let url = |protocol, port| format!("{protocol}://{address}:{port}");
        let word = |protocol| match protocol {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        };
        out.push((format!("{name}_PORT"), url(word(first.protocol), first.port)));
        for port in &service.ports {
            let protocol = word(port.protocol);
            let prefix = format!("{name}_PORT_{}_{}", port.port, protocol.to_uppercase());
            out.push((prefix.clone(), url(protocol, port.port)));
            out.push((format!("{prefix}_PROTO"), protocol.to_owned()));
            out.push((format!("{prefix}_PORT"), port.port.to_string()));
            out.push((format!("{prefix}_ADDR"), address.to_string()));
        }
    }
    out
}

fn variable_name(name: &str) -> String {
    name.to_ascii_uppercase().replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn composed(container: serde_json::Value) -> Result<BTreeMap<String, String>, EnvironmentError> {
        let pod: Pod = serde_json::from_value(json!({
            "metadata": {"name": "web-0", "namespace": "shop", "uid": "u1", "labels": {"app": "web"}},
            "spec": {"containers": [], "nodeName": "laptop"}
        }))
        .unwrap();
        let map = serde_json::from_value(json!({"data": {"URL": "http://price", "level": "3"}})).unwrap();
        let secret = serde_json::from_value(json!({"data": {"token": "aHVzaA=="}})).unwrap();
        let configuration = Configuration {
            config_maps: [("settings".to_owned(), map)].into(),
            secrets: [("keys".to_owned(), secret)].into(),
        };
        let services = Table::new([crate::services::ClusterService {
            namespace: "shop".into(),
            name: "price-list".into(),
            kind: ServiceKind::Cluster("10.96.0.9".parse().unwrap()),
            ports: vec![crate::services::ServicePort {
                name: Some("http".into()),
                port: 80,
                protocol: Protocol::Tcp,
                endpoints: vec![],
            }],
            affinity: None,
        }]);
        let sources = Sources {
            pod: &pod,
            pod_ip: Some("10.244.0.7"),
            host_ip: "127.0.0.1",
            configuration: &configuration,
            services: &services,
        };
        let mut container = container;
        container["name"] = json!("web");
        let container: Container = serde_json::from_value(container).unwrap();
        compose(&container, sources, vec![("PATH".into(), "/bin".into())]).map(|all| all.into_iter().collect())
    }

    #[test]
    fn sources_follow_each_other_and_later_ones_win() {
        let all = composed(json!({
            "envFrom": [{"prefix": "CFG_", "configMapRef": {"name": "settings"}}],
            "env": [
                {"name": "A", "value": "x"},
                {"name": "B", "value": "$(A)-$(CFG_URL)-$(PRICE_LIST_SERVICE_HOST)-$$(A)-$(NOPE)"},
                {"name": "CFG_level", "value": "4"},
                {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
                {"name": "APP", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}},
                {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "token"}}},
                {"name": "GONE", "valueFrom": {"secretKeyRef": {"name": "none", "key": "x", "optional": true}}},
            ]
        }))
        .unwrap();
        let expect = [
            ("PATH", "/bin"),
            ("HOSTNAME", "web-0"),
            ("B", "x-http://price-10.96.0.9-$(A)-$(NOPE)"),
            ("CFG_level", "4"),
            ("IP", "10.244.0.7"),
            ("APP", "web"),
            ("TOKEN", "hush"),
            ("PRICE_LIST_SERVICE_PORT_HTTP", "80"),
            ("PRICE_LIST_PORT_80_TCP_ADDR", "10.96.0.9"),
        ];
        for (name, value) in expect {
            assert_eq!(all.get(name).map(String::as_str), Some(value), "{name}");
        }
        assert!(!all.contains_key("GONE"));
    }

    #[test]
    fn what_is_missing_is_named() {
        let message = |container| composed(container).unwrap_err().to_string();
        assert_eq!(
            message(
                json!({"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "no"}}}]})
            ),
            "couldn't find key no in ConfigMap settings"
        );
        assert_eq!(
            message(json!({"envFrom": [{"secretRef": {"name": "none"}}]})),
            "secret \"none\" not found"
        );
    }
}
