//! What can be done to a Pod besides writing it: binding it to a node, evicting it.

use apimachinery::resources::GroupVersionResource;
use apimachinery::selector::LabelSelector;
use apimachinery::status::Status;
use apimachinery::subresource;
use serde_json::{Value, json};

use super::{DeleteOptions, Registry, Target, WriteOptions};

impl Registry {
    /// Binds a Pod to a node. Source: `BindingREST` of upstream's pod storage.
    pub fn bind(&self, target: &Target, binding: &Value, options: &WriteOptions) -> Result<Value, Status> {
        let target = self.pod_of_binding(target, binding)?;
        self.attempt(&target, || {
            let current = self.get(&target)?;
            let mut pod = current.value();
            subresource::bind(&mut pod, binding, &self.timestamp())
                .map_err(|why| Status::conflict(&target.group_resource(), &target.name, &why))?;
            self.store_as_is(&target, &current, &pod, options)
        })?;
        Ok(success())
    }

    /// The Pod of a binding: the path's, or of the collection `bindings` the one that the body names.
    fn pod_of_binding(&self, target: &Target, binding: &Value) -> Result<Target, Status> {
        if !target.name.is_empty() {
            return Ok(Target {
                subresource: String::new(),
                ..target.clone()
            });
        }
        let kinds = self.kinds();
        let pods = kinds
            .find(&GroupVersionResource::new("", "v1", "pods"))
            .ok_or_else(Status::no_such_path)?;
        let name = binding["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        Ok(Target {
            served: pods.clone(),
            namespace: target.namespace.clone(),
            name,
            subresource: String::new(),
        })
    }

    /// Deletes a Pod unless a PodDisruptionBudget forbids it. Source: `EvictionREST` of upstream's pod storage.
    pub fn evict(&self, target: &Target, eviction: &Value) -> Result<Value, Status> {
        let target = Target {
            subresource: String::new(),
            ..target.clone()
        };
        let options = DeleteOptions::from_value(&eviction["deleteOptions"])?;
        let pod = self.get(&target)?.value();
        let counts = !matches!(
            pod["status"]["phase"].as_str(),
            Some("Pending" | "Succeeded" | "Failed") | None
        ) && pod["metadata"]["deletionTimestamp"].is_null();
        if counts && !options.dry_run {
            self.spend_budget(&target, &pod)?;
        }
        self.delete(&target, &options)?;
        Ok(success())
    }

    /// Takes one disruption from the budget that covers a Pod.
    fn spend_budget(&self, target: &Target, pod: &Value) -> Result<(), Status> {
        let kinds = self.kinds();
        let key = GroupVersionResource::new("policy", "v1", "poddisruptionbudgets");
        let Some(served) = kinds.find(&key) else { return Ok(()) };
        let listing = self.store().list(&served.table, Some(&target.namespace), |_| true);
        let covers = |budget: &Value| {
            LabelSelector::from_value(&budget["spec"]["selector"]).is_ok_and(|selector| selector.matches_object(pod))
        };
        let names: Vec<String> = listing
            .objects
            .iter()
            .filter(|object| covers(&object.value()))
            .map(|object| object.name().to_owned())
            .collect();
        let [name] = names.as_slice() else {
            let many =
                "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
            return if names.is_empty() {
                Ok(())
            } else {
                Err(Status::internal_error(many))
            };
        };
        let budget_target = Target {
            served: served.clone(),
            namespace: target.namespace.clone(),
            name: name.clone(),
            subresource: "status".to_owned(),
        };
        self.attempt(&budget_target, || {
            let current = self.get(&budget_target)?;
            let mut budget = current.value();
            check_budget(&budget, name)?;
            let allowed = budget["status"]["disruptionsAllowed"].as_i64().unwrap_or(0);
            budget["status"]["disruptionsAllowed"] = json!(allowed - 1);
            budget["status"]["disruptedPods"][&target.name] = json!(self.timestamp());
            self.store_as_is(&budget_target, &current, &budget, &WriteOptions::default())
        })?;
        Ok(())
    }
}

fn check_budget(budget: &Value, name: &str) -> Result<(), Status> {
    let observed = budget["status"]["observedGeneration"].as_i64().unwrap_or(0);
    if observed < budget["metadata"]["generation"].as_i64().unwrap_or(0) {
        let why = format!("The disruption budget {name} is still being processed by the server.");
        return Err(Status::disruption_budget(name, &why));
    }
    if budget["status"]["disruptionsAllowed"].as_i64().unwrap_or(0) > 0 {
        return Ok(());
    }
    let number = |field: &str| budget["status"][field].as_i64().unwrap_or(0);
    let why = format!(
        "The disruption budget {name} needs {} healthy pods and has {} currently",
        number("desiredHealthy"),
        number("currentHealthy")
    );
    Err(Status::disruption_budget(name, &why))
}

/// The answer to an action that leaves no object behind.
fn success() -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201})
}
