//! Choosing one endpoint: round robin over the ready ones, or the one that this client had before.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::table::{ClusterService, Endpoint, Protocol, ServicePort, Table};

/// The most clients whose endpoint is remembered for one Service port. Beyond it the oldest half is forgotten,
/// which only means that those clients may change their endpoint once.
const AFFINITY_CLIENTS_MAX: usize = 4096;

type Key = (String, String, u16, Protocol);

/// The state of balancing, by Service port.
#[derive(Debug, Default)]
pub(super) struct Balancer {
    ports: HashMap<Key, Arc<PortState>>,
}

#[derive(Debug, Default)]
struct PortState {
    next: AtomicUsize,
    affinity: Mutex<HashMap<Ipv4Addr, (Endpoint, Instant)>>,
}

impl Balancer {
    /// The state for a new table: what both tables know is kept, the rest dropped.
    pub(super) fn carried_over(&self, table: &Table) -> Self {
        let keys = table
            .services()
            .flat_map(|service| service.ports.iter().map(move |port| key(service, port)));
        Balancer {
            ports: keys
                .map(|key| (key.clone(), self.ports.get(&key).cloned().unwrap_or_default()))
                .collect(),
        }
    }

    /// The endpoint for this call, if one is ready.
    pub(super) fn pick<'table>(
        &self,
        service: &ClusterService,
        port: &'table ServicePort,
        client: Ipv4Addr,
        now: Instant,
    ) -> Option<&'table Endpoint> {
        let state = self.ports.get(&key(service, port))?;
        let ready = || port.endpoints.iter().filter(|endpoint| endpoint.ready);
        let count = ready().count();
        if count == 0 {
            return None;
        }
        let round_robin = || ready().nth(state.next.fetch_add(1, Ordering::Relaxed) % count);
        let Some(timeout) = service.affinity else {
            return round_robin();
        };

        let mut remembered = state.affinity.lock().unwrap_or_else(PoisonError::into_inner);
        let known = remembered
            .get(&client)
            .filter(|(_, last)| now.duration_since(*last) < timeout);
        let chosen = match known.and_then(|(known, _)| ready().find(|endpoint| *endpoint == known)) {
            Some(endpoint) => endpoint,
            None => round_robin()?,
        };
        forget_old(&mut remembered, now, timeout);
        remembered.insert(client, (chosen.clone(), now));
        Some(chosen)
    }
}

fn forget_old(remembered: &mut HashMap<Ipv4Addr, (Endpoint, Instant)>, now: Instant, timeout: Duration) {
    if remembered.len() < AFFINITY_CLIENTS_MAX {
        return;
    }
    remembered.retain(|_, (_, last)| now.duration_since(*last) < timeout);
    if remembered.len() >= AFFINITY_CLIENTS_MAX {
        let mut times: Vec<Instant> = remembered.values().map(|(_, last)| *last).collect();
        let middle = times.len() / 2;
        let (_, median, _) = times.select_nth_unstable(middle);
        let median = *median;
        remembered.retain(|_, (_, last)| *last > median);
    }
}

fn key(service: &ClusterService, port: &ServicePort) -> Key {
    (
        service.namespace.clone(),
        service.name.clone(),
        port.port,
        port.protocol,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::ServiceKind;

    fn service(affinity: Option<Duration>, ready: &[bool]) -> ClusterService {
        let endpoints = (1..).zip(ready).map(|(last, ready)| Endpoint {
            address: Ipv4Addr::new(10, 244, 0, last),
            port: 8080,
            hostname: None,
            ready: *ready,
        });
        ClusterService {
            namespace: "default".into(),
            name: "web".into(),
            kind: ServiceKind::Cluster(Ipv4Addr::new(10, 96, 0, 7)),
            ports: vec![ServicePort {
                name: None,
                port: 80,
                protocol: Protocol::Tcp,
                endpoints: endpoints.collect(),
            }],
            affinity,
        }
    }

    fn picks(balancer: &Balancer, service: &ClusterService, client: u8, now: Instant, count: usize) -> Vec<u8> {
        let client = Ipv4Addr::new(10, 244, 9, client);
        let pick = || {
            balancer
                .pick(service, &service.ports[0], client, now)
                .map(|end| end.address.octets()[3])
        };
        (0..count).filter_map(|_| pick()).collect()
    }

    #[test]
    fn ready_endpoints_take_turns_and_a_swap_keeps_the_turn() {
        let now = Instant::now();
        let before = service(None, &[true, false, true]);
        let balancer = Balancer::default().carried_over(&Table::new([before.clone()]));
        assert_eq!(picks(&balancer, &before, 1, now, 3), [1, 3, 1]);

        let after = service(None, &[true, true, true]);
        let balancer = balancer.carried_over(&Table::new([after.clone()]));
        assert_eq!(picks(&balancer, &after, 1, now, 3), [1, 2, 3]);
    }

    #[test]
    fn nothing_ready_is_nobody() {
        let service = service(None, &[false]);
        let balancer = Balancer::default().carried_over(&Table::new([service.clone()]));
        assert!(picks(&balancer, &service, 1, Instant::now(), 2).is_empty());
    }

    #[test]
    fn affinity_holds_until_its_timeout_or_the_endpoint_goes() {
        let now = Instant::now();
        let sticky = service(Some(Duration::from_secs(60)), &[true, true]);
        let balancer = Balancer::default().carried_over(&Table::new([sticky.clone()]));
        assert_eq!(picks(&balancer, &sticky, 1, now, 3), [1, 1, 1]);
        assert_eq!(picks(&balancer, &sticky, 2, now, 2), [2, 2]);
        // A call renews the memory; sixty silent seconds end it.
        let later = now + Duration::from_secs(59);
        assert_eq!(picks(&balancer, &sticky, 2, later, 1), [2]);
        let gone = service(Some(Duration::from_secs(60)), &[true, false]);
        let balancer = balancer.carried_over(&Table::new([gone.clone()]));
        assert_eq!(picks(&balancer, &gone, 2, later, 1), [1]);
    }

    #[test]
    fn memory_of_clients_is_bounded() {
        let start = Instant::now();
        let mut remembered = HashMap::new();
        let endpoint = service(None, &[true]).ports[0].endpoints[0].clone();
        for index in 0..AFFINITY_CLIENTS_MAX as u32 {
            let client = Ipv4Addr::from(index);
            remembered.insert(client, (endpoint.clone(), start + Duration::from_millis(index.into())));
        }
        let now = start + Duration::from_secs(5);
        forget_old(&mut remembered, now, Duration::from_secs(3600));
        assert!(remembered.len() <= AFFINITY_CLIENTS_MAX / 2);
    }
}
