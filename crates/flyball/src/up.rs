//! `flyball up`: a Kubernetes for this laptop, and the user's application in it.
//!
//! ```text
//!   manifests ──apply──> API server <──watch── controllers, scale loop, node
//!                            ^                                      │
//!        kubectl ── TLS ─────┘              Pods as processes <─────┘
//!                                                  │ scrape
//!        Grafana ── Prometheus API <── store <─────┘
//! ```
//!
//! The order of the start is the order of what a user waits for: the API first, then everything that acts on it,
//! then the user's objects.

mod apply;
mod consent;
mod explain;
mod fields;
mod home;
mod laptop;
mod logs;
mod measure;
mod observe;
mod pods;
mod terminal;
mod view;

use std::io::IsTerminal;
use std::path::Path;

use cluster::Cluster;
use flyball_core::Problem;
use tokio::sync::watch;

pub(crate) use pods::line as pod_line;

use crate::cli::Up;
use crate::commands;
use crate::manifests::{Manifest, Manifests};
use crate::project::Project;
use home::Home;
use logs::Line;
use view::View;

/// Runs the cluster until Ctrl-C, `q`, or SIGTERM.
pub(crate) fn run(arguments: Up) -> Result<(), Problem> {
    let project = Project::of(Path::new("."));
    project.create()?;
    let _lock = project.lock()?;
    let manifests = Manifests::read(&arguments.paths);
    let folder = arguments.paths.first().cloned().unwrap_or_default();
    consent::ask(&project, &commands::resolve_all(&manifests, &folder), arguments.yes)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let runtime =
        runtime.map_err(|error| Problem::new("FB1019", format!("the system gives no event queue: {error}")))?;
    let result = runtime.block_on(serve(&arguments, &project, manifests));
    runtime.shutdown_background();
    project.clear();
    result
}

async fn serve(arguments: &Up, project: &Project, manifests: Manifests) -> Result<(), Problem> {
    let home = Home::start(arguments, project).await?;
    let (view_tx, view_rx) = watch::channel(View {
        addresses: home.addresses(),
        ..View::default()
    });
    let observer = observe::Observer::new(home.cluster(), home.decisions().clone());
    let observing = tokio::spawn(observer.run(view_tx.clone()));
    let applying = tokio::spawn(apply_all(home.cluster().clone(), arguments.clone(), manifests, view_tx));

    let stopped = stop_signal();
    match std::io::stdout().is_terminal() && !arguments.plain {
        true => show(view_rx, home.logs(), stopped).await,
        false => print(view_rx, home.logs(), &arguments.logs, stopped).await,
    }
    observing.abort();
    applying.abort();
    home.stop().await;
    Ok(())
}

/// Applies what the paths hold; problems go into the view as they are found.
async fn apply_all(cluster: Cluster, arguments: Up, manifests: Manifests, view_tx: watch::Sender<View>) {
    let tell = |problems: &[Problem]| {
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        view_tx.send_modify(|view| view.problems.extend(told));
    };
    tell(&manifests.problems);
    for manifest in &manifests.objects {
        if arguments.wants(manifest) {
            tell(&apply::apply(&cluster, manifest).await);
        }
    }
}

impl Up {
    /// Whether `--only` leaves this object in: it is about workloads, everything else stays.
    fn wants(&self, manifest: &Manifest) -> bool {
        const WORKLOADS: [&str; 6] = ["Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "Pod"];
        let is_workload = WORKLOADS.contains(&manifest.text("/kind"));
        let name = manifest.text("/metadata/name");
        self.only.is_empty() || !is_workload || self.only.iter().any(|only| only == name)
    }
}

async fn show(view_rx: watch::Receiver<View>, logs: watch::Receiver<Vec<Line>>, stopped: impl Future<Output = ()>) {
    let screen = match terminal::Screen::take() {
        Ok(screen) => screen,
        Err(_) => return print(view_rx, logs, &[], stopped).await,
    };
    tokio::select! {
        () = screen.show(view_rx, logs) => {}
        () = stopped => {}
    }
}

/// A line for each change, for logs and scripts; and the logs of Pods whose names start with one of `prefixes`.
async fn print(
    mut view_rx: watch::Receiver<View>,
    mut logs: watch::Receiver<Vec<Line>>,
    prefixes: &[String],
    stopped: impl Future<Output = ()>,
) {
    let mut shown = View::default();
    let mut told = 0;
    let mut stopped = std::pin::pin!(stopped);
    loop {
        let next = view_rx.borrow_and_update().clone();
        for line in view::changes(&shown, &next) {
            println!("{line}");
        }
        shown = next;
        let first_new = told;
        for line in logs.borrow_and_update().iter().filter(|line| line.number >= first_new) {
            told = line.number + 1;
            if prefixes.iter().any(|prefix| line.pod.starts_with(prefix.as_str())) {
                println!("{line}");
            }
        }
        tokio::select! {
            changed = view_rx.changed() => if changed.is_err() { return },
            changed = logs.changed(), if !prefixes.is_empty() => if changed.is_err() { return },
            () = &mut stopped => return,
        }
    }
}

/// Done when the user or the system asks this process to end.
pub(crate) async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
        signal(SignalKind::hangup()),
    ) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
}
