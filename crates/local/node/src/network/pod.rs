//! One Pod on the network.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::{Mutex, PoisonError};

use super::address::AddressPlan;
use crate::services::Protocol;

/// The most ports that one Pod may have bound in its life and be remembered with. A program that
/// binds more fixed ports than this is reached only where asked and real port are the same.
const PORTS_MAX: usize = 4096;

/// The most UDP sockets whose Service endpoint is remembered; beyond it the memory starts anew.
const STICKY_MAX: usize = 4096;

/// Whether the Pod lives on the host's network (`hostNetwork: true`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostNetwork {
    /// It has an address of its own.
    No,
    /// It binds what it asks for, natively; Services still work.
    Yes,
}

/// Who sees a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Scope {
    /// All: bound on the Pod's address or on the wildcard.
    Mesh,
    /// The Pod alone: bound on `localhost`.
    Private,
}

/// A Pod's place on the network.
#[derive(Debug)]
pub struct PodNetwork {
    /// The address that the API shows.
    pub api: Ipv4Addr,
    /// The address that the kernel sees.
    pub internal: Ipv4Addr,
    pub(super) private: Ipv4Addr,
    /// The Pod's namespace, for short names.
    pub namespace: String,
    /// The Pod's name.
    pub name: String,
    pub(super) host: HostNetwork,
    ports: Mutex<HashMap<(Protocol, Scope, u16), u16>>,
    sticky: Mutex<HashMap<(u64, SocketAddrV4), SocketAddrV4>>,
    files: Mutex<HashMap<Vec<u8>, std::sync::Arc<[u8]>>>,
}

impl PodNetwork {
    pub(super) fn new(plan: &AddressPlan, api: Ipv4Addr, namespace: &str, name: &str, host: HostNetwork) -> Self {
        PodNetwork {
            api,
            internal: plan.internal(api),
            private: plan.private(api),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            host,
            ports: Mutex::default(),
            sticky: Mutex::default(),
            files: Mutex::default(),
        }
    }

    /// Shows the Pod's programs these bytes when they open `path` (absolute, exactly as written) for reading.
    pub fn set_file(&self, path: &str, contents: &[u8]) {
        lock(&self.files).insert(path.as_bytes().to_vec(), contents.into());
    }

    pub(super) fn file(&self, path: &[u8]) -> Option<std::sync::Arc<[u8]>> {
        lock(&self.files).get(path).cloned()
    }

    pub(super) fn address(&self, scope: Scope) -> Ipv4Addr {
        match scope {
            Scope::Mesh => self.internal,
            Scope::Private => self.private,
        }
    }

    /// Remembers that the program asked for `asked` and got `real`.
    pub(super) fn record(&self, protocol: Protocol, scope: Scope, asked: u16, real: u16) {
        let mut ports = lock(&self.ports);
        if ports.len() < PORTS_MAX || ports.contains_key(&(protocol, scope, asked)) {
            ports.insert((protocol, scope, asked), real);
        }
    }

    pub(super) fn recorded(&self, protocol: Protocol, scope: Scope, asked: u16) -> Option<u16> {
        lock(&self.ports).get(&(protocol, scope, asked)).copied()
    }

    /// Where other Pods find `port`: the real one if it differs.
    pub(super) fn real(&self, protocol: Protocol, port: u16) -> SocketAddrV4 {
        match self.host {
            HostNetwork::No => SocketAddrV4::new(
                self.internal,
                self.recorded(protocol, Scope::Mesh, port).unwrap_or(port),
            ),
            HostNetwork::Yes => {
                let real = self.recorded(protocol, Scope::Mesh, port).unwrap_or(port);
                SocketAddrV4::new(Ipv4Addr::LOCALHOST, real)
            }
        }
    }

    /// Where the Pod's own `localhost:port` leads, if the Pod has bound it.
    pub(super) fn own_localhost(&self, protocol: Protocol, port: u16) -> Option<SocketAddrV4> {
        [Scope::Private, Scope::Mesh].into_iter().find_map(|scope| {
            Some(SocketAddrV4::new(
                self.address(scope),
                self.recorded(protocol, scope, port)?,
            ))
        })
    }

    /// Notes that the Pod's program was told to listen on `real` where its specification says `declared`.
    pub(super) fn allocate(&self, declared: u16, real: u16) {
        self.record(Protocol::Tcp, Scope::Mesh, declared, real);
    }

    /// The real port that was allocated for a declared one.
    #[must_use]
    pub fn allocated_for(&self, declared: u16) -> Option<u16> {
        self.recorded(Protocol::Tcp, Scope::Mesh, declared)
    }

    /// The real ports that were allocated to it.
    pub(super) fn allocated(&self) -> Vec<u16> {
        match self.host {
            HostNetwork::Yes => lock(&self.ports).values().copied().collect(),
            HostNetwork::No => Vec::new(),
        }
    }

    /// Where this machine reaches a port that the Pod bound on its own `localhost`.
    #[must_use]
    pub fn private_port(&self, port: u16) -> Option<SocketAddrV4> {
        let real = self.recorded(Protocol::Tcp, Scope::Private, port)?;
        Some(SocketAddrV4::new(self.private, real))
    }

    /// The endpoint that this socket used for that Service address before, or `choose`'s answer, remembered.
    #[cfg(target_os = "linux")]
    pub(super) fn sticky_endpoint(&self, cookie: u64, service: SocketAddrV4, chosen: SocketAddrV4) -> SocketAddrV4 {
        let mut sticky = lock(&self.sticky);
        if sticky.len() >= STICKY_MAX {
            sticky.clear();
        }
        *sticky.entry((cookie, service)).or_insert(chosen)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // Maps are whole after every statement.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
