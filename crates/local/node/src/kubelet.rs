//! The edge that runs Pods: it turns the machine's actions into processes, probes and status writes.
//!
//! ```text
//!   apply(Pod) ──> one task per Pod ──event──> PodMachine (pure) ──actions──> start / signal / probe / hook
//!                        ^                                                        │
//!                        └──────────── Started, Ended, Probed, Hooked ────────────┘
//!                        └── status (latest wins) ──> writer task ──> PodSink ──> API server
//! ```
//!
//! The kubelet knows no API server: Pods come by [`Kubelet::apply`], results leave through a [`PodSink`], and
//! ConfigMaps and Secrets come from a [`ConfigSource`]. So it is tested with a vector.

mod actor;
mod exec;
mod memory;
mod start;
mod stats;
mod volumes;
mod writer;

use std::collections::HashMap;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, PodStatus, Secret};
use tokio::sync::{mpsc, watch};

pub use exec::{ExecError, ExecSession, Terminal, TerminalSession};
pub use stats::ContainerStats;

use crate::front::FrontAddress;
use crate::guardian::Guardian;
use crate::image::{Host, Tree};
use crate::lifecycle::{BackOffSettings, Moment};
use crate::logs::{self, LogFile, LogOptions};
use crate::network::{Mode, Network, PodNetwork};

/// A boxed future, so that the traits below can be used behind a pointer.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// An Event about a Pod, to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodEvent {
    /// `Normal` or `Warning`.
    pub kind: &'static str,
    /// One word.
    pub reason: &'static str,
    /// A sentence.
    pub message: String,
    /// `spec.containers{NAME}` when it is about a container.
    pub field_path: Option<String>,
}

/// Where results go. Failures are the sink's to retry, except where a result says so.
pub trait PodSink: Send + Sync + 'static {
    /// Writes the status subresource of this Pod (if it still has this uid). `Err` asks for another try.
    fn patch_status<'a>(&'a self, pod: &'a PodRef, status: PodStatus) -> BoxFuture<'a, Result<(), String>>;
    /// All processes of a Pod that was being deleted are gone: deletes its object for good.
    fn deleted<'a>(&'a self, pod: &'a PodRef) -> BoxFuture<'a, Result<(), String>>;
    /// Records an Event about the Pod.
    fn event<'a>(&'a self, pod: &'a PodRef, event: PodEvent) -> BoxFuture<'a, ()>;
}

/// Where configuration comes from. `Ok(None)`: it does not exist.
pub trait ConfigSource: Send + Sync + 'static {
    /// A ConfigMap.
    fn config_map<'a>(&'a self, namespace: &'a str, name: &'a str) -> BoxFuture<'a, Result<Option<ConfigMap>, String>>;
    /// A Secret.
    fn secret<'a>(&'a self, namespace: &'a str, name: &'a str) -> BoxFuture<'a, Result<Option<Secret>, String>>;
    /// A token for a service account, for its usual file; none when there is no such account.
    fn token<'a>(&'a self, namespace: &'a str, account: &'a str) -> BoxFuture<'a, Option<String>>;
}

/// Which Pod: name and identity.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PodRef {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its identity.
    pub uid: String,
}

impl PodRef {
    /// The identity of a Pod object; `None` when it lacks a name or uid.
    #[must_use]
    pub fn of(pod: &Pod) -> Option<Self> {
        Some(PodRef {
            namespace: pod.metadata.namespace.clone().unwrap_or_else(|| "default".to_owned()),
            name: pod.metadata.name.clone()?,
            uid: pod.metadata.uid.clone()?,
        })
    }
}

/// The settings of a node.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where logs, volumes and working directories are kept.
    pub state_directory: PathBuf,
    /// The node's address, as the API shows it.
    pub host_ip: String,
    /// Restart back-off.
    pub back_off: BackOffSettings,
    /// What memory limits do.
    pub memory_limits: MemoryLimits,
}

/// What happens when a container's processes use more memory than its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemoryLimits {
    /// Nothing.
    Ignored,
    /// It is killed and shown as `OOMKilled`, within about a second.
    Enforced,
}

/// A node's runtime. A clone is the same node.
#[derive(Clone)]
pub struct Kubelet {
    node: Arc<Node>,
}

/// What all Pods of a node share.
pub(crate) struct Node {
    pub(crate) settings: Settings,
    pub(crate) guardian: Guardian,
    pub(crate) network: Arc<Network>,
    pub(crate) mode: Mode,
    pub(crate) tree: Arc<dyn Tree + Send + Sync>,
    pub(crate) host: Arc<dyn Host + Send + Sync>,
    pub(crate) sink: Arc<dyn PodSink>,
    pub(crate) config: Arc<dyn ConfigSource>,
    pub(crate) builds: start::Builds,
    mounting: tokio::sync::OnceCell<volumes::Mounting>,
    front: std::sync::OnceLock<watch::Receiver<Vec<FrontAddress>>>,
    /// The clock that only goes forward: wall time at its start plus what has passed since.
    epoch: (Moment, Instant),
    pods: Mutex<HashMap<String, Entry>>,
}

/// A Pod that this node knows.
#[derive(Clone)]
struct Entry {
    pod: PodRef,
    messages: mpsc::UnboundedSender<actor::Message>,
    shared: Arc<PodShared>,
}

/// What others may see of a Pod.
pub(crate) struct PodShared {
    /// The object as it was last seen.
    pub(crate) pod: Mutex<Arc<Pod>>,
    pub(crate) network: Arc<PodNetwork>,
    /// Turns true when the Pod must end.
    pub(crate) stopping: watch::Sender<bool>,
    pub(crate) containers: Mutex<HashMap<String, ContainerShared>>,
}

/// The present start of a container.
#[derive(Clone)]
pub(crate) struct ContainerShared {
    /// Its place in the Pod's list.
    pub(crate) index: usize,
    /// Which of its starts.
    pub(crate) attempt: u32,
    pub(crate) memory_limit_bytes: Option<u64>,
    pub(crate) spec: Option<crate::guardian::ProcessSpec>,
    pub(crate) pid: Option<i32>,
    /// The logs of this start and the one before; the newest last.
    pub(crate) logs: Vec<PathBuf>,
    pub(crate) live: Option<watch::Receiver<u64>>,
}

/// The parts that a node is made of.
pub struct Parts {
    /// What starts processes.
    pub guardian: Guardian,
    /// The network.
    pub network: Arc<Network>,
    /// What interception works here; see [`crate::network::probe_mode`].
    pub mode: Mode,
    /// The source tree.
    pub tree: Arc<dyn Tree + Send + Sync>,
    /// The machine.
    pub host: Arc<dyn Host + Send + Sync>,
    /// Where results go.
    pub sink: Arc<dyn PodSink>,
    /// Where configuration comes from.
    pub config: Arc<dyn ConfigSource>,
}

/// Why something cannot be asked of a Pod.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// No such Pod here.
    #[error("pod {0} is not on this node")]
    NoPod(String),
    /// No such container, or it has not been started.
    #[error("container {container} in pod {pod} is not available: {why}")]
    NoContainer {
        /// The Pod.
        pod: String,
        /// The container.
        container: String,
        /// More words.
        why: &'static str,
    },
}

impl Kubelet {
    /// A node with no Pods. Must be called inside a tokio runtime.
    #[must_use]
    pub fn new(settings: Settings, parts: Parts) -> Self {
        let Parts {
            guardian,
            network,
            mode,
            tree,
            host,
            sink,
            config,
        } = parts;
        let node = Arc::new(Node {
            settings,
            guardian,
            network,
            mode,
            tree,
            host,
            sink,
            config,
            builds: start::Builds::default(),
            mounting: tokio::sync::OnceCell::new(),
            front: std::sync::OnceLock::new(),
            epoch: (Moment::now(), Instant::now()),
            pods: Mutex::default(),
        });
        if node.settings.memory_limits == MemoryLimits::Enforced {
            tokio::spawn(memory::enforce(Arc::downgrade(&node)));
        }
        Kubelet { node }
    }

    /// Tells where Services are reached on this machine. It matters where calls are not intercepted: there the
    /// variables `NAME_SERVICE_HOST` and `NAME_SERVICE_PORT` of Pods started from now on name these addresses.
    pub fn follow_front(&self, addresses: watch::Receiver<Vec<FrontAddress>>) {
        let _ = self.node.front.set(addresses);
    }

    /// A Pod bound to this node was added or changed. Its deletion timestamp starts its end.
    pub fn apply(&self, pod: Pod) {
        let Some(pod_ref) = PodRef::of(&pod) else {
            return;
        };
        let mut pods = lock(&self.node.pods);
        // A Pod whose name was taken over by another one: the old one's object is gone.
        for entry in pods.values() {
            if entry.pod.uid != pod_ref.uid
                && entry.pod.namespace == pod_ref.namespace
                && entry.pod.name == pod_ref.name
            {
                let _ = entry.messages.send(actor::Message::Gone);
            }
        }
        if let Some(entry) = pods.get(&pod_ref.uid) {
            let _ = entry.messages.send(actor::Message::Updated(Box::new(pod)));
            return;
        }
        if is_over(&pod) {
            return;
        }
        match actor::spawn(&self.node, pod_ref.clone(), pod) {
            Ok((messages, shared)) => drop(pods.insert(
                pod_ref.uid.clone(),
                Entry {
                    pod: pod_ref,
                    messages,
                    shared,
                },
            )),
            Err(why) => tracing::error!(pod = pod_ref.name, why, "the pod has no place on the network"),
        }
    }

    /// A Pod's object is gone from the API: its processes end at once.
    pub fn remove(&self, uid: &str) {
        if let Some(entry) = lock(&self.node.pods).get(uid) {
            let _ = entry.messages.send(actor::Message::Gone);
        }
    }

    /// Ends all Pods, at the latest after `grace`, and returns when their processes are gone. Their objects
    /// stay as they are.
    pub async fn shutdown(&self, grace: Duration) {
        let waiting: Vec<_> = {
            let pods = lock(&self.node.pods);
            let stop = |entry: &Entry| {
                let (done_tx, done) = tokio::sync::oneshot::channel();
                entry
                    .messages
                    .send(actor::Message::ShutDown { grace, done: done_tx })
                    .ok()
                    .map(|()| done)
            };
            pods.values().filter_map(stop).collect()
        };
        for done in waiting {
            let _ = done.await;
        }
    }

    /// The Pods on this node.
    #[must_use]
    pub fn pods(&self) -> Vec<PodRef> {
        let mut all: Vec<PodRef> = lock(&self.node.pods).values().map(|entry| entry.pod.clone()).collect();
        all.sort_unstable();
        all
    }

    /// How this node's Pods reach the network.
    #[must_use]
    pub fn mode(&self) -> &Mode {
        &self.node.mode
    }

    /// A container's log as a stream of chunks; see [`LogOptions`].
    ///
    /// # Errors
    /// [`Unavailable`].
    pub fn logs(&self, uid: &str, container: &str, options: LogOptions) -> Result<mpsc::Receiver<Bytes>, Unavailable> {
        let entry = self.entry(uid)?;
        let none = |why| Unavailable::NoContainer {
            pod: entry.pod.name.clone(),
            container: container.to_owned(),
            why,
        };
        let containers = lock(&entry.shared.containers);
        let found = containers.get(container).ok_or_else(|| none("waiting to start"))?;
        let age = if options.previous { 2 } else { 1 };
        let path = found.logs.len().checked_sub(age).and_then(|at| found.logs.get(at));
        let path = path.ok_or_else(|| none("previous terminated container not found"))?;
        let live = found.live.clone().filter(|_| !options.previous);
        Ok(logs::read(path.clone(), options, live))
    }

    /// Connects to a port of a Pod, as `kubectl port-forward` does.
    ///
    /// # Errors
    /// [`Unavailable`] or what the connection says, both as I/O errors.
    pub async fn port_forward(&self, uid: &str, port: u16) -> std::io::Result<tokio::net::TcpStream> {
        let entry = self.entry(uid).map_err(std::io::Error::other)?;
        let network = &entry.shared.network;
        let mesh = tokio::net::TcpStream::connect(self.node.network.reach(network.api, port)).await;
        // A port that the program bound on its localhost is forwarded too, as in a cluster.
        match (mesh, network.private_port(port)) {
            (Err(_), Some(private)) => tokio::net::TcpStream::connect(private).await,
            (mesh, _) => mesh,
        }
    }

    fn entry(&self, uid: &str) -> Result<Entry, Unavailable> {
        lock(&self.node.pods)
            .get(uid)
            .cloned()
            .ok_or_else(|| Unavailable::NoPod(uid.to_owned()))
    }
}

impl Node {
    pub(crate) fn now(&self) -> Moment {
        self.epoch.0 + self.epoch.1.elapsed()
    }

    fn forget(&self, uid: &str) {
        lock(&self.pods).remove(uid);
    }

    /// The folder of a Pod's files.
    pub(crate) fn pod_directory(&self, pod: &PodRef) -> PathBuf {
        self.settings
            .state_directory
            .join("pods")
            .join(format!("{}_{}_{}", pod.namespace, pod.name, pod.uid))
    }

    /// The folder of a Pod's logs, in the layout of `/var/log/pods`.
    pub(crate) fn log_directory(&self, pod: &PodRef) -> PathBuf {
        let folder = format!("{}_{}_{}", pod.namespace, pod.name, pod.uid);
        self.settings.state_directory.join("logs").join(folder)
    }

    /// The log of one start of a container.
    pub(crate) fn log_path(&self, pod: &PodRef, container: &str, attempt: u32) -> PathBuf {
        let count = attempt.saturating_sub(1);
        self.log_directory(pod).join(container).join(format!("{count}.log"))
    }
}

impl ContainerShared {
    pub(crate) fn new() -> Self {
        ContainerShared {
            index: 0,
            attempt: 0,
            memory_limit_bytes: None,
            spec: None,
            pid: None,
            logs: Vec::new(),
            live: None,
        }
    }

    /// Notes the log of a new start and keeps the one before.
    pub(crate) fn begin_log(&mut self, log: &LogFile) {
        self.logs.push(log.path().to_owned());
        self.live = Some(log.subscribe());
        while self.logs.len() > 2 {
            // Older ones are not asked for by anyone.
            let old = self.logs.remove(0);
            logs::remove(&old);
        }
    }
}

/// Whether the Pod's phase says that it has ended; such a Pod is not started again by a new node.
fn is_over(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed")) && pod.metadata.deletion_timestamp.is_none()
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // Maps behind these locks are whole after every statement.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
