//! Which Pods are scraped, and where this machine reaches them.

use std::net::Ipv4Addr;
use std::sync::Arc;

use cluster::Cache;
use k8s_openapi::api::core::v1::Pod;
use metrics::Target;
use metrics::scrape::{Settings, annotations};
use node::network::Network;
use promql::labels::Labels;
use tokio::sync::watch;

/// Keeps the list of targets as the Pods' annotations have it. `own` is this process's own metrics page.
pub(super) async fn follow(
    pods: Cache<Pod>,
    network: Arc<Network>,
    settings: Arc<Settings>,
    own: Option<String>,
    target_tx: watch::Sender<Vec<Target>>,
) {
    let mut changes = pods.changes();
    while changes.next().await.is_some() {
        let scraped = pods.all(None);
        let mut targets: Vec<Target> = scraped
            .iter()
            .filter_map(|pod| target(pod, &network, &settings))
            .collect();
        let kubelet =
            |url: &String| Target::with_settings(url, Labels::from_pairs([("job", "kubelet")]), settings.clone());
        targets.extend(own.iter().map(kubelet));
        target_tx.send_if_modified(|current| {
            let modified = *current != targets;
            *current = targets;
            modified
        });
    }
}

fn target(pod: &Pod, network: &Network, settings: &Arc<Settings>) -> Option<Target> {
    let status = pod.status.as_ref()?;
    let spec = pod.spec.as_ref()?;
    if status.phase.as_deref() != Some("Running") {
        return None;
    }
    let address = status.pod_ip.as_deref()?;
    let ports = || {
        spec.containers
            .iter()
            .flat_map(|container| container.ports.iter().flatten())
    };
    let text = |text: &'static str, found: &Option<String>| found.clone().unwrap_or_else(|| text.to_owned());
    let (namespace, name) = (text("", &pod.metadata.namespace), text("", &pod.metadata.name));
    let described = annotations::Pod {
        namespace: &namespace,
        name: &name,
        node: spec.node_name.as_deref().unwrap_or_default(),
        container: spec.containers.first().map_or("", |container| container.name.as_str()),
        address,
        port: ports().next().and_then(|port| u16::try_from(port.container_port).ok()),
        labels: pairs(pod.metadata.labels.as_ref()),
        annotations: pairs(pod.metadata.annotations.as_ref()),
    };
    let mut target = match annotations::target(&described) {
        Ok(target) => target?,
        Err(problem) => {
            tracing::warn!(pod = name, problem, "the Pod is not scraped");
            return None;
        }
    };
    target.url = reachable(&target.url, address, network);
    target.settings = settings.clone();
    Some(target)
}

/// The URL with the address and port by which this machine reaches the Pod's.
fn reachable(url: &str, address: &str, network: &Network) -> String {
    let Some((before, rest)) = url.split_once(address) else {
        return url.to_owned();
    };
    let (port, path) = rest.trim_start_matches(':').split_once('/').unwrap_or((rest, ""));
    match (address.parse::<Ipv4Addr>(), port.parse()) {
        (Ok(address), Ok(port)) => format!("{before}{}/{path}", network.reach(address, port)),
        _ => url.to_owned(),
    }
}

fn pairs(map: Option<&std::collections::BTreeMap<String, String>>) -> Vec<(&str, &str)> {
    map.into_iter()
        .flatten()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}
