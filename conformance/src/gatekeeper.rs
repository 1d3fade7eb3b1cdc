//! The `gatekeeper` suite: templates, constraints, objects, and what Gatekeeper's engine said of them.
//!
//! A case counts as passed when its assertions hold *and* the violations are those that were recorded, as a multiset
//! of messages and details: the recording is the stronger statement.

use std::fs;
use std::path::Path;

use policy::gatekeeper::{Inventory, Review, Template, Violation, matches};
use regex::Regex;
use rego::Limits;
use serde_json::{Value, json};

use crate::report::FileReport;

/// Runs the cases of one suite.
pub(crate) fn run(file: &Path) -> FileReport {
    let suite: Value = match fs::read(file).map(|text| serde_json::from_slice(&text)) {
        Ok(Ok(suite)) => suite,
        Ok(Err(error)) => return FileReport::unreadable(file, error.to_string()),
        Err(error) => return FileReport::unreadable(file, error.to_string()),
    };
    let template = yaml(&suite["template"]).and_then(|template| Template::read(&template).map_err(|e| e.to_string()));
    let template = match template {
        Ok(template) => template,
        Err(error) => return FileReport::unreadable(file, error),
    };
    let mut report = FileReport::new(file);
    for case in suite["cases"].as_array().into_iter().flatten() {
        let name = format!(
            "{}/{}",
            case["test"].as_str().unwrap_or_default(),
            case["name"].as_str().unwrap_or_default()
        );
        report.count(name, check(&template, case));
    }
    report
}

fn check(template: &Template, case: &Value) -> Result<(), String> {
    let constraint = yaml(&case["constraint"])?;
    let review = Review::of(&yaml(&case["object"])?);
    let mut inventory = Inventory::default();
    for object in case["inventory"].as_array().into_iter().flatten() {
        inventory.add(&yaml(object)?);
    }
    let violations = match matches(&constraint, &review, None) {
        true => template
            .violations(&constraint, &review, &inventory, Limits::default())
            .map_err(|error| error.to_string())?,
        false => Vec::new(),
    };
    for assertion in case["assertions"].as_array().into_iter().flatten() {
        holds(assertion, &violations)?;
    }
    recorded(&case["recorded"]["rego"], &violations)
}

fn holds(assertion: &Value, violations: &[Violation]) -> Result<(), String> {
    let pattern = assertion["message"].as_str().unwrap_or_default();
    let pattern = Regex::new(pattern).map_err(|error| error.to_string())?;
    let count = violations
        .iter()
        .filter(|violation| pattern.is_match(&violation.message))
        .count();
    let held = match &assertion["violations"] {
        Value::String(text) if text == "no" => count == 0,
        Value::String(_) => count > 0,
        number => number.as_u64() == u64::try_from(count).ok(),
    };
    held.then_some(())
        .ok_or_else(|| format!("asserted {assertion}\ngot {violations:?}"))
}

fn recorded(expected: &Value, violations: &[Violation]) -> Result<(), String> {
    let plain = |message: &str, details: &Value| {
        let details = if details.is_null() { &json!({}) } else { details };
        format!("{message} {details}")
    };
    let expected = expected.as_array().into_iter().flatten();
    let mut expected: Vec<String> = expected
        .map(|one| plain(one["msg"].as_str().unwrap_or_default(), &sorted(&one["details"])))
        .collect();
    let mut actual: Vec<String> = violations
        .iter()
        .map(|one| plain(&one.message, &sorted(&one.details)))
        .collect();
    expected.sort_unstable();
    actual.sort_unstable();
    match expected == actual {
        true => Ok(()),
        false => Err(format!("recorded {expected:?}\ngot      {actual:?}")),
    }
}

/// The same value with the keys of its objects in order, so that texts can be compared.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut entries: Vec<_> = fields
                .iter()
                .map(|(name, field)| (name.clone(), sorted(field)))
                .collect();
            entries.sort_by(|left, right| left.0.cmp(&right.0));
            Value::Object(entries.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        other => other.clone(),
    }
}

fn yaml(text: &Value) -> Result<Value, String> {
    let read = documents::read("case", text.as_str().unwrap_or_default());
    if let Some(problem) = read.problems.first() {
        return Err(problem.to_string());
    }
    read.documents
        .into_iter()
        .next()
        .map(|document| document.value)
        .ok_or_else(|| "an empty document".to_owned())
}
