//! Reading from Pods: their logs.

use apimachinery::status::Status;
use futures::StreamExt;
use http::{Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use serde_json::Value;

use super::Shared;
use super::answer::Body;
use super::query::Query;
use crate::pod_access::{ContainerName, LogOptions, PodAccess};
use crate::registry::Target;

/// The log of a container, as plain text that may go on.
pub(crate) async fn log(shared: &Shared, target: &Target, query: &Query) -> Result<Response<Body>, Status> {
    let pod = shared
        .registry
        .get(&Target {
            subresource: String::new(),
            ..target.clone()
        })?
        .value();
    let container = container_of(&pod, query.text("container"))?;
    let stream = access(shared)?.logs(container, log_options(query)?).await?;
    let frames = stream.map(|bytes| Ok(Frame::data(bytes)));
    let mut response = Response::new(StreamBody::new(frames).boxed_unsync());
    *response.status_mut() = StatusCode::OK;
    let plain = http::HeaderValue::from_static("text/plain");
    response.headers_mut().insert(http::header::CONTENT_TYPE, plain);
    Ok(response)
}

pub(crate) fn access(shared: &Shared) -> Result<&dyn PodAccess, Status> {
    shared
        .pod_access
        .as_deref()
        .ok_or_else(|| Status::service_unavailable("no node runs Pods here"))
}

fn log_options(query: &Query) -> Result<LogOptions, Status> {
    let count = |name: &str| -> Result<Option<u64>, Status> {
        let Some(number) = query.number(name)? else {
            return Ok(None);
        };
        u64::try_from(number).map(Some).map_err(|_| {
            Status::bad_request(format!(
                "{name}: Invalid value: {number}: must be greater than or equal to 0"
            ))
        })
    };
    let since_time = match query.text("sinceTime") {
        "" => None,
        text => Some(
            text.parse()
                .map_err(|error| Status::bad_request(format!("sinceTime: {error}")))?,
        ),
    };
    Ok(LogOptions {
        follow: query.flag("follow"),
        previous: query.flag("previous"),
        timestamps: query.flag("timestamps"),
        tail_lines: count("tailLines")?,
        limit_bytes: count("limitBytes")?,
        since_seconds: count("sinceSeconds")?,
        since_time,
    })
}

/// The container that is meant: the named one, or the only one. Source: `LogLocation` of upstream's pod registry.
pub(crate) fn container_of(pod: &Value, wanted: &str) -> Result<ContainerName, Status> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let names = |section: &str| -> Vec<String> {
        pod["spec"][section]
            .as_array()
            .into_iter()
            .flatten()
            .map(|container| text(&container["name"]))
            .collect()
    };
    let name = text(&pod["metadata"]["name"]);
    let (main, init) = (names("containers"), names("initContainers"));
    let container = match (wanted, main.as_slice()) {
        ("", [only]) => only.clone(),
        ("", []) => return Err(Status::bad_request(format!("pod {name} has no container"))),
        ("", _) => {
            let also = if init.is_empty() {
                String::new()
            } else {
                format!(" or one of the init containers: [{}]", init.join(" "))
            };
            return Err(Status::bad_request(format!(
                "a container name must be specified for pod {name}, choose one of: [{}]{also}",
                main.join(" ")
            )));
        }
        (wanted, _) => {
            let known = [main, init, names("ephemeralContainers")].concat();
            if !known.iter().any(|known| known == wanted) {
                let why = format!("container {wanted} is not valid for pod {name}");
                return Err(Status::bad_request(why));
            }
            wanted.to_owned()
        }
    };
    if pod["spec"]["nodeName"].as_str().unwrap_or_default().is_empty() {
        let why = format!("pod {name} does not have a host assigned");
        return Err(Status::bad_request(why));
    }
    Ok(ContainerName {
        namespace: text(&pod["metadata"]["namespace"]),
        pod: name,
        uid: text(&pod["metadata"]["uid"]),
        container,
    })
}
