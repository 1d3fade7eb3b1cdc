//! Volumes as folders of the host: what a Pod declares, where it is kept, and what is in it.
//!
//! ```text
//!   configMap, secret, downwardAPI, projected ──contents (pure)──> files, swapped whole through `..data`
//!   emptyDir ──> the Pod's folder          hostPath ──> itself
//!   persistentVolumeClaim ──> a folder that outlives the Pod
//! ```
//!
//! Where the kernel allows it, a container sees them at its mount paths in a mount namespace of its own. Elsewhere its
//! arguments and variables that begin with a mount path are rewritten to the folder, and an Event says so.

mod contents;
mod swap;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::{Container, Pod, Volume};

pub(crate) use contents::{Contents, Needs, contents, needs};
pub(crate) use swap::write;

use crate::guardian::FilePlacement;

/// Where the folders are.
pub(crate) struct Places {
    /// The Pod's own folder, gone with it.
    pub(crate) pod: PathBuf,
    /// The folder of the namespace's claims, which stay.
    pub(crate) claims: PathBuf,
}

/// What a volume is on this machine.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Files that are written from the API's objects.
    Written(PathBuf),
    /// A folder (or file) that programs write.
    Folder(PathBuf),
}

/// Where a volume is; creates folders that are to be created.
///
/// # Errors
/// A sentence, for volumes that this node cannot give.
pub(crate) fn locate(volume: &Volume, places: &Places) -> Result<Kind, String> {
    let own = places.pod.join("volumes").join(&volume.name);
    let create = |path: &Path| std::fs::create_dir_all(path).map_err(|error| format!("{}: {error}", path.display()));
    if needs(volume).is_some() {
        create(&own)?;
        return Ok(Kind::Written(own));
    }
    if volume.empty_dir.is_some() || volume.ephemeral.is_some() {
        create(&own)?;
        return Ok(Kind::Folder(own));
    }
    if let Some(host) = &volume.host_path {
        let path = PathBuf::from(&host.path);
        if host.type_.as_deref() == Some("DirectoryOrCreate") {
            create(&path)?;
        }
        return if path.exists() {
            Ok(Kind::Folder(path))
        } else {
            Err(format!("hostPath {} does not exist", host.path))
        };
    }
    if let Some(claim) = &volume.persistent_volume_claim {
        let path = places.claims.join(&claim.claim_name);
        create(&path)?;
        return Ok(Kind::Folder(path));
    }
    Err("this kind of volume does not exist on this node".to_owned())
}

/// The mounts of a container over located volumes.
///
/// # Errors
/// A sentence naming the mount that cannot be made.
pub(crate) fn placements(
    container: &Container,
    located: &BTreeMap<String, Kind>,
    expand: impl Fn(&str) -> String,
) -> Result<Vec<FilePlacement>, String> {
    let mut placements = Vec::new();
    for mount in container.volume_mounts.iter().flatten() {
        let Some(kind) = located.get(&mount.name) else {
            return Err(format!("volume {} is not declared", mount.name));
        };
        let (folder, is_written) = match kind {
            Kind::Written(folder) => (folder, true),
            Kind::Folder(folder) => (folder, false),
        };
        let sub_path = mount
            .sub_path_expr
            .as_deref()
            .map(&expand)
            .or_else(|| mount.sub_path.clone())
            .unwrap_or_default();
        if Path::new(&sub_path)
            .components()
            .any(|part| !matches!(part, std::path::Component::Normal(_)))
        {
            return Err(format!("subPath {sub_path} of volume {} leaves the volume", mount.name));
        }
        let source = if sub_path.is_empty() {
            folder.clone()
        } else {
            folder.join(&sub_path)
        };
        if !source.exists() && !is_written {
            std::fs::create_dir_all(&source).map_err(|error| format!("{}: {error}", source.display()))?;
        }
        // A single file is shown as what it is now: it does not follow later changes, as in a cluster.
        let source = if sub_path.is_empty() {
            source
        } else {
            source.canonicalize().unwrap_or(source)
        };
        let target = PathBuf::from("/").join(&mount.mount_path);
        placements.push(FilePlacement {
            source,
            target,
            read_only: is_written || mount.read_only == Some(true),
        });
    }
    Ok(placements)
}

/// The volumes that a container mounts.
pub(crate) fn mounted<'a>(pod: &'a Pod, container: &'a Container) -> impl Iterator<Item = &'a Volume> {
    let names = container
        .volume_mounts
        .iter()
        .flatten()
        .map(|mount| mount.name.as_str());
    let names: Vec<&str> = names.collect();
    let volumes = pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
    volumes.filter(move |volume| names.contains(&volume.name.as_str()))
}

/// Rewrites a text that begins with a mount path to where the volume is.
pub(crate) fn rewrite(text: &str, placements: &[FilePlacement]) -> Option<String> {
    let longest_first = {
        let mut all: Vec<&FilePlacement> = placements.iter().collect();
        all.sort_by_key(|placement| std::cmp::Reverse(placement.target.as_os_str().len()));
        all
    };
    longest_first.into_iter().find_map(|placement| {
        let (head, path) = match text.split_once('=') {
            Some((head, path)) if head.starts_with('-') => (Some(head), path),
            _ => (None, text),
        };
        let rest = Path::new(path).strip_prefix(&placement.target).ok()?;
        let path = if rest.as_os_str().is_empty() {
            placement.source.clone()
        } else {
            placement.source.join(rest)
        };
        let path = path.to_string_lossy();
        Some(head.map_or_else(|| path.clone().into_owned(), |head| format!("{head}={path}")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_below_a_mount_are_rewritten_and_others_are_not() {
        let placement = |source: &str, target: &str| FilePlacement {
            source: source.into(),
            target: target.into(),
            read_only: false,
        };
        let placements = [placement("/state/a", "/etc/app"), placement("/state/b", "/etc/app/tls")];
        let check =
            |text: &str, expect: Option<&str>| assert_eq!(rewrite(text, &placements).as_deref(), expect, "{text}");
        check("/etc/app/config.yaml", Some("/state/a/config.yaml"));
        check("/etc/app/tls/key", Some("/state/b/key"));
        check("--config=/etc/app", Some("--config=/state/a"));
        check("/etc/application", None);
        check("serve", None);
    }
}
