//! Which kinds a server serves.

use kube::discovery::{Discovery, Scope};

use crate::kind::{Kind, Reach};
use crate::{Client, Result};

/// Asks for the aggregated documents, which are two requests; an old server is asked group by group.
pub(crate) async fn run(client: &Client) -> Result<Vec<Kind>> {
    let discovery = match Discovery::new(client.clone()).run_aggregated().await {
        Ok(discovery) => discovery,
        Err(_) => Discovery::new(client.clone()).run().await?,
    };
    let mut kinds = Vec::new();
    for group in discovery.groups() {
        for version in group.versions() {
            let preferred = version == group.preferred_version_or_latest();
            for (resource, capabilities) in group.versioned_resources(version) {
                kinds.push(Kind {
                    group: resource.group,
                    version: resource.version,
                    kind: resource.kind,
                    plural: resource.plural,
                    reach: match capabilities.scope {
                        Scope::Namespaced => Reach::Namespaced,
                        Scope::Cluster => Reach::ClusterWide,
                    },
                    verbs: capabilities.operations,
                    preferred,
                });
            }
        }
    }
    mark_kinds_without_preferred_version(&mut kinds);
    Ok(kinds)
}

/// A kind that its group's preferred version does not serve is reached through the first that does.
fn mark_kinds_without_preferred_version(kinds: &mut [Kind]) {
    for at in 0..kinds.len() {
        let same = |other: &Kind| other.group == kinds[at].group && other.kind == kinds[at].kind;
        let first = !kinds[..at].iter().any(same);
        if first && !kinds.iter().any(|other| same(other) && other.preferred) {
            kinds[at].preferred = true;
        }
    }
}
