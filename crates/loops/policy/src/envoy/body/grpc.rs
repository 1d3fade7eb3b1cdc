//! gRPC bodies, read by the descriptions that the user gives.

use prost_reflect::{DescriptorPool, DynamicMessage};
use serde_json::Value;

use super::Parsed;
use crate::envoy::ParseError;

/// Compression flag and length stand before each message.
const FRAME_HEADER_BYTES: usize = 5;

/// Descriptions of services and messages (`protoc --descriptor_set_out --include_imports`).
#[derive(Debug, Clone)]
pub struct Descriptors(DescriptorPool);

impl Descriptors {
    /// Reads a serialized `FileDescriptorSet`.
    pub fn read(bytes: &[u8]) -> Result<Self, ParseError> {
        let pool = DescriptorPool::decode(bytes).map_err(|error| ParseError::new(error.to_string()))?;
        Ok(Self(pool))
    }
}

/// The first message of a unary or server streaming call. Compressed ones and unknown methods are not parsed.
pub(super) fn parse(body: &[u8], path: &[String], descriptors: &Descriptors) -> Result<Parsed, ParseError> {
    if body.is_empty() {
        return Ok(Parsed::nothing());
    }
    let [service, method] = path else {
        return Err(ParseError::new("invalid parsed path"));
    };
    let Some((header, rest)) = body.split_first_chunk::<FRAME_HEADER_BYTES>() else {
        return Err(ParseError::new("less than 5 bytes"));
    };
    let [compressed, length @ ..] = *header;
    if compressed != 0 {
        return Ok(Parsed::nothing());
    }
    let length = u32::from_be_bytes(length) as usize;
    let Some(message) = rest.get(..length) else {
        return Ok(Parsed::truncated());
    };
    let described = descriptors.0.get_service_by_name(service);
    let described = described.and_then(|service| service.methods().find(|described| described.name() == method));
    let Some(described) = described.filter(|described| !described.is_client_streaming()) else {
        return Ok(Parsed::nothing());
    };
    let message = DynamicMessage::decode(described.input(), message)
        .map_err(|error| ParseError::new(format!("proto: cannot parse invalid wire-format data: {error}")))?;
    let value: Value = serde_json::to_value(&message).map_err(|error| ParseError::new(error.to_string()))?;
    Ok(Parsed::whole(value))
}
