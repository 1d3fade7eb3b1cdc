//! Documents and where their nodes are.

use std::collections::HashMap;

use flyball_core::{Place, Problem};
use serde_json::Value;

/// One document of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// What it says.
    pub value: Value,
    pub(crate) file: String,
    pub(crate) start: (usize, usize),
    pub(crate) places: HashMap<String, (usize, usize)>,
}

impl Document {
    /// The place of the node at `path`, written as Kubernetes writes it
    /// (`spec.template.spec.containers[0].image`). A path that is not there gets the place of its nearest
    /// ancestor: that is where the missing field belongs.
    pub fn place(&self, path: &str) -> Place {
        let mut path = path;
        loop {
            if let Some(&(line, column)) = self.places.get(path) {
                return self.at(line, column);
            }
            match path.rfind(['.', '[']) {
                Some(cut) => path = &path[..cut],
                None => return self.at(self.start.0, self.start.1),
            }
        }
    }

    /// Where the document begins.
    pub fn start(&self) -> Place {
        self.at(self.start.0, self.start.1)
    }

    fn at(&self, line: usize, column: usize) -> Place {
        Place {
            file: self.file.clone(),
            line,
            column,
        }
    }
}

/// What a file gave: its good documents, and what is wrong with the others.
#[derive(Debug, Default)]
pub struct Read {
    /// The documents that could be read, in order; empty ones are left out.
    pub documents: Vec<Document>,
    /// What could not be read.
    pub problems: Vec<Problem>,
}
