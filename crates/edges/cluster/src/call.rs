//! One HTTP request to the API, built from its parts.

use http::{Method, Request};
use serde::Serialize;

use crate::{Error, Result};

/// Where a kind's objects are served: `/apis/apps/v1`, a namespace, `deployments`.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    pub(crate) collection: String,
}

impl Route {
    pub(crate) fn of<K: kube::Resource>(dynamic: &K::DynamicType, namespace: Option<&str>) -> Self {
        let collection = K::url_path(dynamic, namespace);
        Self { collection }
    }

    fn path(&self, name: Option<&str>, subresource: Option<&str>) -> String {
        let mut path = self.collection.clone();
        for segment in [name, subresource].into_iter().flatten() {
            path.push('/');
            encode_into(segment, &mut path);
        }
        path
    }
}

/// A request in the making.
pub(crate) struct Call {
    method: Method,
    path: String,
    query: String,
    content_type: &'static str,
    body: Vec<u8>,
}

pub(crate) const JSON: &str = "application/json";

impl Call {
    pub(crate) fn new(method: Method, route: &Route, name: Option<&str>, subresource: Option<&str>) -> Self {
        Self {
            method,
            path: route.path(name, subresource),
            query: String::new(),
            content_type: JSON,
            body: Vec::new(),
        }
    }

    pub(crate) fn query(mut self, name: &str, value: &str) -> Self {
        if !value.is_empty() {
            self.query.push(if self.query.is_empty() { '?' } else { '&' });
            self.query.push_str(name);
            self.query.push('=');
            encode_into(value, &mut self.query);
        }
        self
    }

    pub(crate) fn body(mut self, content_type: &'static str, body: &impl Serialize) -> Result<Self> {
        self.content_type = content_type;
        self.body = serde_json::to_vec(body).map_err(|error| Error::Unreadable(error.to_string()))?;
        Ok(self)
    }

    pub(crate) fn request(self) -> Result<Request<Vec<u8>>> {
        Request::builder()
            .method(self.method)
            .uri(self.path + &self.query)
            .header(http::header::ACCEPT, JSON)
            .header(http::header::CONTENT_TYPE, self.content_type)
            .body(self.body)
            .map_err(|error| Error::Unreadable(error.to_string()))
    }
}

/// Percent-encodes everything that is not unreserved in RFC 3986.
fn encode_into(text: &str, out: &mut String) {
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::{apps::v1::Deployment, core::v1::Node};

    #[test]
    fn paths_follow_the_kind_and_names_are_encoded() {
        let web = Route::of::<Deployment>(&(), Some("shop"));
        let call = Call::new(Method::GET, &web, Some("web/../x"), Some("status")).query("labelSelector", "a in (b)");
        assert_eq!(
            call.request().unwrap().uri(),
            "/apis/apps/v1/namespaces/shop/deployments/web%2F..%2Fx/status?labelSelector=a%20in%20%28b%29"
        );
        let nodes = Route::of::<Node>(&(), None);
        let call = Call::new(Method::GET, &nodes, None, None).query("limit", "");
        assert_eq!(call.request().unwrap().uri(), "/api/v1/nodes");
    }
}
