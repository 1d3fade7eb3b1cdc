//! `flyball status`: what runs in this folder's local cluster.

use cluster::{Cluster, ListOptions};
use flyball_core::Problem;
use k8s_openapi::api::core::v1::Pod;
use serde::Serialize;

use crate::cli::{Output, Status};
use crate::output;
use crate::project::{Project, State};
use crate::up;

/// The answer as data.
#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    state: State,
    pods: Vec<PodReport>,
}

#[derive(Serialize)]
struct PodReport {
    name: String,
    ready: String,
    status: String,
    restarts: i32,
    address: String,
}

/// Prints where the cluster is and what runs in it.
pub(crate) async fn run(arguments: Status) -> Result<(), Problem> {
    let state = Project::of(&arguments.folder.folder).running()?;
    let unreachable = |error: cluster::Error| {
        Problem::new("FB1017", format!("the cluster cannot be asked: {error}"))
            .hint("it may be starting or ending; try again")
    };
    let cluster = Cluster::from_kubeconfig(Some(&state.kubeconfig), None)
        .await
        .map_err(unreachable)?;
    let pods = cluster
        .objects::<Pod>(None)
        .list(&ListOptions::default())
        .await
        .map_err(unreachable)?;
    let pods = pods.items.iter().map(|pod| {
        let line = up::pod_line(pod);
        PodReport {
            name: line.name,
            ready: format!("{}/{}", line.ready.0, line.ready.1),
            status: line.status,
            restarts: line.restarts,
            address: line.address,
        }
    });
    let report = Report {
        state,
        pods: pods.collect(),
    };
    match arguments.output {
        Output::Json => output::json(&report),
        Output::Yaml => output::yaml(&report),
        Output::Table => output::text(&table(&report)),
    }
}

fn table(report: &Report) -> String {
    let state = &report.state;
    let row = |cells: [&str; 5]| cells.map(str::to_owned).to_vec();
    let mut rows = vec![row(["POD", "READY", "STATUS", "RESTARTS", "ADDRESS"])];
    rows.extend(report.pods.iter().map(|pod| {
        let restarts = pod.restarts.to_string();
        row([&pod.name, &pod.ready, &pod.status, &restarts, &pod.address])
    }));
    let mut text = output::aligned(&[
        vec!["Kubernetes API".into(), state.api.clone()],
        vec!["Prometheus API".into(), state.prometheus.clone()],
        vec!["Services".into(), state.gateway.clone()],
        vec!["kubeconfig".into(), state.kubeconfig.display().to_string()],
        vec!["process".into(), state.pid.to_string()],
    ]);
    text.push('\n');
    text.push_str(&output::aligned(&rows));
    text
}
