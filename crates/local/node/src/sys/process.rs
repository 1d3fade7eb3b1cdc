//! Processes: fork, exec, wait, signals, and who dies with whom.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicI32, Ordering};

use super::checked;

/// A process id.
pub(crate) type Pid = libc::pid_t;

/// Which side of a fork this is.
pub(crate) enum Fork {
    /// The parent, with the child's id.
    Parent(Pid),
    /// The child.
    Child,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It called `exit`.
    Exited(i32),
    /// A signal ended it.
    Signalled(i32),
}

impl Ended {
    /// The exit code in the convention of shells and container runtimes: 128 + signal.
    pub(crate) fn code(self) -> i32 {
        match self {
            Ended::Exited(code) => code,
            Ended::Signalled(signal) => 128 + signal,
        }
    }
}

/// Forks the calling process.
///
/// # Errors
/// `Unsupported` when the process has more than one thread: the child of such a fork could not allocate.
pub(crate) fn fork() -> io::Result<Fork> {
    #[cfg(target_os = "linux")]
    if std::fs::read_dir("/proc/self/task")?.count() != 1 {
        return Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "only a single-threaded process may fork",
        ));
    }
    // SAFETY: with one thread no lock can be left held by another one, so the child may run ordinary code.
    match checked(unsafe { libc::fork() })? {
        0 => Ok(Fork::Child),
        pid => Ok(Fork::Parent(pid)),
    }
}

/// Replaces this process image; returns only on failure.
pub(crate) fn exec(program: &CString, arguments: &[CString], environment: &[CString]) -> io::Error {
    let pointers = |strings: &[CString]| -> Vec<*const libc::c_char> {
        strings
            .iter()
            .map(|text| text.as_ptr())
            .chain([std::ptr::null()])
            .collect()
    };
    let (argv, envp) = (pointers(arguments), pointers(environment));
    // SAFETY: both arrays end with a null pointer and point to NUL-terminated strings that outlive the call.
    unsafe { libc::execve(program.as_ptr(), argv.as_ptr(), envp.as_ptr()) };
    io::Error::last_os_error()
}

/// Ends this process at once, without running destructors or exit handlers that belong to the parent.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: `_exit` has no preconditions.
    unsafe { libc::_exit(code) }
}

/// What a wait without blocking found.
pub(crate) enum Waited {
    /// This child ended.
    Ended(Pid, Ended),
    /// Children exist, none has ended.
    Running,
    /// There are no children.
    NoChildren,
}

/// Whether a wait may block.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Block until a child ends.
    Blocking,
    /// Look only.
    Polling,
}

/// Reaps one child: `pid`, or any with -1.
pub(crate) fn wait(pid: Pid, how: Wait) -> io::Result<Waited> {
    let flags = if how == Wait::Polling { libc::WNOHANG } else { 0 };
    let mut status = 0;
    loop {
        // SAFETY: `status` is a live integer.
        match checked(unsafe { libc::waitpid(pid, &raw mut status, flags) }) {
            Ok(0) => return Ok(Waited::Running),
            Ok(pid) if libc::WIFEXITED(status) => {
                return Ok(Waited::Ended(pid, Ended::Exited(libc::WEXITSTATUS(status))));
            }
            Ok(pid) => return Ok(Waited::Ended(pid, Ended::Signalled(libc::WTERMSIG(status)))),
            Err(error) if error.raw_os_error() == Some(libc::ECHILD) => {
                return Ok(Waited::NoChildren);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Sends a signal to a process.
pub(crate) fn kill(pid: Pid, signal: i32) -> io::Result<()> {
    // SAFETY: `kill` has no memory preconditions.
    checked(unsafe { libc::kill(pid, signal) }).map(drop)
}

/// This process' id as the kernel's type.
pub(crate) fn own_pid() -> Pid {
    // SAFETY: no preconditions.
    unsafe { libc::getpid() }
}

/// The parent's id.
pub(crate) fn parent_pid() -> Pid {
    // SAFETY: no preconditions.
    unsafe { libc::getppid() }
}

/// Starts a new session (and process group), so that terminal signals do not reach the caller.
pub(crate) fn new_session() -> io::Result<()> {
    // SAFETY: no preconditions.
    checked(unsafe { libc::setsid() }).map(drop)
}

/// Makes `descriptor` available as `number` (a standard stream) across exec.
pub(crate) fn install(descriptor: BorrowedFd<'_>, number: RawFd) -> io::Result<()> {
    // SAFETY: `descriptor` is open; replacing a standard stream of a child about to exec is intended.
    checked(unsafe { libc::dup2(descriptor.as_raw_fd(), number) })?;
    if descriptor.as_raw_fd() == number {
        // SAFETY: dup2 onto itself keeps FD_CLOEXEC, so it is cleared by hand.
        checked(unsafe { libc::fcntl(number, libc::F_SETFD, 0) })?;
    }
    Ok(())
}

/// A pseudo-terminal: the side that the user holds, and the side that the program has as its streams.
pub(crate) fn open_terminal(rows: u16, columns: u16) -> io::Result<(OwnedFd, OwnedFd)> {
    let (mut user, mut program) = (-1, -1);
    let mut size = window(rows, columns);
    // SAFETY: two integers to fill and a size to read; names and modes are not asked for.
    unsafe {
        checked(libc::openpty(
            &raw mut user,
            &raw mut program,
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            &raw mut size,
        ))?;
        let (user, program) = (OwnedFd::from_raw_fd(user), OwnedFd::from_raw_fd(program));
        for side in [&user, &program] {
            checked(libc::fcntl(side.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC))?;
        }
        Ok((user, program))
    }
}

/// Tells a terminal its size; its foreground program hears of it.
pub(crate) fn resize_terminal(user: BorrowedFd<'_>, rows: u16, columns: u16) -> io::Result<()> {
    let size = window(rows, columns);
    // SAFETY: an ioctl that reads one `winsize`.
    checked(unsafe { libc::ioctl(user.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) }).map(drop)
}

fn window(rows: u16, columns: u16) -> libc::winsize {
    libc::winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    }
}

/// Makes standard input the session's terminal, if it is one.
pub(crate) fn adopt_terminal() -> io::Result<()> {
    // SAFETY: plain calls on standard input.
    unsafe {
        if libc::isatty(0) == 1 {
            checked(libc::ioctl(0, libc::TIOCSCTTY as _, 0))?;
        }
    }
    Ok(())
}

/// Puts the signals that this program ignores or handles back to their defaults, and unblocks all.
pub(crate) fn reset_signals() {
    // SAFETY: SIG_DFL is a valid disposition for each of them; the set is initialised before use.
    unsafe {
        for signal in [
            libc::SIGINT,
            libc::SIGTERM,
            libc::SIGHUP,
            libc::SIGQUIT,
            libc::SIGPIPE,
            libc::SIGCHLD,
            libc::SIGUSR1,
            libc::SIGUSR2,
        ] {
            libc::signal(signal, libc::SIG_DFL);
        }
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
    }
}

/// Ignores the signals of a terminal: the guardian's life depends on its parent, not on a key.
pub(crate) fn ignore_terminal_signals() {
    // SAFETY: SIG_IGN is a valid disposition for each of them.
    unsafe {
        for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT, libc::SIGPIPE] {
            libc::signal(signal, libc::SIG_IGN);
        }
    }
}

/// Where the SIGCHLD handler writes.
static CHILD_PIPE: AtomicI32 = AtomicI32::new(-1);

extern "C" fn on_child(_signal: libc::c_int) {
    // SAFETY: `write` is async-signal-safe; a full pipe is fine because one byte is enough to wake the reader.
    unsafe { libc::write(CHILD_PIPE.load(Ordering::Relaxed), [0_u8].as_ptr().cast(), 1) };
}

/// Writes a byte into `pipe` (which must be non-blocking and stay open) whenever a child ends.
pub(crate) fn notify_on_child(pipe: &'static io::PipeWriter) -> io::Result<()> {
    set_nonblocking(pipe.as_raw_fd())?;
    CHILD_PIPE.store(pipe.as_raw_fd(), Ordering::Relaxed);
    // SAFETY: the handler only calls async-signal-safe functions; SA_RESTART keeps other calls undisturbed.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_child as *const () as usize;
        action.sa_flags = libc::SA_RESTART | libc::SA_NOCLDSTOP;
        checked(libc::sigaction(libc::SIGCHLD, &raw const action, std::ptr::null_mut()))?;
    }
    Ok(())
}

/// Sets O_NONBLOCK.
pub(crate) fn set_nonblocking(descriptor: RawFd) -> io::Result<()> {
    // SAFETY: plain flag calls on a descriptor that the caller holds.
    unsafe {
        let flags = checked(libc::fcntl(descriptor, libc::F_GETFL))?;
        checked(libc::fcntl(descriptor, libc::F_SETFL, flags | libc::O_NONBLOCK)).map(drop)
    }
}

/// What [`poll`] saw on one descriptor.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Readiness {
    /// Something can be read.
    pub(crate) readable: bool,
    /// The other side is gone.
    pub(crate) closed: bool,
}

/// Waits until one of the descriptors is readable or closed; `timeout_ms` -1 waits without end.
pub(crate) fn poll<const N: usize>(descriptors: [BorrowedFd<'_>; N], timeout_ms: i32) -> io::Result<[Readiness; N]> {
    let mut entries = descriptors.map(|fd| libc::pollfd {
        fd: fd.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    });
    loop {
        // SAFETY: `entries` is a live array of N entries.
        match checked(unsafe { libc::poll(entries.as_mut_ptr(), N as libc::nfds_t, timeout_ms) }) {
            Ok(_) => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(entries.map(|entry| Readiness {
        readable: entry.revents & libc::POLLIN != 0,
        closed: entry.revents & (libc::POLLHUP | libc::POLLERR | libc::POLLNVAL) != 0,
    }))
}

/// Asks the kernel to make this process the new parent of orphans below it (Linux; elsewhere nothing).
pub(crate) fn become_subreaper() -> io::Result<()> {
    #[cfg(target_os = "linux")]
    // SAFETY: prctl with plain integers.
    checked(unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) })?;
    Ok(())
}

/// Asks the kernel to SIGKILL this process when its parent `parent` ends (Linux; elsewhere nothing).
///
/// # Errors
/// `NotFound` when the parent has already gone, in which case the signal would never come.
pub(crate) fn die_with_parent(parent: Pid) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    // SAFETY: prctl with plain integers.
    checked(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0) })?;
    if parent_pid() != parent {
        return Err(io::Error::new(io::ErrorKind::NotFound, "the parent has gone"));
    }
    Ok(())
}

/// Names the process in `ps` (Linux; elsewhere nothing). At most 15 bytes are kept.
pub(crate) fn set_name(name: &std::ffi::CStr) {
    #[cfg(target_os = "linux")]
    // SAFETY: the string is NUL-terminated and copied by the kernel.
    unsafe {
        libc::prctl(libc::PR_SET_NAME, name.as_ptr(), 0, 0, 0);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = name;
}

/// Opens a pidfd: a handle that never names another process (Linux 5.3).
#[cfg(target_os = "linux")]
pub(crate) fn pidfd_open(pid: Pid, flags: u32) -> io::Result<OwnedFd> {
    // SAFETY: plain integers; the result is a new descriptor.
    unsafe {
        let raw = libc::syscall(libc::SYS_pidfd_open, pid, flags);
        checked(raw as libc::c_int).map(|raw| OwnedFd::from_raw_fd(raw))
    }
}

/// Sends a signal through a pidfd (Linux 5.1).
#[cfg(target_os = "linux")]
pub(crate) fn pidfd_signal(pidfd: BorrowedFd<'_>, signal: i32) -> io::Result<()> {
    // SAFETY: an open pidfd, no siginfo, no flags.
    let returned = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            signal,
            std::ptr::null::<libc::siginfo_t>(),
            0,
        )
    };
    checked(returned as libc::c_int).map(drop)
}
