//! What changed between two views, as plain lines.

use super::{Pod, View, Workload};

/// A line for each thing that a reader of a log wants to know: addresses, Pods that come, become ready, fail
/// or go, sizes that change, decisions, problems.
pub(crate) fn changes(before: &View, after: &View) -> Vec<String> {
    let mut lines = Vec::new();
    for address in after
        .addresses
        .iter()
        .filter(|address| !before.addresses.contains(address))
    {
        lines.push(format!("reach {} at {}", address.0, address.1));
    }
    for problem in after
        .problems
        .iter()
        .filter(|problem| !before.problems.contains(problem))
    {
        lines.push(format!("problem: {problem}"));
    }
    for decision in after
        .decisions
        .iter()
        .filter(|decision| !before.decisions.contains(decision))
    {
        lines.push(decision.clone());
    }
    for workload in &after.workloads {
        lines.extend(size_change(find_workload(before, &workload.name), workload));
    }
    for pod in &after.pods {
        lines.extend(pod_change(find_pod(before, &pod.name), pod));
    }
    let gone = before.pods.iter().filter(|pod| find_pod(after, &pod.name).is_none());
    lines.extend(gone.map(|pod| format!("pod/{} is gone", pod.name)));
    lines
}

fn find_pod<'view>(view: &'view View, name: &str) -> Option<&'view Pod> {
    view.pods.iter().find(|pod| pod.name == name)
}

fn find_workload<'view>(view: &'view View, name: &str) -> Option<&'view Workload> {
    view.workloads.iter().find(|workload| workload.name == name)
}

fn size_change(before: Option<&Workload>, after: &Workload) -> Option<String> {
    let (before_desired, before_ready) = before.map_or((-1, -1), |workload| (workload.desired, workload.ready));
    let became_complete = after.ready == after.desired && before_ready != after.ready;
    (before_desired != after.desired || became_complete)
        .then(|| format!("{} has {} of {} replicas ready", after.name, after.ready, after.desired))
}

fn pod_change(before: Option<&Pod>, after: &Pod) -> Option<String> {
    let name = &after.name;
    match before {
        Some(before) if before.is_ready() == after.is_ready() && before.status == after.status => None,
        Some(before) if before.restarts < after.restarts => {
            Some(format!("pod/{name} {}, restart {}", after.status, after.restarts))
        }
        _ if after.is_ready() => Some(format!("pod/{name} is ready at {}", after.address)),
        Some(before) if before.is_ready() && after.status == "Running" => {
            Some(format!("pod/{name} is no longer ready"))
        }
        _ => Some(format!("pod/{name} {}", after.status)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(status: &str, ready: usize, restarts: i32) -> View {
        View {
            pods: vec![Pod {
                name: "web-a".into(),
                ready: (ready, 1),
                status: status.into(),
                restarts,
                address: "127.1.0.5:8080".into(),
            }],
            ..View::default()
        }
    }

    #[test]
    fn a_pods_life_reads_as_lines() {
        let life = [
            View::default(),
            pod("Pending", 0, 0),
            pod("Running", 0, 0),
            pod("Running", 1, 0),
            pod("Running", 1, 0),
            pod("Running", 0, 0),
            pod("CrashLoopBackOff", 0, 1),
            View::default(),
        ];
        let lines: Vec<String> = life.windows(2).flat_map(|step| changes(&step[0], &step[1])).collect();
        assert_eq!(
            lines,
            [
                "pod/web-a Pending",
                "pod/web-a Running",
                "pod/web-a is ready at 127.1.0.5:8080",
                "pod/web-a is no longer ready",
                "pod/web-a CrashLoopBackOff, restart 1",
                "pod/web-a is gone",
            ]
        );
    }

    #[test]
    fn a_workloads_size_is_told_when_wanted_and_when_reached() {
        let size = |desired, ready| View {
            workloads: vec![Workload {
                name: "deploy/web".into(),
                desired,
                ready,
                autoscaler: None,
            }],
            ..View::default()
        };
        let steps = [size(2, 2), size(4, 2), size(4, 3), size(4, 4)];
        let lines: Vec<String> = steps.windows(2).flat_map(|step| changes(&step[0], &step[1])).collect();
        assert_eq!(
            lines,
            [
                "deploy/web has 2 of 4 replicas ready",
                "deploy/web has 4 of 4 replicas ready"
            ]
        );
    }
}
