//! `scrape_configs` with static targets, read from a Prometheus configuration.
//!
//! What is not understood is an error, not silence: another kind of service discovery, for one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use promql::labels::{Labels, LabelsBuilder};
use serde::Deserialize;
use thiserror::Error;

use super::relabel::{Relabel, RelabelConfig, relabel};
use super::{Authorization, Conflict, Settings, Target, Timestamps};
use crate::duration;
use crate::tls::{TlsSettings, Verification};

/// A configuration that cannot be used; the reason has its place.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct ConfigError(String);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfigYaml {
    #[serde(default)]
    global: GlobalYaml,
    #[serde(default)]
    scrape_configs: Vec<JobYaml>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct GlobalYaml {
    scrape_interval: Option<String>,
    scrape_timeout: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JobYaml {
    job_name: String,
    scrape_interval: Option<String>,
    scrape_timeout: Option<String>,
    metrics_path: Option<String>,
    scheme: Option<String>,
    #[serde(default)]
    params: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    honor_labels: bool,
    honor_timestamps: Option<bool>,
    #[serde(default)]
    static_configs: Vec<StaticYaml>,
    #[serde(default)]
    relabel_configs: Vec<RelabelConfig>,
    #[serde(default)]
    metric_relabel_configs: Vec<RelabelConfig>,
    basic_auth: Option<BasicYaml>,
    authorization: Option<AuthorizationYaml>,
    tls_config: Option<TlsYaml>,
    #[serde(default)]
    sample_limit: usize,
    #[serde(default)]
    label_limit: usize,
    #[serde(default)]
    label_name_length_limit: usize,
    #[serde(default)]
    label_value_length_limit: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StaticYaml {
    targets: Vec<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BasicYaml {
    username: String,
    #[serde(default)]
    password: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AuthorizationYaml {
    #[serde(rename = "type")]
    kind: Option<String>,
    credentials: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TlsYaml {
    ca: Option<String>,
    cert: Option<String>,
    key: Option<String>,
    #[serde(default)]
    insecure_skip_verify: bool,
}

/// The static targets of a configuration's `scrape_configs`.
///
/// # Errors
/// The first thing that is wrong or not supported.
pub fn targets(text: &str) -> Result<Vec<Target>, ConfigError> {
    let config: ConfigYaml = serde_saphyr::from_str(text).map_err(|error| ConfigError(error.to_string()))?;
    let mut targets = Vec::new();
    for job in &config.scrape_configs {
        let found = job.targets(&config.global);
        targets.extend(found.map_err(|reason| ConfigError(format!("job {:?}: {reason}", job.job_name)))?);
    }
    Ok(targets)
}

impl JobYaml {
    fn targets(&self, global: &GlobalYaml) -> Result<Vec<Target>, String> {
        let rules = compile(&self.relabel_configs)?;
        let settings = Arc::new(self.settings(global)?);
        let mut targets = Vec::new();
        for group in &self.static_configs {
            for address in &group.targets {
                if let Some(labels) = relabel(self.discovered(address, &group.labels), &rules) {
                    targets.push(to_target(&labels, settings.clone())?);
                }
            }
        }
        Ok(targets)
    }

    /// A target's labels before relabelling.
    fn discovered(&self, address: &str, labels: &BTreeMap<String, String>) -> Labels {
        let mut builder = LabelsBuilder::new();
        builder.set("job", &self.job_name).set("__address__", address);
        builder.set("__scheme__", self.scheme.as_deref().unwrap_or("http"));
        builder.set("__metrics_path__", self.metrics_path.as_deref().unwrap_or("/metrics"));
        for (name, values) in &self.params {
            builder.set(&format!("__param_{name}"), values.first().map_or("", String::as_str));
        }
        labels.iter().for_each(|(name, value)| {
            builder.set(name, value);
        });
        builder.build()
    }

    fn settings(&self, global: &GlobalYaml) -> Result<Settings, String> {
        let default = Settings::default();
        let parse = |text: &Option<String>, global: &Option<String>, default: Duration| match text
            .as_ref()
            .or(global.as_ref())
        {
            None => Ok(default),
            Some(text) => {
                let milliseconds = duration::parse_ms(text).and_then(|milliseconds| u64::try_from(milliseconds).ok());
                milliseconds
                    .map(Duration::from_millis)
                    .ok_or_else(|| format!("{text:?} is not a duration such as 15s"))
            }
        };
        let interval = parse(&self.scrape_interval, &global.scrape_interval, Duration::from_secs(60))?;
        let timeout = parse(
            &self.scrape_timeout,
            &global.scrape_timeout,
            Duration::from_secs(10).min(interval),
        )?;
        if timeout > interval {
            return Err("scrape timeout greater than scrape interval".to_owned());
        }
        // Upstream's 0 is "no limit"; here the default limit stays.
        let limit = |limit: usize, default: usize| if limit == 0 { default } else { limit };
        Ok(Settings {
            interval,
            timeout,
            conflict: if self.honor_labels {
                Conflict::KeepBody
            } else {
                Conflict::ExportBody
            },
            timestamps: if self.honor_timestamps == Some(false) {
                Timestamps::Scrape
            } else {
                Timestamps::Body
            },
            samples_max: limit(self.sample_limit, default.samples_max),
            labels_max: limit(self.label_limit, default.labels_max),
            label_name_bytes_max: limit(self.label_name_length_limit, default.label_name_bytes_max),
            label_value_bytes_max: limit(self.label_value_length_limit, default.label_value_bytes_max),
            authorization: self.authorization()?,
            tls: self.tls()?,
            metric_relabel: compile(&self.metric_relabel_configs)?,
            ..default
        })
    }

    fn authorization(&self) -> Result<Option<Authorization>, String> {
        match (&self.basic_auth, &self.authorization) {
            (Some(_), Some(_)) => Err("at most one of basic_auth and authorization can be set".to_owned()),
            (Some(basic), None) => Ok(Some(Authorization::Basic {
                user: basic.username.clone(),
                password: basic.password.clone(),
            })),
            (None, Some(header)) => match header.kind.as_deref() {
                None | Some("Bearer") => Ok(Some(Authorization::Bearer(header.credentials.clone()))),
                Some(other) => Err(format!("authorization type {other:?} is not supported")),
            },
            (None, None) => Ok(None),
        }
    }

    fn tls(&self) -> Result<TlsSettings, String> {
        let Some(tls) = &self.tls_config else {
            return Ok(TlsSettings::default());
        };
        let client_identity_pem = match (&tls.cert, &tls.key) {
            (Some(certificate), Some(key)) => Some((certificate.clone().into_bytes(), key.clone().into_bytes())),
            (None, None) => None,
            _ => return Err("tls_config: cert and key belong together".to_owned()),
        };
        let verification = if tls.insecure_skip_verify {
            Verification::Skipped
        } else {
            Verification::Required
        };
        Ok(TlsSettings {
            ca_pem: tls.ca.clone().map(String::into_bytes),
            client_identity_pem,
            verification,
        })
    }
}

fn compile(rules: &[RelabelConfig]) -> Result<Vec<Relabel>, String> {
    rules.iter().cloned().map(Relabel::new).collect()
}

/// A target from its labels after relabelling; those that start with `__` are spent on the URL.
fn to_target(labels: &Labels, settings: Arc<Settings>) -> Result<Target, String> {
    let address = labels.value("__address__");
    if address.is_empty() || address.contains('/') {
        return Err(format!("{address:?} is not a valid hostname and port"));
    }
    let parameters = labels
        .iter()
        .filter_map(|(name, value)| Some((name.strip_prefix("__param_")?, value)));
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(parameters)
        .finish();
    let question = if query.is_empty() { "" } else { "?" };
    let url = format!(
        "{}://{address}{}{question}{query}",
        labels.value("__scheme__"),
        labels.value("__metrics_path__")
    );
    let mut kept = labels.without(|name| name.starts_with("__")).to_builder();
    if kept.get("instance").is_none() {
        kept.set("instance", address);
    }
    Ok(Target::with_settings(url, kept.build(), settings))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn static_targets_with_relabelling() {
        let found = targets(
            r#"
global: {scrape_interval: 15s}
scrape_configs:
  - job_name: node
    metrics_path: /probe
    params: {module: [http]}
    honor_labels: true
    sample_limit: 100
    basic_auth: {username: u, password: p}
    static_configs:
      - targets: ['a:9100', 'b:9100', 'c:9100']
        labels: {zone: x}
    relabel_configs:
      - {source_labels: [__address__], regex: 'c.*', action: drop}
      - {source_labels: [__address__], regex: '(.*):.*', target_label: host}
"#,
        )
        .expect("a valid configuration");
        let shown: Vec<String> = found
            .iter()
            .map(|target| format!("{} {}", target.url, target.labels))
            .collect();
        assert_eq!(
            shown,
            [
                r#"http://a:9100/probe?module=http {host="a", instance="a:9100", job="node", zone="x"}"#,
                r#"http://b:9100/probe?module=http {host="b", instance="b:9100", job="node", zone="x"}"#,
            ]
        );
        let settings = &found[0].settings;
        assert_eq!(
            (settings.interval, settings.timeout),
            (Duration::from_secs(15), Duration::from_secs(10))
        );
        assert_eq!((settings.conflict, settings.samples_max), (Conflict::KeepBody, 100));
        assert_eq!(format!("{:?}", settings.authorization), "Some(Basic(…))");
    }

    #[test]
    fn what_is_not_supported_is_an_error() {
        let job = |fields: &str| {
            targets(&format!("scrape_configs: [{{job_name: j, {fields}}}]"))
                .expect_err("wrong")
                .to_string()
        };
        assert!(job("kubernetes_sd_configs: []").contains("kubernetes_sd_configs"));
        assert_eq!(
            job("scrape_interval: 1s, scrape_timeout: 2s"),
            "job \"j\": scrape timeout greater than scrape interval"
        );
        assert_eq!(
            job("scrape_interval: often"),
            "job \"j\": \"often\" is not a duration such as 15s"
        );
        assert_eq!(
            job("static_configs: [{targets: ['http://a']}]"),
            "job \"j\": \"http://a\" is not a valid hostname and port"
        );
    }
}
