//! What a path of the resource API asks for.

use super::{GroupVersion, GroupVersionResource};

/// The parts of a path such as `/apis/apps/v1/namespaces/default/deployments/web/scale`.
///
/// Source: apiserver's `RequestInfoFactory`. Paths that are not of the resource API (`/healthz`, `/apis/apps`) do not parse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestPath {
    /// Group and version of the path.
    pub group_version: GroupVersion,
    /// The namespace, where the path has one; the namespace's own name for `namespaces/NAME`.
    pub namespace: Option<String>,
    /// The plural name of the resource.
    pub resource: String,
    /// The name of one object, `None` for the collection.
    pub name: Option<String>,
    /// The subresource: `status`, `scale`, `log`, `proxy`.
    pub subresource: Option<String>,
    /// What follows the subresource (`proxy` paths), without its leading slash.
    pub rest: String,
    /// Whether the path is of the deprecated form `/api/v1/watch/...`.
    pub watch: bool,
}

/// Subresources of a Namespace itself; any other word after `namespaces/NAME` is a resource within it.
const NAMESPACE_SUBRESOURCES: [&str; 2] = ["status", "finalize"];

impl RequestPath {
    /// Reads a path without its query; segments are percent-decoded by the caller.
    pub fn parse(path: &str) -> Option<Self> {
        let mut segments = path
            .trim_matches('/')
            .split('/')
            .filter(|segment| !segment.is_empty())
            .peekable();
        let group_version = match segments.next()? {
            "api" => GroupVersion {
                group: String::new(),
                version: segments.next()?.to_owned(),
            },
            "apis" => GroupVersion {
                group: segments.next()?.to_owned(),
                version: segments.next()?.to_owned(),
            },
            _ => return None,
        };
        let watch = segments.next_if_eq(&"watch").is_some();
        let mut parts: Vec<&str> = segments.collect();
        let mut namespace = None;
        if parts.first() == Some(&"namespaces") && parts.len() > 1 {
            namespace = Some(parts[1].to_owned());
            if parts.len() > 2 && !NAMESPACE_SUBRESOURCES.contains(&parts[2]) {
                parts.drain(..2);
            }
        }
        let mut parts = parts.into_iter();
        Some(RequestPath {
            group_version,
            namespace,
            resource: parts.next()?.to_owned(),
            name: parts.next().map(str::to_owned),
            subresource: parts.next().map(str::to_owned),
            rest: parts.collect::<Vec<_>>().join("/"),
            watch,
        })
    }

    /// Group, version and resource.
    pub fn group_version_resource(&self) -> GroupVersionResource {
        GroupVersionResource::new(&self.group_version.group, &self.group_version.version, &self.resource)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Group version, namespace, resource, name, subresource, rest.
    type Parts<'a> = (
        &'a str,
        Option<&'a str>,
        &'a str,
        Option<&'a str>,
        Option<&'a str>,
        &'a str,
    );

    fn check(path: &str, expect: Option<Parts<'_>>) {
        let parsed = RequestPath::parse(path);
        let group_version = parsed
            .as_ref()
            .map(|parsed| parsed.group_version.to_string())
            .unwrap_or_default();
        let got = parsed.as_ref().map(|parsed| {
            let RequestPath {
                namespace,
                resource,
                name,
                subresource,
                rest,
                ..
            } = parsed;
            (
                &*group_version,
                namespace.as_deref(),
                &**resource,
                name.as_deref(),
                subresource.as_deref(),
                &**rest,
            )
        });
        assert_eq!(got, expect, "{path}");
    }

    #[test]
    fn paths() {
        check("/api/v1/pods", Some(("v1", None, "pods", None, None, "")));
        check(
            "/api/v1/namespaces/a/pods/x/log",
            Some(("v1", Some("a"), "pods", Some("x"), Some("log"), "")),
        );
        check(
            "/api/v1/namespaces/a",
            Some(("v1", Some("a"), "namespaces", Some("a"), None, "")),
        );
        check(
            "/api/v1/namespaces/a/finalize",
            Some(("v1", Some("a"), "namespaces", Some("a"), Some("finalize"), "")),
        );
        check("/api/v1/namespaces", Some(("v1", None, "namespaces", None, None, "")));
        check(
            "/apis/apps/v1/namespaces/a/deployments/web/scale/",
            Some(("apps/v1", Some("a"), "deployments", Some("web"), Some("scale"), "")),
        );
        check(
            "/api/v1/namespaces/a/services/http:web:80/proxy/x/y",
            Some(("v1", Some("a"), "services", Some("http:web:80"), Some("proxy"), "x/y")),
        );
        check(
            "/api/v1/watch/namespaces/a/pods",
            Some(("v1", Some("a"), "pods", None, None, "")),
        );
        check("/apis/apps/v1", None);
        check("/healthz", None);
    }
}
