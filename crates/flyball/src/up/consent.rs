//! Running a repository's commands is running its code: the user is asked once per folder and set of commands.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, IsTerminal, Write};

use flyball_core::Problem;

use crate::commands::Resolved;
use crate::project::Project;

/// Where the answer is remembered.
const FILE: &str = "consent";

/// Shows the commands and asks, unless they were agreed to before, `yes` was given, or nobody is there to ask:
/// a script that calls `up` has said what it wants.
pub(crate) fn ask(project: &Project, commands: &[Resolved], yes: bool) -> Result<(), Problem> {
    let lines = lines(commands);
    if lines.is_empty() {
        return Ok(());
    }
    let mark = mark(&lines);
    let terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
    let agreed = project.read(FILE).is_some_and(|known| known == mark.as_bytes());
    if yes || agreed || !terminal {
        return Ok(());
    }
    println!("These commands will run here, as you, without isolation:");
    for line in &lines {
        println!("  {line}");
    }
    print!("Run them? [y/N] ");
    let _ = io::stdout().flush();
    let mut answer = String::new();
    let _ = io::stdin().read_line(&mut answer);
    match answer.trim() {
        "y" | "Y" | "yes" => project.write(FILE, mark.as_bytes()),
        _ => Err(Problem::new("FB1030", "the commands were not agreed to").hint("--yes runs them without asking")),
    }
}

/// A line a command, each once: builds first, because they run first.
fn lines(commands: &[Resolved]) -> Vec<String> {
    let mut lines = Vec::new();
    for found in commands.iter().filter_map(|resolved| resolved.command.as_ref().ok()) {
        let build = found.build.as_ref().map(|build| build.argv.join(" "));
        for line in build.into_iter().chain([found.argv.join(" ")]) {
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
    }
    lines
}

fn mark(lines: &[String]) -> String {
    let mut hasher = DefaultHasher::new();
    lines.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}
