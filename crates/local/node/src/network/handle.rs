//! One notified call: read what the program asked for, decide, do it on its socket, answer.

use std::net::{SocketAddr, SocketAddrV4};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use super::pod::Scope;
use super::route::{self, Binding, Route, Source};
use super::{Network, PodNetwork};
use crate::services::Protocol;
use crate::sys::seccomp::{self, Answer, Notification};
use crate::sys::socket::{self, Address, Kind, SendTimeout};
use crate::sys::target;

/// The longest path that is looked at; longer ones are not ours.
const PATH_BYTES_MAX: usize = 128;

/// The largest datagram (65,507 bytes of payload in IPv4).
const DATAGRAM_BYTES_MAX: usize = 65_507;

/// How long a blocking `connect` is tried on the program's behalf before it waits in its own call.
const CONNECT_TRIAL: Duration = Duration::from_millis(1);

/// Name services that would answer in place of ours; refused, glibc goes on to DNS.
const FOREIGN_NAME_SERVICES: [&[u8]; 6] = [
    b"/run/nscd/socket",
    b"/var/run/nscd/socket",
    b"/run/systemd/resolve/io.systemd.Resolve",
    b"/var/run/systemd/resolve/io.systemd.Resolve",
    b"/run/avahi-daemon/socket",
    b"/var/run/avahi-daemon/socket",
];

/// A call to answer.
pub(super) struct Call<'served> {
    pub(super) network: &'served Network,
    pub(super) pod: &'served PodNetwork,
    pub(super) listener: BorrowedFd<'served>,
    pub(super) notification: &'served Notification,
}

/// What the watchdog says in our place: network calls fail, for continuing could leak a cluster address to the
/// real network; opens continue.
pub(super) fn on_timeout(number: i64) -> Answer {
    match number {
        libc::SYS_connect | libc::SYS_sendto => Answer::Error(libc::ETIMEDOUT),
        libc::SYS_bind => Answer::Error(libc::EADDRNOTAVAIL),
        _ => Answer::Continue,
    }
}

/// The program's socket with what it is.
struct Socket {
    copy: OwnedFd,
    kind: Kind,
    protocol: Protocol,
}

impl Call<'_> {
    /// Handles the call and answers it.
    pub(super) fn handle(&self) {
        let answer = match i64::from(self.notification.number) {
            libc::SYS_connect => self.connect(),
            libc::SYS_bind => self.bind(),
            libc::SYS_sendto => self.send_to(),
            _ => match self.open() {
                Some(answer) => answer,
                None => return,
            },
        };
        seccomp::answer(self.listener, self.notification.id, answer);
    }

    fn argument(&self, index: usize) -> u64 {
        self.notification.arguments[index]
    }

    /// The address at argument `pointer` with the length at argument `length`.
    fn address(&self, pointer: usize, length: usize) -> Address {
        let mut bytes = [0; socket::ADDRESS_BYTES_MAX];
        let length = (self.argument(length) as u32 as usize).min(bytes.len());
        match self.read(self.argument(pointer), &mut bytes[..length]) {
            Some(read) => socket::decode(&bytes[..read]),
            None => Address::Other,
        }
    }

    /// Reads the program's memory; `None` when that fails or the program no longer waits, so that the bytes may
    /// be another process'.
    fn read(&self, address: u64, into: &mut [u8]) -> Option<usize> {
        let read = target::read_memory(self.notification.thread, address, into).ok()?;
        seccomp::is_valid(self.listener, self.notification.id).then_some(read)
    }

    /// The socket at argument 0. `None`: not a TCP or UDP socket.
    fn socket(&self) -> std::io::Result<Option<Socket>> {
        let copy = target::copy_descriptor(self.notification.thread, self.argument(0))?;
        let Some(kind) = socket::kind(copy.as_fd())? else {
            return Ok(None);
        };
        let protocol = match kind.protocol {
            libc::IPPROTO_TCP => Protocol::Tcp,
            libc::IPPROTO_UDP => Protocol::Udp,
            _ => return Ok(None),
        };
        Ok(Some(Socket { copy, kind, protocol }))
    }

    fn connect(&self) -> Answer {
        let to = match self.address(1, 2) {
            Address::Inet(to) => to,
            Address::Unix(path) if FOREIGN_NAME_SERVICES.contains(&path.as_slice()) => {
                return Answer::Error(libc::ECONNREFUSED);
            }
            Address::Unix(_) | Address::Other => return Answer::Continue,
        };
        if !route::concerns(self.network, self.pod, to) {
            return Answer::Continue;
        }
        let socket = match self.socket() {
            Ok(Some(socket)) => socket,
            Ok(None) => return Answer::Continue,
            Err(_) => return unreachable_or_native(self.network, self.pod, to),
        };
        match route::connect(self.network, self.pod, socket.protocol, to, Instant::now()) {
            Route::Native => Answer::Continue,
            Route::Refused => Answer::Error(libc::ECONNREFUSED),
            Route::Unreachable => Answer::Error(libc::EHOSTUNREACH),
            // The copy is closed before the answer, or the program's own close would not end the connection.
            Route::To(real, source) => self.connect_to(&socket, real, source),
        }
    }

    fn connect_to(&self, socket: &Socket, real: SocketAddrV4, source: Source) -> Answer {
        let fd = socket.copy.as_fd();
        let domain = socket.kind.domain;
        if domain == socket::Domain::V6 {
            // Fails only on a bound socket, which then says so itself.
            let _ = socket::allow_mapped(fd);
        }
        if source == Source::Pod && self.pod.host == super::HostNetwork::No {
            let unbound = matches!(socket::local_address(fd), Ok(Some(local)) if local.ip().is_unspecified() && local.port() == 0);
            if unbound {
                // Without it the connection works too, from an address that the other side does not know.
                let _ = socket::bind_source(fd, domain, self.pod.internal);
            }
        }
        let blocking = socket.protocol == Protocol::Tcp && socket::is_blocking(fd).unwrap_or(false);
        if !blocking {
            return to_answer(socket::connect(fd, domain, real));
        }
        let Ok(old) = socket::swap_send_timeout(fd, SendTimeout::from(CONNECT_TRIAL)) else {
            return Answer::Error(libc::EHOSTUNREACH);
        };
        let result = socket::connect(fd, domain, real);
        let _ = socket::swap_send_timeout(fd, old);
        match result.as_ref().map_err(std::io::Error::raw_os_error) {
            // The socket is connecting now. Continued, the program's call waits for that with its own timeout and
            // signals, and its address is not looked at.
            Err(Some(libc::EINPROGRESS | libc::EALREADY)) => Answer::Continue,
            _ => to_answer(result),
        }
    }

    fn bind(&self) -> Answer {
        let Address::Inet(to) = self.address(1, 2) else {
            return Answer::Continue;
        };
        let Binding::Own(scope, port) = route::bind(self.network, self.pod, to) else {
            return Answer::Continue;
        };
        match self.socket() {
            Ok(Some(socket)) => self.bind_to(&socket, scope, port),
            Ok(None) => Answer::Continue,
            Err(_) => Answer::Error(libc::EADDRNOTAVAIL),
        }
    }

    fn bind_to(&self, socket: &Socket, scope: Scope, port: u16) -> Answer {
        let fd = socket.copy.as_fd();
        let domain = socket.kind.domain;
        let only_v6 = domain == socket::Domain::V6 && socket::is_only_v6(fd).unwrap_or(false);
        if domain == socket::Domain::V6 {
            let _ = socket::allow_mapped(fd);
        }
        let own = SocketAddrV4::new(self.pod.address(scope), port);
        let error = match socket::bind(fd, domain, own) {
            Ok(()) => {
                self.pod.record(socket.protocol, scope, port, port);
                return Answer::Value(0);
            }
            Err(error) => error.raw_os_error().unwrap_or(libc::EADDRNOTAVAIL),
        };
        let elsewhere = match error {
            libc::EACCES => true,
            libc::EADDRINUSE => {
                let by_us = self.pod.recorded(socket.protocol, scope, port).is_some() && is_bound(socket.protocol, own);
                if by_us && only_v6 {
                    // A server that opens the same port once for each family: the IPv4 socket serves both.
                    return to_answer(socket::bind_nowhere(fd));
                }
                !by_us
            }
            _ => false,
        };
        if !elsewhere {
            return Answer::Error(error);
        }
        // Privileged, or held by a program outside: another port of ours, reached through the map.
        if let Err(error) = socket::bind(fd, domain, SocketAddrV4::new(*own.ip(), 0)) {
            return to_answer(Err(error));
        }
        match socket::local_address(fd) {
            Ok(Some(real)) => {
                self.pod.record(socket.protocol, scope, port, real.port());
                Answer::Value(0)
            }
            _ => Answer::Error(libc::EADDRNOTAVAIL),
        }
    }

    fn send_to(&self) -> Answer {
        let Address::Inet(to) = self.address(4, 5) else {
            return Answer::Continue;
        };
        if !route::concerns(self.network, self.pod, to) {
            return Answer::Continue;
        }
        let socket = match self.socket() {
            Ok(Some(socket)) if socket.protocol == Protocol::Udp => socket,
            Ok(_) => return Answer::Continue,
            Err(_) => return unreachable_or_native(self.network, self.pod, to),
        };
        let real = match route::connect(self.network, self.pod, Protocol::Udp, to, Instant::now()) {
            Route::Native => return Answer::Continue,
            Route::Refused => return Answer::Error(libc::ECONNREFUSED),
            Route::Unreachable => return Answer::Error(libc::EHOSTUNREACH),
            Route::To(real, _) => real,
        };
        let real = match (to, socket::cookie(socket.copy.as_fd())) {
            (SocketAddr::V4(service), Ok(cookie)) if self.network.plan.is_service(*service.ip()) => {
                self.pod.sticky_endpoint(cookie, service, real)
            }
            _ => real,
        };
        let length = self.argument(2) as usize;
        if length > DATAGRAM_BYTES_MAX {
            return Answer::Error(libc::EMSGSIZE);
        }
        let mut data = vec![0; length];
        if length > 0 && self.read(self.argument(1), &mut data) != Some(length) {
            return Answer::Error(libc::EFAULT);
        }
        let flags = self.argument(3) as i32;
        match socket::send_to(socket.copy.as_fd(), socket.kind.domain, &data, flags, real) {
            Ok(sent) => Answer::Value(sent as i64),
            Err(error) => to_answer(Err(error)),
        }
    }

    /// An open for reading: one of the Pod's own files, or the real one. `None`: already answered.
    fn open(&self) -> Option<Answer> {
        let (path, flags) = if i64::from(self.notification.number) == libc::SYS_openat {
            (1, 2)
        } else {
            (0, 1)
        };
        let mut bytes = [0; PATH_BYTES_MAX];
        let Some(read) = self.read(self.argument(path), &mut bytes) else {
            return Some(Answer::Continue);
        };
        let Some(end) = bytes[..read].iter().position(|byte| *byte == 0) else {
            return Some(Answer::Continue);
        };
        let Some(contents) = self.pod.file(&bytes[..end]) else {
            return Some(Answer::Continue);
        };
        let placed = target::memory_file(&contents).and_then(|file| {
            seccomp::answer_with_descriptor(self.listener, self.notification.id, file.as_fd(), self.argument(flags))
        });
        // On a kernel without this step (before 5.14) the program sees the host's file.
        placed.is_err().then_some(Answer::Continue)
    }
}

/// Without the socket an address of ours must fail: continued, it would leave for the real network.
fn unreachable_or_native(network: &Network, pod: &PodNetwork, to: SocketAddr) -> Answer {
    match route::connect(network, pod, Protocol::Tcp, to, Instant::now()) {
        Route::Native => Answer::Continue,
        _ => Answer::Error(libc::EHOSTUNREACH),
    }
}

fn to_answer(result: std::io::Result<()>) -> Answer {
    match result {
        Ok(()) => Answer::Value(0),
        Err(error) => Answer::Error(error.raw_os_error().unwrap_or(libc::EHOSTUNREACH)),
    }
}

/// Whether exactly this address and port is bound by some socket of the machine: as Pod addresses are ours
/// alone, by the Pod.
fn is_bound(protocol: Protocol, address: SocketAddrV4) -> bool {
    let name = match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
    };
    // The address is written as the number that the machine keeps in memory; the mapped form ends with it.
    let wanted = format!(
        "{:08X}:{:04X}",
        u32::from_ne_bytes(address.ip().octets()),
        address.port()
    );
    ["", "6"].iter().any(|family| {
        let table = std::fs::read_to_string(format!("/proc/net/{name}{family}")).unwrap_or_default();
        table.lines().skip(1).any(|line| {
            line.split_ascii_whitespace()
                .nth(1)
                .is_some_and(|local| local.ends_with(&wanted))
        })
    })
}
