//! Killing whole trees, and finding what a double kill left behind.

use std::time::{Duration, Instant};

use super::OWNER_VARIABLE;
use crate::procfs::{self, Entry};
use crate::sys::process::{self, Wait, Waited};

/// How long a tree may take to die. SIGKILL works in milliseconds; a process in an uninterruptible call of a
/// broken disk does not, and must not hang us.
const KILL_TIMEOUT: Duration = Duration::from_secs(5);

/// The pause between two looks at the table.
const KILL_PAUSE: Duration = Duration::from_millis(2);

/// This process as an owner: its id and start time, which together never name another process, and the number
/// of the guardian among those that it has started.
pub(super) fn owner_tag(guardian: u64) -> String {
    let pid = process::own_pid();
    format!(
        "{pid}:{}:{guardian}",
        procfs::entry(pid).map_or(0, |entry| entry.started_ticks)
    )
}

/// Kills everything below `root` (this process or a child of it), again until nothing is left, and reaps it.
pub(super) fn kill_below(root: i32) {
    let is_own = root == process::own_pid();
    until_none_left(|| {
        if is_own {
            while matches!(process::wait(-1, Wait::Polling), Ok(Waited::Ended(..))) {}
        }
        procfs::descendants(&procfs::entries(), root)
    });
}

/// Kills what carries this tag: the orphans of a guardian that was killed. As this process is their heir, a child
/// of another session whose environment is empty is one too: it is being replaced by exec just now.
pub(super) fn kill_tagged(tag: &str) {
    let own = process::own_pid();
    let own_session = procfs::entry(own).map_or(0, |entry| entry.session);
    until_none_left(|| {
        let table = procfs::entries();
        let mut found = tagged(&table, |owner| owner == tag);
        let heirs = table
            .iter()
            .filter(|entry| entry.parent == own && entry.session != own_session && !entry.zombie);
        found.extend(heirs.filter(|entry| procfs::has_no_environment(entry.pid)));
        found
    });
}

/// Kills what `find` finds until it finds nothing that lives.
fn until_none_left(mut find: impl FnMut() -> Vec<Entry>) {
    let deadline = Instant::now() + KILL_TIMEOUT;
    let own = process::own_pid();
    loop {
        let found = find();
        let living: Vec<&Entry> = found.iter().filter(|entry| !entry.zombie && entry.pid != own).collect();
        if living.is_empty() || Instant::now() > deadline {
            return;
        }
        for entry in living {
            let _ = process::kill(entry.pid, libc::SIGKILL);
        }
        std::thread::sleep(KILL_PAUSE);
        for entry in &found {
            // Reaps it where it is our child; for any other process this does nothing.
            let _ = process::wait(entry.pid, Wait::Polling);
        }
    }
}

/// The processes whose owner tag satisfies `matches`, with everything below them.
fn tagged(table: &[Entry], matches: impl Fn(&str) -> bool) -> Vec<Entry> {
    let roots = table.iter().filter(|entry| {
        !entry.zombie && procfs::environment_variable(entry.pid, OWNER_VARIABLE).is_some_and(|owner| matches(&owner))
    });
    let mut found: Vec<Entry> = Vec::new();
    for root in roots {
        found.push(*root);
        found.extend(procfs::descendants(table, root.pid));
    }
    found.sort_unstable_by_key(|entry| entry.pid);
    found.dedup_by_key(|entry| entry.pid);
    found
}

/// What a sweep ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swept {
    /// The process ids that were killed.
    pub pids: Vec<i32>,
}

/// Ends the Pod processes of owners that no longer live; to be called before the first Pod is started.
///
/// Only processes that this user may read and signal are touched. A process that overwrote its own environment
/// (as some do to show a title) and was a daemon is not recognised.
#[must_use]
pub fn sweep() -> Swept {
    let dead = |owner: &str| {
        let mut parts = owner.split(':');
        let pid = parts.next().and_then(|part| part.parse::<i32>().ok());
        let start = parts.next().and_then(|part| part.parse::<u64>().ok());
        // A tag that cannot be read proves nothing.
        pid.zip(start).is_some_and(|(pid, start)| {
            procfs::entry(pid).is_none_or(|entry| entry.started_ticks != start || entry.zombie)
        })
    };
    let mut pids = Vec::new();
    until_none_left(|| {
        let found = tagged(&procfs::entries(), dead);
        pids.extend(found.iter().map(|entry| entry.pid));
        found
    });
    pids.sort_unstable();
    pids.dedup();
    Swept { pids }
}
