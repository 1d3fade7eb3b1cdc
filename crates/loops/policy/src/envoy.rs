//! Envoy's external authorization, as OPA's Envoy plugin does it.
//!
//! The mapping from a `CheckRequest` to the policy's input and from its decision to a `CheckResponse` is a contract
//! that existing policies rely on. Its facts are those of opa-envoy-plugin 1.19 (`envoyauth/`, Apache-2.0), surprises
//! included: content types are matched anywhere in the header and with their case; a path is decoded before it is
//! split; a boolean decision sets neither an OK nor a denied response.

mod attributes;
mod body;
mod check;
mod config;
mod respond;
mod tables;
mod target;

use serde_json::{Map, Value, json};
use thiserror::Error;

pub use body::Descriptors;
pub use check::{Answer, Call, CheckError, Checked, Checker};
pub use config::{Config, ConfigError};
pub use respond::{Http, Mode, Pairs, Response, ResultError, respond};

/// The version of the external authorization API that a request came by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Api {
    /// `envoy.service.auth.v2`: the input has the names of the plugin's Go structs.
    V2,
    /// `envoy.service.auth.v3`: the input has the names of protobuf's JSON form.
    V3,
}

/// How the body is treated.
#[derive(Debug, Clone, Copy)]
pub enum BodyParsing<'a> {
    /// Neither `parsed_body` nor `truncated_body` stands in the input.
    Skip,
    /// Bodies are parsed by their content type; gRPC ones where descriptors describe their method.
    Parse(Option<&'a Descriptors>),
}

/// A request that cannot become an input; it is answered with a denial and status 400 (`request_parse_error`).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct ParseError(pub String);

impl ParseError {
    fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

/// The policy's input for a `CheckRequest` in protobuf's JSON form.
pub fn input(request: &Value, api: Api, parsing: BodyParsing<'_>) -> Result<Value, ParseError> {
    let mut input = Map::new();
    if let Some(attributes) = request.get("attributes") {
        input.insert("attributes".into(), attributes::input(attributes, api)?);
    }
    let http = request.pointer("/attributes/request/http").unwrap_or(&Value::Null);
    let target = target::parse(http.get("path").and_then(Value::as_str).unwrap_or_default())?;
    if let BodyParsing::Parse(descriptors) = parsing {
        let parsed = body::parse(http, &target.path, descriptors)?;
        input.insert("parsed_body".into(), parsed.body);
        input.insert("truncated_body".into(), parsed.truncated.into());
    }
    input.insert("parsed_path".into(), target.path.into());
    input.insert("parsed_query".into(), target::lists(target.query));
    let principal = request.pointer("/attributes/source/principal").and_then(Value::as_str);
    if let Some(principal) = principal.filter(|principal| !principal.is_empty()) {
        input.insert("source_principal".into(), principal.into());
    }
    let version = match api {
        Api::V2 => json!({"ext_authz": "v2", "encoding": "encoding/json"}),
        Api::V3 => json!({"ext_authz": "v3", "encoding": "protojson"}),
    };
    input.insert("version".into(), version);
    Ok(Value::Object(input))
}
