//! Figures, measured in one run and written into `docs/benchmarks.md`.
//!
//! `cargo run --release -p benches -- NAME… [--write]` measures and prints a table; with `--write` the table
//! replaces the one of that name in the document, with the machine and the date. No figure there is typed by
//! hand.

mod document;
mod machine;
mod start;

use std::process::ExitCode;

use anyhow::{Result, bail};

/// One figure: what, how much, and what it should be.
pub(crate) struct Row {
    /// What was measured.
    pub(crate) what: String,
    /// The value with its unit.
    pub(crate) value: String,
    /// The aim; empty where there is none.
    pub(crate) goal: String,
}

/// A bench by its name, and what measures it.
type Bench = (&'static str, fn() -> Result<Vec<Row>>);

const BENCHES: &[Bench] = &[("start", start::measure)];

fn main() -> ExitCode {
    match run(std::env::args().skip(1).collect()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("benches: {error:#}");
            ExitCode::from(3)
        }
    }
}

fn run(arguments: Vec<String>) -> Result<()> {
    let (flags, names): (Vec<_>, Vec<_>) = arguments.into_iter().partition(|word| word.starts_with("--"));
    if names.is_empty() || flags.iter().any(|flag| flag != "--write") {
        let known: Vec<&str> = BENCHES.iter().map(|bench| bench.0).collect();
        bail!("usage: benches NAME… [--write]; there are: {}", known.join(", "));
    }
    for name in names {
        let Some((name, measure)) = BENCHES.iter().find(|bench| bench.0 == name) else {
            bail!("no bench is called {name}");
        };
        let rows = measure()?;
        let table = document::table(&rows, &machine::describe());
        println!("{name}\n\n{table}");
        if !flags.is_empty() {
            document::write(name, &table)?;
        }
    }
    Ok(())
}
