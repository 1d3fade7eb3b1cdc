//! The table itself, and how it is made from API objects.

use std::collections::{BTreeMap, HashMap};
use std::net::Ipv4Addr;
use std::time::Duration;

use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// The label by which an EndpointSlice names its Service.
const LABEL_SERVICE_NAME: &str = "kubernetes.io/service-name";

/// The affinity timeout when a Service asks for ClientIP without one (API default).
const AFFINITY_TIMEOUT_DEFAULT: Duration = Duration::from_secs(10_800);

/// TCP or UDP. (SCTP is not intercepted.)
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl Protocol {
    /// The API's word; absent means TCP.
    fn from_api(name: Option<&str>) -> Option<Self> {
        match name {
            None | Some("TCP") => Some(Protocol::Tcp),
            Some("UDP") => Some(Protocol::Udp),
            Some(_) => None,
        }
    }
}

/// One address behind a Service port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The Pod's address as the API shows it.
    pub address: Ipv4Addr,
    /// The target port.
    pub port: u16,
    /// The Pod's host name, where it has one of its own (StatefulSets).
    pub hostname: Option<String>,
    /// Whether new connections may go there.
    pub ready: bool,
}

/// One port of a Service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServicePort {
    /// Its name, if it has one.
    pub name: Option<String>,
    /// The Service's port.
    pub port: u16,
    /// Its protocol.
    pub protocol: Protocol,
    /// What is behind it, ready or not, in address order.
    pub endpoints: Vec<Endpoint>,
}

/// What a Service's name leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServiceKind {
    /// One virtual address.
    Cluster(Ipv4Addr),
    /// The addresses of the Pods themselves.
    Headless {
        /// Whether Pods that are not ready are published too.
        publish_not_ready: bool,
    },
    /// Another name.
    External(String),
}

/// A Service with its endpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterService {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// What its name leads to.
    pub kind: ServiceKind,
    /// Its ports.
    pub ports: Vec<ServicePort>,
    /// How long a client stays with its endpoint, if it does.
    pub affinity: Option<Duration>,
}

/// A Service's (namespace, name) and the index of one of its ports.
type PortReference = ((String, String), usize);

/// All Services.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    services: BTreeMap<(String, String), ClusterService>,
    /// (cluster address, port, protocol) to the service and the index of its port.
    addresses: HashMap<(Ipv4Addr, u16, Protocol), PortReference>,
}

impl Table {
    /// A table of these Services; of two with one name the later stays.
    #[must_use]
    pub fn new(services: impl IntoIterator<Item = ClusterService>) -> Self {
        let mut table = Table::default();
        for service in services {
            table
                .services
                .insert((service.namespace.clone(), service.name.clone()), service);
        }
        for (key, service) in &table.services {
            let ServiceKind::Cluster(address) = service.kind else {
                continue;
            };
            for (index, port) in service.ports.iter().enumerate() {
                table
                    .addresses
                    .insert((address, port.port, port.protocol), (key.clone(), index));
            }
        }
        table
    }

    /// The table that API objects describe. Slices whose Service is unknown, and addresses that are not IPv4,
    /// are left out.
    #[must_use]
    pub fn from_objects(services: &[Service], slices: &[EndpointSlice]) -> Self {
        let mut by_service: HashMap<(&str, &str), Vec<&EndpointSlice>> = HashMap::new();
        for slice in slices {
            let name = slice
                .metadata
                .labels
                .as_ref()
                .and_then(|labels| labels.get(LABEL_SERVICE_NAME));
            if let (Some(namespace), Some(name)) = (slice.metadata.namespace.as_deref(), name) {
                by_service.entry((namespace, name)).or_default().push(slice);
            }
        }
        Table::new(services.iter().filter_map(|service| {
            let key = (
                service.metadata.namespace.as_deref()?,
                service.metadata.name.as_deref()?,
            );
            cluster_service(key, service, by_service.get(&key).map_or(&[][..], Vec::as_slice))
        }))
    }

    /// The same Services at other addresses and ports: for programs that cannot use cluster addresses. Services that
    /// `place` does not know are left out.
    #[must_use]
    pub fn placed(&self, place: impl Fn(&str, &str, u16) -> Option<std::net::SocketAddrV4>) -> Self {
        Table::new(self.services().filter_map(|service| {
            let mut moved = service.clone();
            for port in &mut moved.ports {
                let address = place(&service.namespace, &service.name, port.port);
                if let Some(address) = address {
                    moved.kind = ServiceKind::Cluster(*address.ip());
                    port.port = address.port();
                }
            }
            (moved != *service).then_some(moved)
        }))
    }

    /// A Service by name.
    #[must_use]
    pub fn service(&self, namespace: &str, name: &str) -> Option<&ClusterService> {
        self.services.get(&(namespace.to_owned(), name.to_owned()))
    }

    /// All Services in the order of namespace and name.
    pub fn services(&self) -> impl Iterator<Item = &ClusterService> {
        self.services.values()
    }

    /// The Service and port behind a cluster address.
    #[must_use]
    pub fn by_address(
        &self,
        address: Ipv4Addr,
        port: u16,
        protocol: Protocol,
    ) -> Option<(&ClusterService, &ServicePort)> {
        let (key, index) = self.addresses.get(&(address, port, protocol))?;
        let service = self.services.get(key)?;
        Some((service, service.ports.get(*index)?))
    }
}

fn cluster_service(
    (namespace, name): (&str, &str),
    service: &Service,
    slices: &[&EndpointSlice],
) -> Option<ClusterService> {
    let spec = service.spec.as_ref()?;
    let kind = match (spec.type_.as_deref(), spec.cluster_ip.as_deref()) {
        (Some("ExternalName"), _) => ServiceKind::External(spec.external_name.clone()?),
        (_, Some("None")) => ServiceKind::Headless {
            publish_not_ready: spec.publish_not_ready_addresses.unwrap_or(false),
        },
        // A Service whose address is not allocated yet is not there yet.
        (_, address) => ServiceKind::Cluster(address?.parse().ok()?),
    };
    let affinity = (spec.session_affinity.as_deref() == Some("ClientIP")).then(|| {
        let seconds = spec
            .session_affinity_config
            .as_ref()
            .and_then(|config| config.client_ip.as_ref()?.timeout_seconds);
        seconds
            .and_then(|seconds| u64::try_from(seconds).ok())
            .map_or(AFFINITY_TIMEOUT_DEFAULT, Duration::from_secs)
    });
    let ports = spec.ports.iter().flatten().filter_map(|port| {
        let protocol = Protocol::from_api(port.protocol.as_deref())?;
        Some(ServicePort {
            name: port.name.clone().filter(|name| !name.is_empty()),
            port: u16::try_from(port.port).ok()?,
            protocol,
            endpoints: endpoints(
                slices,
                port.name.as_deref().unwrap_or_default(),
                protocol,
                fixed_target(port),
            ),
        })
    });
    Some(ClusterService {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        kind,
        ports: ports.collect(),
        affinity,
    })
}

/// The target port where it is a number; used when a slice's port entry has none.
fn fixed_target(port: &k8s_openapi::api::core::v1::ServicePort) -> Option<u16> {
    match &port.target_port {
        Some(IntOrString::Int(number)) => u16::try_from(*number).ok(),
        Some(IntOrString::String(_)) => None,
        None => u16::try_from(port.port).ok(),
    }
}

fn endpoints(slices: &[&EndpointSlice], port_name: &str, protocol: Protocol, target: Option<u16>) -> Vec<Endpoint> {
    let mut found: Vec<Endpoint> = Vec::new();
    for slice in slices {
        let matching = slice.ports.iter().flatten().find(|port| {
            port.name.as_deref().unwrap_or_default() == port_name
                && Protocol::from_api(port.protocol.as_deref()) == Some(protocol)
        });
        let Some(matching) = matching else { continue };
        let Some(port) = matching.port.and_then(|port| u16::try_from(port).ok()).or(target) else {
            continue;
        };
        for endpoint in slice.endpoints.iter().flatten() {
            let conditions = endpoint.conditions.as_ref();
            let ready = conditions.and_then(|conditions| conditions.ready).unwrap_or(true);
            for address in endpoint.addresses.iter().filter_map(|address| address.parse().ok()) {
                found.push(Endpoint {
                    address,
                    port,
                    hostname: endpoint.hostname.clone(),
                    ready,
                });
            }
        }
    }
    found.sort_by_key(|endpoint| (endpoint.address, endpoint.port));
    found.dedup();
    found
}
