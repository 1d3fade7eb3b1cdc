//! `flyball query`: a PromQL expression, answered by this folder's cluster or any Prometheus.

use std::time::Duration;

use flyball_core::{Problem, Timestamp};
use metrics::render;
use metrics::source::{Found, Server, ServerSettings, Source, SourceError};
use promql::engine::{QueryValue, TimeRange, VectorSample};
use promql::{ParserOptions, parse};
use tokio::time::Instant;

use crate::cli::{Query, QueryOutput};
use crate::output;
use crate::project::Project;

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
/// Points of a range for which no step was given: more than a terminal has columns.
const POINTS: u32 = 100;
/// The size of a plot where the terminal's is not known.
const PLOT_SIZE: (usize, usize) = (80, 15);

/// Prints what the expression yields.
pub(crate) async fn run(arguments: Query, now: Timestamp) -> Result<(), Problem> {
    let expression = &arguments.expression;
    // Looked at here first: our own message points into the expression, a server's only quotes it.
    if let Err(errors) = parse(expression, &ParserOptions::default()) {
        let pointed = render::problem(expression, &errors);
        let sentence = format!("the expression cannot be read\n{}", pointed.trim_end());
        return Err(Problem::new("FB1027", sentence));
    }
    let url = match &arguments.source {
        Some(url) => url.clone(),
        None => Project::of(std::path::Path::new(".")).running()?.prometheus,
    };
    let settings = ServerSettings {
        name: url.clone(),
        urls: vec![url],
        ..ServerSettings::default()
    };
    let source = Server::new(settings).map_err(|error| failed(&error))?;
    let value = ask(&source, &arguments, now).await.map_err(|error| failed(&error))?;
    print(&arguments, &value)
}

async fn ask(source: &Server, arguments: &Query, now: Timestamp) -> Result<QueryValue, SourceError> {
    let deadline = Instant::now() + PATIENCE;
    if let Some(range) = arguments.range {
        let step = arguments
            .step
            .unwrap_or_else(|| (range / POINTS).max(Duration::from_secs(1)));
        let end_ms = now.as_millisecond();
        let range = TimeRange {
            start_ms: end_ms - milliseconds(range),
            end_ms,
            step_ms: milliseconds(step).max(1),
        };
        return source
            .range(&arguments.expression, range, deadline)
            .await
            .map(QueryValue::Matrix);
    }
    let at_ms = arguments.at.unwrap_or(now).as_millisecond();
    let answer = source.instant(&arguments.expression, at_ms, deadline).await?;
    for warning in &answer.warnings {
        eprintln!("warning: {warning}");
    }
    Ok(match answer.found {
        Found::Nothing => QueryValue::Vector(Vec::new()),
        Found::Scalar(value) => QueryValue::Scalar(at_ms, value),
        Found::Vector(samples) => {
            let sample = |sample: metrics::source::Sample| VectorSample {
                labels: sample.labels,
                timestamp_ms: sample.timestamp_ms,
                value: sample.value,
            };
            QueryValue::Vector(samples.into_iter().map(sample).collect())
        }
    })
}

fn print(arguments: &Query, value: &QueryValue) -> Result<(), Problem> {
    let empty = match value {
        QueryValue::Vector(samples) => samples.is_empty(),
        QueryValue::Matrix(series) => series.is_empty(),
        _ => false,
    };
    if empty {
        eprintln!("no data: the expression matches no series at that time");
    }
    let text = match (arguments.output, value) {
        (QueryOutput::Json, value) => format!("{}\n", render::json(value)),
        (QueryOutput::Csv, value) => render::csv(value),
        (QueryOutput::Graph, QueryValue::Matrix(series)) => {
            let (width, height) = crossterm::terminal::size().map_or(PLOT_SIZE, |(width, height)| {
                (
                    usize::from(width).max(20),
                    usize::from(height).saturating_sub(4).clamp(5, 25),
                )
            });
            render::graph(series, width, height)
        }
        (_, value) => render::table(value),
    };
    output::text(&text)
}

fn failed(error: &SourceError) -> Problem {
    Problem::new("FB1028", format!("the query has no answer: {error}"))
        .hint("`flyball status` shows this folder's Prometheus API; --source names another one")
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
