//! The one room with `unsafe`: thin, typed wrappers over system calls.
//!
//! Every function here does one thing, checks the kernel's answer and hands back owned descriptors or plain
//! data. Nothing here decides anything. Each `unsafe` block says why it holds. The rest of the crate is
//! compiled with `deny(unsafe_code)`.
//!
//! * [`frames`]: length-prefixed messages over a Unix stream, with descriptors (`SCM_RIGHTS`);
//! * [`process`]: fork, exec, wait, kill, sessions, parent-death signals, sub-reapers;
//! * [`mounts`] (Linux): a private view of the file system;
//! * [`seccomp`] (Linux): the filter and its notification listener;
//! * [`target`] (Linux): memory and sockets of another process;
//! * [`socket`] (Linux): the few socket calls that `std` does not offer on a bare descriptor.

#![allow(unsafe_code, reason = "this is the reviewed module; see the essay above")]

pub(crate) mod frames;
#[cfg(target_os = "linux")]
pub(crate) mod mounts;
pub(crate) mod process;
#[cfg(target_os = "linux")]
pub(crate) mod seccomp;
#[cfg(target_os = "linux")]
pub(crate) mod socket;
#[cfg(target_os = "linux")]
pub(crate) mod target;

use std::io;

/// Turns the `-1` convention of C into a `Result`.
fn checked(returned: libc::c_int) -> io::Result<libc::c_int> {
    if returned < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(returned)
    }
}

/// The same for calls that return a length.
fn checked_len(returned: libc::ssize_t) -> io::Result<usize> {
    usize::try_from(returned).map_err(|_| io::Error::last_os_error())
}
