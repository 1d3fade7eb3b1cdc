//! How to change, delete and list.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ListMeta;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

/// A change of a part of an object.
#[derive(Debug, Clone, PartialEq)]
pub enum Patch {
    /// JSON merge patch (RFC 7386).
    Merge(Value),
    /// Kubernetes' strategic merge patch, which knows lists by their keys.
    Strategic(Value),
    /// JSON patch (RFC 6902): a list of operations.
    Json(Value),
}

impl Patch {
    pub(super) fn parts(&self) -> (&'static str, &Value) {
        match self {
            Self::Merge(body) => ("application/merge-patch+json", body),
            Self::Strategic(body) => ("application/strategic-merge-patch+json", body),
            Self::Json(body) => ("application/json-patch+json", body),
        }
    }
}

/// What happens when server-side apply meets a field that another manager owns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ownership {
    /// Fail with [`crate::Error::Conflict`].
    Ask,
    /// Take the field over.
    Force,
}

/// What happens to the objects that an object owns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Propagation {
    /// The collector deletes them afterwards.
    Background,
    /// They go first.
    Foreground,
    /// They stay and lose their owner.
    Orphan,
}

/// How to delete. The default leaves all to the server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Deletion {
    /// What happens to dependents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub propagation_policy: Option<Propagation>,
    /// Seconds that a Pod gets to end by itself; 0 removes at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grace_period_seconds: Option<i64>,
    /// Only this very object, not a namesake that came after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preconditions: Option<Preconditions>,
}

/// What must hold for a deletion to happen; [`crate::Error::Conflict`] otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Preconditions {
    /// The object's identity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// The object's revision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_version: Option<String>,
}

impl Deletion {
    /// Deletes only the object with this uid.
    pub fn of_uid(uid: impl Into<String>) -> Self {
        let uid = Some(uid.into());
        let preconditions = Some(Preconditions {
            uid,
            resource_version: None,
        });
        Self {
            preconditions,
            ..Self::default()
        }
    }

    /// Says what happens to dependents.
    pub fn propagating(mut self, propagation: Propagation) -> Self {
        self.propagation_policy = Some(propagation);
        self
    }

    /// Says how long a Pod may take to end.
    pub fn within_seconds(mut self, grace_period_seconds: i64) -> Self {
        self.grace_period_seconds = Some(grace_period_seconds);
        self
    }
}

/// Which objects to list. The default lists all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListOptions {
    /// Label selector as kubectl writes it.
    pub labels: String,
    /// Field selector as kubectl writes it.
    pub fields: String,
}

/// Objects with the revision that they were read at.
#[derive(Debug, Clone, Deserialize)]
#[serde(bound = "K: DeserializeOwned")]
pub struct List<K> {
    /// The list's own metadata.
    #[serde(default)]
    pub metadata: ListMeta,
    /// The objects.
    #[serde(default = "Vec::new")]
    pub items: Vec<K>,
}
