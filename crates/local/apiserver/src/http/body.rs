//! Bodies of requests: bounded, and read into documents.

use apimachinery::protobuf;
use apimachinery::resources::GroupVersionKind;
use apimachinery::status::Status;
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Limited};
use serde_json::Value;

/// Largest body of a request, in bytes. Source: `MaxRequestBodyBytes` of apiserver (etcd's limit, doubled).
pub const REQUEST_BODY_BYTES_MAX: usize = 3 << 20;

/// Reads a body to its end; 413 where it is too large, 400 where it breaks off.
pub(crate) async fn read<B>(body: B) -> Result<Bytes, Status>
where
    B: http_body::Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    match Limited::new(body, REQUEST_BODY_BYTES_MAX).collect().await {
        Ok(collected) => {
            let mut buffer = collected.aggregate();
            let mut bytes = BytesMut::with_capacity(bytes::Buf::remaining(&buffer));
            while bytes::Buf::has_remaining(&buffer) {
                let chunk = bytes::Buf::chunk(&buffer);
                let length = chunk.len();
                bytes.extend_from_slice(chunk);
                bytes::Buf::advance(&mut buffer, length);
            }
            Ok(bytes.freeze())
        }
        Err(error) if error.is::<http_body_util::LengthLimitError>() => {
            Err(Status::request_entity_too_large(REQUEST_BODY_BYTES_MAX))
        }
        Err(error) => Err(Status::bad_request(format!(
            "the body of the request breaks off: {error}"
        ))),
    }
}

/// Reads a document by its media type; an empty body is null.
pub(crate) fn document(content_type: &str, bytes: &[u8], expected: &GroupVersionKind) -> Result<Value, Status> {
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    match media_type {
        "" | "application/json" => json(bytes),
        "application/yaml" | "application/x-yaml" | "text/yaml" => yaml(bytes),
        protobuf::MEDIA_TYPE => {
            protobuf::decode(bytes, Some(expected)).map_err(|error| Status::bad_request(error.to_string()))
        }
        _ => Err(Status::unsupported_media_type(&MEDIA_TYPES)),
    }
}

/// Whether a document of this media type is JSON text.
pub(crate) fn is_json(content_type: &str) -> bool {
    matches!(
        content_type.split(';').next().unwrap_or_default().trim(),
        "" | "application/json"
    )
}

const MEDIA_TYPES: [&str; 3] = ["application/json", "application/yaml", protobuf::MEDIA_TYPE];

/// Reads JSON; the message says where it is broken.
pub(crate) fn json(bytes: &[u8]) -> Result<Value, Status> {
    serde_json::from_slice(bytes).map_err(|error| Status::bad_request(format!("the body is not JSON: {error}")))
}

/// Reads YAML, of which JSON is a part; the message says where it is broken.
pub(crate) fn yaml(bytes: &[u8]) -> Result<Value, Status> {
    if bytes.first() == Some(&b'{') {
        return json(bytes);
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|error| Status::bad_request(format!("the body is not UTF-8 after byte {}", error.valid_up_to())))?;
    serde_saphyr::from_str(text).map_err(|error| Status::bad_request(format!("the body is not YAML: {error}")))
}
