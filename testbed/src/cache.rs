//! Built tools, kept by name and version.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::tools::{ETCD_VERSION, KUBERNETES_VERSION, Recipe, Tool};

/// Where built tools are: `$XDG_CACHE_HOME/flyball/tools`, by default `~/.cache/flyball/tools`.
pub fn folder() -> PathBuf {
    let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_else(|| "/tmp".into())).join(".cache");
    base.unwrap_or_else(home).join("flyball/tools")
}

/// The path of a tool if it is already built.
pub fn cached(tool: &Tool) -> Option<PathBuf> {
    let path = path_of(tool);
    path.exists().then_some(path)
}

/// The path of a tool, which is built first where the cache lacks it.
pub fn ensure_built(tool: &Tool) -> Result<PathBuf> {
    if let Some(path) = cached(tool) {
        return Ok(path);
    }
    ensure!(
        go(&["version"], Path::new(".")).is_ok(),
        "{} is not built yet, and Go is not installed",
        tool.name
    );
    let path = path_of(tool);
    let folder = path.parent().context("a tool's path has a folder")?;
    fs::create_dir_all(folder)?;
    // Built beside its place and then moved there, so that a build that is cut off leaves no half of a tool.
    let new = folder.join(format!("{}.{}.new", tool.name, std::process::id()));
    let built = build(tool, &new).with_context(|| format!("building {} {}", tool.name, tool.version));
    if built.is_err() {
        let _ = fs::remove_file(&new);
    }
    built?;
    fs::rename(&new, &path)?;
    Ok(path)
}

fn path_of(tool: &Tool) -> PathBuf {
    folder().join(format!("{}-{}", tool.name, tool.version)).join(tool.name)
}

fn build(tool: &Tool, output: &Path) -> Result<()> {
    let output = output.to_string_lossy();
    match tool.recipe {
        Recipe::WithKubernetes(package) => {
            let module = kubernetes_module(tool, package)?;
            let flags = version_flags();
            go(
                &["build", "-trimpath", "-ldflags", &flags, "-o", &output, package],
                &module,
            )
        }
        Recipe::KubernetesTest(package) => {
            let module = kubernetes_module(tool, package)?;
            go(&["test", "-c", "-o", &output, package], &module)
        }
        Recipe::Etcd => {
            let module = etcd_module()?;
            go(
                &["build", "-trimpath", "-ldflags", "-s -w", "-o", &output, "."],
                &module,
            )
        }
        Recipe::Own(package) => {
            let module = empty_module(tool.name)?;
            go(&["get", "-tool", &format!("{package}@v{}", tool.version)], &module)?;
            go(
                &["build", "-trimpath", "-ldflags", "-s -w", "-o", &output, package],
                &module,
            )
        }
    }
}

/// A module that requires a package of Kubernetes, or one that is built with it. `k8s.io/kubernetes` names its
/// staging modules at v0.0.0, so each of them is replaced by the release of the same minor and patch.
fn kubernetes_module(tool: &Tool, package: &str) -> Result<PathBuf> {
    let module = empty_module(tool.name)?;
    let download = format!("k8s.io/kubernetes@v{KUBERNETES_VERSION}");
    let answer = go_output(&["mod", "download", "-json", &download], &module)?;
    let answer: serde_json::Value = serde_json::from_str(&answer)?;
    let gomod = answer["GoMod"].as_str().context("`go mod download` names no go.mod")?;
    let staging_version = KUBERNETES_VERSION.replacen("1.", "v0.", 1);
    for line in fs::read_to_string(gomod)?.lines() {
        if let Some((name, _)) = line.trim().split_once(" => ./staging/") {
            go(
                &["mod", "edit", "-replace", &format!("{name}={name}@{staging_version}")],
                &module,
            )?;
        }
    }
    match tool.recipe {
        Recipe::KubernetesTest(_) => {
            let text = format!("package tools\n\nimport _ \"{package}\"\n");
            fs::write(module.join("tools_test.go"), text)?;
            go(&["get", "-t", &format!("{package}@v{KUBERNETES_VERSION}")], &module)?;
        }
        _ => {
            go(&["get", &download], &module)?;
            go(&["get", "-tool", &format!("{package}@v{}", tool.version)], &module)?;
        }
    }
    Ok(module)
}

fn etcd_module() -> Result<PathBuf> {
    let module = empty_module("etcd")?;
    let main = "package main\n\nimport (\n\t\"os\"\n\n\t\"go.etcd.io/etcd/server/v3/etcdmain\"\n)\n\n\
                func main() { etcdmain.Main(os.Args) }\n";
    fs::write(module.join("main.go"), main)?;
    go(&["get", &format!("go.etcd.io/etcd/server/v3@v{ETCD_VERSION}")], &module)?;
    go(&["mod", "tidy"], &module)?;
    Ok(module)
}

/// A new module in the cache; one that an earlier build left is thrown away.
fn empty_module(name: &str) -> Result<PathBuf> {
    let module = folder().join("modules").join(name);
    let _ = fs::remove_dir_all(&module);
    fs::create_dir_all(&module)?;
    go(&["mod", "init", "tools"], &module)?;
    Ok(module)
}

/// Without these the servers call themselves v0.0.0-master, and clients complain of the skew.
fn version_flags() -> String {
    let package = "k8s.io/component-base/version";
    let minor = KUBERNETES_VERSION.split('.').nth(1).unwrap_or_default();
    format!("-s -w -X {package}.gitVersion=v{KUBERNETES_VERSION} -X {package}.gitMajor=1 -X {package}.gitMinor={minor}")
}

fn go(arguments: &[&str], folder: &Path) -> Result<()> {
    go_output(arguments, folder).map(drop)
}

fn go_output(arguments: &[&str], folder: &Path) -> Result<String> {
    let output = Command::new("go")
        .args(arguments.iter().map(OsStr::new))
        .current_dir(folder)
        .env("CGO_ENABLED", "0")
        .env("GOFLAGS", "-mod=mod")
        .output()
        .context("running go")?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    let tail: Vec<&str> = errors.lines().rev().take(20).collect();
    let tail: Vec<&str> = tail.into_iter().rev().collect();
    bail!("go {} failed:\n{}", arguments.join(" "), tail.join("\n"))
}
