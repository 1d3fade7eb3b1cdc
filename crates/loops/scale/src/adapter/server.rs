//! The metrics APIs as a server of their own, behind the aggregation layer of a cluster.
//!
//! ```text
//!   kube-apiserver ──TLS, proxy certificate──> Authenticator ─ who? ─> Authorizer ─ may they? ─> MetricsService
//!                    X-Remote-User …             front proxy            SubjectAccessReview,
//!                                                bearer: TokenReview    remembered for 10 s
//!                                                client certificate
//! ```
//!
//! Headers that name a user are believed only on a connection whose certificate the front proxy's authority signed, and
//! whose common name is allowed. Everything else is a stranger's claim.
//!
//! Source of rules: the API server library's delegated authentication and authorisation.

mod authenticate;
mod authorize;
mod identity;
mod own_metrics;
mod request;
mod subject;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use apimachinery::status::Status;
use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

use super::serve::{GROUPS, group_document};
use super::{Adapter, MetricsService};

pub use authenticate::{Authenticator, FrontProxy, Peer, User};
pub use authorize::{Access, Authorizer, ClusterReviews, Reviews};
pub use identity::{Identity, IdentityError, Pem};

/// Connections at once: the aggregator keeps a handful, and each autoscaler's client one.
const CONNECTIONS_MAX: usize = 1024;

/// Requests that are answered at once, over all connections; beyond it callers are told to come back.
const REQUESTS_MAX: usize = 512;

/// How long a client may take for its handshake, and for the head of a request.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);

/// How long one answer may take; the aggregator gives up after 30 s or 60 s.
const ANSWER_MAX: Duration = Duration::from_secs(25);

/// How long to wait when no connection can be accepted, for example for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Everything that a connection needs.
#[derive(Clone)]
pub struct AdapterServer {
    adapter: Arc<Adapter>,
    service: MetricsService,
    authenticator: Arc<Authenticator>,
    authorizer: Arc<Authorizer>,
    requests: Arc<Semaphore>,
}

impl AdapterServer {
    /// A server of an adapter's metrics.
    pub fn new(
        adapter: Arc<Adapter>,
        service: MetricsService,
        authenticator: Authenticator,
        authorizer: Authorizer,
    ) -> Self {
        Self {
            adapter,
            service,
            authenticator: Arc::new(authenticator),
            authorizer: Arc::new(authorizer),
            requests: Arc::new(Semaphore::new(REQUESTS_MAX)),
        }
    }

    /// Serves until dropped.
    pub async fn serve(&self, listener: TcpListener, identity: &Identity) {
        let acceptor = TlsAcceptor::from(identity.server_config(&self.authenticator));
        let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let mut tasks = tokio::task::JoinSet::new();
        loop {
            while tasks.try_join_next().is_some() {}
            let Ok(permit) = connections.clone().acquire_owned().await else {
                return;
            };
            match listener.accept().await {
                Ok((stream, _)) => {
                    let (server, acceptor) = (self.clone(), acceptor.clone());
                    tasks.spawn(async move {
                        server.connection(stream, acceptor).await;
                        drop(permit);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    async fn connection(&self, stream: TcpStream, acceptor: TlsAcceptor) {
        let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE_MAX, acceptor.accept(stream)).await else {
            return;
        };
        let certificates = stream
            .get_ref()
            .1
            .peer_certificates()
            .map(<[_]>::to_vec)
            .unwrap_or_default();
        let peer = Arc::new(self.authenticator.peer(&certificates));
        let server = self.clone();
        let service = tower::service_fn(move |request: Request<hyper::body::Incoming>| {
            let (server, peer) = (server.clone(), peer.clone());
            async move { Ok::<_, Infallible>(server.answer(request, &peer).await.map(Full::new)) }
        });
        let mut http = auto::Builder::new(TokioExecutor::new());
        http.http1().timer(TokioTimer::new()).header_read_timeout(HANDSHAKE_MAX);
        http.http2().timer(TokioTimer::new()).max_concurrent_streams(100);
        // A client that hangs up is no event.
        let _ = http
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
            .await;
    }

    /// Answers one request of a peer.
    pub async fn answer<B>(&self, request: Request<B>, peer: &Peer) -> Response<Bytes> {
        let Ok(_permit) = self.requests.try_acquire() else {
            return status(&Status::too_many_requests(
                "too many requests, please try again later",
                1,
            ));
        };
        let answered = tokio::time::timeout(ANSWER_MAX, self.answer_in_time(request, peer)).await;
        answered.unwrap_or_else(|_| status(&Status::timeout("the metrics could not be fetched in time", 1)))
    }

    async fn answer_in_time<B>(&self, request: Request<B>, peer: &Peer) -> Response<Bytes> {
        let path = request.uri().path();
        if self.authorizer.is_open(path) {
            return self.health(path);
        }
        let user = match self.authenticator.user(peer, request.headers()).await {
            Ok(user) => user,
            Err(refused) => return status(&refused),
        };
        let access = request::access(request.method(), path);
        if let Err(refused) = self.authorizer.authorize(&user, &access).await {
            return status(&refused);
        }
        match path.trim_end_matches('/') {
            "/apis" => document(&groups()),
            "/metrics" => own_metrics::response(&self.adapter),
            "/status" => document(&self.status()),
            _ => self.service.handle(request).await,
        }
    }

    /// Alive always, ready once discovery was complete.
    fn health(&self, path: &str) -> Response<Bytes> {
        let ready = path != "/readyz" || self.adapter.is_ready();
        let mut response = Response::new(Bytes::from_static(if ready {
            b"ok"
        } else {
            b"series were not listed yet"
        }));
        if !ready {
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        }
        response
    }

    /// Rule by rule, what was found and what went wrong; for those who may read it, not for every caller of a metric.
    fn status(&self) -> Value {
        let offered = self.adapter.offered();
        json!({
            "ready": offered.ready,
            "queries": offered.queries,
            "customMetrics": offered.custom.list().count(),
            "externalMetrics": offered.external.list().count(),
            "shadowed": offered.custom.shadowed.iter().map(|info| format!("{}/{}", info.object, info.metric)).collect::<Vec<_>>(),
        })
    }
}

fn groups() -> Value {
    let groups: Vec<_> = GROUPS.iter().filter_map(|(group, _)| group_document(group)).collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
}

fn document(document: &Value) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(document.to_string()));
    let json = header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

fn status(status: &Status) -> Response<Bytes> {
    let mut response = document(&status.to_value());
    *response.status_mut() = StatusCode::from_u16(status.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
}
