//! `input.parsed_body`: the body by its content type.

mod grpc;
mod json;
mod multipart;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

pub use grpc::Descriptors;

use super::{ParseError, target};

/// The header by which Envoy says that it sent only a part of the body.
const PARTIAL: &str = "x-envoy-auth-partial-body";

/// What became of a body.
pub(super) struct Parsed {
    /// The body's value; null where it was not parsed.
    pub(super) body: Value,
    /// Whether it was cut on the way.
    pub(super) truncated: bool,
}

impl Parsed {
    fn whole(body: Value) -> Self {
        Self { body, truncated: false }
    }

    fn nothing() -> Self {
        Self::whole(Value::Null)
    }

    fn truncated() -> Self {
        Self {
            body: Value::Null,
            truncated: true,
        }
    }
}

/// Parses the body of an HTTP request in protobuf's JSON form.
pub(super) fn parse(http: &Value, path: &[String], descriptors: Option<&Descriptors>) -> Result<Parsed, ParseError> {
    let header = |name: &str| {
        http.get("headers")
            .and_then(|headers| headers.get(name))
            .and_then(Value::as_str)
    };
    if header(PARTIAL) == Some("true") {
        return Ok(Parsed::truncated());
    }
    let content_type = header("content-type").unwrap_or_default();
    if content_type.contains("application/json") {
        return whole_body(http, header("content-length"), json::parse);
    }
    if content_type.contains("application/grpc") {
        return match descriptors {
            Some(descriptors) => grpc::parse(&raw_body(http)?, path, descriptors),
            None => Ok(Parsed::nothing()),
        };
    }
    if content_type.contains("application/x-www-form-urlencoded") {
        return whole_body(http, header("content-length"), |body| {
            target::form(&target::lossy(body)).map(target::lists)
        });
    }
    if content_type.contains("multipart/form-data") {
        return whole_body(http, header("content-length"), |body| {
            multipart::parse(content_type, body)
        });
    }
    Ok(Parsed::nothing())
}

/// Parses the body unless there is none or it is shorter than the client said.
fn whole_body(
    http: &Value,
    content_length: Option<&str>,
    parse: impl Fn(&[u8]) -> Result<Value, ParseError>,
) -> Result<Parsed, ParseError> {
    let text = http.get("body").and_then(Value::as_str).unwrap_or_default();
    let body = match text.is_empty() {
        false => text.as_bytes().to_vec(),
        true => raw_body(http)?,
    };
    if body.is_empty() {
        return Ok(Parsed::nothing());
    }
    if let Some(length) = content_length {
        let wrong = || ParseError::new(format!("strconv.ParseInt: parsing \"{length}\": invalid syntax"));
        let length: i64 = length.parse().map_err(|_| wrong())?;
        if usize::try_from(length).is_ok_and(|length| length > body.len()) {
            return Ok(Parsed::truncated());
        }
    }
    parse(&body).map(Parsed::whole)
}

fn raw_body(http: &Value) -> Result<Vec<u8>, ParseError> {
    let encoded = http.get("rawBody").and_then(Value::as_str).unwrap_or_default();
    STANDARD
        .decode(encoded)
        .map_err(|error| ParseError::new(format!("not base64: {error}")))
}
