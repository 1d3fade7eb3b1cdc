//! Pods as objects in, processes and statuses out.

#![cfg(target_os = "linux")]

#[allow(unreachable_pub, missing_docs, dead_code, reason = "a module of several tests")]
mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Pod, PodStatus, Secret};
use node::image::{HostMachine, HostTree};
use node::kubelet::{BoxFuture, ConfigSource, Kubelet, MemoryLimits, Parts, PodEvent, PodRef, PodSink, Settings};
use node::lifecycle::BackOffSettings;
use node::logs::LogOptions;
use node::network::{Mode, Network, probe_mode};
use node::services::{ClusterService, Endpoint, Protocol, ServiceKind, ServicePort, Services, Table};
use serde_json::json;
use tokio::sync::watch;

/// What the API server would hold.
#[derive(Default)]
struct Recorded {
    statuses: std::collections::BTreeMap<String, PodStatus>,
    deleted: Vec<String>,
    events: Vec<(String, &'static str, String)>,
}

struct Sink {
    recorded: Mutex<Recorded>,
    changed: watch::Sender<()>,
}

impl PodSink for Sink {
    fn patch_status<'a>(&'a self, pod: &'a PodRef, status: PodStatus) -> BoxFuture<'a, Result<(), String>> {
        self.recorded.lock().unwrap().statuses.insert(pod.name.clone(), status);
        self.changed.send_replace(());
        Box::pin(async { Ok(()) })
    }

    fn deleted<'a>(&'a self, pod: &'a PodRef) -> BoxFuture<'a, Result<(), String>> {
        self.recorded.lock().unwrap().deleted.push(pod.name.clone());
        self.changed.send_replace(());
        Box::pin(async { Ok(()) })
    }

    fn event<'a>(&'a self, pod: &'a PodRef, event: PodEvent) -> BoxFuture<'a, ()> {
        self.recorded
            .lock()
            .unwrap()
            .events
            .push((pod.name.clone(), event.reason, event.message));
        self.changed.send_replace(());
        Box::pin(async {})
    }
}

struct Config;

impl ConfigSource for Config {
    fn config_map<'a>(&'a self, _: &'a str, name: &'a str) -> BoxFuture<'a, Result<Option<ConfigMap>, String>> {
        let map = (name == "settings").then(|| serde_json::from_value(json!({"data": {"GREETING": "hello"}})).unwrap());
        Box::pin(async { Ok(map) })
    }

    fn secret<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Result<Option<Secret>, String>> {
        Box::pin(async { Ok(None) })
    }

    fn token<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Option<String>> {
        Box::pin(async { None })
    }
}

/// The state folder as a source tree, looked at when asked.
struct LateTree(std::path::PathBuf);

impl node::image::Tree for LateTree {
    fn root(&self) -> &std::path::Path {
        &self.0
    }

    fn find(&self, is_wanted: &dyn Fn(&str) -> bool) -> Vec<std::path::PathBuf> {
        HostTree::around(&self.0).find(is_wanted)
    }

    fn read(&self, path: &std::path::Path) -> Option<String> {
        std::fs::read_to_string(path).ok()
    }

    fn exists(&self, path: &std::path::Path) -> bool {
        path.exists()
    }
}

struct Cluster {
    kubelet: Kubelet,
    sink: Arc<Sink>,
    services: Arc<Services>,
    network: Arc<Network>,
    _state: tempfile::TempDir,
}

impl Cluster {
    fn new() -> Option<Self> {
        let guardian = support::guardian();
        let mode = probe_mode(&guardian);
        support::is_intercepted(&mode).then(|| Self::with_mode(guardian, mode))
    }

    fn with_mode(guardian: node::guardian::Guardian, mode: Mode) -> Self {
        let services = Services::new();
        let network = Network::start(Arc::clone(&services)).unwrap();
        let state = tempfile::tempdir().unwrap();
        let sink = Arc::new(Sink {
            recorded: Mutex::default(),
            changed: watch::Sender::new(()),
        });
        let settings = Settings {
            state_directory: state.path().to_owned(),
            host_ip: "127.0.0.1".into(),
            back_off: BackOffSettings {
                base: Duration::from_millis(50),
                max: Duration::from_secs(1),
            },
            memory_limits: MemoryLimits::Enforced,
        };
        let parts = Parts {
            guardian,
            network: network.clone(),
            mode,
            tree: Arc::new(LateTree(state.path().canonicalize().unwrap())),
            host: Arc::new(HostMachine),
            sink: sink.clone(),
            config: Arc::new(Config),
        };
        Cluster {
            kubelet: Kubelet::new(settings, parts),
            sink,
            services,
            network,
            _state: state,
        }
    }

    fn pod(name: &str, spec: serde_json::Value) -> Pod {
        serde_json::from_value(json!({
            "metadata": {"name": name, "namespace": "default", "uid": format!("uid-{name}"), "generation": 1},
            "spec": spec
        }))
        .unwrap()
    }

    /// Waits until what was recorded is as wanted; the patience is for a machine that does much else.
    async fn until<T>(&self, what: &str, look: impl Fn(&Recorded) -> Option<T>) -> T {
        let mut changed = self.sink.changed.subscribe();
        let waiting = async {
            loop {
                changed.borrow_and_update();
                if let Some(found) = look(&self.sink.recorded.lock().unwrap()) {
                    return found;
                }
                changed.changed().await.unwrap();
            }
        };
        match tokio::time::timeout(Duration::from_secs(20), waiting).await {
            Ok(found) => found,
            Err(_) => {
                let recorded = self.sink.recorded.lock().unwrap();
                panic!("not seen: {what}\n{:#?}\n{:#?}", recorded.events, recorded.statuses)
            }
        }
    }

    async fn until_ready(&self, name: &str) -> String {
        self.until(&format!("{name} is ready"), |recorded| {
            let status = recorded.statuses.get(name)?;
            let ready = status
                .conditions
                .as_ref()?
                .iter()
                .find(|condition| condition.type_ == "Ready")?;
            (ready.status == "True").then(|| status.pod_ip.clone())?
        })
        .await
    }

    async fn until_phase(&self, name: &str, phase: &str) -> PodStatus {
        self.until(&format!("{name} is {phase}"), |recorded| {
            recorded
                .statuses
                .get(name)
                .filter(|status| status.phase.as_deref() == Some(phase))
                .cloned()
        })
        .await
    }

    async fn log(&self, name: &str, options: LogOptions) -> String {
        let mut chunks = self.kubelet.logs(&format!("uid-{name}"), "main", options).unwrap();
        let mut text = Vec::new();
        while let Some(chunk) = chunks.recv().await {
            text.extend_from_slice(&chunk);
        }
        String::from_utf8(text).unwrap()
    }
}

fn server(name: &str) -> Pod {
    Cluster::pod(
        name,
        json!({
            "terminationGracePeriodSeconds": 5,
            "containers": [{
                "name": "main",
                "image": "web:1",
                "command": [support::fixture(), "serve", "0.0.0.0:$(PORT)"],
                "ports": [{"name": "http", "containerPort": 8080}],
                "env": [
                    {"name": "PORT", "value": "8080"},
                    {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                ],
                "envFrom": [{"configMapRef": {"name": "settings"}}],
                "readinessProbe": {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 1},
            }]
        }),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_become_ready_serve_by_name_and_go_on_deletion() {
    let Some(cluster) = Cluster::new() else {
        return;
    };
    for name in ["web-0", "web-1"] {
        cluster.kubelet.apply(server(name));
    }
    let mut endpoints = Vec::new();
    for name in ["web-0", "web-1"] {
        let address = cluster.until_ready(name).await.parse().unwrap();
        endpoints.push(Endpoint {
            address,
            port: 8080,
            hostname: None,
            ready: true,
        });
    }
    cluster.services.replace(Table::new([ClusterService {
        namespace: "default".into(),
        name: "web".into(),
        kind: ServiceKind::Cluster("10.96.0.7".parse().unwrap()),
        ports: vec![ServicePort {
            name: None,
            port: 80,
            protocol: Protocol::Tcp,
            endpoints,
        }],
        affinity: None,
    }]));
    cluster.kubelet.apply(Cluster::pod(
        "client",
        json!({
            "restartPolicy": "Never",
            "containers": [{"name": "main", "image": "x", "command": [support::fixture(), "get", "web:80", "4"]}]
        }),
    ));
    let status = cluster.until_phase("client", "Succeeded").await;
    let ended = status.container_statuses.unwrap()[0]
        .state
        .clone()
        .unwrap()
        .terminated
        .unwrap();
    assert_eq!((ended.exit_code, ended.reason.as_deref()), (0, Some("Completed")));
    let log = cluster.log("client", LogOptions::default()).await;
    let mut names: Vec<&str> = log.lines().filter_map(|line| line.split(' ').next()).collect();
    names.sort_unstable();
    assert_eq!(names, ["web-0", "web-0", "web-1", "web-1"]);
    assert!(
        cluster
            .log(
                "web-0",
                LogOptions {
                    timestamps: true,
                    ..LogOptions::default()
                }
            )
            .await
            .contains("Z listening on")
    );

    let stats = cluster.kubelet.stats();
    assert_eq!(
        stats.iter().map(|stats| stats.pod.name.as_str()).collect::<Vec<_>>(),
        ["web-0", "web-1"]
    );
    assert!(stats[0].memory_bytes > 0 && stats[0].processes == 1);

    let mut session = cluster
        .kubelet
        .exec(
            "uid-web-0",
            "main",
            &["sh".into(), "-c".into(), "cat; echo $GREETING".into()],
        )
        .await
        .unwrap();
    use std::io::Write;
    session.stdin.write_all(b"input ").unwrap();
    drop(session.stdin);
    assert_eq!(session.ended.await.unwrap(), 0);
    let mut output = String::new();
    std::io::Read::read_to_string(&mut std::fs::File::from(session.stdout), &mut output).unwrap();
    assert_eq!(output, "input hello\n");

    let command = [
        "sh".to_owned(),
        "-c".to_owned(),
        "tty > /dev/null && stty size; exit 4".to_owned(),
    ];
    let session = cluster
        .kubelet
        .exec_terminal("uid-web-0", "main", &command, (33, 99))
        .await
        .unwrap();
    assert_eq!(session.ended.await.unwrap(), 4);
    let mut shown = Vec::new();
    let _ = std::io::Read::read_to_end(&mut std::fs::File::from(session.terminal.0), &mut shown);
    assert_eq!(String::from_utf8(shown).unwrap(), "33 99\r\n");

    let mut deleted = server("web-0");
    deleted.metadata.deletion_timestamp = serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap();
    deleted.metadata.deletion_grace_period_seconds = Some(5);
    cluster.kubelet.apply(deleted);
    cluster
        .until("web-0 is deleted", |recorded| {
            recorded.deleted.contains(&"web-0".to_owned()).then_some(())
        })
        .await;
    cluster.kubelet.shutdown(Duration::from_secs(1)).await;
    assert!(cluster.kubelet.pods().is_empty());
    assert_eq!(cluster.sink.recorded.lock().unwrap().deleted, ["web-0"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crashing_container_backs_off_and_its_previous_log_is_kept() {
    let Some(cluster) = Cluster::new() else {
        return;
    };
    let spec = json!({"containers": [{"name": "main", "image": "x", "command": ["sh", "-c", "echo run; exit 3"]}]});
    cluster.kubelet.apply(Cluster::pod("crash", spec));
    let status = cluster
        .until("a back-off", |recorded| {
            let status = &recorded.statuses.get("crash")?.container_statuses.as_ref()?[0];
            let waiting = status.state.as_ref()?.waiting.as_ref()?.reason.as_deref()?;
            (waiting == "CrashLoopBackOff" && status.restart_count >= 2).then(|| status.clone())
        })
        .await;
    assert_eq!(status.last_state.unwrap().terminated.unwrap().exit_code, 3);
    assert_eq!(
        cluster
            .log(
                "crash",
                LogOptions {
                    previous: true,
                    ..LogOptions::default()
                }
            )
            .await,
        "run\n"
    );
    cluster.kubelet.remove("uid-crash");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_missing_is_said() {
    let Some(cluster) = Cluster::new() else {
        return;
    };
    let waiting = async |name: &str, container: serde_json::Value| {
        cluster
            .kubelet
            .apply(Cluster::pod(name, json!({"containers": [container]})));
        cluster
            .until("a reason", |recorded| {
                let status = &recorded.statuses.get(name)?.container_statuses.as_ref()?[0];
                let waiting = status.state.as_ref()?.waiting.clone()?;
                (waiting.reason.as_deref() != Some("ContainerCreating"))
                    .then(|| (waiting.reason.unwrap(), waiting.message.unwrap()))
            })
            .await
    };
    let (reason, message) = waiting("ghost", json!({"name": "main", "image": "acme/ghost:1"})).await;
    assert_eq!(reason, "NoCommandForImage");
    assert!(message.contains("flyball.dev/run"), "{message}");
    let missing =
        json!({"name": "main", "image": "x", "command": ["true"], "envFrom": [{"configMapRef": {"name": "no"}}]});
    let (reason, message) = waiting("config", missing).await;
    assert_eq!(
        (reason.as_str(), message.as_str()),
        ("CreateContainerConfigError", "configmap \"no\" not found")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_container_above_its_memory_limit_is_killed_and_says_so() {
    let Some(cluster) = Cluster::new() else { return };
    let spec = json!({
        "restartPolicy": "Never",
        "containers": [{
            "name": "main",
            "image": "x",
            "command": [support::fixture(), "eat", "96"],
            "resources": {"limits": {"memory": "64Mi"}}
        }]
    });
    cluster.kubelet.apply(Cluster::pod("hungry", spec));
    let status = cluster.until_phase("hungry", "Failed").await;
    let ended = status.container_statuses.unwrap()[0]
        .state
        .clone()
        .unwrap()
        .terminated
        .unwrap();
    assert_eq!((ended.exit_code, ended.reason.as_deref()), (137, Some("OOMKilled")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn volumes_are_seen_at_their_paths() {
    let Some(cluster) = Cluster::new() else { return };
    let script = "cat /etc/flyball-test/settings/GREETING /new/root/GREETING; echo; \
                  echo kept > /var/lib/flyball-test/file; cat /var/lib/flyball-test/file /scratch-of-test/none; \
                  touch /etc/flyball-test/settings/x || echo read-only; ls /etc/hostname /usr/bin/env";
    let mount = |name: &str, path: &str| json!({"name": name, "mountPath": path});
    let spec = json!({
        "restartPolicy": "Never",
        "volumes": [
            {"name": "settings", "configMap": {"name": "settings"}},
            {"name": "data", "persistentVolumeClaim": {"claimName": "data"}},
            {"name": "scratch", "emptyDir": {}}
        ],
        "containers": [{
            "name": "main",
            "image": "x",
            "command": ["sh", "-c", script],
            "volumeMounts": [
                mount("settings", "/etc/flyball-test/settings"), mount("settings", "/new/root"),
                mount("data", "/var/lib/flyball-test"), mount("scratch", "/scratch-of-test")
            ]
        }]
    });
    cluster.kubelet.apply(Cluster::pod("reader", spec));
    cluster
        .until("the end", |recorded| {
            let phase = recorded.statuses.get("reader")?.phase.clone()?;
            (phase == "Succeeded" || phase == "Failed").then_some(())
        })
        .await;
    let rewritten = cluster
        .sink
        .recorded
        .lock()
        .unwrap()
        .events
        .iter()
        .any(|(_, reason, _)| *reason == "MountsRewritten");
    let is_known = std::env::var_os("FLYBALL_TEST_WITHOUT_MOUNTS").is_some();
    assert!(
        !rewritten || is_known,
        "no mount namespace (set FLYBALL_TEST_WITHOUT_MOUNTS where that is so)"
    );
    if rewritten {
        return;
    }
    let log = cluster.log("reader", LogOptions::default()).await;
    assert!(log.contains("hellohello\n") && log.contains("kept\n"), "{log}");
    assert!(log.contains("read-only") && log.contains("/usr/bin/env"), "{log}");
    assert!(!std::path::Path::new("/etc/flyball-test").exists() && !std::path::Path::new("/new").exists());
    let kept = cluster._state.path().join("claims/default/data/file");
    assert_eq!(std::fs::read_to_string(kept).unwrap(), "kept\n");
}

/// Where nothing may be intercepted, replicas get ports of the host and find Services by variables.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_interception_ports_are_allocated() {
    let mode = Mode::AllocatedPorts {
        reason: "a test".into(),
    };
    let cluster = Cluster::with_mode(support::guardian(), mode);
    let network = cluster.network.clone();
    let front = node::front::Front::start(network, 0).await.unwrap();
    cluster.kubelet.follow_front(front.addresses());
    let mut endpoints = Vec::new();
    for name in ["web-0", "web-1"] {
        let mut pod = server(name);
        // The program listens where it is told.
        pod.spec.as_mut().unwrap().containers[0]
            .env
            .as_mut()
            .unwrap()
            .retain(|variable| variable.name != "PORT");
        cluster.kubelet.apply(pod);
        let address = cluster.until_ready(name).await.parse().unwrap();
        endpoints.push(Endpoint {
            address,
            port: 8080,
            hostname: None,
            ready: true,
        });
    }
    cluster.services.replace(Table::new([ClusterService {
        namespace: "default".into(),
        name: "web".into(),
        kind: ServiceKind::Cluster("10.96.0.7".parse().unwrap()),
        ports: vec![ServicePort {
            name: None,
            port: 80,
            protocol: Protocol::Tcp,
            endpoints,
        }],
        affinity: None,
    }]));
    front.addresses().wait_for(|all| !all.is_empty()).await.unwrap();
    let address = "$(WEB_SERVICE_HOST):$(WEB_SERVICE_PORT)";
    cluster.kubelet.apply(Cluster::pod(
        "client",
        json!({
            "restartPolicy": "Never",
            "containers": [{"name": "main", "image": "x", "command": [support::fixture(), "get", address, "2"]}]
        }),
    ));
    cluster.until_phase("client", "Succeeded").await;
    let log = cluster.log("client", LogOptions::default()).await;
    let mut names: Vec<&str> = log.lines().filter_map(|line| line.split(' ').next()).collect();
    names.sort_unstable();
    assert_eq!(names, ["web-0", "web-1"], "{log}");
    let told = cluster
        .sink
        .recorded
        .lock()
        .unwrap()
        .events
        .iter()
        .any(|(_, reason, _)| *reason == "PortAllocated");
    assert!(told, "the user hears of a port that is not the declared one");
    cluster.kubelet.shutdown(Duration::from_secs(1)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pod_that_must_end_does_not_wait_for_its_build() {
    let Some(cluster) = Cluster::new() else { return };
    // A cargo package whose build script takes an hour.
    let folder = cluster._state.path().join("slow");
    std::fs::create_dir_all(folder.join("src")).unwrap();
    std::fs::write(
        folder.join("Cargo.toml"),
        "[package]\nname = \"slow\"\nedition = \"2024\"\n[workspace]\n",
    )
    .unwrap();
    std::fs::write(folder.join("src/main.rs"), "fn main() {}").unwrap();
    std::fs::write(
        folder.join("build.rs"),
        "fn main() { std::thread::sleep(std::time::Duration::from_secs(3600)) }",
    )
    .unwrap();
    let slow = std::time::Instant::now();
    cluster.kubelet.apply(Cluster::pod(
        "slow",
        json!({"containers": [{"name": "main", "image": "acme/slow:1"}]}),
    ));
    cluster
        .until("it is built", |recorded| {
            recorded
                .events
                .iter()
                .any(|(_, reason, _)| *reason == "Building")
                .then_some(())
        })
        .await;
    cluster.kubelet.shutdown(Duration::from_secs(1)).await;
    assert!(slow.elapsed() < Duration::from_secs(10), "{:?}", slow.elapsed());
}
