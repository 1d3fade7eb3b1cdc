//! The decisions of this process's loops, served over the Kubernetes API.

use apiserver::{AggregatedApi, Body};
use bytes::Bytes;
use cluster::DecisionRecorder;
use flyball_core::Decision;
use futures::future::BoxFuture;
use http::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};

use crate::decisions::{DecisionList, DecisionObject, GROUP, VERSION};

/// `explain.flyball.dev/v1alpha1`: one read-only resource.
pub(crate) struct ExplainApi {
    decisions: DecisionRecorder,
}

impl ExplainApi {
    /// Serves what this recorder remembers.
    pub(crate) fn new(decisions: DecisionRecorder) -> Self {
        Self { decisions }
    }

    fn list(&self, namespace: Option<&str>) -> DecisionList {
        let within = |decision: &Decision| {
            namespace.is_none_or(|namespace| decision.subject.namespace.as_deref() == Some(namespace))
        };
        let kept = self.decisions.all().into_iter().filter(within);
        DecisionList {
            api_version: format!("{GROUP}/{VERSION}"),
            kind: "DecisionList".to_owned(),
            metadata: json!({"resourceVersion": ""}),
            items: kept
                .enumerate()
                .map(|(index, decision)| object(index, decision))
                .collect(),
        }
    }
}

fn object(index: usize, decision: Decision) -> DecisionObject {
    let subject = &decision.subject;
    let name = format!("{}.{index}", subject.to_string().replace('/', "."));
    DecisionObject {
        api_version: format!("{GROUP}/{VERSION}"),
        kind: "Decision".to_owned(),
        metadata: json!({
            "name": name,
            "namespace": subject.namespace,
            "creationTimestamp": decision.time,
        }),
        decision,
    }
}

impl AggregatedApi for ExplainApi {
    fn resources(&self) -> Value {
        json!({
            "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": format!("{GROUP}/{VERSION}"),
            "resources": [{
                "name": "decisions", "singularName": "decision", "namespaced": true, "kind": "Decision",
                "verbs": ["get", "list"],
            }],
        })
    }

    fn call(&self, request: Request<Bytes>) -> BoxFuture<'static, Response<Body>> {
        let path = request
            .uri()
            .path()
            .trim_start_matches(&format!("/apis/{GROUP}/{VERSION}/"))
            .to_owned();
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        let list = match (request.method() == Method::GET, parts.as_slice()) {
            (true, ["decisions"]) => Some(self.list(None)),
            (true, ["namespaces", namespace, "decisions"]) => Some(self.list(Some(namespace))),
            _ => None,
        };
        let answer = match list {
            Some(list) => json_answer(StatusCode::OK, &list),
            None => {
                let status = apimachinery::status::Status::bad_request("decisions can be listed, nothing else");
                json_answer(StatusCode::BAD_REQUEST, &status.to_value())
            }
        };
        Box::pin(std::future::ready(answer))
    }
}

fn json_answer(status: StatusCode, value: &impl serde::Serialize) -> Response<Body> {
    let body = serde_json::to_vec(value).unwrap_or_default();
    let mut answer = Response::new(Body::new(http_body_util::Full::new(Bytes::from(body))));
    *answer.status_mut() = status;
    answer
        .headers_mut()
        .insert("content-type", http::HeaderValue::from_static("application/json"));
    answer
}
