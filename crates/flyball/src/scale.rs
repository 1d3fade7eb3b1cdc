//! `flyball scale explain|check` and `flyball adapter`: the scale loop without running it.

use std::sync::Arc;
use std::time::Duration;

use ::scale::adapter::flags::Flags;
use ::scale::adapter::{ResourceMapper, SourceQuery, mapper_of};
use ::scale::check::{check, probe};
use ::scale::explain::explain;
use ::scale::hpa::Settings;
use flyball_core::{Problem, Timestamp};
use metrics::source::{Server, ServerSettings};

use crate::cli::{Check, Explain, Output, Scale};
use crate::decisions::connect;
use crate::output;

/// Series whose youngest sample is older are not looked at by a check; the adapter's own default.
const MAX_AGE: Duration = Duration::from_secs(600);

/// Runs one of the subcommands.
pub(crate) async fn run(command: Scale, now: Timestamp) -> Result<(), Problem> {
    match command {
        Scale::Explain(arguments) => explained(&arguments, now).await,
        Scale::Check(arguments) => checked(&arguments, now).await,
    }
}

/// Serves the metrics APIs with prometheus-adapter's flags until it is told to end.
pub(crate) async fn adapter(arguments: &[String]) -> Result<(), Problem> {
    let flags = Flags::parse(arguments.iter().map(String::as_str))?;
    tokio::select! {
        ended = ::scale::adapter::run(flags) => ended,
        () = crate::up::stop_signal() => Ok(()),
    }
}

async fn explained(arguments: &Explain, now: Timestamp) -> Result<(), Problem> {
    let name = arguments.name.trim_start_matches("hpa/");
    let cluster = connect(&arguments.target).await?;
    let namespace = &arguments.target.namespace;
    let explanation = explain(&cluster, namespace, name, &Settings::default(), now)
        .await
        .map_err(|error| {
            Problem::new(
                "FB1031",
                format!("hpa/{name} in namespace {namespace} cannot be explained: {error}"),
            )
            .hint("`kubectl get hpa -A` lists the autoscalers that there are")
        })?;
    match arguments.output {
        Output::Table => output::text(&format!("{explanation}\n")),
        Output::Json => output::json(&explanation.to_json()),
        Output::Yaml => output::yaml(&explanation.to_json()),
    }
}

async fn checked(arguments: &Check, now: Timestamp) -> Result<(), Problem> {
    let file = arguments.file.display().to_string();
    let text = std::fs::read_to_string(&arguments.file).map_err(|error| {
        Problem::new("FB1004", format!("{file} cannot be read: {error}")).hint("name a file of metric rules")
    })?;
    let mapper = match &arguments.source {
        // Only with a cluster at hand are its kinds known; without one, the built-in kinds are what rules may name.
        Some(_) => match connect(&arguments.target).await {
            Ok(cluster) => cluster
                .discover()
                .await
                .map(|kinds| mapper_of(&kinds))
                .unwrap_or_else(|_| built_in()),
            Err(_) => built_in(),
        },
        None => built_in(),
    };
    let (mut report, compiled) = check(&text, &file, mapper);
    if let (Some(url), Some(compiled)) = (&arguments.source, compiled) {
        let settings = ServerSettings {
            name: url.clone(),
            urls: vec![url.clone()],
            ..ServerSettings::default()
        };
        let server = Server::new(settings).map_err(|error| Problem::new("FB1028", error.to_string()))?;
        let source = SourceQuery::new(Arc::new(server), Arc::new(cluster::SystemClock));
        report.rules = probe(&compiled, &source, MAX_AGE, now).await;
    }
    match arguments.output {
        Output::Table => output::text(&format!("{report}\n"))?,
        Output::Json => output::json(&report)?,
        Output::Yaml => output::yaml(&report)?,
    }
    match report.is_good() {
        true => Ok(()),
        false => Err(Problem::new("FB1032", format!("{file} cannot be used")).hint("the problems are listed above")),
    }
}

/// The kinds that every cluster has.
fn built_in() -> ResourceMapper {
    let registry = apimachinery::resources::Registry::builtin();
    let resources = registry.iter().map(|resource| ::scale::adapter::ApiResource {
        group: resource.kind.group.clone(),
        version: resource.kind.version.clone(),
        kind: resource.kind.kind.clone(),
        plural: resource.plural.clone(),
        singular: resource.singular.clone(),
        namespaced: resource.namespaced(),
    });
    ResourceMapper::new(resources.collect())
}
