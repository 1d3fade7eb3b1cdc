//! `flyball scale explain`: one turn, recomputed from a cluster's objects and metrics, and told step by step.
//!
//! It only reads. What it cannot see is what the running controller remembers: earlier recommendations and rescales; the
//! text says so, because a scale-in that "should" happen is most often held back by those.

use std::fmt;
use std::sync::Arc;

use cluster::{Cluster, ListOptions, Result};
use flyball_core::{Decision, Timestamp, Verdict};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

use crate::hpa::{Autoscaler, History, Settings, Snapshot, decide};
use crate::hpa_loop::{MetricsApis, autoscaler_of, observe, status_of};

/// An autoscaler's turn in words.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// The autoscaler.
    pub autoscaler: Autoscaler,
    /// Replicas now, where the scale could be read.
    pub current: Option<i32>,
    /// What the running controller last said: type, status, reason and message of its conditions.
    pub conditions: Vec<[String; 4]>,
    /// The turn.
    pub decision: Decision,
}

/// Looks at one autoscaler and decides, without acting.
///
/// # Errors
/// When the autoscaler or its namespace's pods cannot be read; anything else is part of the explanation.
pub async fn explain(
    cluster: &Cluster,
    namespace: &str,
    name: &str,
    settings: &Settings,
    now: Timestamp,
) -> Result<Explanation> {
    let object = cluster.objects::<HorizontalPodAutoscaler>(namespace).get(name).await?;
    let pods = cluster.objects::<Pod>(namespace).list(&ListOptions::default()).await?;
    let pods: Vec<_> = pods.items.into_iter().map(Arc::new).collect();
    let apis = MetricsApis::new(cluster.clone());
    let autoscaler = autoscaler_of(&object);
    let seen = observe(cluster, pods.as_slice(), &apis, &autoscaler, |_, _, _| Ok(())).await;
    let status = status_of(&object);
    let snapshot = Snapshot {
        autoscaler: &autoscaler,
        status: &status,
        scale: &seen.scale,
        pods: &seen.pods,
        readings: &seen.readings,
        settings,
        now,
    };
    let plan = decide(&snapshot, History::default());
    let decision = plan.explain(&snapshot);
    let current = plan.current;
    let condition = |condition: &crate::hpa::Condition| {
        [
            condition.kind.to_string(),
            condition.status.as_str().to_owned(),
            condition.reason.to_string(),
            condition.message.to_string(),
        ]
    };
    Ok(Explanation {
        conditions: status.conditions.iter().map(condition).collect(),
        autoscaler,
        current,
        decision,
    })
}

impl Explanation {
    /// The same as a document.
    pub fn to_json(&self) -> Value {
        json!({
            "namespace": self.autoscaler.namespace,
            "name": self.autoscaler.name,
            "target": self.autoscaler.target.to_string(),
            "currentReplicas": self.current,
            "minReplicas": self.autoscaler.minimum(),
            "maxReplicas": self.autoscaler.max_replicas,
            "metrics": self.autoscaler.metrics.iter().map(crate::hpa::MetricSpec::describe).collect::<Vec<_>>(),
            "decision": self.decision,
            "conditions": self.conditions,
        })
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Autoscaler {
            namespace,
            name,
            target,
            ..
        } = &self.autoscaler;
        let replicas = self
            .current
            .map_or_else(|| "unknown".to_owned(), |count| count.to_string());
        let (minimum, maximum) = (self.autoscaler.minimum(), self.autoscaler.max_replicas);
        writeln!(
            f,
            "hpa/{name} in {namespace} scales {target}: {replicas} replicas, between {minimum} and {maximum}"
        )?;
        for evidence in &self.decision.evidence {
            let mut parts = evidence.note.split("; ");
            let mut head = evidence.clone();
            head.note = parts.next().unwrap_or_default().to_owned();
            writeln!(f, "  {head}")?;
            for part in parts {
                writeln!(f, "    {part}")?;
            }
        }
        let verdict = match &self.decision.verdict {
            Verdict::Act(what) => what.clone(),
            Verdict::Keep => format!("keep {replicas}"),
            Verdict::Abstain => "do nothing".to_owned(),
        };
        writeln!(f, "=> {verdict} because {}", self.decision.reason)?;
        if !self.conditions.is_empty() {
            writeln!(f, "the running controller last said:")?;
            for [kind, status, reason, message] in &self.conditions {
                writeln!(f, "  {kind}={status} {reason}: {message}")?;
            }
        }
        f.write_str("note: earlier recommendations and rescales are in the controller's memory alone; they can hold a change back\n")
    }
}
