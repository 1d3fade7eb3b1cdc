//! How large a Deployment and its ReplicaSets are and may be.

use std::collections::BTreeMap;
use std::sync::Arc;

use cluster::ResourceExt;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::json;

use crate::action::Action;

/// For which size of the Deployment a ReplicaSet was sized.
pub(super) const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
/// That size with the surge.
pub(super) const MAX: &str = "deployment.kubernetes.io/max-replicas";

/// How old Pods are replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strategy {
    /// All old ones go before the first new one comes.
    Recreate,
    /// Step by step.
    RollingUpdate,
}

impl Strategy {
    pub(super) fn of(deployment: &Deployment) -> Self {
        let strategy = deployment.spec.strategy.as_ref();
        match strategy.and_then(|strategy| strategy.type_.as_deref()) {
            Some("Recreate") => Self::Recreate,
            _ => Self::RollingUpdate,
        }
    }
}

pub(super) fn desired(deployment: &Deployment) -> i32 {
    deployment.spec.replicas.unwrap_or(1)
}

pub(super) fn replicas(set: &ReplicaSet) -> i32 {
    set.spec.replicas.unwrap_or(1)
}

pub(super) fn available(set: &ReplicaSet) -> i32 {
    let status = set.status.as_ref();
    status.and_then(|status| status.available_replicas).unwrap_or(0)
}

pub(super) fn actual(set: &ReplicaSet) -> i32 {
    set.status.as_ref().map_or(0, |status| status.replicas)
}

pub(super) fn desired_annotation(set: &ReplicaSet) -> Option<i32> {
    set.annotations().get(DESIRED)?.parse().ok()
}

pub(super) fn max_annotation(set: &ReplicaSet) -> Option<i32> {
    set.annotations().get(MAX)?.parse().ok()
}

/// Which way a percentage is rounded.
#[derive(Debug, Clone, Copy)]
enum Rounding {
    Up,
    Down,
}

fn resolve(value: Option<&IntOrString>, of: i32, rounding: Rounding) -> i32 {
    match value {
        None => 0,
        Some(IntOrString::Int(number)) => *number,
        Some(IntOrString::String(text)) => {
            let percent: i64 = text.trim_end_matches('%').parse().unwrap_or(0);
            let hundredths = percent * i64::from(of);
            let whole = match rounding {
                Rounding::Up => (hundredths + 99).div_euclid(100),
                Rounding::Down => hundredths.div_euclid(100),
            };
            i32::try_from(whole).unwrap_or(i32::MAX)
        }
    }
}

/// Surge and unavailability in Pods. Surge rounds up, unavailability down; if both came to nothing no step
/// would ever be possible, so one Pod may be missing then.
fn fences(deployment: &Deployment) -> (i32, i32) {
    let strategy = deployment.spec.strategy.as_ref();
    let rolling = strategy.and_then(|strategy| strategy.rolling_update.as_ref());
    let quarter = IntOrString::String("25%".to_owned());
    let field = |value: Option<&IntOrString>| value.cloned().unwrap_or_else(|| quarter.clone());
    let surge = field(rolling.and_then(|rolling| rolling.max_surge.as_ref()));
    let unavailable = field(rolling.and_then(|rolling| rolling.max_unavailable.as_ref()));
    let surge = resolve(Some(&surge), desired(deployment), Rounding::Up);
    let unavailable = resolve(Some(&unavailable), desired(deployment), Rounding::Down);
    match (surge, unavailable) {
        (0, 0) => (0, 1),
        fences => fences,
    }
}

/// Pods beyond the desired ones that may exist during a rolling update.
pub(super) fn max_surge(deployment: &Deployment) -> i32 {
    match Strategy::of(deployment) {
        Strategy::Recreate => 0,
        Strategy::RollingUpdate => fences(deployment).0,
    }
}

/// Desired Pods that may be unavailable during a rolling update.
pub(super) fn max_unavailable(deployment: &Deployment) -> i32 {
    match Strategy::of(deployment) {
        Strategy::RollingUpdate if desired(deployment) > 0 => fences(deployment).1.min(desired(deployment)),
        _ => 0,
    }
}

/// The annotations that a ReplicaSet carries when it is sized for the Deployment as it is now.
pub(super) fn size_annotations(deployment: &Deployment) -> [(String, String); 2] {
    let desired = desired(deployment);
    let max = desired + max_surge(deployment);
    [
        (DESIRED.to_owned(), desired.to_string()),
        (MAX.to_owned(), max.to_string()),
    ]
}

/// What a turn changes on existing ReplicaSets, one write each.
#[derive(Debug, Default)]
pub(super) struct Sizes {
    changes: BTreeMap<String, Change>,
}

#[derive(Debug)]
struct Change {
    set: Arc<ReplicaSet>,
    replicas: i32,
    annotations: BTreeMap<String, String>,
    min_ready_seconds: Option<i32>,
}

impl Sizes {
    /// The size of a ReplicaSet with what this turn has changed so far.
    pub(super) fn of(&self, set: &ReplicaSet) -> i32 {
        let change = self.changes.get(&set.name_any());
        change.map_or_else(|| replicas(set), |change| change.replicas)
    }

    pub(super) fn total<'a>(&self, sets: impl IntoIterator<Item = &'a Arc<ReplicaSet>>) -> i32 {
        sets.into_iter().map(|set| self.of(set)).sum()
    }

    /// Resizes a ReplicaSet; whether that changes anything.
    pub(super) fn scale(&mut self, set: &Arc<ReplicaSet>, replicas: i32, deployment: &Deployment) -> bool {
        let annotations = size_annotations(deployment);
        let up_to_date = annotations
            .iter()
            .all(|(name, value)| set.annotations().get(name) == Some(value));
        let resized = self.of(set) != replicas;
        if resized || !up_to_date {
            let change = self.change(set);
            change.replicas = replicas;
            change.annotations.extend(annotations);
        }
        resized
    }

    pub(super) fn annotate(&mut self, set: &Arc<ReplicaSet>, name: &str, value: String) {
        if set.annotations().get(name) != Some(&value) {
            self.change(set).annotations.insert(name.to_owned(), value);
        }
    }

    pub(super) fn set_min_ready_seconds(&mut self, set: &Arc<ReplicaSet>, seconds: i32) {
        if set.spec.min_ready_seconds.unwrap_or(0) != seconds {
            self.change(set).min_ready_seconds = Some(seconds);
        }
    }

    fn change(&mut self, set: &Arc<ReplicaSet>) -> &mut Change {
        self.changes.entry(set.name_any()).or_insert_with(|| Change {
            set: set.clone(),
            replicas: replicas(set),
            annotations: BTreeMap::new(),
            min_ready_seconds: None,
        })
    }

    pub(super) fn into_actions(self, deployment: &Deployment) -> Vec<Action> {
        let writes = self.changes.into_values();
        writes.flat_map(|change| change.into_actions(deployment)).collect()
    }
}

impl Change {
    fn into_actions(self, deployment: &Deployment) -> Vec<Action> {
        let (set, before) = (&*self.set, replicas(&self.set));
        let mut patch = json!({ "metadata": { "resourceVersion": set.resource_version() } });
        if !self.annotations.is_empty() {
            patch["metadata"]["annotations"] = json!(self.annotations);
        }
        if self.replicas != before {
            patch["spec"]["replicas"] = json!(self.replicas);
        }
        if let Some(seconds) = self.min_ready_seconds {
            patch["spec"]["minReadySeconds"] = json!(seconds);
        }
        let mut actions = vec![Action::patch(set, patch)];
        if self.replicas != before {
            actions.push(scaled(deployment, &set.name_any(), before, self.replicas));
        }
        actions
    }
}

/// The Event that tells of a resize.
pub(super) fn scaled(deployment: &Deployment, set: &str, before: i32, after: i32) -> Action {
    let direction = if after > before { "up" } else { "down" };
    let message = format!("Scaled {direction} replica set {set} from {before} to {after}");
    Action::normal(deployment, "ScalingReplicaSet", message)
}
