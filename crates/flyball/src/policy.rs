//! `flyball policy eval|test|check`: Rego on the command line, with OPA's flags where they make sense.

mod load;
mod world;

use std::fmt::Write;
use std::time::Instant;

use flyball_core::Problem;
use rego::{BuiltinErrors, Decision, Policy, TestCase, Value};
use serde_json::json;

use crate::cli::{EvalFormat, Policy as Command, PolicyCheck, PolicyEval, PolicyTest, TestFormat};
use crate::output;

use world::World;

/// Runs one of the subcommands.
pub(crate) fn run(command: Command) -> Result<(), Problem> {
    match command {
        Command::Eval(arguments) => eval(&arguments),
        Command::Test(arguments) => test(&arguments),
        Command::Check(arguments) => check(&arguments),
    }
}

fn check(arguments: &PolicyCheck) -> Result<(), Problem> {
    load::policy(&arguments.paths, &arguments.dialect).map(drop)
}

/// Prints the results of a query in OPA's form.
fn eval(arguments: &PolicyEval) -> Result<(), Problem> {
    let policy = load::policy(&arguments.data, &arguments.dialect)?;
    let query = policy
        .query(&arguments.query)
        .map_err(|errors| load::refused(&errors))?;
    let world = World;
    let mut evaluation = policy.evaluation().host(&world);
    if let Some(file) = &arguments.input {
        evaluation = evaluation.input(load::document(file)?);
    }
    if arguments.strict_builtin_errors {
        evaluation = evaluation.builtin_errors(BuiltinErrors::Strict);
    }
    let decision = evaluation.document(&arguments.query);
    let bindings = evaluation
        .bindings(&query)
        .map_err(|error| Problem::new("FB1034", error.to_string()))?;
    let variables = |bindings: &rego::Bindings| {
        let shown = bindings
            .iter()
            .map(|(name, value)| (name.to_string(), serde_json::Value::from(value)));
        shown.collect::<serde_json::Map<_, _>>()
    };
    // A query without variables has one result at most: the value of its expression.
    let values: Vec<serde_json::Value> = match &decision {
        Decision::Value(value) if bindings.iter().all(rego::Bindings::is_empty) => vec![value.into()],
        _ => bindings.iter().map(|_| true.into()).collect(),
    };
    let result = |(index, value): (usize, &serde_json::Value)| {
        let expression = json!({"value": value, "text": arguments.query, "location": {"row": 1, "col": 1}});
        let mut result = json!({"expressions": [expression]});
        let bound = bindings.get(index).map(&variables).unwrap_or_default();
        if !bound.is_empty() {
            result["bindings"] = bound.into();
        }
        result
    };
    let results: Vec<serde_json::Value> = values.iter().enumerate().map(result).collect();
    match arguments.format {
        EvalFormat::Json if results.is_empty() => output::json(&json!({}))?,
        EvalFormat::Json => output::json(&json!({"result": results}))?,
        EvalFormat::Values => output::json(&values)?,
        EvalFormat::Raw => {
            let text = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let lines: Vec<String> = values.iter().map(|value| text(value) + "\n").collect();
            output::text(&lines.concat())?;
        }
    }
    match arguments.fail && results.is_empty() {
        true => Err(Problem::new("FB1035", "the query is undefined")),
        false => Ok(()),
    }
}

/// Runs every rule whose name begins with `test_`.
fn test(arguments: &PolicyTest) -> Result<(), Problem> {
    let policy = load::policy(&arguments.paths, &arguments.dialect)?;
    let pattern = arguments.run.as_deref().map(regex::Regex::new).transpose();
    let pattern =
        pattern.map_err(|error| Problem::new("FB1033", format!("--run is no regular expression: {error}")))?;
    let name = |test: &TestCase| format!("{}.{}", test.package, test.name);
    let tests = policy.tests().into_iter();
    let chosen: Vec<TestCase> = tests
        .filter(|test| pattern.as_ref().is_none_or(|pattern| pattern.is_match(&name(test))))
        .collect();
    let outcomes: Vec<Outcome> = chosen.iter().map(|test| outcome(&policy, test, name(test))).collect();
    let failed = outcomes.iter().filter(|outcome| outcome.state != State::Pass).count();
    match arguments.format {
        TestFormat::Pretty => output::text(&report(&outcomes, arguments.verbose))?,
        TestFormat::Json => output::json(&outcomes.iter().map(Outcome::data).collect::<Vec<_>>())?,
    }
    match failed {
        0 => Ok(()),
        failed => Err(Problem::new(
            "FB1036",
            format!("{failed} of {} tests failed", outcomes.len()),
        )),
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Pass,
    Fail,
    Error(String),
}

struct Outcome {
    name: String,
    place: String,
    state: State,
    microseconds: u128,
}

impl Outcome {
    fn data(&self) -> serde_json::Value {
        let mut data = json!({"name": self.name, "location": self.place, "duration_us": self.microseconds as u64});
        match &self.state {
            State::Pass => {}
            State::Fail => data["fail"] = true.into(),
            State::Error(why) => data["error"] = why.clone().into(),
        }
        data
    }
}

fn outcome(policy: &Policy, test: &TestCase, name: String) -> Outcome {
    let started = Instant::now();
    let state = match policy.evaluation().host(&World).test(test) {
        Decision::Value(Value::Bool(false)) | Decision::Undefined => State::Fail,
        Decision::Value(_) => State::Pass,
        Decision::Error(error) => State::Error(error.to_string()),
    };
    Outcome {
        name,
        place: format!("{}:{}", test.location.file, test.location.row),
        state,
        microseconds: started.elapsed().as_micros(),
    }
}

/// Failures, or everything when asked for, and a line that counts.
fn report(outcomes: &[Outcome], verbose: bool) -> String {
    let mut text = String::new();
    for outcome in outcomes
        .iter()
        .filter(|outcome| verbose || outcome.state != State::Pass)
    {
        let Outcome { name, place, .. } = outcome;
        let milliseconds = outcome.microseconds as f64 / 1000.0;
        let _ = match &outcome.state {
            State::Pass => writeln!(text, "{name}: PASS ({milliseconds:.3}ms)"),
            State::Fail => writeln!(text, "{place}: {name}: FAIL ({milliseconds:.3}ms)"),
            State::Error(why) => writeln!(text, "{place}: {name}: ERROR ({milliseconds:.3}ms)\n  {why}"),
        };
    }
    if !text.is_empty() {
        text.push_str(&"-".repeat(80));
        text.push('\n');
    }
    let count = |wanted: fn(&State) -> bool| outcomes.iter().filter(|outcome| wanted(&outcome.state)).count();
    let all = outcomes.len();
    for (word, count) in [
        ("PASS", count(|state| *state == State::Pass)),
        ("FAIL", count(|state| *state == State::Fail)),
        ("ERROR", count(|state| matches!(state, State::Error(_)))),
    ] {
        if count > 0 || (word == "PASS" && all == 0) {
            let _ = writeln!(text, "{word}: {count}/{all}");
        }
    }
    text
}
