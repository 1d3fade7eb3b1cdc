//! The Scale of an object: how many replicas it wants and has, whatever its kind.

use apimachinery::selector::LabelSelector;
use apimachinery::status::Status;
use serde_json::{Value, json};

use super::{PatchKind, Registry, Target, WriteOptions, Written};

/// Where a kind keeps what a Scale shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScalePaths {
    /// JSON pointer to the wanted replicas.
    pub spec_replicas: String,
    /// JSON pointer to the present replicas.
    pub status_replicas: String,
    /// JSON pointer to the selector, a LabelSelector or its text; `None` where the kind has none.
    pub selector: Option<String>,
}

impl Default for ScalePaths {
    /// Where all built-in kinds keep it.
    fn default() -> Self {
        ScalePaths {
            spec_replicas: "/spec/replicas".to_owned(),
            status_replicas: "/status/replicas".to_owned(),
            selector: Some("/spec/selector".to_owned()),
        }
    }
}

impl ScalePaths {
    /// The Scale of an object.
    pub fn view(&self, object: &Value) -> Value {
        let number = |path: &str| object.pointer(path).and_then(Value::as_i64).unwrap_or(0);
        let mut metadata = serde_json::Map::new();
        for field in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
            if let Some(value) = object["metadata"].get(field) {
                metadata.insert(field.to_owned(), value.clone());
            }
        }
        let mut scale = json!({
            "kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata,
            "spec": {"replicas": number(&self.spec_replicas)},
            "status": {"replicas": number(&self.status_replicas)},
        });
        let selector = self
            .selector
            .as_deref()
            .and_then(|path| object.pointer(path))
            .map(selector_text);
        if let Some(selector) = selector.filter(|selector| !selector.is_empty()) {
            scale["status"]["selector"] = json!(selector);
        }
        scale
    }

    /// Writes the wanted replicas of a Scale into an object.
    fn set(&self, object: &mut Value, replicas: i64) {
        let mut place = object;
        for segment in self.spec_replicas.trim_start_matches('/').split('/') {
            if !place.is_object() {
                *place = json!({});
            }
            place = &mut place[segment];
        }
        *place = json!(replicas);
    }
}

/// A selector as text, from any of the three forms in which kinds keep it.
fn selector_text(selector: &Value) -> String {
    match selector {
        Value::String(text) => text.clone(),
        Value::Object(fields) if fields.contains_key("matchLabels") || fields.contains_key("matchExpressions") => {
            LabelSelector::from_value(selector)
                .map(|selector| selector.to_string())
                .unwrap_or_default()
        }
        Value::Object(fields) => LabelSelector::from_map(fields).to_string(),
        _ => String::new(),
    }
}

impl Registry {
    /// Changes the wanted replicas; `change` makes the next Scale from the present one.
    pub fn rescale(
        &self,
        target: &Target,
        options: &WriteOptions,
        change: impl Fn(Value) -> Result<Value, Status>,
    ) -> Result<Value, Status> {
        let paths = self.scale_paths(target);
        let written = self.attempt(target, || {
            let current = self.get(target)?;
            let mut next = current.value();
            let scale = change(paths.view(&next))?;
            let replicas = scale["spec"].get("replicas").map_or(Some(0), Value::as_i64);
            let Some(replicas) = replicas.filter(|replicas| (0..=i64::from(i32::MAX)).contains(replicas)) else {
                let cause = apimachinery::status::Cause::invalid(
                    "spec.replicas",
                    &scale["spec"]["replicas"],
                    "must be greater than or equal to 0",
                );
                let kind = apimachinery::resources::GroupKind {
                    group: "autoscaling".into(),
                    kind: "Scale".into(),
                };
                return Err(Status::invalid(&kind, &target.name, vec![cause]).into());
            };
            paths.set(&mut next, replicas);
            next["metadata"]["resourceVersion"] = scale["metadata"]["resourceVersion"].clone();
            self.replace(
                &Target {
                    subresource: String::new(),
                    ..target.clone()
                },
                &current,
                next,
                options,
            )
        })?;
        Ok(paths.view(&match written {
            Written::Stored(stored) => stored.value(),
            Written::DryRun(value) => value,
        }))
    }

    /// Changes the wanted replicas by a patch of the Scale.
    pub fn patch_scale(
        &self,
        target: &Target,
        kind: PatchKind,
        patch: &Value,
        options: &WriteOptions,
    ) -> Result<Value, Status> {
        self.rescale(target, options, |mut scale| {
            if let Some(metadata) = scale["metadata"].as_object_mut() {
                metadata.shift_remove("resourceVersion");
            }
            // A Scale has no lists: a strategic patch of it is a merge patch.
            let kind = if kind == PatchKind::Json {
                kind
            } else {
                PatchKind::Merge
            };
            crate::rules::apply_patch(&target.served, kind, &mut scale, patch)?;
            Ok(scale)
        })
    }

    /// Where a kind keeps what a Scale shows.
    pub fn scale_paths(&self, target: &Target) -> ScalePaths {
        target
            .served
            .custom
            .as_ref()
            .and_then(|custom| custom.scale.clone())
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_in_their_three_forms() {
        let check = |selector: Value, expect: Value| {
            let object = json!({"metadata": {"name": "a"}, "spec": {"replicas": 2, "selector": selector}});
            assert_eq!(ScalePaths::default().view(&object)["status"]["selector"], expect);
        };
        check(json!({"matchLabels": {"app": "web"}}), json!("app=web"));
        check(json!({"app": "web"}), json!("app=web"));
        check(json!("app=web"), json!("app=web"));
        check(json!(null), json!(null));
    }

    #[test]
    fn the_wanted_replicas_are_written_where_the_kind_keeps_them() {
        let paths = ScalePaths {
            spec_replicas: "/spec/size/count".into(),
            ..ScalePaths::default()
        };
        let mut object = json!({"spec": {}});
        paths.set(&mut object, 3);
        assert_eq!(object, json!({"spec": {"size": {"count": 3}}}));
    }
}
