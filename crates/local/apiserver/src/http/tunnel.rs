//! `kubectl port-forward`: many connections to the ports of a Pod, as SPDY streams inside one WebSocket.
//!
//! For each connection the client opens two streams that share a request id: one for errors, one for data. Source:
//! client-go's `portforward`.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::protocol::Message;

use super::session::Socket;
use super::spdy::{self, Frame, Malformed};
use crate::pod_access::{ContainerName, PodAccess};

/// The WebSocket protocol of it.
pub(crate) const PROTOCOL: &str = "SPDY/3.1+portforward.k8s.io";

/// Connections of one port-forward at once. A browser opens six.
const CONNECTIONS_MAX: usize = 256;

/// Frames that wait for a slow reader, on both sides.
const QUEUE_FRAMES: usize = 16;

/// Bytes read from a port at once.
const CHUNK_BYTES: usize = 16 << 10;

/// Carries connections until the client leaves.
///
/// Sending is a task of its own: a client that is slow to read must not keep its own bytes from reaching the port.
pub(crate) async fn run(socket: Socket, access: Arc<dyn PodAccess>, container: ContainerName) {
    let (frames_tx, mut frames) = mpsc::channel::<Vec<u8>>(QUEUE_FRAMES);
    let (mut sink, mut stream) = socket.split();
    let mut connections = JoinSet::new();
    connections.spawn(async move {
        while let Some(frame) = frames.recv().await {
            if sink.send(Message::Binary(frame.into())).await.is_err() {
                return;
            }
        }
    });
    let (replies, errors, inputs) = (spdy::Replies::default(), HashMap::new(), HashMap::new());
    let mut tunnel = Tunnel {
        access,
        container,
        frames_tx,
        replies,
        errors,
        inputs,
        connections,
    };
    let mut reader = spdy::Reader::new();
    while let Some(Ok(message)) = stream.next().await {
        while tunnel.connections.try_join_next().is_some() {}
        let Message::Binary(bytes) = message else { continue };
        reader.push(&bytes);
        if let Err(error) = tunnel.receive(&mut reader).await {
            tracing::debug!(%error, "a port-forward ends");
            return;
        }
    }
}

struct Tunnel {
    access: Arc<dyn PodAccess>,
    container: ContainerName,
    /// Where connections put what the client is to get.
    frames_tx: mpsc::Sender<Vec<u8>>,
    replies: spdy::Replies,
    /// Error streams by request id.
    errors: HashMap<String, u32>,
    /// What the client sends, by data stream.
    inputs: HashMap<u32, mpsc::Sender<Bytes>>,
    /// Dropped with the tunnel, which ends them.
    connections: JoinSet<()>,
}

impl Tunnel {
    /// Takes in what was received.
    async fn receive(&mut self, reader: &mut spdy::Reader) -> Result<(), Malformed> {
        while let Some(frame) = reader.next()? {
            match frame {
                Frame::Open { stream, headers } => {
                    let reply = self.replies.accept(stream);
                    self.answer(reply).await;
                    self.open(stream, &headers);
                }
                Frame::Data { stream, bytes, end } => {
                    if let Some(input) = self.inputs.get(&stream)
                        && !bytes.is_empty()
                    {
                        // A connection that is gone needs no more input.
                        let _ = input.send(bytes).await;
                    }
                    if end {
                        self.inputs.remove(&stream);
                    }
                }
                Frame::Reset { stream } => drop(self.inputs.remove(&stream)),
                Frame::Ping { id } => self.answer(spdy::ping(id)).await,
                Frame::Other => {}
            }
        }
        Ok(())
    }

    async fn answer(&self, frame: Vec<u8>) {
        // Where the sending side is gone, the receiving side ends a moment later.
        let _ = self.frames_tx.send(frame).await;
    }

    fn open(&mut self, stream: u32, headers: &[(String, String)]) {
        let header = |name: &str| {
            headers
                .iter()
                .find(|(key, _)| key == name)
                .map_or("", |(_, value)| value.as_str())
        };
        let request = header("requestid").to_owned();
        if header("streamtype") == "error" {
            self.errors.insert(request, stream);
            return;
        }
        let error_stream = self.errors.remove(&request);
        let port = header("port")
            .parse::<u16>()
            .ok()
            .filter(|_| self.connections.len() < CONNECTIONS_MAX);
        let (input_tx, input) = mpsc::channel(QUEUE_FRAMES);
        self.inputs.insert(stream, input_tx);
        let (access, container, frames_tx) = (self.access.clone(), self.container.clone(), self.frames_tx.clone());
        self.connections.spawn(async move {
            let failure = match port {
                None => Some("no such port, or too many connections".to_owned()),
                Some(port) => match access.connect(container, port).await {
                    Ok(connection) => {
                        pump(connection, stream, input, &frames_tx).await;
                        None
                    }
                    Err(status) => Some(status.message),
                },
            };
            if let Some(error_stream) = error_stream {
                let text = failure.unwrap_or_default();
                let _ = frames_tx.send(spdy::data(error_stream, text.as_bytes(), true)).await;
            }
            let _ = frames_tx.send(spdy::data(stream, &[], true)).await;
        });
    }
}

type Connection = std::pin::Pin<Box<dyn crate::pod_access::Duplex>>;

/// Copies both ways until the port ends.
async fn pump(
    connection: Connection,
    stream: u32,
    mut input: mpsc::Receiver<Bytes>,
    frames_tx: &mpsc::Sender<Vec<u8>>,
) {
    let (mut reader, mut writer) = tokio::io::split(connection);
    let inward = async {
        while let Some(bytes) = input.recv().await {
            if writer.write_all(&bytes).await.is_err() {
                return;
            }
        }
        let _ = writer.shutdown().await;
    };
    let outward = async {
        let mut chunk = vec![0; CHUNK_BYTES];
        while let Ok(length @ 1..) = reader.read(&mut chunk).await {
            if frames_tx
                .send(spdy::data(stream, &chunk[..length], false))
                .await
                .is_err()
            {
                return;
            }
        }
    };
    // The end of what the client sends is not the end of what it reads.
    let mut inward = std::pin::pin!(inward);
    let mut outward = std::pin::pin!(outward);
    tokio::select! {
        () = &mut outward => {}
        () = &mut inward => outward.await,
    }
}
