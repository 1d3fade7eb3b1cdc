//! Services, ingresses, network policies.

use std::collections::HashSet;

use serde_json::json;

use super::check::Check;
use crate::meta::{dns1123_label_errors, dns1123_subdomain_errors, validate_labels};

pub(super) fn service(check: &mut Check<'_>) {
    check.within_or_null("spec", |spec| {
        let kind = spec.text("type").to_owned();
        let headless = spec.text("clusterIP") == "None";
        let ports = spec.get("ports").as_array().map_or(0, Vec::len);
        if ports == 0 && !headless && kind != "ExternalName" {
            spec.required("ports", "");
        }
        match &*kind {
            "LoadBalancer" | "NodePort" if headless => {
                let why = format!("may not be set to 'None' for {kind} services");
                spec.push(crate::status::Cause::invalid(spec.path("clusterIPs[0]"), &json!("None"), &why));
            }
            "ExternalName" => {
                if matches!(spec.text("clusterIP"), "") {
                    let name = spec.text("externalName").trim_end_matches('.');
                    if name.is_empty() {
                        spec.required("externalName", "");
                    } else {
                        spec.invalid_all("externalName", dns1123_subdomain_errors(name));
                    }
                } else {
                    spec.forbidden("clusterIPs", "may not be set for ExternalName services");
                }
            }
            _ => {}
        }
        let (mut names, mut numbers) = (HashSet::new(), HashSet::new());
        spec.each("ports", |port| {
            service_port(port, ports > 1, &mut names);
            let key = (port.get("port").clone().to_string(), port.text("protocol").to_owned());
            if !numbers.insert(key) {
                let path = port.path("");
                let shown = json!({"Name": "", "Protocol": port.get("protocol"), "AppProtocol": null, "Port": port.get("port"),
                                   "TargetPort": 0, "NodePort": 0});
                port.push(crate::status::Cause::duplicate(path, &shown));
            }
        });
        let causes = validate_labels(spec.get("selector"), &spec.path("selector"));
        causes.into_iter().for_each(|cause| spec.push(cause));
        spec.one_of("sessionAffinity", &["ClientIP", "None"]);
        if !matches!(&*kind, "ClusterIP" | "NodePort" | "LoadBalancer" | "ExternalName") {
            spec.not_supported("type", &["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"]);
        }
        spec.one_of("externalTrafficPolicy", &["Cluster", "Local"]);
        spec.one_of("internalTrafficPolicy", &["Cluster", "Local"]);
    });
}

fn service_port(check: &mut Check<'_>, named: bool, names: &mut HashSet<String>) {
    let name = check.text("name");
    if name.is_empty() {
        if named {
            check.required("name", "");
        }
    } else {
        check.invalid_all("name", dns1123_label_errors(name));
        if !names.insert(name.to_owned()) {
            check.duplicate("name");
        }
    }
    match check.get("port").as_i64() {
        Some(_) => check.port_number("port"),
        None => check.push(crate::status::Cause::invalid(
            check.path("port"),
            &json!(0),
            "must be between 1 and 65535, inclusive",
        )),
    }
    check.one_of("protocol", &["SCTP", "TCP", "UDP"]);
    check.port("targetPort");
    if check.get("nodePort").as_i64().is_some_and(|port| port != 0) {
        check.port_number("nodePort");
    }
}

pub(super) fn ingress(check: &mut Check<'_>) {
    check.within_or_null("spec", |spec| {
        let rules = spec.get("rules").as_array().map_or(0, Vec::len);
        if rules == 0 && !spec.has("defaultBackend") {
            let path = spec.path("");
            let why = "either `defaultBackend` or `rules` must be specified";
            spec.push(crate::status::Cause::invalid(path, &json!(null), why));
        }
        spec.within("defaultBackend", backend);
        spec.each("rules", |rule| {
            let host = rule.text("host");
            if !host.is_empty() {
                let plain = host.strip_prefix("*.").unwrap_or(host);
                if host.parse::<std::net::IpAddr>().is_ok() {
                    rule.invalid("host", "must be a DNS name, not an IP address");
                } else {
                    rule.invalid_all("host", dns1123_subdomain_errors(plain));
                }
            }
            rule.within("http", |http| {
                if http.get("paths").as_array().is_none_or(Vec::is_empty) {
                    http.required("paths", "");
                }
                http.each("paths", |path| {
                    match path.text("pathType") {
                        "" => path.required("pathType", "pathType must be specified"),
                        "Exact" | "Prefix" if !path.text("path").starts_with('/') => {
                            path.invalid("path", "must be an absolute path");
                        }
                        "Exact" | "Prefix" | "ImplementationSpecific" => {}
                        _ => path.not_supported("pathType", &["Exact", "ImplementationSpecific", "Prefix"]),
                    }
                    path.within_or_null("backend", backend);
                });
            });
        });
    });
}

fn backend(check: &mut Check<'_>) {
    match (check.has("service"), check.has("resource")) {
        (true, true) => check.invalid("", "cannot set both resource and service backends"),
        (false, false) => {
            let path = check.path("");
            let why = "resource or service backend is required";
            check.push(crate::status::Cause::invalid(path, &json!(""), why));
        }
        _ => {}
    }
    check.within("service", |service| {
        if service.text("name").is_empty() {
            service.required("name", "");
        }
        let (named, number) = (
            !service.text("port.name").is_empty(),
            service.get("port.number").as_i64().unwrap_or(0),
        );
        let mixed = named && number != 0;
        if !mixed && number != 0 {
            service.port_number("port.number");
        }
    });
    let named = !check.text("service.port.name").is_empty();
    let numbered = check
        .get("service.port.number")
        .as_i64()
        .is_some_and(|number| number != 0);
    match (check.has("service"), named, numbered) {
        (true, true, true) => {
            let path = check.path("");
            check.push(crate::status::Cause::invalid(
                path,
                &json!(""),
                "cannot set both port name & port number",
            ));
        }
        (true, false, false) => check.required("", "port name or number is required"),
        _ => {}
    }
}

pub(super) fn network_policy(check: &mut Check<'_>) {
    check.within_or_null("spec", |spec| {
        spec.selector("podSelector");
        for (direction, side) in [("ingress", "from"), ("egress", "to")] {
            spec.each(direction, |rule| {
                rule.each("ports", |port| {
                    port.one_of("protocol", &["TCP", "UDP", "SCTP"]);
                    port.port("port");
                });
                rule.each(side, |peer| {
                    if !peer.has("podSelector") && !peer.has("namespaceSelector") && !peer.has("ipBlock") {
                        peer.required("", "must specify a peer");
                    } else if peer.has("ipBlock") && (peer.has("podSelector") || peer.has("namespaceSelector")) {
                        peer.forbidden("", "may not specify both ipBlock and another peer");
                    }
                    peer.selector("podSelector");
                    peer.selector("namespaceSelector");
                });
            });
        }
        spec.each("policyTypes", |kind| kind.one_of("", &["Ingress", "Egress"]));
    });
}
