//! Everything that is not an object: probes, the version, discovery.

use apimachinery::discovery::{self, Aggregated, Root};
use apimachinery::resources::GroupVersion;
use apimachinery::status::Status;
use http::request::Parts;
use http::{Method, Response, StatusCode};
use serde_json::{Value, json};

use super::Shared;
use super::answer::{self, Body};
use super::query::Query;

/// Whether a path is for everybody, also without credentials. Source: the role `system:public-info-viewer`.
pub(crate) fn is_open(path: &str) -> bool {
    matches!(
        path.trim_end_matches('/'),
        "/healthz" | "/livez" | "/readyz" | "/version"
    )
}

/// Answers the paths that are no objects; `None` leaves the path to the resources.
pub(crate) fn answer(shared: &Shared, parts: &Parts, path: &str) -> Result<Option<Response<Body>>, Status> {
    let path = path.trim_end_matches('/');
    let response = match path {
        "/healthz" | "/livez" | "/readyz" => probe(
            path,
            Query::parse(parts.uri.query().unwrap_or_default()).flag("verbose"),
        ),
        "/metrics" => {
            let text = shared.meter.text(shared.registry.store());
            answer::bytes(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", text.into())
        }
        "/openapi/v3" => document(&crate::openapi::index(&shared.registry.kinds())),
        "/version" => document(&version()),
        "" => document(&json!({"paths": PATHS})),
        "/api" | "/apis" => roots(shared, parts, path),
        _ => {
            let Some(document) = group_document(shared, path)? else {
                return Ok(None);
            };
            answer::document(StatusCode::OK, &document)
        }
    };
    if parts.method != Method::GET && parts.method != Method::HEAD {
        return Err(Status::method_not_allowed());
    }
    Ok(Some(response))
}

fn document(value: &Value) -> Response<Body> {
    answer::document(StatusCode::OK, value)
}

/// Legacy discovery of one group or one version.
fn group_document(shared: &Shared, path: &str) -> Result<Option<Value>, Status> {
    let kinds = shared.registry.kinds();
    let registry = shared.discovered();
    let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match segments.as_slice() {
        ["api", version] => {
            let found = discovery::api_resource_list(&registry, &GroupVersion::parse(version));
            found.map(Some).ok_or_else(Status::no_such_path)
        }
        ["openapi", "v3", rest @ ..] => {
            let found = crate::openapi::document(&kinds, &rest.join("/"));
            found.map(Some).ok_or_else(Status::no_such_path)
        }
        ["apis", group] => discovery::api_group(&registry, group)
            .map(Some)
            .ok_or_else(Status::no_such_path),
        ["apis", group, version] => {
            let wanted = GroupVersion {
                group: (*group).to_owned(),
                version: (*version).to_owned(),
            };
            let own = shared.aggregated.find(&wanted).map(|api| api.resources());
            let found = own.or_else(|| discovery::api_resource_list(&registry, &wanted));
            found.map(Some).ok_or_else(Status::no_such_path)
        }
        _ => Ok(None),
    }
}

/// `/api` and `/apis`: all groups at once for those who ask so, an index for others.
fn roots(shared: &Shared, parts: &Parts, path: &str) -> Response<Body> {
    let registry = shared.discovered();
    let accept = parts
        .headers
        .get(http::header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    match (Aggregated::from_accept(accept), path) {
        (Some(form), _) => {
            let root = if path == "/api" { Root::Core } else { Root::Groups };
            let document = discovery::aggregated(&registry, root, form, &[]);
            answer::bytes(StatusCode::OK, form.content_type(), answer::to_bytes(&document))
        }
        (None, "/api") => {
            let host = parts
                .headers
                .get(http::header::HOST)
                .and_then(|value| value.to_str().ok());
            document(&discovery::api_versions(host.unwrap_or("127.0.0.1")))
        }
        (None, _) => document(&discovery::api_group_list(&registry)),
    }
}

fn probe(path: &str, verbose: bool) -> Response<Body> {
    // The server answers only once its objects are loaded: that it answers is the whole check.
    let text = if verbose {
        format!(
            "[+]ping ok\n[+]store ok\n{} check passed\n",
            path.trim_start_matches('/')
        )
    } else {
        "ok".to_owned()
    };
    answer::text(StatusCode::OK, text)
}

/// Which Kubernetes this is compatible with, in the form of kube-apiserver 1.37's answer.
pub(crate) fn version() -> Value {
    json!({
        "major": "1",
        "minor": "37",
        "emulationMajor": "1",
        "emulationMinor": "37",
        "minCompatibilityMajor": "1",
        "minCompatibilityMinor": "36",
        "gitVersion": concat!("v1.37.2+flyball-", env!("CARGO_PKG_VERSION")),
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "rustc",
        "platform": format!("{}/{}", std::env::consts::OS, architecture()),
    })
}

/// The architecture as Go names it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// What `/` lists.
const PATHS: [&str; 9] = [
    "/api",
    "/api/v1",
    "/apis",
    "/healthz",
    "/livez",
    "/metrics",
    "/openapi/v3",
    "/readyz",
    "/version",
];
