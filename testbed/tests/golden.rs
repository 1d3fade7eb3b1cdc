//! The local API server gives the answers that a real kube-apiserver gave.
//!
//! `golden/mismatches.txt` lists the places in which it does not, each with a reason; it is the only tolerance. A
//! place that differs and is not listed fails the test, and so does one that is listed and no longer differs: the
//! list says what is true, and it can only shrink unseen, never grow.
//!
//! `FLYBALL_GOLDEN_LIST=FILE` writes all present differences to a file, one a line, to be looked at.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use apiserver::ApiServer;
use cluster::SystemClock;
use http_body_util::{BodyExt, Full};
use testbed::golden::{Answer, Request, differences};
use tower::ServiceExt;

/// A watch of the scenarios ends by itself after two seconds at most.
const ANSWER_PATIENCE: Duration = Duration::from_secs(10);

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden")
}

#[tokio::test]
async fn the_local_api_server_answers_as_the_real_one_did() {
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    let (mut answers, mut same) = (0, 0);
    for (name, requests) in testbed::record::scenarios(&golden()).expect("scenarios") {
        let recorded = fs::read(golden().join(format!("{name}.json"))).expect("the scenario was recorded");
        let recorded: Vec<Answer> = serde_json::from_slice(&recorded).expect("recorded answers");
        assert_eq!(
            recorded.len(),
            requests.len(),
            "{name} was changed and not recorded again"
        );
        let server = ApiServer::builder(Arc::new(SystemClock)).build().expect("a server");
        for (request, expected) in requests.iter().zip(&recorded) {
            let actual = send(&server, request).await;
            let differences = differences(expected, &actual);
            answers += 1;
            same += usize::from(differences.is_empty());
            for difference in differences {
                let key = format!("{name}/{}: {}", request.name, difference.path);
                found.insert(key, difference.to_string());
            }
        }
    }
    println!(
        "{same} of {answers} answers are the same, {} places differ",
        found.len()
    );
    if let Some(file) = std::env::var_os("FLYBALL_GOLDEN_LIST") {
        let lines: String = found.iter().map(|(key, text)| format!("{key}\n    {text}\n")).collect();
        fs::write(file, lines).expect("the list can be written");
    }
    let listed = listed();
    let new: Vec<_> = found.iter().filter(|(key, _)| !listed.contains_key(*key)).collect();
    let mended: Vec<_> = listed.keys().filter(|key| !found.contains_key(*key)).collect();
    assert!(
        new.is_empty() && mended.is_empty(),
        "{} new differences, such as {:#?}\n{} listed ones are no longer there, such as {:#?}",
        new.len(),
        new.iter().take(10).collect::<Vec<_>>(),
        mended.len(),
        mended.iter().take(10).collect::<Vec<_>>(),
    );
}

/// Lines of `place | reason`.
fn listed() -> BTreeMap<String, String> {
    let text = fs::read_to_string(golden().join("mismatches.txt")).expect("the list");
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (place, reason) = line
                .split_once(" | ")
                .unwrap_or_else(|| panic!("no reason in `{line}`"));
            assert!(!reason.trim().is_empty(), "no reason in `{line}`");
            (place.to_owned(), reason.to_owned())
        })
        .collect()
}

async fn send(server: &ApiServer, request: &Request) -> Answer {
    let mut builder = http::Request::builder()
        .method(request.method.as_str())
        .uri(&request.path);
    // The recording's client; the server names a field manager after it.
    builder = builder.header("user-agent", "curl/8.0").header("host", "127.0.0.1");
    if !request
        .headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("accept"))
    {
        builder = builder.header("accept", "*/*");
    }
    for (name, value) in &request.headers {
        builder = builder.header(name, value);
    }
    let body = Full::<bytes::Bytes>::from(request.body.clone());
    let sent = builder.body(body).expect("a request of the scenario");
    let exchange = async {
        let answer = server
            .service()
            .oneshot(sent)
            .await
            .expect("the service always answers");
        let (parts, body) = answer.into_parts();
        let content_type = parts
            .headers
            .get("content-type")
            .map(|value| value.to_str().unwrap_or_default());
        let bytes = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        Answer::new(
            &request.name,
            parts.status.as_u16(),
            content_type.unwrap_or_default(),
            &bytes,
        )
    };
    tokio::time::timeout(ANSWER_PATIENCE, exchange)
        .await
        .unwrap_or_else(|_| panic!("`{}` has no answer after {ANSWER_PATIENCE:?}", request.name))
}
