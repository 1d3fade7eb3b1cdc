//! The Pods of a Job.

use std::collections::BTreeSet;
use std::sync::Arc;

use cluster::ResourceExt;
use k8s_openapi::api::batch::v1::{Job, JobSpec};
use k8s_openapi::api::core::v1::{EnvVar, Pod};
use serde_json::json;

use super::is_indexed;
use super::tally::Tally;
use crate::action::{Action, Plan};
use crate::names::free_names;
use crate::ownership::{controller_named, controller_reference};
use crate::pods;

/// Holds a Pod back until it is counted.
pub(super) const TRACKING: &str = "batch.kubernetes.io/job-tracking";
const INDEX: &str = "batch.kubernetes.io/job-completion-index";

pub(super) fn is_tracked(pod: &Pod) -> bool {
    pod.finalizers().iter().any(|name| name == TRACKING)
}

pub(super) fn index_of(pod: &Pod) -> Option<i32> {
    pod.annotations().get(INDEX)?.parse().ok()
}

/// Takes the finalizer off.
pub(super) fn release(pod: &Pod) -> Action {
    let kept: Vec<_> = pod.finalizers().iter().filter(|name| *name != TRACKING).collect();
    let metadata = json!({ "uid": pod.uid(), "resourceVersion": pod.resource_version(), "finalizers": kept });
    Action::patch(pod, json!({ "metadata": metadata }))
}

/// Takes the finalizer off all Pods of a Job that is gone or going.
pub(super) fn release_all(job: &str, in_namespace: &[Arc<Pod>]) -> Plan {
    let mut plan = Plan::nothing();
    let held = in_namespace
        .iter()
        .filter(|pod| is_tracked(pod) && controller_named::<Job>(&***pod) == Some(job));
    held.for_each(|pod| plan.push(release(pod)));
    plan
}

/// New Pods: of an indexed Job, for the lowest indexes that neither succeeded nor run.
pub(super) fn drafts(job: &Job, spec: &JobSpec, tally: &Tally, owned: &[Arc<Pod>], count: usize) -> Vec<Pod> {
    let seed = format!(
        "{}/{}",
        job.uid().unwrap_or_default(),
        job.resource_version().unwrap_or_default()
    );
    let taken = |name: &str| owned.iter().any(|pod| pod.metadata.name.as_deref() == Some(name));
    if !is_indexed(spec) {
        let base = format!("{}-", job.name_any());
        let names = free_names(&base, &seed, count, taken);
        return names.into_iter().map(|name| draft(job, spec, &base, name)).collect();
    }
    let running: BTreeSet<_> = owned
        .iter()
        .filter(|pod| pods::is_active(pod))
        .filter_map(|pod| index_of(pod))
        .collect();
    let open =
        (0..spec.completions.unwrap_or(0)).filter(|index| !tally.indexes.contains(index) && !running.contains(index));
    let indexed = open.take(count).map(|index| {
        let base = format!("{}-{index}-", job.name_any());
        let name = free_names(&base, &seed, 1, taken).remove(0);
        let mut pod = draft(job, spec, &base, name);
        set_index(job, &mut pod, index);
        pod
    });
    indexed.collect()
}

fn draft(job: &Job, spec: &JobSpec, base: &str, name: String) -> Pod {
    let mut pod = pods::from_template(&spec.template);
    pod.metadata.name = Some(name);
    pod.metadata.generate_name = Some(base.to_owned());
    pod.metadata.namespace = job.namespace();
    pod.metadata.owner_references = Some(vec![controller_reference(job)]);
    pod.metadata
        .finalizers
        .get_or_insert_default()
        .push(TRACKING.to_owned());
    // The API server puts these into the template already; a server that does not must not break selection.
    let labels = pod.metadata.labels.get_or_insert_default();
    for prefix in ["batch.kubernetes.io/", ""] {
        labels.insert(format!("{prefix}controller-uid"), job.uid().unwrap_or_default());
        labels.insert(format!("{prefix}job-name"), job.name_any());
    }
    pod
}

fn set_index(job: &Job, pod: &mut Pod, index: i32) {
    let text = index.to_string();
    pod.metadata
        .annotations
        .get_or_insert_default()
        .insert(INDEX.to_owned(), text.clone());
    pod.metadata
        .labels
        .get_or_insert_default()
        .insert(INDEX.to_owned(), text.clone());
    let spec = pod.spec.get_or_insert_default();
    spec.hostname = Some(format!("{}-{index}", job.name_any()));
    let containers = spec.init_containers.iter_mut().flatten().chain(&mut spec.containers);
    for container in containers {
        let variables = container.env.get_or_insert_default();
        if !variables.iter().any(|variable| variable.name == "JOB_COMPLETION_INDEX") {
            variables.push(EnvVar {
                name: "JOB_COMPLETION_INDEX".to_owned(),
                value: Some(text.clone()),
                value_from: None,
            });
        }
    }
}
