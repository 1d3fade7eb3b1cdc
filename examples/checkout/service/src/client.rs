//! Calls from one service to another.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::Uri;
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

/// The largest answer that is read; the services answer with less than a kilobyte.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Why a call gave no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// It took longer than the client was willing to wait.
    Timeout,
    /// No connection, or it broke.
    Connection(String),
    /// The other side answered with this status.
    Status(u16),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout => f.write_str("no answer in time"),
            Self::Connection(error) => write!(f, "no connection: {error}"),
            Self::Status(code) => write!(f, "answered with {code}"),
        }
    }
}

/// An HTTP client with a deadline.
///
/// It opens a connection per request: behind a Service, which balances connections, this is what lets a new
/// replica take its share at once.
#[derive(Debug, Clone)]
pub struct Client {
    inner: HyperClient<HttpConnector, Empty<Bytes>>,
    timeout: Duration,
}

impl Client {
    /// A client that gives up after `timeout`.
    pub fn new(timeout: Duration) -> Self {
        let inner = HyperClient::builder(TokioExecutor::new())
            .pool_max_idle_per_host(0)
            .build_http();
        Self { inner, timeout }
    }

    /// The body of a successful answer.
    pub async fn get(&self, uri: Uri) -> Result<Bytes, Failure> {
        tokio::time::timeout(self.timeout, self.exchange(uri))
            .await
            .unwrap_or(Err(Failure::Timeout))
    }

    async fn exchange(&self, uri: Uri) -> Result<Bytes, Failure> {
        let answer = self.inner.get(uri).await.map_err(|error| connection(&error))?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX);
        let bytes = body
            .collect()
            .await
            .map_err(|error| connection(error.as_ref()))?
            .to_bytes();
        match status.is_success() {
            true => Ok(bytes),
            false => Err(Failure::Status(status.as_u16())),
        }
    }
}

/// The innermost cause, which is the one that names the fault (`Connection refused`).
fn connection(error: &(dyn std::error::Error + 'static)) -> Failure {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    Failure::Connection(cause.to_string())
}
