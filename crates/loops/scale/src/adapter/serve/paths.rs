//! Which path means what.

use apimachinery::selector::LabelSelector;

use crate::adapter::provider::{CustomRequest, Objects};

/// What a path asks for.
#[derive(Debug, PartialEq)]
pub(super) enum Target {
    Group(String),
    Version(String, String),
    Custom {
        version: String,
        request: CustomRequest,
    },
    External {
        namespace: String,
        metric: String,
    },
    Pods {
        namespace: Option<String>,
        name: Option<String>,
    },
    Nodes {
        name: Option<String>,
    },
}

/// Reads a path; `None` is 404.
pub(super) fn target(path: &str) -> Option<Target> {
    let parts: Vec<String> = path
        .strip_prefix("/apis/")?
        .split('/')
        .map(decoded)
        .collect::<Option<_>>()?;
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let parts = match parts.as_slice() {
        [most @ .., ""] if !most.is_empty() => most,
        all => all,
    };
    if parts.iter().any(|part| part.is_empty()) {
        return None;
    }
    match parts {
        [group] => Some(Target::Group((*group).to_owned())),
        [group, version] => Some(Target::Version((*group).to_owned(), (*version).to_owned())),
        ["custom.metrics.k8s.io", version @ ("v1beta1" | "v1beta2"), rest @ ..] => {
            let version = (*version).to_owned();
            custom(rest).map(|request| Target::Custom { version, request })
        }
        ["external.metrics.k8s.io", "v1beta1", "namespaces", namespace, metric] => Some(Target::External {
            namespace: (*namespace).to_owned(),
            metric: (*metric).to_owned(),
        }),
        ["metrics.k8s.io", "v1beta1", rest @ ..] => usage(rest),
        _ => None,
    }
}

fn usage(rest: &[&str]) -> Option<Target> {
    let some = |text: &str| Some(text.to_owned());
    let (namespace, name) = match rest {
        ["nodes"] => return Some(Target::Nodes { name: None }),
        ["nodes", name] => return Some(Target::Nodes { name: some(name) }),
        ["pods"] => (None, None),
        ["namespaces", namespace, "pods"] => (some(namespace), None),
        ["namespaces", namespace, "pods", name] => (some(namespace), some(name)),
        _ => return None,
    };
    Some(Target::Pods { namespace, name })
}

fn custom(rest: &[&str]) -> Option<CustomRequest> {
    let (namespace, resource, name, metric) = match rest {
        // A metric of the namespace itself.
        ["namespaces", namespace, "metrics", metric] => ("", "namespaces", *namespace, metric),
        ["namespaces", namespace, resource, name, metric] => (*namespace, *resource, *name, metric),
        [resource, name, metric] => ("", *resource, *name, metric),
        _ => return None,
    };
    let (resource, group) = resource.split_once('.').unwrap_or((resource, ""));
    Some(CustomRequest {
        group: group.to_owned(),
        resource: resource.to_owned(),
        namespace: namespace.to_owned(),
        objects: match name {
            "*" => Objects::Selected(LabelSelector::everything()),
            name => Objects::Named(name.to_owned()),
        },
        metric: (*metric).to_owned(),
        metric_selector: LabelSelector::everything(),
    })
}

/// A query string.
#[derive(Debug, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn parse(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        Self(
            pairs
                .filter_map(|pair| {
                    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                    Some((decoded(name)?, decoded(&value.replace('+', " "))?))
                })
                .collect(),
        )
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find_map(|(known, value)| (known == name).then_some(value.as_str()))
    }

    /// The value that the field selector wants of a field.
    pub(super) fn field(&self, path: &str) -> Option<String> {
        let wanted = self.get("fieldSelector")?.split(',').find_map(|term| {
            let (field, value) = term.split_once('=')?;
            (field.trim() == path).then(|| value.trim_start_matches('=').trim().to_owned())
        });
        wanted.filter(|value| !value.is_empty())
    }
}

/// Without percent signs; `None` when they are wrong.
fn decoded(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b'%' {
            let hex = text.get(at + 1..at + 3)?;
            out.push(u8::from_str_radix(hex, 16).ok()?);
            at += 3;
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_mean_one_thing() {
        let custom = |path: &str| match target(&format!("/apis/custom.metrics.k8s.io/v1beta2/{path}")) {
            Some(Target::Custom { request, .. }) => {
                let CustomRequest {
                    group,
                    resource,
                    namespace,
                    metric,
                    ..
                } = request;
                Some([namespace, resource, group, metric].join(" "))
            }
            _ => None,
        };
        for (path, want) in [
            ("namespaces/a/pods/*/m", Some("a pods  m")),
            ("namespaces/a/pods/%2A/m", Some("a pods  m")),
            (
                "namespaces/a/ingresses.networking.k8s.io/x/m",
                Some("a ingresses networking.k8s.io m"),
            ),
            ("namespaces/a/metrics/m", Some(" namespaces  m")),
            ("nodes/n/m", Some(" nodes  m")),
            ("nodes/n", None),
            ("namespaces/a/pods/x", None),
            ("namespaces/a/pods/x/m/more", None),
            ("namespaces/a//x/m", None),
            ("nodes/%zz/m", None),
        ] {
            assert_eq!(custom(path).as_deref(), want, "{path}");
        }
        assert_eq!(target("/apis/metrics.k8s.io/v1beta1/services"), None);
        assert_eq!(target("/api/v1"), None);
    }

    #[test]
    fn a_query_is_decoded() {
        let query = Query::parse("labelSelector=app%3Dweb%2Ctier+in+%28a%29&fieldSelector=metadata.name%3Dx");
        assert_eq!(query.get("labelSelector"), Some("app=web,tier in (a)"));
        assert_eq!(query.field("metadata.name").as_deref(), Some("x"));
    }
}
