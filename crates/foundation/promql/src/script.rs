//! The test language of Prometheus: load series, evaluate queries, expect results.
//!
//! ```text
//!  load 5m
//!    http_requests_total{job="api"}  0+10x10
//!
//!  eval instant at 50m rate(http_requests_total[50m])
//!    {job="api"}  0.03333333333333333
//! ```
//!
//! A script is a list of commands: `load` and `load_with_nhcb` add samples, `clear` forgets them, `eval` checks a query
//! and is one *case*. As upstream does, an instant query is also run with all its selectors pinned to its time by `@`,
//! at several other times, and as the middle of a range query: all must agree.

use std::fmt;

mod compare;
mod expectation;
mod load;
mod notation;
mod pin;
mod run;

pub use load::TestStorage;
pub use notation::{SequenceValue, SeriesDescription, parse_series};

use crate::engine::{Dialect, Engine, EngineOptions};
use crate::parser::ParserOptions;

/// The outcome of one case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// The line of the command, counted from 1.
    pub line: usize,
    /// The command as it was written.
    pub command: String,
    /// What is wrong, if anything is.
    pub result: Result<(), String>,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.command)
    }
}

/// An engine as scripts of a release expect it: all of the language, one-minute subqueries, start times in use.
#[must_use]
pub fn engine(dialect: Dialect) -> Engine {
    Engine::new(EngineOptions {
        parser: ParserOptions {
            unquoted_utf8_names: true,
            ..ParserOptions::all()
        },
        use_start_timestamps: true,
        dialect,
        ..EngineOptions::default()
    })
}

/// Runs a script. A command that cannot be understood is a failed case; later commands still run.
#[must_use]
pub fn run(text: &str, engine: &Engine) -> Vec<Case> {
    let lines: Vec<&str> = text.lines().map(without_comment).collect();
    let mut storage = TestStorage::default();
    let mut cases = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at];
        let end = at + 1 + lines[at + 1..].iter().take_while(|line| !line.is_empty()).count();
        let word = line.split([' ', '\t']).next().unwrap_or_default().to_ascii_lowercase();
        let mut case = |result| {
            cases.push(Case {
                line: at + 1,
                command: line.to_owned(),
                result,
            })
        };
        if line.is_empty() {
            at += 1;
        } else if word == "clear" {
            storage = TestStorage::default();
            at += 1;
        } else if word.starts_with("load") {
            if let Err(reason) = storage.load(line, &lines[at + 1..end]) {
                case(Err(reason));
            }
            at = end;
        } else if word.starts_with("eval") {
            let (result, used) = match expectation::Evaluation::parse(line, &lines[at + 1..end]) {
                Ok((evaluation, used)) => (run::check(&evaluation, engine, &storage), used),
                Err(reason) => (Err(reason), end - at - 1),
            };
            case(result);
            at += 1 + used;
        } else {
            case(Err(format!("invalid command {line:?}: expected load, clear or eval")));
            at += 1;
        }
    }
    cases
}

/// Comments take whole lines, and end a command as an empty line does.
fn without_comment(line: &str) -> &str {
    let line = line.trim();
    if line.starts_with('#') { "" } else { line }
}

#[cfg(test)]
mod tests;
