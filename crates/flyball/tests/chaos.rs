//! `kill -9` leaves nothing behind, whenever it comes.

#![cfg(target_os = "linux")]

#[allow(dead_code, reason = "a module of several tests")]
mod support;

use std::fs;
use std::net::TcpStream;
use std::time::Duration;

use support::{Up, processes_with};

/// Moments at which `up` is killed.
const KILLS: usize = 20;
/// How long the guardian may take to end everything; 20 to 110 ms are usual.
const END_PATIENCE: Duration = Duration::from_secs(5);

/// Three replicas on the same port of a program that every machine has, one of them with a daemon.
const MANIFESTS: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: sleeper}
spec:
  replicas: 3
  selector: {matchLabels: {app: sleeper}}
  template:
    metadata: {labels: {app: sleeper}}
    spec:
      containers:
        - name: sleeper
          image: sleeper:1
          command: ["/bin/sh", "-c", "setsid sleep 1000 & exec sleep 1000"]
"#;

#[test]
fn nothing_is_left_after_a_kill_at_any_moment() {
    let folder = tempfile::tempdir().expect("a folder");
    let manifests = folder.path().join("k8s");
    fs::create_dir(&manifests).expect("a folder");
    fs::write(manifests.join("sleeper.yaml"), MANIFESTS).expect("a file");
    // A fixed seed: the moments are spread from before the API answers to long after all Pods run.
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    for kill in 0..KILLS {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        let moment = Duration::from_millis(seed % 2_500);
        let mut up = Up::start_in(folder.path(), &[&manifests]);
        std::thread::sleep(moment);
        let api = fs::read(folder.path().join(".flyball/state.json")).ok();
        let api = api.and_then(|state| serde_json::from_slice::<serde_json::Value>(&state).ok());
        let owner = format!("{}:", up.child.id());
        up.end("KILL");
        nothing_is_left(&owner, kill, moment);
        if let Some(address) = api
            .as_ref()
            .and_then(|state| state["api"].as_str()?.strip_prefix("https://"))
        {
            assert!(
                TcpStream::connect(address).is_err(),
                "kill {kill} after {moment:?}: {address} still listens"
            );
        }
    }
    // The next start is clean.
    let mut up = Up::start_in(folder.path(), &[&manifests]);
    up.until("all replicas run", Duration::from_secs(30), |up| {
        up.output()
            .contains("deploy/sleeper has 3 of 3 replicas ready")
            .then_some(())
    });
    let owner = format!("{}:", up.child.id());
    assert!(
        processes_with("FLYBALL_OWNER", &owner).len() >= 3,
        "the Pods' processes carry their owner's tag"
    );
    let took = up.end("TERM");
    assert!(took < Duration::from_secs(4), "the end took {took:?}");
    nothing_is_left(&owner, KILLS, took);
}

fn nothing_is_left(owner: &str, kill: usize, moment: Duration) {
    let deadline = std::time::Instant::now() + END_PATIENCE;
    loop {
        let left = processes_with("FLYBALL_OWNER", owner);
        if left.is_empty() {
            return;
        }
        assert!(
            std::time::Instant::now() < deadline,
            "kill {kill} after {moment:?} left {left:?}"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}
