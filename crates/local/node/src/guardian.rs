//! The guardian: the process that starts all Pod processes and outlives nobody.
//!
//! ```text
//!   up ──── control socket ────> guardian ──fork──> keeper (one per container) ──fork──> main process ──> ...
//!   │                                │                 │
//!   sub-reaper of all                sub-reaper        sub-reaper of its container
//! ```
//!
//! * **The main process ends**: its keeper kills what it left behind (daemons that forked twice or started a
//!   session included, for they become the keeper's children) and ends with the same exit code. This is what the
//!   death of process 1 does to a container.
//! * **`up` is killed**: the guardian reads the end of its control socket, kills everything below it, and ends.
//! * **The guardian is killed**: keepers and main processes get the kernel's parent-death signal; the rest
//!   become children of `up`, which reads the end of the socket and kills them.
//! * **Both are killed at once**: daemons survive. Each carries the owner's id and start time in its
//!   environment, and [`sweep()`] at the next start ends those whose owner is gone.
//!
//! The guardian is this same program, started again with a hidden subcommand. It has one thread, so it may fork,
//! which a program with an async runtime may not. It is small and long-lived, which the parent-death signal
//! needs, for the kernel sends that when the forking *thread* ends.

mod client;
mod keeper;
mod protocol;
mod serve;
mod sweep;

use std::ffi::OsString;
use std::path::PathBuf;

pub use client::{Guardian, MainProcess, Running, StartError, Streams};
pub use protocol::{FilePlacement, Interception, ProcessSpec};
pub use serve::run;
pub use sweep::{Swept, sweep};

/// The variable that tags every process below a guardian: `PID:START:N`, the owner's id and start time and the
/// number of the guardian.
pub const OWNER_VARIABLE: &str = "FLYBALL_OWNER";

/// How to start the guardian: this program, with the hidden subcommand that calls [`run`].
#[derive(Debug, Clone)]
pub struct GuardianCommand {
    /// The program; usually `std::env::current_exe()`.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
}

impl GuardianCommand {
    /// This very program with these arguments.
    ///
    /// # Errors
    /// When the operating system does not tell the program's path.
    pub fn this_program(arguments: impl IntoIterator<Item = impl Into<OsString>>) -> std::io::Result<Self> {
        Ok(GuardianCommand {
            program: std::env::current_exe()?,
            arguments: arguments.into_iter().map(Into::into).collect(),
        })
    }
}

/// Starts a guardian; see [`Guardian::spawn`].
///
/// # Errors
/// When the program cannot be started.
pub fn spawn(command: GuardianCommand) -> std::io::Result<Guardian> {
    Guardian::spawn(command)
}
