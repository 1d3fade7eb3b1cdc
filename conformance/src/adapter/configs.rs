//! Rule files of real users: accepted or refused as prometheus-adapter does, and read as it reads them.

use std::path::Path;
use std::sync::Arc;

use scale::adapter::Compiled;
use scale::adapter::config::{Config, MALFORMED, UNKNOWN_FIELD};
use serde_json::{Value, json};

use super::{mapper, same};
use crate::report::FileReport;

pub(super) fn run(index: &Path, suite: &Value) -> FileReport {
    let mut report = FileReport::new(index);
    let folder = index.parent().unwrap_or(Path::new("."));
    for case in suite["cases"]
        .as_array()
        .or(suite["files"].as_array())
        .into_iter()
        .flatten()
    {
        let name = case["file"].as_str().unwrap_or("(without a name)");
        report.count(name, check(&folder.join(name), case, &suite["resources"]));
    }
    report
}

fn check(file: &Path, case: &Value, resources: &Value) -> Result<(), String> {
    let text = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
    let expect = &case["expect"];
    let config = match Config::read(&text, &file.to_string_lossy()) {
        Ok(config) => config,
        Err(problem) if expect["accepted"] == false => {
            let stage = match problem.code {
                MALFORMED => "yaml",
                UNKNOWN_FIELD => "fields",
                other => other,
            };
            if problem.place.as_ref().is_none_or(|place| place.line == 0) {
                return Err(format!("the refusal has no line: {problem}"));
            }
            return same("stage", &json!(stage), &expect["stage"]).map_err(|why| format!("{why}\n{problem}"));
        }
        Err(problem) => return Err(problem.to_string()),
    };
    same("accepted", &json!(true), &expect["accepted"])?;
    let read = serde_json::to_value(&config).map_err(|error| error.to_string())?;
    same("parsed", &read, &expect["parsed"])?;
    let compiled = Compiled::new(&config, Arc::new(mapper(resources)));
    compiled
        .map(drop)
        .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}
