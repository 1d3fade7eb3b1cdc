//! A Prometheus-compatible server, or several that hold the same.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use http::{Request, StatusCode, header};
use promql::engine::{MatrixSeries, QueryValue, TimeRange};
use promql::labels::Labels;
use serde::Deserialize;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::answer::{Metric, QueryData, Reply, excerpt, read};
use super::breaker::Breaker;
use super::local::found;
use super::transport::{HttpTransport, Transport};
use super::{Answer, Source, SourceError};
use crate::api::ApiTime;
use crate::scrape::Authorization;
use crate::tls::TlsSettings;

/// Bodies larger than this are read on a blocking thread: parsing takes milliseconds.
const INLINE_BYTES_MAX: usize = 256 << 10;

/// A server's own deadline is this much earlier than ours, so that its error reaches us.
const TIMEOUT_MARGIN: Duration = Duration::from_millis(50);

/// Who asks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Credentials {
    /// Anybody.
    #[default]
    None,
    /// A fixed `Authorization` header.
    Fixed(Authorization),
    /// A bearer token in a file, read anew for each request: Kubernetes rotates its tokens.
    TokenFile(PathBuf),
}

/// How queries are sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Method {
    /// As a form: long queries fit.
    #[default]
    Post,
    /// In the URL: for servers and proxies that allow nothing else.
    Get,
}

/// How a server is asked.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// Name in evidence and errors.
    pub name: String,
    /// Base URLs of replicas that hold the same series, the preferred one first.
    pub urls: Vec<String>,
    /// Headers of every request, such as `X-Scope-OrgID` for a tenant.
    pub headers: Vec<(String, String)>,
    /// Who asks.
    pub credentials: Credentials,
    /// TLS.
    pub tls: TlsSettings,
    /// How queries are sent.
    pub method: Method,
    /// A larger answer is an error.
    pub body_bytes_max: usize,
    /// Requests at one time; further ones wait for their turn until their deadline.
    pub requests_max: usize,
    /// How long the preferred replica may take before the next one is asked as well.
    pub hedge_after: Duration,
}

impl Default for ServerSettings {
    /// 64 MiB are half a million samples; eight requests are less than half of what a Prometheus answers at once.
    fn default() -> Self {
        ServerSettings {
            name: "prometheus".to_owned(),
            urls: Vec::new(),
            headers: Vec::new(),
            credentials: Credentials::None,
            tls: TlsSettings::default(),
            method: Method::Post,
            body_bytes_max: 64 << 20,
            requests_max: 8,
            hedge_after: Duration::from_secs(2),
        }
    }
}

/// A [`Source`] over HTTP.
pub struct Server {
    settings: ServerSettings,
    transport: Arc<dyn Transport>,
    replicas: Vec<Replica>,
    permits: Semaphore,
}

struct Replica {
    url: String,
    breaker: Mutex<Breaker>,
}

impl Replica {
    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The parameters of a request.
type Parameters<'a> = Vec<(&'a str, String)>;

impl Server {
    /// A source over HTTP.
    ///
    /// # Errors
    /// [`SourceError::Settings`].
    pub fn new(settings: ServerSettings) -> Result<Self, SourceError> {
        let transport = HttpTransport::new(&settings.tls)?;
        Server::with_transport(settings, Arc::new(transport))
    }

    /// A source whose requests go another way.
    ///
    /// # Errors
    /// [`SourceError::Settings`] where there is no URL.
    pub fn with_transport(settings: ServerSettings, transport: Arc<dyn Transport>) -> Result<Self, SourceError> {
        if settings.urls.is_empty() {
            return Err(SourceError::Settings(format!("{} has no URL", settings.name)));
        }
        let replica = |url: &String| Replica {
            url: url.trim_end_matches('/').to_owned(),
            breaker: Mutex::default(),
        };
        let replicas = settings.urls.iter().map(replica).collect();
        let permits = Semaphore::new(settings.requests_max.max(1));
        Ok(Server {
            settings,
            transport,
            replicas,
            permits,
        })
    }

    /// Asks the replicas: the best one first, the next when that fails or takes long; the first answer counts.
    async fn ask<T>(&self, path: &str, parameters: Parameters<'_>, deadline: Instant) -> Result<Reply<T>, SourceError>
    where
        T: for<'de> Deserialize<'de> + Send + 'static,
    {
        let asking = async {
            // The semaphore is never closed.
            let _permit = self.permits.acquire().await;
            let mut waiting = self.order(Instant::now())?.into_iter();
            let mut running = FuturesUnordered::new();
            let mut last_error = None;
            running.extend(
                waiting
                    .next()
                    .map(|replica| self.ask_replica(replica, path, &parameters, deadline)),
            );
            loop {
                let hedge = tokio::time::sleep(self.settings.hedge_after);
                tokio::select! {
                    finished = running.next() => match finished {
                        Some(Ok(reply)) => return Ok(reply),
                        Some(Err(error)) if !error.is_transient() => return Err(error),
                        Some(Err(error)) => last_error = Some(error),
                        None => return Err(last_error.unwrap_or(SourceError::Timeout)),
                    },
                    () = hedge, if waiting.len() > 0 => {}
                }
                running.extend(
                    waiting
                        .next()
                        .map(|replica| self.ask_replica(replica, path, &parameters, deadline)),
                );
            }
        };
        tokio::time::timeout_at(deadline, asking)
            .await
            .unwrap_or(Err(SourceError::Timeout))
    }

    /// Replicas that may be asked, the healthiest first and else as configured.
    fn order(&self, now: Instant) -> Result<Vec<&Replica>, SourceError> {
        let mut open: Vec<&Replica> = self
            .replicas
            .iter()
            .filter(|replica| replica.breaker().rest(now).is_none())
            .collect();
        open.sort_by_key(|replica| replica.breaker().failures());
        if !open.is_empty() {
            return Ok(open);
        }
        let rests = self.replicas.iter().filter_map(|replica| replica.breaker().rest(now));
        Err(SourceError::CircuitOpen {
            retry_in: rests.min().unwrap_or_default(),
        })
    }

    async fn ask_replica<T>(
        &self,
        replica: &Replica,
        path: &str,
        parameters: &Parameters<'_>,
        deadline: Instant,
    ) -> Result<Reply<T>, SourceError>
    where
        T: for<'de> Deserialize<'de> + Send + 'static,
    {
        let outcome = async {
            let request = self.request(&replica.url, path, parameters, deadline).await?;
            let body = self.body(request).await?;
            if body.len() <= INLINE_BYTES_MAX {
                return read(&body);
            }
            let reading = tokio::task::spawn_blocking(move || read(&body)).await;
            reading.unwrap_or_else(|_| Err(SourceError::Malformed("reading the answer failed".to_owned())))
        };
        let outcome = tokio::time::timeout_at(deadline, outcome)
            .await
            .unwrap_or(Err(SourceError::Timeout));
        match &outcome {
            Ok(_) => replica.breaker().succeeded(),
            Err(SourceError::Overloaded { retry_after, .. }) => replica.breaker().failed(Instant::now(), *retry_after),
            Err(error) if error.is_transient() => replica.breaker().failed(Instant::now(), None),
            // The server works; the question is wrong.
            Err(_) => replica.breaker().succeeded(),
        }
        outcome
    }

    async fn request(
        &self,
        url: &str,
        path: &str,
        parameters: &Parameters<'_>,
        deadline: Instant,
    ) -> Result<Request<Bytes>, SourceError> {
        let form = form(parameters, deadline);
        let (mut request, body) = match self.settings.method {
            Method::Post => {
                let request = Request::post(format!("{url}/api/v1/{path}"));
                (
                    request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded"),
                    Bytes::from(form),
                )
            }
            Method::Get => (Request::get(format!("{url}/api/v1/{path}?{form}")), Bytes::new()),
        };
        for (name, value) in &self.settings.headers {
            request = request.header(name, value);
        }
        let authorization = match &self.settings.credentials {
            Credentials::None => None,
            Credentials::Fixed(authorization) => Some(authorization.header()),
            Credentials::TokenFile(path) => {
                let token = tokio::fs::read_to_string(path).await;
                let token = token.map_err(|error| SourceError::Settings(format!("{}: {error}", path.display())))?;
                Some(Authorization::Bearer(token.trim().to_owned()).header())
            }
        };
        if let Some(authorization) = authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        request
            .body(body)
            .map_err(|error| SourceError::Settings(error.to_string()))
    }

    /// The body of an answer that can be read: 200, or an error in Prometheus' JSON.
    async fn body(&self, request: Request<Bytes>) -> Result<Vec<u8>, SourceError> {
        let mut response = self.transport.send(request).await?;
        let status = response.status.as_u16();
        let retry_after = response
            .headers
            .get(header::RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.parse().ok());
        let limit = self.settings.body_bytes_max;
        let mut body = Vec::new();
        while let Some(piece) = response.body.next().await {
            let piece = piece?;
            if body.len() + piece.len() > limit {
                return Err(SourceError::TooLarge { limit, unit: "bytes" });
            }
            body.extend_from_slice(&piece);
        }
        match response.status {
            StatusCode::OK => Ok(body),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(SourceError::Forbidden(status)),
            StatusCode::TOO_MANY_REQUESTS => Err(SourceError::Overloaded {
                status,
                retry_after: retry_after.map(Duration::from_secs),
            }),
            _ => match read::<serde::de::IgnoredAny>(&body) {
                // A wrong query has status 400 or 422, a timeout 503.
                Err(error @ SourceError::Query { .. }) => Err(error),
                _ if status == 503 => Err(SourceError::Overloaded {
                    status,
                    retry_after: retry_after.map(Duration::from_secs),
                }),
                _ => Err(SourceError::Status {
                    status,
                    excerpt: excerpt(&body),
                }),
            },
        }
    }
}

/// The parameters as a form, with what is left until the deadline as the server's own timeout.
fn form(parameters: &Parameters<'_>, deadline: Instant) -> String {
    let left = deadline
        .saturating_duration_since(Instant::now())
        .saturating_sub(TIMEOUT_MARGIN);
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(parameters);
    form.append_pair("timeout", &format!("{}ms", left.as_millis().max(1)));
    form.finish()
}

fn seconds(time_ms: i64) -> String {
    ApiTime(time_ms).to_string()
}

impl Source for Server {
    fn name(&self) -> &str {
        &self.settings.name
    }

    fn instant<'a>(
        &'a self,
        query: &'a str,
        at_ms: i64,
        deadline: Instant,
    ) -> BoxFuture<'a, Result<Answer, SourceError>> {
        Box::pin(async move {
            let parameters = vec![("query", query.to_owned()), ("time", seconds(at_ms))];
            let reply = self.ask::<QueryData>("query", parameters, deadline).await?;
            Ok(Answer {
                found: found(reply.data.into_value()?)?,
                warnings: reply.warnings,
            })
        })
    }

    fn range<'a>(
        &'a self,
        query: &'a str,
        range: TimeRange,
        deadline: Instant,
    ) -> BoxFuture<'a, Result<Vec<MatrixSeries>, SourceError>> {
        Box::pin(async move {
            let parameters = vec![
                ("query", query.to_owned()),
                ("start", seconds(range.start_ms)),
                ("end", seconds(range.end_ms)),
                ("step", seconds(range.step_ms)),
            ];
            match self
                .ask::<QueryData>("query_range", parameters, deadline)
                .await?
                .data
                .into_value()?
            {
                QueryValue::Matrix(series) => Ok(series),
                _ => Err(SourceError::Malformed(
                    "a range query did not return a matrix".to_owned(),
                )),
            }
        })
    }

    fn series<'a>(
        &'a self,
        selectors: &'a [String],
        start_ms: i64,
        end_ms: i64,
        deadline: Instant,
    ) -> BoxFuture<'a, Result<Vec<Labels>, SourceError>> {
        Box::pin(async move {
            let mut parameters: Parameters<'_> =
                selectors.iter().map(|selector| ("match[]", selector.clone())).collect();
            parameters.extend([("start", seconds(start_ms)), ("end", seconds(end_ms))]);
            let reply = self.ask::<Vec<Metric>>("series", parameters, deadline).await?;
            Ok(reply.data.into_iter().map(|metric| metric.0).collect())
        })
    }
}
