//! What interception costs: the same calls plain and inside a Pod, in one run.
//!
//! `cargo run --release -p node --example overhead`

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use node::guardian::{Guardian, GuardianCommand, Interception, ProcessSpec, Streams};
use node::network::{HostNetwork, Network};
use node::services::{ClusterService, Endpoint, Protocol, ServiceKind, ServicePort, Services, Table};

/// The best of so many rounds counts, for others use this machine too.
const ROUNDS: usize = 5;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["guardian"] => node::guardian::run(),
        ["measure", target] => {
            measure(target);
            Ok(())
        }
        ["serve"] => serve(),
        _ => compare(),
    }
}

fn compare() -> Result<(), Box<dyn std::error::Error>> {
    let guardian = Guardian::spawn(GuardianCommand::this_program(["guardian"])?)?;
    let services = Services::new();
    let network = Network::start(Arc::clone(&services))?;
    let server = start(&guardian, &network, &["serve"], Interception::NetworkAndOpens)?;
    std::thread::sleep(Duration::from_millis(200));
    services.replace(Table::new([ClusterService {
        namespace: "default".into(),
        name: "echo".into(),
        kind: ServiceKind::Cluster("10.96.0.7".parse()?),
        ports: vec![ServicePort {
            name: None,
            port: 80,
            protocol: Protocol::Tcp,
            endpoints: vec![Endpoint {
                address: server.api,
                port: 8080,
                hostname: None,
                ready: true,
            }],
        }],
        affinity: None,
    }]));
    let plain = format!("{}:8080", server.internal);
    let before = start(&guardian, &network, &["measure", &plain], Interception::None)?.output;
    let network_only = start(&guardian, &network, &["measure", "10.96.0.7:80"], Interception::Network)?.output;
    let all = start(
        &guardian,
        &network,
        &["measure", "10.96.0.7:80"],
        Interception::NetworkAndOpens,
    )?
    .output;
    println!(
        "{:<34}{:>12}{:>12}{:>12}",
        "ns per call, best of 5", "plain", "network", "and opens"
    );
    for ((plain, network), all) in before.lines().zip(network_only.lines()).zip(all.lines()) {
        let cell = |line: &str| line.rsplit(' ').next().unwrap_or_default().to_owned();
        let name = plain.rsplit_once(' ').map_or(plain, |(name, _)| name);
        println!("{name:<34}{:>12}{:>12}{:>12}", cell(plain), cell(network), cell(all));
    }
    Ok(())
}

struct Started {
    api: std::net::Ipv4Addr,
    internal: std::net::Ipv4Addr,
    output: String,
}

/// Runs this program in a Pod; all but the server to its end.
fn start(
    guardian: &Guardian,
    network: &Arc<Network>,
    arguments: &[&str],
    interception: Interception,
) -> Result<Started, Box<dyn std::error::Error>> {
    let pod = network
        .attach("default", arguments[0], HostNetwork::No)
        .ok_or("no address")?;
    let (mut read, write) = std::io::pipe()?;
    let null = || std::fs::OpenOptions::new().read(true).write(true).open("/dev/null");
    let streams = Streams {
        stdin: null()?.into(),
        stdout: write.into(),
        stderr: null()?.into(),
    };
    let spec = ProcessSpec {
        program: std::env::current_exe()?,
        arguments: std::iter::once("overhead")
            .chain(arguments.iter().copied())
            .map(str::to_owned)
            .collect(),
        environment: Vec::new(),
        working_directory: "/".into(),
        interception,
        placements: Vec::new(),
    };
    let running = guardian.start(spec, &streams, |listener| {
        #[cfg(target_os = "linux")]
        network.serve(&pod, listener).expect("threads");
        #[cfg(not(target_os = "linux"))]
        drop(listener);
    })?;
    drop(streams);
    let mut output = String::new();
    if arguments[0] != "serve" {
        read.read_to_string(&mut output)?;
        running.ended.blocking_recv()?;
    }
    Ok(Started {
        api: pod.api,
        internal: pod.internal,
        output,
    })
}

/// Answers each byte with a byte.
fn serve() -> Result<(), Box<dyn std::error::Error>> {
    for stream in TcpListener::bind("0.0.0.0:8080")?.incoming() {
        let mut stream = stream?;
        stream.set_nodelay(true)?;
        std::thread::spawn(move || {
            let mut byte = [0];
            while stream.read_exact(&mut byte).is_ok() && stream.write_all(&byte).is_ok() {}
        });
    }
    Ok(())
}

fn measure(target: &str) {
    let (mut one, mut other) = std::io::pipe().expect("pipe");
    report("write + read of 1 byte (pipe)", 100_000, || {
        other.write_all(b"x").expect("write");
        one.read_exact(&mut [0]).expect("read");
    });
    report("open + close", 5_000, || {
        drop(std::fs::File::open("/dev/null").expect("open"))
    });
    report("udp connect, not ours", 5_000, || {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("bind");
        socket.connect("127.0.0.1:9").expect("connect");
    });
    report("tcp bind + close, port 0", 5_000, || {
        drop(TcpListener::bind("127.0.0.1:0").expect("bind"))
    });
    report("tcp connect to the service + close", 2_000, || {
        drop(TcpStream::connect(target).expect("connect"))
    });
    let mut stream = TcpStream::connect(target).expect("connect");
    stream.set_nodelay(true).expect("nodelay");
    report("tcp ping-pong of 1 byte", 5_000, || {
        stream.write_all(b"x").expect("write");
        stream.read_exact(&mut [0]).expect("read");
    });
}

fn report(name: &str, count: u32, mut call: impl FnMut()) {
    let mut round = || {
        let start = Instant::now();
        for _ in 0..count {
            call();
        }
        start.elapsed().as_nanos() / u128::from(count)
    };
    let best = (0..ROUNDS).map(|_| round()).min().unwrap_or_default();
    println!("{name} {best}");
}
