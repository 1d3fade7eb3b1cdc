//! From a policy's decision to a `CheckResponse`.

use serde_json::{Map, Value};
use thiserror::Error;

/// gRPC's code for an allowed request.
const OK: i32 = 0;
/// gRPC's code for a denied one.
const PERMISSION_DENIED: i32 = 7;
/// The status of a denial that names none.
const FORBIDDEN: i64 = 403;

/// HTTP statuses that Envoy's `StatusCode` knows (`envoy/type/v3/http_status.proto`); others are refused.
const STATUSES: [i64; 56] = [
    100, 200, 201, 202, 203, 204, 205, 206, 207, 208, 226, 300, 301, 302, 303, 304, 305, 307, 308, 400, 401, 402, 403,
    404, 405, 406, 407, 408, 409, 410, 411, 412, 413, 414, 415, 416, 417, 421, 422, 423, 424, 426, 428, 429, 431, 500,
    501, 502, 503, 504, 505, 506, 507, 508, 510, 511,
];

/// Names and values; a name may stand several times.
pub type Pairs = Vec<(String, String)>;

/// What Envoy is told. The caller adds `decision_id` to the metadata.
#[derive(Debug, Clone, PartialEq)]
pub struct Response {
    /// gRPC status code: 0 allows, 7 denies.
    pub code: i32,
    /// The response's HTTP part; `None` after a boolean decision: Envoy then answers 403 by itself.
    pub http: Option<Http>,
    /// Metadata for other filters.
    pub dynamic_metadata: Map<String, Value>,
}

/// The HTTP part of a response.
#[derive(Debug, Clone, PartialEq)]
pub enum Http {
    /// `ok_response`.
    Ok {
        /// Added to the request that goes on.
        headers: Pairs,
        /// Added to the answer that comes back.
        response_headers_to_add: Pairs,
        /// Removed from the request.
        request_headers_to_remove: Vec<String>,
        /// Set in the request's query.
        query_parameters_to_set: Pairs,
        /// Removed from the request's query.
        query_parameters_to_remove: Vec<String>,
    },
    /// `denied_response`.
    Denied {
        /// HTTP status.
        status: i64,
        /// Headers of the answer.
        headers: Pairs,
        /// Body of the answer.
        body: String,
    },
}

/// A decision, or a field of it, that has the wrong type (`envoyauth_result_error`).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct ResultError(String);

/// Whether a denial is only recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The decision stands.
    Enforce,
    /// A denial becomes an empty `ok_response` that keeps its metadata; errors stay errors.
    DryRun,
}

/// The response for a decision: a boolean, or an object with `allowed`.
pub fn respond(decision: &Value, mode: Mode) -> Result<Response, ResultError> {
    let response = match decision {
        Value::Bool(allowed) => Response {
            code: code(*allowed),
            http: None,
            dynamic_metadata: Map::new(),
        },
        Value::Object(fields) => from_object(fields)?,
        other => {
            return Err(wrong(format!(
                "illegal value for policy evaluation result: {}",
                go_type(other)
            )));
        }
    };
    match (mode, response.code) {
        (Mode::DryRun, PERMISSION_DENIED) => Ok(Response {
            code: OK,
            http: Some(empty_ok()),
            ..response
        }),
        _ => Ok(response),
    }
}

fn from_object(fields: &Map<String, Value>) -> Result<Response, ResultError> {
    let allowed = match fields.get("allowed") {
        Some(Value::Bool(allowed)) => *allowed,
        Some(other) => return Err(expected("allowed", "boolean", other)),
        None => {
            return Err(wrong(
                "unable to determine evaluation result due to missing \"allowed\" key",
            ));
        }
    };
    let headers = headers(fields, "headers")?;
    let http = match allowed {
        true => Http::Ok {
            headers,
            response_headers_to_add: self::headers(fields, "response_headers_to_add")?,
            request_headers_to_remove: texts(fields, "request_headers_to_remove")?,
            query_parameters_to_set: parameters(fields)?,
            query_parameters_to_remove: texts(fields, "query_parameters_to_remove")?,
        },
        false => Http::Denied {
            status: status(fields)?,
            headers,
            body: match fields.get("body") {
                None => String::new(),
                Some(Value::String(body)) => body.clone(),
                Some(other) => return Err(expected("body", "string", other)),
            },
        },
    };
    let mut dynamic_metadata = match fields.get("dynamic_metadata") {
        None => Map::new(),
        Some(Value::Object(metadata)) => metadata.clone(),
        Some(other) => return Err(expected("dynamic_metadata", "object", other)),
    };
    // The plugin's own id takes this place, whatever the policy put there.
    dynamic_metadata.remove("decision_id");
    Ok(Response {
        code: code(allowed),
        http: Some(http),
        dynamic_metadata,
    })
}

fn code(allowed: bool) -> i32 {
    if allowed { OK } else { PERMISSION_DENIED }
}

fn empty_ok() -> Http {
    Http::Ok {
        headers: Pairs::new(),
        response_headers_to_add: Pairs::new(),
        request_headers_to_remove: Vec::new(),
        query_parameters_to_set: Pairs::new(),
        query_parameters_to_remove: Vec::new(),
    }
}

/// An object of texts or lists of texts, or a list of such objects.
fn headers(fields: &Map<String, Value>, name: &str) -> Result<Pairs, ResultError> {
    let mut pairs = Pairs::new();
    match fields.get(name) {
        None => {}
        Some(Value::Object(object)) => headers_of(object, &mut pairs)?,
        Some(Value::Array(items)) => {
            for item in items {
                match item {
                    Value::Object(object) => headers_of(object, &mut pairs)?,
                    other => return Err(expected("headers", "object", other)),
                }
            }
        }
        Some(other) => return Err(expected("headers", "object", other)),
    }
    pairs.sort_by(|left, right| left.0.cmp(&right.0));
    Ok(pairs)
}

fn headers_of(object: &Map<String, Value>, pairs: &mut Pairs) -> Result<(), ResultError> {
    for (name, value) in object {
        match value {
            Value::String(text) => pairs.push((name.clone(), text.clone())),
            Value::Array(items) => {
                for item in items {
                    let Value::String(text) = item else {
                        return Err(wrong(format!(
                            "invalid value type {} for header '{name}'",
                            go_type(item)
                        )));
                    };
                    pairs.push((name.clone(), text.clone()));
                }
            }
            _ => return Err(wrong(format!("type assertion error for header '{name}'"))),
        }
    }
    Ok(())
}

fn texts(fields: &Map<String, Value>, name: &str) -> Result<Vec<String>, ResultError> {
    let items = match fields.get(name) {
        None => return Ok(Vec::new()),
        Some(Value::Array(items)) => items,
        Some(other) => return Err(expected(name, "[]string", other)),
    };
    let text = |item: &Value| match item {
        Value::String(text) => Ok(text.clone()),
        other => Err(expected(&format!("{name} value"), "string", other)),
    };
    items.iter().map(text).collect()
}

fn parameters(fields: &Map<String, Value>) -> Result<Pairs, ResultError> {
    const NAME: &str = "query_parameters_to_set";
    let object = match fields.get(NAME) {
        None => return Ok(Pairs::new()),
        Some(Value::Object(object)) => object,
        Some(other) => {
            return Err(wrong(format!(
                "expected {NAME} to be a map but got '{}'",
                go_type(other)
            )));
        }
    };
    let mut pairs = Pairs::new();
    for (name, value) in object {
        let values = match value {
            Value::String(_) => std::slice::from_ref(value),
            Value::Array(values) => values.as_slice(),
            other => {
                return Err(wrong(format!(
                    "expected value to be string or array but got '{}'",
                    go_type(other)
                )));
            }
        };
        for value in values {
            let Value::String(text) = value else {
                return Err(wrong(format!(
                    "expected array element to be string but got '{}'",
                    go_type(value)
                )));
            };
            pairs.push((name.clone(), text.clone()));
        }
    }
    pairs.sort_by(|left, right| left.0.cmp(&right.0));
    Ok(pairs)
}

fn status(fields: &Map<String, Value>) -> Result<i64, ResultError> {
    let number = match fields.get("http_status") {
        None => return Ok(FORBIDDEN),
        Some(Value::Number(number)) => number,
        Some(other) => return Err(expected("http_status", "number", other)),
    };
    let Some(status) = number.as_i64() else {
        return Err(wrong(format!("error converting JSON number to int: {number}")));
    };
    match STATUSES.contains(&status) {
        true => Ok(status),
        false => Err(wrong(format!("invalid HTTP status code {status}"))),
    }
}

fn expected(name: &str, kind: &str, got: &Value) -> ResultError {
    wrong(format!(
        "expected {name} to be of type '{kind}' but got '{}'",
        go_type(got)
    ))
}

fn wrong(message: impl Into<String>) -> ResultError {
    ResultError(message.into())
}

/// The type's name as the plugin's messages have it, which is Go's.
fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(_) => "json.Number",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}
