//! Answers: a status, a media type, bytes or a stream of them.

use std::convert::Infallible;

use apimachinery::status::Status;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use serde_json::Value;

/// The body of every answer. Streams end when they are done, they do not fail.
pub type Body = UnsyncBoxBody<Bytes, Infallible>;

/// The media type of nearly everything.
pub(crate) const JSON: &str = "application/json";

/// An answer of bytes.
pub(crate) fn bytes(code: StatusCode, content_type: &'static str, bytes: Bytes) -> Response<Body> {
    let mut response = Response::new(Full::new(bytes).boxed_unsync());
    *response.status_mut() = code;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// An answer of a document.
pub(crate) fn document(code: StatusCode, value: &Value) -> Response<Body> {
    bytes(code, JSON, to_bytes(value))
}

/// A document as compact JSON.
pub(crate) fn to_bytes(value: &Value) -> Bytes {
    // Serialising a Value into memory cannot fail: its keys are strings.
    Bytes::from(serde_json::to_vec(value).unwrap_or_default())
}

/// A plain text, for probes and people.
pub(crate) fn text(code: StatusCode, text: impl Into<String>) -> Response<Body> {
    bytes(code, "text/plain; charset=utf-8", Bytes::from(text.into()))
}

/// A failure.
pub(crate) fn failure(status: &Status) -> Response<Body> {
    let code = StatusCode::from_u16(status.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = document(code, &status.to_value());
    if status.details.retry_after_seconds > 0 {
        let seconds = HeaderValue::from(status.details.retry_after_seconds);
        response.headers_mut().insert(http::header::RETRY_AFTER, seconds);
    }
    if code == StatusCode::UNAUTHORIZED {
        let challenge = HeaderValue::from_static("Bearer realm=\"flyball\"");
        response.headers_mut().insert(http::header::WWW_AUTHENTICATE, challenge);
    }
    response
}

/// Warnings an answer carries at most; kubectl prints each.
const WARNINGS_MAX: usize = 32;

/// Adds warnings to an answer. Source: RFC 7234 §5.5, with the code 299 that upstream uses.
pub(crate) fn warn(response: &mut Response<Body>, warnings: &[String]) {
    for warning in warnings.iter().take(WARNINGS_MAX) {
        let quoted: String = warning
            .chars()
            .flat_map(|c| {
                if matches!(c, '"' | '\\') {
                    vec!['\\', c]
                } else {
                    vec![c]
                }
            })
            .collect();
        if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{quoted}\"")) {
            response.headers_mut().append(http::header::WARNING, value);
        }
    }
}
