//! A keeper: the parent of one container's main process, and the end of everything below it.

use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;

use super::protocol::{Interception, ProcessSpec, SetUp, SetUpFailure, encode};
use super::sweep::kill_below;
use crate::sys::frames;
use crate::sys::process::{self, Fork, Pid, Wait, Waited};

/// What the keeper exits with when the program never started; `up` has heard the reason by then.
const CODE_NOT_STARTED: i32 = 128;

/// Runs in the forked child of the guardian; ends with the main process' exit code.
pub(super) fn run(guardian: Pid, spec: &ProcessSpec, streams: [OwnedFd; 3], set_up: &UnixStream) -> ! {
    let code = match start(guardian, spec, streams, set_up) {
        Ok(main) => keep(main),
        Err(failure) => {
            let _ = frames::send(set_up, &encode(&SetUp::Failed(failure)), &[]);
            CODE_NOT_STARTED
        }
    };
    kill_below(process::own_pid());
    process::exit_now(code)
}

/// The main process and the listener, which is held until the end: if `up` dies, calls of the Pod wait for the
/// guardian's SIGKILL instead of failing with `ENOSYS`.
struct Main {
    pid: Pid,
    _listener: Option<OwnedFd>,
}

fn start(guardian: Pid, spec: &ProcessSpec, streams: [OwnedFd; 3], set_up: &UnixStream) -> Result<Main, SetUpFailure> {
    let step = |name: &'static str| move |error: std::io::Error| SetUpFailure::new(name, &error);
    process::die_with_parent(guardian).map_err(step("guardian"))?;
    process::set_name(c"flyball-keeper");
    process::become_subreaper().map_err(step("sub-reaper"))?;
    let (ours, theirs) = UnixStream::pair().map_err(step("socket"))?;
    let keeper = process::own_pid();
    let pid = match process::fork().map_err(step("fork"))? {
        Fork::Parent(pid) => pid,
        Fork::Child => {
            drop(ours);
            let failure = become_program(keeper, spec, streams, &theirs);
            let _ = frames::send(&theirs, &encode(&failure), &[]);
            process::exit_now(CODE_NOT_STARTED)
        }
    };
    drop((theirs, streams));

    let heard = |step_name| frames::receive(&ours).map_err(step(step_name));
    // First message: the listener, or a failure before it. An empty payload is a success.
    let first = heard("set-up")?;
    let mut listener = None;
    if let Some(frame) = first {
        if !frame.payload.is_empty() {
            return Err(failure_of(&frame));
        }
        listener = frame.descriptors.into_iter().next();
    }
    announce(set_up, pid, listener.as_ref()).map_err(step("announce"))?;
    // Second: the end of the socket by exec, or a failure.
    if let Some(frame) = heard("exec")? {
        return Err(failure_of(&frame));
    }
    // `up` reads the end of this socket as "it runs".
    let _ = set_up.shutdown(std::net::Shutdown::Both);
    Ok(Main {
        pid,
        _listener: listener,
    })
}

fn failure_of(frame: &frames::Frame) -> SetUpFailure {
    serde_json::from_slice(&frame.payload).unwrap_or_else(|error| SetUpFailure {
        step: "set-up".to_owned(),
        errno: None,
        message: error.to_string(),
    })
}

fn announce(set_up: &UnixStream, pid: Pid, listener: Option<&OwnedFd>) -> std::io::Result<()> {
    #[cfg(target_os = "linux")]
    let pidfd = process::pidfd_open(pid, 0).ok();
    #[cfg(not(target_os = "linux"))]
    let pidfd: Option<OwnedFd> = None;
    let message = SetUp::Forked {
        pid,
        has_pidfd: pidfd.is_some(),
    };
    let descriptors: Vec<_> = pidfd.iter().chain(listener).map(AsFd::as_fd).collect();
    frames::send(set_up, &encode(&message), &descriptors)
}

/// Reaps until the main process has ended.
fn keep(main: Main) -> i32 {
    loop {
        match process::wait(-1, Wait::Blocking) {
            Ok(Waited::Ended(pid, ended)) if pid == main.pid => return ended.code(),
            Ok(Waited::Ended(..) | Waited::Running) => {}
            Ok(Waited::NoChildren) | Err(_) => return CODE_NOT_STARTED,
        }
    }
}

/// In the main process: everything from fork to exec. Returns only the reason why it failed.
fn become_program(keeper: Pid, spec: &ProcessSpec, streams: [OwnedFd; 3], socket: &UnixStream) -> SetUpFailure {
    let attempt = || -> Result<std::convert::Infallible, SetUpFailure> {
        let step = |name: &'static str| move |error: std::io::Error| SetUpFailure::new(name, &error);
        process::die_with_parent(keeper).map_err(step("keeper"))?;
        process::new_session().map_err(step("session"))?;
        process::reset_signals();
        for (number, stream) in (0..).zip(&streams) {
            process::install(stream.as_fd(), number).map_err(step("streams"))?;
        }
        process::adopt_terminal().map_err(step("terminal"))?;
        #[cfg(target_os = "linux")]
        crate::sys::mounts::place(&spec.placements).map_err(step("mounts"))?;
        // Entering a user namespace may have cleared it.
        process::die_with_parent(keeper).map_err(step("keeper"))?;
        std::env::set_current_dir(&spec.working_directory).map_err(step("working directory"))?;
        let image = Image::new(spec).map_err(step("arguments"))?;
        let listener = listen(spec.interception).map_err(step("network"))?;
        let descriptors: Vec<_> = listener.iter().map(AsFd::as_fd).collect();
        frames::send(socket, &[], &descriptors).map_err(step("listener"))?;
        drop(listener);
        Err(step("exec")(image.exec()))
    };
    match attempt() {
        Ok(never) => match never {},
        Err(failure) => failure,
    }
}

#[cfg(target_os = "linux")]
fn listen(interception: Interception) -> std::io::Result<Option<OwnedFd>> {
    use crate::sys::seccomp::{Opens, install};
    match interception {
        Interception::None => Ok(None),
        Interception::Network => install(Opens::Ignored).map(Some),
        Interception::NetworkAndOpens => install(Opens::Notified).map(Some),
    }
}

#[cfg(not(target_os = "linux"))]
fn listen(interception: Interception) -> std::io::Result<Option<OwnedFd>> {
    match interception {
        Interception::None => Ok(None),
        _ => Err(std::io::ErrorKind::Unsupported.into()),
    }
}

/// The arguments of exec, as C wants them.
struct Image {
    program: CString,
    arguments: Vec<CString>,
    environment: Vec<CString>,
}

impl Image {
    fn new(spec: &ProcessSpec) -> std::io::Result<Self> {
        Ok(Image {
            program: CString::new(spec.program.as_os_str().as_bytes())?,
            arguments: spec
                .arguments
                .iter()
                .map(|text| CString::new(text.as_str()))
                .collect::<Result<_, _>>()?,
            environment: spec
                .environment
                .iter()
                .map(|(name, value)| CString::new(format!("{name}={value}")))
                .collect::<Result<_, _>>()?,
        })
    }

    /// A file without a magic number is a shell script, as execvp(3) has it.
    fn exec(&self) -> std::io::Error {
        let error = process::exec(&self.program, &self.arguments, &self.environment);
        if error.raw_os_error() != Some(libc::ENOEXEC) {
            return error;
        }
        let rest = self.arguments.iter().skip(1).cloned();
        let arguments: Vec<CString> = [c"sh".to_owned(), self.program.clone()]
            .into_iter()
            .chain(rest)
            .collect();
        process::exec(&c"/bin/sh".to_owned(), &arguments, &self.environment)
    }
}
