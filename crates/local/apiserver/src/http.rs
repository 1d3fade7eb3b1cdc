//! HTTP: from a request to a verb, from what it did to an answer.
//!
//! ```text
//!   request ──guard (who, from where)──> route by path ──┬─ probes, version, metrics
//!                                                        ├─ discovery, OpenAPI
//!                                                        └─ resources: verb = method + path + query
//!                                                              Registry ──> render ──> answer
//! ```
//!
//! One `Service` serves two worlds: in process (`kube::Client::new(service, "default")`), where callers are the
//! administrator, and over loopback TLS, where they must prove who they are.

mod answer;
mod body;
mod call;
mod guard;
mod identity;
mod meter;
mod negotiate;
mod pod;
mod query;
mod render;
mod resource;
mod review;
mod root;
mod session;
mod spdy;
mod tunnel;
mod watch;

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use http::request::Parts;
use http::{Request, Response};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub use self::answer::Body;
pub use self::body::REQUEST_BODY_BYTES_MAX;
pub(crate) use self::meter::Meter;

use self::call::Call;
use crate::aggregation::Aggregated;
use crate::pod_access::PodAccess;
use crate::registry::Registry;
use crate::tokens::Signer;
use apimachinery::status::Status;

/// Requests answered at once, without watches and other long-running ones. Source: a little under upstream's
/// 400 reads and 200 writes; on two cores more would only wait for each other.
pub(crate) const IN_FLIGHT_MAX: usize = 256;

/// How long a request from a socket may take. Source: `--request-timeout` of apiserver.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(60);

/// What an answer needs; shared by all requests.
pub(crate) struct Shared {
    pub(crate) registry: Arc<Registry>,
    pub(crate) admin_token: String,
    pub(crate) pod_access: Option<Arc<dyn PodAccess>>,
    pub(crate) aggregated: Aggregated,
    pub(crate) meter: Meter,
    pub(crate) in_flight: Arc<Semaphore>,
    pub(crate) signer: Signer,
}

impl Shared {
    /// What discovery shows.
    pub(crate) fn discovered(&self) -> apimachinery::resources::Registry {
        self.aggregated.discovered(self.registry.kinds().registry())
    }
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
        let started = Instant::now();
        let (parts, body) = request.into_parts();
        let call = Call::new(&parts);
        let answered = match self.trust {
            Trust::InProcess => self.answer(&parts, &call, body).await,
            Trust::Loopback => {
                let timed = tokio::time::timeout(REQUEST_TIME_MAX, self.answer(&parts, &call, body));
                timed
                    .await
                    .unwrap_or_else(|_| Err(Status::timeout("the request took longer than 60 s", 1)))
            }
        };
        let response = answered.unwrap_or_else(|status| answer::failure(&status));
        if !call.is_long_running() {
            let took = started.elapsed();
            self.shared.meter.observe(
                call.verb(),
                &self.known_resource(&call),
                response.status().as_u16(),
                took,
            );
        }
        response
    }

    async fn answer<B>(&self, parts: &Parts, call: &Call, body: B) -> Result<Response<Body>, Status>
    where
        B: http_body::Body,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        if self.trust == Trust::Loopback {
            guard::check(&parts.headers, parts.uri.authority())?;
        }
        let user = identity::authenticate(&self.shared, self.trust, &parts.headers)?;
        let _permit = self.admit(call)?;
        if root::is_open(&call.path)
            && let Some(response) = root::answer(&self.shared, parts, &call.path)?
        {
            return Ok(response);
        }
        let user = user.ok_or_else(Status::unauthorized)?;
        self.shared.registry.authorize(&user, &call.attributes())?;
        if let Some(response) = root::answer(&self.shared, parts, &call.path)? {
            return Ok(response);
        }
        let aggregated = call
            .resource
            .as_ref()
            .and_then(|path| self.shared.aggregated.find(&path.group_version));
        match aggregated {
            Some(api) => {
                let mut request = Request::builder().method(parts.method.clone()).uri(parts.uri.clone());
                if let Some(headers) = request.headers_mut() {
                    *headers = parts.headers.clone();
                    headers.remove(http::header::AUTHORIZATION);
                }
                let request = request.extension(user).body(body::read(body).await?);
                let request = request.map_err(|error| Status::internal_error(&error.to_string()))?;
                Ok(api.call(request).await)
            }
            None => {
                let response = resource::answer(&self.shared, &user, parts, call, body).await?;
                if parts.method != http::Method::GET {
                    // A write is acknowledged once it is there to stay.
                    let settled = self.shared.registry.store().settled().await;
                    settled.map_err(|why| Status::internal_error(&format!("the data directory: {why}")))?;
                }
                Ok(response)
            }
        }
    }

    /// A place among the requests in flight, for as long as the answer is being made.
    fn admit(&self, call: &Call) -> Result<Option<OwnedSemaphorePermit>, Status> {
        if call.is_long_running() {
            return Ok(None);
        }
        match self.shared.in_flight.clone().try_acquire_owned() {
            Ok(permit) => Ok(Some(permit)),
            Err(_) => {
                self.shared.meter.refused_busy.fetch_add(1, Ordering::Relaxed);
                Err(Status::too_many_requests(
                    "Too many requests, please try again later.",
                    1,
                ))
            }
        }
    }

    /// The resource's name for metrics: only of what is served, so that no client can make up labels.
    fn known_resource(&self, call: &Call) -> String {
        let Some(path) = &call.resource else {
            return String::new();
        };
        match self.shared.registry.kinds().find(&path.group_version_resource()) {
            Some(served) => served.table.as_str().to_owned(),
            None => String::new(),
        }
    }
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
