//! The adapter behind real TLS: who is believed, and who may.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use apimachinery::resources::GroupResource;
use apimachinery::selector::LabelSelector;
use flyball_core::{ManualClock, Timestamp};
use futures::future::BoxFuture;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use scale::adapter::server::{
    Access, AdapterServer, Authenticator, Authorizer, FrontProxy, Identity, Pem, Reviews, User,
};
use scale::adapter::source::{Answer, MetricsQuery, ObjectLookup, ObjectMeta, SourceError};
use scale::adapter::{Adapter, AdapterOptions, Config, MetricsService, ResourceMapper, SeriesShape};
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};

/// Nothing is measured, and nothing is there.
struct Nothing;

impl MetricsQuery for Nothing {
    fn instant<'a>(&'a self, _: &'a str, _: Timestamp, _: Duration) -> BoxFuture<'a, Result<Answer, SourceError>> {
        Box::pin(async { Ok(Answer::Vector(Vec::new())) })
    }

    fn series<'a>(&'a self, _: &'a str, _: Timestamp) -> BoxFuture<'a, Result<BTreeSet<SeriesShape>, SourceError>> {
        Box::pin(async { Err(SourceError("down".to_owned())) })
    }
}

impl ObjectLookup for Nothing {
    fn objects<'a>(
        &'a self,
        _: &'a GroupResource,
        _: Option<&'a str>,
        _: &'a LabelSelector,
    ) -> BoxFuture<'a, Result<Vec<ObjectMeta>, SourceError>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

/// Knows one token, lets everybody but strangers read, and counts questions.
#[derive(Default)]
struct Known {
    asked: AtomicUsize,
}

impl Reviews for Known {
    fn token<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Option<User>> {
        let user = (token == "good").then(|| User {
            name: "robot".to_owned(),
            ..User::default()
        });
        Box::pin(async { user })
    }

    fn access<'a>(&'a self, user: &'a User, _: &'a Access) -> BoxFuture<'a, Option<bool>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let allowed = user.name != "system:anonymous" && user.name != "stranger";
        Box::pin(async move { Some(allowed) })
    }
}

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn signed(authority: &Authority, common_name: &str) -> Pem {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, common_name);
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    Pem {
        certificates: certificate.pem().into_bytes(),
        key: key.serialize_pem().into_bytes(),
    }
}

struct World {
    server: Authority,
    proxy: Authority,
    address: std::net::SocketAddr,
    reviews: Arc<Known>,
    identity: Identity,
}

impl World {
    async fn new() -> Self {
        let (server, proxy) = (authority("server"), authority("proxy"));
        let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
        let reviews = Arc::new(Known::default());
        let front = FrontProxy::new(proxy.pem().into_bytes(), vec!["front-proxy-client".to_owned()]);
        let config = Config::read("rules: [{seriesQuery: up, metricsQuery: up}]", "x").unwrap();
        let options = AdapterOptions::default();
        let adapter = Adapter::new(
            &config,
            ResourceMapper::default(),
            Arc::new(Nothing),
            Arc::new(Nothing),
            clock.clone(),
            options,
        );
        let adapter = Arc::new(adapter.unwrap());
        adapter.relist().await;
        let service = MetricsService::new(adapter.clone(), clock.clone());
        let authenticator = Authenticator::new(Some(front), None, reviews.clone()).unwrap();
        let open = vec!["/healthz".to_owned(), "/readyz".to_owned()];
        let authorizer = Authorizer::new(reviews.clone(), clock, open);
        let served = AdapterServer::new(adapter, service, authenticator, authorizer);
        let identity = Identity::new(&signed(&server, "first")).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shown = identity.clone();
        tokio::spawn(async move { served.serve(listener, &shown).await });
        Self {
            server,
            proxy,
            address,
            reviews,
            identity,
        }
    }

    /// Status and body of a GET; the certificate that the server showed.
    async fn get(
        &self,
        path: &str,
        certificate: Option<&Pem>,
        headers: &[(&str, &str)],
    ) -> (StatusCode, String, Vec<u8>) {
        let mut roots = RootCertStore::empty();
        roots.add(self.server.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = builder.with_root_certificates(roots);
        let config = match certificate {
            None => builder.with_no_client_auth(),
            Some(pem) => {
                let chain = CertificateDer::pem_slice_iter(&pem.certificates)
                    .collect::<Result<_, _>>()
                    .unwrap();
                builder
                    .with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(&pem.key).unwrap())
                    .unwrap()
            }
        };
        let stream = TcpStream::connect(self.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let stream = tokio_rustls::TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await
            .unwrap();
        let shown = stream.get_ref().1.peer_certificates().unwrap()[0].to_vec();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .unwrap();
        tokio::spawn(connection);
        let mut request = Request::get(path).header("host", "localhost");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = sender
            .send_request(request.body(Empty::<bytes::Bytes>::new()).unwrap())
            .await
            .unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8_lossy(&body).into_owned(), shown)
    }
}

const LIST: &str = "/apis/custom.metrics.k8s.io/v1beta2";

#[tokio::test]
async fn headers_are_believed_from_the_front_proxy_alone() {
    let world = World::new().await;
    let user = [("x-remote-user", "alice"), ("x-remote-group", "system:authenticated")];
    let proxy = signed(&world.proxy, "front-proxy-client");
    let (status, body, _) = world.get(LIST, Some(&proxy), &user).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap()["kind"], "APIResourceList");

    for certificate in [None, Some(signed(&world.proxy, "somebody-else"))] {
        let (status, body, _) = world.get(LIST, certificate.as_ref(), &user).await;
        assert_eq!(status, 403, "{body}");
        assert!(body.contains("system:anonymous"), "{body}");
    }
    let (status, _, _) = world.get(LIST, Some(&proxy), &[("x-remote-user", "stranger")]).await;
    assert_eq!(status, 403);
}

#[tokio::test]
async fn tokens_are_reviewed_and_answers_remembered() {
    let world = World::new().await;
    for (token, want) in [("Bearer good", 200), ("Bearer good", 200), ("Bearer bad", 401)] {
        let (status, body, _) = world.get(LIST, None, &[("authorization", token)]).await;
        assert_eq!(status, want, "{body}");
    }
    assert_eq!(world.reviews.asked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn health_is_for_everybody_and_ready_means_listed() {
    let world = World::new().await;
    assert_eq!(world.get("/healthz", None, &[]).await.0, 200);
    let (status, body, _) = world.get("/readyz", None, &[]).await;
    assert_eq!((status.as_u16(), body.as_str()), (503, "series were not listed yet"));
    let token = [("authorization", "Bearer good")];
    let (_, metrics, _) = world.get("/metrics", None, &token).await;
    assert!(
        metrics.contains("flyball_adapter_series_queries_failing 1"),
        "{metrics}"
    );
    let (_, status, _) = world.get("/status", None, &token).await;
    assert!(status.contains(r#""error":"down""#), "{status}");
}

#[tokio::test]
async fn a_new_certificate_is_shown_without_a_restart() {
    let world = World::new().await;
    let before = world.get("/healthz", None, &[]).await.2;
    world.identity.replace(&signed(&world.server, "second")).unwrap();
    assert_ne!(world.get("/healthz", None, &[]).await.2, before);
    let broken = Pem {
        certificates: b"nothing".to_vec(),
        key: Vec::new(),
    };
    assert!(world.identity.replace(&broken).is_err(), "a bad file changes nothing");
    assert_eq!(world.get("/healthz", None, &[]).await.0, 200);
}
