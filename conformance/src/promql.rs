//! Prometheus' test scripts: every `eval` is a case.

use std::path::Path;

use promql::engine::Dialect;
use promql::script;

use crate::report::FileReport;

/// The release whose scripts the suite holds: Prometheus' own at commit d15adb9.
const SUITE_DIALECT: Dialect = Dialect::Prometheus3_14;

/// Runs one script.
pub(crate) fn run(file: &Path) -> FileReport {
    let text = match std::fs::read(file) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => return FileReport::unreadable(file, error.to_string()),
    };
    let mut report = FileReport::new(file);
    let engine = script::engine(SUITE_DIALECT);
    for case in script::run(&text, &engine) {
        report.count(case.to_string(), case.result);
    }
    report
}
