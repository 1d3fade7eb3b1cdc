//! The owner's side of the guardian.

use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use super::protocol::{Event, ProcessSpec, Request, SetUp, encode};
use super::sweep::{kill_tagged, owner_tag};
use super::{GuardianCommand, OWNER_VARIABLE};
use crate::sys::{frames, process};

/// What an end by the guardian's own death is reported as: the processes were killed.
const CODE_KILLED: i32 = 128 + libc::SIGKILL;

/// Why a process did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The guardian could not be started or reached.
    #[error("the guardian process is not reachable: {0}")]
    Guardian(#[from] std::io::Error),
    /// The process could not become the program.
    #[error("cannot start {program} ({step}): {message}")]
    SetUp {
        /// The program file.
        program: String,
        /// The step that failed, such as `exec` or `working directory`.
        step: String,
        /// The error number, if the operating system gave one.
        errno: Option<i32>,
        /// The operating system's words.
        message: String,
    },
}

/// The standard streams of a new process.
#[derive(Debug)]
pub struct Streams {
    /// Where it reads from.
    pub stdin: OwnedFd,
    /// Where it writes to.
    pub stdout: OwnedFd,
    /// Where it complains.
    pub stderr: OwnedFd,
}

/// A process that runs (its program has been loaded).
#[derive(Debug)]
pub struct Running {
    /// The main process.
    pub main: MainProcess,
    /// Resolves with the exit code (128 + signal) when the *last* process of the container has ended.
    pub ended: oneshot::Receiver<i32>,
}

/// A handle to a main process: where there are pidfds, it never names another process.
#[derive(Debug)]
pub struct MainProcess {
    /// The main process' id.
    pub pid: i32,
    pidfd: Option<OwnedFd>,
}

impl MainProcess {
    /// Sends a signal to the main process; nothing happens when it has ended.
    pub fn signal(&self, signal: i32) {
        #[cfg(target_os = "linux")]
        if let Some(pidfd) = &self.pidfd {
            let _ = process::pidfd_signal(pidfd.as_fd(), signal);
            return;
        }
        let _ = (&self.pidfd, process::kill(self.pid, signal));
    }
}

/// How many guardians this process has started.
static GUARDIANS: AtomicU64 = AtomicU64::new(0);

/// One life of a guardian process.
struct Connection {
    socket: UnixStream,
    pid: u32,
    /// What its processes carry in their environment.
    tag: String,
    closed: AtomicBool,
    waiting: Mutex<HashMap<u64, oneshot::Sender<i32>>>,
}

/// A handle to the guardian; a clone shares it. Dropping the last one ends all processes.
#[derive(Clone)]
pub struct Guardian {
    command: Arc<GuardianCommand>,
    connection: Arc<Mutex<Arc<Connection>>>,
    next_id: Arc<AtomicU64>,
}

impl Guardian {
    /// Starts the guardian process and makes this process the heir of its orphans.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn spawn(command: GuardianCommand) -> std::io::Result<Self> {
        process::become_subreaper()?;
        let connection = connect(&command)?;
        Ok(Guardian {
            command: Arc::new(command),
            connection: Arc::new(Mutex::new(connection)),
            next_id: Arc::default(),
        })
    }

    /// The guardian's process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        lock(&self.connection).pid
    }

    /// Starts a process. Blocks for a few milliseconds, until the program is loaded or has failed.
    ///
    /// `serve` gets the notification listener of an intercepted process. It must serve it from another
    /// thread and return at once, for the program may need an answer to be loaded.
    ///
    /// # Errors
    /// [`StartError`]; when this returns an error, nothing is left of the process.
    pub fn start(
        &self,
        mut spec: ProcessSpec,
        streams: &Streams,
        serve: impl FnOnce(OwnedFd),
    ) -> Result<Running, StartError> {
        let program = spec.program.display().to_string();
        let connection = self.living_connection()?;
        spec.environment
            .push((OWNER_VARIABLE.to_owned(), connection.tag.clone()));
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let (ended_tx, ended) = oneshot::channel();
        lock(&connection.waiting).insert(id, ended_tx);

        let (ours, theirs) = UnixStream::pair()?;
        let descriptors = [
            streams.stdin.as_fd(),
            streams.stdout.as_fd(),
            streams.stderr.as_fd(),
            theirs.as_fd(),
        ];
        let request = encode(&Request::Start { id, spec });
        // The lock orders the bytes of two starts at the same time.
        let sent = {
            let _order = lock(&self.connection);
            frames::send(&connection.socket, &request, &descriptors)
        };
        drop(theirs);
        let result = sent
            .map_err(StartError::from)
            .and_then(|()| await_program(&ours, serve, &program));
        match result {
            Ok(main) => Ok(Running { main, ended }),
            Err(error) => {
                lock(&connection.waiting).remove(&id);
                Err(error)
            }
        }
    }

    fn living_connection(&self) -> std::io::Result<Arc<Connection>> {
        let mut current = lock(&self.connection);
        if current.closed.load(Ordering::Acquire) {
            *current = connect(&self.command)?;
        }
        Ok(Arc::clone(&current))
    }
}

impl Drop for Guardian {
    fn drop(&mut self) {
        // The reader thread holds the connection, not this handle; the last handle closes the socket.
        if Arc::strong_count(&self.connection) == 1 {
            let _ = lock(&self.connection).socket.shutdown(std::net::Shutdown::Both);
        }
    }
}

fn await_program(set_up: &UnixStream, serve: impl FnOnce(OwnedFd), program: &str) -> Result<MainProcess, StartError> {
    let mut started = None;
    let mut serve = Some(serve);
    while let Some(frame) = frames::receive(set_up)? {
        match serde_json::from_slice(&frame.payload).map_err(std::io::Error::from)? {
            SetUp::Forked { pid, has_pidfd } => {
                let mut descriptors = frame.descriptors.into_iter();
                let pidfd = if has_pidfd { descriptors.next() } else { None };
                if let (Some(listener), Some(serve)) = (descriptors.next(), serve.take()) {
                    serve(listener);
                }
                started = Some(MainProcess { pid, pidfd });
            }
            SetUp::Failed(failure) => {
                return Err(StartError::SetUp {
                    program: program.to_owned(),
                    step: failure.step,
                    errno: failure.errno,
                    message: failure.message,
                });
            }
        }
    }
    started.ok_or_else(|| std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into())
}

fn connect(command: &GuardianCommand) -> std::io::Result<Arc<Connection>> {
    let (ours, theirs) = UnixStream::pair()?;
    let mut child = Command::new(&command.program)
        .args(&command.arguments)
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::null())
        .process_group(0)
        .spawn()?;
    let connection = Arc::new(Connection {
        socket: ours,
        pid: child.id(),
        tag: owner_tag(GUARDIANS.fetch_add(1, Ordering::Relaxed)),
        closed: AtomicBool::new(false),
        waiting: Mutex::default(),
    });
    let reader = Arc::clone(&connection);
    std::thread::Builder::new().name("guardian".to_owned()).spawn(move || {
        read_events(&reader);
        let _ = child.wait();
        kill_tagged(&reader.tag);
        reader.closed.store(true, Ordering::Release);
        for (_, waiting) in lock(&reader.waiting).drain() {
            let _ = waiting.send(CODE_KILLED);
        }
    })?;
    Ok(connection)
}

/// Reads until the guardian is gone.
fn read_events(connection: &Connection) {
    while let Ok(Some(frame)) = frames::receive(&connection.socket) {
        let Ok(Event::Ended { id, code }) = serde_json::from_slice(&frame.payload) else {
            return;
        };
        if let Some(waiting) = lock(&connection.waiting).remove(&id) {
            let _ = waiting.send(code);
        }
    }
}

/// Locks; data behind these locks is whole after every statement, so a panic elsewhere does not spoil it.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
