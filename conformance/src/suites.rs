//! Which suites there are.

use std::path::Path;

use crate::adapter;
use crate::extauthz;
use crate::gatekeeper;
use crate::hpa;
use crate::promql;
use crate::rego;
use crate::report::FileReport;

/// One suite: which files it takes and how one is run.
pub(crate) struct Suite {
    /// Its name on the command line.
    name: &'static str,
    /// The ending of its files.
    pub(crate) extension: &'static str,
    /// Whether a file with that ending belongs to it.
    pub(crate) takes: fn(&Path) -> bool,
    /// Runs one file.
    pub(crate) run: fn(&Path) -> FileReport,
}

/// All suites, one a line, in the order in which they are listed.
const SUITES: &[Suite] = &[
    suite("adapter", "json", all, adapter::run),
    suite("extauthz", "json", extauthz::takes, extauthz::run),
    suite("gatekeeper", "json", all, gatekeeper::run),
    suite("hpa", "json", all, hpa::run),
    suite("promql", "test", all, promql::run),
    suite("rego", "json", all, rego::run),
];

const fn suite(
    name: &'static str,
    extension: &'static str,
    takes: fn(&Path) -> bool,
    run: fn(&Path) -> FileReport,
) -> Suite {
    Suite {
        name,
        extension,
        takes,
        run,
    }
}

/// Every file with the suite's ending belongs to it.
fn all(_file: &Path) -> bool {
    true
}

/// The suite of that name.
pub(crate) fn find(name: &str) -> Option<&'static Suite> {
    SUITES.iter().find(|suite| suite.name == name)
}

/// The names of all suites.
pub(crate) fn names() -> String {
    SUITES.iter().map(|suite| suite.name).collect::<Vec<_>>().join(", ")
}
