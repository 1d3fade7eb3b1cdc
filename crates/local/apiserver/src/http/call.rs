//! A request before anything is known of its objects: which path, which verb, for how long.

use apimachinery::resources::RequestPath;
use http::Method;
use http::request::Parts;

use crate::authorize::{Attributes, What};

use super::query::{Plus, Query, decode};

/// What can be said of a request by its first line.
pub(crate) struct Call {
    pub(crate) method: Method,
    /// The path, percent-decoded.
    pub(crate) path: String,
    /// The path's meaning, for paths of objects.
    pub(crate) resource: Option<RequestPath>,
    pub(crate) query: Query,
}

impl Call {
    pub(crate) fn new(parts: &Parts) -> Self {
        let path = decode(parts.uri.path(), Plus::Itself);
        let resource = RequestPath::parse(&path);
        let query = Query::parse(parts.uri.query().unwrap_or_default());
        Call {
            method: parts.method.clone(),
            path,
            resource,
            query,
        }
    }

    /// Whether it asks for what changes rather than for what is.
    pub(crate) fn is_watch(&self) -> bool {
        self.resource.as_ref().is_some_and(|path| {
            let reads = self.method == Method::GET || self.method == Method::HEAD;
            reads && path.subresource.is_none() && (path.watch || self.query.flag("watch"))
        })
    }

    /// Whether the answer goes on for as long as the client listens.
    pub(crate) fn is_long_running(&self) -> bool {
        let subresource = self.resource.as_ref().and_then(|path| path.subresource.as_deref());
        match subresource {
            Some("log") => self.query.flag("follow"),
            Some("exec" | "attach" | "portforward" | "proxy") => true,
            _ => self.is_watch(),
        }
    }

    /// What authorisation has to decide.
    pub(crate) fn attributes(&self) -> Attributes {
        let what = match &self.resource {
            None => What::Path(self.path.clone()),
            Some(path) => What::Resource {
                group: path.group_version.group.clone(),
                resource: path.resource.clone(),
                subresource: path.subresource.clone().unwrap_or_default(),
                namespace: path.namespace.clone().unwrap_or_default(),
                name: path.name.clone().unwrap_or_default(),
            },
        };
        Attributes {
            verb: self.verb().to_owned(),
            what,
        }
    }

    /// The verb as authorisation knows it. Source: apiserver's `RequestInfoFactory`.
    pub(crate) fn verb(&self) -> &'static str {
        let Some(path) = &self.resource else {
            return match self.method {
                Method::POST => "post",
                Method::PUT => "put",
                Method::PATCH => "patch",
                Method::DELETE => "delete",
                _ => "get",
            };
        };
        match (&self.method, path.name.is_some()) {
            (&Method::POST, _) => "create",
            (&Method::PUT, _) => "update",
            (&Method::PATCH, _) => "patch",
            (&Method::DELETE, true) => "delete",
            (&Method::DELETE, false) => "deletecollection",
            _ if self.is_watch() => "watch",
            (_, true) => "get",
            (_, false) => "list",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verbs() {
        let check = |method: &str, uri: &str, verb: &str, long_running: bool| {
            let request = http::Request::builder()
                .method(method)
                .uri(uri)
                .body(())
                .expect("a request");
            let call = Call::new(&request.into_parts().0);
            assert_eq!(
                (call.verb(), call.is_long_running()),
                (verb, long_running),
                "{method} {uri}"
            );
        };
        check("GET", "/api/v1/pods", "list", false);
        check("GET", "/api/v1/pods?watch=1", "watch", true);
        check("GET", "/api/v1/watch/pods", "watch", true);
        check("GET", "/api/v1/namespaces/a/pods/x", "get", false);
        check("GET", "/api/v1/namespaces/a/pods/x/log?follow=true", "get", true);
        check("GET", "/api/v1/namespaces/a/pods/x/exec?command=ls", "get", true);
        check("POST", "/api/v1/namespaces/a/pods", "create", false);
        check("DELETE", "/api/v1/namespaces/a/pods", "deletecollection", false);
        check("PATCH", "/api/v1/namespaces/a/pods/x/status", "patch", false);
        check("GET", "/healthz", "get", false);
    }
}
