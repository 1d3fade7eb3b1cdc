//! One check from request to response, with what the decision log gets.

use rego::syntax::ast::LiteralKind;
use rego::syntax::parse_body;
use rego::{Host, Limits, Policy, Value as RegoValue, Version};
use serde_json::{Value, json};
use thiserror::Error;

use super::{Api, BodyParsing, Config, Descriptors, Http, Mode, Response, input, respond};

/// The variable that holds the first expression's value; no policy's query has a name like this.
const RESULT: &str = "flyball_envoy_result";

/// gRPC's code for a failure that has no better one.
const UNKNOWN: i32 = 2;

/// Whether the caller still waits when the policy is about to be evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// It does.
    Waits,
    /// Its deadline has passed.
    TimedOut,
    /// It went away.
    Cancelled,
}

/// A call that fails: Envoy then does what its filter is told to do on errors.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct CheckError {
    /// The stable code that the error counter counts.
    pub reason: String,
    /// The sentence.
    pub message: String,
}

impl CheckError {
    fn new(reason: &str, message: impl Into<String>) -> Self {
        let (reason, message) = (reason.to_owned(), message.into());
        Self { reason, message }
    }
}

/// What came of a check.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    /// The answer, or why there is none.
    pub answer: Result<Answer, CheckError>,
    /// The decision log's event.
    pub log: Value,
}

impl Checked {
    /// Notes that the decision could not be logged: the status says so, everything else of the answer stays.
    pub fn log_failed(&mut self, why: &str) {
        if let Ok(answer) = &mut self.answer {
            why.clone_into(&mut answer.message);
            answer.response.code = UNKNOWN;
            answer.reason = Some("unknown_log_error");
        }
    }
}

/// An answer with the status that goes with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The response.
    pub response: Response,
    /// The status' message; empty where there is none.
    pub message: String,
    /// Whether the response carries the decision's id.
    pub has_decision_id: bool,
    /// The label of the error counter, where an error was counted although there is an answer.
    pub reason: Option<&'static str>,
}

/// A policy behind Envoy.
pub struct Checker<'a> {
    /// The plugin's configuration.
    pub config: &'a Config,
    /// The policy.
    pub policy: &'a Policy,
    /// Descriptions of gRPC services.
    pub descriptors: Option<&'a Descriptors>,
    /// The world that the policy may ask.
    pub host: &'a dyn Host,
    /// What a decision may cost.
    pub limits: Limits,
}

impl Checker<'_> {
    /// Checks a request.
    pub fn check(&self, request: &Value, api: Api, call: Call) -> Checked {
        let mut log = match self.config.query.is_empty() {
            true => json!({"path": self.config.path}),
            false => json!({"query": self.config.query}),
        };
        let parsing = match self.config.skip_request_body_parse {
            true => BodyParsing::Skip,
            false => BodyParsing::Parse(self.descriptors),
        };
        let input = match input(request, api, parsing) {
            Ok(input) => input,
            Err(error) => {
                log["error"] = error.to_string().into();
                return Checked {
                    answer: Ok(unreadable(&error.to_string())),
                    log,
                };
            }
        };
        log["input"] = input.clone();
        let answer = self.decide(&input, call).and_then(|decision| {
            let mode = if self.config.dry_run {
                Mode::DryRun
            } else {
                Mode::Enforce
            };
            let response = respond(&decision, mode);
            let response = response.map_err(|error| CheckError::new("envoyauth_result_error", error.to_string()))?;
            log["result"] = decision;
            Ok(answer(response, api))
        });
        if let Err(error) = &answer {
            log["error"] = error.message.clone().into();
        }
        Checked { answer, log }
    }

    fn decide(&self, input: &Value, call: Call) -> Result<Value, CheckError> {
        match call {
            Call::Waits => {}
            Call::TimedOut => {
                return Err(CheckError::new(
                    "check_request_timeout",
                    "check request timed out before query execution",
                ));
            }
            Call::Cancelled => {
                return Err(CheckError::new(
                    "check_request_cancelled",
                    "check request explicitly cancelled before query execution",
                ));
            }
        }
        let mut values = self.values(input)?;
        match (values.pop(), values.is_empty()) {
            (Some(value), true) => Ok(value),
            (None, _) => Err(CheckError::new("envoyauth_eval_error", "undefined decision")),
            (Some(_), false) => Err(CheckError::new("envoyauth_eval_error", "multiple evaluation results")),
        }
    }

    /// The values of the query's first expression. Of a query with several expressions, or one that yields several
    /// results, those that are false do not count, as in OPA.
    fn values(&self, input: &Value) -> Result<Vec<Value>, CheckError> {
        let text = self.config.evaluated();
        let failed = |error: rego::Error| CheckError::new(error.code.as_str(), error.to_string());
        let wrong = |errors: rego::Errors| CheckError::new("envoyauth_eval_error", errors.to_string());
        let statements = parse_body(&text, Version::V1).map_err(wrong)?;
        let captured = match statements.first().map(|first| (&first.kind, first.span.end as usize)) {
            Some((LiteralKind::Expr(_), end)) => format!("{RESULT} = {}{}", &text[..end], &text[end..]),
            _ => format!("{text}; {RESULT} = true"),
        };
        let query = self.policy.query(&captured).map_err(wrong)?;
        let evaluation = self
            .policy
            .evaluation()
            .input(RegoValue::from(input))
            .host(self.host)
            .limits(self.limits);
        let results = evaluation.bindings(&query).map_err(failed)?;
        let several = statements.len() > 1;
        let value = |result: &rego::Bindings| {
            let value = result.get(RESULT)?;
            let iterates = result.len() > 1;
            (!value.is_false() || !(several || iterates)).then(|| Value::from(value))
        };
        Ok(results.iter().filter_map(value).collect())
    }
}

/// What version 2 of the API has no field for is dropped.
fn answer(mut response: Response, api: Api) -> Answer {
    if api == Api::V2 {
        response.dynamic_metadata.clear();
        if let Some(Http::Ok {
            response_headers_to_add,
            request_headers_to_remove,
            query_parameters_to_set,
            query_parameters_to_remove,
            ..
        }) = &mut response.http
        {
            response_headers_to_add.clear();
            request_headers_to_remove.clear();
            query_parameters_to_set.clear();
            query_parameters_to_remove.clear();
        }
    }
    Answer {
        response,
        message: String::new(),
        has_decision_id: api == Api::V3,
        reason: None,
    }
}

/// A request that cannot be read is denied: it is the client's fault, and no policy has seen it.
fn unreadable(why: &str) -> Answer {
    let message = format!("request_parse_error: {why}");
    let response = Response {
        code: 7,
        http: Some(Http::Denied {
            status: 400,
            headers: Vec::new(),
            body: message.clone(),
        }),
        dynamic_metadata: serde_json::Map::new(),
    };
    Answer {
        response,
        message,
        has_decision_id: false,
        reason: Some("request_parse_error"),
    }
}
