//! `input.attributes`: what of the request is set, in the form that policies know.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::tables::{ATTRIBUTES, Field, Kind, Presence};
use super::{Api, ParseError};

/// The attributes of a request in protobuf's JSON form, as they stand in the input: enums and 64-bit integers are
/// numbers, times are seconds and nanoseconds, an `Any` keeps its bytes.
pub(super) fn input(attributes: &Value, api: Api) -> Result<Value, ParseError> {
    message(attributes, ATTRIBUTES, api)
}

fn message(value: &Value, fields: &[Field], api: Api) -> Result<Value, ParseError> {
    let mut shown = Map::new();
    for field in fields {
        let Some(set) = value.get(field.name).filter(|set| !set.is_null()) else {
            continue;
        };
        let converted = convert(set, &field.kind, api)?;
        if field.presence == Presence::Explicit || !is_default(&converted, &field.kind) {
            place(&mut shown, field, api, converted);
        }
    }
    Ok(Value::Object(shown))
}

fn place(shown: &mut Map<String, Value>, field: &Field, api: Api, value: Value) {
    let path: &[&str] = match api {
        Api::V3 => &[field.name],
        Api::V2 => field.v2_path,
    };
    let mut at = shown;
    for (depth, name) in path.iter().enumerate() {
        if depth + 1 == path.len() {
            at.insert((*name).to_owned(), value);
            return;
        }
        let inner = at.entry((*name).to_owned()).or_insert_with(|| json!({}));
        let Value::Object(inner) = inner else { return };
        at = inner;
    }
}

fn convert(value: &Value, kind: &Kind, api: Api) -> Result<Value, ParseError> {
    match kind {
        Kind::Text | Kind::Bool | Kind::TextMap | Kind::StructMap => Ok(value.clone()),
        Kind::Integer => integer(value),
        Kind::Bytes => bytes(value).map(|bytes| STANDARD.encode(bytes).into()),
        Kind::Enum(names) => enumeration(value, names),
        Kind::Timestamp => timestamp(value),
        Kind::Message(fields) => message(value, fields, api),
        Kind::Repeated(fields) => {
            let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
            let items: Result<Vec<Value>, _> = items.iter().map(|item| message(item, fields, api)).collect();
            items.map(Value::Array)
        }
        Kind::AnyMap => {
            let entries = value.as_object().into_iter().flatten();
            let entries: Result<Map<String, Value>, _> =
                entries.map(|(name, any)| Ok((name.clone(), any_bytes(any)?))).collect();
            entries.map(Value::Object)
        }
    }
}

fn is_default(value: &Value, kind: &Kind) -> bool {
    match kind {
        Kind::Message(_) | Kind::Timestamp => false,
        _ => match value {
            Value::String(text) => text.is_empty(),
            Value::Bool(flag) => !flag,
            Value::Number(number) => number.as_f64() == Some(0.0),
            Value::Array(items) => items.is_empty(),
            Value::Object(entries) => entries.is_empty(),
            Value::Null => true,
        },
    }
}

/// Protobuf's JSON writes 64-bit integers as texts and takes either.
fn integer(value: &Value) -> Result<Value, ParseError> {
    let parsed = match value {
        Value::String(text) => text.parse::<i64>().ok().map(Value::from),
        Value::Number(_) => Some(value.clone()),
        _ => None,
    };
    parsed.ok_or_else(|| ParseError::new(format!("not an integer: {value}")))
}

fn bytes(value: &Value) -> Result<Vec<u8>, ParseError> {
    let text = value.as_str().unwrap_or_default();
    STANDARD
        .decode(text)
        .map_err(|error| ParseError::new(format!("not base64: {error}")))
}

fn enumeration(value: &Value, names: &[&str]) -> Result<Value, ParseError> {
    match value {
        Value::Number(_) => Ok(value.clone()),
        _ => names
            .iter()
            .position(|name| Some(*name) == value.as_str())
            .map(Value::from)
            .ok_or_else(|| ParseError::new(format!("unknown enum value {value}"))),
    }
}

fn timestamp(value: &Value) -> Result<Value, ParseError> {
    let text = value.as_str().unwrap_or_default();
    let time: jiff::Timestamp = text
        .parse()
        .map_err(|error| ParseError::new(format!("not a time: {error}")))?;
    let mut shown = Map::new();
    for (name, part) in [
        ("seconds", time.as_second()),
        ("nanos", time.subsec_nanosecond().into()),
    ] {
        if part != 0 {
            shown.insert(name.into(), part.into());
        }
    }
    Ok(Value::Object(shown))
}

/// An `Any` of protobuf's JSON form, as its type and its bytes. Only the wrappers of single values can be encoded
/// without the type's description; Envoy sends bytes in the first place.
fn any_bytes(any: &Value) -> Result<Value, ParseError> {
    let type_url = any["@type"].as_str().unwrap_or_default();
    let value = &any["value"];
    let mut encoded = Vec::new();
    match type_url.rsplit('/').next().unwrap_or_default() {
        "google.protobuf.StringValue" => length_delimited(&mut encoded, value.as_str().unwrap_or_default().as_bytes()),
        "google.protobuf.BytesValue" => length_delimited(&mut encoded, &bytes(value)?),
        "google.protobuf.BoolValue" => wrapped_integer(&mut encoded, u64::from(value.as_bool().unwrap_or(false))),
        "google.protobuf.Int64Value" | "google.protobuf.Int32Value" => {
            let number = integer(value)?.as_i64().unwrap_or_default();
            wrapped_integer(&mut encoded, number.cast_unsigned());
        }
        "google.protobuf.UInt64Value" | "google.protobuf.UInt32Value" => {
            wrapped_integer(&mut encoded, integer(value)?.as_u64().unwrap_or_default());
        }
        other => return Err(ParseError::new(format!("the type `{other}` is not known here"))),
    }
    Ok(json!({"typeUrl": type_url, "value": STANDARD.encode(encoded)}))
}

/// Field 1 with wire type 2 (length-delimited); an empty value is not written.
fn length_delimited(encoded: &mut Vec<u8>, bytes: &[u8]) {
    if !bytes.is_empty() {
        encoded.push(0x0a);
        varint(encoded, bytes.len() as u64);
        encoded.extend_from_slice(bytes);
    }
}

/// Field 1 with wire type 0 (varint); zero is not written.
fn wrapped_integer(encoded: &mut Vec<u8>, number: u64) {
    if number != 0 {
        encoded.push(0x08);
        varint(encoded, number);
    }
}

fn varint(encoded: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        encoded.push((number as u8 & 0x7f) | 0x80);
        number >>= 7;
    }
    encoded.push(number as u8);
}
