//! `http.send`: checked here, sent by the host.

use super::{Builtin, Env, Fault, Outcome, object};
use crate::value::{Set, Value};

pub(super) const TABLE: &[Builtin] = &[Builtin::new("http.send", 1, send)];

const REQUIRED: [&str; 2] = ["method", "url"];
const KNOWN: [&str; 31] = [
    "method",
    "url",
    "body",
    "enable_redirect",
    "force_json_decode",
    "force_yaml_decode",
    "headers",
    "raw_body",
    "tls_use_system_certs",
    "tls_ca_cert",
    "tls_ca_cert_file",
    "tls_ca_cert_env_variable",
    "tls_client_cert",
    "tls_client_cert_file",
    "tls_client_cert_env_variable",
    "tls_client_key",
    "tls_client_key_file",
    "tls_client_key_env_variable",
    "tls_insecure_skip_verify",
    "tls_server_name",
    "timeout",
    "cache",
    "force_cache",
    "force_cache_duration_seconds",
    "raise_error",
    "caching_mode",
    "max_retry_attempts",
    "cache_ignored_headers",
    "allow_net",
    "ignore_headers",
    "query",
];

fn names<'a>(keys: impl Iterator<Item = &'a str>) -> Set {
    keys.map(Value::from).collect()
}

fn send(env: &mut Env<'_>, args: &[Value]) -> Outcome {
    let request = object(args, 0)?;
    let missing = names(REQUIRED.into_iter().filter(|key| request.get_str(key).is_none()));
    if !missing.is_empty() {
        return Err(Fault::Type(format!(
            "operand 1 missing required request parameters(s): {missing}"
        )));
    }
    let unknown = names(
        request
            .keys()
            .filter_map(Value::as_str)
            .filter(|key| !KNOWN.contains(key)),
    );
    if !unknown.is_empty() {
        return Err(Fault::Type(format!(
            "operand 1 invalid request parameters(s): {unknown}"
        )));
    }
    let raise = request.get_str("raise_error") != Some(&Value::Bool(false));
    let key = args[0].clone();
    let answer = env.once("http.send", key, |env| match env.host.http_send(&args[0]) {
        Ok(response) => Ok(response),
        Err(message) if raise => Err(Fault::Failed(message)),
        // The policy asked to see failures.
        Err(message) => Ok(Value::record([
            ("status_code", 0i64.into()),
            (
                "error",
                Value::record([
                    ("code", "eval_http_send_network_error".into()),
                    ("message", message.into()),
                ]),
            ),
        ])),
    })?;
    Ok(Some(answer))
}
