//! Which files a path means.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use flyball_core::{Place, Problem};

/// Folders that hold dependencies and build results, never manifests.
const SKIPPED: [&str; 5] = ["target", "node_modules", "vendor", "dist", "__pycache__"];
/// A folder with more files is a home directory or a dependency cache given by mistake.
const FILES_MAX: usize = 10_000;
/// The largest manifest file; Kubernetes itself refuses objects of more than 1.5 MiB.
const FILE_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// The manifest files that a path means, sorted by name: the file itself, or all `.yaml`, `.yml` and `.json`
/// files below the folder. Hidden folders and those of dependencies are not entered.
pub(crate) fn below(path: &Path) -> Result<Vec<PathBuf>, Problem> {
    let metadata = fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    if metadata.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    let mut pending = vec![path.to_owned()];
    while let Some(folder) = pending.pop() {
        for entry in fs::read_dir(&folder).map_err(|error| unreadable(&folder, &error))? {
            let entry = entry.map_err(|error| unreadable(&folder, &error))?;
            let kind = entry.file_type().map_err(|error| unreadable(&entry.path(), &error))?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if kind.is_dir() && !name.starts_with('.') && !SKIPPED.contains(&name.as_ref()) {
                pending.push(entry.path());
            } else if !kind.is_dir() && is_manifest_name(&name) {
                files.push(entry.path());
            }
            if files.len() > FILES_MAX {
                let sentence = format!("{} holds more than {FILES_MAX} YAML files", path.display());
                return Err(Problem::new("FB1005", sentence).hint("name the folder of the manifests themselves"));
            }
        }
    }
    files.sort();
    Ok(files)
}

/// The text of a file within the limit of size.
pub(crate) fn text_of(file: &Path) -> Result<String, Problem> {
    let bytes = fs::metadata(file).map_err(|error| unreadable(file, &error))?.len();
    if bytes > FILE_BYTES_MAX {
        let sentence = format!("the file has {bytes} bytes; at most {FILE_BYTES_MAX} are read");
        return Err(Problem::new("FB1005", sentence).at(place(file)).hint("split it"));
    }
    fs::read_to_string(file).map_err(|error| unreadable(file, &error))
}

fn is_manifest_name(name: &str) -> bool {
    let extension = Path::new(name).extension().and_then(|extension| extension.to_str());
    !name.starts_with('.') && matches!(extension, Some("yaml" | "yml" | "json"))
}

fn unreadable(path: &Path, error: &io::Error) -> Problem {
    let hint = match error.kind() {
        io::ErrorKind::NotFound => "give the folder or file that holds the manifests, as `flyball up k8s/`",
        io::ErrorKind::InvalidData => "manifests are UTF-8 text",
        _ => "check its permissions",
    };
    Problem::new("FB1004", format!("cannot be read: {error}"))
        .at(place(path))
        .hint(hint)
}

fn place(path: &Path) -> Place {
    Place {
        file: path.display().to_string(),
        ..Place::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_means_its_manifests_in_order() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in [
            "b.yaml",
            "a/x.yml",
            "a/.hidden.yaml",
            ".git/c.yaml",
            "target/d.yaml",
            "notes.md",
            "z.json",
        ] {
            let file = folder.path().join(name);
            fs::create_dir_all(file.parent().expect("a parent")).expect("a folder");
            fs::write(file, "").expect("a file");
        }
        let found = below(folder.path()).expect("files");
        let names: Vec<_> = found
            .iter()
            .map(|file| file.strip_prefix(folder.path()).expect("inside"))
            .collect();
        assert_eq!(names, ["a/x.yml", "b.yaml", "z.json"].map(Path::new));
    }

    #[test]
    fn a_path_that_is_not_there_says_what_to_do() {
        let problem = below(Path::new("no/such/folder")).expect_err("it is not there");
        assert_eq!(problem.code, "FB1004");
        assert!(problem.to_string().contains("flyball up k8s/"), "{problem}");
    }
}
