//! The views that the resolver looks through.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The most files of a tree that are looked at; larger trees are read in part, nearest folders first.
const FILES_MAX: usize = 20_000;

/// The deepest folder that is looked into.
const DEPTH_MAX: usize = 8;

/// The largest file that is read as text.
const TEXT_BYTES_MAX: u64 = 1 << 20;

/// Folders that hold results or other people's code.
const SKIPPED: [&str; 8] = [
    ".git",
    ".flyball",
    "target",
    "node_modules",
    "vendor",
    ".venv",
    "__pycache__",
    "dist",
];

/// The source tree.
pub trait Tree {
    /// Its top.
    fn root(&self) -> &Path;
    /// All files with one of these names, nearest to the top first.
    fn find(&self, is_wanted: &dyn Fn(&str) -> bool) -> Vec<PathBuf>;
    /// A file's text.
    fn read(&self, path: &Path) -> Option<String>;
    /// Whether it is a file or a directory.
    fn exists(&self, path: &Path) -> bool;
}

/// The machine around the tree.
pub trait Host {
    /// Finds a program on `PATH`, or as the path that it is.
    fn program(&self, name: &str) -> Option<PathBuf>;
    /// Where cargo puts its results, if the user has moved that.
    fn cargo_target_directory(&self) -> Option<PathBuf>;
}

/// A tree on disk, listed once.
#[derive(Debug, Clone)]
pub struct HostTree {
    root: PathBuf,
    files: Vec<PathBuf>,
}

impl HostTree {
    /// Lists the tree around `directory`: from the top of its repository where there is one, for a build of one
    /// service needs the whole.
    #[must_use]
    pub fn around(directory: &Path) -> Self {
        let directory = directory.canonicalize().unwrap_or_else(|_| directory.to_owned());
        let root = directory
            .ancestors()
            .find(|folder| folder.join(".git").exists())
            .unwrap_or(&directory)
            .to_owned();
        // What is near comes first: the folder that was named, then the rest of the repository.
        let mut files = list(&directory);
        let near: BTreeSet<PathBuf> = files.iter().cloned().collect();
        files.extend(list(&root).into_iter().filter(|file| !near.contains(file)));
        files.truncate(FILES_MAX);
        HostTree { root, files }
    }
}

/// The files below a folder, breadth first, in the order of their names.
fn list(top: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut level = vec![top.to_owned()];
    for _ in 0..DEPTH_MAX {
        let mut next = Vec::new();
        for folder in level {
            let Ok(entries) = std::fs::read_dir(&folder) else {
                continue;
            };
            let mut entries: Vec<_> = entries.flatten().collect();
            entries.sort_by_key(std::fs::DirEntry::file_name);
            for entry in entries {
                let name = entry.file_name();
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() && !SKIPPED.iter().any(|skipped| name == *skipped) => {
                        next.push(entry.path());
                    }
                    Ok(kind) if kind.is_file() => files.push(entry.path()),
                    _ => {}
                }
            }
            if files.len() >= FILES_MAX {
                return files;
            }
        }
        level = next;
    }
    files
}

impl Tree for HostTree {
    fn root(&self) -> &Path {
        &self.root
    }

    fn find(&self, is_wanted: &dyn Fn(&str) -> bool) -> Vec<PathBuf> {
        let name = |path: &&PathBuf| path.file_name().and_then(|name| name.to_str()).is_some_and(is_wanted);
        self.files.iter().filter(name).cloned().collect()
    }

    fn read(&self, path: &Path) -> Option<String> {
        let small = std::fs::metadata(path).ok()?.len() <= TEXT_BYTES_MAX;
        small.then(|| std::fs::read_to_string(path).ok()).flatten()
    }

    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }
}

/// This machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct HostMachine;

impl Host for HostMachine {
    fn program(&self, name: &str) -> Option<PathBuf> {
        use std::os::unix::fs::PermissionsExt;
        let is_program = |path: &Path| {
            std::fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
        };
        if name.contains('/') {
            let path = PathBuf::from(name);
            return is_program(&path).then_some(path);
        }
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path)
            .map(|folder| folder.join(name))
            .find(|candidate| is_program(candidate))
    }

    fn cargo_target_directory(&self) -> Option<PathBuf> {
        std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from)
    }
}

/// A tree of texts, for tests.
#[cfg(test)]
pub(super) struct TextTree(pub(super) Vec<(&'static str, &'static str)>);

#[cfg(test)]
impl Tree for TextTree {
    fn root(&self) -> &Path {
        Path::new("/tree")
    }

    fn find(&self, is_wanted: &dyn Fn(&str) -> bool) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> = self.0.iter().map(|(path, _)| self.root().join(path)).collect();
        files.sort_by_key(|path| path.components().count());
        files.retain(|path| path.file_name().and_then(|name| name.to_str()).is_some_and(is_wanted));
        files
    }

    fn read(&self, path: &Path) -> Option<String> {
        self.0
            .iter()
            .find(|(own, _)| self.root().join(own) == path)
            .map(|(_, text)| (*text).to_owned())
    }

    fn exists(&self, path: &Path) -> bool {
        path == self.root() || self.0.iter().any(|(own, _)| self.root().join(own).starts_with(path))
    }
}
