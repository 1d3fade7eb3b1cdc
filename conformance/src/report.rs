//! What a runner says of one file, and how all of it is printed.

use std::fmt::Write;
use std::path::Path;

use serde::Serialize;

use crate::Failure;

/// The cases of one file.
#[derive(Debug, Serialize)]
pub(crate) struct FileReport {
    /// The file's name without its folders.
    pub(crate) file: String,
    /// How many cases passed.
    pub(crate) passed: usize,
    /// Those that did not.
    pub(crate) failures: Vec<Failure>,
}

impl FileReport {
    /// A file without any case yet.
    pub(crate) fn new(file: &Path) -> Self {
        let name = file.file_name().unwrap_or(file.as_os_str());
        Self {
            file: name.to_string_lossy().into_owned(),
            passed: 0,
            failures: Vec::new(),
        }
    }

    /// Counts a case that passed.
    pub(crate) fn pass(&mut self) {
        self.passed += 1;
    }

    /// Counts a case that did not.
    pub(crate) fn fail(&mut self, case: impl Into<String>, reason: impl Into<String>) {
        self.failures.push(Failure {
            case: case.into(),
            reason: reason.into(),
        });
    }

    /// Counts a case by its result.
    pub(crate) fn count(&mut self, case: impl Into<String>, result: Result<(), String>) {
        match result {
            Ok(()) => self.pass(),
            Err(reason) => self.fail(case, reason),
        }
    }

    fn total(&self) -> usize {
        self.passed + self.failures.len()
    }
}

/// A file's JSON, or why it has none.
pub(crate) fn read_json(file: &Path) -> Result<serde_json::Value, String> {
    let text = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
    serde_json::from_str(&text).map_err(|error| error.to_string())
}

/// A line a file, the failing cases, the closing line.
pub(crate) fn to_text(reports: &[FileReport]) -> String {
    let mut text = String::new();
    let width = reports.iter().map(|report| report.file.len()).max().unwrap_or(0);
    for report in reports {
        let _ = writeln!(text, "{:width$}  {}/{}", report.file, report.passed, report.total());
    }
    for report in reports {
        for failure in &report.failures {
            let _ = writeln!(text, "\nFAIL {} {}", report.file, failure.case);
            for line in failure.reason.lines() {
                let _ = writeln!(text, "     {line}");
            }
        }
    }
    let (passed, failed) = totals(reports);
    let _ = writeln!(text, "\n{passed} passed, {failed} failed");
    text
}

/// The same as one JSON document.
pub(crate) fn to_json(reports: &[FileReport]) -> String {
    let (passed, failed) = totals(reports);
    serde_json::json!({ "files": reports, "passed": passed, "failed": failed }).to_string()
}

fn totals(reports: &[FileReport]) -> (usize, usize) {
    let passed = reports.iter().map(|report| report.passed).sum();
    let failed = reports.iter().map(|report| report.failures.len()).sum();
    (passed, failed)
}
