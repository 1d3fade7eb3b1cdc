//! `flyball why`: what was decided about an object, and on what evidence.

mod render;

use flyball_core::{Decision, Problem, Timestamp};

use crate::cli::{Output, Why};
use crate::decisions;
use crate::output;

/// Prints the last decisions about the object.
pub(crate) async fn run(arguments: Why, now: Timestamp) -> Result<(), Problem> {
    if !arguments.reference.contains('/') {
        let sentence = format!("`{}` names no object", arguments.reference);
        return Err(Problem::new("FB1009", sentence).hint("write KIND/NAME, as kubectl does: hpa/web"));
    }
    let all = decisions::fetch(&arguments.target).await?;
    let mut about = select(all, &arguments, now);
    if about.is_empty() {
        let sentence = format!("nothing was decided about {}", arguments.reference);
        let hint = "a loop decides about objects that it is responsible for; see them with `kubectl get hpa -A`";
        return Err(Problem::new("FB1010", sentence).hint(hint));
    }
    let surplus = about.len().saturating_sub(arguments.last);
    about.drain(..surplus);
    match arguments.output {
        Output::Table => output::text(&render::story(&about, now)),
        Output::Json => output::json(&about),
        Output::Yaml => output::yaml(&about),
    }
}

fn select(all: Vec<Decision>, arguments: &Why, now: Timestamp) -> Vec<Decision> {
    let recent = |decision: &Decision| match arguments.since {
        Some(since) => now.duration_since(decision.time).unsigned_abs() <= since,
        None => true,
    };
    let here = |decision: &Decision| {
        let namespace = decision.subject.namespace.as_deref();
        namespace.is_none_or(|namespace| namespace == arguments.target.namespace)
    };
    all.into_iter()
        .filter(|decision| decision.subject.answers_to(&arguments.reference) && here(decision) && recent(decision))
        .collect()
}
