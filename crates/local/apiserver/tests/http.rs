//! Requests and their answers, as text: `tests/http/*.txt`.
//!
//! A file is a story on one fresh server. A step is a request line, headers, a body, and after `=>` the code of the answer
//! and parts that its document must have: objects by key, lists item by item, the rest exactly. A text that begins and ends
//! with `...` must only be contained. A line that begins with `#` says what the step is about.

mod support;

use std::path::{Path, PathBuf};

use apiserver::ApiServer;
use http::Request;
use http_body_util::{BodyExt, Full};
use serde_json::Value;
use tower::ServiceExt;

struct Step {
    place: String,
    request: Request<Full<bytes::Bytes>>,
    code: u16,
    parts: Value,
}

fn steps(file: &Path) -> Vec<Step> {
    let text = std::fs::read_to_string(file).expect("a story");
    let mut steps = Vec::new();
    let mut lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.starts_with('#'))
        .peekable();
    while let Some((number, line)) = lines.next() {
        if line.trim().is_empty() {
            continue;
        }
        let place = format!("{}:{}", file.display(), number + 1);
        let (method, path) = line.split_once(' ').unwrap_or_else(|| panic!("{place}: METHOD PATH"));
        let mut request = Request::builder().method(method).uri(path);
        while let Some((name, value)) = lines.peek().and_then(|(_, line)| header(line)) {
            request = request.header(name, value);
            lines.next();
        }
        let (mut body, mut answer, mut code) = (String::new(), String::new(), None);
        for (_, line) in lines.by_ref().take_while(|(_, line)| !line.trim().is_empty()) {
            if let Some(rest) = line.strip_prefix("=> ") {
                let (number, parts) = rest.split_once(' ').unwrap_or((rest, ""));
                code = Some(number.parse().unwrap_or_else(|_| panic!("{place}: => CODE")));
                answer.push_str(parts);
            } else if code.is_some() {
                answer.push_str(line);
            } else {
                body.push_str(line);
                body.push('\n');
            }
        }
        if body.starts_with("LARGE") {
            body = format!(
                "{{\"metadata\":{{\"name\":\"x\"}},\"data\":{{\"x\":\"{}\"}}}}",
                "x".repeat(4 << 20)
            );
        }
        let parts = if answer.is_empty() {
            Ok(Value::Null)
        } else {
            serde_json::from_str(&answer)
        };
        steps.push(Step {
            request: request
                .body(Full::new(body.trim_end().to_owned().into()))
                .expect("a request"),
            code: code.unwrap_or_else(|| panic!("{place}: no answer is expected")),
            parts: parts.unwrap_or_else(|error| panic!("{place}: the expected parts are not JSON: {error}")),
            place,
        });
    }
    steps
}

/// `Name: value`, told from a body by its first letter and from YAML by the second.
fn header(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(": ")?;
    let is_name = name.starts_with(|c: char| c.is_ascii_uppercase()) && !name.contains(['{', ' ', '"']);
    is_name.then_some((name, value))
}

async fn check(server: &ApiServer, step: Step) {
    let Ok(response) = server.service().oneshot(step.request).await;
    let code = response.status().as_u16();
    let warnings: Vec<_> = response
        .headers()
        .get_all("warning")
        .iter()
        .map(|value| value.to_str().unwrap_or("?").to_owned())
        .collect();
    let Ok(collected) = response.into_body().collect().await;
    let bytes = collected.to_bytes();
    let mut document: Value =
        serde_json::from_slice(&bytes).unwrap_or_else(|_| Value::from(String::from_utf8_lossy(&bytes).into_owned()));
    if !warnings.is_empty() && document.is_object() {
        document["warnings"] = warnings.into();
    }
    assert_eq!(code, step.code, "{}: {document:#}", step.place);
    if let Some(difference) = difference(&document, &step.parts, "") {
        panic!("{}: {difference}\nin {document:#}", step.place);
    }
}

/// Where a document lacks what is expected of it. Null expects nothing at the top and absence below it.
fn difference(actual: &Value, expect: &Value, path: &str) -> Option<String> {
    match (actual, expect) {
        (_, Value::Null) if path.is_empty() => None,
        (Value::Object(_), Value::Object(fields)) => fields
            .iter()
            .find_map(|(key, value)| difference(&actual[key], value, &format!("{path}.{key}"))),
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            let mut pairs = left.iter().zip(right).enumerate();
            pairs.find_map(|(place, (left, right))| difference(left, right, &format!("{path}[{place}]")))
        }
        (Value::String(actual), Value::String(expect)) if expect.starts_with("...") => {
            let part = expect.trim_matches('.');
            (!actual.contains(part)).then(|| format!("{path} is {actual:?}, which does not contain {part:?}"))
        }
        _ if actual == expect => None,
        _ => Some(format!("{path} is {actual}, not {expect}")),
    }
}

#[tokio::test(start_paused = true)]
async fn stories() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/http");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("the stories")
        .map(|entry| entry.expect("a file").path())
        .collect();
    files.sort();
    assert!(files.len() > 5, "the stories are there");
    for file in files {
        let server = support::builder().build().expect("built");
        for step in steps(&file) {
            check(&server, step).await;
        }
    }
}
