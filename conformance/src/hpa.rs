//! Kubernetes' own HorizontalPodAutoscaler cases, against the engine of the scale loop.
//!
//! A file holds one kind of question (the replica calculator, rate limits, a whole reconciliation, …); its
//! cases give inputs as upstream's controller received them and results as it returned them.

mod input;
mod parts;
mod reconcile;

use std::path::Path;

use serde_json::Value;

use crate::report::FileReport;

/// A check of one case.
type Check = fn(&Value, &input::Context) -> Result<(), String>;

/// Which check a file's `kind` needs.
const KINDS: &[(&str, Check)] = &[
    ("replica_calculator", parts::replica_calculator),
    ("usage_ratio", parts::usage_ratio),
    ("group_pods", parts::group_pods),
    ("pod_requests", parts::pod_requests),
    ("scaling_rules", parts::scaling_rules),
    ("limits", parts::limits),
    ("store_scale_events", parts::store_scale_events),
    ("normalize", parts::normalize),
    ("normalize_with_behavior", parts::normalize_with_behavior),
    ("build_quantity", parts::build_quantity),
    ("reconcile", reconcile::reconcile),
];

/// Runs one file.
pub(crate) fn run(file: &Path) -> FileReport {
    let suite = match crate::report::read_json(file) {
        Ok(suite) => suite,
        Err(reason) => return FileReport::unreadable(file, reason),
    };
    let kind = suite["kind"].as_str().unwrap_or_default();
    let Some((_, check)) = KINDS.iter().find(|(name, _)| *name == kind) else {
        return FileReport::unreadable(file, format!("unknown kind {kind:?}"));
    };
    let Some(cases) = suite["cases"].as_array() else {
        return FileReport::unreadable(file, "no list of cases");
    };
    let mut report = FileReport::new(file);
    let context = input::Context::new(&suite);
    for case in cases {
        let name = case["name"].as_str().unwrap_or("(without a name)");
        report.count(name, check(case, &context));
    }
    report
}
