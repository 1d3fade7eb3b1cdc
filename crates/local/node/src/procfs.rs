//! The process table of the machine, as `/proc` shows it (elsewhere as `ps` does, without figures).

use std::collections::{HashMap, HashSet};

/// One line of the table: the fields of `/proc/PID/stat` (proc_pid_stat(5)) that this crate uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) pid: i32,
    pub(crate) parent: i32,
    /// The session that it belongs to.
    pub(crate) session: i32,
    /// True when it has ended and waits to be reaped.
    pub(crate) zombie: bool,
    /// Processor time of itself, in clock ticks.
    pub(crate) ticks: u64,
    /// Processor time of children it has waited for, in clock ticks.
    pub(crate) ticks_children: u64,
    /// When it started, in clock ticks since boot: with the id, this names a process for ever.
    pub(crate) started_ticks: u64,
    /// Resident pages.
    pub(crate) resident_pages: u64,
}

/// Reads a `stat` line. The command name may hold spaces and brackets, so fields are counted from its end.
fn parse_stat(line: &str) -> Option<Entry> {
    let (pid, rest) = line.split_once(" (")?;
    let (_, rest) = rest.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    // Field 3 (state) of the manual is `fields[0]`.
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    Some(Entry {
        pid: pid.parse().ok()?,
        zombie: matches!(*fields.first()?, "Z" | "X"),
        parent: fields.get(1)?.parse().ok()?,
        session: fields.get(3)?.parse().ok()?,
        ticks: number(14)? + number(15)?,
        ticks_children: number(16)? + number(17)?,
        started_ticks: number(22)?,
        resident_pages: number(24)?,
    })
}

/// One process, if it exists.
pub(crate) fn entry(pid: i32) -> Option<Entry> {
    parse_stat(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// All processes.
#[cfg(target_os = "linux")]
pub(crate) fn entries() -> Vec<Entry> {
    let Ok(directory) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    directory
        .flatten()
        .filter_map(|file| file.file_name().to_str()?.parse().ok())
        .filter_map(entry)
        .collect()
}

/// All processes, as `ps` tells: who is whose child, and nothing of what they use.
#[cfg(not(target_os = "linux"))]
pub(crate) fn entries() -> Vec<Entry> {
    let output = std::process::Command::new("ps")
        .args(["-axo", "pid=,ppid=,stat="])
        .output();
    let text = output
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
        .unwrap_or_default();
    text.lines().filter_map(parse_ps).collect()
}

/// Reads a line of `ps -o pid=,ppid=,stat=`.
#[cfg(any(test, not(target_os = "linux")))]
fn parse_ps(line: &str) -> Option<Entry> {
    let mut fields = line.split_ascii_whitespace();
    Some(Entry {
        pid: fields.next()?.parse().ok()?,
        parent: fields.next()?.parse().ok()?,
        zombie: fields.next()?.starts_with('Z'),
        session: 0,
        ticks: 0,
        ticks_children: 0,
        started_ticks: 0,
        resident_pages: 0,
    })
}

/// Those of `table` that are below `root`, at any depth, without `root` itself.
pub(crate) fn descendants(table: &[Entry], root: i32) -> Vec<Entry> {
    let mut children: HashMap<i32, Vec<&Entry>> = HashMap::new();
    for entry in table {
        children.entry(entry.parent).or_default().push(entry);
    }
    let mut found = Vec::new();
    let mut seen = HashSet::from([root]);
    let mut next = vec![root];
    while let Some(pid) = next.pop() {
        for child in children.get(&pid).into_iter().flatten() {
            // A table read while processes come and go may hold a cycle.
            if seen.insert(child.pid) {
                found.push(**child);
                next.push(child.pid);
            }
        }
    }
    found
}

/// The value of a variable in the environment that a process was started with.
pub(crate) fn environment_variable(pid: i32, name: &str) -> Option<String> {
    let bytes = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
    bytes.split(|byte| *byte == 0).find_map(|pair| {
        let (key, value) = std::str::from_utf8(pair).ok()?.split_once('=')?;
        (key == name).then(|| value.to_owned())
    })
}

/// Whether a process has no environment at all, or none yet.
pub(crate) fn has_no_environment(pid: i32) -> bool {
    std::fs::read(format!("/proc/{pid}/environ")).is_ok_and(|bytes| bytes.is_empty())
}

/// A process' memory with each shared page divided among those that share it, in bytes.
pub(crate) fn proportional_bytes(pid: i32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_name_may_hold_brackets_and_spaces() {
        let line = "42 (a) b (c)) S 7 42 42 0 -1 4194560 1 2 3 4 100 20 3 4 20 0 1 0 5555 1000 77 18446744073709551615";
        let expect = Entry {
            pid: 42,
            parent: 7,
            session: 42,
            zombie: false,
            ticks: 120,
            ticks_children: 7,
            started_ticks: 5555,
            resident_pages: 77,
        };
        assert_eq!(parse_stat(line), Some(expect));
        assert_eq!(parse_stat("42 (cut) S 7"), None);
    }

    #[test]
    fn a_line_of_ps_gives_the_family() {
        let entry = parse_ps("  42     7 Z+").unwrap();
        assert_eq!((entry.pid, entry.parent, entry.zombie), (42, 7, true));
        assert_eq!(parse_ps("PID"), None);
    }

    #[test]
    fn descendants_are_found_at_any_depth_and_a_cycle_ends() {
        let entry = |pid, parent| Entry {
            pid,
            parent,
            session: 0,
            zombie: false,
            ticks: 0,
            ticks_children: 0,
            started_ticks: 0,
            resident_pages: 0,
        };
        let table = [entry(2, 1), entry(3, 2), entry(4, 3), entry(9, 8), entry(8, 9)];
        let mut pids: Vec<i32> = descendants(&table, 1).iter().map(|entry| entry.pid).collect();
        pids.sort_unstable();
        assert_eq!(pids, [2, 3, 4]);
        assert_eq!(descendants(&table, 8).len(), 1);
    }
}
