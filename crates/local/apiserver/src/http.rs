//! HTTP: from a request to a verb, from what it did to an answer.
//!
//! ```text
//!   request ──guard (who, from where)──> route by path ──┬─ probes, version, metrics
//!                                                        ├─ discovery, OpenAPI
//!                                                        └─ resources: verb = method + path + query
//!                                                              Registry ──> render ──> answer
//! ```
//!
//! One [`Service`] serves two worlds: in process (`kube::Client::new(service, "default")`), where callers are the
//! administrator, and over loopback TLS, where they must prove who they are.

mod answer;
mod body;
mod negotiate;
mod query;
mod render;
mod resource;
mod root;
mod watch;

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::{Request, Response};

pub use self::answer::Body;
pub use self::body::REQUEST_BODY_BYTES_MAX;
pub(crate) use self::render::partial;

use crate::registry::Registry;
use crate::user::User;
use apimachinery::status::Status;

/// What an answer needs; shared by all requests.
pub(crate) struct Shared {
    pub(crate) registry: Arc<Registry>,
    pub(crate) admin_token: String,
}

/// How callers of a service are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// In process: a caller without credentials is the administrator.
    InProcess,
    /// From a socket: a caller without credentials is nobody.
    Loopback,
}

/// The API as a tower service, for requests with any body.
#[derive(Clone)]
pub struct ApiService {
    shared: Arc<Shared>,
    trust: Trust,
}

impl ApiService {
    pub(crate) fn new(shared: Arc<Shared>, trust: Trust) -> Self {
        ApiService { shared, trust }
    }

    async fn handle<B>(self, request: Request<B>) -> Response<Body>
    where
        B: http_body::Body,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        match self.answer(request).await {
            Ok(response) => response,
            Err(status) => answer::failure(&status),
        }
    }

    async fn answer<B>(&self, request: Request<B>) -> Result<Response<Body>, Status>
    where
        B: http_body::Body,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let user = self.authenticate(request.headers())?;
        let (parts, body) = request.into_parts();
        let path = query::decode(parts.uri.path(), query::Plus::Itself);
        if let Some(response) = root::answer(&self.shared, &parts, &path)? {
            return Ok(response);
        }
        if user.is_none() {
            return Err(Status::unauthorized());
        }
        resource::answer(&self.shared, &parts, &path, body).await
    }

    /// Who asks; `None` for nobody. Wrong credentials are refused whatever they are for.
    fn authenticate(&self, headers: &http::HeaderMap) -> Result<Option<User>, Status> {
        let Some(header) = headers.get(http::header::AUTHORIZATION) else {
            return Ok((self.trust == Trust::InProcess).then(User::admin));
        };
        let token = header.to_str().ok().and_then(|text| text.strip_prefix("Bearer "));
        match token {
            Some(token) if same_secret(token.trim(), &self.shared.admin_token) => Ok(Some(User::admin())),
            _ => Err(Status::unauthorized()),
        }
    }
}

/// Compares secrets in a time that does not tell how much of them is right.
fn same_secret(left: &str, right: &str) -> bool {
    left.len() == right.len()
        && left
            .bytes()
            .zip(right.bytes())
            .fold(0, |different, (l, r)| different | (l ^ r))
            == 0
}

impl<B> tower::Service<Request<B>> for ApiService
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move { Ok(service.handle(request).await) })
    }
}
