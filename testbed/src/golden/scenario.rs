//! Scenarios as text.
//!
//! ```text
//! ### create it
//! POST /api/v1/namespaces/default/configmaps
//! Accept: application/json
//!
//! {"apiVersion": "v1", …}
//! ```

use anyhow::{Context, Result, ensure};

/// One request of a scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What it is called; unique within its scenario.
    pub name: String,
    /// The HTTP method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Headers as they are sent.
    pub headers: Vec<(String, String)>,
    /// The body; empty where there is none.
    pub body: String,
}

/// Reads a scenario; an error says which request is malformed.
pub fn parse(text: &str) -> Result<Vec<Request>> {
    let mut requests: Vec<Request> = Vec::new();
    for part in text.split("\n### ").skip(usize::from(!text.starts_with("### "))) {
        let part = part.strip_prefix("### ").unwrap_or(part);
        let (name, rest) = part.split_once('\n').context("a request ends after its name")?;
        let request = parse_request(name.trim(), rest).with_context(|| format!("request `{name}`"))?;
        ensure!(
            requests.iter().all(|other| other.name != request.name),
            "two requests are called `{name}`"
        );
        requests.push(request);
    }
    Ok(requests)
}

fn parse_request(name: &str, text: &str) -> Result<Request> {
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let mut lines = head.lines();
    let first = lines.next().context("no request line")?;
    let (method, path) = first.split_once(' ').context("the request line is METHOD PATH")?;
    let mut headers = Vec::new();
    for line in lines.filter(|line| !line.trim().is_empty()) {
        let (header, value) = line.split_once(':').context("a header is NAME: VALUE")?;
        headers.push((header.trim().to_owned(), value.trim().to_owned()));
    }
    if !body.trim().is_empty()
        && !headers
            .iter()
            .any(|(header, _)| header.eq_ignore_ascii_case("content-type"))
    {
        headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
    }
    Ok(Request {
        name: name.to_owned(),
        method: method.to_owned(),
        path: path.trim().to_owned(),
        headers,
        body: body.trim().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_is_its_requests_in_order() {
        let text =
            "A comment.\n\n### list\nGET /api/v1/pods?limit=1\nAccept: a/b\n\n### create\nPOST /x\n\n{\"a\": 1}\n";
        let requests = parse(text).expect("a scenario");
        assert_eq!(requests.len(), 2);
        assert_eq!(requests[0].headers, [("Accept".to_owned(), "a/b".to_owned())]);
        assert_eq!(
            (requests[1].method.as_str(), requests[1].body.as_str()),
            ("POST", "{\"a\": 1}")
        );
        assert_eq!(requests[1].headers[0].1, "application/json");
    }

    #[test]
    fn a_name_stands_once() {
        assert!(parse("### a\nGET /\n\n### a\nGET /\n").is_err());
    }
}
