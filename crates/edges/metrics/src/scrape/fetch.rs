//! Getting a body over HTTP, within its limits.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use promql::exposition::{ACCEPT, Format};
use thiserror::Error;

use super::Target;
use crate::tls::{TlsError, TlsSettings};

/// What a target answered.
#[derive(Debug, Clone)]
pub struct Body {
    /// The format that its `Content-Type` names.
    pub format: Format,
    /// The bytes.
    pub bytes: Bytes,
}

/// Why there is no body.
#[derive(Debug, Clone, Error)]
pub enum FetchError {
    /// The URL is none.
    #[error("the target's URL or headers are malformed: {0}")]
    Url(String),
    /// TLS settings that cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// No answer: refused, reset, not HTTP.
    #[error("no answer: {0}")]
    Connect(String),
    /// No whole answer in time.
    #[error("no answer within {0:?}")]
    Timeout(std::time::Duration),
    /// An answer, but not 200.
    #[error("server returned HTTP status {0}")]
    Status(StatusCode),
    /// A body beyond the limit.
    #[error("the body is longer than {0} bytes")]
    TooLong(usize),
}

/// Gets a target's body.
pub trait Fetch: Send + Sync {
    /// The body, within the time and size that the target's settings allow.
    fn fetch<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Result<Body, FetchError>>;
}

type HttpClient = Client<HttpsConnector<HttpConnector>, Empty<Bytes>>;

/// [`Fetch`] over HTTP and HTTPS, with connections kept between scrapes.
#[derive(Debug, Default)]
pub struct HttpFetch {
    /// One client for each way to do TLS: that is one a job, not one a target.
    clients: Mutex<HashMap<TlsSettings, HttpClient>>,
}

/// Ways to do TLS kept at once; beyond it, clients are built anew.
const CLIENTS_MAX: usize = 256;

impl HttpFetch {
    fn client(&self, tls: &TlsSettings) -> Result<HttpClient, TlsError> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(tls) {
            return Ok(client.clone());
        }
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls.client_config()?)
            .https_or_http()
            .enable_http1()
            .build();
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .build(connector);
        if clients.len() >= CLIENTS_MAX {
            clients.clear();
        }
        clients.insert(tls.clone(), client.clone());
        Ok(client)
    }

    async fn get(&self, target: &Target) -> Result<Body, FetchError> {
        let settings = &target.settings;
        let mut request = Request::get(&target.url)
            .header(header::ACCEPT, ACCEPT)
            .header(header::USER_AGENT, concat!("flyball/", env!("CARGO_PKG_VERSION")))
            .header(
                "X-Prometheus-Scrape-Timeout-Seconds",
                settings.timeout.as_secs_f64().to_string(),
            );
        if let Some(authorization) = &settings.authorization {
            request = request.header(header::AUTHORIZATION, authorization.header());
        }
        let request = request
            .body(Empty::new())
            .map_err(|error| FetchError::Url(error.to_string()))?;
        let response = self
            .client(&settings.tls)?
            .request(request)
            .await
            .map_err(|error| FetchError::Connect(causes(&error)))?;
        if response.status() != StatusCode::OK {
            return Err(FetchError::Status(response.status()));
        }
        let content_type = response
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        let format = Format::from_content_type(content_type);
        match Limited::new(response.into_body(), settings.body_bytes_max)
            .collect()
            .await
        {
            Ok(collected) => Ok(Body {
                format,
                bytes: collected.to_bytes(),
            }),
            Err(error) if error.is::<http_body_util::LengthLimitError>() => {
                Err(FetchError::TooLong(settings.body_bytes_max))
            }
            Err(error) => Err(FetchError::Connect(causes(error.as_ref()))),
        }
    }
}

impl Fetch for HttpFetch {
    fn fetch<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Result<Body, FetchError>> {
        Box::pin(async move {
            let timeout = target.settings.timeout;
            tokio::time::timeout(timeout, self.get(target))
                .await
                .unwrap_or(Err(FetchError::Timeout(timeout)))
        })
    }
}

/// An error with its causes: hyper says only "client error (Connect)" by itself.
pub(crate) fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}
