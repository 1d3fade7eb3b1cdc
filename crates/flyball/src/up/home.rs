//! Everything that runs inside `up`.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use apiserver::{ApiServer, kubeconfig};
use cluster::{Cluster, DecisionRecorder, EventRecorder, SystemClock};
use controllers::Controllers;
use flyball_core::Problem;
use scale::hpa_loop;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::explain::ExplainApi;
use super::laptop::{Laptop, Running};
use super::logs::{self, Line};
use super::measure;
use crate::cli::Up;
use crate::decisions::{GROUP, VERSION};
use crate::project::{self, Project, State};

/// The cluster at home on this laptop.
pub(crate) struct Home {
    state: State,
    cluster: Cluster,
    decisions: DecisionRecorder,
    controllers: Controllers,
    node: Running,
    logs: watch::Receiver<Vec<Line>>,
    /// Ends the API's connections when it is dropped or sent to.
    shutdown_tx: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Home {
    /// Starts the API server, leaves word of it in the project's folder, then starts everything that acts.
    pub(crate) async fn start(arguments: &Up, project: &Project) -> Result<Self, Problem> {
        let clock = Arc::new(SystemClock);
        let laptop = Laptop::new()?;
        let server = ApiServer::builder(clock.clone())
            .data(arguments.data.clone())
            .pod_access(laptop.pod_access())
            .build()
            .map_err(|error| Problem::new("FB1022", format!("the API server cannot start: {error}")))?;
        let listener = listen(arguments.port, "Kubernetes API").await?;
        let (shutdown_tx, _) = watch::channel(false);
        let mut tasks = JoinSet::new();
        let prometheus = listen(arguments.prometheus_port, "Prometheus API").await?;
        let mut state = announce(arguments, project, &server, &listener, &prometheus)?;
        let serving = server.clone();
        let shutdown = told(shutdown_tx.subscribe());
        tasks.spawn(async move {
            if let Err(error) = serving.serve(listener, shutdown).await {
                tracing::error!(%error, "the API is no longer served");
            }
        });

        let cluster = Cluster::in_process(server.service());
        let events = EventRecorder::start(&cluster, "flyball", clock.clone());
        let decisions = DecisionRecorder::with_events(events.clone());
        server.register_aggregated(GROUP, VERSION, Arc::new(ExplainApi::new(decisions.clone())));
        let volumes = Some(project.volumes());
        let controllers = controllers::run_with(&cluster, clock.clone(), controllers::Options { volumes });
        let options = hpa_loop::Options {
            sync_period: Duration::from_secs(arguments.hpa_sync_period),
            ..hpa_loop::Options::new(hpa_loop::Mode::Enforce, decisions.clone())
        };
        let scaled = cluster.clone();
        tasks.spawn(async move { hpa_loop::run(&scaled, clock, options).await });
        let tree = arguments.paths.first().cloned().unwrap_or_default();
        let node = laptop.join(&cluster, &events, &tree, project.run_folder()).await?;
        measure::start(
            arguments,
            &server,
            &cluster,
            node.kubelet(),
            node.network(),
            prometheus,
            &mut tasks,
        );
        state.gateway = format!("http://SERVICE.NAMESPACE.localhost:{}", node.front().router().port());
        project.write_state(&state)?;
        let (log_tx, logs) = watch::channel(Vec::new());
        tasks.spawn(logs::follow(cluster.cache(), node.kubelet().clone(), log_tx));
        Ok(Self {
            state,
            cluster,
            decisions,
            controllers,
            node,
            logs,
            shutdown_tx,
            tasks,
        })
    }

    /// The cluster as a client sees it.
    pub(crate) fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// What was decided.
    pub(crate) fn decisions(&self) -> &DecisionRecorder {
        &self.decisions
    }

    /// The last lines of all Pods' logs.
    pub(crate) fn logs(&self) -> watch::Receiver<Vec<Line>> {
        self.logs.clone()
    }

    /// Where to reach what.
    pub(crate) fn addresses(&self) -> Vec<(String, String)> {
        let kubeconfig = self.state.kubeconfig.display();
        vec![
            ("Services".to_owned(), self.state.gateway.clone()),
            (
                "Kubernetes".to_owned(),
                format!("{} (export KUBECONFIG={kubeconfig})", self.state.api),
            ),
            ("Prometheus".to_owned(), self.state.prometheus.clone()),
            ("Pods".to_owned(), format!("each has {}", self.node.kubelet().mode())),
        ]
    }

    /// Ends everything: first what acts, then the Pods, last the API.
    pub(crate) async fn stop(mut self) {
        self.controllers.stop().await;
        self.node.stop().await;
        let _ = self.shutdown_tx.send(true);
        self.cluster.close().await;
        self.tasks.shutdown().await;
    }
}

async fn told(mut shutdown_rx: watch::Receiver<bool>) {
    let _ = shutdown_rx.wait_for(|down| *down).await;
}

async fn listen(port: u16, what: &str) -> Result<TcpListener, Problem> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|error| {
        Problem::new("FB1023", format!("port {port} cannot be used for the {what}: {error}"))
            .hint("name another port, or 0 for a free one")
    })
}

/// Writes the kubeconfig and the state that other commands read.
fn announce(
    arguments: &Up,
    project: &Project,
    server: &ApiServer,
    listener: &TcpListener,
    prometheus: &TcpListener,
) -> Result<State, Problem> {
    let address = |listener: &TcpListener| {
        let address = listener.local_addr();
        address.map_err(|error| Problem::new("FB1023", format!("the listener has no address: {error}")))
    };
    let api = format!("https://{}", address(listener)?);
    let file = arguments.kubeconfig.clone().unwrap_or_else(|| project.kubeconfig());
    let text = kubeconfig::render(&api, server.ca_pem(), server.admin_token());
    project::write_private(&file, text.as_bytes()).map_err(|error| {
        Problem::new(
            "FB1008",
            format!("the kubeconfig cannot be written to {}: {error}", file.display()),
        )
    })?;
    let pid = std::process::id();
    let state = State {
        pid,
        start_ticks: project::start_ticks(pid).unwrap_or_default(),
        api,
        prometheus: format!("http://{}", address(prometheus)?),
        kubeconfig: std::path::absolute(&file).unwrap_or(file),
        gateway: String::new(),
    };
    project.write_state(&state)?;
    Ok(state)
}
