//! An API that fails now and then, in every way that leaves a controller in doubt.

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use apiserver::ApiService;
use bytes::Bytes;
use cluster::{Body, Cluster, Jitter};
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use tower::{BoxError, Service, ServiceExt};

type AnyBody = UnsyncBoxBody<Bytes, BoxError>;

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Served,
    /// The answer is a conflict; nothing is written.
    Conflict,
    /// The answer is a failure; nothing is written.
    Lost,
    /// The answer is a failure, but the write was done.
    Doubtful,
    /// A watch is told to start over.
    Expired,
}

/// The plan of faults, the same for the same seed.
pub(crate) struct Faults {
    jitter: Mutex<Jitter>,
    on: AtomicBool,
    injected: AtomicU64,
    writes: AtomicU64,
}

impl Faults {
    pub(crate) fn seeded(seed: u64) -> Arc<Self> {
        Arc::new(Self {
            jitter: Mutex::new(Jitter::seeded(seed)),
            on: AtomicBool::new(true),
            injected: AtomicU64::new(0),
            writes: AtomicU64::new(0),
        })
    }

    /// From now on everything is served.
    pub(crate) fn stop(&self) {
        self.on.store(false, Ordering::SeqCst);
    }

    /// How many faults there were.
    pub(crate) fn injected(&self) -> u64 {
        self.injected.load(Ordering::SeqCst)
    }

    /// How many writes were asked for, with or without success.
    pub(crate) fn writes(&self) -> u64 {
        self.writes.load(Ordering::SeqCst)
    }

    /// A cluster whose requests go through the faults.
    pub(crate) fn before(self: &Arc<Self>, service: ApiService) -> Cluster {
        let faults = self.clone();
        Cluster::in_process(tower::service_fn(move |request: Request<Body>| {
            let (service, faults) = (service.clone(), faults.clone());
            async move { Ok::<_, Infallible>(faults.serve(service, request).await) }
        }))
    }

    fn fate(&self, request: &Request<Body>) -> Fate {
        let is_write = request.method() != Method::GET;
        // Events are written by their own task, which gives up by design.
        let is_event = request.uri().path().contains("/events");
        if is_write && !is_event {
            self.writes.fetch_add(1, Ordering::SeqCst);
        }
        if !self.on.load(Ordering::SeqCst) || is_event {
            return Fate::Served;
        }
        let draw = self.jitter.lock().unwrap().fraction();
        let is_watch = request.uri().query().is_some_and(|query| query.contains("watch=true"));
        match (is_write, is_watch) {
            (true, _) if draw < 0.10 => Fate::Conflict,
            (true, _) if draw < 0.20 => Fate::Lost,
            (true, _) if draw < 0.35 => Fate::Doubtful,
            (false, true) if draw < 0.15 => Fate::Expired,
            (false, _) if draw < 0.05 => Fate::Lost,
            _ => Fate::Served,
        }
    }

    async fn serve(&self, service: ApiService, request: Request<Body>) -> Response<AnyBody> {
        let fate = self.fate(&request);
        if fate != Fate::Served {
            self.injected.fetch_add(1, Ordering::SeqCst);
        }
        match fate {
            Fate::Conflict => status(StatusCode::CONFLICT, "Conflict"),
            Fate::Lost => status(StatusCode::INTERNAL_SERVER_ERROR, "InternalError"),
            Fate::Expired => status(StatusCode::GONE, "Expired"),
            Fate::Served => answer(service, request).await,
            Fate::Doubtful => {
                answer(service, request).await;
                status(StatusCode::INTERNAL_SERVER_ERROR, "InternalError")
            }
        }
    }
}

async fn answer(mut service: ApiService, request: Request<Body>) -> Response<AnyBody> {
    let service = ServiceExt::<Request<Body>>::ready(&mut service)
        .await
        .expect("the server never refuses a connection");
    let response = service.call(request).await.expect("the server never fails");
    response.map(|body| body.map_err(Into::into).boxed_unsync())
}

fn status(code: StatusCode, reason: &str) -> Response<AnyBody> {
    let body = serde_json::json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure",
        "code": code.as_u16(), "reason": reason, "message": "injected",
    });
    let bytes = Bytes::from(serde_json::to_vec(&body).expect("plain JSON"));
    let body = Full::new(bytes).map_err(Into::into).boxed_unsync();
    Response::builder().status(code).body(body).expect("a plain response")
}
