//! The developer's way in: by address and by host name.

#![cfg(target_os = "linux")]

#[allow(unreachable_pub, missing_docs, dead_code, reason = "a module of several tests")]
mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use node::front::Front;
use node::services::{ClusterService, Endpoint, Protocol, ServiceKind, ServicePort, Table};
use support::Bench;

fn table(endpoints: Vec<Endpoint>) -> Table {
    Table::new([ClusterService {
        namespace: "default".into(),
        name: "web".into(),
        kind: ServiceKind::Cluster("10.96.0.7".parse().unwrap()),
        ports: vec![ServicePort {
            name: None,
            port: 80,
            protocol: Protocol::Tcp,
            endpoints,
        }],
        affinity: None,
    }])
}

fn get(address: SocketAddr, host: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    let _ = stream.read_to_string(&mut text);
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn services_are_reached_by_address_and_by_host_name() {
    let Some(bench) = tokio::task::spawn_blocking(Bench::new).await.unwrap() else {
        return;
    };
    let front = Front::start(Arc::clone(&bench.network), 0).await.unwrap();
    let server = bench.serve("web-0", "0.0.0.0:8080");
    let endpoint = Endpoint {
        address: server.pod.api,
        port: 8080,
        hostname: None,
        ready: true,
    };
    bench.services.replace(table(vec![endpoint.clone()]));
    let mut addresses = front.addresses();
    let address = addresses.wait_for(|all| !all.is_empty()).await.unwrap()[0].address;

    let router = front.router();
    let (direct, routed, foreign) = tokio::task::spawn_blocking(move || {
        (
            get(address.into(), "x"),
            get(router, "web.default.localhost:1"),
            get(router, "evil.example"),
        )
    })
    .await
    .unwrap();
    assert!(direct.contains("web-0 "), "{direct}");
    assert!(
        routed.starts_with("HTTP/1.1 200") && routed.contains("web-0 "),
        "{routed}"
    );
    assert!(
        foreign.starts_with("HTTP/1.1 404") && foreign.contains("http://web.default.localhost"),
        "{foreign}"
    );

    bench.services.replace(table(vec![Endpoint {
        ready: false,
        ..endpoint
    }]));
    let none = tokio::task::spawn_blocking(move || get(router, "web.localhost"))
        .await
        .unwrap();
    assert!(none.starts_with("HTTP/1.1 503"), "{none}");
    bench.services.replace(Table::default());
    addresses.wait_for(Vec::is_empty).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgraded_connection_passes_both_ways() {
    let Some(bench) = tokio::task::spawn_blocking(Bench::new).await.unwrap() else {
        return;
    };
    let front = Front::start(Arc::clone(&bench.network), 0).await.unwrap();
    let server = bench.serve_as("upgrade", "web-0", "0.0.0.0:8080");
    let endpoint = Endpoint {
        address: server.pod.api,
        port: 8080,
        hostname: None,
        ready: true,
    };
    bench.services.replace(table(vec![endpoint]));
    let router = front.router();
    let asked = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(router).unwrap();
        stream
            .set_read_timeout(Some(std::time::Duration::from_secs(10)))
            .unwrap();
        let head = "GET / HTTP/1.1\r\nHost: web.default.localhost\r\nConnection: Upgrade\r\nUpgrade: shout\r\n\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        let mut text = String::new();
        while !text.ends_with("\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            text.push(byte[0].into());
        }
        stream.write_all(b"hello").unwrap();
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).unwrap();
        (text, answer)
    });
    let (head, answer) = asked.await.unwrap();
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    assert_eq!(&answer, b"HELLO");
}
