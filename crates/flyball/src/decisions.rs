//! Decisions over the Kubernetes API.
//!
//! Whoever runs loops serves what they decided as `explain.flyball.dev/v1alpha1`, resource `decisions`: read-only,
//! from memory. So `flyball why`, kubectl and any client reach it with the credentials that they have anyway.

use cluster::Cluster;
use flyball_core::{Decision, Problem};
use http::Request;
use serde::{Deserialize, Serialize};

use crate::cli::Target;
use crate::project::Project;

/// The API's group.
pub(crate) const GROUP: &str = "explain.flyball.dev";
/// Its version.
pub(crate) const VERSION: &str = "v1alpha1";

/// The answer to a list request.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DecisionList {
    pub(crate) api_version: String,
    pub(crate) kind: String,
    pub(crate) metadata: serde_json::Value,
    pub(crate) items: Vec<DecisionObject>,
}

/// A decision as an object that generic clients can print.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DecisionObject {
    pub(crate) api_version: String,
    pub(crate) kind: String,
    pub(crate) metadata: serde_json::Value,
    pub(crate) decision: Decision,
}

/// All decisions that the cluster's loops still remember, oldest first.
pub(crate) async fn fetch(target: &Target) -> Result<Vec<Decision>, Problem> {
    let cluster = connect(target).await?;
    let request = Request::get(format!("/apis/{GROUP}/{VERSION}/decisions"))
        .body(Vec::new())
        .expect("a constant path");
    match cluster.request::<DecisionList>(request).await {
        Ok(list) => Ok(list.items.into_iter().map(|item| item.decision).collect()),
        Err(error) if error.is_not_found() => {
            let sentence = "no Flyball loop runs in this cluster";
            Err(Problem::new("FB1016", sentence).hint("start one with `flyball up`, or name its cluster by --context"))
        }
        Err(error) => Err(Problem::new("FB1017", format!("the cluster cannot be asked: {error}"))
            .hint("is it running? `flyball status` shows this folder's local cluster")),
    }
}

/// The cluster that the flags mean: this folder's local one if it runs, else the one that kubectl would take.
pub(crate) async fn connect(target: &Target) -> Result<Cluster, Problem> {
    let local = Project::of(std::path::Path::new("."))
        .state()
        .map(|state| state.kubeconfig);
    let file = target.kubeconfig.clone().or(match target.context {
        Some(_) => None,
        None => local,
    });
    let connected = match (&file, &target.context) {
        (None, None) => Cluster::infer().await,
        (file, context) => Cluster::from_kubeconfig(file.as_deref(), context.as_deref()).await,
    };
    connected.map_err(|error| {
        Problem::new("FB1018", format!("no cluster to ask: {error}"))
            .hint("run this where `flyball up` runs, or name a kubeconfig by --kubeconfig")
    })
}
