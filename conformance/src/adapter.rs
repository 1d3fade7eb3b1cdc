//! prometheus-adapter's cases: queries, discovery, answers, HTTP, flags, and the rule files of real users.

mod configs;
mod flags;
mod http;
mod providers;
mod rules;

use std::path::Path;

use serde_json::Value;

use crate::report::FileReport;

/// A check of one case, given what its file sets up.
type Check = fn(&Value, &Value) -> Result<(), String>;

/// Which check a file's `kind` needs.
const KINDS: &[(&str, Check)] = &[
    ("metrics_query", rules::metrics_query),
    ("regex_matcher", rules::regex_matcher),
    ("series_registry", rules::series_registry),
    ("custom_provider", providers::custom_provider),
    ("resource_provider", providers::resource_provider),
    ("external_provider", providers::external_provider),
    ("cli_auth", flags::cli_auth),
    ("http", http::http),
];

/// Runs one file.
pub(crate) fn run(file: &Path) -> FileReport {
    let suite = match crate::report::read_json(file) {
        Ok(suite) => suite,
        Err(reason) => return FileReport::unreadable(file, reason),
    };
    let kind = suite["kind"].as_str().unwrap_or_default();
    if kind == "configs" {
        return configs::run(file, &suite);
    }
    let Some((_, check)) = KINDS.iter().find(|(name, _)| *name == kind) else {
        return FileReport::unreadable(file, format!("unknown kind {kind:?}"));
    };
    let Some(cases) = suite["cases"].as_array() else {
        return FileReport::unreadable(file, "no list of cases");
    };
    let mut report = FileReport::new(file);
    for case in cases {
        let name = case["name"].as_str().unwrap_or("(without a name)");
        report.count(name, check(case, &suite["setup"]));
    }
    report
}

/// Two documents that should be the same.
fn same(what: &str, got: &Value, want: &Value) -> Result<(), String> {
    if got == want {
        return Ok(());
    }
    Err(format!("{what}: got  {got}\n{what}: want {want}"))
}

/// The resources that the mapper knows.
fn mapper(resources: &Value) -> scale::adapter::ResourceMapper {
    let resources = serde_json::from_value(resources.clone()).unwrap_or_default();
    scale::adapter::ResourceMapper::new(resources)
}

/// Texts of a list.
fn texts(list: &Value) -> Vec<&str> {
    list.as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

/// Waits for a future that never really waits.
fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime without I/O can be built").block_on(future)
}
