//! `providers.aws.sign_req`: AWS Signature Version 4.

use super::encoding::hex;
use super::{Builtin, Env, Fault, Outcome, object, ok};
use crate::crypto::keys::{Hash, digest, hmac};
use crate::layout::{Clock, format};
use crate::value::{Object, Set, Value};

pub(super) const TABLE: &[Builtin] = &[Builtin::new("providers.aws.sign_req", 3, sign)];

/// Headers that proxies rewrite, and which are therefore not signed.
const IGNORED: [&str; 4] = ["authorization", "user-agent", "x-amzn-trace-id", "transfer-encoding"];

fn check(object: &Object, keys: &[&str], at: usize, what: &str) -> Result<(), Fault> {
    let missing: Set = keys
        .iter()
        .filter(|key| object.get_str(key).is_none())
        .map(|key| Value::from(*key))
        .collect();
    if !missing.is_empty() {
        return Err(Fault::Type(format!(
            "operand {at} missing required {what} parameters(s): {missing}"
        )));
    }
    let invalid: Set = keys
        .iter()
        .filter(|key| object.get_str(key).is_some_and(|value| value.as_str().is_none()))
        .map(|key| Value::from(*key))
        .collect();
    if !invalid.is_empty() {
        return Err(Fault::Type(format!(
            "operand {at} invalid values for required {what} parameters(s): {invalid}"
        )));
    }
    Ok(())
}

fn sign(_: &mut Env<'_>, args: &[Value]) -> Outcome {
    let request = object(args, 0)?;
    check(request, &["method", "url"], 1, "request")?;
    let config = object(args, 1)?;
    check(
        config,
        &["aws_access_key", "aws_region", "aws_secret_access_key", "aws_service"],
        2,
        "AWS config",
    )?;
    let ns = super::number(args, 2)?
        .as_i64()
        .ok_or_else(|| Fault::Failed("time: timestamp too big".to_owned()))?;
    let setting = |name: &str| config.get_str(name).and_then(Value::as_str).unwrap_or_default();
    let unsigned = match config.get_str("disable_payload_signing") {
        None => false,
        Some(Value::Bool(flag)) => *flag,
        Some(_) => {
            return Err(Fault::Type(
                "operand 2 invalid value for 'disable_payload_signing' in AWS config".to_owned(),
            ));
        }
    };
    let method = request.get_str("method").and_then(Value::as_str).unwrap_or_default();
    let url = request.get_str("url").and_then(Value::as_str).unwrap_or_default();
    let parts = crate::uri::parse(url).map_err(Fault::Failed)?;
    let part = |name: &str| {
        parts
            .as_object()
            .and_then(|parts| parts.get_str(name)?.as_str())
            .unwrap_or_default()
    };

    let body = match (request.get_str("raw_body"), request.get_str("body")) {
        (Some(Value::String(text)), _) => text.to_string(),
        (_, Some(body)) => body.to_json(),
        _ => String::new(),
    };
    let payload = if unsigned {
        "UNSIGNED-PAYLOAD".to_owned()
    } else {
        hex(&digest(Hash::Sha256, body.as_bytes()))
    };
    let clock = Clock::at(ns, 0, "UTC");
    let (day, moment) = (format(&clock, "20060102"), format(&clock, "20060102T150405Z"));
    let service = setting("aws_service");

    let mut own: Vec<(String, Value)> = vec![
        ("host".to_owned(), part("host").into()),
        ("x-amz-date".to_owned(), moment.as_str().into()),
    ];
    if matches!(service, "s3" | "glacier") {
        own.push(("x-amz-content-sha256".to_owned(), payload.as_str().into()));
    }
    if !setting("aws_session_token").is_empty() {
        own.push(("x-amz-security-token".to_owned(), setting("aws_session_token").into()));
    }
    let mut headers: Object = match request.get_str("headers") {
        Some(Value::Object(headers)) => (**headers).clone(),
        _ => Object::default(),
    };
    let mut signed = std::collections::BTreeMap::new();
    for (name, value) in headers.iter() {
        let name = name.as_str().unwrap_or_default().to_lowercase();
        let value = match value {
            Value::Array(items) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","),
            other => other.as_str().unwrap_or_default().to_owned(),
        };
        if !IGNORED.contains(&&*name) {
            signed.insert(name, value);
        }
    }
    // A hash that the request brought is signed as it is, and then replaced.
    for (name, value) in &own {
        signed
            .entry(name.clone())
            .or_insert_with(|| value.as_str().unwrap_or_default().to_owned());
    }
    let list = signed.keys().cloned().collect::<Vec<_>>().join(";");
    let lines: String = signed.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let canonical = format!(
        "{method}\n{}\n{}\n{lines}\n{list}\n{payload}",
        part("raw_path"),
        part("raw_query")
    );
    let scope = format!("{day}/{}/{service}/aws4_request", setting("aws_region"));
    let hashed = hex(&digest(Hash::Sha256, canonical.as_bytes()));
    let to_sign = format!("AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashed}");
    let mut key = format!("AWS4{}", setting("aws_secret_access_key")).into_bytes();
    for step in [&*day, setting("aws_region"), service, "aws4_request"] {
        key = hmac(Hash::Sha256, &key, step.as_bytes());
    }
    let signature = hex(&hmac(Hash::Sha256, &key, to_sign.as_bytes()));
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={}/{scope},SignedHeaders={list},Signature={signature}",
        setting("aws_access_key")
    );
    headers.insert("Authorization".into(), authorization.into());
    for (name, value) in own {
        headers.insert(name.into(), value);
    }
    let mut out = (**request).clone();
    out.insert("headers".into(), headers.into());
    ok(out)
}
