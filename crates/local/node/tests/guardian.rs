//! Nothing survives: not the owner's death, not the guardian's, not both.

#![cfg(target_os = "linux")]

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long the last process may take to die on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// A process that owns a guardian and eight Pods that hide daemons (setsid, double fork, TERM ignored).
struct Owner {
    child: Child,
    guardian: i32,
    /// A word in the environment of everything below.
    mark: String,
}

impl Owner {
    fn start(name: &str) -> Self {
        let mark = format!("{name}-{}", std::process::id());
        let mut child = Command::new(fixture())
            .args(["own", &mark])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the fixture starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped"))
            .read_line(&mut line)
            .expect("a line");
        let guardian = line.trim().parse().expect("the guardian's id");
        let owner = Owner { child, guardian, mark };
        // Eight main processes with two daemons each.
        wait_for("all daemons run", || owner.living().len() >= 24);
        owner
    }

    fn living(&self) -> Vec<i32> {
        marked(&self.mark)
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn fixture() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_node-fixture"))
}

/// The processes whose environment holds the mark.
fn marked(mark: &str) -> Vec<i32> {
    with_variables(mark, |_| true)
}

/// Those of them that the owner's first guardian started; after its death the owner may start a second.
fn marked_first(mark: &str) -> Vec<i32> {
    with_variables(mark, |pair| {
        pair.starts_with(b"FLYBALL_OWNER=") && pair.ends_with(b":0")
    })
}

/// The processes with the mark and some variable that satisfies `also`.
fn with_variables(mark: &str, also: impl Fn(&[u8]) -> bool) -> Vec<i32> {
    let wanted = format!("TEST_MARK={mark}");
    let processes = std::fs::read_dir("/proc").expect("proc").flatten();
    processes
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| {
            let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            let mut pairs = environment.split(|byte| *byte == 0);
            pairs.clone().any(|pair| pair == wanted.as_bytes()) && pairs.any(&also)
        })
        .collect()
}

fn kill(pid: i32) {
    let status = Command::new("kill")
        .args(["-KILL", &pid.to_string()])
        .status()
        .expect("kill runs");
    assert!(status.success());
}

/// Real processes end in real time: this looks until it is so.
fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) -> Duration {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "not in {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
    start.elapsed()
}

#[test]
fn the_owners_death_ends_everything() {
    let mut owner = Owner::start("owner");
    owner.child.kill().unwrap();
    let took = wait_for("nothing is left", || owner.living().is_empty());
    wait_for("the guardian is gone", || {
        !std::path::Path::new(&format!("/proc/{}", owner.guardian)).exists()
    });
    println!("gone in {took:?}");
}

#[test]
fn the_guardians_death_ends_everything_but_the_owner() {
    let mut owner = Owner::start("guardian");
    kill(owner.guardian);
    let took = wait_for("nothing is left", || owner.living().is_empty());
    assert!(owner.child.try_wait().unwrap().is_none(), "the owner lives");
    println!("gone in {took:?}");
}

#[test]
fn what_a_double_kill_leaves_is_swept_at_the_next_start() {
    let mut owner = Owner::start("both");
    // The guardian is stopped first, so that it cannot act between the two kills.
    let stopped = Command::new("kill")
        .args(["-STOP", &owner.guardian.to_string()])
        .status()
        .unwrap();
    assert!(stopped.success());
    owner.child.kill().unwrap();
    owner.child.wait().unwrap();
    kill(owner.guardian);
    let swept = node::guardian::sweep();
    wait_for("nothing is left", || owner.living().is_empty());
    println!("swept {}", swept.pids.len());
}

/// Kills owner or guardian at moments spread over the start of the Pods.
#[test]
fn chaos_leaves_nothing_behind() {
    for round in 0..12_u32 {
        let mark = format!("chaos-{round}-{}", std::process::id());
        let mut child = Command::new(fixture())
            .args(["own", &mark])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let guardian: i32 = line.trim().parse().unwrap();
        // A moment between "nothing runs" and "all run": spread, without a random source.
        std::thread::sleep(Duration::from_millis(u64::from(round * 7 % 40)));
        if round % 2 == 0 {
            child.kill().unwrap();
        } else {
            kill(guardian);
            // The owner goes on, perhaps with a new guardian, and is ended below.
            wait_for("nothing of the first is left", || marked_first(&mark).is_empty());
            child.kill().unwrap();
        }
        child.wait().unwrap();
        wait_for("nothing is left", || marked(&mark).is_empty());
    }
}
