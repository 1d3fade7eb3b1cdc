//! The order in which objects are applied.

use super::Manifest;

/// Kinds that others need first, as `helm install` orders them; what is not listed comes after, workloads'
/// scalers last.
const FIRST: [&str; 18] = [
    "Namespace",
    "PriorityClass",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "ConfigMap",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleBinding",
    "Role",
    "RoleBinding",
    "Service",
];

/// Sorts by rank; objects of one rank keep the order of their files.
pub(crate) fn sort(objects: &mut [Manifest]) {
    objects.sort_by_key(|manifest| rank(manifest.text("/kind")));
}

fn rank(kind: &str) -> usize {
    match kind {
        "HorizontalPodAutoscaler" | "Ingress" | "APIService" => FIRST.len() + 1,
        _ => FIRST.iter().position(|first| *first == kind).unwrap_or(FIRST.len()),
    }
}

#[cfg(test)]
mod tests {
    use crate::manifests::Manifests;

    #[test]
    fn what_others_need_comes_first() {
        let mut manifests = Manifests::default();
        for kind in [
            "HorizontalPodAutoscaler",
            "Deployment",
            "ConfigMap",
            "Namespace",
            "StatefulSet",
        ] {
            manifests.read_text("a.yaml", &format!("apiVersion: v1\nkind: {kind}\n"));
        }
        super::sort(&mut manifests.objects);
        let kinds: Vec<_> = manifests
            .objects
            .iter()
            .map(|manifest| manifest.text("/kind"))
            .collect();
        assert_eq!(
            kinds,
            [
                "Namespace",
                "ConfigMap",
                "Deployment",
                "StatefulSet",
                "HorizontalPodAutoscaler"
            ]
        );
    }
}
