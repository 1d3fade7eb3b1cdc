//! What upstream's admission plugins do at a create: namespaces must be alive, Pods get an account, a priority and tolerations.

use apimachinery::resources::{GroupResource, GroupVersionResource};
use apimachinery::status::Status;
use serde_json::{Value, json};

use super::{Registry, Target, WriteOptions};

/// How long a Pod stays on a node that is not ready or not reachable, in seconds. Source: DefaultTolerationSeconds.
const TOLERATION_SECONDS: i64 = 300;

impl Registry {
    /// Objects live in namespaces that exist and do not end. Source: the admission plugin NamespaceLifecycle.
    pub(super) fn admit_namespace(&self, target: &Target) -> Result<(), Status> {
        if !target.served.resource.namespaced() {
            return Ok(());
        }
        let Some(namespace) = self.core_object("namespaces", "", &target.namespace) else {
            return Err(Status::not_found(
                &GroupResource::new("", "namespaces"),
                &target.namespace,
            ));
        };
        if namespace["metadata"]["deletionTimestamp"].is_null() {
            return Ok(());
        }
        let why = format!(
            "unable to create new content in namespace {} because it is being terminated",
            target.namespace
        );
        Err(Status::forbidden(&target.group_resource(), &target.name, &why))
    }

    /// Completes a new Pod. Source: the admission plugins ServiceAccount, Priority and DefaultTolerationSeconds.
    pub(super) fn admit_pod(&self, target: &Target, pod: &mut Value) -> Result<(), Status> {
        if !pod["spec"].is_object() {
            return Ok(());
        }
        self.admit_account(target, pod)?;
        self.admit_priority(target, pod)?;
        for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
            let tolerations = pod["spec"]["tolerations"].as_array();
            let tolerates = |one: &Value| {
                let (own, effect) = (
                    one["key"].as_str().unwrap_or_default(),
                    one["effect"].as_str().unwrap_or_default(),
                );
                (own == key || own.is_empty()) && matches!(effect, "" | "NoExecute")
            };
            if !tolerations.into_iter().flatten().any(tolerates) {
                let toleration = json!({"key": key, "operator": "Exists", "effect": "NoExecute",
                                        "tolerationSeconds": TOLERATION_SECONDS});
                match pod["spec"]["tolerations"].as_array_mut() {
                    Some(list) => list.push(toleration),
                    None => pod["spec"]["tolerations"] = json!([toleration]),
                }
            }
        }
        Ok(())
    }

    fn admit_account(&self, target: &Target, pod: &mut Value) -> Result<(), Status> {
        let named =
            ["serviceAccountName", "serviceAccount"].map(|field| pod["spec"][field].as_str().unwrap_or_default());
        let name = named
            .into_iter()
            .find(|name| !name.is_empty())
            .unwrap_or("default")
            .to_owned();
        if self.core_object("serviceaccounts", &target.namespace, &name).is_none() {
            let namespace = &target.namespace;
            let why =
                format!("error looking up service account {namespace}/{name}: serviceaccount \"{name}\" not found");
            let pod_name = pod["metadata"]["name"].as_str().unwrap_or_default();
            return Err(Status::forbidden(&target.group_resource(), pod_name, &why));
        }
        pod["spec"]["serviceAccountName"] = json!(name);
        pod["spec"]["serviceAccount"] = json!(name);
        Ok(())
    }

    fn admit_priority(&self, target: &Target, pod: &mut Value) -> Result<(), Status> {
        let class = pod["spec"]["priorityClassName"].as_str().unwrap_or_default().to_owned();
        let kinds = self.kinds();
        let key = GroupVersionResource::new("scheduling.k8s.io", "v1", "priorityclasses");
        let Some(served) = kinds.find(&key) else { return Ok(()) };
        let chosen = if class.is_empty() {
            let classes = self.store().list(&served.table, None, |_| true).objects;
            classes
                .iter()
                .map(|class| class.value())
                .find(|class| class["globalDefault"] == true)
        } else {
            let found = self
                .store()
                .get(&crate::store::ObjectKey::new(&served.table, "", &class));
            let missing = || {
                let why = format!("no PriorityClass with name {class} was found");
                Status::forbidden(
                    &target.group_resource(),
                    pod["metadata"]["name"].as_str().unwrap_or_default(),
                    &why,
                )
            };
            Some(found.ok_or_else(missing)?.value())
        };
        let chosen = chosen.unwrap_or_default();
        if let Some(name) = chosen["metadata"]["name"].as_str() {
            pod["spec"]["priorityClassName"] = json!(name);
        }
        pod["spec"]["priority"] = json!(chosen["value"].as_i64().unwrap_or(0));
        if pod["spec"]["preemptionPolicy"].is_null() {
            let policy = chosen["preemptionPolicy"].as_str().unwrap_or("PreemptLowerPriority");
            pod["spec"]["preemptionPolicy"] = json!(policy);
        }
        Ok(())
    }

    /// Every namespace has an account for Pods that name none. Upstream's controller makes it a moment later.
    pub(super) fn furnish_namespace(&self, name: &str) {
        let kinds = self.kinds();
        let Some(served) = kinds.find(&GroupVersionResource::new("", "v1", "serviceaccounts")) else {
            return;
        };
        let target = Target {
            served: served.clone(),
            namespace: name.to_owned(),
            name: "default".to_owned(),
            subresource: String::new(),
        };
        let account = json!({"metadata": {"name": "default"}});
        match self.create(&target, account, &WriteOptions::default()) {
            Err(status) if status.reason != "AlreadyExists" => {
                tracing::warn!(
                    name,
                    reason = status.message,
                    "a namespace has no default service account"
                );
            }
            _ => {}
        }
    }

    fn core_object(&self, plural: &str, namespace: &str, name: &str) -> Option<Value> {
        let kinds = self.kinds();
        let served = kinds.find(&GroupVersionResource::new("", "v1", plural))?;
        let key = crate::store::ObjectKey::new(&served.table, namespace, name);
        Some(self.store().get(&key)?.value())
    }
}
