//! The usual Pod annotations, read as text: this crate knows no Pod.
//!
//! | annotation | meaning | default |
//! |---|---|---|
//! | `prometheus.io/scrape` | scraped where `true` | not scraped |
//! | `prometheus.io/port` | port | the Pod's first declared port |
//! | `prometheus.io/path` | path, with query | `/metrics` |
//! | `prometheus.io/scheme` | `http` or `https` | `http` |
//!
//! The labels are those of the common `kubernetes-pods` job: `namespace`, `pod`, `node`, `container` where
//! known, and the Pod's own labels as `labelmap` writes them: characters that a plain label name cannot have
//! become `_` (`app.kubernetes.io/name` becomes `app_kubernetes_io_name`). `job` is the Pod's
//! `app.kubernetes.io/name`, else its `app`, else its namespace.

use promql::labels::LabelsBuilder;

use super::Target;

/// What has to be known of a Pod to scrape it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pod<'a> {
    /// Namespace.
    pub namespace: &'a str,
    /// Name.
    pub name: &'a str,
    /// Node, empty where unknown.
    pub node: &'a str,
    /// Container that declares the port, empty where unknown.
    pub container: &'a str,
    /// Address that its ports listen on.
    pub address: &'a str,
    /// First declared port.
    pub port: Option<u16>,
    /// Labels.
    pub labels: Vec<(&'a str, &'a str)>,
    /// Annotations.
    pub annotations: Vec<(&'a str, &'a str)>,
}

/// Pod labels copied to series; beyond it they are left out, in the order given.
const POD_LABELS_MAX: usize = 32;

/// The Pod's target.
///
/// # Errors
/// A sentence, where the Pod asks to be scraped but does not say how.
pub fn target(pod: &Pod<'_>) -> Result<Option<Target>, String> {
    let annotation = |name: &str| {
        let found = pod
            .annotations
            .iter()
            .find(|(key, _)| key.strip_prefix("prometheus.io/") == Some(name));
        found.map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
    };
    if annotation("scrape") != Some("true") {
        return Ok(None);
    }
    let port = match annotation("port") {
        Some(port) => port
            .parse()
            .map_err(|_| format!("prometheus.io/port: {port:?} is not a port"))?,
        None => pod
            .port
            .ok_or("prometheus.io/port is missing, and the Pod declares no port")?,
    };
    let scheme = match annotation("scheme") {
        None => "http",
        Some(scheme @ ("http" | "https")) => scheme,
        Some(scheme) => return Err(format!("prometheus.io/scheme: {scheme:?} is neither http nor https")),
    };
    let path = annotation("path").unwrap_or("/metrics");
    let slash = if path.starts_with('/') { "" } else { "/" };
    let host = if pod.address.contains(':') {
        format!("[{}]", pod.address)
    } else {
        pod.address.to_owned()
    };

    let mut labels = LabelsBuilder::new();
    for (name, value) in pod.labels.iter().take(POD_LABELS_MAX) {
        labels.set(&plain(name), value);
    }
    let label = |name: &str| pod.labels.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
    labels.set(
        "job",
        label("app.kubernetes.io/name")
            .or(label("app"))
            .unwrap_or(pod.namespace),
    );
    labels.set("namespace", pod.namespace).set("pod", pod.name);
    for (name, value) in [("node", pod.node), ("container", pod.container)] {
        if !value.is_empty() {
            labels.set(name, value);
        }
    }
    Ok(Some(Target::new(
        format!("{scheme}://{host}:{port}{slash}{path}"),
        labels.build(),
    )))
}

/// A name as service discovery writes it: everything but letters, digits and `_` becomes `_`.
fn plain(name: &str) -> String {
    name.chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod<'a>(annotations: &[(&'a str, &'a str)]) -> Pod<'a> {
        Pod {
            namespace: "shop",
            name: "web-0",
            address: "127.0.0.1",
            port: Some(8080),
            labels: vec![("app.kubernetes.io/name", "web"), ("tier", "front")],
            annotations: annotations.to_vec(),
            ..Pod::default()
        }
    }

    #[test]
    fn annotations_name_the_target() {
        let url = |annotations: &[(&'static str, &'static str)]| {
            target(&pod(annotations)).map(|target| target.map(|target| target.url))
        };
        let scrape = ("prometheus.io/scrape", "true");
        assert_eq!(url(&[]), Ok(None));
        assert_eq!(url(&[("prometheus.io/scrape", "false")]), Ok(None));
        assert_eq!(url(&[scrape]), Ok(Some("http://127.0.0.1:8080/metrics".into())));
        assert_eq!(
            url(&[
                scrape,
                ("prometheus.io/port", "9100"),
                ("prometheus.io/path", "stats?a=b"),
                ("prometheus.io/scheme", "https")
            ]),
            Ok(Some("https://127.0.0.1:9100/stats?a=b".into()))
        );
        assert_eq!(
            url(&[scrape, ("prometheus.io/port", "http")]),
            Err("prometheus.io/port: \"http\" is not a port".into())
        );
        let without = target(&Pod {
            port: None,
            ..pod(&[scrape])
        });
        assert_eq!(
            without,
            Err("prometheus.io/port is missing, and the Pod declares no port".into())
        );
    }

    #[test]
    fn labels_are_those_of_the_common_job() {
        let target = target(&pod(&[("prometheus.io/scrape", "true")]))
            .expect("well said")
            .expect("to be scraped");
        assert_eq!(
            target.labels.to_string(),
            r#"{app_kubernetes_io_name="web", instance="127.0.0.1:8080", job="web", namespace="shop", pod="web-0", tier="front"}"#
        );
    }
}
