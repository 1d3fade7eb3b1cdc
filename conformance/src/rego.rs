//! Rego cases: modules, data and a query in; bindings or an error out.
//!
//! A file is `{"cases": […]}`; a case names what it wants as `want_result`, a set of bindings, or as
//! `want_error_code` and `want_error`, a part of the message. Both are compared as OPA's own runner does:
//! bindings as sets of objects, values as JSON.

use std::path::Path;

use ::rego::{BuiltinErrors, Compiler, Decision, Host, Location, Object, Set, Value};

use crate::report::FileReport;

/// A world with a clock, chance, and one host name: what the cases ask for.
struct World;

impl Host for World {
    fn now_ns(&self) -> i64 {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        now.ok()
            .and_then(|since| i64::try_from(since.as_nanos()).ok())
            .unwrap_or(0)
    }

    fn random(&self) -> u64 {
        // A hasher with fresh keys is random enough for cases that only look at the form.
        use std::hash::{BuildHasher, Hasher};
        std::collections::hash_map::RandomState::new().build_hasher().finish()
    }

    fn lookup_ip(&self, name: &str) -> Result<Vec<String>, String> {
        use std::net::ToSocketAddrs;
        let found = (name, 0)
            .to_socket_addrs()
            .map_err(|error| format!("lookup {name}: {error}"))?;
        Ok(found.map(|address| address.ip().to_string()).collect())
    }

    fn print(&self, _: &Location, _: &str) {}
}

/// Runs one file.
pub(crate) fn run(path: &Path) -> FileReport {
    let mut report = FileReport::new(path);
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => return FileReport::unreadable(path, error.to_string()),
    };
    let file = match Value::from_json(&text) {
        Ok(file) => file,
        Err(error) => return FileReport::unreadable(path, error.to_string()),
    };
    let cases = file
        .as_object()
        .and_then(|file| file.get_str("cases"))
        .and_then(Value::as_array);
    let Some(cases) = cases else {
        return FileReport::unreadable(path, "no cases");
    };
    for case in cases {
        let Some(case) = case.as_object() else { continue };
        let note = case.get_str("note").and_then(Value::as_str).unwrap_or("(no note)");
        report.count(note, check(case));
    }
    report
}

/// What a case ended with: bindings as a set of objects, or an error's code and text.
enum Outcome {
    Bindings(Set),
    Failure { code: String, text: String },
}

fn check(case: &Object) -> Result<(), String> {
    let outcome = evaluate(case)?;
    let wanted_code = case.get_str("want_error_code").and_then(Value::as_str);
    let wanted_text = case.get_str("want_error").and_then(Value::as_str);
    match outcome {
        Outcome::Failure { code, text } => {
            if wanted_code.is_none() && wanted_text.is_none() {
                return Err(format!("failed: {text}"));
            }
            if let Some(wanted) = wanted_code.filter(|wanted| *wanted != code) {
                return Err(format!("wanted error {wanted}, got {text}"));
            }
            match wanted_text.filter(|wanted| !text.contains(wanted)) {
                Some(wanted) => Err(format!("wanted the error to say {wanted:?}\ngot {text:?}")),
                None => Ok(()),
            }
        }
        Outcome::Bindings(got) => {
            if wanted_code.is_some() || wanted_text.is_some() {
                let wanted = wanted_text.or(wanted_code).unwrap_or_default();
                return Err(format!("wanted error {wanted:?}\ngot {got}"));
            }
            let wanted: Set = case
                .get_str("want_result")
                .and_then(Value::as_array)
                .unwrap_or_default()
                .iter()
                .cloned()
                .collect();
            if wanted == got {
                Ok(())
            } else {
                Err(format!("wanted {wanted}\ngot    {got}"))
            }
        }
    }
}

fn evaluate(case: &Object) -> Result<Outcome, String> {
    let flag = |name: &str| case.get_str(name) == Some(&Value::Bool(true));
    let text = |name: &str| case.get_str(name).and_then(Value::as_str);
    let failure = |errors: ::rego::Errors| Outcome::Failure {
        code: errors.0.first().map(|error| error.code.to_string()).unwrap_or_default(),
        text: errors.to_string(),
    };
    let mut compiler = Compiler::new();
    let modules = case.get_str("modules").and_then(Value::as_array).unwrap_or_default();
    for (i, module) in modules.iter().enumerate() {
        let name = format!("test-{i}.rego");
        compiler = match compiler.module(&name, module.as_str().unwrap_or_default()) {
            Ok(compiler) => compiler,
            Err(errors) => return Ok(failure(errors)),
        };
    }
    if let Some(data) = case.get_str("data") {
        compiler = compiler.data(data.clone());
    }
    let policy = match compiler.compile() {
        Ok(policy) => policy,
        Err(errors) => return Ok(failure(errors)),
    };
    let query = match policy.query(text("query").ok_or("the case has no query")?) {
        Ok(query) => query,
        Err(errors) => return Ok(failure(errors)),
    };
    let errors = if flag("strict_error") {
        BuiltinErrors::Strict
    } else {
        BuiltinErrors::Undefined
    };
    let mut evaluation = policy.evaluation().host(&World).builtin_errors(errors);
    if let Some(input) = case.get_str("input") {
        evaluation = evaluation.input(input.clone());
    } else if let Some(term) = text("input_term") {
        evaluation = match input_term(&policy, term)? {
            Some(input) => evaluation.input(input),
            None => evaluation,
        };
    }
    Ok(match evaluation.bindings(&query) {
        Ok(results) => Outcome::Bindings(
            results
                .into_iter()
                .map(|bindings| {
                    let shown = |(name, value): (std::sync::Arc<str>, Value)| {
                        (Value::String(name), as_json(&value, flag("sort_bindings")))
                    };
                    Value::object(bindings.into_iter().map(shown))
                })
                .collect(),
        ),
        Err(error) => Outcome::Failure {
            code: error.code.to_string(),
            text: error.to_string(),
        },
    })
}

/// `input_term` is a term of the language, which may hold comprehensions.
fn input_term(policy: &::rego::Policy, term: &str) -> Result<Option<Value>, String> {
    if let Ok(value) = ::rego::parse_value(term) {
        return Ok(Some(value));
    }
    match policy.evaluation().document(term) {
        Decision::Value(value) => Ok(Some(value)),
        Decision::Undefined => Ok(None),
        Decision::Error(error) => Err(format!("input_term: {error}")),
    }
}

/// A value as it leaves the engine: sets are arrays, keys are strings. `sort` orders an array at the top.
fn as_json(value: &Value, sort: bool) -> Value {
    match value {
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(|item| as_json(item, false)).collect();
            if sort {
                items.sort();
            }
            items.into()
        }
        Value::Set(set) => as_json(&Value::array(set.iter().cloned()), sort),
        Value::Object(object) => Value::object(object.iter().map(|(key, value)| {
            let key = match key {
                Value::String(_) => key.clone(),
                other => other.to_json().into(),
            };
            (key, as_json(value, false))
        })),
        other => other.clone(),
    }
}
