//! Why there is no answer.

use std::time::Duration;

use thiserror::Error;

use crate::tls::TlsError;

/// Why there is no answer. Each is a fact about the source, never about the metric.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SourceError {
    /// Nobody answers at the address.
    #[error("cannot reach the server: {0}")]
    Unreachable(String),
    /// The deadline passed.
    #[error("no answer before the deadline")]
    Timeout,
    /// 429 or 503: the server asks for patience.
    #[error("the server is overloaded (HTTP {status})")]
    Overloaded {
        /// HTTP status.
        status: u16,
        /// What `Retry-After` asks for.
        retry_after: Option<Duration>,
    },
    /// 401 or 403.
    #[error("the server refuses the credentials (HTTP {0})")]
    Forbidden(u16),
    /// Another HTTP status without a Prometheus error in it.
    #[error("the server answered HTTP {status}: {excerpt}")]
    Status {
        /// HTTP status.
        status: u16,
        /// The start of the body.
        excerpt: String,
    },
    /// The server understood, and the query is wrong or cannot be evaluated.
    #[error("{kind}: {message}")]
    Query {
        /// Prometheus' `errorType`.
        kind: String,
        /// Prometheus' `error`.
        message: String,
    },
    /// The answer is not the API's JSON: an HTML page of a proxy, another program, a cut-off body.
    #[error("the answer is not Prometheus' JSON: {0}")]
    Malformed(String),
    /// The answer is larger than allowed.
    #[error("the answer exceeds the limit of {limit} {unit}")]
    TooLarge {
        /// The limit.
        limit: usize,
        /// Of what.
        unit: &'static str,
    },
    /// One label set twice: an HA pair without deduplication, usually.
    #[error("the answer has the series {0} twice")]
    DuplicateSeries(String),
    /// Too many failures in a row: the server is left alone for a while.
    #[error("the server failed repeatedly and is not asked for {} s", retry_in.as_secs_f64().ceil())]
    CircuitOpen {
        /// Until it is asked again.
        retry_in: Duration,
    },
    /// TLS, URL, header or token file that cannot be used.
    #[error("the source's settings cannot be used: {0}")]
    Settings(String),
}

impl SourceError {
    /// A stable name for records and metrics.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            SourceError::Unreachable(_) => "SourceUnreachable",
            SourceError::Timeout => "SourceTimeout",
            SourceError::Overloaded { .. } => "SourceOverloaded",
            SourceError::Forbidden(_) => "SourceForbidden",
            SourceError::Status { .. } => "SourceStatus",
            SourceError::Query { .. } => "QueryRejected",
            SourceError::Malformed(_) => "SourceMalformed",
            SourceError::TooLarge { .. } => "AnswerTooLarge",
            SourceError::DuplicateSeries(_) => "DuplicateSeries",
            SourceError::CircuitOpen { .. } => "SourceCircuitOpen",
            SourceError::Settings(_) => "SourceSettings",
        }
    }

    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            SourceError::Unreachable(_) => "check the URL, and that the server runs and is reachable from here",
            SourceError::Timeout => "simplify the query with a recording rule, or allow more time",
            SourceError::Overloaded { .. } => "ask less often, or raise the server's query limits",
            SourceError::Forbidden(_) => "check the token, the user and the tenant header",
            SourceError::Status { .. } => "look into the server's log; is there a proxy in between?",
            SourceError::Query { .. } => "correct the query; `flyball query` shows the place",
            SourceError::Malformed(_) => "check that the URL is the base of a Prometheus HTTP API",
            SourceError::TooLarge { .. } => "aggregate in the query, or raise the limit",
            SourceError::DuplicateSeries(_) => {
                "deduplicate replicas in the server, or aggregate the replica label away"
            }
            SourceError::CircuitOpen { .. } => "see the failures before this one",
            SourceError::Settings(_) => "correct the source's settings",
        }
    }

    /// Whether another replica, or the same one later, may answer. A wrong query is wrong everywhere.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            SourceError::Query { kind, .. } => matches!(kind.as_str(), "timeout" | "unavailable" | "internal"),
            SourceError::TooLarge { .. } | SourceError::DuplicateSeries(_) | SourceError::Settings(_) => false,
            _ => true,
        }
    }
}

impl From<TlsError> for SourceError {
    fn from(error: TlsError) -> Self {
        SourceError::Settings(error.to_string())
    }
}
