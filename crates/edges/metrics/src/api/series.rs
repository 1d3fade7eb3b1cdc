//! `/series`, `/labels`, `/label/<name>/values`, `/metadata`.

use std::collections::BTreeSet;

use axum::extract::{Path, State};
use promql::labels::Labels;
use promql::matcher::Matcher;

use super::Backend;
use super::json::Json;
use super::params::Params;
use super::reply::{ApiError, Reply, Result};

const TRUNCATED: &str = "results truncated due to limit";

pub(super) async fn series(State(backend): State<Backend>, params: Params) -> Result {
    let limit = params.limit()?;
    let (start_ms, end_ms) = params.range_ms()?;
    let selectors = params.selectors()?;
    if selectors.is_empty() {
        return Err(ApiError::bad_data("no match[] parameter provided"));
    }
    let head = backend.inner.store.head();
    let found: BTreeSet<Labels> = selectors
        .iter()
        .flat_map(|matchers| head.label_sets(matchers, start_ms, end_ms))
        .collect();
    drop(head);
    let reply = Reply::new(|json| {
        json.list(found.iter().take(limit), |json, labels| {
            json.labels(labels);
        });
    });
    Ok(if found.len() > limit {
        reply.warn(TRUNCATED)
    } else {
        reply
    })
}

pub(super) async fn label_names(State(backend): State<Backend>, params: Params) -> Result {
    let (start_ms, end_ms) = params.range_ms()?;
    let head = backend.inner.store.head();
    strings(&params, |matchers| head.label_names(matchers, start_ms, end_ms))
}

pub(super) async fn label_values(State(backend): State<Backend>, Path(name): Path<String>, params: Params) -> Result {
    let name = unescape_name(&name);
    if name.is_empty() {
        return Err(ApiError::bad_data(format!("invalid label name: {name:?}")));
    }
    let (start_ms, end_ms) = params.range_ms()?;
    let head = backend.inner.store.head();
    strings(&params, |matchers| head.label_values(&name, matchers, start_ms, end_ms))
}

/// The union of what `read` finds for each selector, or for none.
fn strings(params: &Params, read: impl Fn(&[Matcher]) -> Vec<String>) -> Result {
    let limit = params.limit()?;
    let mut selectors = params.selectors()?;
    if selectors.is_empty() {
        selectors.push(Vec::new());
    }
    let found: BTreeSet<String> = selectors.iter().flat_map(|matchers| read(matchers)).collect();
    let reply = Reply::new(|json| {
        json.list(found.iter().take(limit), |json, text| {
            json.string(text);
        });
    });
    Ok(if found.len() > limit {
        reply.warn(TRUNCATED)
    } else {
        reply
    })
}

/// `U__http_2e_status` is how a path spells `http.status`: `_xx_` is a character's number, `__` is `_`.
fn unescape_name(name: &str) -> String {
    let Some(mut rest) = name.strip_prefix("U__") else {
        return name.to_owned();
    };
    let mut plain = String::new();
    while let Some((before, after)) = rest.split_once('_') {
        plain.push_str(before);
        let Some((code, after)) = after.split_once('_') else {
            return name.to_owned();
        };
        match code {
            "" => plain.push('_'),
            code => match u32::from_str_radix(code, 16).ok().and_then(char::from_u32) {
                Some(character) => plain.push(character),
                None => return name.to_owned(),
            },
        }
        rest = after;
    }
    plain + rest
}

pub(super) async fn metadata(State(backend): State<Backend>, params: Params) -> Result {
    let limit = params.limit()?;
    let metric = params.get("metric");
    let entries = backend
        .inner
        .store
        .metadata(|name| metric.is_none_or(|metric| metric == name));
    Ok(Reply::new(|json| {
        let fields = entries.iter().take(limit).map(|(name, entry)| (name.as_str(), entry));
        json.object(fields, |json, entry| {
            let fields = [
                ("type", entry.kind.as_str()),
                ("unit", &entry.unit),
                ("help", &entry.help),
            ];
            json.raw('[').object(fields, string).raw(']');
        });
    }))
}

fn string(json: &mut Json, text: &str) {
    json.string(text);
}

#[cfg(test)]
mod tests {
    use super::unescape_name;

    #[test]
    fn names_in_paths() {
        for (path, name) in [
            ("job", "job"),
            ("U__http_2e_status", "http.status"),
            ("U__a__b", "a_b"),
            ("U__a_zz_", "U__a_zz_"),
        ] {
            assert_eq!(unescape_name(path), name);
        }
    }
}
