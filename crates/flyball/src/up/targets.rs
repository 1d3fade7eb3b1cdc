//! Which Pods are scraped.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Pod;

/// What a Pod's annotations ask for, before its address is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scrape {
    pub(crate) scheme: String,
    pub(crate) port: u16,
    pub(crate) path: String,
    pub(crate) labels: BTreeMap<String, String>,
}

/// The usual annotations: `prometheus.io/scrape: "true"`, and `port`, `path`, `scheme` beside it. Only a Pod
/// that runs is scraped. Labels are `namespace`, `pod`, `node`, and the Pod's own labels with what Prometheus
/// does not allow in a name replaced by `_`, as the common labelmap rule does.
pub(crate) fn scrape(pod: &Pod) -> Option<Scrape> {
    let annotations = pod.metadata.annotations.as_ref()?;
    let annotation = |name: &str| annotations.get(&format!("prometheus.io/{name}")).map(String::as_str);
    let running = pod.status.as_ref()?.phase.as_deref() == Some("Running");
    if annotation("scrape") != Some("true") || !running {
        return None;
    }
    let spec = pod.spec.as_ref()?;
    let first_port = || spec.containers.iter().flat_map(|container| container.ports.iter().flatten()).next();
    let port = match annotation("port") {
        Some(port) => port.parse().ok()?,
        None => u16::try_from(first_port()?.container_port).ok()?,
    };
    let path = annotation("path").unwrap_or("/metrics");
    Some(Scrape {
        scheme: annotation("scheme").unwrap_or("http").to_owned(),
        port,
        path: if path.starts_with('/') { path.to_owned() } else { format!("/{path}") },
        labels: labels(pod),
    })
}

fn labels(pod: &Pod) -> BTreeMap<String, String> {
    let own = pod.metadata.labels.iter().flatten();
    let mut labels: BTreeMap<String, String> = own.map(|(name, value)| (label_name(name), value.clone())).collect();
    for (name, value) in [
        ("namespace", pod.metadata.namespace.clone()),
        ("pod", pod.metadata.name.clone()),
        ("node", pod.spec.as_ref().and_then(|spec| spec.node_name.clone())),
        ("job", Some("kubernetes-pods".to_owned())),
    ] {
        labels.extend(value.map(|value| (name.to_owned(), value)));
    }
    labels
}

fn label_name(name: &str) -> String {
    let allowed = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '_' };
    name.chars().map(allowed).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(annotations: serde_json::Value, phase: &str) -> Pod {
        serde_json::from_value(json!({
            "metadata": {
                "name": "web-1", "namespace": "shop", "annotations": annotations,
                "labels": {"app.kubernetes.io/name": "web"},
            },
            "spec": {"nodeName": "laptop", "containers": [{"name": "c", "ports": [{"containerPort": 9000}]}]},
            "status": {"phase": phase},
        }))
        .expect("a Pod")
    }

    #[test]
    fn annotations_say_what_is_scraped() {
        let scraped = scrape(&pod(json!({"prometheus.io/scrape": "true", "prometheus.io/path": "m"}), "Running"));
        let scraped = scraped.expect("it is scraped");
        assert_eq!((scraped.scheme.as_str(), scraped.port, scraped.path.as_str()), ("http", 9000, "/m"));
        let label = |name: &str| scraped.labels.get(name).map(String::as_str);
        assert_eq!(label("app_kubernetes_io_name"), Some("web"));
        assert_eq!((label("namespace"), label("pod"), label("node")), (Some("shop"), Some("web-1"), Some("laptop")));
    }

    #[test]
    fn a_pod_is_left_alone_unless_it_asks_and_runs() {
        assert_eq!(scrape(&pod(json!({}), "Running")), None);
        assert_eq!(scrape(&pod(json!({"prometheus.io/scrape": "false"}), "Running")), None);
        assert_eq!(scrape(&pod(json!({"prometheus.io/scrape": "true"}), "Pending")), None);
        let wrong = json!({"prometheus.io/scrape": "true", "prometheus.io/port": "web"});
        assert_eq!(scrape(&pod(wrong, "Running")), None);
    }
}
