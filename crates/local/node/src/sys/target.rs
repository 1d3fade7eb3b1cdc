//! Another process' memory and sockets.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::process::pidfd_open;
use super::{checked, checked_len};

/// `PIDFD_THREAD` (6.9): a pidfd for a thread that does not lead its group.
const PIDFD_THREAD: u32 = libc::O_EXCL as u32;

/// The page size that reads are split at; a larger real page only means more, smaller pieces.
const PAGE_BYTES: u64 = 4096;

/// Reads up to `into.len()` bytes at `address` in the process of `thread`; stops at the first unmapped page.
pub(crate) fn read_memory(thread: u32, address: u64, into: &mut [u8]) -> io::Result<usize> {
    // Split at pages, for a piece is transferred wholly or not at all.
    let mut remote = Vec::with_capacity(2);
    let mut at = address;
    let end = address
        .checked_add(into.len() as u64)
        .ok_or(io::ErrorKind::InvalidInput)?;
    while at < end {
        let stop = (at / PAGE_BYTES + 1).saturating_mul(PAGE_BYTES).min(end);
        remote.push(libc::iovec {
            iov_base: at as *mut libc::c_void,
            iov_len: (stop - at) as usize,
        });
        at = stop;
    }
    let local = libc::iovec {
        iov_base: into.as_mut_ptr().cast(),
        iov_len: into.len(),
    };
    // SAFETY: `local` is a live, writable buffer; remote addresses are checked by the kernel. More than
    // IOV_MAX (1024) pieces fail with EINVAL, which callers stay far below.
    checked_len(unsafe {
        libc::process_vm_readv(
            thread as libc::pid_t,
            &raw const local,
            1,
            remote.as_ptr(),
            remote.len() as _,
            0,
        )
    })
}

/// Copies descriptor `number` of the process of `thread` into this one: same open file description.
pub(crate) fn copy_descriptor(thread: u32, number: u64) -> io::Result<OwnedFd> {
    let pidfd = open_thread(thread)?;
    // SAFETY: an open pidfd and plain integers; the result is a new descriptor.
    unsafe {
        let raw = libc::syscall(libc::SYS_pidfd_getfd, pidfd.as_raw_fd(), number as libc::c_int, 0);
        checked(raw as libc::c_int).map(|raw| OwnedFd::from_raw_fd(raw))
    }
}

fn open_thread(thread: u32) -> io::Result<OwnedFd> {
    pidfd_open(thread as libc::pid_t, PIDFD_THREAD).or_else(|_| {
        // Before 6.9: the group's leader shares the descriptor table in every program that is not exotic.
        pidfd_open(thread as libc::pid_t, 0).or_else(|error| {
            let status = std::fs::read_to_string(format!("/proc/{thread}/status"))?;
            let leader = status
                .lines()
                .find_map(|line| line.strip_prefix("Tgid:")?.trim().parse().ok());
            pidfd_open(leader.ok_or(error)?, 0)
        })
    })
}

/// An anonymous file with these contents.
pub(crate) fn memory_file(contents: &[u8]) -> io::Result<OwnedFd> {
    // SAFETY: a NUL-terminated name; the result is a new descriptor.
    let owned = unsafe {
        let raw = checked(libc::memfd_create(c"flyball".as_ptr(), libc::MFD_CLOEXEC))?;
        OwnedFd::from_raw_fd(raw)
    };
    let mut file = std::fs::File::from(owned);
    io::Write::write_all(&mut file, contents)?;
    io::Seek::rewind(&mut file)?;
    Ok(file.into())
}

/// An epoll instance on one descriptor, edge-triggered: one waiting thread is woken for each event.
pub(crate) struct Edges {
    epoll: OwnedFd,
}

impl Edges {
    pub(crate) fn new(on: BorrowedFd<'_>) -> io::Result<Self> {
        // SAFETY: the result is a new descriptor.
        let epoll = unsafe { OwnedFd::from_raw_fd(checked(libc::epoll_create1(libc::EPOLL_CLOEXEC))?) };
        let edges = Edges { epoll };
        edges.control(libc::EPOLL_CTL_ADD, on)?;
        Ok(edges)
    }

    fn control(&self, operation: libc::c_int, on: BorrowedFd<'_>) -> io::Result<()> {
        let mut event = libc::epoll_event {
            events: (libc::EPOLLIN | libc::EPOLLET) as u32,
            u64: 0,
        };
        // SAFETY: both descriptors are open; the event is copied.
        checked(unsafe { libc::epoll_ctl(self.epoll.as_raw_fd(), operation, on.as_raw_fd(), &raw mut event) }).map(drop)
    }

    /// Wakes the next waiting thread too.
    pub(crate) fn rearm(&self, on: BorrowedFd<'_>) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_MOD, on)
    }

    /// Waits for an event.
    pub(crate) fn wait(&self) -> io::Result<()> {
        let mut event = libc::epoll_event { events: 0, u64: 0 };
        loop {
            // SAFETY: room for one event.
            match checked(unsafe { libc::epoll_wait(self.epoll.as_raw_fd(), &raw mut event, 1, -1) }) {
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}
