//! Protobuf request bodies as JSON.
//!
//! kubectl since 1.32 and all typed Go clients write `application/vnd.kubernetes.protobuf`: four magic bytes, then a
//! `runtime.Unknown` that names the kind and holds the object. Messages are described by a table made from the generated.proto
//! files and Go types of Kubernetes (`data/protobuf.tsv`); decoding yields the JSON that the same client would have written.

mod special;
mod table;
mod wire;

use serde_json::{Map, Value, json};
use thiserror::Error;

use crate::encoding::base64_encode;
use crate::resources::GroupVersionKind;
use table::{Field, Kind, Message};
use wire::{Reader, Token};

/// The media type of these bodies.
pub const MEDIA_TYPE: &str = "application/vnd.kubernetes.protobuf";

const MAGIC: &[u8] = b"k8s\0";
/// Messages nest at most this deep; schemas of schemas are the deepest that are met.
const DEPTH_MAX: usize = 64;

/// A body that cannot be decoded.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ProtobufError {
    /// It does not start with the magic bytes.
    #[error("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")]
    Prefix,
    /// The bytes are no protobuf message.
    #[error("the body is not a well-formed protobuf message: {0} at byte {1}")]
    Malformed(&'static str, usize),
    /// The kind has no protobuf form here.
    #[error("no kind {kind:?} is registered for version {version:?} in protobuf; send application/json instead")]
    UnknownKind {
        /// The `apiVersion` of the body.
        version: String,
        /// The `kind` of the body.
        kind: String,
    },
}

/// Decodes a whole body; `expected` stands in for a kind that the body leaves out.
pub fn decode(body: &[u8], expected: Option<&GroupVersionKind>) -> Result<Value, ProtobufError> {
    let raw = body.strip_prefix(MAGIC).ok_or(ProtobufError::Prefix)?;
    let (mut version, mut kind, mut object): (String, String, &[u8]) = (String::new(), String::new(), &[]);
    let mut reader = Reader::new(raw);
    while let Some((number, token)) = reader.next()? {
        match (number, token) {
            (1, Token::Bytes(bytes)) => {
                let mut type_meta = Reader::new(bytes);
                while let Some((number, token)) = type_meta.next()? {
                    match (number, token) {
                        (1, Token::Bytes(text)) => version = String::from_utf8_lossy(text).into_owned(),
                        (2, Token::Bytes(text)) => kind = String::from_utf8_lossy(text).into_owned(),
                        _ => {}
                    }
                }
            }
            (2, Token::Bytes(bytes)) => object = bytes,
            _ => {}
        }
    }
    if let (true, Some(expected)) = (kind.is_empty(), expected) {
        version = expected.api_version();
        kind.clone_from(&expected.kind);
    }
    let Some(message) = table::kind(&version, &kind) else {
        return Err(ProtobufError::UnknownKind { version, kind });
    };
    let mut fields = Map::new();
    fields.insert("kind".into(), json!(kind));
    fields.insert("apiVersion".into(), json!(version));
    decode_into(&message, object, &mut fields, 0)?;
    Ok(Value::Object(fields))
}

/// Decodes the fields of a message into an object.
fn decode_into(
    message: &Message,
    bytes: &[u8],
    fields: &mut Map<String, Value>,
    depth: usize,
) -> Result<(), ProtobufError> {
    if depth > DEPTH_MAX {
        return Err(ProtobufError::Malformed("messages nest too deeply", 0));
    }
    let mut reader = Reader::new(bytes);
    while let Some((number, token)) = reader.next()? {
        // A field that the table does not know is newer than the table: what it says is unknown here.
        let Some(field) = message.field(number) else {
            continue;
        };
        if field.embedded {
            if let (Kind::Message(name), Token::Bytes(bytes)) = (field.kind, token)
                && let Some(inner) = table::message(name)
            {
                decode_into(&inner, bytes, fields, depth + 1)?;
            }
        } else if field.map {
            let (key, value) = entry(field, token, depth)?;
            if !fields.get(field.name).is_some_and(Value::is_object) {
                fields.insert(field.name.to_owned(), Value::Object(Map::new()));
            }
            fields[field.name][&key] = value;
        } else if field.repeated {
            if !fields.get(field.name).is_some_and(Value::is_array) {
                fields.insert(field.name.to_owned(), Value::Array(Vec::new()));
            }
            let items = values(field, token, depth)?;
            if let Some(Value::Array(list)) = fields.get_mut(field.name) {
                list.extend(items);
            }
        } else {
            let value = value(field.kind, token, depth)?;
            let silent = value.is_null() || (field.omit_zero && is_zero(&value));
            if !silent {
                fields.insert(field.name.to_owned(), value);
            }
        }
    }
    Ok(())
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(flag) => !flag,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
    }
}

/// One or, where numbers are packed, several elements of a list.
fn values(field: &Field, token: Token<'_>, depth: usize) -> Result<Vec<Value>, ProtobufError> {
    if let (Kind::Integer, Token::Bytes(packed)) = (field.kind, token) {
        let mut reader = Reader::new(packed);
        let mut items = Vec::new();
        while !reader.is_at_end() {
            items.push(json!(reader.varint()? as i64));
        }
        return Ok(items);
    }
    Ok(vec![value(field.kind, token, depth)?])
}

fn entry(field: &Field, token: Token<'_>, depth: usize) -> Result<(String, Value), ProtobufError> {
    let Token::Bytes(bytes) = token else {
        return Err(ProtobufError::Malformed("a map entry is no message", 0));
    };
    let (mut key, mut held) = (String::new(), None);
    let mut reader = Reader::new(bytes);
    while let Some((number, token)) = reader.next()? {
        match (number, token) {
            (1, Token::Bytes(text)) => key = String::from_utf8_lossy(text).into_owned(),
            (2, token) => held = Some(value(field.kind, token, depth)?),
            _ => {}
        }
    }
    let absent = || match field.kind {
        Kind::Message(_) => Value::Object(Map::new()),
        _ => json!(""),
    };
    Ok((key, held.unwrap_or_else(absent)))
}

fn value(kind: Kind, token: Token<'_>, depth: usize) -> Result<Value, ProtobufError> {
    Ok(match (kind, token) {
        (Kind::Text, Token::Bytes(text)) => json!(String::from_utf8_lossy(text)),
        (Kind::Boolean, Token::Varint(number)) => json!(number != 0),
        (Kind::Integer, Token::Varint(number)) => json!(number as i64),
        (Kind::Bytes, Token::Bytes(bytes)) => json!(base64_encode(bytes)),
        (Kind::Double, Token::Fixed64(bits)) => json!(f64::from_bits(bits)),
        (Kind::Message(name), Token::Bytes(bytes)) => match special::decode(name, bytes)? {
            Some(value) => value,
            None => {
                let mut fields = Map::new();
                if let Some(message) = table::message(name) {
                    decode_into(&message, bytes, &mut fields, depth + 1)?;
                }
                special::unwrap(name, Value::Object(fields))
            }
        },
        _ => {
            return Err(ProtobufError::Malformed(
                "a field is of another type than its message says",
                0,
            ));
        }
    })
}

/// Whether a body starts as these bodies do.
pub fn is_protobuf(body: &[u8]) -> bool {
    body.starts_with(MAGIC)
}

#[cfg(test)]
mod tests;
