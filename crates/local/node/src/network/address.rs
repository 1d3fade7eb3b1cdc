//! Addresses: what the API shows, what the kernel sees, and which range of loopback is ours.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};

/// The domain of cluster names.
pub const CLUSTER_DOMAIN: &str = "cluster.local";

/// The cluster address of the name server, as clusters have it.
pub const CLUSTER_DNS_IP: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 10);

/// The port of the name server where 53 needs privilege. Its TCP socket is also the claim of a range.
const DNS_PORT_UNPRIVILEGED: u16 = 10_053;

/// Pods are in 127.N.0.0/16 and their private loopback in 127.(N+100).0.0/16, with N from 1 to this.
const RANGE_MAX: u8 = 99;
const RANGE_LOCAL_OFFSET: u8 = 100;

/// The third octets that are never a Pod's: 127.N.255.53 is the name server, 127.N.254.k a Service's front.
const INFRASTRUCTURE_OCTET: u8 = 255;
const FRONT_OCTET: u8 = 254;

/// Translates between the addresses of the API and those of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressPlan {
    range: u8,
}

impl AddressPlan {
    pub(super) const fn new(range: u8) -> Self {
        AddressPlan { range }
    }

    /// Whether the API shows this as a Pod's address (10.244.0.0/16).
    #[must_use]
    pub fn is_pod(&self, address: Ipv4Addr) -> bool {
        matches!(address.octets(), [10, 244, ..])
    }

    /// Whether this is in the range of Services (10.96.0.0/16).
    #[must_use]
    pub fn is_service(&self, address: Ipv4Addr) -> bool {
        matches!(address.octets(), [10, 96, ..])
    }

    /// Whether this is a Pod's address as the kernel sees it.
    #[must_use]
    pub fn is_internal(&self, address: Ipv4Addr) -> bool {
        matches!(address.octets(), [127, range, third, _] if range == self.range && third < FRONT_OCTET)
    }

    /// The kernel's form of a Pod's API address.
    #[must_use]
    pub fn internal(&self, api: Ipv4Addr) -> Ipv4Addr {
        let [_, _, third, fourth] = api.octets();
        Ipv4Addr::new(127, self.range, third, fourth)
    }

    /// The API's form of a Pod's internal address.
    #[must_use]
    pub fn api(&self, internal: Ipv4Addr) -> Ipv4Addr {
        let [_, _, third, fourth] = internal.octets();
        Ipv4Addr::new(10, 244, third, fourth)
    }

    /// Where the Pod's own `localhost` binds go.
    #[must_use]
    pub(super) fn private(&self, api: Ipv4Addr) -> Ipv4Addr {
        let [_, _, third, fourth] = api.octets();
        Ipv4Addr::new(127, self.range + RANGE_LOCAL_OFFSET, third, fourth)
    }

    /// Where this machine (not a Pod) reaches a Service; see [`crate::front`].
    #[must_use]
    pub fn service_front(&self, last: u8) -> Ipv4Addr {
        Ipv4Addr::new(127, self.range, FRONT_OCTET, last)
    }

    /// The address of the name server.
    #[must_use]
    pub fn name_server(&self) -> Ipv4Addr {
        Ipv4Addr::new(127, self.range, INFRASTRUCTURE_OCTET, 53)
    }
}

/// Hands out Pod addresses in turn, so that one is used again as late as possible.
#[derive(Debug, Default)]
pub(super) struct Allocator {
    last: u32,
}

impl Allocator {
    /// The next address (API form) that is not taken: 10.244.0.1 to 10.244.253.254.
    pub(super) fn next(&mut self, taken: impl Fn(Ipv4Addr) -> bool) -> Option<Ipv4Addr> {
        const COUNT: u32 = 254 * 254;
        for _ in 0..COUNT {
            let index = self.last;
            self.last = (self.last + 1) % COUNT;
            let candidate = Ipv4Addr::new(10, 244, (index / 254) as u8, (index % 254 + 1) as u8);
            if !taken(candidate) {
                return Some(candidate);
            }
        }
        None
    }
}

/// The name server's sockets, which are at the same time the claim of a range.
pub(super) struct Sockets {
    pub(super) udp: Vec<UdpSocket>,
    pub(super) tcp: Vec<TcpListener>,
    /// The port that intercepted calls are led to.
    pub(super) port: u16,
}

/// Claims the first free range: whoever holds the name server's TCP port holds the range, and the kernel gives
/// it back when the process ends, however it ends.
///
/// Outside Linux 127.0.0.0/8 is one address; nothing is intercepted there, so there is nothing to claim.
pub(super) fn claim() -> std::io::Result<(AddressPlan, Sockets)> {
    if !cfg!(target_os = "linux") {
        let none = Sockets {
            udp: Vec::new(),
            tcp: Vec::new(),
            port: DNS_PORT_UNPRIVILEGED,
        };
        return Ok((AddressPlan::new(1), none));
    }
    let mut last_error = None;
    for range in 1..=RANGE_MAX {
        let plan = AddressPlan::new(range);
        match claim_range(&plan) {
            Ok(sockets) => return Ok((plan, sockets)),
            Err(error) => last_error = Some(error),
        }
    }
    Err(last_error.unwrap_or_else(|| std::io::ErrorKind::AddrInUse.into()))
}

fn claim_range(plan: &AddressPlan) -> std::io::Result<Sockets> {
    let open = |port| {
        let address = (plan.name_server(), port);
        std::io::Result::Ok((TcpListener::bind(address)?, UdpSocket::bind(address)?))
    };
    let (tcp, udp) = open(DNS_PORT_UNPRIVILEGED)?;
    let mut sockets = Sockets {
        udp: vec![udp],
        tcp: vec![tcp],
        port: DNS_PORT_UNPRIVILEGED,
    };
    // With port 53 replies come from where the question went, which the strictest resolvers (musl) ask for.
    if let Ok((tcp, udp)) = open(53) {
        sockets.udp.push(udp);
        sockets.tcp.push(tcp);
        sockets.port = 53;
    }
    Ok(sockets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn translation_goes_both_ways() {
        let plan = AddressPlan::new(3);
        let api = Ipv4Addr::new(10, 244, 7, 9);
        assert_eq!(plan.internal(api), Ipv4Addr::new(127, 3, 7, 9));
        assert_eq!(plan.api(plan.internal(api)), api);
        assert!(plan.is_internal(plan.internal(api)) && !plan.is_internal(plan.name_server()));
    }

    #[test]
    fn addresses_are_reused_last_and_end() {
        let mut allocator = Allocator::default();
        let first = allocator.next(|_| false).unwrap();
        assert_eq!(first, Ipv4Addr::new(10, 244, 0, 1));
        assert_eq!(allocator.next(|_| false).unwrap(), Ipv4Addr::new(10, 244, 0, 2));
        assert_eq!(allocator.next(|address| address != first), Some(first));
        assert_eq!(allocator.next(|_| true), None);
    }

    #[test]
    fn two_nodes_claim_different_ranges() {
        let (one, _sockets_one) = claim().unwrap();
        let (two, _sockets_two) = claim().unwrap();
        assert_ne!(one, two);
    }
}
