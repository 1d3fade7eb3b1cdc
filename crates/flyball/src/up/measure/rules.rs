//! Metric rules: from the ConfigMaps in which users of prometheus-adapter keep them.

use std::sync::Arc;
use std::time::Duration;

use cluster::{Cluster, SystemClock};
use flyball_core::Problem;
use k8s_openapi::api::core::v1::ConfigMap;
use metrics::Store;
use metrics::source::Local;
use scale::adapter::{
    Adapter, AdapterOptions, ClusterObjects, Config, PodCache, ResourceMapper, SourceQuery, mapper_of,
};

use super::SharedAdapter;
use super::usage;

/// How often it is looked which series there are: new metrics should be usable while their author still looks.
const RELIST_INTERVAL: Duration = Duration::from_secs(10);
/// A metric whose youngest sample is older is no longer offered.
const MAX_AGE: Duration = Duration::from_secs(300);
/// Changes within this time are one.
const SETTLE: Duration = Duration::from_millis(100);
/// The key under which prometheus-adapter's manifests and chart keep the rules.
const KEY: &str = "config.yaml";

/// An adapter over the built-in store, with no rules but those for CPU and memory.
pub(super) fn adapter(cluster: &Cluster, store: Store) -> Adapter {
    let options = AdapterOptions {
        relist_interval: RELIST_INTERVAL,
        max_age: MAX_AGE,
        ..AdapterOptions::default()
    };
    let objects = Arc::new(ClusterObjects::new(cluster.clone(), PodCache::Whole));
    let source = Arc::new(SourceQuery::new(Arc::new(Local::new(store)), Arc::new(SystemClock)));
    let (none, mapper) = (Config::default(), ResourceMapper::new(Vec::new()));
    Adapter::new(&none, mapper, source, objects, Arc::new(SystemClock), options).expect("no rule is a wrong one")
}

/// Keeps the adapter's rules as the ConfigMaps have them, and its discovery fresh.
pub(super) async fn follow(cluster: Cluster, adapter: SharedAdapter) {
    let config_maps = cluster.cache::<ConfigMap>();
    let mut changes = config_maps.changes();
    config_maps.synced().await;
    loop {
        reload(&cluster, &adapter, &config_maps.filter(None, holds_rules)).await;
        let listing = adapter.keep_listing();
        tokio::select! {
            () = listing => {}
            changed = next_rules(&mut changes) => if !changed { return },
        }
        tokio::time::sleep(SETTLE).await;
    }
}

/// Waits until a ConfigMap with rules changed; `false` when there will be no more changes.
async fn next_rules(changes: &mut cluster::Changes<ConfigMap>) -> bool {
    while let Some(change) = changes.next().await {
        if [&change.before, &change.after]
            .into_iter()
            .flatten()
            .any(|map| holds_rules(map))
        {
            return true;
        }
    }
    false
}

async fn reload(cluster: &Cluster, adapter: &Adapter, config_maps: &[Arc<ConfigMap>]) {
    let mapper = match cluster.discover().await {
        Ok(kinds) => mapper_of(&kinds),
        Err(error) => return tracing::warn!(%error, "the cluster's kinds cannot be listed; the old rules stay"),
    };
    let mut all = usage::rules();
    for config_map in config_maps {
        let text = config_map
            .data
            .as_ref()
            .and_then(|data| data.get(KEY))
            .map(String::as_str)
            .unwrap_or_default();
        let name = config_map.metadata.name.as_deref().unwrap_or_default();
        match Config::read(text, &format!("ConfigMap/{name}")) {
            Ok(config) => {
                all.rules.extend(config.rules);
                all.external_rules.extend(config.external_rules);
                all.resource_rules = config.resource_rules.or(all.resource_rules);
            }
            Err(problem) => tell(&problem),
        }
    }
    if let Err(problems) = adapter.reload(&all, mapper) {
        problems.iter().for_each(tell);
    }
}

fn tell(problem: &Problem) {
    tracing::warn!("{problem}");
}

/// Whether a ConfigMap is one that prometheus-adapter would mount: by the name that its manifests or its chart
/// give it.
fn holds_rules(config_map: &ConfigMap) -> bool {
    let name = config_map.metadata.name.as_deref().unwrap_or_default();
    let named = name == "adapter-config" || name.ends_with("prometheus-adapter");
    named && config_map.data.as_ref().is_some_and(|data| data.contains_key(KEY))
}
