//! Addresses and ports of Services.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use apimachinery::resources::GroupKind;
use apimachinery::status::{Cause, Status};
use serde_json::{Value, json};

use super::{Registry, Target};

/// The first address of the range that Services get theirs from, 10.96.0.0/16 as kubeadm has it.
const ADDRESSES_FIRST: u32 = u32::from_be_bytes([10, 96, 0, 0]);

/// Addresses in the range.
const ADDRESSES: u32 = 1 << 16;

/// Addresses below this are for those who ask for them by name: .1 is the API, .10 the name server.
const ADDRESSES_RESERVED: u32 = 16;

/// The range of node ports. Source: `DefaultServiceNodePortRange`.
const NODE_PORTS: std::ops::RangeInclusive<u16> = 30000..=32767;

/// What other Services have.
#[derive(Default)]
struct Taken {
    addresses: BTreeSet<Ipv4Addr>,
    ports: BTreeSet<u16>,
}

impl Registry {
    /// Gives a Service what it needs and does not have. The caller holds [`Registry::allocation`] until the Service is stored.
    pub(super) fn allocate_service(&self, target: &Target, service: &mut Value) -> Result<(), Status> {
        let taken = self.taken(target);
        let kind = service["spec"]["type"].as_str().unwrap_or("ClusterIP").to_owned();
        if !service["spec"].is_object() {
            return Ok(());
        }
        if kind == "ExternalName" {
            return Ok(());
        }
        allocate_address(target, service, &taken)?;
        let health = kind == "LoadBalancer" && service["spec"]["externalTrafficPolicy"] == "Local";
        let wants_ports = kind == "NodePort"
            || (kind == "LoadBalancer" && service["spec"]["allocateLoadBalancerNodePorts"] != json!(false));
        if wants_ports {
            allocate_ports(target, service, taken.ports.clone())?;
        }
        if health && service["spec"]["healthCheckNodePort"].as_u64().unwrap_or(0) == 0 {
            let own: BTreeSet<u16> = node_ports(service).chain(taken.ports.iter().copied()).collect();
            service["spec"]["healthCheckNodePort"] = json!(free_port(&own));
        }
        Ok(())
    }

    fn taken(&self, target: &Target) -> Taken {
        let mut taken = Taken::default();
        let own = target.key().path;
        for object in self
            .store()
            .list(&target.served.table, None, |object| *object.path() != own)
            .objects
        {
            let service = object.value();
            taken.addresses.extend(
                service["spec"]["clusterIP"]
                    .as_str()
                    .and_then(|text| text.parse::<Ipv4Addr>().ok()),
            );
            taken.ports.extend(node_ports(&service));
        }
        taken
    }
}

fn allocate_address(target: &Target, service: &mut Value, taken: &Taken) -> Result<(), Status> {
    let listed = service["spec"]["clusterIPs"][0].as_str().unwrap_or_default();
    let wanted = service["spec"]["clusterIP"]
        .as_str()
        .filter(|text| !text.is_empty())
        .unwrap_or(listed)
        .to_owned();
    let chosen = match wanted.as_str() {
        "None" => "None".to_owned(),
        "" => {
            let free = (ADDRESSES_RESERVED..ADDRESSES - 1)
                .map(|offset| Ipv4Addr::from(ADDRESSES_FIRST + offset))
                .find(|address| !taken.addresses.contains(address));
            free.ok_or_else(|| Status::internal_error("all addresses of the service range are allocated"))?
                .to_string()
        }
        text => {
            let address: Option<Ipv4Addr> = text.parse().ok();
            let in_range = |address: &Ipv4Addr| u32::from(*address).wrapping_sub(ADDRESSES_FIRST) < ADDRESSES;
            let why = match address.filter(in_range) {
                None => {
                    "failed to allocate IP: the provided IP is not in the valid range. The range of valid IPs is 10.96.0.0/16"
                }
                Some(address) if taken.addresses.contains(&address) => {
                    "failed to allocate IP: provided IP is already allocated"
                }
                Some(_) => "",
            };
            if !why.is_empty() {
                return Err(invalid(target, Cause::invalid("spec.clusterIPs", &json!([text]), why)));
            }
            text.to_owned()
        }
    };
    service["spec"]["clusterIP"] = json!(chosen);
    service["spec"]["clusterIPs"] = json!([chosen]);
    Ok(())
}

fn allocate_ports(target: &Target, service: &mut Value, taken: BTreeSet<u16>) -> Result<(), Status> {
    let mut used = taken.clone();
    used.extend(node_ports(service));
    let Some(ports) = service["spec"]["ports"].as_array_mut() else {
        return Ok(());
    };
    for (place, port) in ports.iter_mut().enumerate() {
        match port["nodePort"].as_u64().unwrap_or(0) {
            0 => {
                let free = free_port(&used).ok_or_else(|| Status::internal_error("all node ports are allocated"))?;
                used.insert(free);
                port["nodePort"] = json!(free);
            }
            wanted => {
                let field = format!("spec.ports[{place}].nodePort");
                let number = u16::try_from(wanted).ok().filter(|number| NODE_PORTS.contains(number));
                let why = match number {
                    None => "provided port is not in the valid range. The range of valid ports is 30000-32767",
                    Some(number) if taken.contains(&number) => "provided port is already allocated",
                    Some(_) => continue,
                };
                return Err(invalid(target, Cause::invalid(field, &json!(wanted), why)));
            }
        }
    }
    Ok(())
}

fn node_ports(service: &Value) -> impl Iterator<Item = u16> {
    let ports = service["spec"]["ports"].as_array().cloned().unwrap_or_default();
    let of_ports = ports.into_iter().map(|port| port["nodePort"].clone());
    let numbers = of_ports.chain([service["spec"]["healthCheckNodePort"].clone()]);
    numbers
        .filter_map(|number| number.as_u64().and_then(|number| u16::try_from(number).ok()))
        .filter(|port| *port > 0)
}

fn free_port(used: &BTreeSet<u16>) -> Option<u16> {
    NODE_PORTS.clone().find(|port| !used.contains(port))
}

fn invalid(target: &Target, cause: Cause) -> Status {
    let kind = GroupKind {
        group: String::new(),
        kind: "Service".to_owned(),
    };
    Status::invalid(&kind, &target.name, vec![cause])
}
