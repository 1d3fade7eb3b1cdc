//! The decisions of the network, without a system call: where a connection goes, where a socket is bound.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Instant;

use super::pod::{HostNetwork, PodNetwork, Scope};
use super::{CLUSTER_DNS_IP, Network};
use crate::services::{Picked, Protocol};

const DNS_PORT: u16 = 53;

/// What to do with a connection (or datagram).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route {
    /// Not ours: the kernel runs the call as it is.
    Native,
    /// Ours: to this address, as seen from that source.
    To(SocketAddrV4, Source),
    /// The Service has nobody ready: `ECONNREFUSED`.
    Refused,
    /// An address of ours that leads nowhere: `EHOSTUNREACH`.
    Unreachable,
}

/// Which source address the other side sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// The Pod's.
    Pod,
    /// Whatever the kernel chooses.
    Any,
}

/// What to do with a bind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Binding {
    /// The kernel runs the call as it is.
    Native,
    /// On this address of the Pod, at the asked port.
    Own(Scope, u16),
}

/// The kind of IPv4 destination.
enum Destination {
    Localhost,
    V4(Ipv4Addr),
    V6,
}

fn destination(address: IpAddr) -> Destination {
    match address.to_canonical() {
        IpAddr::V4(ip) if ip.is_unspecified() || matches!(ip.octets(), [127, 0, ..]) => Destination::Localhost,
        IpAddr::V4(ip) => Destination::V4(ip),
        IpAddr::V6(ip) if ip.is_loopback() || ip.is_unspecified() => Destination::Localhost,
        IpAddr::V6(_) => Destination::V6,
    }
}

/// Whether a destination may be ours, before anything is known of the socket. `false` is final.
pub(super) fn concerns(network: &Network, pod: &PodNetwork, to: SocketAddr) -> bool {
    if to.port() == DNS_PORT {
        return true;
    }
    match destination(to.ip()) {
        Destination::V4(ip) => network.plan.is_service(ip) || network.plan.is_pod(ip) || network.plan.is_internal(ip),
        Destination::Localhost => [Protocol::Tcp, Protocol::Udp]
            .into_iter()
            .any(|protocol| pod.own_localhost(protocol, to.port()).is_some()),
        Destination::V6 => false,
    }
}

/// Where a connection goes.
pub(super) fn connect(network: &Network, pod: &PodNetwork, protocol: Protocol, to: SocketAddr, now: Instant) -> Route {
    match destination(to.ip()) {
        Destination::Localhost if pod.host == HostNetwork::No => {
            match pod.own_localhost(protocol, to.port()) {
                Some(own) => Route::To(own, Source::Any),
                None if to.port() == DNS_PORT => name_server(network),
                // The host's own localhost: a database that the developer runs.
                None => Route::Native,
            }
        }
        Destination::V4(CLUSTER_DNS_IP) if to.port() == DNS_PORT => name_server(network),
        Destination::V4(ip) if network.plan.is_service(ip) => {
            match network.services.pick(ip, to.port(), protocol, pod.api, now) {
                Picked::Endpoint(address, port) => endpoint(network, address, port, protocol),
                Picked::Nobody => Route::Refused,
            }
        }
        Destination::V4(ip) if network.plan.is_pod(ip) || network.plan.is_internal(ip) => {
            endpoint(network, network.plan.api(ip), to.port(), protocol)
        }
        _ if to.port() == DNS_PORT => name_server(network),
        _ => Route::Native,
    }
}

fn name_server(network: &Network) -> Route {
    Route::To(
        SocketAddrV4::new(network.plan.name_server(), network.responder.port()),
        Source::Pod,
    )
}

fn endpoint(network: &Network, address: Ipv4Addr, port: u16, protocol: Protocol) -> Route {
    if !network.plan.is_pod(address) {
        // An endpoint outside the mesh, such as the API server on the host's localhost or a mock.
        return Route::To(SocketAddrV4::new(address, port), Source::Any);
    }
    match network.pod(network.plan.internal(address)) {
        Some(target) => Route::To(target.real(protocol, port), Source::Pod),
        None => Route::Unreachable,
    }
}

/// Where a socket is bound.
pub(super) fn bind(network: &Network, pod: &PodNetwork, to: SocketAddr) -> Binding {
    // A wildcard socket without a fixed port must still reach the outside.
    if to.port() == 0 || pod.host == HostNetwork::Yes {
        return Binding::Native;
    }
    match to.ip().to_canonical() {
        ip if ip.is_unspecified() => Binding::Own(Scope::Mesh, to.port()),
        IpAddr::V4(ip) if ip == pod.internal || ip == pod.api => Binding::Own(Scope::Mesh, to.port()),
        IpAddr::V4(ip) if ip.is_loopback() && !network.plan.is_internal(ip) => Binding::Own(Scope::Private, to.port()),
        IpAddr::V6(ip) if ip.is_loopback() => Binding::Own(Scope::Private, to.port()),
        _ => Binding::Native,
    }
}
