//! `flyball down` and `flyball prune`: the end of a local cluster.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use flyball_core::Problem;

use crate::output;
use crate::project::{Project, start_ticks};

/// `up` needs at most 3 s; beyond that something is wrong, and it is killed.
const PATIENCE: Duration = Duration::from_secs(8);
/// How often it is looked whether it has ended.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Asks this folder's `up` to end, and waits until it has.
pub(crate) fn down(folder: &Path) -> Result<(), Problem> {
    let project = Project::of(folder);
    let state = project.running()?;
    signal("TERM", state.pid)?;
    let deadline = Instant::now() + PATIENCE;
    while start_ticks(state.pid) == Some(state.start_ticks) {
        if Instant::now() > deadline {
            signal("KILL", state.pid)?;
            break;
        }
        std::thread::sleep(LOOK_EVERY);
    }
    output::text("stopped\n")
}

/// Ends what a killed `up` may have left: processes that carry a dead owner's tag, and temporary files.
pub(crate) fn prune(folder: &Path) -> Result<(), Problem> {
    let project = Project::of(folder);
    let swept = node::guardian::sweep();
    if project.state().is_none() {
        project.clear();
    }
    output::text(&format!("{} processes ended\n", swept.pids.len()))
}

/// `kill` rather than a system call of our own: this crate has no unsafe code.
fn signal(name: &str, pid: u32) -> Result<(), Problem> {
    let sent = Command::new("kill")
        .args([format!("-{name}"), pid.to_string()])
        .status();
    match sent {
        Ok(status) if status.success() => Ok(()),
        _ => Err(Problem::new("FB1021", format!("process {pid} cannot be signalled")).hint("is it another user's?")),
    }
}
