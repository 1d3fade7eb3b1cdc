//! What kinds of objects there are and where the server keeps them.

use std::fmt;

use kube::core::{ApiResource, GroupVersionKind};
use serde::{Serialize, de::DeserializeOwned};

/// A Kubernetes type known at compile time, such as `k8s_openapi`'s `Pod`.
pub trait Object:
    kube::Resource<DynamicType = ()> + Clone + fmt::Debug + Serialize + DeserializeOwned + Send + Sync + 'static
{
}

impl<K> Object for K where
    K: kube::Resource<DynamicType = ()> + Clone + fmt::Debug + Serialize + DeserializeOwned + Send + Sync + 'static
{
}

/// Whether objects of a kind live in namespaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reach {
    /// In a namespace.
    Namespaced,
    /// In the cluster as a whole.
    ClusterWide,
}

/// One kind as the server serves it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Kind {
    /// API group; empty for the core group.
    pub group: String,
    /// Version within the group.
    pub version: String,
    /// The kind in CamelCase.
    pub kind: String,
    /// The name in paths, such as `deployments`.
    pub plural: String,
    /// Whether its objects live in namespaces.
    pub reach: Reach,
    /// What can be done with it: `get`, `list`, `watch`, `delete`, …
    pub verbs: Vec<String>,
    /// Whether this is the version that the server prefers for the kind.
    pub preferred: bool,
}

impl Kind {
    /// The kind of a type known at compile time, with all verbs.
    pub fn of<K: Object>() -> Self
    where
        K::Scope: 'static,
    {
        use std::any::TypeId;
        let namespaced = TypeId::of::<K::Scope>() == TypeId::of::<k8s_openapi::NamespaceResourceScope>();
        let verbs = ["create", "delete", "get", "list", "patch", "update", "watch"];
        Self {
            group: K::group(&()).into_owned(),
            version: K::version(&()).into_owned(),
            kind: K::kind(&()).into_owned(),
            plural: K::plural(&()).into_owned(),
            reach: if namespaced {
                Reach::Namespaced
            } else {
                Reach::ClusterWide
            },
            verbs: verbs.map(str::to_owned).into(),
            preferred: true,
        }
    }

    /// `apps/v1`, or `v1` for the core group.
    pub fn api_version(&self) -> String {
        match self.group.as_str() {
            "" => self.version.clone(),
            group => format!("{group}/{}", self.version),
        }
    }

    /// Whether the server offers `verb` for it.
    pub fn allows(&self, verb: &str) -> bool {
        self.verbs.iter().any(|allowed| allowed == verb)
    }

    pub(crate) fn resource(&self) -> ApiResource {
        let kind = GroupVersionKind::gvk(&self.group, &self.version, &self.kind);
        ApiResource::from_gvk_with_plural(&kind, &self.plural)
    }

    /// Whether an `apiVersion` and a `kind` as objects carry them mean this kind, in any version.
    pub fn is(&self, api_version: &str, kind: &str) -> bool {
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        self.kind == kind && self.group == group
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.api_version(), self.kind)
    }
}

/// Which object: its namespace, empty for cluster-wide kinds, and its name.
///
/// The order is by namespace first, so that a sorted map answers "all of one namespace" with a range.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    /// The namespace; empty for cluster-wide kinds.
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl ObjectKey {
    /// A key from its parts.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    /// The key of an object.
    pub fn of<K: kube::Resource>(object: &K) -> Self {
        let meta = object.meta();
        Self::new(
            meta.namespace.clone().unwrap_or_default(),
            meta.name.clone().unwrap_or_default(),
        )
    }

    /// The namespace as calls take it.
    pub fn namespace(&self) -> Option<&str> {
        Some(self.namespace.as_str()).filter(|namespace| !namespace.is_empty())
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.namespace() {
            Some(namespace) => write!(f, "{namespace}/{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::{apps::v1::Deployment, core::v1::Node};

    use super::*;

    #[test]
    fn a_type_knows_its_kind() {
        let kind = Kind::of::<Deployment>();
        assert_eq!(
            (kind.to_string().as_str(), kind.reach),
            ("apps/v1/Deployment", Reach::Namespaced)
        );
        assert_eq!(Kind::of::<Node>().reach, Reach::ClusterWide);
        assert!(kind.is("apps/v1beta1", "Deployment") && !kind.is("v1", "Deployment"));
    }
}
