//! `flyball explain-run`: which command each container would run, and why.

use std::fmt::Write;

use flyball_core::Problem;
use serde_json::{Value, json};

use crate::cli::{ExplainRun, Output};
use crate::commands::{Resolved, resolve_all};
use crate::manifests::Manifests;
use crate::output;

/// Prints the commands; runs nothing. A container without a command is a no.
pub(crate) fn run(arguments: &ExplainRun) -> Result<(), Problem> {
    let manifests = Manifests::read(&arguments.paths);
    for problem in &manifests.problems {
        eprintln!("{problem}");
    }
    let folder = arguments.paths.first().cloned().unwrap_or_default();
    let all = resolve_all(&manifests, &folder);
    match arguments.output {
        Output::Table => output::text(&story(&all))?,
        Output::Json => output::json(&all.iter().map(data).collect::<Vec<_>>())?,
        Output::Yaml => output::yaml(&all.iter().map(data).collect::<Vec<_>>())?,
    }
    match all.iter().find_map(|resolved| resolved.command.as_ref().err()) {
        None => Ok(()),
        Some(unresolved) => Err(Problem::new("FB1029", unresolved.to_string())
            .hint("the annotation `flyball.dev/run` on the Pod template says what to run")),
    }
}

fn story(all: &[Resolved]) -> String {
    let mut text = String::new();
    for resolved in all {
        let Resolved {
            owner,
            container,
            image,
            command,
        } = resolved;
        let _ = writeln!(text, "{owner}, container {container} ({image})");
        let why = match command {
            Ok(found) => {
                let _ = writeln!(text, "  runs   {}", found.argv.join(" "));
                if let Some(build) = &found.build {
                    let _ = writeln!(
                        text,
                        "  after  {}  (in {})",
                        build.argv.join(" "),
                        build.working_directory.display()
                    );
                }
                &found.why
            }
            Err(unresolved) => {
                let _ = writeln!(text, "  cannot run: {}", unresolved.advice);
                &unresolved.why
            }
        };
        for step in why {
            let _ = writeln!(text, "  why    {}: {}", step.rule, step.found);
        }
    }
    text
}

fn data(resolved: &Resolved) -> Value {
    let why = |steps: &[node::image::Step]| -> Value {
        steps
            .iter()
            .map(|step| json!({"rule": step.rule, "found": step.found}))
            .collect()
    };
    let mut data = json!({
        "owner": resolved.owner, "container": resolved.container, "image": resolved.image,
    });
    match &resolved.command {
        Ok(found) => {
            data["argv"] = json!(found.argv);
            data["workingDirectory"] = json!(found.working_directory);
            data["build"] = json!(found.build.as_ref().map(|build| &build.argv));
            data["why"] = why(&found.why);
        }
        Err(unresolved) => {
            data["advice"] = json!(unresolved.advice);
            data["why"] = why(&unresolved.why);
        }
    }
    data
}
