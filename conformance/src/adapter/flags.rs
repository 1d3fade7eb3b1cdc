//! The command line: credentials, headers, defaults.

use rcgen::generate_simple_self_signed;
use scale::adapter::flags::{Client, Credentials, FLAGS, Flags};
use serde_json::{Value, json};

use super::same;

pub(super) fn cli_auth(case: &Value, _: &Value) -> Result<(), String> {
    let expect = &case["expect"];
    match case["about"].as_str().unwrap_or_default() {
        "flag_default" => {
            let flag = FLAGS.iter().find(|flag| case["flag"] == *flag.name);
            same("present", &json!(flag.is_some()), &expect["present"])?;
            same("default", &json!(flag.map(|flag| flag.default)), &expect["default"])
        }
        "headers" => same("headers", &json!(flags(case)?.headers()), &expect["headers"]),
        _ => credentials(case, expect),
    }
}

fn flags(case: &Value) -> Result<Flags, String> {
    let mut arguments = Vec::new();
    for (name, value) in case["flags"].as_object().into_iter().flatten() {
        match value {
            Value::Null => {}
            Value::Array(values) => arguments.extend(
                values
                    .iter()
                    .map(|value| format!("{name}={}", value.as_str().unwrap_or_default())),
            ),
            Value::String(value) => arguments.push(format!("{name}={name} {value}")),
            other => arguments.push(format!("{name}={other}")),
        }
    }
    Flags::parse(arguments.iter().map(String::as_str)).map_err(|problem| problem.to_string())
}

fn credentials(case: &Value, expect: &Value) -> Result<(), String> {
    let result = Credentials::from_flags(&flags(case)?, file);
    same("ok", &json!(result.is_ok()), &expect["ok"]).map_err(|why| format!("{why} ({result:?})"))?;
    let Ok(credentials) = result else {
        return Ok(());
    };
    if let Some(client) = expect.get("client") {
        let got = match credentials.client {
            Client::Default => "default",
            Client::Kubeconfig { .. } => "from_kubeconfig",
            Client::InCluster | Client::Certificates => "other",
        };
        same("client", &json!(got), client)?;
    }
    if let Some(roots) = expect.get("root_certificates") {
        same("root certificates", &json!(credentials.roots_pem.is_some()), roots)?;
        same(
            "client certificate",
            &json!(credentials.certificate_pem.is_some()),
            &expect["client_certificate"],
        )?;
    }
    Ok(())
}

/// A file of the kind that its name says: the flag and how good it is.
fn file(name: &str) -> std::io::Result<Vec<u8>> {
    let identity = generate_simple_self_signed(vec!["test.test".to_owned()]).map_err(std::io::Error::other)?;
    let certificate = identity.cert.pem();
    let is_bad = name.contains("bad_certificate");
    if name.contains("auth-config") {
        use base64::Engine;
        let data = if is_bad {
            "abcde12345".to_owned()
        } else {
            base64::engine::general_purpose::STANDARD.encode(&certificate)
        };
        let text = format!(
            "apiVersion: v1\nkind: Config\nclusters:\n- name: test\n  cluster: {{server: test.test, certificate-authority-data: {data}}}\n\
             contexts:\n- name: test\n  context: {{cluster: test, user: test}}\ncurrent-context: test\nusers:\n- name: test\n  user: {{token: abcde12345}}\n"
        );
        return Ok(text.into_bytes());
    }
    if name.contains("key-file") {
        return Ok(identity.signing_key.serialize_pem().into_bytes());
    }
    Ok(if is_bad { cut_short(&certificate) } else { certificate }.into_bytes())
}

/// Frame and base64 stay intact, the content ends early.
fn cut_short(pem: &str) -> String {
    let lines: Vec<&str> = pem.lines().collect();
    let (first, last) = (lines[0], lines[lines.len() - 1]);
    [first, lines[1], last].join("\n")
}
