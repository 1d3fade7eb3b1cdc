//! `kubectl exec`: a command beside a container, with its streams carried to the API server.

use std::io::Write;
use std::os::fd::OwnedFd;

use apiserver::pod_access::{ExecOptions, ExecOutput, ExecSession};
use bytes::Bytes;
use node::kubelet::{ExecError, Kubelet};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::unix::pipe;
use tokio::sync::mpsc;

/// Pieces in flight in each direction: a slow client slows the command, as a pipe would.
const PIECES_MAX: usize = 16;
/// The size of a piece: a pipe's capacity on Linux is 64 KiB, a screenful is far less.
const PIECE_BYTES: usize = 16 * 1024;

/// Starts a command in the Pod with this uid.
pub(super) async fn start(
    kubelet: &Kubelet,
    uid: &str,
    container: &str,
    options: &ExecOptions,
) -> Result<ExecSession, ExecError> {
    let running = kubelet.exec(uid, container, &options.command).await?;
    let (output_tx, output) = mpsc::channel(PIECES_MAX);
    let stdin = options.stdin.then(|| {
        let (stdin_tx, stdin_rx) = mpsc::channel(PIECES_MAX);
        let pipe = running.stdin;
        // Writing to a pipe blocks, so it has a thread of its own.
        tokio::task::spawn_blocking(move || feed(stdin_rx, pipe));
        stdin_tx
    });
    let (stdout, stderr, ended) = (running.stdout, running.stderr, running.ended);
    tokio::spawn(async move {
        let out = carry(stdout, output_tx.clone(), ExecOutput::Stdout);
        let err = carry(stderr, output_tx.clone(), ExecOutput::Stderr);
        tokio::join!(out, err);
        let last = match ended.await {
            Ok(code) => ExecOutput::Exit(code),
            Err(_) => ExecOutput::Failed("the command was lost".to_owned()),
        };
        let _ = output_tx.send(last).await;
    });
    Ok(ExecSession {
        stdin,
        resize: None,
        output,
    })
}

fn feed(mut pieces: mpsc::Receiver<Bytes>, mut pipe: impl Write) {
    while let Some(piece) = pieces.blocking_recv() {
        if pipe.write_all(&piece).is_err() {
            return;
        }
    }
}

async fn carry(end: OwnedFd, output_tx: mpsc::Sender<ExecOutput>, wrap: fn(Bytes) -> ExecOutput) {
    let Ok(mut end) = pipe::Receiver::from_owned_fd(end) else {
        return;
    };
    while let Some(piece) = piece(&mut end).await {
        if output_tx.send(wrap(piece)).await.is_err() {
            return;
        }
    }
}

async fn piece(end: &mut (impl AsyncRead + Unpin)) -> Option<Bytes> {
    let mut buffer = vec![0; PIECE_BYTES];
    match end.read(&mut buffer).await {
        Ok(0) | Err(_) => None,
        Ok(read) => {
            buffer.truncate(read);
            Some(buffer.into())
        }
    }
}
