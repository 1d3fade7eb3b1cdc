//! Unmodified programs on the Pod network: many on one port, found by name and by address.

#![cfg(target_os = "linux")]

#[allow(unreachable_pub, missing_docs, reason = "a module of a test")]
mod support;

use std::net::Ipv4Addr;

use node::network::Mode;
use node::services::{ClusterService, Endpoint, Protocol, ServiceKind, ServicePort, Table};
use support::Bench;

fn web(bench: &Bench, pods: &[Ipv4Addr], ready: bool) -> Table {
    let endpoints = pods.iter().map(|address| Endpoint {
        address: *address,
        port: 8080,
        hostname: None,
        ready,
    });
    let service = |name: &str, kind| ClusterService {
        namespace: "default".into(),
        name: name.into(),
        kind,
        ports: vec![ServicePort {
            name: None,
            port: 80,
            protocol: Protocol::Tcp,
            endpoints: endpoints.clone().collect(),
        }],
        affinity: None,
    };
    let _ = bench;
    Table::new([
        service("web", ServiceKind::Cluster(Ipv4Addr::new(10, 96, 0, 7))),
        service(
            "pods",
            ServiceKind::Headless {
                publish_not_ready: false,
            },
        ),
    ])
}

/// Three servers on one port; a client reaches each of them in turn, and they see its Pod address.
#[test]
fn copies_share_a_port_and_a_service_balances_over_them() {
    let Some(bench) = Bench::new() else { return };
    let servers: Vec<_> = (0..3)
        .map(|index| bench.serve(&format!("web-{index}"), "0.0.0.0:8080"))
        .collect();
    let addresses: Vec<Ipv4Addr> = servers.iter().map(|server| server.pod.api).collect();
    bench.services.replace(web(&bench, &addresses, true));

    for name in [
        "web:80",
        "web.default:80",
        "web.default.svc.cluster.local:80",
        "10.96.0.7:80",
    ] {
        let (client, output) = bench.run("client", &["get", name, "6"]);
        let mut lines: Vec<&str> = output.lines().collect();
        lines.sort_unstable();
        let expect: Vec<String> = ["web-0", "web-0", "web-1", "web-1", "web-2", "web-2"]
            .map(|name| format!("{name} {client}"))
            .into();
        assert_eq!(lines, expect, "{name}");
    }
    let (_, output) = bench.run("client", &["get", "pods:8080", "1"]);
    assert!(output.starts_with("web-"), "{output}");
}

#[test]
fn nobody_ready_is_refused_and_a_gone_pod_is_unreachable() {
    let Some(bench) = Bench::new() else { return };
    let server = bench.serve("web-0", "[::]:8080");
    let address = server.pod.api;
    bench.services.replace(web(&bench, &[address], false));
    let (_, output) = bench.run("client", &["get", "web:80", "1"]);
    assert_eq!(output, "error ConnectionRefused\n");
    // The Pod itself is reachable, from a dual-stack socket too.
    let (_, output) = bench.run("client", &["get", &format!("{address}:8080"), "1"]);
    assert!(output.starts_with("web-0 "), "{output}");
    let (_, output) = bench.run("client", &["get", "10.244.200.1:8080", "1"]);
    assert_eq!(output, "error HostUnreachable\n");
}

#[test]
fn localhost_is_the_pods_own_or_the_hosts() {
    let Some(bench) = Bench::new() else { return };
    let _private = bench.serve("private", "127.0.0.1:8080");
    let host = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = host.local_addr().unwrap().port();
    std::thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut stream, _) = host.accept().unwrap();
        let _ = stream.read(&mut [0; 512]);
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nhost\n").unwrap();
    });
    // Another Pod's localhost is not ours.
    let (_, output) = bench.run("client", &["get", "127.0.0.1:8080", "1"]);
    assert_eq!(output, "error ConnectionRefused\n");
    let (_, output) = bench.run("client", &["get", &format!("localhost:{port}"), "1"]);
    assert_eq!(output, "host\n");
}

#[test]
fn a_port_that_a_host_program_holds_is_mapped() {
    let Some(bench) = Bench::new() else { return };
    let host = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let port = host.local_addr().unwrap().port();
    let server = bench.serve("web-0", &format!("0.0.0.0:{port}"));
    let (_, output) = bench.run("client", &["get", &format!("{}:{port}", server.pod.api), "1"]);
    assert!(output.starts_with("web-0 "), "{output}");
    assert_ne!(bench.network.reach(server.pod.api, port).port(), port);
}

#[test]
fn the_mode_is_found_by_trying() {
    let Some(bench) = Bench::new() else { return };
    assert!(matches!(
        node::network::probe_mode(&bench.guardian),
        Mode::Intercepted(_)
    ));
}

#[test]
fn a_privileged_port_needs_no_privilege() {
    let Some(bench) = Bench::new() else { return };
    let servers = [bench.serve("web-0", "0.0.0.0:80"), bench.serve("web-1", "[::]:80")];
    for (index, server) in servers.iter().enumerate() {
        let (_, output) = bench.run("client", &["get", &format!("{}:80", server.pod.api), "1"]);
        assert!(output.starts_with(&format!("web-{index} ")), "{output}");
    }
}

/// Interpreters and their own ways of resolving and binding; each is skipped only where it is not installed.
#[test]
fn python_serves_and_asks_by_name() {
    let Some(bench) = Bench::new() else { return };
    let python = std::path::Path::new("/usr/bin/python3");
    if !python.exists() {
        return;
    }
    let server = bench.start_program("py", python, &["-u", "-m", "http.server", "8080"]);
    let endpoint = [server.pod.api];
    bench.services.replace(web(&bench, &endpoint, true));
    let script = "import urllib.request,time\n\
        for _ in range(100):\n  \
        try: print(urllib.request.urlopen('http://web/').status); break\n  \
        except OSError: time.sleep(0.05)";
    let mut client = bench.start_program("client", python, &["-c", script]);
    let mut text = String::new();
    std::io::Read::read_to_string(&mut client.output, &mut text).unwrap();
    assert_eq!(text, "200\n");
}

/// Other resolvers than glibc's: curl's threaded one, and c-ares, which checks where a reply comes from.
#[test]
fn other_resolvers_find_services() {
    let Some(bench) = Bench::new() else { return };
    let server = bench.serve("web-0", "0.0.0.0:8080");
    bench.services.replace(web(&bench, &[server.pod.api], true));
    let check = |program: &str, arguments: &[&str], expect: &str| {
        let program = std::path::Path::new(program);
        if program.exists() {
            let mut client = bench.start_program("client", program, arguments);
            let mut text = String::new();
            std::io::Read::read_to_string(&mut client.output, &mut text).unwrap();
            assert!(text.starts_with(expect), "{program:?} {arguments:?}: {text}");
        }
    };
    for name in [
        "http://web/",
        "http://web.default/",
        "http://web.default.svc.cluster.local/",
    ] {
        check("/usr/bin/curl", &["-sS", "--max-time", "10", name], "web-0 ");
    }
    let ask = "require('dns').resolve4('web.default.svc.cluster.local', (e, a) => console.log(e || a[0]))";
    check("/usr/bin/node", &["-e", ask], "10.96.0.7\n");
    let get = "require('http').get('http://web/', r => r.on('data', d => process.stdout.write(d)))";
    check("/usr/bin/node", &["-e", get], "web-0 ");
}
