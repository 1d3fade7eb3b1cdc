//! What the API asks of whoever runs Pods: their logs, commands in them, their ports.
//!
//! The node implements [`PodAccess`]; the server knows nothing of processes.

use std::pin::Pin;

use apimachinery::status::Status;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;

/// A container of a Pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerName {
    /// The Pod's namespace.
    pub namespace: String,
    /// The Pod's name.
    pub pod: String,
    /// The Pod's unique id: a Pod of the same name may have been there before.
    pub uid: String,
    /// The container; the server has checked that the Pod has it.
    pub container: String,
}

/// Which part of a log is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogOptions {
    /// Go on with what is written from now on, until the container ends.
    pub follow: bool,
    /// The log of the container's last run before this one.
    pub previous: bool,
    /// Each line begins with its RFC 3339 time and a space.
    pub timestamps: bool,
    /// Lines from the end; `None` for all.
    pub tail_lines: Option<u64>,
    /// At most so many bytes.
    pub limit_bytes: Option<u64>,
    /// Nothing older than so many seconds.
    pub since_seconds: Option<u64>,
    /// Nothing older than this instant.
    pub since_time: Option<flyball_core::Timestamp>,
}

/// A command to run in a container, or the wish to join its main process (an attach, where `command` is empty).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExecOptions {
    /// The program and its arguments; empty for an attach.
    pub command: Vec<String>,
    /// The client sends input.
    pub stdin: bool,
    /// The client reads output.
    pub stdout: bool,
    /// The client reads errors; never together with a terminal.
    pub stderr: bool,
    /// The command gets a terminal.
    pub tty: bool,
}

/// The size of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TerminalSize {
    /// Columns.
    pub width: u16,
    /// Rows.
    pub height: u16,
}

/// What comes from a command; the exit or the failure is the last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExecOutput {
    /// A piece of standard output.
    Stdout(Bytes),
    /// A piece of standard error.
    Stderr(Bytes),
    /// The command ended with this exit code.
    Exit(i32),
    /// The command could not be started or was lost; the sentence says why.
    Failed(String),
}

/// A running command. Dropping it ends the command's connection, not the command of an attach.
#[derive(Debug)]
pub struct ExecSession {
    /// Takes input; closing it is the end of input.
    pub stdin: Option<mpsc::Sender<Bytes>>,
    /// Takes changes of the terminal's size.
    pub resize: Option<mpsc::Sender<TerminalSize>>,
    /// Gives output.
    pub output: mpsc::Receiver<ExecOutput>,
}

/// A byte stream in both directions.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// Whoever runs Pods. A failure is a [`Status`] that the client gets as it is.
pub trait PodAccess: Send + Sync {
    /// A container's log, in pieces of any size.
    fn logs(
        &self,
        container: ContainerName,
        options: LogOptions,
    ) -> BoxFuture<'static, Result<BoxStream<'static, Bytes>, Status>>;

    /// Runs a command in a container, or attaches to it.
    fn exec(&self, container: ContainerName, options: ExecOptions) -> BoxFuture<'static, Result<ExecSession, Status>>;

    /// Connects to a port that the Pod listens on; `container` is the Pod's first.
    fn connect(&self, container: ContainerName, port: u16) -> BoxFuture<'static, Result<Pin<Box<dyn Duplex>>, Status>>;
}
