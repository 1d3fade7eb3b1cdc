//! Running a command beside a container: in its environment, its working directory and its Pod's network.

use std::io::PipeWriter;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::sync::oneshot;

use super::start::{find_program, start_process, streams};
use super::{Kubelet, Node, PodShared, Unavailable, lock};
use crate::guardian::{MainProcess, ProcessSpec, StartError, Streams};
use crate::lifecycle::ProbeResult;
use crate::sys::process;

/// How much of a probe's output a message holds; the kubelet's limit is ten kilobytes.
const OUTPUT_BYTES_MAX: usize = 10 << 10;

/// A command that runs.
#[derive(Debug)]
pub struct ExecSession {
    /// Its input; dropping it ends the input.
    pub stdin: PipeWriter,
    /// The reading end of its output.
    pub stdout: OwnedFd,
    /// The reading end of its complaints.
    pub stderr: OwnedFd,
    /// Its process.
    pub main: MainProcess,
    /// Resolves with its exit code.
    pub ended: oneshot::Receiver<i32>,
}

/// A command that runs on a terminal.
#[derive(Debug)]
pub struct TerminalSession {
    /// The user's side: what is written is typed, what is read is shown. Reading fails with `EIO` at the end.
    pub terminal: Terminal,
    /// Its process.
    pub main: MainProcess,
    /// Resolves with its exit code.
    pub ended: oneshot::Receiver<i32>,
}

/// The user's side of a terminal.
#[derive(Debug)]
pub struct Terminal(pub OwnedFd);

impl Terminal {
    /// Tells the program that the window has changed.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn resize(&self, rows: u16, columns: u16) -> std::io::Result<()> {
        process::resize_terminal(self.0.as_fd(), rows, columns)
    }
}

/// Why a command does not run.
#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    /// The container is not there.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// The command is empty or its program is not there.
    #[error("the program {0} was not found")]
    NoProgram(String),
    /// It could not be started.
    #[error(transparent)]
    Start(#[from] StartError),
}

impl Kubelet {
    /// Runs a command beside a running container.
    ///
    /// # Errors
    /// [`ExecError`].
    pub async fn exec(&self, uid: &str, container: &str, command: &[String]) -> Result<ExecSession, ExecError> {
        let (shared, spec) = self.exec_spec(uid, container, command)?;
        let ([stdout, stderr], streams) = streams().map_err(StartError::from)?;
        let (stdin_read, stdin) = std::io::pipe().map_err(StartError::from)?;
        let streams = Streams {
            stdin: stdin_read.into(),
            ..streams
        };
        let running = start_process(&self.node, &shared, spec, streams).await?;
        Ok(ExecSession {
            stdin,
            stdout,
            stderr,
            main: running.main,
            ended: running.ended,
        })
    }
}

impl Kubelet {
    /// Runs a command beside a running container on a terminal of this size (`kubectl exec -it`).
    ///
    /// # Errors
    /// [`ExecError`].
    pub async fn exec_terminal(
        &self,
        uid: &str,
        container: &str,
        command: &[String],
        (rows, columns): (u16, u16),
    ) -> Result<TerminalSession, ExecError> {
        let (shared, mut spec) = self.exec_spec(uid, container, command)?;
        if !spec.environment.iter().any(|(name, _)| name == "TERM") {
            spec.environment.push(("TERM".to_owned(), "xterm".to_owned()));
        }
        let (user, program) = process::open_terminal(rows, columns).map_err(StartError::from)?;
        let copy = || program.try_clone().map_err(StartError::from);
        let streams = Streams {
            stdin: copy()?,
            stdout: copy()?,
            stderr: copy()?,
        };
        drop(program);
        let running = start_process(&self.node, &shared, spec, streams).await?;
        Ok(TerminalSession {
            terminal: Terminal(user),
            main: running.main,
            ended: running.ended,
        })
    }

    fn exec_spec(
        &self,
        uid: &str,
        container: &str,
        command: &[String],
    ) -> Result<(Arc<PodShared>, ProcessSpec), ExecError> {
        let entry = self.entry(uid)?;
        let none = || Unavailable::NoContainer {
            pod: entry.pod.name.clone(),
            container: container.to_owned(),
            why: "it is not running",
        };
        let spec = running_spec(&entry.shared, container).ok_or_else(none)?;
        Ok((entry.shared, spec_of(spec, command)?))
    }
}

fn running_spec(shared: &PodShared, container: &str) -> Option<ProcessSpec> {
    let containers = lock(&shared.containers);
    let found = containers.get(container)?;
    found.pid.and(found.spec.clone())
}

fn spec_of(spec: ProcessSpec, command: &[String]) -> Result<ProcessSpec, ExecError> {
    let word = command
        .first()
        .ok_or_else(|| ExecError::NoProgram("(none)".to_owned()))?;
    let path = spec
        .environment
        .iter()
        .find(|(name, _)| name == "PATH")
        .map(|(_, value)| value.as_str());
    let program = find_program(word, path.unwrap_or_default(), &spec.working_directory)
        .ok_or_else(|| ExecError::NoProgram(word.clone()))?;
    Ok(ProcessSpec {
        program,
        arguments: command.to_vec(),
        ..spec
    })
}

/// An exec probe: exit code 0 is success; a command that takes too long is killed and a failure.
pub(super) async fn probe(
    node: &Arc<Node>,
    shared: &Arc<PodShared>,
    container: &str,
    command: &[String],
    timeout: Duration,
) -> ProbeResult {
    let attempt = async {
        let spec = running_spec(shared, container).ok_or_else(|| "the container is not running".to_owned())?;
        let spec = spec_of(spec, command).map_err(|error| error.to_string())?;
        let ([stdout, stderr], streams) = streams().map_err(|error| error.to_string())?;
        let running = start_process(node, shared, spec, streams)
            .await
            .map_err(|error| error.to_string())?;
        let output = async { tokio::join!(read(stdout), read(stderr)) };
        let whole = async {
            let (output, code) = tokio::join!(output, running.ended);
            (output, code)
        };
        match tokio::time::timeout(timeout, whole).await {
            Ok((_, Ok(0))) => Ok(()),
            Ok(((stdout, stderr), _)) => Err(format!("{stdout}{stderr}").trim_end().to_owned()),
            Err(_) => {
                running.main.signal(libc::SIGKILL);
                Err(format!(
                    "command timed out: {command:?} timed out after {}s",
                    timeout.as_secs()
                ))
            }
        }
    };
    attempt
        .await
        .map_or_else(ProbeResult::Failure, |()| ProbeResult::Success)
}

async fn read(descriptor: OwnedFd) -> String {
    let Ok(mut pipe) = pipe::Receiver::from_owned_fd(descriptor) else {
        return String::new();
    };
    let (mut kept, mut buffer) = (Vec::new(), [0; 4096]);
    // All is read, so that the command is not held up; only the beginning is kept.
    while let Ok(read @ 1..) = pipe.read(&mut buffer).await {
        let room = OUTPUT_BYTES_MAX - kept.len();
        kept.extend_from_slice(&buffer[..read.min(room)]);
    }
    String::from_utf8_lossy(&kept).into_owned()
}
