//! The front: how the developer's browser, shell and tools on this machine reach Services.
//!
//! ```text
//!   curl 127.N.254.k:80 ────────────────> forwarder (one listener per Service port) ─┐
//!   browser http://web.default.localhost:P ──> router (one port, by host name) ──────┴─> a ready endpoint
//! ```
//!
//! Pods do not come this way: their calls are made directly to an endpoint. The forwarder copies bytes; the router
//! understands HTTP/1.1 as far as it must to choose by the host name, and passes bodies and upgrades as streams.
//! Only names below `.localhost` are routed, so a page of another origin that resolves its own name to this machine
//! (DNS rebinding) gets an error and nothing else.

mod forward;
mod router;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use crate::network::Network;
use crate::services::{Picked, Protocol, ServiceKind, Table};

/// The most connections through the front at once; more wait in the kernel's backlog.
const CONNECTIONS_MAX: usize = 1024;

/// The most Services with an address of their own: the last octets of 127.N.254.0/24. All are reached by name.
const SERVICES_MAX: u8 = 254;

/// How long a connection to an endpoint may take before the next one is tried, and how many are tried.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const CONNECT_ATTEMPTS: usize = 3;

/// What is added to a port that needs privilege: 80 becomes 8080.
const UNPRIVILEGED_OFFSET: u16 = 8000;

/// Where a Service port is reached on this machine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FrontAddress {
    /// The Service's namespace.
    pub namespace: String,
    /// The Service's name.
    pub service: String,
    /// The Service's port.
    pub port: u16,
    /// Where it is.
    pub address: SocketAddrV4,
}

type ServicePortKey = (String, String, u16);

/// The front of one node. Dropping it closes all listeners.
pub struct Front {
    addresses: watch::Receiver<Vec<FrontAddress>>,
    router: SocketAddr,
    tasks: Vec<JoinHandle<()>>,
}

/// What forwarders and router share.
struct Shared {
    network: Arc<Network>,
    connections: Arc<Semaphore>,
    /// Which last octet each Service has; kept for the life of the front, so that addresses do not change.
    octets: Mutex<BTreeMap<(String, String), u8>>,
}

impl Front {
    /// Starts forwarders for all Services, now and as they come and go, and the router at `127.0.0.1:port` (0: any).
    ///
    /// # Errors
    /// When the router's port cannot be had.
    pub async fn start(network: Arc<Network>, router_port: u16) -> std::io::Result<Self> {
        let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let shared = Arc::new(Shared {
            network,
            connections,
            octets: Mutex::default(),
        });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, router_port)).await?;
        let router = listener.local_addr()?;
        let (addresses_tx, addresses) = watch::channel(Vec::new());
        let tasks = vec![
            tokio::spawn(router::serve(Arc::clone(&shared), listener)),
            tokio::spawn(keep_forwarders(shared, addresses_tx)),
        ];
        Ok(Front {
            addresses,
            router,
            tasks,
        })
    }

    /// Where Services are reached now; the receiver tells of changes.
    #[must_use]
    pub fn addresses(&self) -> watch::Receiver<Vec<FrontAddress>> {
        self.addresses.clone()
    }

    /// Where the router listens: `http://SERVICE.NAMESPACE.localhost:PORT` leads here.
    #[must_use]
    pub fn router(&self) -> SocketAddr {
        self.router
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Follows the table: a listener for each port of each Service, and none for those that have gone.
async fn keep_forwarders(shared: Arc<Shared>, addresses: watch::Sender<Vec<FrontAddress>>) {
    let mut changes = shared.network.services().subscribe();
    let mut forwarders: BTreeMap<ServicePortKey, forward::Forwarder> = BTreeMap::new();
    loop {
        changes.borrow_and_update();
        let wanted = shared.network.services().read(wanted);
        forwarders.retain(|key, _| wanted.contains(key));
        for key in wanted {
            if !forwarders.contains_key(&key)
                && let Some(forwarder) = forward::start(&shared, &key).await
            {
                forwarders.insert(key, forwarder);
            }
        }
        let now = forwarders
            .iter()
            .map(|((namespace, service, port), forwarder)| FrontAddress {
                namespace: namespace.clone(),
                service: service.clone(),
                port: *port,
                address: forwarder.address,
            });
        let now: Vec<FrontAddress> = now.collect();
        addresses.send_if_modified(|known| {
            let is_new = *known != now;
            if is_new {
                *known = now;
            }
            is_new
        });
        if changes.changed().await.is_err() {
            return;
        }
    }
}

/// The TCP ports of Services with a cluster address or with Pods of their own.
fn wanted(table: &Table) -> Vec<ServicePortKey> {
    let routed = table
        .services()
        .filter(|service| !matches!(service.kind, ServiceKind::External(_)));
    let ports = routed.flat_map(|service| {
        let tcp = service.ports.iter().filter(|port| port.protocol == Protocol::Tcp);
        tcp.map(|port| (service.namespace.clone(), service.name.clone(), port.port))
    });
    ports.collect()
}

impl Shared {
    /// The address of a Service on this machine; none when all are given away.
    fn address_of(&self, namespace: &str, name: &str) -> Option<Ipv4Addr> {
        let mut octets = self.octets.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (namespace.to_owned(), name.to_owned());
        let octet = match octets.get(&key) {
            Some(octet) => *octet,
            None => {
                let free = (1..=SERVICES_MAX).find(|octet| !octets.values().any(|used| used == octet))?;
                octets.insert(key, free);
                free
            }
        };
        Some(self.network.plan().service_front(octet))
    }

    /// Connects to a ready endpoint of a Service; a dead one is passed over.
    async fn connect(
        &self,
        (namespace, name, port): (&str, &str, u16),
        client: Ipv4Addr,
    ) -> Result<TcpStream, Refusal> {
        let mut refusal = Refusal::NobodyReady;
        for _ in 0..CONNECT_ATTEMPTS {
            let picked = self
                .network
                .services()
                .pick_by_name(namespace, name, port, client, Instant::now());
            let Picked::Endpoint(address, port) = picked else {
                return Err(refusal);
            };
            let real = self.network.reach(address, port);
            match tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(real)).await {
                Ok(Ok(stream)) => return Ok(stream),
                _ => refusal = Refusal::NotReached(SocketAddrV4::new(address, port)),
            }
        }
        Err(refusal)
    }
}

/// Why there is no connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    NobodyReady,
    NotReached(SocketAddrV4),
}
