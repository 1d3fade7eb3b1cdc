//! HTTP to metric servers.

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{BoxStream, StreamExt};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::SourceError;
use crate::scrape::causes;
use crate::tls::TlsSettings;

/// The head of an answer, and its body as it arrives.
pub struct Response {
    /// HTTP status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// The body's pieces.
    pub body: BoxStream<'static, Result<Bytes, SourceError>>,
}

/// Sends one request. Tests and simulations answer in process.
pub trait Transport: Send + Sync {
    /// Sends a request and waits for the head of its answer.
    fn send(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response, SourceError>>;
}

/// [`Transport`] over HTTP/1.1 and HTTP/2, with kept connections.
#[derive(Debug, Clone)]
pub struct HttpTransport {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl HttpTransport {
    /// A transport with its own connections.
    ///
    /// # Errors
    /// [`SourceError::Settings`] where the TLS settings cannot be used.
    pub fn new(tls: &TlsSettings) -> Result<Self, SourceError> {
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls.client_config()?)
            .https_or_http()
            .enable_all_versions()
            .build();
        Ok(HttpTransport {
            client: Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .build(connector),
        })
    }
}

impl Transport for HttpTransport {
    fn send(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response, SourceError>> {
        Box::pin(async move {
            let response = self.client.request(request.map(Full::new)).await;
            let (head, body) = response
                .map_err(|error| SourceError::Unreachable(causes(&error)))?
                .into_parts();
            let pieces = body.into_data_stream();
            let pieces = pieces.map(|piece| piece.map_err(|error| SourceError::Unreachable(causes(&error))));
            Ok(Response {
                status: head.status,
                headers: head.headers,
                body: pieces.boxed(),
            })
        })
    }
}
