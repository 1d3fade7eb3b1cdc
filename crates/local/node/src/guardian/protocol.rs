//! What `up`, the guardian and a keeper say to each other: JSON in frames, with descriptors beside it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Whether and how a process' network calls are intercepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Interception {
    /// Calls go to the kernel untouched.
    None,
    /// Network calls are notified.
    Network,
    /// Network calls and opens for reading are notified (per-Pod files in `/etc`).
    NetworkAndOpens,
}

/// A folder or file shown to the process at a path of its own (Linux, in a private mount namespace).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilePlacement {
    /// Where it is.
    pub source: PathBuf,
    /// Where the process sees it; an absolute path.
    pub target: PathBuf,
    /// Whether writes are refused.
    pub read_only: bool,
}

/// A process to start: everything resolved, nothing left to look up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessSpec {
    /// The program file, an absolute path.
    pub program: PathBuf,
    /// The arguments, the program's name first.
    pub arguments: Vec<String>,
    /// The whole environment.
    pub environment: Vec<(String, String)>,
    /// The working directory.
    pub working_directory: PathBuf,
    /// Network interception.
    pub interception: Interception,
    /// What it sees at paths of its own; with none it shares the host's view.
    pub placements: Vec<FilePlacement>,
}

/// `up` to guardian. `Start` carries four descriptors: stdin, stdout, stderr, set-up socket.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Request {
    Start { id: u64, spec: ProcessSpec },
}

/// Guardian to `up`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Event {
    /// The container's last process has ended; the code is the main process'.
    Ended { id: u64, code: i32 },
}

/// Keeper to `up`, over the set-up socket; its end without `Failed` means that the program runs.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum SetUp {
    /// The main process exists. Descriptors: its pidfd where there are such, then the listener if intercepted.
    Forked { pid: i32, has_pidfd: bool },
    /// It could not become the program.
    Failed(SetUpFailure),
}

/// The step at which the start failed, and why.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct SetUpFailure {
    pub(super) step: String,
    /// The error number, if there was one.
    pub(super) errno: Option<i32>,
    pub(super) message: String,
}

impl SetUpFailure {
    pub(super) fn new(step: &str, error: &std::io::Error) -> Self {
        SetUpFailure {
            step: step.to_owned(),
            errno: error.raw_os_error(),
            message: error.to_string(),
        }
    }
}

/// Encodes a message; these types always can be.
pub(super) fn encode(message: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(message).expect("plain data with string keys always encodes")
}
