//! What a request asks for, in the words of RBAC.
//!
//! Source: apiserver's `RequestInfoFactory`: after group and version comes, maybe, a namespace, then resource, name and
//! subresource. Without a name a `get` is a `list`.

use http::Method;

use super::Access;

pub(super) fn access(method: &Method, path: &str) -> Access {
    let verb = match *method {
        Method::GET | Method::HEAD => "get",
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE => "delete",
        _ => "",
    };
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let ["apis", group, version, rest @ ..] = parts.as_slice() else {
        return plain(verb, path);
    };
    let (namespace, rest) = match rest {
        ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (*namespace, rest),
        ["namespaces", namespace] => (*namespace, rest),
        rest => ("", rest),
    };
    let [resource, after @ ..] = rest else {
        return plain(verb, path);
    };
    let name = after.first().copied().unwrap_or_default();
    let verb = if verb == "get" && name.is_empty() { "list" } else { verb };
    Access::Resource {
        verb: verb.to_owned(),
        group: (*group).to_owned(),
        version: (*version).to_owned(),
        namespace: namespace.to_owned(),
        resource: (*resource).to_owned(),
        subresource: after.get(1).copied().unwrap_or_default().to_owned(),
        name: name.to_owned(),
    }
}

fn plain(verb: &str, path: &str) -> Access {
    Access::Path {
        verb: verb.to_owned(),
        path: path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_said_in_the_words_of_rbac() {
        let said = |path: &str| match access(&Method::GET, path) {
            Access::Path { verb, path } => format!("{verb} {path}"),
            Access::Resource {
                verb,
                namespace,
                resource,
                subresource,
                name,
                ..
            } => {
                format!("{verb} {namespace}:{resource}:{name}:{subresource}")
            }
        };
        for (path, want) in [
            (
                "/apis/custom.metrics.k8s.io/v1beta1",
                "get /apis/custom.metrics.k8s.io/v1beta1",
            ),
            (
                "/apis/custom.metrics.k8s.io/v1beta2/namespaces/a/pods/*/m",
                "get a:pods:*:m",
            ),
            ("/apis/custom.metrics.k8s.io/v1beta2/nodes/n/m", "get :nodes:n:m"),
            (
                "/apis/external.metrics.k8s.io/v1beta1/namespaces/a/queue",
                "list a:queue::",
            ),
            ("/apis/metrics.k8s.io/v1beta1/namespaces/a/pods", "list a:pods::"),
            ("/metrics", "get /metrics"),
        ] {
            assert_eq!(said(path), want, "{path}");
        }
    }
}
