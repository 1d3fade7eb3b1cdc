//! Runners for suites that others wrote.
//!
//! `cargo run --release -p conformance -- SUITE DIR… [--json] [--record]` runs every file of the suite that
//! it finds under the directories. It prints a line a file with passed and total, then each failing case
//! with its reason, last `N passed, N failed`. Every case counts; nothing is skipped.
//!
//! `conformance/recorded/SUITE` holds how many cases of each file passed when it was last recorded. A file
//! that now passes fewer is a step back: the exit code is 1. `--record` writes the file anew.

mod adapter;
mod extauthz;
mod gatekeeper;
mod hpa;
mod promql;
mod recorded;
mod rego;
mod report;
mod suites;

use std::path::PathBuf;
use std::process::ExitCode;

use report::FileReport;

/// Anything the caller can do wrong, as `conformance` says it.
const USAGE: &str = "usage: conformance SUITE DIR… [--json] [--record]";

fn main() -> ExitCode {
    match run(std::env::args().skip(1).collect()) {
        Ok(code) => code,
        Err(message) => {
            eprintln!("conformance: {message}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: Vec<String>) -> Result<ExitCode, String> {
    let (flags, words): (Vec<_>, Vec<_>) = arguments.into_iter().partition(|word| word.starts_with("--"));
    if let Some(unknown) = flags
        .iter()
        .find(|flag| !["--json", "--record"].contains(&flag.as_str()))
    {
        return Err(format!("unknown flag {unknown}\n{USAGE}"));
    }
    let [suite_name, directories @ ..] = words.as_slice() else {
        return Err(format!("no suite named\n{USAGE}\nsuites: {}", suites::names()));
    };
    if directories.is_empty() {
        return Err(format!("no directory named\n{USAGE}"));
    }
    let suite = suites::find(suite_name)
        .ok_or_else(|| format!("no suite is called {suite_name}; suites: {}", suites::names()))?;

    let mut reports = Vec::new();
    for file in files_of(suite, directories)? {
        reports.push((suite.run)(&file));
    }
    if reports.is_empty() {
        return Err(format!("no {} file under {}", suite.extension, directories.join(", ")));
    }
    if flags.iter().any(|flag| flag == "--json") {
        println!("{}", report::to_json(&reports));
    } else {
        print!("{}", report::to_text(&reports));
    }
    if flags.iter().any(|flag| flag == "--record") {
        recorded::write(suite_name, &reports).map_err(|error| format!("cannot record: {error}"))?;
    }
    let steps_back = recorded::steps_back(suite_name, &reports)?;
    for line in &steps_back {
        eprintln!("conformance: {line}");
    }
    Ok(ExitCode::from(u8::from(!steps_back.is_empty())))
}

fn files_of(suite: &suites::Suite, directories: &[String]) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    let mut pending: Vec<PathBuf> = directories.iter().map(PathBuf::from).collect();
    while let Some(path) = pending.pop() {
        let error = |error: std::io::Error| format!("{}: {error}", path.display());
        if path.metadata().map_err(error)?.is_dir() {
            for entry in path.read_dir().map_err(error)? {
                pending.push(entry.map_err(error)?.path());
            }
        } else if path.extension().is_some_and(|extension| extension == suite.extension) && (suite.takes)(&path) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// One case that did not pass.
#[derive(Debug, serde::Serialize)]
pub(crate) struct Failure {
    /// The case as its file names it.
    pub(crate) case: String,
    /// What was expected and what came instead.
    pub(crate) reason: String,
}

impl FileReport {
    /// A report of a file that could not be read as a whole: one failing case.
    pub(crate) fn unreadable(file: &std::path::Path, reason: impl Into<String>) -> Self {
        let mut report = Self::new(file);
        report.fail("(the file itself)", reason);
        report
    }
}
