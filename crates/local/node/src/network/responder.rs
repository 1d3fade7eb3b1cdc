//! The name server's sockets: our own names from the table, all others from the host's name servers.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::Network;
use super::address::{AddressPlan, CLUSTER_DOMAIN, Sockets};
use super::dns::{self, Context, Reply, Transport};
use crate::sys::process::poll;

/// How long one of the host's name servers may take before the next is asked.
const UPSTREAM_TIMEOUT: Duration = Duration::from_secs(2);

/// The most questions that wait for the host's name servers at once, each with a thread; more get
/// "server failure" at once, which resolvers ask again.
const FORWARDS_MAX: usize = 64;

/// The most TCP questions at once.
const STREAMS_MAX: usize = 32;

/// How long a TCP client may take for its question.
const STREAM_TIMEOUT: Duration = Duration::from_secs(5);

const MESSAGE_BYTES_MAX: usize = 4096;
const STACK_BYTES: usize = 128 << 10;

/// What the name server knows of its host.
pub(super) struct Responder {
    port: u16,
    upstream: Vec<SocketAddr>,
    search: Vec<String>,
    in_flight: Arc<AtomicUsize>,
}

impl Responder {
    pub(super) fn new(sockets: &Sockets) -> Self {
        let text = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
        let (upstream, search) = parse_resolv_conf(&text);
        Responder {
            port: sockets.port,
            upstream,
            search,
            in_flight: Arc::default(),
        }
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn resolv_conf(&self, plan: &AddressPlan, namespace: &str) -> String {
        let name_server = plan.name_server();
        format!(
            "nameserver {name_server}\n\
             search {namespace}.svc.{CLUSTER_DOMAIN} svc.{CLUSTER_DOMAIN} {CLUSTER_DOMAIN}\n\
             options ndots:5\n"
        )
    }
}

/// The name servers and the search list of a resolv.conf(5).
fn parse_resolv_conf(text: &str) -> (Vec<SocketAddr>, Vec<String>) {
    let mut servers = Vec::new();
    let mut search = Vec::new();
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        match words.next() {
            Some("nameserver") => {
                if let Some(ip) = words.next().and_then(|word| word.parse::<IpAddr>().ok()) {
                    servers.push(SocketAddr::new(ip, 53));
                }
            }
            Some("search" | "domain") => search = words.map(|word| word.trim_end_matches('.').to_owned()).collect(),
            _ => {}
        }
    }
    (servers, search)
}

/// Starts a thread for each socket; they hold the network weakly and end with it.
pub(super) fn serve(sockets: Sockets, network: &Arc<Network>) -> std::io::Result<()> {
    let thread = |name: &str| {
        std::thread::Builder::new()
            .name(name.to_owned())
            .stack_size(STACK_BYTES)
    };
    for socket in sockets.udp {
        // So that a thread notices that the network is gone.
        socket.set_read_timeout(Some(STREAM_TIMEOUT))?;
        let network = Arc::downgrade(network);
        thread("dns-udp").spawn(move || serve_udp(&Arc::new(socket), &network))?;
    }
    for listener in sockets.tcp {
        let network = Arc::downgrade(network);
        thread("dns-tcp").spawn(move || serve_tcp(&listener, &network))?;
    }
    Ok(())
}

fn answer(network: &Network, message: &[u8], from: SocketAddr, transport: Transport) -> Reply {
    let pod = match from.ip() {
        IpAddr::V4(ip) if network.plan.is_internal(ip) => network.pod(ip),
        _ => None,
    };
    network.services.read(|table| {
        let context = Context {
            table,
            plan: &network.plan,
            namespace: pod.as_ref().map(|pod| pod.namespace.as_str()),
            host_search: &network.responder.search,
        };
        dns::reply(message, &context, transport)
    })
}

fn serve_udp(socket: &Arc<UdpSocket>, network: &Weak<Network>) {
    let mut buffer = [0; MESSAGE_BYTES_MAX];
    loop {
        let received = socket.recv_from(&mut buffer);
        let Some(network) = network.upgrade() else {
            return;
        };
        let Ok((length, from)) = received else {
            continue;
        };
        let message = &buffer[..length];
        match answer(&network, message, from, Transport::Udp) {
            Reply::Bytes(bytes) => drop(socket.send_to(&bytes, from)),
            Reply::Ignore => {}
            Reply::Forward => forward_udp(&network.responder, socket, message, from),
        }
    }
}

fn forward_udp(responder: &Responder, socket: &Arc<UdpSocket>, message: &[u8], from: SocketAddr) {
    let counter = Arc::clone(&responder.in_flight);
    let fail = |message: &[u8]| {
        if let Some(bytes) = dns::failure(message) {
            let _ = socket.send_to(&bytes, from);
        }
    };
    if counter.fetch_add(1, Ordering::Relaxed) >= FORWARDS_MAX {
        counter.fetch_sub(1, Ordering::Relaxed);
        return fail(message);
    }
    let (upstream, socket_too, owned) = (responder.upstream.clone(), Arc::clone(socket), message.to_vec());
    let spawned = std::thread::Builder::new()
        .name("dns-forward".to_owned())
        .stack_size(STACK_BYTES)
        .spawn(move || {
            let reply = upstream
                .iter()
                .find_map(|server| ask_udp(*server, &owned).ok())
                .or_else(|| dns::failure(&owned));
            if let Some(bytes) = reply {
                let _ = socket_too.send_to(&bytes, from);
            }
            counter.fetch_sub(1, Ordering::Relaxed);
        });
    if spawned.is_err() {
        responder.in_flight.fetch_sub(1, Ordering::Relaxed);
        fail(message);
    }
}

fn ask_udp(server: SocketAddr, message: &[u8]) -> std::io::Result<Vec<u8>> {
    let any: IpAddr = if server.is_ipv4() {
        Ipv4Addr::UNSPECIFIED.into()
    } else {
        std::net::Ipv6Addr::UNSPECIFIED.into()
    };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(server)?;
    socket.set_read_timeout(Some(UPSTREAM_TIMEOUT))?;
    socket.send(message)?;
    let mut buffer = vec![0; MESSAGE_BYTES_MAX];
    let length = socket.recv(&mut buffer)?;
    buffer.truncate(length);
    // The id must be that of the question; a late reply to another one is not ours.
    if buffer.get(..2) == message.get(..2) {
        Ok(buffer)
    } else {
        Err(std::io::ErrorKind::InvalidData.into())
    }
}

fn serve_tcp(listener: &TcpListener, network: &Weak<Network>) {
    let open = Arc::new(AtomicUsize::new(0));
    loop {
        // Looks up now and then, so that it notices that the network is gone.
        let ready = poll([listener.as_fd()], STREAM_TIMEOUT.as_millis() as i32);
        let Some(network) = network.upgrade() else { return };
        if !matches!(ready, Ok([ready]) if ready.readable) {
            continue;
        }
        let Ok((stream, _)) = listener.accept() else { continue };
        if open.fetch_add(1, Ordering::Relaxed) >= STREAMS_MAX {
            open.fetch_sub(1, Ordering::Relaxed);
            continue;
        }
        let counter = Arc::clone(&open);
        let work = move || {
            let _ = serve_stream(stream, &network);
            counter.fetch_sub(1, Ordering::Relaxed);
        };
        let thread = std::thread::Builder::new()
            .name("dns-stream".to_owned())
            .stack_size(STACK_BYTES);
        if thread.spawn(work).is_err() {
            open.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Messages over TCP have their length in front (RFC 1035, 4.2.2).
fn serve_stream(mut stream: TcpStream, network: &Network) -> std::io::Result<()> {
    stream.set_read_timeout(Some(STREAM_TIMEOUT))?;
    let from = stream.peer_addr()?;
    let mut length = [0; 2];
    while stream.read_exact(&mut length).is_ok() {
        let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut message)?;
        let reply = match answer(network, &message, from, Transport::Tcp) {
            Reply::Bytes(bytes) => bytes,
            Reply::Ignore => return Ok(()),
            Reply::Forward => {
                let upstream = &network.responder.upstream;
                let asked = upstream.iter().find_map(|server| ask_tcp(*server, &message).ok());
                asked.or_else(|| dns::failure(&message)).unwrap_or_default()
            }
        };
        stream.write_all(&(reply.len() as u16).to_be_bytes())?;
        stream.write_all(&reply)?;
    }
    Ok(())
}

fn ask_tcp(server: SocketAddr, message: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&server, UPSTREAM_TIMEOUT)?;
    stream.set_read_timeout(Some(UPSTREAM_TIMEOUT))?;
    stream.write_all(&(message.len() as u16).to_be_bytes())?;
    stream.write_all(message)?;
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut reply = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut reply)?;
    Ok(reply)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolv_conf_is_read() {
        let (servers, search) = parse_resolv_conf("# comment\nnameserver 10.0.0.2\nnameserver ::1\nsearch lan. corp\n");
        assert_eq!(servers, ["10.0.0.2:53".parse().unwrap(), "[::1]:53".parse().unwrap()]);
        assert_eq!(search, ["lan", "corp"]);
    }
}
