//! From the paths on the command line to objects that can be applied.
//!
//! A folder is read as it is: every YAML or JSON file below it whose documents have `apiVersion` and `kind`
//! is taken, in an order in which they can be applied. What is left out is listed with its reason, because a
//! file that is silently ignored costs its author an hour.

mod files;
mod order;

use std::path::PathBuf;

use documents::Document;
use flyball_core::{Place, Problem};
use serde_json::Value;

/// One object of the user's.
#[derive(Debug, Clone)]
pub(crate) struct Manifest {
    pub(crate) document: Document,
    /// Where in the document the object stands: empty, or `items[3]` of a `List`.
    prefix: String,
}

impl Manifest {
    /// The object itself.
    pub(crate) fn object(&self) -> &Value {
        match self.prefix.is_empty() {
            true => &self.document.value,
            false => {
                let pointer = self.prefix.replace('[', "/").replace(']', "");
                self.document
                    .value
                    .pointer(&format!("/{pointer}"))
                    .unwrap_or(&Value::Null)
            }
        }
    }

    /// The place of a field of the object, by the path in which the API server names it.
    pub(crate) fn place(&self, path: &str) -> Place {
        match (self.prefix.is_empty(), path.is_empty()) {
            (true, true) => self.document.start(),
            (true, false) => self.document.place(path),
            (false, true) => self.document.place(&self.prefix),
            (false, false) => self.document.place(&format!("{}.{path}", self.prefix)),
        }
    }

    /// `Deployment/web`, for messages.
    pub(crate) fn name(&self) -> String {
        format!("{}/{}", self.text("/kind"), self.text("/metadata/name"))
    }

    /// The text at a JSON pointer; empty where there is none.
    pub(crate) fn text(&self, pointer: &str) -> &str {
        self.object()
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }
}

/// All that the paths gave.
#[derive(Debug, Default)]
pub(crate) struct Manifests {
    /// Objects in the order in which they are to be applied.
    pub(crate) objects: Vec<Manifest>,
    /// What could not be read.
    pub(crate) problems: Vec<Problem>,
    /// Files and documents that were left out on purpose: where, and why.
    pub(crate) ignored: Vec<(Place, &'static str)>,
}

impl Manifests {
    /// Reads files and folders.
    pub(crate) fn read(paths: &[PathBuf]) -> Self {
        let mut manifests = Self::default();
        let mut found = Vec::new();
        for path in paths {
            match files::below(path) {
                Ok(files) => found.extend(files),
                Err(problem) => manifests.problems.push(problem),
            }
        }
        for file in found {
            manifests.read_file(&file);
        }
        order::sort(&mut manifests.objects);
        manifests
    }

    fn read_file(&mut self, file: &std::path::Path) {
        let name = file.display().to_string();
        match files::text_of(file) {
            Ok(text) => self.read_text(&name, &text),
            Err(problem) => self.problems.push(problem),
        }
    }

    /// Reads one text under the name that its places are to carry.
    pub(crate) fn read_text(&mut self, name: &str, text: &str) {
        if text.contains("{{") && !text.contains("apiVersion: ") || has_template_line(text) {
            let place = Place {
                file: name.to_owned(),
                ..Place::default()
            };
            self.ignored
                .push((place, "a template; render it first (`helm template`)"));
            return;
        }
        let read = documents::read(name, text);
        self.problems.extend(read.problems);
        for document in read.documents {
            self.take(document);
        }
    }

    fn take(&mut self, document: Document) {
        let text = |field: &str| document.value.get(field).and_then(Value::as_str).unwrap_or_default();
        let (version, kind) = (text("apiVersion").to_owned(), text("kind").to_owned());
        if version.is_empty() || kind.is_empty() {
            self.ignored
                .push((document.start(), "not a Kubernetes object: no apiVersion or no kind"));
        } else if version.starts_with("kustomize.config.k8s.io/") {
            self.ignored
                .push((document.start(), "a Kustomization; it is not rendered yet"));
        } else if kind == "List" {
            let count = document
                .value
                .get("items")
                .and_then(Value::as_array)
                .map_or(0, Vec::len);
            self.objects.extend((0..count).map(|index| Manifest {
                document: document.clone(),
                prefix: format!("items[{index}]"),
            }));
        } else {
            let prefix = String::new();
            self.objects.push(Manifest { document, prefix });
        }
    }
}

/// Whether a line is a template action of its own (`{{- if … }}`), which no manifest has.
fn has_template_line(text: &str) -> bool {
    text.lines().any(|line| line.trim_start().starts_with("{{"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Manifests {
        let mut manifests = Manifests::default();
        manifests.read_text("app.yaml", text);
        manifests
    }

    #[test]
    fn objects_of_a_list_have_their_own_places() {
        let read = read("apiVersion: v1\nkind: List\nitems:\n- kind: Pod\n  apiVersion: v1\n  spec:\n    x: 1\n");
        assert_eq!(read.objects[0].text("/kind"), "Pod");
        assert_eq!(read.objects[0].place("spec.x").to_string(), "app.yaml:7:5");
        assert_eq!(read.objects[0].place("").to_string(), "app.yaml:4:3");
    }

    #[test]
    fn what_is_no_manifest_is_listed_with_its_reason() {
        let kustomization = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n";
        for (text, reason) in [
            ("on: push\njobs: {}\n", "no apiVersion"),
            (kustomization, "Kustomization"),
            ("{{- if .Values.x }}\napiVersion: v1\n{{- end }}\n", "template"),
        ] {
            let read = read(text);
            assert!(read.objects.is_empty() && read.problems.is_empty(), "{text}");
            assert!(read.ignored[0].1.contains(reason), "{text}: {:?}", read.ignored);
        }
    }

    #[test]
    fn a_config_map_may_hold_templates() {
        let read = read("apiVersion: v1\nkind: ConfigMap\ndata:\n  t: '{{ .Name }}'\n");
        assert_eq!(read.objects.len(), 1);
    }
}
