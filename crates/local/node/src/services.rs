//! Services: which address and port leads to which ready Pods.
//!
//! ```text
//!   Services + EndpointSlices ──table (pure)──> Table ──replace──> Services (ArcSwap) ──pick──> one endpoint
//!                                                                   ^          ^
//!                                                       connect rewriting   DNS, host forwarder
//! ```
//!
//! The table is immutable and swapped whole, so that a reader never waits and never sees half of a change. What
//! must survive a swap - the round-robin position and the memory of client affinity - is carried over by name.

mod balance;
mod table;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use tokio::sync::watch;

use balance::Balancer;
pub use table::{ClusterService, Endpoint, Protocol, ServiceKind, ServicePort, Table};

/// The current table; cheap to share and to read.
#[derive(Debug, Default)]
pub struct Services {
    current: ArcSwap<Current>,
    /// Tells those who follow the table that it has changed.
    changes: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct Current {
    table: Arc<Table>,
    balancer: Balancer,
}

/// Where a Service address leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Picked {
    /// To this endpoint (API address).
    Endpoint(Ipv4Addr, u16),
    /// The Service exists, or its address range does, but nothing is ready behind that port.
    Nobody,
}

impl Services {
    /// An empty table.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Replaces the table at once for all readers; balancing state of what is still there is kept.
    pub fn replace(&self, table: Table) {
        let balancer = self.current.load().balancer.carried_over(&table);
        self.current.store(Arc::new(Current {
            table: Arc::new(table),
            balancer,
        }));
        self.changes.send_replace(());
    }

    /// The current table.
    #[must_use]
    pub fn table(&self) -> Arc<Table> {
        Arc::clone(&self.current.load().table)
    }

    /// Tells of changes of the table.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// Runs `read` on the current table without copying it.
    pub fn read<T>(&self, read: impl FnOnce(&Table) -> T) -> T {
        read(&self.current.load().table)
    }

    /// Chooses an endpoint for a call from `client` to a Service's cluster address.
    #[must_use]
    pub fn pick(&self, cluster_ip: Ipv4Addr, port: u16, protocol: Protocol, client: Ipv4Addr, now: Instant) -> Picked {
        let current = self.current.load();
        let Some((service, port)) = current.table.by_address(cluster_ip, port, protocol) else {
            return Picked::Nobody;
        };
        match current.balancer.pick(service, port, client, now) {
            Some(endpoint) => Picked::Endpoint(endpoint.address, endpoint.port),
            None => Picked::Nobody,
        }
    }

    /// Chooses an endpoint by name; for the host-side forwarders.
    #[must_use]
    pub fn pick_by_name(&self, namespace: &str, name: &str, port: u16, client: Ipv4Addr, now: Instant) -> Picked {
        let current = self.current.load();
        let found = current.table.service(namespace, name).and_then(|service| {
            let port = service.ports.iter().find(|candidate| candidate.port == port)?;
            current.balancer.pick(service, port, client, now)
        });
        found.map_or(Picked::Nobody, |endpoint| {
            Picked::Endpoint(endpoint.address, endpoint.port)
        })
    }
}
