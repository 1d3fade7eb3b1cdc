//! Flyball keeps services on Kubernetes inside their objectives.
//!
//! This is the binary: flags, wiring, output. Everything that decides is in a room below; the modules here are
//! one per subcommand, and [`up`] is the one that shows which room talks to which.

mod cli;
mod output;
mod project;

mod commands;
mod decisions;
mod down;
mod explain_run;
mod manifests;
mod policy;
mod query;
mod scale;
mod status;
mod up;
mod why;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use flyball_core::{Clock, Problem};

use cli::{Cli, Command};

/// The hidden subcommand by which this program starts itself again as the guardian of its processes.
pub(crate) const GUARDIAN: &str = "guardian";

/// It could not be done; wrong use is clap's 2.
const EXIT_FAILED: u8 = 3;
/// The answer is no.
const EXIT_NO: u8 = 1;

/// Problems that mean "no" rather than "could not": nothing runs here, nothing was decided, no command is known, the
/// user said no, a file is wrong, a test failed.
const ANSWERS_NO: [&str; 8] = [
    "FB1007", "FB1010", "FB1029", "FB1030", "FB1032", "FB1033", "FB1035", "FB1036",
];

fn main() -> ExitCode {
    let cli = Cli::parse();
    // The guardian forks and must stay a program of one thread: it never sees the runtime below.
    if let Command::Guardian = cli.command {
        node::guardian::run();
    }
    match run(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::from(if ANSWERS_NO.contains(&problem.code) {
                EXIT_NO
            } else {
                EXIT_FAILED
            })
        }
    }
}

fn run(command: Command) -> Result<(), Problem> {
    match command {
        Command::Completion { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "flyball", &mut script);
            output::text(&String::from_utf8_lossy(&script))
        }
        Command::Man => {
            let mut page = Vec::new();
            let rendered = clap_mangen::Man::new(Cli::command()).render(&mut page);
            rendered.map_err(|error| Problem::new("FB1011", format!("the page cannot be made: {error}")))?;
            output::text(&String::from_utf8_lossy(&page))
        }
        Command::Down(folder) => down::down(&folder.folder),
        Command::Prune(folder) => down::prune(&folder.folder),
        Command::ExplainRun(arguments) => explain_run::run(&arguments),
        Command::Up(arguments) => up::run(arguments),
        Command::Guardian => unreachable!("the guardian was started above"),
        Command::Status(arguments) => asynchronous(status::run(arguments)),
        Command::Query(arguments) => asynchronous(query::run(arguments, cluster::SystemClock.now())),
        Command::Policy(command) => policy::run(command),
        Command::Scale(command) => asynchronous(scale::run(command, cluster::SystemClock.now())),
        Command::Adapter { arguments } => asynchronous(scale::adapter(&arguments)),
        Command::Why(arguments) => asynchronous(why::run(arguments, cluster::SystemClock.now())),
    }
}

/// Runs a short command on a runtime of one thread.
fn asynchronous<T>(work: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime
        .map_err(|error| Problem::new("FB1019", format!("the system gives no event queue: {error}")))?
        .block_on(work)
}
