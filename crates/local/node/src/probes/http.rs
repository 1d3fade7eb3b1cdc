//! GET as the kubelet does it.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Empty;
use hyper::Request;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::{HttpQuestion, Place, Target};

/// Connects; the error is in the words of the kubelet.
pub(super) async fn connect(target: &Target, place: &Place, timeout: Duration) -> Result<TcpStream, String> {
    let shown = shown(target, place);
    let attempt = async {
        match &target.host {
            Some(host) => TcpStream::connect((host.as_str(), target.port)).await,
            None => TcpStream::connect(place.real).await,
        }
    };
    match tokio::time::timeout(timeout, attempt).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(format!("dial tcp {shown}: connect: {}", words(&error))),
        Err(_) => Err(format!("dial tcp {shown}: i/o timeout")),
    }
}

fn words(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        _ => error.to_string(),
    }
}

fn shown(target: &Target, place: &Place) -> String {
    match &target.host {
        Some(host) => format!("{host}:{}", target.port),
        None => format!("{}:{}", place.shown, target.port),
    }
}

pub(super) async fn get(question: &HttpQuestion, place: &Place, timeout: Duration) -> Result<(), String> {
    let authority = shown(&question.target, place);
    let url = format!("http://{authority}{}", question.path);
    let exchange = async {
        let stream = connect(&question.target, place, timeout).await?;
        status(question, &authority, stream)
            .await
            .map_err(|error| error.to_string())
    };
    match tokio::time::timeout(timeout, exchange).await {
        Ok(Ok(200..=399)) => Ok(()),
        Ok(Ok(status)) => Err(format!("HTTP probe failed with statuscode: {status}")),
        Ok(Err(why)) => Err(format!("Get \"{url}\": {why}")),
        Err(_) => Err(format!(
            "Get \"{url}\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
        )),
    }
}

/// The status of the answer; its body is not read.
async fn status(
    question: &HttpQuestion,
    authority: &str,
    stream: TcpStream,
) -> Result<u16, Box<dyn std::error::Error + Send + Sync>> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let driving = tokio::spawn(connection);
    let mut request = Request::get(question.path.as_str());
    let has = |wanted: &str| {
        question
            .headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case(wanted))
    };
    if !has("host") {
        request = request.header("Host", authority);
    }
    if !has("user-agent") {
        request = request.header("User-Agent", concat!("kube-probe/", "1.37"));
    }
    if !has("accept") {
        request = request.header("Accept", "*/*");
    }
    for (name, value) in &question.headers {
        request = request.header(name, value);
    }
    let response = sender
        .send_request(request.header("Connection", "close").body(Empty::<Bytes>::new())?)
        .await;
    driving.abort();
    Ok(response?.status().as_u16())
}
