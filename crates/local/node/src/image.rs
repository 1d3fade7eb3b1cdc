//! From an image's name to a command: what would run in the container, run from the source tree.
//!
//! ```text
//!   container ── 1. annotation flyball.dev/run            the user said it
//!                2. command and args                       found on PATH or in the tree
//!                3. the Dockerfile that builds the image   read, never built
//!                4. what the folder looks like             cargo, go, npm, python
//!                5. a program of that name on the host     postgres, redis, ...
//!                else Unresolved: what to add
//! ```
//!
//! The resolver is pure over a view of the tree ([`Tree`]) and of the host ([`Host`]), and gives with its
//! answer every step that led there, for `flyball explain-run`.
//!
//! Example: image `checkout/price:1.0.0`; the folder `price` has a Dockerfile whose ENTRYPOINT is
//! `/usr/local/bin/price`, copied from a stage's `target/release/price`. So the package `price` of the tree is
//! built with `cargo build --release -p price`, and `target/release/price` runs with the Dockerfile's ENV.

mod dockerfile;
mod filesystem;
mod resolve;
mod toolchain;
mod tree;

pub use dockerfile::Dockerfile;
pub use resolve::{ANNOTATION_DIRECTORY, ANNOTATION_DOCKERFILE, ANNOTATION_RUN, Request, resolve};
pub use tree::{Host, HostMachine, HostTree, Tree};

use std::path::PathBuf;

/// How a container is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolution {
    /// The program and its arguments. The program is a path or a name to be found on `PATH`.
    pub argv: Vec<String>,
    /// Variables that the image would set; the container's own come after them.
    pub environment: Vec<(String, String)>,
    /// The working directory; the Pod's own when none.
    pub working_directory: Option<PathBuf>,
    /// What must be done before the program exists.
    pub build: Option<BuildStep>,
    /// How the answer was found.
    pub why: Vec<Step>,
}

/// A build that makes the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildStep {
    /// The command.
    pub argv: Vec<String>,
    /// Where it runs.
    pub working_directory: PathBuf,
}

/// One step of the search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Which rule.
    pub rule: &'static str,
    /// What it found, as a sentence.
    pub found: String,
}

/// No command was found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no command is known for image {image}: {advice}")]
pub struct Unresolved {
    /// The image.
    pub image: String,
    /// What to add.
    pub advice: String,
    /// What was looked at.
    pub why: Vec<Step>,
}
