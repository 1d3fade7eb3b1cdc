//! The gRPC health protocol (grpc.health.v1), by hand: one message of one string there, one number back.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::Request;
use hyper_util::rt::{TokioExecutor, TokioIo};

use super::http::connect;
use super::{Place, Target};

/// `HealthCheckResponse.SERVING`.
const SERVING: u8 = 1;

/// A health answer is a few bytes.
const ANSWER_BYTES_MAX: usize = 4096;

pub(super) async fn check(service: &str, place: &Place, timeout: Duration) -> Result<(), String> {
    let target = Target {
        host: None,
        port: place.real.port(),
    };
    let exchange = async {
        let stream = connect(&target, place, timeout).await?;
        exchange(service, &format!("{}:{}", place.shown, target.port), stream)
            .await
            .map_err(|error| error.to_string())
    };
    match tokio::time::timeout(timeout, exchange).await {
        Ok(Ok(Some(SERVING))) => Ok(()),
        Ok(Ok(status)) => Err(format!("service unhealthy (responded with {status:?})")),
        Ok(Err(why)) => Err(why),
        Err(_) => Err(format!("timeout: health rpc did not complete within {timeout:?}")),
    }
}

async fn exchange(
    service: &str,
    authority: &str,
    stream: tokio::net::TcpStream,
) -> Result<Option<u8>, Box<dyn std::error::Error + Send + Sync>> {
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    let driving = tokio::spawn(connection);
    let request = Request::post(format!("http://{authority}/grpc.health.v1.Health/Check"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Full::new(Bytes::from(encode(service))))?;
    let answer = async {
        let response = sender.send_request(request).await?;
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await?;
        Ok(decode(&body.to_bytes()))
    };
    let answer = answer.await;
    driving.abort();
    answer
}

/// A gRPC message (flag, length) with field 1, a string; the empty string is left out.
fn encode(service: &str) -> Vec<u8> {
    let service = &service.as_bytes()[..service.len().min(120)];
    let mut message = Vec::new();
    if !service.is_empty() {
        message.extend([0x0A, service.len() as u8]);
        message.extend(service);
    }
    let mut out = vec![0];
    out.extend((message.len() as u32).to_be_bytes());
    out.extend(message);
    out
}

/// Field 1, a small number. An empty message means 0 (UNKNOWN); no message means that the call failed.
fn decode(body: &[u8]) -> Option<u8> {
    match body.get(5..)? {
        [0x08, status, ..] => Some(*status),
        _ => Some(0),
    }
}
