//! What owns pods.

use serde_json::{Value, json};

use super::{each, field, pod, policy, set};

pub(super) fn deployment(object: &mut Value) {
    let spec = field(object, "spec");
    set(spec, "replicas", json!(1));
    let strategy = field(spec, "strategy");
    set(strategy, "type", json!("RollingUpdate"));
    if strategy["type"] == "RollingUpdate" {
        let rolling = field(strategy, "rollingUpdate");
        set(rolling, "maxUnavailable", json!("25%"));
        set(rolling, "maxSurge", json!("25%"));
    }
    set(spec, "revisionHistoryLimit", json!(10));
    set(spec, "progressDeadlineSeconds", json!(600));
    pod::template(spec, "template");
}

pub(super) fn replica_set(object: &mut Value) {
    let spec = field(object, "spec");
    set(spec, "replicas", json!(1));
    pod::template(spec, "template");
}

pub(super) fn replication_controller(object: &mut Value) {
    let labels = object.pointer("/spec/template/metadata/labels").cloned();
    if let Some(labels) = labels {
        set(field(object, "metadata"), "labels", labels.clone());
        set(field(object, "spec"), "selector", labels);
    }
    let spec = field(object, "spec");
    set(spec, "replicas", json!(1));
    pod::template(spec, "template");
}

pub(super) fn stateful_set(object: &mut Value) {
    let spec = field(object, "spec");
    set(spec, "podManagementPolicy", json!("OrderedReady"));
    let strategy = field(spec, "updateStrategy");
    set(strategy, "type", json!("RollingUpdate"));
    if strategy["type"] == "RollingUpdate" {
        let rolling = field(strategy, "rollingUpdate");
        set(rolling, "partition", json!(0));
        set(rolling, "maxUnavailable", json!(1));
    }
    let retention = field(spec, "persistentVolumeClaimRetentionPolicy");
    set(retention, "whenDeleted", json!("Retain"));
    set(retention, "whenScaled", json!("Retain"));
    set(spec, "replicas", json!(1));
    set(spec, "revisionHistoryLimit", json!(10));
    for claim in each(spec, "volumeClaimTemplates") {
        set(claim, "apiVersion", json!("v1"));
        set(claim, "kind", json!("PersistentVolumeClaim"));
        policy::persistent_volume_claim(claim);
    }
    pod::template(spec, "template");
}

pub(super) fn daemon_set(object: &mut Value) {
    let spec = field(object, "spec");
    let strategy = field(spec, "updateStrategy");
    set(strategy, "type", json!("RollingUpdate"));
    if strategy["type"] == "RollingUpdate" {
        let rolling = field(strategy, "rollingUpdate");
        set(rolling, "maxUnavailable", json!(1));
        set(rolling, "maxSurge", json!(0));
    }
    set(spec, "revisionHistoryLimit", json!(10));
    pod::template(spec, "template");
}

pub(super) fn job(object: &mut Value) {
    job_spec(field(object, "spec"));
}

fn job_spec(spec: &mut Value) {
    let absent = |spec: &Value, name: &str| spec.get(name).is_none_or(Value::is_null);
    // A job that says neither runs once; one that only says how many at a time ends with the first success.
    if absent(spec, "completions") && absent(spec, "parallelism") {
        set(spec, "completions", json!(1));
    }
    set(spec, "parallelism", json!(1));
    let per_index = !absent(spec, "backoffLimitPerIndex");
    set(spec, "backoffLimit", json!(if per_index { i32::MAX } else { 6 }));
    set(spec, "completionMode", json!("NonIndexed"));
    set(spec, "suspend", json!(false));
    set(spec, "manualSelector", json!(false));
    let replaces = if absent(spec, "podFailurePolicy") {
        "TerminatingOrFailed"
    } else {
        "Failed"
    };
    set(spec, "podReplacementPolicy", json!(replaces));
    pod::template(spec, "template");
}

pub(super) fn cron_job(object: &mut Value) {
    let spec = field(object, "spec");
    set(spec, "concurrencyPolicy", json!("Allow"));
    set(spec, "suspend", json!(false));
    set(spec, "successfulJobsHistoryLimit", json!(3));
    set(spec, "failedJobsHistoryLimit", json!(1));
    // The job itself receives its defaults when it is made; its pods' template receives them here, as upstream has it.
    pod::template(field(field(spec, "jobTemplate"), "spec"), "template");
}
