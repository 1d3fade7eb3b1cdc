//! Sessions with Pods: exec, attach and port-forward, over WebSocket.
//!
//! The first byte of every message is a channel. Exec and attach have fixed ones (`v5.channel.k8s.io`, `v4.channel.k8s.io`);
//! port-forward has two for each port, data and errors. Source: `remotecommand` and `portforward` of apimachinery.

use apimachinery::status::Status;
use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, UPGRADE};
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message, Role};

use super::Shared;
use super::answer::Body;
use super::pod::{access, container_of};
use super::query::Query;
use super::tunnel;
use crate::pod_access::{ExecOptions, ExecOutput, ExecSession, TerminalSize};
use crate::registry::Target;

const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const ERROR: u8 = 3;
const RESIZE: u8 = 4;
/// Only in `v5`: the next byte names a channel that has ended.
const CLOSE: u8 = 255;

/// The protocols spoken, the preferred one first.
const PROTOCOLS: [&str; 2] = ["v5.channel.k8s.io", "v4.channel.k8s.io"];

/// Those of a port-forward: kubectl's own, and the channels that kube's client uses.
const PORT_PROTOCOLS: [&str; 3] = [tunnel::PROTOCOL, PROTOCOLS[0], PROTOCOLS[1]];

/// Ports of one port-forward: each is a connection that is opened at once.
const PORTS_MAX: usize = 16;

/// Messages that wait for a slow client of a port-forward.
const QUEUE_MESSAGES: usize = 16;

/// Bytes read from a port at once.
const CHUNK_BYTES: usize = 16 << 10;

/// Answers `exec` and `attach`.
pub(crate) async fn exec(
    shared: &Shared,
    target: &Target,
    query: &Query,
    parts: &Parts,
) -> Result<Response<Body>, Status> {
    let (response, upgrade, _) = handshake(parts, &PROTOCOLS)?;
    let pod = shared
        .registry
        .get(&Target {
            subresource: String::new(),
            ..target.clone()
        })?
        .value();
    let container = container_of(&pod, query.text("container"))?;
    let options = ExecOptions {
        command: query.all("command").map(str::to_owned).collect(),
        stdin: query.flag("stdin"),
        stdout: query.flag("stdout"),
        stderr: query.flag("stderr"),
        tty: query.flag("tty"),
    };
    if target.subresource == "exec" && options.command.is_empty() {
        return Err(Status::bad_request(
            "you must specify at least one command for the container",
        ));
    }
    let session = access(shared)?.exec(container, options).await?;
    tokio::spawn(async move {
        match upgrade.await {
            Ok(upgraded) => run_exec(socket(upgraded).await, session).await,
            Err(error) => tracing::debug!(%error, "a session was not upgraded"),
        }
    });
    Ok(response)
}

/// Answers `portforward`.
pub(crate) async fn port_forward(
    shared: &Shared,
    target: &Target,
    query: &Query,
    parts: &Parts,
) -> Result<Response<Body>, Status> {
    let (response, upgrade, protocol) = handshake(parts, &PORT_PROTOCOLS)?;
    let pod = shared
        .registry
        .get(&Target {
            subresource: String::new(),
            ..target.clone()
        })?
        .value();
    let first = pod["spec"]["containers"][0]["name"].as_str().unwrap_or_default();
    let container = container_of(&pod, first)?;
    if protocol == tunnel::PROTOCOL {
        let access = shared.pod_access.clone();
        let access = access.ok_or_else(|| Status::service_unavailable("no node runs Pods here"))?;
        tokio::spawn(async move {
            match upgrade.await {
                Ok(upgraded) => tunnel::run(socket(upgraded).await, access, container).await,
                Err(error) => tracing::debug!(%error, "a session was not upgraded"),
            }
        });
        return Ok(response);
    }
    let ports: Result<Vec<u16>, _> = query
        .all("ports")
        .flat_map(|list| list.split(','))
        .map(str::parse)
        .collect();
    let ports = ports.map_err(|_| Status::bad_request("ports: every port is a number from 1 to 65535"))?;
    if ports.is_empty() || ports.len() > PORTS_MAX {
        return Err(Status::bad_request(format!(
            "ports: between 1 and {PORTS_MAX} ports must be given"
        )));
    }
    let mut connections = Vec::new();
    for port in ports {
        connections.push((port, access(shared)?.connect(container.clone(), port).await?));
    }
    tokio::spawn(async move {
        match upgrade.await {
            Ok(upgraded) => run_port_forward(socket(upgraded).await, connections).await,
            Err(error) => tracing::debug!(%error, "a session was not upgraded"),
        }
    });
    Ok(response)
}

/// The answer 101, and the connection that it becomes.
fn handshake(parts: &Parts, known: &[&'static str]) -> Result<(Response<Body>, OnUpgrade, &'static str), Status> {
    let text = |name| {
        parts
            .headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
            .unwrap_or_default()
    };
    let key = text(SEC_WEBSOCKET_KEY);
    if !text(UPGRADE).eq_ignore_ascii_case("websocket") || key.is_empty() {
        return Err(Status::bad_request(
            "this needs a WebSocket: kubectl 1.30 or later (1.31 for port-forward), or a client that upgrades",
        ));
    }
    let offered: Vec<&str> = text(SEC_WEBSOCKET_PROTOCOL).split(',').map(str::trim).collect();
    let protocol = known
        .iter()
        .copied()
        .find(|protocol| offered.contains(protocol))
        .ok_or_else(|| {
            Status::bad_request(format!(
                "none of the protocols {offered:?} is spoken here; {} are",
                known.join(", ")
            ))
        })?;
    let upgrade = parts.extensions.get::<OnUpgrade>().cloned();
    let upgrade = upgrade.ok_or_else(|| Status::bad_request("this connection cannot be upgraded"))?;
    let mut response = Response::new(Empty::new().boxed_unsync());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(protocol));
    let accept = HeaderValue::from_str(&derive_accept_key(key.as_bytes()));
    headers.insert(
        SEC_WEBSOCKET_ACCEPT,
        accept.map_err(|error| Status::internal_error(&error.to_string()))?,
    );
    Ok((response, upgrade, protocol))
}

pub(crate) type Socket = WebSocketStream<TokioIo<Upgraded>>;

async fn socket(upgraded: Upgraded) -> Socket {
    WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await
}

/// The end as kubectl wants it: a close without a code is an error to it.
fn normal_closure() -> CloseFrame {
    CloseFrame {
        code: CloseCode::Normal,
        reason: Default::default(),
    }
}

async fn run_exec(mut socket: Socket, mut session: ExecSession) {
    loop {
        tokio::select! {
            output = session.output.recv() => {
                let last = match output {
                    Some(ExecOutput::Stdout(bytes)) => {
                        if socket.send(message(STDOUT, &bytes)).await.is_err() { return; }
                        continue;
                    }
                    Some(ExecOutput::Stderr(bytes)) => {
                        if socket.send(message(STDERR, &bytes)).await.is_err() { return; }
                        continue;
                    }
                    Some(ExecOutput::Exit(code)) => exit_status(code),
                    Some(ExecOutput::Failed(why)) => Status::internal_error(&why).to_value(),
                    None => Status::internal_error("the container went away").to_value(),
                };
                let _ = socket.send(message(ERROR, last.to_string().as_bytes())).await;
                let _ = socket.close(Some(normal_closure())).await;
                return;
            }
            received = socket.next() => match received {
                Some(Ok(Message::Binary(bytes))) => receive(&mut session, &bytes).await,
                Some(Ok(Message::Text(text))) => receive(&mut session, text.as_bytes()).await,
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => {}
            }
        }
    }
}

/// Takes a message of the client: input, the end of input, a new terminal size.
async fn receive(session: &mut ExecSession, message: &[u8]) {
    match message.split_first() {
        Some((&STDIN, bytes)) => {
            if let Some(stdin) = &session.stdin
                && stdin.send(Bytes::copy_from_slice(bytes)).await.is_err()
            {
                session.stdin = None;
            }
        }
        Some((&RESIZE, bytes)) => {
            let size: Value = serde_json::from_slice(bytes).unwrap_or_default();
            let side = |name: &str| size[name].as_u64().and_then(|side| u16::try_from(side).ok());
            if let (Some(width), Some(height), Some(resize)) = (side("Width"), side("Height"), &session.resize) {
                let _ = resize.send(TerminalSize { width, height }).await;
            }
        }
        Some((&CLOSE, [STDIN, ..])) => session.stdin = None,
        _ => {}
    }
}

/// What the error channel says of an exit. Source: `remotecommand`'s `v4` protocol.
fn exit_status(code: i32) -> Value {
    if code == 0 {
        return json!({"metadata": {}, "status": "Success"});
    }
    json!({
        "metadata": {}, "status": "Failure", "reason": "NonZeroExitCode",
        "message": format!("command terminated with non-zero exit code: exit status {code}"),
        "details": {"causes": [{"reason": "ExitCode", "message": code.to_string()}]},
    })
}

fn message(channel: u8, bytes: &[u8]) -> Message {
    let mut message = Vec::with_capacity(bytes.len() + 1);
    message.push(channel);
    message.extend_from_slice(bytes);
    Message::Binary(message.into())
}

type Connection = std::pin::Pin<Box<dyn crate::pod_access::Duplex>>;

async fn run_port_forward(mut socket: Socket, connections: Vec<(u16, Connection)>) {
    let (messages_tx, mut messages) = mpsc::channel(QUEUE_MESSAGES);
    let mut writers = Vec::new();
    // Dropped with the session, which ends the readers.
    let mut readers = tokio::task::JoinSet::new();
    for (place, (port, connection)) in connections.into_iter().enumerate() {
        // At most sixteen ports, so channels fit a byte.
        let channel = (place * 2) as u8;
        for channel in [channel, channel + 1] {
            if socket.send(message(channel, &port.to_le_bytes())).await.is_err() {
                return;
            }
        }
        let (mut reader, writer) = tokio::io::split(connection);
        writers.push(writer);
        let messages_tx = messages_tx.clone();
        readers.spawn(async move {
            let mut chunk = vec![0; CHUNK_BYTES];
            while let Ok(length @ 1..) = reader.read(&mut chunk).await {
                if messages_tx.send(message(channel, &chunk[..length])).await.is_err() {
                    return;
                }
            }
        });
    }
    drop(messages_tx);
    loop {
        tokio::select! {
            sent = messages.recv() => match sent {
                Some(message) => if socket.send(message).await.is_err() { return; },
                None => {
                    let _ = socket.close(Some(normal_closure())).await;
                    return;
                }
            },
            received = socket.next() => match received {
                Some(Ok(Message::Binary(bytes))) => {
                    let Some((channel, data)) = bytes.split_first() else { continue };
                    let Some(writer) = writers.get_mut(usize::from(channel / 2)) else { continue };
                    if channel % 2 == 0 && writer.write_all(data).await.is_err() { return; }
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => {}
            },
        }
    }
}
