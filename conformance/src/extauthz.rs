//! The `extauthz` suite: what OPA's Envoy plugin makes of a `CheckRequest`, and what it answers.

use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use policy::envoy::{self, Api, BodyParsing, Call, Checker, Config, Descriptors, Mode};
use serde_json::{Map, Value, json};

use crate::report::FileReport;

/// Runs one file; its `kind` says what its cases are.
pub(crate) fn run(file: &Path) -> FileReport {
    let suite: Value = match fs::read(file).map(|text| serde_json::from_slice(&text)) {
        Ok(Ok(suite)) => suite,
        Ok(Err(error)) => return FileReport::unreadable(file, error.to_string()),
        Err(error) => return FileReport::unreadable(file, error.to_string()),
    };
    let mut report = FileReport::new(file);
    let kind = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    for case in suite["cases"].as_array().into_iter().flatten() {
        let result = match kind.as_str() {
            "input" => input(case, &suite),
            "decision" => decision(case),
            "config" => config(case, file),
            _ => check(case),
        };
        report.count(case["name"].as_str().unwrap_or_default(), result);
    }
    report
}

/// Whether a file is one of this suite.
pub(crate) fn takes(file: &Path) -> bool {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    ["input", "decision", "check", "config"].contains(&stem.as_ref())
}

fn input(case: &Value, suite: &Value) -> Result<(), String> {
    let descriptors = match case["proto_descriptor_set"].as_str() {
        Some(name) => Some(descriptors(&suite["descriptor_sets"][name])?),
        None => None,
    };
    let parsing = match case["skip_request_body_parse"].as_bool() {
        Some(true) => BodyParsing::Skip,
        _ => BodyParsing::Parse(descriptors.as_ref()),
    };
    let api = if case["api"] == "v2" { Api::V2 } else { Api::V3 };
    let expect = &case["expect"];
    match envoy::input(&case["request"], api, parsing) {
        Ok(input) => same(&expect["input"], &input),
        Err(error) => same(&expect["error"]["reason"], &json!("request_parse_error"))
            .map_err(|difference| format!("{difference} ({error})")),
    }
}

fn descriptors(encoded: &Value) -> Result<Descriptors, String> {
    let bytes = STANDARD
        .decode(encoded.as_str().unwrap_or_default())
        .map_err(|error| error.to_string())?;
    Descriptors::read(&bytes).map_err(|error| error.to_string())
}

fn decision(case: &Value) -> Result<(), String> {
    let mode = if case["dry_run"] == true {
        Mode::DryRun
    } else {
        Mode::Enforce
    };
    let expect = &case["expect"];
    match envoy::respond(&case["decision"], mode) {
        Ok(response) => {
            let mut expected = expect["response"].clone();
            if let Some(fields) = expected.as_object_mut() {
                // The id is the caller's to add; the suite says only that one is there.
                fields.remove("decision_id");
            }
            same(&expected, &shown(&response))
        }
        Err(error) => same(&expect["error"]["reason"], &json!("envoyauth_result_error"))
            .map_err(|difference| format!("{difference} ({error})")),
    }
}

/// A response in the form of the suite: what is empty is left out.
fn shown(response: &envoy::Response) -> Value {
    let mut fields = Map::new();
    fields.insert("code".into(), response.code.into());
    let mut add = |name: &str, value: Value| {
        let empty = match &value {
            Value::Array(items) => items.is_empty(),
            Value::String(text) => text.is_empty(),
            Value::Object(entries) => entries.is_empty(),
            _ => false,
        };
        if !empty {
            fields.insert(name.into(), value);
        }
    };
    match &response.http {
        None => add("http", Value::Null),
        Some(envoy::Http::Ok {
            headers,
            response_headers_to_add,
            request_headers_to_remove,
            query_parameters_to_set,
            query_parameters_to_remove,
        }) => {
            add("http", json!("ok"));
            add("headers", json!(headers));
            add("response_headers_to_add", json!(response_headers_to_add));
            add("request_headers_to_remove", json!(request_headers_to_remove));
            add("query_parameters_to_set", json!(query_parameters_to_set));
            add("query_parameters_to_remove", json!(query_parameters_to_remove));
        }
        Some(envoy::Http::Denied { status, headers, body }) => {
            add("http", json!("denied"));
            add("status", json!(status));
            add("headers", json!(headers));
            add("body", json!(body));
        }
    }
    add("dynamic_metadata", Value::Object(response.dynamic_metadata.clone()));
    Value::Object(fields)
}

/// Where the suite says that a descriptor set does not exist, or is another file, or is that of `input.json`.
fn descriptor_file(named: &str, suite: &Path) -> Result<Vec<u8>, String> {
    if named.contains("does not exist") {
        return Err("no such file".to_owned());
    }
    if named.contains("not a descriptor set") {
        return Ok(b"this is no descriptor set".to_vec());
    }
    let input = fs::read(suite.with_file_name("input.json")).map_err(|error| error.to_string())?;
    let input: Value = serde_json::from_slice(&input).map_err(|error| error.to_string())?;
    let encoded = input
        .pointer("/descriptor_sets/descriptors")
        .and_then(Value::as_str)
        .unwrap_or_default();
    STANDARD.decode(encoded).map_err(|error| error.to_string())
}

fn config(case: &Value, file: &Path) -> Result<(), String> {
    let expect = case["expect"].as_object().cloned().unwrap_or_default();
    let refused = expect.contains_key("error");
    let read = Config::read(&case["config"])
        .map_err(|error| error.to_string())
        .and_then(|config| {
            let loaded = match config.proto_descriptor.as_str() {
                "" => false,
                named => Descriptors::read(&descriptor_file(named, file)?)
                    .map(|_| true)
                    .map_err(|e| e.to_string())?,
            };
            let evaluates = printed_query(&config.evaluated())?;
            Ok((config, loaded, evaluates))
        });
    let (config, loaded, evaluates) = match (read, refused) {
        (Err(_), true) => return Ok(()),
        (Err(error), false) => return Err(format!("refused: {error}")),
        (Ok(_), true) => return Err("accepted, although it is wrong".to_owned()),
        (Ok(read), false) => read,
    };
    let mut shown = serde_json::to_value(&config).map_err(|error| error.to_string())?;
    shown["evaluates"] = evaluates.into();
    shown["descriptor_set_loaded"] = loaded.into();
    for (name, value) in &expect {
        same(value, &shown[name]).map_err(|difference| format!("{name}: {difference}"))?;
    }
    Ok(())
}

/// The query as the engine reads it: an assignment is a call.
fn printed_query(text: &str) -> Result<String, String> {
    let statements = rego::syntax::parse_body(text, rego::Version::V1).map_err(|errors| errors.to_string())?;
    let printed = statements.iter().map(|statement| match &statement.kind {
        rego::syntax::ast::LiteralKind::Expr(term) => term.to_string(),
        _ => text.to_owned(),
    });
    Ok(printed.collect::<Vec<_>>().join("; "))
}

fn check(case: &Value) -> Result<(), String> {
    let config = Config::read(&case["config"]).map_err(|error| error.to_string())?;
    let policy = rego::Compiler::new()
        .module("policy.rego", case["policy"].as_str().unwrap_or_default())
        .and_then(rego::Compiler::compile)
        .map_err(|error| error.to_string())?;
    let checker = Checker {
        config: &config,
        policy: &policy,
        descriptors: None,
        host: &rego::NoHost { now_ns: 0 },
        limits: rego::Limits::default(),
    };
    let api = if case["api"] == "v2" { Api::V2 } else { Api::V3 };
    let precondition = case["precondition"].as_str().unwrap_or_default();
    let call = match precondition {
        "" => Call::Waits,
        text if text.contains("deadline") => Call::TimedOut,
        text if text.contains("cancelled") => Call::Cancelled,
        _ => Call::Waits,
    };
    let mut checked = checker.check(&case["request"], api, call);
    if precondition.contains("log plugin") {
        checked.log_failed("Bad Logger Error");
    }
    let expect = &case["expect"];
    match &checked.answer {
        Err(error) => {
            same(&expect["error"]["reason"], &json!(error.reason)).map_err(|why| format!("{why} ({error})"))?
        }
        Ok(answer) => {
            let mut got = shown(&answer.response);
            got["decision_id"] = answer.has_decision_id.into();
            if !answer.message.is_empty() {
                got["message"] = answer.message.clone().into();
            }
            if let Some(reason) = answer.reason {
                got["reason"] = reason.into();
            }
            let mut expected = expect["response"].clone();
            if answer.reason == Some("request_parse_error") {
                // The engine's own words for what is wrong with the body; the suite compares the reason.
                for fields in [&mut got, &mut expected]
                    .map(Value::as_object_mut)
                    .into_iter()
                    .flatten()
                {
                    fields.remove("message");
                    fields.remove("body");
                }
            }
            same(&expected, &got)?;
        }
    }
    logged(&expect["log"], &checked.log)
}

/// The decision log's event; errors are compared by their presence, because their words are the engine's.
fn logged(expected: &Value, actual: &Value) -> Result<(), String> {
    for field in ["path", "query", "result", "input"] {
        if let Some(expected) = expected.get(field) {
            same(expected, &actual[field]).map_err(|why| format!("log: {field}: {why}"))?;
        }
    }
    match expected.get("error").is_some() == actual.get("error").is_some() || expected.is_null() {
        true => Ok(()),
        false => Err(format!(
            "log: error: expected {}, got {}",
            expected["error"], actual["error"]
        )),
    }
}

fn same(expected: &Value, actual: &Value) -> Result<(), String> {
    match equal(expected, actual) {
        true => Ok(()),
        false => Err(format!("expected {expected}\ngot      {actual}")),
    }
}

/// Equality with numbers compared by value: 1 and 1.0 are the same.
fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left == right || left.as_f64() == right.as_f64(),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| equal(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            let same = |(name, value)| right.get(name).is_some_and(|other| equal(value, other));
            left.len() == right.len() && left.iter().all(same)
        }
        _ => left == right,
    }
}
