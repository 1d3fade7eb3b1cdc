//! Base64, hexadecimal, URLs, JSON and YAML text.

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::{Builtin, Env, Fault, Outcome, failed, object, ok, string, wrong_type};
use crate::value::{Object, Value};

const PLAIN: GeneralPurposeConfig = GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true);
const STRICT: GeneralPurpose = GeneralPurpose::new(&STANDARD, PLAIN);
const URL: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    PLAIN.with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
const URL_NO_PAD: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, PLAIN.with_encode_padding(false));

pub(super) const TABLE: &[Builtin] = &[
    Builtin::new("base64.encode", 1, |_, a| ok(STRICT.encode(&**string(a, 0)?))),
    Builtin::new("base64.decode", 1, |_, a| text(standard(string(a, 0)?)?)),
    Builtin::new("base64.is_valid", 1, |_, a| {
        ok(a[0].as_str().is_some_and(|text| standard(text).is_ok()))
    }),
    Builtin::new("base64url.encode", 1, |_, a| ok(URL.encode(&**string(a, 0)?))),
    Builtin::new("base64url.encode_no_pad", 1, |_, a| {
        ok(URL_NO_PAD.encode(&**string(a, 0)?))
    }),
    Builtin::new("base64url.decode", 1, |_, a| {
        text(url(string(a, 0)?).map_err(Fault::Failed)?)
    }),
    Builtin::new("hex.encode", 1, |_, a| ok(hex(string(a, 0)?.as_bytes()))),
    Builtin::new("hex.decode", 1, hex_decode),
    Builtin::new("urlquery.encode", 1, |_, a| ok(query_escape(string(a, 0)?))),
    Builtin::new("urlquery.decode", 1, |_, a| {
        ok(query_unescape(string(a, 0)?).map_err(Fault::Failed)?)
    }),
    Builtin::new("urlquery.encode_object", 1, encode_object),
    Builtin::new("urlquery.decode_object", 1, decode_object),
    Builtin::new("uri.is_valid", 1, |_, a| {
        ok(a[0].as_str().is_some_and(|text| super::super::uri::parse(text).is_ok()))
    }),
    Builtin::new("uri.parse", 1, |_, a| match super::super::uri::parse(string(a, 0)?) {
        Ok(parts) => ok(parts),
        Err(message) => failed(message),
    }),
    Builtin::new("json.marshal", 1, |_, a| ok(a[0].to_json())),
    Builtin::new("json.marshal_with_options", 2, marshal_with_options),
    Builtin::new("json.unmarshal", 1, |_, a| match Value::from_json(string(a, 0)?) {
        Ok(value) => ok(value),
        Err(error) => failed(error.to_string()),
    }),
    Builtin::new("json.is_valid", 1, |_, a| {
        ok(a[0].as_str().is_some_and(|text| Value::from_json(text).is_ok()))
    }),
    Builtin::new("yaml.marshal", 1, |_, a| match super::super::yaml::write(&a[0]) {
        Ok(text) => ok(text),
        Err(message) => failed(message),
    }),
    Builtin::new("yaml.unmarshal", 1, |_, a| {
        match super::super::yaml::read(string(a, 0)?) {
            Ok(value) => ok(value),
            Err(message) => failed(message),
        }
    }),
    Builtin::new("yaml.is_valid", 1, |_, a| {
        ok(a[0].as_str().is_some_and(|text| super::super::yaml::read(text).is_ok()))
    }),
];

fn text(bytes: Vec<u8>) -> Outcome {
    ok(String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned()))
}

fn illegal(error: &base64::DecodeError, text: &str) -> String {
    let at = match error {
        base64::DecodeError::InvalidByte(at, _) | base64::DecodeError::InvalidLastSymbol(at, _) => *at,
        _ => text.len(),
    };
    format!("illegal base64 data at input byte {at}")
}

fn standard(text: &str) -> Result<Vec<u8>, Fault> {
    // Line breaks are no part of the data.
    let clean: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    STRICT
        .decode(&clean)
        .map_err(|error| Fault::Failed(illegal(&error, &clean)))
}

/// Decodes the URL alphabet, with or without padding.
pub(crate) fn url(text: &str) -> Result<Vec<u8>, String> {
    let clean: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    URL.decode(&clean).map_err(|error| illegal(&error, &clean))
}

/// Encodes in the URL alphabet without padding.
pub(crate) fn url_encode(bytes: &[u8]) -> String {
    URL_NO_PAD.encode(bytes)
}

pub(crate) fn standard_encode(bytes: &[u8]) -> String {
    STRICT.encode(bytes)
}

pub(crate) fn standard_decode(text: &str) -> Result<Vec<u8>, String> {
    let clean: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    STRICT.decode(&clean).map_err(|error| illegal(&error, &clean))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn hex_decode(_: &mut Env<'_>, args: &[Value]) -> Outcome {
    let input = string(args, 0)?;
    if let Some(bad) = input.chars().find(|c| !c.is_ascii_hexdigit()) {
        return failed(format!("encoding/hex: invalid byte: U+{:04X} '{bad}'", bad as u32));
    }
    if input.len() % 2 == 1 {
        return failed("encoding/hex: odd length hex string");
    }
    let nibble = |b: u8| char::from(b).to_digit(16).unwrap_or(0) as u8;
    text(
        input
            .as_bytes()
            .chunks(2)
            .map(|pair| nibble(pair[0]) << 4 | nibble(pair[1]))
            .collect(),
    )
}

pub(crate) fn query_escape(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

pub(crate) fn percent_decode(text: &str, plus: bool) -> Result<String, String> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'%' => {
                let code = text
                    .get(at + 1..at + 3)
                    .filter(|c| c.bytes().all(|b| b.is_ascii_hexdigit()));
                let Some(code) = code.and_then(|c| u8::from_str_radix(c, 16).ok()) else {
                    let end = (at + 3).min(bytes.len());
                    return Err(format!(
                        "invalid URL escape {:?}",
                        String::from_utf8_lossy(&bytes[at..end])
                    ));
                };
                out.push(code);
                at += 3;
            }
            b'+' if plus => {
                out.push(b' ');
                at += 1;
            }
            byte => {
                out.push(byte);
                at += 1;
            }
        }
    }
    Ok(String::from_utf8_lossy(&out).into_owned())
}

fn query_unescape(text: &str) -> Result<String, String> {
    percent_decode(text, true)
}

fn encode_object(_: &mut Env<'_>, args: &[Value]) -> Outcome {
    let mut pairs = Vec::new();
    for (key, value) in object(args, 0)?.iter() {
        let key = key
            .as_str()
            .ok_or_else(|| Fault::Type("operand 1 keys must be strings".to_owned()))?;
        let values: Vec<&Value> = match value {
            Value::String(_) => vec![value],
            Value::Array(items) => items.iter().collect(),
            Value::Set(set) => set.iter().collect(),
            _ => return Err(wrong_type(std::slice::from_ref(value), 0, &["string", "set", "array"])),
        };
        for value in values {
            let value = value
                .as_str()
                .ok_or_else(|| wrong_type(std::slice::from_ref(value), 0, &["string"]))?;
            pairs.push(format!("{}={}", query_escape(key), query_escape(value)));
        }
    }
    ok(pairs.join("&"))
}

/// The fields of a query string: each name with all its values.
pub(crate) fn query_fields(text: &str) -> Result<Vec<(String, Vec<Value>)>, String> {
    let mut fields: Vec<(String, Vec<Value>)> = Vec::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        if pair.contains(';') {
            return Err("invalid semicolon separator in query".to_owned());
        }
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (key, value) = (query_unescape(key)?, query_unescape(value)?);
        match fields.iter_mut().find(|(known, _)| *known == key) {
            Some((_, values)) => values.push(value.into()),
            None => fields.push((key, vec![value.into()])),
        }
    }
    Ok(fields)
}

fn decode_object(_: &mut Env<'_>, args: &[Value]) -> Outcome {
    let fields = query_fields(string(args, 0)?).map_err(Fault::Failed)?;
    ok(fields
        .into_iter()
        .map(|(key, values)| (key.into(), values.into()))
        .collect::<Object>())
}

fn marshal_with_options(_: &mut Env<'_>, args: &[Value]) -> Outcome {
    let options = object(args, 1)?;
    let (mut pretty, mut prefix, mut indent) = (None, String::new(), "\t".to_owned());
    let mut implied = false;
    for (key, value) in options.iter() {
        let wrong = |name: &str, want: &str| Fault::Type(format!("operand 2 key {name:?} failed cast to {want}"));
        match key.as_str() {
            Some("pretty") => match value {
                Value::Bool(flag) => pretty = Some(*flag),
                _ => return Err(wrong("pretty", "bool")),
            },
            Some("prefix") => {
                prefix = value.as_str().ok_or_else(|| wrong("prefix", "string"))?.to_owned();
                implied = true;
            }
            Some("indent") => {
                indent = value.as_str().ok_or_else(|| wrong("indent", "string"))?.to_owned();
                implied = true;
            }
            _ => {
                return Err(Fault::Type(format!("operand 2 object contained unknown key {key}")));
            }
        }
    }
    if !pretty.unwrap_or(implied) {
        return ok(args[0].to_json());
    }
    ok(format!("{prefix}{}", args[0].to_json_pretty(&prefix, &indent)))
}
