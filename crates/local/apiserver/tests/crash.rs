//! SIGKILL at any moment: what was acknowledged is there afterwards.
//!
//! The test starts itself again as a child that writes and says what was acknowledged, and kills it.

mod support;

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, ListParams, ObjectMeta, PostParams};

/// Where the child writes; its presence makes a test process the child.
const DATA: &str = "FLYBALL_TEST_CRASH_DATA";

/// Acknowledged writes before each kill.
const KILL_AFTER: [usize; 4] = [1, 2, 17, 40];

#[tokio::test]
async fn child_that_writes_until_it_is_killed() {
    let Some(data) = std::env::var_os(DATA) else { return };
    let server = support::builder().data(Some(data.into())).build().expect("built");
    let api: Api<ConfigMap> = Api::default_namespaced(kube::Client::new(server.service(), "default"));
    let prefix = std::process::id();
    for number in 0.. {
        let name = format!("{prefix}-{number}");
        let metadata = ObjectMeta {
            name: Some(name.clone()),
            ..ObjectMeta::default()
        };
        let object = ConfigMap {
            metadata,
            ..ConfigMap::default()
        };
        api.create(&PostParams::default(), &object).await.expect("acknowledged");
        println!("acknowledged {name}");
    }
}

#[tokio::test]
async fn a_kill_loses_no_acknowledged_write() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut acknowledged = Vec::new();
    for writes in KILL_AFTER {
        let mut child = Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", "child_that_writes_until_it_is_killed", "--nocapture"])
            .env(DATA, folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the child starts");
        let lines = BufReader::new(child.stdout.take().expect("its words")).lines();
        let words = lines.map_while(Result::ok);
        let names = words.filter_map(|line| line.strip_prefix("acknowledged ").map(str::to_owned));
        let before = acknowledged.len();
        acknowledged.extend(names.take(writes));
        assert_eq!(acknowledged.len(), before + writes, "the child writes");
        child.kill().expect("killed");
        child.wait().expect("gone");
    }
    let server = support::builder()
        .data(Some(folder.path().to_owned()))
        .build()
        .expect("built");
    let api: Api<ConfigMap> = Api::default_namespaced(kube::Client::new(server.service(), "default"));
    let present = api.list(&ListParams::default()).await.expect("a list").items;
    let present: Vec<String> = present.into_iter().filter_map(|object| object.metadata.name).collect();
    let lost: Vec<_> = acknowledged.iter().filter(|name| !present.contains(name)).collect();
    assert!(lost.is_empty(), "{lost:?}");
    assert!(present.len() >= KILL_AFTER.iter().sum());
}
