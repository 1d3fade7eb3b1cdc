//! Who may talk to a loopback server at all.
//!
//! A page in a browser can make requests to 127.0.0.1, and a name that its owner points to 127.0.0.1 makes them look
//! like the page's own (DNS rebinding). Both give themselves away: by the name in `Host`, or by an `Origin`.

use std::net::IpAddr;

use apimachinery::status::{Details, Status};
use http::HeaderMap;
use http::header::{HOST, ORIGIN};
use http::uri::Authority;

/// Names of this server besides loopback addresses: those by which programs in Pods call it.
const NAMES: [&str; 6] = [
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
    "10.96.0.1",
];

/// Refuses requests that were meant for another name, or that a page of another origin makes.
pub(crate) fn check(headers: &HeaderMap, authority: Option<&Authority>) -> Result<(), Status> {
    let host_header = headers.get(HOST).map(|value| value.to_str().unwrap_or("?"));
    for host in authority.map(Authority::as_str).into_iter().chain(host_header) {
        if !is_local(host) {
            return Err(refused(&format!(
                "the Host {host:?} is not a name of this server; call it as 127.0.0.1 or localhost"
            )));
        }
    }
    if let Some(origin) = headers.get(ORIGIN) {
        let origin = origin.to_str().unwrap_or("?");
        let host = origin.split_once("://").map_or(origin, |(_, host)| host);
        if !is_local(host) {
            return Err(refused(&format!("requests of pages from {origin:?} are not answered")));
        }
    }
    Ok(())
}

/// Whether `host[:port]` is this machine.
fn is_local(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else {
        return false;
    };
    let name = authority
        .host()
        .trim_start_matches('[')
        .trim_end_matches(']')
        .to_ascii_lowercase();
    let loopback = name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    loopback || NAMES.contains(&name.as_str())
}

fn refused(why: &str) -> Status {
    Status {
        code: 403,
        reason: "Forbidden",
        message: why.to_owned(),
        details: Box::new(Details::default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        for host in [
            "127.0.0.1:6443",
            "localhost",
            "[::1]:6443",
            "127.8.0.1",
            "Kubernetes.Default.svc",
            "10.96.0.1:443",
        ] {
            assert!(is_local(host), "{host}");
        }
        for host in [
            "evil.example:6443",
            "localhost.evil.example",
            "192.168.0.1",
            "",
            "127.0.0.1.nip.io",
            "null",
        ] {
            assert!(!is_local(host), "{host}");
        }
    }
}
