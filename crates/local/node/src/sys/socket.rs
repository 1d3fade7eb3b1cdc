//! Socket calls on a descriptor copied from another process.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

use super::{checked, checked_len};

/// The largest socket address (`sockaddr_storage`).
pub(crate) const ADDRESS_BYTES_MAX: usize = 128;

/// A socket address as a program passed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    /// IPv4 or IPv6.
    Inet(SocketAddr),
    /// A Unix socket's path (empty when abstract or unnamed).
    Unix(Vec<u8>),
    /// Anything else, `AF_UNSPEC` among it.
    Other,
}

/// Reads a `sockaddr` of which the program said that it has this many bytes.
pub(crate) fn decode(bytes: &[u8]) -> Address {
    let Some((family, rest)) = bytes.split_first_chunk::<2>() else {
        return Address::Other;
    };
    match i32::from(u16::from_ne_bytes(*family)) {
        libc::AF_INET if rest.len() >= 6 => {
            let port = u16::from_be_bytes([rest[0], rest[1]]);
            Address::Inet(SocketAddr::new(
                Ipv4Addr::new(rest[2], rest[3], rest[4], rest[5]).into(),
                port,
            ))
        }
        libc::AF_INET6 if rest.len() >= 22 => {
            let port = u16::from_be_bytes([rest[0], rest[1]]);
            let mut octets = [0; 16];
            octets.copy_from_slice(&rest[6..22]);
            Address::Inet(SocketAddr::new(Ipv6Addr::from(octets).into(), port))
        }
        libc::AF_UNIX => {
            let end = rest.iter().position(|byte| *byte == 0).unwrap_or(rest.len());
            Address::Unix(rest[..end].to_vec())
        }
        _ => Address::Other,
    }
}

/// The address family of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Domain {
    /// `AF_INET`.
    V4,
    /// `AF_INET6`.
    V6,
}

/// Writes an IPv4 address for a socket of that family (IPv6 sockets take the mapped form).
fn encode(domain: Domain, address: SocketAddrV4) -> Vec<u8> {
    let family = match domain {
        Domain::V4 => libc::AF_INET,
        Domain::V6 => libc::AF_INET6,
    } as u16;
    let mut bytes = Vec::with_capacity(28);
    bytes.extend(family.to_ne_bytes());
    bytes.extend(address.port().to_be_bytes());
    match domain {
        Domain::V4 => {
            bytes.extend(address.ip().octets());
            bytes.extend([0; 8]);
        }
        Domain::V6 => {
            bytes.extend([0; 4]);
            bytes.extend(address.ip().to_ipv6_mapped().octets());
            bytes.extend([0; 4]);
        }
    }
    bytes
}

/// What a socket is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kind {
    pub(crate) domain: Domain,
    /// `SOCK_STREAM` or `SOCK_DGRAM`, the protocol number, both as the kernel names them.
    pub(crate) protocol: i32,
}

/// Asks what a socket is; `None` for families other than IPv4 and IPv6.
pub(crate) fn kind(socket: BorrowedFd<'_>) -> io::Result<Option<Kind>> {
    let domain = match option(socket, libc::SOL_SOCKET, libc::SO_DOMAIN)? {
        libc::AF_INET => Domain::V4,
        libc::AF_INET6 => Domain::V6,
        _ => return Ok(None),
    };
    Ok(Some(Kind {
        domain,
        protocol: option(socket, libc::SOL_SOCKET, libc::SO_PROTOCOL)?,
    }))
}

fn option(socket: BorrowedFd<'_>, level: i32, name: i32) -> io::Result<i32> {
    let mut value = 0_i32;
    let mut length = size_of::<i32>() as libc::socklen_t;
    // SAFETY: a live integer of the stated length.
    checked(unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            level,
            name,
            (&raw mut value).cast(),
            &raw mut length,
        )
    })?;
    Ok(value)
}

fn set_option(socket: BorrowedFd<'_>, level: i32, name: i32, value: i32) -> io::Result<()> {
    // SAFETY: a live integer of the stated length.
    checked(unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            (&raw const value).cast(),
            size_of::<i32>() as libc::socklen_t,
        )
    })
    .map(drop)
}

/// The kernel's unique number of a socket.
pub(crate) fn cookie(socket: BorrowedFd<'_>) -> io::Result<u64> {
    let mut value = 0_u64;
    let mut length = size_of::<u64>() as libc::socklen_t;
    // SAFETY: a live u64 of the stated length.
    checked(unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_COOKIE,
            (&raw mut value).cast(),
            &raw mut length,
        )
    })?;
    Ok(value)
}

/// Lets an IPv6 socket carry IPv4 (mapped) addresses.
pub(crate) fn allow_mapped(socket: BorrowedFd<'_>) -> io::Result<()> {
    set_option(socket, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, 0)
}

/// Whether an IPv6 socket refuses IPv4.
pub(crate) fn is_only_v6(socket: BorrowedFd<'_>) -> io::Result<bool> {
    Ok(option(socket, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY)? != 0)
}

/// Binds an IPv6 socket where nobody looks: `[::1]` at a port that the kernel chooses.
pub(crate) fn bind_nowhere(socket: BorrowedFd<'_>) -> io::Result<()> {
    let mut bytes = [0_u8; 28];
    bytes[..2].copy_from_slice(&(libc::AF_INET6 as u16).to_ne_bytes());
    bytes[23] = 1;
    // SAFETY: a live address of the stated length.
    checked(unsafe { libc::bind(socket.as_raw_fd(), bytes.as_ptr().cast(), bytes.len() as _) }).map(drop)
}

/// Binds to an IPv4 address.
pub(crate) fn bind(socket: BorrowedFd<'_>, domain: Domain, address: SocketAddrV4) -> io::Result<()> {
    let bytes = encode(domain, address);
    // SAFETY: a live address of the stated length.
    checked(unsafe { libc::bind(socket.as_raw_fd(), bytes.as_ptr().cast(), bytes.len() as _) }).map(drop)
}

/// Sets a source address and leaves the choice of the port to `connect`, so that ports are not used up.
pub(crate) fn bind_source(socket: BorrowedFd<'_>, domain: Domain, source: Ipv4Addr) -> io::Result<()> {
    set_option(socket, libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT, 1)?;
    bind(socket, domain, SocketAddrV4::new(source, 0))
}

/// Connects to an IPv4 address.
pub(crate) fn connect(socket: BorrowedFd<'_>, domain: Domain, address: SocketAddrV4) -> io::Result<()> {
    let bytes = encode(domain, address);
    // SAFETY: a live address of the stated length.
    checked(unsafe { libc::connect(socket.as_raw_fd(), bytes.as_ptr().cast(), bytes.len() as _) }).map(drop)
}

/// Sends a datagram without waiting.
pub(crate) fn send_to(
    socket: BorrowedFd<'_>,
    domain: Domain,
    data: &[u8],
    flags: i32,
    address: SocketAddrV4,
) -> io::Result<usize> {
    let bytes = encode(domain, address);
    // SAFETY: live buffers of the stated lengths.
    checked_len(unsafe {
        libc::sendto(
            socket.as_raw_fd(),
            data.as_ptr().cast(),
            data.len(),
            flags | libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL,
            bytes.as_ptr().cast(),
            bytes.len() as _,
        )
    })
}

/// The address a socket is bound to (IPv4, mapped IPv4, or `None` for other families and real IPv6).
pub(crate) fn local_address(socket: BorrowedFd<'_>) -> io::Result<Option<SocketAddrV4>> {
    let mut bytes = [0_u8; ADDRESS_BYTES_MAX];
    let mut length = bytes.len() as libc::socklen_t;
    // SAFETY: a live buffer of the stated length.
    checked(unsafe { libc::getsockname(socket.as_raw_fd(), bytes.as_mut_ptr().cast(), &raw mut length) })?;
    Ok(match decode(&bytes[..(length as usize).min(ADDRESS_BYTES_MAX)]) {
        Address::Inet(SocketAddr::V4(address)) => Some(address),
        Address::Inet(SocketAddr::V6(address)) => match IpAddr::from(*address.ip()).to_canonical() {
            IpAddr::V4(ip) => Some(SocketAddrV4::new(ip, address.port())),
            IpAddr::V6(ip) if ip.is_unspecified() => Some(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, address.port())),
            IpAddr::V6(_) => None,
        },
        _ => None,
    })
}

/// Whether calls on the socket wait.
pub(crate) fn is_blocking(socket: BorrowedFd<'_>) -> io::Result<bool> {
    // SAFETY: a flag call.
    let flags = checked(unsafe { libc::fcntl(socket.as_raw_fd(), libc::F_GETFL) })?;
    Ok(flags & libc::O_NONBLOCK == 0)
}

/// Replaces the send timeout (which also bounds `connect`) and returns the old one, in the kernel's form.
pub(crate) fn swap_send_timeout(socket: BorrowedFd<'_>, timeout: SendTimeout) -> io::Result<SendTimeout> {
    let mut old = SendTimeout::from(Duration::ZERO).0;
    let mut length = size_of::<libc::timeval>() as libc::socklen_t;
    let raw = socket.as_raw_fd();
    // SAFETY: live `timeval`s of the stated length.
    unsafe {
        checked(libc::getsockopt(
            raw,
            libc::SOL_SOCKET,
            libc::SO_SNDTIMEO,
            (&raw mut old).cast(),
            &raw mut length,
        ))?;
        checked(libc::setsockopt(
            raw,
            libc::SOL_SOCKET,
            libc::SO_SNDTIMEO,
            (&raw const timeout.0).cast(),
            size_of::<libc::timeval>() as libc::socklen_t,
        ))?;
    }
    Ok(SendTimeout(old))
}

/// A send timeout; zero waits without end.
pub(crate) struct SendTimeout(libc::timeval);

impl From<Duration> for SendTimeout {
    fn from(duration: Duration) -> Self {
        SendTimeout(libc::timeval {
            tv_sec: duration.as_secs() as libc::time_t,
            tv_usec: duration.subsec_micros().into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_survive_encoding_in_both_families() {
        let address: SocketAddrV4 = "127.1.2.3:8080".parse().unwrap();
        assert_eq!(
            decode(&encode(Domain::V4, address)),
            Address::Inet(SocketAddr::V4(address))
        );
        let mapped = SocketAddr::new(address.ip().to_ipv6_mapped().into(), 8080);
        assert_eq!(decode(&encode(Domain::V6, address)), Address::Inet(mapped));
    }

    #[test]
    fn short_and_foreign_addresses_are_other() {
        for bytes in [&[][..], &[2], &[2, 0, 31, 144], &[0; 16]] {
            assert_eq!(decode(bytes), Address::Other, "{bytes:?}");
        }
    }
}
