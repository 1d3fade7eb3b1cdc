//! The seccomp filter and its user notification (seccomp_unotify(2), kernel 5.0 and later).
//!
//! Numbers and layouts are those of `linux/seccomp.h`, `linux/filter.h` and `linux/audit.h`.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::checked;

#[cfg(target_arch = "x86_64")]
const AUDIT_ARCH: u32 = 0xC000_003E;
#[cfg(target_arch = "aarch64")]
const AUDIT_ARCH: u32 = 0xC000_00B7;

/// x32 numbers have this bit; programs of that kind are refused, for their calls would pass unseen.
#[cfg(target_arch = "x86_64")]
const X32_BIT: u32 = 0x4000_0000;

const RET_ALLOW: u32 = 0x7fff_0000;
const RET_USER_NOTIF: u32 = 0x7fc0_0000;
const RET_ERRNO: u32 = 0x0005_0000;

const FLAG_NEW_LISTENER: libc::c_ulong = 1 << 3;
const FLAG_WAIT_KILLABLE_RECV: libc::c_ulong = 1 << 5;

const IOCTL_RECV: u64 = 0xc050_2100;
const IOCTL_SEND: u64 = 0xc018_2101;
const IOCTL_ID_VALID: u64 = 0x4008_2102;
const IOCTL_ADDFD: u64 = 0x4018_2103;
const IOCTL_SET_FLAGS: u64 = 0x4008_2104;
const SYNC_WAKE_UP: u64 = 1;

const RESPONSE_CONTINUE: u32 = 1;
const ADDFD_SEND: u32 = 2;

/// Whether reading opens are notified as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) enum Opens {
    /// Only network calls.
    Ignored,
    /// `open` and `openat` for reading too: costs about 8 us for each, and allows per-Pod `/etc` files.
    Notified,
}

/// One notification: a thread of the target is stopped in this system call.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Notification {
    pub(crate) id: u64,
    /// A *thread* id, as seen from the listener's holder.
    pub(crate) thread: u32,
    flags: u32,
    pub(crate) number: i32,
    arch: u32,
    instruction: u64,
    pub(crate) arguments: [u64; 6],
}

#[repr(C)]
struct Response {
    id: u64,
    value: i64,
    error: i32,
    flags: u32,
}

#[repr(C)]
struct AddDescriptor {
    id: u64,
    flags: u32,
    source: u32,
    target: u32,
    target_flags: u32,
}

/// What to tell the kernel about a stopped call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Run the call as the program made it.
    Continue,
    /// The call returns this value.
    Value(i64),
    /// The call fails with this error number (positive).
    Error(i32),
}

/// Sets `no_new_privs`, installs the filter for this process and all its descendants, and returns the listener.
///
/// # Errors
/// `EBUSY` when a listener is already installed above, `EINVAL`/`ENOSYS` on kernels without the feature.
pub(crate) fn install(opens: Opens) -> io::Result<OwnedFd> {
    // SAFETY: plain integers.
    checked(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) })?;
    let mut filter = filter(opens);
    let program = libc::sock_fprog {
        len: filter.len() as u16,
        filter: filter.as_mut_ptr(),
    };
    let attempt = |flags: libc::c_ulong| {
        // SAFETY: `program` points to a live filter of the stated length; the result is a new descriptor.
        unsafe {
            let raw = libc::syscall(
                libc::SYS_seccomp,
                libc::SECCOMP_SET_MODE_FILTER,
                flags,
                &raw const program,
            );
            checked(raw as libc::c_int).map(|raw| OwnedFd::from_raw_fd(raw))
        }
    };
    match attempt(FLAG_NEW_LISTENER | FLAG_WAIT_KILLABLE_RECV) {
        // Before 5.19 the second flag is unknown; signals then interrupt calls now and then.
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => attempt(FLAG_NEW_LISTENER),
        other => other,
    }
}

/// Wakes the receiver on the caller's CPU (6.6 and later; silently absent before): 10 us a call instead of 50.
pub(crate) fn prefer_synchronous_wake_up(listener: BorrowedFd<'_>) {
    // SAFETY: an ioctl with an integer argument.
    unsafe { libc::ioctl(listener.as_raw_fd(), IOCTL_SET_FLAGS as _, SYNC_WAKE_UP) };
}

/// Takes one notification. `None`: the target went away in between.
pub(crate) fn receive(listener: BorrowedFd<'_>) -> io::Result<Option<Notification>> {
    let mut notification = Notification::default();
    // SAFETY: the struct is zeroed, as the kernel demands, and has the kernel's layout (80 bytes).
    match checked(unsafe { libc::ioctl(listener.as_raw_fd(), IOCTL_RECV as _, &raw mut notification) }) {
        Ok(_) => Ok(Some(notification)),
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::EINTR)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether the stopped thread still waits: what was read from its memory belongs to this call.
pub(crate) fn is_valid(listener: BorrowedFd<'_>, id: u64) -> bool {
    // SAFETY: the kernel reads one u64.
    unsafe { libc::ioctl(listener.as_raw_fd(), IOCTL_ID_VALID as _, &raw const id) == 0 }
}

/// Answers. The target may be gone (`ENOENT`) or answered by the watchdog; both are fine and told by `false`.
pub(crate) fn answer(listener: BorrowedFd<'_>, id: u64, answer: Answer) -> bool {
    let response = match answer {
        Answer::Continue => Response {
            id,
            value: 0,
            error: 0,
            flags: RESPONSE_CONTINUE,
        },
        Answer::Value(value) => Response {
            id,
            value,
            error: 0,
            flags: 0,
        },
        Answer::Error(number) => Response {
            id,
            value: 0,
            error: -number,
            flags: 0,
        },
    };
    // SAFETY: the struct has the kernel's layout (24 bytes).
    unsafe { libc::ioctl(listener.as_raw_fd(), IOCTL_SEND as _, &raw const response) == 0 }
}

/// Puts `source` into the target as a new descriptor and makes that number the call's result, in one step (5.14).
pub(crate) fn answer_with_descriptor(
    listener: BorrowedFd<'_>,
    id: u64,
    source: BorrowedFd<'_>,
    open_flags: u64,
) -> io::Result<()> {
    let request = AddDescriptor {
        id,
        flags: ADDFD_SEND,
        source: source.as_raw_fd() as u32,
        target: 0,
        target_flags: (open_flags as u32) & (libc::O_CLOEXEC as u32),
    };
    // SAFETY: the struct has the kernel's layout (24 bytes).
    checked(unsafe { libc::ioctl(listener.as_raw_fd(), IOCTL_ADDFD as _, &raw const request) }).map(drop)
}

// ---- the filter ------------------------------------------------------------------------------------------

const OFFSET_NUMBER: u32 = 0;
const OFFSET_ARCH: u32 = 4;

/// The offset of the low word of an argument; both supported machines are little endian.
const fn offset_argument(index: u32) -> u32 {
    16 + 8 * index
}

fn statement(code: u32, k: u32) -> libc::sock_filter {
    libc::sock_filter {
        code: code as u16,
        jt: 0,
        jf: 0,
        k,
    }
}

fn load(offset: u32) -> libc::sock_filter {
    statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset)
}

fn finish(action: u32) -> libc::sock_filter {
    statement(libc::BPF_RET | libc::BPF_K, action)
}

fn jump(test: u32, k: u32, jt: u8, jf: u8) -> libc::sock_filter {
    libc::sock_filter {
        code: (libc::BPF_JMP | test | libc::BPF_K) as u16,
        jt,
        jf,
        k,
    }
}

/// When the call number is `number`, run `body` (which must end in returns on every path).
fn when(number: libc::c_long, body: Vec<libc::sock_filter>) -> Vec<libc::sock_filter> {
    let skip = u8::try_from(body.len()).expect("bodies are a handful of instructions");
    let mut code = vec![jump(libc::BPF_JEQ, number as u32, 0, skip)];
    code.extend(body);
    code
}

/// Notifies when the flags in `argument` ask for reading only.
fn when_reading(argument: u32) -> Vec<libc::sock_filter> {
    let not_reading = libc::O_WRONLY | libc::O_RDWR | libc::O_CREAT | libc::O_DIRECTORY | libc::O_PATH;
    vec![
        load(offset_argument(argument)),
        jump(libc::BPF_JSET, not_reading as u32, 0, 1),
        finish(RET_ALLOW),
        finish(RET_USER_NOTIF),
    ]
}

/// The whole program: see the essay of [`crate::network`] for why each call is in it.
fn filter(opens: Opens) -> Vec<libc::sock_filter> {
    let mut code = vec![
        load(OFFSET_ARCH),
        jump(libc::BPF_JEQ, AUDIT_ARCH, 1, 0),
        finish(RET_ALLOW),
    ];
    code.push(load(OFFSET_NUMBER));
    #[cfg(target_arch = "x86_64")]
    code.extend([
        jump(libc::BPF_JGE, X32_BIT, 0, 1),
        finish(RET_ERRNO | libc::ENOSYS as u32),
    ]);

    code.extend(when(libc::SYS_connect, vec![finish(RET_USER_NOTIF)]));
    code.extend(when(libc::SYS_bind, vec![finish(RET_USER_NOTIF)]));
    // `sendto` without a destination is `send` on a connected socket and stays native.
    code.extend(when(
        libc::SYS_sendto,
        vec![
            load(offset_argument(4)),
            jump(libc::BPF_JEQ, 0, 0, 2),
            load(offset_argument(4) + 4),
            jump(libc::BPF_JEQ, 0, 1, 0),
            finish(RET_USER_NOTIF),
            finish(RET_ALLOW),
        ],
    ));
    // A ring's connect and bind would pass by the filter; programs fall back to epoll.
    code.extend(when(
        libc::SYS_io_uring_setup,
        vec![finish(RET_ERRNO | libc::ENOSYS as u32)],
    ));
    // A process that is not dumpable could not be served any more; it is told that it is.
    code.extend(when(
        libc::SYS_prctl,
        vec![
            load(offset_argument(0)),
            jump(libc::BPF_JEQ, libc::PR_SET_DUMPABLE as u32, 0, 1),
            finish(RET_ERRNO),
            finish(RET_ALLOW),
        ],
    ));
    if opens == Opens::Notified {
        code.extend(when(libc::SYS_openat, when_reading(2)));
        #[cfg(target_arch = "x86_64")]
        code.extend(when(libc::SYS_open, when_reading(1)));
    }
    code.push(finish(RET_ALLOW));
    code
}
