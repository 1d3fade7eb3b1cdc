//! The Pod network: an address for each Pod and names for all Services, without namespaces, containers or root.
//!
//! ```text
//!   program ──connect("10.96.0.7:80")──> kernel: stopped by the seccomp filter
//!                                          │ notification
//!                              receiver thread of its container
//!                                          │ route (pure): Service address -> ready endpoint -> 127.N.x.y:port
//!                              copies the socket (pidfd_getfd), connects it, answers "0"
//! ```
//!
//! Every Pod owns a loopback address `127.N.x.y`, shown in the API as `10.244.x.y`; N is claimed by this node among
//! all on the machine. `bind(0.0.0.0:8080)` becomes `bind(127.N.x.y:8080)`, so that any number of copies of an
//! unmodified program listen on one port. `connect` to a Pod or Service address is made to the real one with the
//! Pod's own source address. What is not ours (`curl example.org`) runs natively: the filter only looks.
//!
//! What a program sees differently from a container's network: `getsockname` shows `127.N.x.y`; a UDP
//! socket on a fixed port cannot also talk to the outside; `sendmsg` with a Pod or Service destination is not
//! rewritten (its address hides behind a pointer that the filter cannot follow). It is no security boundary:
//! any local program reaches `127.N.x.y`.
//!
//! Where the kernel or a surrounding container forbids this, the node says so per Pod ([`Mode`]) and falls back to
//! allocated ports and `NAME_SERVICE_HOST`/`PORT` variables.

mod address;
mod dns;
#[cfg(target_os = "linux")]
mod handle;
mod mode;
mod pod;
mod responder;
mod route;
#[cfg(target_os = "linux")]
mod supervise;

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::services::{Protocol, Services};

pub use address::{AddressPlan, CLUSTER_DNS_IP, CLUSTER_DOMAIN};
pub use mode::{Mode, probe_mode};
pub use pod::{HostNetwork, PodNetwork};
use responder::Responder;

/// The most Pods that are numbered on one node: the host parts of a /16 without the edges.
const PODS_MAX: usize = 254 * 254;

/// The network of one node.
pub struct Network {
    plan: AddressPlan,
    services: Arc<Services>,
    pods: ArcSwap<HashMap<Ipv4Addr, Arc<PodNetwork>>>,
    allocator: std::sync::Mutex<address::Allocator>,
    /// The host's ports that Pods were told to listen on, where calls are not intercepted.
    allocated: std::sync::Mutex<std::collections::HashSet<u16>>,
    responder: Responder,
    #[cfg(target_os = "linux")]
    watchdog: supervise::Watchdog,
}

impl Network {
    /// Claims an address range of this machine's loopback network and starts the name server.
    ///
    /// # Errors
    /// When no range is free or threads cannot be started.
    pub fn start(services: Arc<Services>) -> std::io::Result<Arc<Self>> {
        let (plan, sockets) = address::claim()?;
        let responder = Responder::new(&sockets);
        let network = Arc::new(Network {
            plan,
            services,
            pods: ArcSwap::default(),
            allocator: std::sync::Mutex::default(),
            allocated: std::sync::Mutex::default(),
            responder,
            #[cfg(target_os = "linux")]
            watchdog: supervise::Watchdog::start()?,
        });
        responder::serve(sockets, &network)?;
        Ok(network)
    }

    /// How addresses are translated.
    #[must_use]
    pub fn plan(&self) -> &AddressPlan {
        &self.plan
    }

    /// The Services that names and cluster addresses lead to.
    #[must_use]
    pub fn services(&self) -> &Arc<Services> {
        &self.services
    }

    /// Gives a Pod its address. Each start of a Pod gets a new one, so that sockets of its last life, which the
    /// kernel keeps for a minute, are not in the way.
    ///
    /// `None` when all addresses are in use.
    #[must_use]
    pub fn attach(&self, namespace: &str, name: &str, host: HostNetwork) -> Option<Arc<PodNetwork>> {
        let in_use = self.pods.load_full();
        if in_use.len() >= PODS_MAX {
            return None;
        }
        let api = {
            let mut allocator = self.allocator.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            allocator.next(|candidate| in_use.contains_key(&self.plan.internal(candidate)))?
        };
        let pod = Arc::new(PodNetwork::new(&self.plan, api, namespace, name, host));
        self.pods.rcu(|pods| {
            let mut pods = HashMap::clone(pods);
            pods.insert(pod.internal, Arc::clone(&pod));
            pods
        });
        Some(pod)
    }

    /// Chooses a port of the host for a declared one, where calls are not intercepted: the same if no program and
    /// no other Pod has it, so that one Pod of each port may ignore what it is told.
    ///
    /// # Errors
    /// When the host has no port left.
    pub fn allocate_port(&self, pod: &PodNetwork, declared: u16) -> std::io::Result<u16> {
        let mut allocated = self.allocated.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let is_free = |port: u16| std::net::TcpListener::bind((Ipv4Addr::UNSPECIFIED, port));
        let listener = match is_free(declared) {
            Ok(listener) if !allocated.contains(&declared) => listener,
            _ => is_free(0)?,
        };
        let port = listener.local_addr()?.port();
        allocated.insert(port);
        pod.allocate(declared, port);
        Ok(port)
    }

    /// Takes the Pod's address back.
    pub fn detach(&self, pod: &PodNetwork) {
        let mut allocated = self.allocated.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for port in pod.allocated() {
            allocated.remove(&port);
        }
        drop(allocated);
        self.pods.rcu(|pods| {
            let mut pods = HashMap::clone(pods);
            pods.remove(&pod.internal);
            pods
        });
    }

    /// Where this machine reaches a Pod's port (the address as the API shows it): probes, forwarders, scrapers.
    /// Addresses that are not a Pod's are returned as they are.
    #[must_use]
    pub fn reach(&self, address: Ipv4Addr, port: u16) -> SocketAddrV4 {
        self.reach_protocol(address, port, Protocol::Tcp)
    }

    fn reach_protocol(&self, address: Ipv4Addr, port: u16, protocol: Protocol) -> SocketAddrV4 {
        let Some(internal) = self.plan.is_pod(address).then(|| self.plan.internal(address)) else {
            return SocketAddrV4::new(address, port);
        };
        match self.pods.load().get(&internal) {
            Some(pod) => pod.real(protocol, port),
            None => SocketAddrV4::new(internal, port),
        }
    }

    fn pod(&self, internal: Ipv4Addr) -> Option<Arc<PodNetwork>> {
        self.pods.load().get(&internal).cloned()
    }

    /// Serves the calls of a container whose processes were started with interception.
    ///
    /// # Errors
    /// When threads cannot be started.
    #[cfg(target_os = "linux")]
    pub fn serve(self: &Arc<Self>, pod: &Arc<PodNetwork>, listener: std::os::fd::OwnedFd) -> std::io::Result<()> {
        supervise::serve(self, pod, listener)
    }

    /// The text of the Pod's `/etc/resolv.conf`.
    #[must_use]
    pub fn resolv_conf(&self, pod: &PodNetwork) -> String {
        self.responder.resolv_conf(&self.plan, &pod.namespace)
    }
}
