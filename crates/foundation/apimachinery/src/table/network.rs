//! Services and what they lead to.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::view::{View, at, join, list, map, scalar, selector};

/// Further endpoints, ports and hosts are only counted.
const SHOWN: usize = 3;

pub(super) fn cell(view: &View<'_>, column: &str) -> Option<Value> {
    Some(match (view.kind(), column) {
        ("Service", "Type") => json!(view.text("spec.type")),
        ("Service", "Cluster-IP") => {
            let first = view.list("spec.clusterIPs").first().and_then(Value::as_str);
            json!(first.unwrap_or_else(|| view.text_or("spec.clusterIP", "<none>")))
        }
        ("Service", "External-IP") => json!(external_address(view)),
        ("Service", "Port(s)") => json!(service_ports(view.list("spec.ports"))),
        ("Service", "Selector") => json!(map(view.at("spec.selector"))),
        ("Endpoints", "Endpoints") => json!(endpoints(view.list("subsets"))),
        ("EndpointSlice", "AddressType") => json!(view.text("addressType")),
        ("EndpointSlice", "Ports") => json!(slice_ports(view)),
        ("EndpointSlice", "Endpoints") => {
            let addresses = view
                .list("endpoints")
                .iter()
                .flat_map(|endpoint| list(&endpoint["addresses"]));
            json!(shorten(addresses.map(scalar).collect()))
        }
        ("Ingress", "Class") => json!(view.text_or("spec.ingressClassName", "<none>")),
        ("Ingress", "Hosts") => json!(hosts(view)),
        ("Ingress", "Address") => json!(ingress_points(view)),
        ("Ingress", "Ports") => json!(if view.list("spec.tls").is_empty() {
            "80"
        } else {
            "80, 443"
        }),
        ("IngressClass", "Controller") => json!(view.text("spec.controller")),
        ("IngressClass", "Parameters") => match view.at("spec.parameters") {
            Value::Null => json!("<none>"),
            parameters => {
                let group = at(parameters, "apiGroup")
                    .as_str()
                    .map(|group| format!(".{group}"))
                    .unwrap_or_default();
                json!(format!(
                    "{}{group}/{}",
                    scalar(&parameters["kind"]),
                    scalar(&parameters["name"])
                ))
            }
        },
        ("NetworkPolicy", "Pod-Selector") => json!(selector(view.at("spec.podSelector"))),
        ("ServiceCIDR", "CIDRs") => {
            json!(view.list("spec.cidrs").iter().map(scalar).collect::<Vec<_>>().join(","))
        }
        ("IPAddress", "ParentRef") => {
            let parts =
                ["group", "resource", "namespace", "name"].map(|key| scalar(at(view.at("spec.parentRef"), key)));
            let [group, resource, namespace, name] = parts;
            let group = if group.is_empty() { group } else { format!(".{group}") };
            json!(format!("{resource}{group}/{namespace}/{name}"))
        }
        _ => return None,
    })
}

/// The first few, and how many more.
fn shorten(texts: Vec<String>) -> String {
    if texts.is_empty() {
        return "<unset>".to_owned();
    }
    let more = texts.len().saturating_sub(SHOWN);
    let shown = texts.into_iter().take(SHOWN).collect::<Vec<_>>().join(",");
    if more > 0 {
        format!("{shown} + {more} more...")
    } else {
        shown
    }
}

fn ingress_points(view: &View<'_>) -> String {
    let points = view.list("status.loadBalancer.ingress").iter();
    let address = |point: &Value| {
        let text = |key: &str| point[key].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        text("ip").or_else(|| text("hostname"))
    };
    points
        .filter_map(address)
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect::<Vec<_>>()
        .join(",")
}

fn external_address(view: &View<'_>) -> String {
    let external = view
        .list("spec.externalIPs")
        .iter()
        .map(scalar)
        .collect::<Vec<_>>()
        .join(",");
    match view.text("spec.type") {
        "LoadBalancer" => {
            let given = ingress_points(view);
            match (given.is_empty(), external.is_empty()) {
                (true, true) => "<pending>".to_owned(),
                (true, false) => external,
                (false, true) => given,
                (false, false) => format!("{given},{external}"),
            }
        }
        "ExternalName" => view.text("spec.externalName").to_owned(),
        _ if external.is_empty() => "<none>".to_owned(),
        _ => external,
    }
}

fn service_ports(ports: &[Value]) -> String {
    let port = |port: &Value| {
        let number = scalar(&port["port"]);
        let protocol = port["protocol"].as_str().unwrap_or("TCP");
        match port["nodePort"].as_i64().unwrap_or(0) {
            0 => format!("{number}/{protocol}"),
            node => format!("{number}:{node}/{protocol}"),
        }
    };
    if ports.is_empty() {
        "<none>".to_owned()
    } else {
        ports.iter().map(port).collect::<Vec<_>>().join(",")
    }
}

fn endpoints(subsets: &[Value]) -> String {
    if subsets.is_empty() {
        return "<none>".to_owned();
    }
    let mut texts = Vec::new();
    for subset in subsets {
        let addresses = || list(&subset["addresses"]).iter().map(|address| scalar(&address["ip"]));
        let ports = list(&subset["ports"]);
        if ports.is_empty() {
            texts.extend(addresses());
        }
        for port in ports {
            let bracketed = |ip: String| {
                if ip.contains(':') { format!("[{ip}]") } else { ip }
            };
            texts.extend(addresses().map(|ip| format!("{}:{}", bracketed(ip), scalar(&port["port"]))));
        }
    }
    if texts.is_empty() {
        String::new()
    } else {
        shorten(texts)
    }
}

fn slice_ports(view: &View<'_>) -> String {
    let port = |port: &Value| match &port["port"] {
        Value::Null => "*".to_owned(),
        number => number.to_string(),
    };
    shorten(view.list("ports").iter().map(port).collect())
}

fn hosts(view: &View<'_>) -> String {
    let rules = view.list("spec.rules");
    let named = join(rules, "host", ",");
    let hosts: Vec<&str> = named.split(',').filter(|host| !host.is_empty()).collect();
    if hosts.is_empty() {
        return "*".to_owned();
    }
    let more = hosts.len().saturating_sub(SHOWN);
    let shown = hosts.into_iter().take(SHOWN).collect::<Vec<_>>().join(",");
    if more > 0 {
        format!("{shown} + {more} more...")
    } else {
        shown
    }
}
