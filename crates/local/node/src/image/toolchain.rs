//! What a folder's files say about how its program is built and run.

use std::path::{Path, PathBuf};

use super::tree::{Host, Tree};
use super::{BuildStep, Resolution, Step};

/// Where binaries built by `go` are put: this node's own folder in the tree.
const GO_OUTPUT: &str = ".flyball/bin";

/// A binary of a cargo package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CargoTarget {
    package: String,
    binary: String,
    workspace: PathBuf,
}

/// Finds the package that makes a binary; one below `near` comes first.
pub(super) fn find_cargo(tree: &dyn Tree, binary: &str, near: Option<&Path>) -> Option<CargoTarget> {
    let manifests = tree.find(&|name| name == "Cargo.toml");
    let is_near = |path: &&PathBuf| near.is_some_and(|near| path.starts_with(near));
    let ordered = manifests
        .iter()
        .filter(is_near)
        .chain(manifests.iter().filter(|path| !is_near(path)));
    ordered.into_iter().find_map(|manifest| {
        let text = tree.read(manifest)?;
        let (package, binaries) = cargo_manifest(&text)?;
        let makes_it = package == binary || binaries.iter().any(|name| name == binary);
        let workspace = manifest.parent()?;
        makes_it.then(|| CargoTarget {
            package,
            binary: binary.to_owned(),
            workspace: workspace_of(tree, workspace),
        })
    })
}

/// The package's name and the names of its `[[bin]]`s. A line reader is enough: these keys are plain strings.
fn cargo_manifest(text: &str) -> Option<(String, Vec<String>)> {
    let mut section = String::new();
    let (mut package, mut binaries) = (None, Vec::new());
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            section = line
                .split(']')
                .next()
                .unwrap_or_default()
                .trim_start_matches('[')
                .to_owned();
        } else if let Some(value) = line
            .strip_prefix("name")
            .map(str::trim_start)
            .and_then(|rest| rest.strip_prefix('='))
        {
            let name = value
                .split('#')
                .next()
                .unwrap_or_default()
                .trim()
                .trim_matches(['"', '\''])
                .to_owned();
            match section.as_str() {
                "package" => package = Some(name),
                "bin" => binaries.push(name),
                _ => {}
            }
        }
    }
    Some((package?, binaries))
}

fn workspace_of(tree: &dyn Tree, package: &Path) -> PathBuf {
    let has_workspace = |folder: &&Path| {
        tree.read(&folder.join("Cargo.toml"))
            .is_some_and(|text| text.lines().any(|line| line.trim_start().starts_with("[workspace")))
    };
    let within = package.ancestors().take_while(|folder| folder.starts_with(tree.root()));
    within.into_iter().find(has_workspace).unwrap_or(package).to_owned()
}

/// Builds the binary and runs it.
pub(super) fn cargo(target: &CargoTarget, flags: &[String], host: &dyn Host) -> (BuildStep, PathBuf) {
    let CargoTarget {
        package,
        binary,
        workspace,
    } = target;
    let mut argv: Vec<String> = ["cargo", "build", "--release", "-p", package].map(str::to_owned).into();
    if package != binary {
        argv.extend(["--bin".to_owned(), binary.clone()]);
    }
    argv.extend_from_slice(flags);
    let output = host
        .cargo_target_directory()
        .map_or_else(|| workspace.join("target"), |set| workspace.join(set));
    (
        BuildStep {
            argv,
            working_directory: workspace.clone(),
        },
        output.join("release").join(binary),
    )
}

/// Builds a go package and says where the program is.
pub(super) fn go(package: &str, directory: &Path, name: &str, root: &Path) -> (BuildStep, PathBuf) {
    let program = root.join(GO_OUTPUT).join(name);
    let argv = ["go", "build", "-o", &program.to_string_lossy(), package]
        .map(str::to_owned)
        .into();
    (
        BuildStep {
            argv,
            working_directory: directory.to_owned(),
        },
        program,
    )
}

/// Looks at a folder; `name` is the image's.
pub(super) fn guess(tree: &dyn Tree, host: &dyn Host, folder: &Path, name: &str) -> Option<Resolution> {
    let has = |file: &str| tree.exists(&folder.join(file));
    let resolution = |argv: Vec<String>, build, found: String| {
        Some(Resolution {
            argv,
            environment: Vec::new(),
            working_directory: Some(folder.to_owned()),
            build,
            why: vec![Step { rule: "folder", found }],
        })
    };
    let shown = folder.display();
    if has("Cargo.toml") {
        let package = tree
            .read(&folder.join("Cargo.toml"))
            .and_then(|text| cargo_manifest(&text));
        if let Some((package, binaries)) = package {
            let binary = if binaries.iter().any(|binary| binary == name) {
                name.to_owned()
            } else {
                package.clone()
            };
            let target = CargoTarget {
                package,
                binary,
                workspace: workspace_of(tree, folder),
            };
            let (build, program) = cargo(&target, &[], host);
            let found = format!("{shown} is the cargo package {}", target.package);
            return resolution(vec![program.to_string_lossy().into_owned()], Some(build), found);
        }
    }
    if has("go.mod") || has("main.go") {
        let (build, program) = go(".", folder, name, tree.root());
        return resolution(
            vec![program.to_string_lossy().into_owned()],
            Some(build),
            format!("{shown} is a go program"),
        );
    }
    if let Some(package) = tree.read(&folder.join("package.json")) {
        let package: serde_json::Value = serde_json::from_str(&package).ok()?;
        let install = if has("package-lock.json") { "ci" } else { "install" };
        let build = (!has("node_modules") && package.get("dependencies").is_some()).then(|| BuildStep {
            argv: vec!["npm".to_owned(), install.to_owned()],
            working_directory: folder.to_owned(),
        });
        let argv = match (
            package.pointer("/scripts/start"),
            package.get("main").and_then(|main| main.as_str()),
        ) {
            (Some(_), _) => vec!["npm".to_owned(), "start".to_owned()],
            (None, Some(main)) => vec!["node".to_owned(), main.to_owned()],
            (None, None) => return None,
        };
        return resolution(argv, build, format!("{shown} has a package.json"));
    }
    let script = ["main.py", "app.py", "server.py", "__main__.py"]
        .into_iter()
        .find(|script| has(script))?;
    let python = if has(".venv/bin/python") {
        folder.join(".venv/bin/python").to_string_lossy().into_owned()
    } else {
        "python3".to_owned()
    };
    resolution(vec![python, script.to_owned()], None, format!("{shown} has {script}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_a_cargo_manifest() {
        let text = "[package]\nname = \"shop\" # the shop\n[[bin]]\nname=\"web\"\n[dependencies.name]\nname = \"x\"\n";
        assert_eq!(cargo_manifest(text), Some(("shop".to_owned(), vec!["web".to_owned()])));
        assert_eq!(cargo_manifest("[workspace]\n"), None);
    }
}
