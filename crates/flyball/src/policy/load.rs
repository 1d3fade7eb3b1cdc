//! Policies and data from files and folders, as OPA loads them.

use std::fs;
use std::path::{Path, PathBuf};

use flyball_core::{Place, Problem};
use rego::{Compiler, Errors, Policy, Value, Version};
use serde_json::Map;

use crate::cli::Dialect;

/// A folder with more files is not one of policies.
const FILES_MAX: usize = 10_000;

/// Compiles what the paths hold: `.rego` files are modules, `.json` and `.yaml` files are data under the names of the
/// folders that they are in.
pub(super) fn policy(paths: &[PathBuf], dialect: &Dialect) -> Result<Policy, Problem> {
    let version = if dialect.v0_compatible {
        Version::V0
    } else {
        Version::V1
    };
    let mut compiler = Compiler::new().version(version);
    let mut data = serde_json::Value::Object(Map::new());
    for path in paths {
        for file in files(path)? {
            let extension = file
                .extension()
                .and_then(|extension| extension.to_str())
                .unwrap_or_default();
            match extension {
                "rego" => {
                    let name = file.display().to_string();
                    compiler = compiler
                        .module(&name, &text(&file)?)
                        .map_err(|errors| refused(&errors))?;
                }
                "json" | "yaml" | "yml" => {
                    let root = if path.is_dir() {
                        path.as_path()
                    } else {
                        file.parent().unwrap_or(path)
                    };
                    let folder = file.parent().and_then(|folder| folder.strip_prefix(root).ok());
                    add(&mut data, folder.unwrap_or(Path::new("")), value(&file)?, &file)?;
                }
                _ => {}
            }
        }
    }
    compiler
        .data(Value::from(&data))
        .compile()
        .map_err(|errors| refused(&errors))
}

/// One JSON or YAML document, such as an input.
pub(super) fn document(file: &Path) -> Result<Value, Problem> {
    value(file).map(|value| Value::from(&value))
}

/// All errors of a compilation, each with its place.
pub(super) fn refused(errors: &Errors) -> Problem {
    let all: Vec<String> = errors
        .0
        .iter()
        .map(|error| match &error.hint {
            Some(hint) => format!("{error}\n    hint: {hint}"),
            None => error.to_string(),
        })
        .collect();
    let count = match all.len() {
        1 => "1 error".to_owned(),
        count => format!("{count} errors"),
    };
    Problem::new("FB1033", format!("{count} in the policy:\n  {}\n", all.join("\n  ")))
}

fn files(path: &Path) -> Result<Vec<PathBuf>, Problem> {
    let mut found = Vec::new();
    let mut pending = vec![path.to_owned()];
    while let Some(path) = pending.pop() {
        let unreadable = |error: std::io::Error| problem(&path, format!("cannot be read: {error}"));
        if !path.metadata().map_err(unreadable)?.is_dir() {
            found.push(path);
        } else {
            for entry in path.read_dir().map_err(unreadable)? {
                let entry = entry.map_err(unreadable)?;
                if !entry.file_name().to_string_lossy().starts_with('.') {
                    pending.push(entry.path());
                }
            }
        }
        if found.len() > FILES_MAX {
            return Err(
                Problem::new("FB1005", format!("more than {FILES_MAX} files")).hint("name the policies' folder")
            );
        }
    }
    found.sort();
    Ok(found)
}

fn text(file: &Path) -> Result<String, Problem> {
    fs::read_to_string(file).map_err(|error| problem(file, format!("cannot be read: {error}")))
}

fn value(file: &Path) -> Result<serde_json::Value, Problem> {
    let name = file.display().to_string();
    let read = documents::read(&name, &text(file)?);
    match read.problems.into_iter().next() {
        Some(problem) => Err(problem),
        None => Ok(read
            .documents
            .into_iter()
            .next()
            .map(|document| document.value)
            .unwrap_or_default()),
    }
}

/// Puts a document below the names of its folders; two files must not say different things of one place.
fn add(data: &mut serde_json::Value, folder: &Path, document: serde_json::Value, file: &Path) -> Result<(), Problem> {
    let names: Vec<String> = folder.iter().map(|name| name.to_string_lossy().into_owned()).collect();
    let mut nested = document;
    for name in names.iter().rev() {
        nested = serde_json::Value::Object(Map::from_iter([(name.clone(), nested)]));
    }
    merge(data, nested).map_err(|place| problem(file, format!("the data at `{place}` is in another file too")))
}

fn merge(into: &mut serde_json::Value, from: serde_json::Value) -> Result<(), String> {
    let serde_json::Value::Object(from) = from else {
        return Err("data".to_owned());
    };
    for (name, value) in from {
        match into.get_mut(&name) {
            Some(existing) if existing.is_object() && value.is_object() => {
                merge(existing, value).map_err(|place| format!("{name}.{place}"))?;
            }
            Some(_) => return Err(name),
            None => into[name] = value,
        }
    }
    Ok(())
}

fn problem(file: &Path, sentence: String) -> Problem {
    let place = Place {
        file: file.display().to_string(),
        ..Place::default()
    };
    Problem::new("FB1004", sentence).at(place)
}
