//! Pods: the STATUS column is an algorithm.

use serde_json::{Value, json};

use super::view::{View, at};

pub(super) fn cell(view: &View<'_>, column: &str) -> Option<Value> {
    Some(match column {
        "Ready" => {
            let summary = summarize(view);
            json!(format!("{}/{}", summary.ready, summary.total))
        }
        "Status" => json!(summarize(view).reason),
        "Restarts" => {
            let summary = summarize(view);
            json!(match summary.last_restart {
                Some(time) if summary.restarts != 0 => format!("{} ({} ago)", summary.restarts, view.ago(time)),
                _ => summary.restarts.to_string(),
            })
        }
        "IP" => {
            let first = view
                .list("status.podIPs")
                .first()
                .map(|address| &address["ip"])
                .and_then(Value::as_str);
            json!(
                first
                    .filter(|ip| !ip.is_empty())
                    .unwrap_or_else(|| view.text_or("status.podIP", "<none>"))
            )
        }
        "Node" => json!(view.text_or("spec.nodeName", "<none>")),
        "Nominated Node" => json!(view.text_or("status.nominatedNodeName", "<none>")),
        "Readiness Gates" => json!(readiness_gates(view)),
        _ => return None,
    })
}

struct Summary<'a> {
    ready: usize,
    total: usize,
    reason: String,
    restarts: i64,
    last_restart: Option<&'a str>,
}

fn summarize<'a>(view: &View<'a>) -> Summary<'a> {
    let sidecars: Vec<&str> = view
        .list("spec.initContainers")
        .iter()
        .filter(|container| container["restartPolicy"] == "Always")
        .filter_map(|container| container["name"].as_str())
        .collect();
    let mut summary = Summary {
        ready: 0,
        total: view.list("spec.containers").len() + sidecars.len(),
        reason: view.text_or("status.reason", "").to_owned(),
        restarts: 0,
        last_restart: None,
    };
    if summary.reason.is_empty() {
        summary.reason = view.text("status.phase").to_owned();
    }
    let gated = |condition: &Value| condition["type"] == "PodScheduled" && condition["reason"] == "SchedulingGated";
    if view.list("status.conditions").iter().any(gated) {
        summary.reason = "SchedulingGated".to_owned();
    }
    let initializing = init_containers(view, &sidecars, &mut summary);
    if !initializing || view.has_condition("Initialized") {
        containers(view, &sidecars, &mut summary);
    }
    if view.deleting() {
        if view.text("status.reason") == "NodeLost" {
            summary.reason = "Unknown".to_owned();
        } else if !matches!(view.text("status.phase"), "Succeeded" | "Failed") {
            summary.reason = "Terminating".to_owned();
        }
    }
    summary
}

/// Counts init containers up to the first that has not done its work; says whether there is one.
fn init_containers<'a>(view: &View<'a>, sidecars: &[&str], summary: &mut Summary<'a>) -> bool {
    let count = view.list("spec.initContainers").len();
    for (place, status) in view.list("status.initContainerStatuses").iter().enumerate() {
        count_restarts(status, summary);
        let sidecar = status["name"].as_str().is_some_and(|name| sidecars.contains(&name));
        let (ended, waiting) = (
            at(status, "state.terminated"),
            at(status, "state.waiting.reason").as_str(),
        );
        if ended.is_object() && ended["exitCode"].as_i64().unwrap_or(0) == 0 {
            continue;
        }
        if sidecar && status["started"] == true {
            summary.ready += usize::from(status["ready"] == true);
            continue;
        }
        summary.reason = match waiting {
            _ if ended.is_object() => format!("Init:{}", termination(ended)),
            Some(reason) if !reason.is_empty() && reason != "PodInitializing" => {
                format!("Init:{reason}")
            }
            _ => format!("Init:{place}/{count}"),
        };
        return true;
    }
    false
}

fn containers<'a>(view: &View<'a>, sidecars: &[&str], summary: &mut Summary<'a>) {
    // From here on only restarts of what runs beside the others count.
    summary.restarts = 0;
    summary.last_restart = None;
    let sidecar = |status: &&Value| status["name"].as_str().is_some_and(|name| sidecars.contains(&name));
    for status in view.list("status.initContainerStatuses").iter().filter(sidecar) {
        count_restarts(status, summary);
    }
    let (mut running, mut error) = (false, None);
    for status in view.list("status.containerStatuses").iter().rev() {
        count_restarts(status, summary);
        let ended = at(status, "state.terminated");
        match at(status, "state.waiting.reason").as_str() {
            Some(reason) if !reason.is_empty() => summary.reason = reason.to_owned(),
            _ if ended.is_object() => {
                summary.reason = termination(ended);
                if ended["exitCode"].as_i64().unwrap_or(0) != 0 {
                    error = Some(summary.reason.clone());
                }
            }
            _ if status["ready"] == true && at(status, "state.running").is_object() => {
                running = true;
                summary.ready += 1;
            }
            _ => {}
        }
    }
    if summary.reason == "Completed" {
        if running && view.has_condition("Ready") {
            summary.reason = "Running".to_owned();
        } else if let Some(error) = error {
            summary.reason = error;
        } else if running {
            summary.reason = "NotReady".to_owned();
        }
    }
}

fn count_restarts<'a>(status: &'a Value, summary: &mut Summary<'a>) {
    summary.restarts += status["restartCount"].as_i64().unwrap_or(0);
    // Times of one format and zone order as texts.
    let ended = at(status, "lastState.terminated.finishedAt").as_str();
    summary.last_restart = summary.last_restart.max(ended);
}

fn termination(ended: &Value) -> String {
    match (ended["reason"].as_str(), ended["signal"].as_i64().unwrap_or(0)) {
        (Some(reason), _) if !reason.is_empty() => reason.to_owned(),
        (_, 0) => format!("ExitCode:{}", ended["exitCode"].as_i64().unwrap_or(0)),
        (_, signal) => format!("Signal:{signal}"),
    }
}

fn readiness_gates(view: &View<'_>) -> String {
    let gates = view.list("spec.readinessGates");
    if gates.is_empty() {
        return "<none>".to_owned();
    }
    let open = |gate: &&Value| {
        gate["conditionType"]
            .as_str()
            .is_some_and(|kind| view.has_condition(kind))
    };
    format!("{}/{}", gates.iter().filter(open).count(), gates.len())
}
