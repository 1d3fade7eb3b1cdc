//! What owns pods.

use serde_json::{Value, json};

use super::view::{View, at, join, list, map, selector};

pub(super) fn cell(view: &View<'_>, column: &str) -> Option<Value> {
    let kind = view.kind();
    let template = if kind == "CronJob" {
        "spec.jobTemplate.spec.template"
    } else {
        "spec.template"
    };
    let template = if kind == "PodTemplate" { "template" } else { template };
    let containers = list(at(view.at(template), "spec.containers"));
    Some(match (kind, column) {
        (_, "Containers") => json!(join(containers, "name", ",")),
        (_, "Images") => json!(join(containers, "image", ",")),
        ("PodTemplate", "Pod Labels") => json!(map(view.at("template.metadata.labels"))),
        ("ReplicationController", "Selector") => json!(map(view.at("spec.selector"))),
        ("CronJob", "Selector") => json!(selector(view.at("spec.jobTemplate.spec.selector"))),
        (_, "Selector") => json!(selector(view.at("spec.selector"))),
        ("Deployment" | "StatefulSet", "Ready") => {
            json!(format!(
                "{}/{}",
                view.number("status.readyReplicas"),
                view.number("spec.replicas")
            ))
        }
        ("Deployment", "Up-to-date") => json!(view.number("status.updatedReplicas").to_string()),
        ("Deployment", "Available") => json!(view.number("status.availableReplicas").to_string()),
        ("DaemonSet", "Desired") => json!(view.number("status.desiredNumberScheduled")),
        ("DaemonSet", "Current") => json!(view.number("status.currentNumberScheduled")),
        ("DaemonSet", "Ready") => json!(view.number("status.numberReady")),
        ("DaemonSet", "Up-to-date") => json!(view.number("status.updatedNumberScheduled")),
        ("DaemonSet", "Available") => json!(view.number("status.numberAvailable")),
        ("DaemonSet", "Node Selector") => json!(map(view.at("spec.template.spec.nodeSelector"))),
        (_, "Desired") => json!(view.number("spec.replicas")),
        (_, "Current") => json!(view.number("status.replicas")),
        (_, "Ready") => json!(view.number("status.readyReplicas")),
        ("Job", "Status") => json!(job_status(view)),
        ("Job", "Completions") => json!(job_completions(view)),
        ("Job", "Duration") => json!(
            view.between("status.startTime", "status.completionTime")
                .unwrap_or_default()
        ),
        ("CronJob", "Schedule") => json!(view.text("spec.schedule")),
        ("CronJob", "Timezone") => json!(view.text_or("spec.timeZone", "<none>")),
        ("CronJob", "Suspend") => match view.at("spec.suspend") {
            Value::Bool(true) => json!("True"),
            Value::Bool(false) => json!("False"),
            _ => json!("<unset>"),
        },
        ("CronJob", "Active") => json!(view.list("status.active").len()),
        ("CronJob", "Last Schedule") if view.at("status.lastScheduleTime").is_null() => {
            json!("<none>")
        }
        ("CronJob", "Last Schedule") => json!(view.since("status.lastScheduleTime")),
        ("ControllerRevision", "Revision") => json!(view.number("revision")),
        ("ControllerRevision", "Controller") => json!(controller(view)),
        _ => return None,
    })
}

fn job_status(view: &View<'_>) -> &'static str {
    let conditions = |kinds: &[(&str, &'static str)]| {
        kinds
            .iter()
            .find(|(kind, _)| view.has_condition(kind))
            .map(|(_, status)| *status)
    };
    if let Some(status) = conditions(&[("Complete", "Complete"), ("Failed", "Failed")]) {
        return status;
    }
    if view.deleting() {
        return "Terminating";
    }
    let underway = [
        ("Suspended", "Suspended"),
        ("FailureTarget", "FailureTarget"),
        ("SuccessCriteriaMet", "SuccessCriteriaMet"),
    ];
    conditions(&underway).unwrap_or("Running")
}

fn job_completions(view: &View<'_>) -> String {
    let succeeded = view.number("status.succeeded");
    match (view.at("spec.completions").as_i64(), view.number("spec.parallelism")) {
        (Some(wanted), _) => format!("{succeeded}/{wanted}"),
        (None, at_once) if at_once > 1 => format!("{succeeded}/1 of {at_once}"),
        (None, _) => format!("{succeeded}/1"),
    }
}

fn controller(view: &View<'_>) -> String {
    let Some(owner) = crate::meta::controller_of(view.object) else {
        return "<none>".to_owned();
    };
    let text = |key: &str| owner[key].as_str().unwrap_or_default();
    let group = crate::resources::GroupVersion::parse(text("apiVersion")).group;
    let dot = if group.is_empty() { "" } else { "." };
    format!("{}{dot}{group}/{}", text("kind").to_lowercase(), text("name"))
}
