//! One port for browsers: `http://SERVICE.NAMESPACE.localhost:PORT` leads to that Service.

use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HOST, HeaderMap, HeaderName, UPGRADE};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

use super::{Refusal, Shared};
use crate::services::{Protocol, Table};

/// The namespace of a name without one.
const NAMESPACE_DEFAULT: &str = "default";

/// How long a client may take for its request head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// Headers between two neighbours, which a proxy must not pass on (RFC 9110, 7.6.1).
const HOP_BY_HOP: [&str; 7] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

type Body = BoxBody<Bytes, hyper::Error>;

/// Accepts until the front is dropped.
pub(super) async fn serve(shared: Arc<Shared>, listener: TcpListener) {
    loop {
        let Ok(permit) = Arc::clone(&shared.connections).acquire_owned().await else {
            return;
        };
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let answer = service_fn(|request| {
                let shared = Arc::clone(&shared);
                async move { Ok::<_, Infallible>(route(&shared, request).await) }
            });
            let connection = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .serve_connection(TokioIo::new(stream), answer)
                .with_upgrades();
            let _ = connection.await;
            drop(permit);
        });
    }
}

async fn route(shared: &Shared, request: Request<Incoming>) -> Response<Body> {
    let host = request
        .headers()
        .get(HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default()
        .to_owned();
    let Some((namespace, name, port)) = shared.network.services().read(|table| service_of(&host, table)) else {
        let known = shared.network.services().read(known_names);
        let text = format!("No Service is called {host}.\n\nThese are reachable here:\n{known}");
        return plain(StatusCode::NOT_FOUND, text);
    };
    let endpoint = match shared.connect((&namespace, &name, port), Ipv4Addr::LOCALHOST).await {
        Ok(endpoint) => endpoint,
        Err(Refusal::NobodyReady) => {
            let text = format!("Service {name} in namespace {namespace} has no ready Pod behind port {port}.\n");
            return plain(StatusCode::SERVICE_UNAVAILABLE, text);
        }
        Err(Refusal::NotReached(address)) => {
            return plain(
                StatusCode::BAD_GATEWAY,
                format!("The Pod at {address} does not accept connections.\n"),
            );
        }
    };
    match pass_on(request, endpoint).await {
        Ok(response) => response,
        Err(error) => plain(
            StatusCode::BAD_GATEWAY,
            format!("Service {name} did not answer: {error}\n"),
        ),
    }
}

/// The Service that a host name means: `web.default.localhost:9999`, `web.localhost`, `http-alt.web.default.localhost`
/// or `8081.web.default.localhost` for a port by name or number. Without one the port named `http`, else the first.
fn service_of(host: &str, table: &Table) -> Option<(String, String, u16)> {
    let name = host
        .rsplit_once(':')
        .map_or(host, |(name, _)| name)
        .trim_end_matches('.')
        .to_ascii_lowercase();
    let labels: Vec<&str> = name.strip_suffix(".localhost")?.split('.').collect();
    let (wanted_port, name, namespace) = match labels.as_slice() {
        [name] => (None, *name, NAMESPACE_DEFAULT),
        [name, namespace] => (None, *name, *namespace),
        [port, name, namespace] => (Some(*port), *name, *namespace),
        _ => return None,
    };
    let service = table.service(namespace, name)?;
    let mut tcp = service.ports.iter().filter(|port| port.protocol == Protocol::Tcp);
    let port = match wanted_port {
        Some(wanted) => tcp.find(|port| {
            port.name.as_deref() == Some(wanted) || wanted.parse().is_ok_and(|number: u16| number == port.port)
        })?,
        None => {
            let named = tcp.clone().find(|port| port.name.as_deref() == Some("http"));
            named.or_else(|| tcp.next())?
        }
    };
    Some((namespace.to_owned(), name.to_owned(), port.port))
}

fn known_names(table: &Table) -> String {
    let tcp = table
        .services()
        .filter(|service| service.ports.iter().any(|port| port.protocol == Protocol::Tcp));
    tcp.map(|service| format!("  http://{}.{}.localhost\n", service.name, service.namespace))
        .collect()
}

/// Sends the request to the endpoint and its answer back, both as streams.
async fn pass_on(mut request: Request<Incoming>, endpoint: TcpStream) -> hyper::Result<Response<Body>> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(endpoint)).await?;
    tokio::spawn(async move {
        let _ = connection.with_upgrades().await;
    });
    let upgrade = upgrade_of(request.headers());
    strip(request.headers_mut());
    let from_client = upgrade.is_some().then(|| hyper::upgrade::on(&mut request));
    if let Some(protocol) = upgrade {
        request.headers_mut().insert(UPGRADE, protocol);
        request
            .headers_mut()
            .insert(CONNECTION, hyper::header::HeaderValue::from_static("upgrade"));
    }
    // The request line of an origin server has a path only.
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str()).parse();
    if let Ok(path) = path {
        *request.uri_mut() = path;
    }
    let mut response = sender.send_request(request).await?;
    let upgraded = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    if let (true, Some(from_client)) = (upgraded, from_client) {
        let from_endpoint = hyper::upgrade::on(&mut response);
        tokio::spawn(async move {
            if let (Ok(client), Ok(endpoint)) = tokio::join!(from_client, from_endpoint) {
                let _ = copy_bidirectional(&mut TokioIo::new(client), &mut TokioIo::new(endpoint)).await;
            }
        });
    } else {
        strip(response.headers_mut());
    }
    Ok(response.map(BodyExt::boxed))
}

fn upgrade_of(headers: &HeaderMap) -> Option<hyper::header::HeaderValue> {
    let asks = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let asks = asks
        .flat_map(|value| value.split(','))
        .any(|token| token.trim().eq_ignore_ascii_case("upgrade"));
    asks.then(|| headers.get(UPGRADE).cloned()).flatten()
}

fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|token| token.trim().parse().ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
}

fn plain(status: StatusCode, text: String) -> Response<Body> {
    let body = Full::new(Bytes::from(text)).map_err(|never| match never {}).boxed();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::{ClusterService, ServiceKind, ServicePort};

    #[test]
    fn host_names_choose_service_and_port() {
        let port = |name: &str, port| ServicePort {
            name: Some(name.into()),
            port,
            protocol: Protocol::Tcp,
            endpoints: vec![],
        };
        let table = Table::new([ClusterService {
            namespace: "shop".into(),
            name: "web".into(),
            kind: ServiceKind::Cluster("10.96.0.7".parse().unwrap()),
            ports: vec![port("admin", 9000), port("http", 80)],
            affinity: None,
        }]);
        let check = |host: &str, expect: Option<u16>| {
            assert_eq!(service_of(host, &table).map(|(_, _, port)| port), expect, "{host}");
        };
        check("web.shop.localhost:7777", Some(80));
        check("WEB.shop.localhost.", Some(80));
        check("admin.web.shop.localhost", Some(9000));
        check("9000.web.shop.localhost", Some(9000));
        check("web.localhost", None);
        check("web.shop.evil.example", None);
        check("localhost:7777", None);
        check("", None);
    }
}
