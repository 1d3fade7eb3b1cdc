//! Recorded truth: what a real kube-apiserver answered, to hold the local one against.
//!
//! `golden/NAME.http` is a scenario: requests in the format that editors know as `.http` files, in order, on a
//! cluster that is empty at the start. `golden/NAME.json` holds the answers of the real server, with what
//! differs from run to run masked. A test sends the same requests to the local API server.

mod compare;
mod mask;
mod scenario;

pub use compare::{Difference, differences};
pub use mask::mask;
pub use scenario::{Request, parse};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a server answered to one request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The request's name.
    pub name: String,
    /// HTTP status code.
    pub status: u16,
    /// The media type without its parameters.
    pub content_type: String,
    /// The body: JSON where it is JSON, a list where it is a stream of JSON lines, otherwise text.
    pub body: Value,
}

impl Answer {
    /// An answer from its parts, masked.
    pub fn new(name: &str, status: u16, content_type: &str, body: &[u8]) -> Self {
        let content_type = content_type.split(';').next().unwrap_or_default().trim().to_owned();
        let mut body = read_body(body);
        mask(&mut body);
        Self {
            name: name.to_owned(),
            status,
            content_type,
            body,
        }
    }
}

fn read_body(body: &[u8]) -> Value {
    if let Ok(value) = serde_json::from_slice(body) {
        return value;
    }
    let lines: Result<Vec<Value>, _> = serde_json::Deserializer::from_slice(body).into_iter().collect();
    match lines {
        Ok(lines) if !lines.is_empty() => Value::Array(lines),
        _ => Value::String(String::from_utf8_lossy(body).into_owned()),
    }
}
