//! What a decision is about.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One Kubernetes object, named as people name it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Subject {
    /// The kind in CamelCase, such as `HorizontalPodAutoscaler`.
    pub kind: String,
    /// The namespace; `None` for cluster-scoped kinds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The object's name.
    pub name: String,
}

impl Subject {
    /// A namespaced object.
    pub fn namespaced(kind: impl Into<String>, namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            namespace: Some(namespace.into()),
            name: name.into(),
        }
    }

    /// A cluster-scoped object.
    pub fn cluster_scoped(kind: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            namespace: None,
            name: name.into(),
        }
    }

    /// Whether `reference`, as a user types it (`hpa/web`, `horizontalpodautoscalers/web`,
    /// `Deployment/web`), means this object. Namespaces are compared by the caller.
    pub fn answers_to(&self, reference: &str) -> bool {
        let Some((kind, name)) = reference.split_once('/') else {
            return false;
        };
        name == self.name && self.kind_answers_to(kind)
    }

    fn kind_answers_to(&self, asked: &str) -> bool {
        let asked = asked.to_ascii_lowercase();
        let asked = asked.split('.').next().unwrap_or_default();
        let own = self.kind.to_ascii_lowercase();
        asked == own || asked == short_name(&own) || asked.strip_suffix('s') == Some(&own) || asked == plural(&own)
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", short_name(&self.kind.to_ascii_lowercase()), self.name)
    }
}

fn plural(kind: &str) -> String {
    match kind.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None if kind.ends_with('s') => format!("{kind}es"),
        None => format!("{kind}s"),
    }
}

/// The short names that Kubernetes registers for the kinds that loops speak of.
fn short_name(kind: &str) -> &str {
    match kind {
        "horizontalpodautoscaler" => "hpa",
        "deployment" => "deploy",
        "poddisruptionbudget" => "pdb",
        "replicaset" => "rs",
        "statefulset" => "sts",
        "service" => "svc",
        "namespace" => "ns",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_answers_to_every_name_that_kubectl_takes() {
        let hpa = Subject::namespaced("HorizontalPodAutoscaler", "default", "web");
        for reference in [
            "hpa/web",
            "HorizontalPodAutoscaler/web",
            "horizontalpodautoscalers/web",
            "horizontalpodautoscalers.autoscaling/web",
        ] {
            assert!(hpa.answers_to(reference), "{reference}");
        }
        for reference in ["hpa/price", "deploy/web", "web", "pod/web"] {
            assert!(!hpa.answers_to(reference), "{reference}");
        }
        assert!(Subject::namespaced("NetworkPolicy", "a", "b").answers_to("networkpolicies/b"));
    }

    #[test]
    fn it_prints_as_kubectl_would_say_it() {
        assert_eq!(Subject::namespaced("Pod", "default", "web-1").to_string(), "pod/web-1");
        assert_eq!(Subject::cluster_scoped("Node", "laptop").to_string(), "node/laptop");
    }
}
