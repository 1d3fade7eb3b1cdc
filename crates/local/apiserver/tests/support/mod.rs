//! What all tests of the server share: a server with a fixed clock and seed, and requests as one line.
#![allow(dead_code, reason = "every test binary uses its own part of it")]

use std::sync::Arc;

use apiserver::entropy::SeededEntropy;
use apiserver::{ApiServer, Body};
use flyball_core::{ManualClock, Timestamp};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use serde_json::Value;
use tower::ServiceExt;

/// A fresh server whose clock stands at the start of 2026.
pub fn server() -> ApiServer {
    let start: Timestamp = "2026-01-01T00:00:00Z".parse().expect("a timestamp");
    ApiServer::builder(Arc::new(ManualClock::new(start)))
        .entropy(Arc::new(SeededEntropy::new(1)))
        .build()
        .expect("the server is built")
}

/// Sends one request. `head` is `METHOD PATH`, followed by lines of headers; the body is JSON unless a header says otherwise.
pub async fn send(server: &ApiServer, head: &str, body: impl Into<Vec<u8>>) -> Response<Body> {
    let mut lines = head.lines().map(str::trim).filter(|line| !line.is_empty());
    let (method, path) = lines.next().and_then(|line| line.split_once(' ')).expect("METHOD PATH");
    let mut request = Request::builder().method(method).uri(path);
    for line in lines {
        let (name, value) = line.split_once(':').expect("a header");
        request = request.header(name.trim(), value.trim());
    }
    let request = request
        .body(Full::new(bytes::Bytes::from(body.into())))
        .expect("a request");
    match server.service().oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// Sends one request and reads the whole answer as JSON (null where it is not).
pub async fn call(server: &ApiServer, head: &str, body: impl Into<Vec<u8>>) -> (u16, Value) {
    let response = send(server, head, body).await;
    let code = response.status().as_u16();
    let bytes = response
        .into_body()
        .collect()
        .await
        .expect("answers do not fail")
        .to_bytes();
    (code, serde_json::from_slice(&bytes).unwrap_or_default())
}

/// Checks that a document has everything that `expect` has: objects by key, lists item by item, the rest exactly.
pub fn assert_contains(what: &str, actual: &Value, expect: &Value) {
    if let Some(difference) = difference(actual, expect, "") {
        panic!("{what}: {difference}\nin {actual:#}");
    }
}

fn difference(actual: &Value, expect: &Value, path: &str) -> Option<String> {
    match (actual, expect) {
        (Value::Object(_), Value::Object(fields)) => fields
            .iter()
            .find_map(|(key, value)| difference(&actual[key], value, &format!("{path}.{key}"))),
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => left
            .iter()
            .zip(right)
            .enumerate()
            .find_map(|(place, (left, right))| difference(left, right, &format!("{path}[{place}]"))),
        _ if actual == expect => None,
        _ => Some(format!("{path} is {actual}, not {expect}")),
    }
}
