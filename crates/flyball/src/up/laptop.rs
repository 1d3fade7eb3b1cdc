//! The node: this laptop, as the cluster's one place for Pods.
//!
//! ```text
//!   Pod cache ──assigned to us──> Kubelet ──status, events──> Sink ──> API
//!   Service and EndpointSlice caches ──> Services table ──> the Pods' network
//! ```

mod access;
mod exec;
mod sink;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use apiserver::pod_access::PodAccess;
use cluster::{Cache, Cluster, EventRecorder};
use flyball_core::Problem;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use node::front::Front;
use node::guardian::{Guardian, GuardianCommand};
use node::image::{HostMachine, HostTree};
use node::kubelet::{Kubelet, MemoryLimits, Parts, Settings};
use node::lifecycle::BackOffSettings;
use node::network::{Mode, Network, probe_mode};
use node::services::{Services, Table};
use serde_json::json;
use tokio::task::JoinSet;

use access::Access;
use sink::Sink;

/// What Pods get to end by themselves when `up` ends: all of it has to be over within 3 s.
const STOP_GRACE: Duration = Duration::from_secs(2);
/// Changes of Services within this time become one table.
const SETTLE: Duration = Duration::from_millis(10);
/// As many Pods as the network has addresses for without a second thought.
const PODS_MAX: u32 = 1_000;

/// The node before it runs: what must be there before the API server is.
pub(crate) struct Laptop {
    name: String,
    guardian: Guardian,
    kubelet: Arc<OnceLock<Kubelet>>,
}

/// The running node.
pub(crate) struct Running {
    kubelet: Kubelet,
    network: Arc<Network>,
    front: Front,
    tasks: JoinSet<()>,
}

impl Laptop {
    /// Starts the guardian. This comes first, while the process is small: the guardian is a fork of it.
    pub(crate) fn new() -> Result<Self, Problem> {
        let _ = node::guardian::sweep();
        let guardian = GuardianCommand::this_program([crate::GUARDIAN]).and_then(node::guardian::spawn);
        let guardian = guardian.map_err(|error| {
            Problem::new(
                "FB1024",
                format!("the guardian of the Pods' processes cannot start: {error}"),
            )
        })?;
        Ok(Self {
            name: hostname(),
            guardian,
            kubelet: Arc::default(),
        })
    }

    /// Logs and commands of Pods, for the API server.
    pub(crate) fn pod_access(&self) -> Arc<dyn PodAccess> {
        Arc::new(Access::new(self.kubelet.clone()))
    }

    /// Joins the cluster: registers the node, then runs what is assigned to it.
    pub(crate) async fn join(
        self,
        cluster: &Cluster,
        events: &EventRecorder,
        tree: &Path,
        run_folder: PathBuf,
    ) -> Result<Running, Problem> {
        let services = Services::new();
        let network = Network::start(services.clone()).map_err(|error| {
            Problem::new("FB1025", format!("the Pods' network cannot start: {error}"))
                .hint("Pods get addresses in 127.0.0.0/8; is another program using all of them?")
        })?;
        let front = Front::start(network.clone(), 0)
            .await
            .map_err(|error| Problem::new("FB1025", format!("Services cannot be offered on this machine: {error}")))?;
        let mode = probe_mode(&self.guardian);
        let sink = Arc::new(Sink::new(cluster.clone(), events.speaking_for("kubelet")));
        let settings = Settings {
            state_directory: std::path::absolute(&run_folder).unwrap_or(run_folder),
            host_ip: "127.0.0.1".to_owned(),
            back_off: BackOffSettings::default(),
            memory_limits: MemoryLimits::Enforced,
        };
        let parts = Parts {
            guardian: self.guardian,
            network: network.clone(),
            mode: mode.clone(),
            tree: Arc::new(HostTree::around(tree)),
            host: Arc::new(HostMachine),
            sink: sink.clone(),
            config: sink,
        };
        let kubelet = Kubelet::new(settings, parts);
        let _ = self.kubelet.set(kubelet.clone());
        kubelet.follow_front(front.addresses());
        register(cluster, &self.name, &mode).await?;

        let mut tasks = JoinSet::new();
        tasks.spawn(run_pods(cluster.cache(), kubelet.clone(), self.name));
        tasks.spawn(follow_configuration(cluster.cache::<ConfigMap>(), kubelet.clone()));
        tasks.spawn(follow_configuration(cluster.cache::<Secret>(), kubelet.clone()));
        tasks.spawn(follow_services(cluster.cache(), cluster.cache(), services));
        Ok(Running {
            kubelet,
            network,
            front,
            tasks,
        })
    }
}

impl Running {
    /// The Pods' network, to reach their ports from here.
    pub(crate) fn network(&self) -> &Arc<Network> {
        &self.network
    }

    /// How browsers and shells of this machine reach Services.
    pub(crate) fn front(&self) -> &Front {
        &self.front
    }

    /// What runs Pods.
    pub(crate) fn kubelet(&self) -> &Kubelet {
        &self.kubelet
    }

    /// Ends all Pods.
    pub(crate) async fn stop(mut self) {
        self.tasks.shutdown().await;
        self.kubelet.shutdown(STOP_GRACE).await;
    }
}

/// Gives every Pod that is bound to this node to the kubelet.
async fn run_pods(pods: Cache<Pod>, kubelet: Kubelet, name: String) {
    let mine = |pod: &Pod| pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()) == Some(name.as_str());
    let mut changes = pods.changes();
    while let Some(change) = changes.next().await {
        match (change.before, change.after) {
            (_, Some(pod)) if mine(&pod) => kubelet.apply((*pod).clone()),
            (Some(pod), None) if mine(&pod) => {
                if let Some(uid) = &pod.metadata.uid {
                    kubelet.remove(uid);
                }
            }
            _ => {}
        }
    }
}

/// Writes mounted ConfigMaps and Secrets anew when they change.
async fn follow_configuration<K: cluster::Cached>(objects: Cache<K>, kubelet: Kubelet) {
    let mut changes = objects.changes();
    while let Some(change) = changes.next().await {
        // What was there before this node joined is read when a Pod starts.
        if change.before.is_some() {
            kubelet.refresh_configuration(&change.key.namespace).await;
        }
    }
}

/// Keeps the table of Services as the API has it.
async fn follow_services(services: Cache<Service>, slices: Cache<EndpointSlice>, table: Arc<Services>) {
    let (mut service_changes, mut slice_changes) = (services.changes(), slices.changes());
    loop {
        tokio::select! {
            change = service_changes.next() => if change.is_none() { return },
            change = slice_changes.next() => if change.is_none() { return },
        }
        tokio::time::sleep(SETTLE).await;
        let services: Vec<Service> = services.all(None).iter().map(|service| (**service).clone()).collect();
        let slices: Vec<EndpointSlice> = slices.all(None).iter().map(|slice| (**slice).clone()).collect();
        table.replace(Table::from_objects(&services, &slices));
    }
}

/// Tells the API of this node: its name, its size, and that it is ready.
async fn register(cluster: &Cluster, name: &str, mode: &Mode) -> Result<(), Problem> {
    let labels: BTreeMap<&str, &str> = BTreeMap::from([
        ("kubernetes.io/hostname", name),
        ("kubernetes.io/os", std::env::consts::OS),
        ("kubernetes.io/arch", architecture()),
    ]);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let room = json!({"cpu": cores.to_string(), "memory": memory(), "pods": PODS_MAX.to_string()});
    // A laptop runs more than its cores would hold in production: requests reserve nothing here.
    let offered = json!({"cpu": "1000", "memory": "1000Gi", "pods": PODS_MAX.to_string()});
    let now = flyball_core::Clock::now(&cluster::SystemClock);
    let node = json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels, "annotations": {"flyball.dev/network": mode.to_string()}},
    });
    let status = json!({"status": {
        "capacity": room,
        "allocatable": offered,
        "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}, {"type": "Hostname", "address": name}],
        "conditions": [{
            "type": "Ready", "status": "True", "reason": "KubeletReady", "message": "Pods run as processes",
            "lastHeartbeatTime": now, "lastTransitionTime": now,
        }],
        "nodeInfo": {
            "architecture": architecture(), "operatingSystem": std::env::consts::OS,
            "kubeletVersion": concat!("v", env!("CARGO_PKG_VERSION"), "-flyball"), "kubeProxyVersion": "",
            "containerRuntimeVersion": "process://1", "osImage": "this laptop", "kernelVersion": kernel(),
            "machineID": "", "systemUUID": "", "bootID": "",
        },
    }});
    let nodes = cluster.objects::<k8s_openapi::api::core::v1::Node>(None);
    let failed = |error: cluster::Error| Problem::new("FB1026", format!("the node cannot be registered: {error}"));
    match nodes.create(&node).await {
        Err(error) if !error.is_already_exists() => return Err(failed(error)),
        _ => {}
    }
    nodes
        .patch_status(name, &cluster::Patch::Merge(status))
        .await
        .map_err(failed)?;
    Ok(())
}

/// Kubernetes' names for architectures are Go's.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn hostname() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name: String = name.trim().to_ascii_lowercase().replace('_', "-");
    match name.is_empty() || name == "(none)" {
        true => "laptop".to_owned(),
        false => name,
    }
}

fn kernel() -> String {
    std::fs::read_to_string("/proc/sys/kernel/osrelease")
        .unwrap_or_default()
        .trim()
        .to_owned()
}

fn memory() -> String {
    let info = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = info.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kibibytes = total.and_then(|total| total.trim().split(' ').next()).unwrap_or("0");
    format!("{kibibytes}Ki")
}
