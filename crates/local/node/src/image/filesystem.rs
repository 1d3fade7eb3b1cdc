//! Where a path of an image comes from: a file of the tree, or a build.

use std::path::PathBuf;

use super::dockerfile::{Copy, Dockerfile, Stage, join, words};
use super::tree::Tree;

/// The deepest chain of stages that is followed.
const STAGES_MAX: usize = 16;

/// Where a path comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// This file or folder of the tree.
    Tree(PathBuf),
    /// A cargo build makes this binary.
    Cargo { binary: String, flags: Vec<String> },
    /// A go build of this package, in the folder of the tree.
    Go { package: String, directory: PathBuf },
}

/// Looks from a stage of a Dockerfile into the tree.
pub(super) struct View<'a> {
    pub(super) file: &'a Dockerfile,
    pub(super) tree: &'a dyn Tree,
    /// The folders that may be the build context, most likely first.
    pub(super) contexts: Vec<PathBuf>,
}

impl View<'_> {
    /// Where `path` of `stage` comes from.
    pub(super) fn origin(&self, stage: &Stage, path: &str) -> Option<Origin> {
        self.origin_within(stage, path, STAGES_MAX)
    }

    fn origin_within(&self, stage: &Stage, path: &str, depth: usize) -> Option<Origin> {
        let depth = depth.checked_sub(1)?;
        if let Some(built) = self.built(stage, path) {
            return Some(built);
        }
        // A later copy covers an earlier one.
        stage.copies.iter().rev().find_map(|copy| {
            copy.sources
                .iter()
                .rev()
                .find_map(|source| self.through(copy, source, path, depth))
        })
    }

    fn through(&self, copy: &Copy, source: &str, path: &str, depth: usize) -> Option<Origin> {
        for inner in inner_paths(copy, source, path) {
            let found = match &copy.from {
                Some(stage) => {
                    let stage = self.file.stage(stage)?;
                    self.origin_within(stage, &join("/", &inner), depth)
                }
                None => self.in_context(&inner).map(Origin::Tree),
            };
            if found.is_some() {
                return found;
            }
        }
        None
    }

    fn in_context(&self, inner: &str) -> Option<PathBuf> {
        let relative = join("/", inner);
        let relative = relative.trim_matches('/');
        let candidates = self.contexts.iter().map(|context| {
            if relative.is_empty() {
                context.clone()
            } else {
                context.join(relative)
            }
        });
        candidates.into_iter().find(|candidate| self.tree.exists(candidate))
    }

    /// Whether a `RUN` of the stage makes `path`.
    fn built(&self, stage: &Stage, path: &str) -> Option<Origin> {
        if let Some(binary) = cargo_artifact(path) {
            return Some(Origin::Cargo {
                binary: binary.to_owned(),
                flags: cargo_flags(stage),
            });
        }
        stage.runs.iter().rev().find_map(|(directory, line)| {
            let words = words(line);
            let names_path = |word: &String| join(directory, word) == path;
            if let Some(at) = words.windows(2).position(|pair| pair[0] == "go" && pair[1] == "build") {
                let words = &words[at + 2..];
                let end = words.iter().position(|word| is_separator(word)).unwrap_or(words.len());
                let words = &words[..end];
                let is_output = words.windows(2).any(|pair| pair[0] == "-o" && names_path(&pair[1]));
                let package = words
                    .last()
                    .filter(|word| word.starts_with('.'))
                    .cloned()
                    .unwrap_or_else(|| ".".to_owned());
                let folder = self.origin_of_folder(stage, directory);
                return is_output.then_some(Origin::Go {
                    package,
                    directory: folder?,
                });
            }
            // `cp target/release/web /web` after the build.
            let is_copied = words.last().is_some_and(names_path) || words.iter().any(names_path);
            let artifact = words.iter().find_map(|word| cargo_artifact(word))?;
            is_copied.then(|| Origin::Cargo {
                binary: artifact.to_owned(),
                flags: cargo_flags(stage),
            })
        })
    }

    fn origin_of_folder(&self, stage: &Stage, directory: &str) -> Option<PathBuf> {
        stage
            .copies
            .iter()
            .rev()
            .filter(|copy| copy.from.is_none())
            .find_map(|copy| {
                copy.sources.iter().find_map(|source| {
                    inner_paths(copy, source, directory)
                        .into_iter()
                        .find_map(|inner| self.in_context(&inner))
                })
            })
    }
}

fn is_separator(word: &str) -> bool {
    matches!(word, "&&" | "||" | ";" | "|")
}

/// Which paths inside `source` a path of the image may be, when it lies under the copy's destination.
fn inner_paths(copy: &Copy, source: &str, path: &str) -> Vec<String> {
    let destination = copy.destination.trim_end_matches('/');
    let Some(rest) = path.strip_prefix(destination) else {
        return Vec::new();
    };
    let rest = match rest.strip_prefix('/') {
        Some(rest) => rest.trim_end_matches('/'),
        None if rest.is_empty() => "",
        None => return Vec::new(),
    };
    let base = source.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let mut found = Vec::new();
    if rest.is_empty() {
        found.push(source.to_owned());
    } else {
        // A file copied into a folder keeps its name; a folder's contents are copied.
        if rest == base {
            found.push(source.to_owned());
        }
        found.push(format!("{}/{rest}", source.trim_end_matches('/')));
    }
    found
}

/// `.../target/[triple/]release/NAME`.
fn cargo_artifact(path: &str) -> Option<&str> {
    let parts: Vec<&str> = path.split('/').collect();
    let target = parts.iter().position(|part| *part == "target")?;
    match &parts[target + 1..] {
        ["release" | "debug", name] | [_, "release" | "debug", name] => Some(name),
        _ => None,
    }
}

/// The flags of `cargo build` that choose what is built; the package is chosen by the binary's name.
fn cargo_flags(stage: &Stage) -> Vec<String> {
    let mut flags = Vec::new();
    for (_, line) in &stage.runs {
        let words = words(line);
        let Some(at) = words
            .windows(2)
            .position(|pair| pair[0] == "cargo" && pair[1] == "build")
        else {
            continue;
        };
        let mut words = words[at + 2..].iter().take_while(|word| !is_separator(word)).peekable();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--no-default-features" | "--all-features" => flags.push(word.clone()),
                "--features" | "-F" => flags.extend([word.clone()].into_iter().chain(words.next().cloned())),
                other if other.starts_with("--features=") => flags.push(other.to_owned()),
                _ => {}
            }
        }
    }
    flags
}
