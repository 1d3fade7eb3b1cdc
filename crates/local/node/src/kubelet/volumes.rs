//! A container's volumes: read what they are made from, write them, and say how they are shown.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Container, Pod, Volume};

use super::{Kubelet, Node, PodRef, lock};
use crate::environment::{Configuration, Sources, expand};
use crate::guardian::{FilePlacement, Guardian, Interception, ProcessSpec, Streams};
use crate::network::PodNetwork;
use crate::volumes::{Kind, Needs, Places, contents, locate, mounted, needs, placements, write};

/// How mount paths are honoured here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mounting {
    /// In a mount namespace of the container's own.
    Namespace,
    /// By rewriting arguments and variables.
    Rewriting,
}

/// The folder that the self-test shows to its child; it exists on no machine.
const PROBE_PATH: &str = "/flyball-mount-self-test/folder";

/// Finds by trying whether mounts work here. Blocks for some milliseconds.
pub(super) fn probe_mounting(guardian: &Guardian, folder: &Path) -> Mounting {
    let attempt = || -> Option<i32> {
        let null = || {
            std::fs::OpenOptions::new()
                .read(true)
                .write(true)
                .open("/dev/null")
                .ok()
        };
        let streams = Streams {
            stdin: null()?.into(),
            stdout: null()?.into(),
            stderr: null()?.into(),
        };
        let spec = ProcessSpec {
            program: "/bin/sh".into(),
            arguments: vec!["sh".into(), "-c".into(), format!("test -d {PROBE_PATH}")],
            environment: Vec::new(),
            working_directory: "/".into(),
            interception: Interception::None,
            placements: vec![FilePlacement {
                source: folder.to_owned(),
                target: PROBE_PATH.into(),
                read_only: true,
            }],
        };
        guardian.start(spec, &streams, drop).ok()?.ended.blocking_recv().ok()
    };
    if cfg!(target_os = "linux") && attempt() == Some(0) {
        Mounting::Namespace
    } else {
        Mounting::Rewriting
    }
}

impl Node {
    /// How mount paths are honoured here; tried at the first Pod with a volume.
    pub(super) async fn mounting(self: &Arc<Self>) -> Mounting {
        let node = Arc::clone(self);
        let probe = || async move {
            let probe = move || probe_mounting(&node.guardian, &node.settings.state_directory);
            tokio::task::spawn_blocking(probe).await.unwrap_or(Mounting::Rewriting)
        };
        *self.mounting.get_or_init(probe).await
    }
}

/// Prepares the volumes that a container mounts.
pub(super) async fn prepare(
    node: &Arc<Node>,
    pod_ref: &PodRef,
    pod: &Pod,
    network: &PodNetwork,
    container: &Container,
    environment: &[(String, String)],
) -> Result<Vec<FilePlacement>, String> {
    let mut located = BTreeMap::new();
    for volume in mounted(pod, container) {
        let failed = |why: String| format!("MountVolume.SetUp failed for volume \"{}\" : {why}", volume.name);
        let kind = locate(volume, &places(node, pod_ref)).map_err(failed)?;
        if let Kind::Written(folder) = &kind {
            fill(node, pod, network, volume, folder).await.map_err(failed)?;
        }
        located.insert(volume.name.clone(), kind);
    }
    let value = |name: &str| {
        environment
            .iter()
            .find(|(own, _)| own == name)
            .map(|(_, value)| value.clone())
    };
    placements(container, &located, |text| expand(text, value))
}

fn places(node: &Node, pod: &PodRef) -> Places {
    Places {
        pod: node.pod_directory(pod),
        claims: node.settings.state_directory.join("claims").join(&pod.namespace),
    }
}

/// Writes a volume that is made from objects.
async fn fill(node: &Node, pod: &Pod, network: &PodNetwork, volume: &Volume, folder: &Path) -> Result<(), String> {
    let Some(needs) = needs(volume) else { return Ok(()) };
    let (configuration, token) = read(node, pod, &needs).await?;
    let pod_ip = network.api.to_string();
    let files = node.network.services().read(|services| {
        let from = Sources {
            pod,
            pod_ip: Some(&pod_ip),
            host_ip: &node.settings.host_ip,
            configuration: &configuration,
            services,
        };
        contents(volume, from, token.as_deref())
    })?;
    write(folder, &files).map_err(|error| error.to_string())
}

async fn read(node: &Node, pod: &Pod, needs: &Needs) -> Result<(Configuration, Option<String>), String> {
    let namespace = pod.metadata.namespace.as_deref().unwrap_or("default");
    let mut configuration = Configuration::default();
    for name in &needs.config_maps {
        if let Some(map) = node.config.config_map(namespace, name).await? {
            configuration.config_maps.insert(name.clone(), map);
        }
    }
    for name in &needs.secrets {
        if let Some(secret) = node.config.secret(namespace, name).await? {
            configuration.secrets.insert(name.clone(), secret);
        }
    }
    let account = pod
        .spec
        .as_ref()
        .and_then(|spec| spec.service_account_name.as_deref())
        .unwrap_or("default");
    let token = if needs.token {
        node.config.token(namespace, account).await
    } else {
        None
    };
    Ok((configuration, token))
}

impl Kubelet {
    /// ConfigMaps or Secrets of a namespace have changed: their volumes are written anew. What is missing now
    /// stays as it was, as in a cluster.
    pub async fn refresh_configuration(&self, namespace: &str) {
        let entries: Vec<_> = lock(&self.node.pods).values().cloned().collect();
        for entry in entries.into_iter().filter(|entry| entry.pod.namespace == namespace) {
            let pod = Arc::clone(&lock(&entry.shared.pod));
            let volumes = pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
            for volume in volumes {
                let folder = places(&self.node, &entry.pod).pod.join("volumes").join(&volume.name);
                if !folder.exists() {
                    continue;
                }
                if let Err(why) = fill(&self.node, &pod, &entry.shared.network, volume, &folder).await {
                    tracing::debug!(
                        pod = entry.pod.name,
                        volume = volume.name,
                        why,
                        "a volume was not refreshed"
                    );
                }
            }
        }
    }
}
