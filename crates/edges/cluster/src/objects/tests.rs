use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Request, Response};
use http_body_util::BodyExt;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::client::Body;
use serde_json::Value;

use super::*;
use crate::{Cluster, Retry};

/// A server that answers everything with `code` and the next of `answers`, at last the same again, and remembers what it was asked: method, path with
/// query, content type and body.
fn serving_each(code: u16, answers: Vec<Value>) -> (Cluster, Arc<Mutex<Vec<[String; 4]>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let remembered = asked.clone();
    let answers = Arc::new(answers);
    let service = tower::service_fn(move |request: Request<Body>| {
        let (asked, answers) = (remembered.clone(), answers.clone());
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.expect("a body in memory").to_bytes();
            let content_type = parts.headers["content-type"].to_str().unwrap_or_default().to_owned();
            let turn = asked.lock().unwrap().len().min(answers.len() - 1);
            asked.lock().unwrap().push([
                parts.method.to_string(),
                parts.uri.to_string(),
                content_type,
                String::from_utf8_lossy(&body).into_owned(),
            ]);
            let body = Body::from(answers[turn].to_string().into_bytes());
            Ok::<_, Infallible>(Response::builder().status(code).body(body).expect("a plain response"))
        }
    });
    (Cluster::in_process(service).managed_by("tester"), asked)
}

fn serving(code: u16, answer: Value) -> (Cluster, Arc<Mutex<Vec<[String; 4]>>>) {
    serving_each(code, vec![answer])
}

fn pod() -> Value {
    json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "web", "namespace": "shop" } })
}

#[tokio::test]
async fn each_verb_is_the_request_that_the_api_expects() {
    let (cluster, asked) = serving(200, pod());
    let pods = cluster.objects::<Pod>("shop");
    pods.get("web").await.unwrap();
    pods.create(&pod()).await.unwrap();
    pods.replace("web", &pod()).await.unwrap();
    pods.replace_status("web", &pod()).await.unwrap();
    pods.patch("web", &Patch::Merge(json!({ "a": 1 }))).await.unwrap();
    pods.patch_status("web", &Patch::Strategic(json!({ "a": 1 })))
        .await
        .unwrap();
    pods.patch("web", &Patch::Json(json!([]))).await.unwrap();
    pods.apply("web", &json!({ "a": 1 }), Ownership::Ask).await.unwrap();
    pods.apply("web", &json!({ "a": 1 }), Ownership::Force).await.unwrap();
    pods.evict("web", &Deletion::default()).await.unwrap();
    pods.delete(
        "web",
        &Deletion::of_uid("u").propagating(Propagation::Orphan).within_seconds(0),
    )
    .await
    .unwrap();
    cluster
        .objects::<Node>(None)
        .create_at("n", "proxy", &json!({}))
        .await
        .unwrap();

    let (web, manager) = ("/api/v1/namespaces/shop/pods/web", "fieldManager=tester");
    let asked = asked.lock().unwrap();
    let expected = [
        ("GET", web.to_owned(), "application/json"),
        (
            "POST",
            format!("/api/v1/namespaces/shop/pods?{manager}"),
            "application/json",
        ),
        ("PUT", format!("{web}?{manager}"), "application/json"),
        ("PUT", format!("{web}/status?{manager}"), "application/json"),
        ("PATCH", format!("{web}?{manager}"), "application/merge-patch+json"),
        (
            "PATCH",
            format!("{web}/status?{manager}"),
            "application/strategic-merge-patch+json",
        ),
        ("PATCH", format!("{web}?{manager}"), "application/json-patch+json"),
        ("PATCH", format!("{web}?{manager}"), "application/apply-patch+yaml"),
        (
            "PATCH",
            format!("{web}?{manager}&force=true"),
            "application/apply-patch+yaml",
        ),
        ("POST", format!("{web}/eviction?{manager}"), "application/json"),
        ("DELETE", web.to_owned(), "application/json"),
        ("POST", format!("/api/v1/nodes/n/proxy?{manager}"), "application/json"),
    ];
    for (asked, (method, path, content_type)) in asked.iter().zip(&expected) {
        assert_eq!(
            asked[..3],
            [(*method).to_owned(), path.clone(), (*content_type).to_owned()]
        );
    }
    assert_eq!(asked.len(), expected.len());
    let options: Value = serde_json::from_str(&asked[10][3]).unwrap();
    let wanted = json!({
        "apiVersion": "v1", "kind": "DeleteOptions", "preconditions": { "uid": "u" },
        "propagationPolicy": "Orphan", "gracePeriodSeconds": 0,
    });
    assert_eq!(options, wanted);
}

#[tokio::test]
async fn absence_is_an_answer_and_a_refusal_says_when_to_come_back() {
    let status = |code: u16, reason: &str, details: Value| json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": "no", "details": details });
    let (cluster, _) = serving(404, status(404, "NotFound", json!({})));
    assert!(cluster.objects::<Pod>("shop").find("web").await.unwrap().is_none());

    let (cluster, _) = serving(429, status(429, "TooManyRequests", json!({ "retryAfterSeconds": 10 })));
    let error = cluster
        .objects::<Pod>("shop")
        .evict("web", &Deletion::default())
        .await
        .unwrap_err();
    assert_eq!(error.retry(), Retry::After(Duration::from_secs(10)));

    let causes = json!({ "causes": [{ "field": "spec.replicas", "message": "must not be negative" }] });
    let (cluster, _) = serving(422, status(422, "Invalid", causes));
    match cluster.objects::<Pod>("shop").create(&pod()).await {
        Err(Error::Invalid(refusal)) => assert_eq!(refusal.causes[0].0, "spec.replicas"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_list_is_read_page_by_page() {
    let page = |token: &str| json!({ "metadata": { "continue": token }, "items": [pod(), pod()] });
    let (cluster, asked) = serving_each(200, vec![page("next/1"), page("")]);
    let options = ListOptions {
        labels: "app=web".into(),
        ..ListOptions::default()
    };
    let list = cluster.objects::<Pod>(None).list(&options).await.unwrap();
    assert_eq!(list.items.len(), 4);
    let first = "/api/v1/pods?labelSelector=app%3Dweb&limit=500";
    let asked = asked.lock().unwrap();
    let paths: Vec<_> = asked.iter().map(|asked| asked[1].as_str()).collect();
    assert_eq!(paths, [first, &format!("{first}&continue=next%2F1")]);
}
