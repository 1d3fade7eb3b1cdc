//! The plugin's configuration.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

/// Where decisions are asked for when the configuration names neither a path nor a query.
const PATH_DEFAULT: &str = "envoy/authz/allow";
/// gRPC's own limit for received messages.
const RECEIVED_BYTES_MAX: i64 = 4 * 1024 * 1024;
/// Upper bounds in seconds of the plugin's request duration histogram.
const BUCKETS_SECONDS: [f64; 11] = [1e-6, 5e-6, 1e-5, 5e-5, 1e-4, 5e-4, 0.001, 0.003, 0.005, 0.1, 1.0];

/// The configuration with its defaults filled in. Keys that it does not know are ignored, as the plugin does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Config {
    /// Where to listen: `:9191`, or `unix://` and a path.
    pub addr: String,
    /// The decision as a path below `data`, with slashes. Excludes `query`.
    pub path: String,
    /// The decision as a query. Excludes `path`.
    pub query: String,
    /// Whether denials are only recorded.
    pub dry_run: bool,
    /// Whether gRPC reflection is served.
    pub enable_reflection: bool,
    /// A file with descriptions of gRPC services; empty for none.
    pub proto_descriptor: String,
    /// Whether bodies are left unparsed.
    pub skip_request_body_parse: bool,
    /// Whether the duration of requests is measured.
    pub enable_performance_metrics: bool,
    /// The largest message that is received, in bytes.
    pub grpc_max_recv_msg_size: i64,
    /// The largest message that is sent, in bytes.
    pub grpc_max_send_msg_size: i64,
    /// Upper bounds in seconds of the duration histogram.
    pub grpc_request_duration_seconds_buckets: Vec<f64>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            addr: ":9191".to_owned(),
            path: String::new(),
            query: String::new(),
            dry_run: false,
            enable_reflection: false,
            proto_descriptor: String::new(),
            skip_request_body_parse: false,
            enable_performance_metrics: false,
            grpc_max_recv_msg_size: RECEIVED_BYTES_MAX,
            grpc_max_send_msg_size: i64::from(i32::MAX),
            grpc_request_duration_seconds_buckets: BUCKETS_SECONDS.to_vec(),
        }
    }
}

/// Why a configuration is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// A value has the wrong type.
    #[error("the configuration cannot be read: {0}")]
    Malformed(String),
    /// Both ways to name the decision were used.
    #[error("name the decision by `path` or by `query`, not by both")]
    PathAndQuery,
}

impl Config {
    /// Reads a configuration; null means none.
    pub fn read(config: &Value) -> Result<Self, ConfigError> {
        let mut read: Self = match config {
            Value::Null => Self::default(),
            config => Self::deserialize(config).map_err(|error| ConfigError::Malformed(error.to_string()))?,
        };
        match (read.path.is_empty(), read.query.is_empty()) {
            (false, false) => Err(ConfigError::PathAndQuery),
            (true, true) => {
                PATH_DEFAULT.clone_into(&mut read.path);
                Ok(read)
            }
            _ => Ok(read),
        }
    }

    /// The query that is evaluated for each request: `query` as it is, or the reference that `path` means.
    pub fn evaluated(&self) -> String {
        match self.query.is_empty() {
            false => self.query.clone(),
            true => reference(&self.path),
        }
    }
}

/// `a/b-c/0` as `data.a["b-c"][0]`.
fn reference(path: &str) -> String {
    let mut reference = "data".to_owned();
    for part in path.split('/').filter(|part| !part.is_empty()) {
        let plain = part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if part.parse::<i64>().is_ok() {
            reference.push_str(&format!("[{part}]"));
        } else if plain && !part.starts_with(|first: char| first.is_ascii_digit()) {
            reference.push_str(&format!(".{part}"));
        } else {
            reference.push_str(&format!("[{}]", Value::from(part)));
        }
    }
    reference
}
