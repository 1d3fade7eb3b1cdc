//! The command line: one definition for parsing, help, completion and the man page.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Keeps services on Kubernetes inside their objectives.
///
/// On a laptop, `flyball up DIR` runs unchanged Kubernetes manifests as processes and scales them on their own
/// metrics. Everything that was decided can be asked for with `flyball why`.
#[derive(Debug, Parser)]
#[command(name = "flyball", version, propagate_version = true, max_term_width = 100)]
#[command(after_help = "Exit codes: 0 done; 1 the answer is no; 2 wrong use; 3 could not be done.")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run manifests here, as processes; Ctrl-C ends it
    Up(Up),
    /// Say what runs in this folder's local cluster
    Status(Status),
    /// End this folder's local cluster
    Down(Folder),
    /// Remove what a killed `up` may have left: processes and temporary files, not data
    Prune(Folder),
    /// Say what was decided about an object, and on what evidence
    Why(Why),
    /// Evaluate a PromQL expression
    Query(Query),
    /// Say which command each container would run, and why; runs nothing
    ExplainRun(ExplainRun),
    /// Serve custom, external and resource metrics from Prometheus: prometheus-adapter's flags and rules, unchanged
    #[command(disable_help_flag = true)]
    Adapter {
        /// prometheus-adapter's flags; --help lists them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "FLAG")]
        arguments: Vec<String>,
    },
    /// Look into autoscaling without changing anything
    #[command(subcommand)]
    Scale(Scale),
    /// Evaluate, test and check Rego policies
    #[command(subcommand)]
    Policy(Policy),
    /// Print the completion script of a shell
    Completion {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the man page (roff)
    Man,
    /// Watches over processes for `up`; not for people
    #[command(hide = true, name = crate::GUARDIAN)]
    Guardian,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Up {
    /// Files or folders of manifests; `-` reads standard input
    #[arg(default_value = ".", value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Keep the cluster's objects in this folder and find them again at the next start
    #[arg(long, value_name = "DIR", conflicts_with = "ephemeral")]
    pub(crate) data: Option<PathBuf>,
    /// Keep nothing (the default; stated for scripts)
    #[arg(long)]
    pub(crate) ephemeral: bool,
    /// Port of the Kubernetes API on loopback; 0 takes a free one
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub(crate) port: u16,
    /// Port of the Prometheus API on loopback; 0 takes a free one
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub(crate) prometheus_port: u16,
    /// Where to write the kubeconfig [default: .flyball/kubeconfig]
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Run only these workloads (names); all other objects are applied as they are
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// Run the folder's commands without asking
    #[arg(long, short = 'y')]
    pub(crate) yes: bool,
    /// How often Pods are scraped, in seconds
    #[arg(long, default_value_t = 5, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) scrape_interval: u64,
    /// How often HorizontalPodAutoscalers are evaluated, in seconds
    #[arg(long, default_value_t = 5, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) hpa_sync_period: u64,
    /// Print plain lines even on a terminal
    #[arg(long)]
    pub(crate) plain: bool,
    /// Show the logs of Pods whose name starts with this; may be repeated; empty means all
    #[arg(long, value_name = "PREFIX", num_args = 0..=1, default_missing_value = "")]
    pub(crate) logs: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Folder {
    /// The folder that `up` was started in
    #[arg(long, default_value = ".", value_name = "DIR")]
    pub(crate) folder: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Status {
    #[command(flatten)]
    pub(crate) folder: Folder,
    /// How to print it
    #[arg(long, short, default_value = "table")]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct Why {
    /// The object, as kubectl names it: hpa/web, deploy/price, pod/web-abc
    #[arg(value_name = "KIND/NAME")]
    pub(crate) reference: String,
    #[command(flatten)]
    pub(crate) target: Target,
    /// Only what was decided within this time, such as 90s, 10m, 1h
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) since: Option<std::time::Duration>,
    /// How many decisions at most, the latest ones
    #[arg(long, default_value_t = 10, value_name = "N")]
    pub(crate) last: usize,
    /// How to print it
    #[arg(long, short, default_value = "table")]
    pub(crate) output: Output,
}

/// Which cluster and namespace, as kubectl's flags say it.
#[derive(Debug, Args)]
pub(crate) struct Target {
    /// Namespace
    #[arg(long, short, default_value = "default")]
    pub(crate) namespace: String,
    /// Kubeconfig [default: .flyball/kubeconfig if it is there, else as kubectl]
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig
    #[arg(long, value_name = "NAME")]
    pub(crate) context: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Query {
    /// The PromQL expression
    #[arg(value_name = "EXPR")]
    pub(crate) expression: String,
    /// Evaluate at this time (RFC 3339, such as 2026-01-01T12:00:00Z)
    #[arg(long, value_name = "TIME", conflicts_with = "range")]
    pub(crate) at: Option<flyball_core::Timestamp>,
    /// Evaluate over this time until now, such as 1h
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) range: Option<std::time::Duration>,
    /// The step of a range [default: a 100th of the range, at least 1s]
    #[arg(long, value_name = "DURATION", value_parser = duration, requires = "range")]
    pub(crate) step: Option<std::time::Duration>,
    /// A Prometheus-compatible server [default: this folder's local cluster]
    #[arg(long, value_name = "URL")]
    pub(crate) source: Option<String>,
    /// How to print it
    #[arg(long, short, default_value = "table")]
    pub(crate) output: QueryOutput,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainRun {
    /// Files or folders of manifests
    #[arg(default_value = ".", value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// How to print it
    #[arg(long, short, default_value = "table")]
    pub(crate) output: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people
    Table,
    /// For programs
    Json,
    /// For programs that people read
    Yaml,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum QueryOutput {
    /// For people
    Table,
    /// Prometheus' answer as it is
    Json,
    /// A line a sample
    Csv,
    /// A small plot, for ranges
    Graph,
}

/// A duration in Kubernetes' and Prometheus' way: `90s`, `1h30m`.
fn duration(text: &str) -> Result<std::time::Duration, String> {
    let span: jiff::SignedDuration = text.parse().map_err(|_| "write it like 90s, 10m or 1h30m".to_owned())?;
    span.try_into().map_err(|_| "it must not be negative".to_owned())
}

#[derive(Debug, Subcommand)]
pub(crate) enum Scale {
    /// Recompute an autoscaler's next decision from its cluster's objects and metrics, step by step
    Explain(Explain),
    /// Check a file of metric rules; with --source, say what each rule yields
    Check(Check),
}

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The autoscaler: hpa/web or web
    #[arg(value_name = "HPA")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) target: Target,
    /// How to print it
    #[arg(long, short, default_value = "table")]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Rules in prometheus-adapter's format
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// A Prometheus-compatible server to ask
    #[arg(long, value_name = "URL")]
    pub(crate) source: Option<String>,
    #[command(flatten)]
    pub(crate) target: Target,
    /// How to print it
    #[arg(long, short, default_value = "table")]
    pub(crate) output: Output,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Policy {
    /// Evaluate a query
    Eval(PolicyEval),
    /// Run the rules whose names begin with test_
    Test(PolicyTest),
    /// Compile policies and say what is wrong with them
    Check(PolicyCheck),
}

/// Which Rego.
#[derive(Debug, Args)]
pub(crate) struct Dialect {
    /// Read policies as OPA before 1.0 did
    #[arg(long)]
    pub(crate) v0_compatible: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PolicyEval {
    /// The query, such as data.authz.allow
    #[arg(value_name = "QUERY")]
    pub(crate) query: String,
    /// Policies and data: files or folders; may be repeated
    #[arg(long, short, value_name = "PATH")]
    pub(crate) data: Vec<PathBuf>,
    /// The input: a JSON or YAML file
    #[arg(long, short, value_name = "FILE")]
    pub(crate) input: Option<PathBuf>,
    /// How to print it
    #[arg(long, short, default_value = "json")]
    pub(crate) format: EvalFormat,
    /// Exit with 1 when the query is undefined
    #[arg(long)]
    pub(crate) fail: bool,
    /// Let an error of a built-in function be an error rather than undefined
    #[arg(long)]
    pub(crate) strict_builtin_errors: bool,
    #[command(flatten)]
    pub(crate) dialect: Dialect,
}

#[derive(Debug, Args)]
pub(crate) struct PolicyTest {
    /// Policies, data and tests: files or folders
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Only tests whose names match this regular expression
    #[arg(long, short, value_name = "REGEX")]
    pub(crate) run: Option<String>,
    /// Print tests that pass, too
    #[arg(long, short)]
    pub(crate) verbose: bool,
    /// How to print it
    #[arg(long, short, default_value = "pretty")]
    pub(crate) format: TestFormat,
    #[command(flatten)]
    pub(crate) dialect: Dialect,
}

#[derive(Debug, Args)]
pub(crate) struct PolicyCheck {
    /// Policies: files or folders
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) dialect: Dialect,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum EvalFormat {
    /// OPA's result document
    Json,
    /// The values alone, as JSON
    Values,
    /// The values alone, a line each, texts without quotes
    Raw,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TestFormat {
    /// For people
    Pretty,
    /// For programs
    Json,
}
