//! What can be done with the objects of one kind.

mod options;

use std::marker::PhantomData;

use http::Method;
use k8s_openapi::api::autoscaling::v1::Scale;
use kube::Client;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

pub use options::{Deletion, List, ListOptions, Ownership, Patch, Preconditions, Propagation};

use crate::call::{Call, JSON, Route};
use crate::{Error, Result};

/// The objects of one kind in one namespace, or in all; `K` is what answers are read as.
#[derive(Clone)]
pub struct Objects<K> {
    client: Client,
    manager: std::sync::Arc<str>,
    route: Route,
    kind: PhantomData<fn() -> K>,
}

/// Objects asked for in one page of a list: what kubectl and client-go use.
const LIST_PAGE_SIZE: &str = "500";

impl<K: DeserializeOwned> Objects<K> {
    pub(crate) fn new(client: Client, manager: std::sync::Arc<str>, route: Route) -> Self {
        let kind = PhantomData;
        Self {
            client,
            manager,
            route,
            kind,
        }
    }

    /// One object.
    pub async fn get(&self, name: &str) -> Result<K> {
        self.send(self.call(Method::GET, Some(name), None)).await
    }

    /// One object, or `None` when there is none of this name.
    pub async fn find(&self, name: &str) -> Result<Option<K>> {
        match self.get(name).await {
            Ok(object) => Ok(Some(object)),
            Err(Error::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All objects that `options` select, page by page.
    pub async fn list(&self, options: &ListOptions) -> Result<List<K>> {
        let mut all: Option<List<K>> = None;
        let mut token = String::new();
        loop {
            let call = self
                .call(Method::GET, None, None)
                .query("labelSelector", &options.labels)
                .query("fieldSelector", &options.fields)
                .query("limit", LIST_PAGE_SIZE)
                .query("continue", &token);
            let mut page: List<K> = self.send(call).await?;
            token = page.metadata.continue_.take().unwrap_or_default();
            let list = match all.take() {
                None => page,
                Some(mut list) => {
                    list.items.append(&mut page.items);
                    list
                }
            };
            if token.is_empty() {
                return Ok(list);
            }
            all = Some(list);
        }
    }

    /// Creates an object; the answer has what the server filled in.
    pub async fn create(&self, object: &impl Serialize) -> Result<K> {
        let call = self.write(Method::POST, None, None).body(JSON, object)?;
        self.send(call).await
    }

    /// Replaces an object. Its `resourceVersion`, if set, must be the current one.
    pub async fn replace(&self, name: &str, object: &impl Serialize) -> Result<K> {
        let call = self.write(Method::PUT, Some(name), None).body(JSON, object)?;
        self.send(call).await
    }

    /// Replaces an object's status and nothing else. Its `resourceVersion`, if set, must be the current one.
    pub async fn replace_status(&self, name: &str, object: &impl Serialize) -> Result<K> {
        let call = self.write(Method::PUT, Some(name), Some("status")).body(JSON, object)?;
        self.send(call).await
    }

    /// Changes a part of an object.
    pub async fn patch(&self, name: &str, patch: &Patch) -> Result<K> {
        self.patch_at(name, None, patch).await
    }

    /// Changes a part of an object's status; the body starts at the object: `{"status": {…}}`.
    pub async fn patch_status(&self, name: &str, patch: &Patch) -> Result<K> {
        self.patch_at(name, Some("status"), patch).await
    }

    /// Changes a part of a subresource such as `ephemeralcontainers` or `resize`.
    pub async fn patch_subresource(&self, name: &str, subresource: &str, patch: &Patch) -> Result<K> {
        self.patch_at(name, Some(subresource), patch).await
    }

    /// Server-side apply: states the fields that this manager wants, and gives up those it stated before and
    /// states no more.
    pub async fn apply(&self, name: &str, object: &impl Serialize, ownership: Ownership) -> Result<K> {
        self.apply_at(name, None, object, ownership).await
    }

    /// Server-side apply of an object's status.
    pub async fn apply_status(&self, name: &str, object: &impl Serialize, ownership: Ownership) -> Result<K> {
        self.apply_at(name, Some("status"), object, ownership).await
    }

    /// Deletes an object, or starts to: one with finalizers, and a Pod within its grace period, stays for a
    /// while with its `deletionTimestamp` set.
    pub async fn delete(&self, name: &str, deletion: &Deletion) -> Result<()> {
        let call = self.write(Method::DELETE, Some(name), None);
        self.send_value(call.body(JSON, &with_type("v1", "DeleteOptions", deletion)?)?)
            .await
            .map(drop)
    }

    /// Deletes all objects that `options` select.
    pub async fn delete_all(&self, options: &ListOptions, deletion: &Deletion) -> Result<()> {
        let call = self
            .write(Method::DELETE, None, None)
            .query("labelSelector", &options.labels)
            .query("fieldSelector", &options.fields);
        self.send_value(call.body(JSON, &with_type("v1", "DeleteOptions", deletion)?)?)
            .await
            .map(drop)
    }

    /// The scale of an object: desired and observed replicas with the selector of its Pods.
    pub async fn scale(&self, name: &str) -> Result<Scale> {
        self.send(self.call(Method::GET, Some(name), Some("scale"))).await
    }

    /// Sets the desired replicas through the scale subresource.
    pub async fn set_replicas(&self, name: &str, replicas: i32) -> Result<Scale> {
        let patch = json!({ "spec": { "replicas": replicas } });
        let call = self.write(Method::PATCH, Some(name), Some("scale"));
        self.send(call.body("application/merge-patch+json", &patch)?).await
    }

    /// Asks for a Pod to be evicted. [`Error::Throttled`] when a disruption budget forbids it now.
    pub async fn evict(&self, name: &str, deletion: &Deletion) -> Result<()> {
        let body = json!({
            "apiVersion": "policy/v1", "kind": "Eviction",
            "metadata": { "name": name },
            "deleteOptions": deletion,
        });
        self.create_at(name, "eviction", &body).await.map(drop)
    }

    /// Creates a subresource such as `binding` or `token`; the answer as it came.
    pub async fn create_at(&self, name: &str, subresource: &str, body: &impl Serialize) -> Result<Value> {
        let call = self.write(Method::POST, Some(name), Some(subresource));
        self.send_value(call.body(JSON, body)?).await
    }

    /// Replaces a subresource such as `finalize`; the answer as it came.
    pub async fn replace_at(&self, name: &str, subresource: &str, body: &impl Serialize) -> Result<Value> {
        let call = self.write(Method::PUT, Some(name), Some(subresource));
        self.send_value(call.body(JSON, body)?).await
    }

    async fn patch_at(&self, name: &str, subresource: Option<&str>, patch: &Patch) -> Result<K> {
        let (content_type, body) = patch.parts();
        let call = self.write(Method::PATCH, Some(name), subresource);
        self.send(call.body(content_type, body)?).await
    }

    async fn apply_at(
        &self,
        name: &str,
        subresource: Option<&str>,
        object: &impl Serialize,
        ownership: Ownership,
    ) -> Result<K> {
        let force = match ownership {
            Ownership::Ask => "",
            Ownership::Force => "true",
        };
        let call = self.write(Method::PATCH, Some(name), subresource).query("force", force);
        self.send(call.body("application/apply-patch+yaml", object)?).await
    }

    fn call(&self, method: Method, name: Option<&str>, subresource: Option<&str>) -> Call {
        Call::new(method, &self.route, name, subresource)
    }

    fn write(&self, method: Method, name: Option<&str>, subresource: Option<&str>) -> Call {
        let is_delete = method == Method::DELETE;
        let call = self.call(method, name, subresource);
        if is_delete {
            call
        } else {
            call.query("fieldManager", &self.manager)
        }
    }

    async fn send<T: DeserializeOwned>(&self, call: Call) -> Result<T> {
        Ok(self.client.request(call.request()?).await?)
    }

    async fn send_value(&self, call: Call) -> Result<Value> {
        Ok(self.client.request(call.request()?).await?)
    }
}

fn with_type(api_version: &str, kind: &str, body: &impl Serialize) -> Result<Value> {
    let mut value = serde_json::to_value(body).map_err(|error| Error::Unreadable(error.to_string()))?;
    value["apiVersion"] = api_version.into();
    value["kind"] = kind.into();
    Ok(value)
}

#[cfg(test)]
mod tests;
