//! prometheus-adapter's command line.
//!
//! Source of names, defaults and rules: `cmd/adapter` at v0.12.0 and the options of the API server library under it. Flags
//! that have no meaning here are accepted and said to be without effect, so that an existing Deployment starts unchanged.

mod credentials;

use std::collections::BTreeMap;
use std::time::Duration;

use flyball_core::Problem;

use super::resource_metrics::duration_seconds;

pub use credentials::{BAD_CREDENTIALS, Client, Credentials};

/// What a flag takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// A word.
    Text,
    /// `true` or `false`; alone it means `true`.
    Switch,
    /// A whole number.
    Number,
    /// A Go duration.
    Duration,
    /// Any number of words, one for each time it is given.
    Repeated,
}

/// One flag.
#[derive(Debug, Clone, Copy)]
pub struct Flag {
    /// Its name without dashes.
    pub name: &'static str,
    /// Its default, as the help prints it.
    pub default: &'static str,
    /// What it takes.
    pub takes: Takes,
    /// What it does; empty for one that is accepted and has no effect.
    pub help: &'static str,
}

const fn flag(name: &'static str, default: &'static str, takes: Takes, help: &'static str) -> Flag {
    Flag {
        name,
        default,
        takes,
        help,
    }
}

/// All flags, sorted by what they are about.
pub const FLAGS: &[Flag] = &[
    flag(
        "prometheus-url",
        "https://localhost",
        Takes::Text,
        "where Prometheus is",
    ),
    flag(
        "prometheus-auth-incluster",
        "false",
        Takes::Switch,
        "use the Pod's service account at Prometheus",
    ),
    flag(
        "prometheus-auth-config",
        "",
        Takes::Text,
        "a kubeconfig with credentials for Prometheus",
    ),
    flag(
        "prometheus-ca-file",
        "",
        Takes::Text,
        "the authority of Prometheus' certificate, in PEM",
    ),
    flag(
        "prometheus-client-tls-cert-file",
        "",
        Takes::Text,
        "our certificate at Prometheus, in PEM",
    ),
    flag("prometheus-client-tls-key-file", "", Takes::Text, "its key, in PEM"),
    flag(
        "prometheus-token-file",
        "",
        Takes::Text,
        "a file with a bearer token for Prometheus",
    ),
    flag(
        "prometheus-header",
        "",
        Takes::Repeated,
        "a header for Prometheus, name=value",
    ),
    flag("prometheus-verb", "GET", Takes::Text, "GET or POST"),
    flag("config", "", Takes::Text, "the rules file"),
    flag(
        "metrics-relist-interval",
        "10m0s",
        Takes::Duration,
        "how often series are listed",
    ),
    flag(
        "metrics-max-age",
        "0s",
        Takes::Duration,
        "how old a series' youngest sample may be; 0 is the relist interval",
    ),
    flag("lister-kubeconfig", "", Takes::Text, "a kubeconfig for listing objects"),
    flag(
        "discovery-interval",
        "10m0s",
        Takes::Duration,
        "how often the cluster's kinds are discovered",
    ),
    flag(
        "secure-port",
        "6443",
        Takes::Number,
        "the port that the APIs are served at",
    ),
    flag(
        "bind-address",
        "0.0.0.0",
        Takes::Text,
        "the address that the APIs are served at",
    ),
    flag(
        "cert-dir",
        "apiserver.local.config/certificates",
        Takes::Text,
        "where a self-signed certificate is kept",
    ),
    flag("tls-cert-file", "", Takes::Text, "the serving certificate, in PEM"),
    flag("tls-private-key-file", "", Takes::Text, "its key, in PEM"),
    flag(
        "authentication-kubeconfig",
        "",
        Takes::Text,
        "a kubeconfig for TokenReview",
    ),
    flag(
        "authorization-kubeconfig",
        "",
        Takes::Text,
        "a kubeconfig for SubjectAccessReview",
    ),
    flag(
        "client-ca-file",
        "",
        Takes::Text,
        "the authority of client certificates, in PEM",
    ),
    flag(
        "requestheader-client-ca-file",
        "",
        Takes::Text,
        "the authority of the front proxy's certificate, in PEM",
    ),
    flag(
        "requestheader-allowed-names",
        "",
        Takes::Repeated,
        "common names of front proxies; empty allows all of the authority",
    ),
    flag(
        "requestheader-username-headers",
        "x-remote-user",
        Takes::Repeated,
        "headers with the user",
    ),
    flag(
        "requestheader-group-headers",
        "x-remote-group",
        Takes::Repeated,
        "headers with groups",
    ),
    flag(
        "requestheader-extra-headers-prefix",
        "x-remote-extra-",
        Takes::Repeated,
        "the start of headers with extras",
    ),
    flag(
        "authentication-skip-lookup",
        "false",
        Takes::Switch,
        "do not read the front proxy's settings from the cluster",
    ),
    flag(
        "authorization-always-allow-paths",
        "/healthz,/readyz,/livez",
        Takes::Repeated,
        "paths without authorisation",
    ),
    flag("tls-cipher-suites", "", Takes::Repeated, ""),
    flag("tls-min-version", "", Takes::Text, ""),
    flag("client-qps", "5", Takes::Number, ""),
    flag("client-burst", "10", Takes::Number, ""),
    flag("disable-http2", "false", Takes::Switch, ""),
    flag("v", "0", Takes::Number, "how much is logged"),
    flag("logtostderr", "true", Takes::Switch, ""),
    flag("alsologtostderr", "false", Takes::Switch, ""),
    flag("stderrthreshold", "2", Takes::Text, ""),
    flag("vmodule", "", Takes::Text, ""),
    flag("audit-log-path", "", Takes::Text, ""),
    flag("audit-policy-file", "", Takes::Text, ""),
    flag("profiling", "true", Takes::Switch, ""),
    flag("contention-profiling", "false", Takes::Switch, ""),
    flag("enable-swagger-ui", "false", Takes::Switch, ""),
];

/// The code of a command line that cannot be read.
pub const BAD_FLAG: &str = "FB2004";

/// A command line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flags {
    given: BTreeMap<&'static str, Vec<String>>,
    /// Flags that were given and have no effect here.
    pub without_effect: Vec<&'static str>,
}

impl Flags {
    /// Reads `--name=value`, `--name value` and, for switches, `--name`; one dash is as good as two.
    ///
    /// # Errors
    /// [`BAD_FLAG`].
    pub fn parse<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Result<Self, Problem> {
        let mut flags = Self::default();
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let bare = argument.strip_prefix("--").or_else(|| argument.strip_prefix('-'));
            let bare = bare.ok_or_else(|| Problem::new(BAD_FLAG, format!("{argument:?} is no flag")))?;
            let (name, value) = bare
                .split_once('=')
                .map_or((bare, None), |(name, value)| (name, Some(value)));
            let known = FLAGS.iter().find(|flag| flag.name == name);
            let known = known.ok_or_else(|| Problem::new(BAD_FLAG, format!("unknown flag --{name}")))?;
            let value = match (value, known.takes) {
                (Some(value), _) => value,
                (None, Takes::Switch) => "true",
                (None, _) => arguments
                    .next()
                    .ok_or_else(|| Problem::new(BAD_FLAG, format!("--{name} needs a value")))?,
            };
            flags.give(known, value)?;
        }
        Ok(flags)
    }

    fn give(&mut self, flag: &Flag, value: &str) -> Result<(), Problem> {
        let fits = match flag.takes {
            Takes::Text | Takes::Repeated => true,
            Takes::Switch => matches!(value, "true" | "false" | "1" | "0" | "t" | "f"),
            Takes::Number => value.parse::<f64>().is_ok(),
            Takes::Duration => duration(value).is_some(),
        };
        if !fits {
            let sentence = format!("--{}: {value:?} is not what it takes ({:?})", flag.name, flag.takes);
            return Err(Problem::new(BAD_FLAG, sentence));
        }
        if flag.help.is_empty() && !self.without_effect.contains(&flag.name) {
            self.without_effect.push(flag.name);
        }
        let values = self.given.entry(flag.name).or_default();
        if flag.takes != Takes::Repeated {
            values.clear();
        }
        values.push(value.to_owned());
        Ok(())
    }

    /// The value of a flag, or its default; empty for an unknown one.
    pub fn text(&self, name: &str) -> &str {
        let default = || {
            FLAGS
                .iter()
                .find(|flag| flag.name == name)
                .map_or("", |flag| flag.default)
        };
        self.given
            .get(name)
            .and_then(|values| values.last())
            .map_or_else(default, String::as_str)
    }

    /// The value of a flag unless it is empty.
    pub fn some(&self, name: &str) -> Option<&str> {
        Some(self.text(name)).filter(|text| !text.is_empty())
    }

    /// The values of a repeated flag, each of which may be a list with commas; its default where it was not given.
    pub fn list(&self, name: &str) -> Vec<&str> {
        let given = self
            .given
            .get(name)
            .map(|values| values.iter().map(String::as_str).collect());
        let values: Vec<&str> = given.unwrap_or_else(|| vec![self.text(name)]);
        let words = values.into_iter().flat_map(|value| value.split(','));
        words.map(str::trim).filter(|word| !word.is_empty()).collect()
    }

    /// Whether a flag was given at all.
    pub fn is_given(&self, name: &str) -> bool {
        self.given.contains_key(name)
    }

    /// Whether a switch is on.
    pub fn is_on(&self, name: &str) -> bool {
        matches!(self.text(name), "true" | "1" | "t")
    }

    /// A duration.
    pub fn duration(&self, name: &str) -> Duration {
        duration(self.text(name)).unwrap_or_default()
    }

    /// How often series are listed, and how old they may be.
    ///
    /// # Errors
    /// [`BAD_FLAG`] when series would be forgotten between two lists.
    pub fn intervals(&self) -> Result<(Duration, Duration), Problem> {
        let relist = self.duration("metrics-relist-interval");
        let max_age = match self.duration("metrics-max-age") {
            Duration::ZERO => relist,
            max_age => max_age,
        };
        if max_age < relist {
            let sentence = "--metrics-max-age is less than --metrics-relist-interval".to_owned();
            return Err(Problem::new(BAD_FLAG, sentence).hint("leave it out: it is then the same"));
        }
        Ok((relist, max_age))
    }

    /// The headers for Prometheus by name, in the order given. Names are written as HTTP/1 does.
    pub fn headers(&self) -> BTreeMap<String, Vec<String>> {
        let mut headers: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for argument in self.given.get("prometheus-header").into_iter().flatten() {
            let (name, value) = argument.split_once('=').unwrap_or((argument, ""));
            headers.entry(canonical(name)).or_default().push(value.to_owned());
        }
        headers
    }
}

/// `x-scope-orgid` as `X-Scope-Orgid`.
fn canonical(name: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        letters.next().map_or_else(String::new, |first| {
            first.to_ascii_uppercase().to_string() + &letters.as_str().to_ascii_lowercase()
        })
    };
    name.split('-').map(word).collect::<Vec<_>>().join("-")
}

/// A Go duration: as Prometheus writes them, with decimals and without days.
fn duration(text: &str) -> Option<Duration> {
    if let Some(seconds) = duration_seconds(text) {
        return u64::try_from(seconds).ok().map(Duration::from_secs);
    }
    text.parse::<jiff::SignedDuration>().ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_of_the_helm_chart_is_read() {
        let flags = Flags::parse([
            "--secure-port=6443",
            "--cert-dir=/tmp/cert",
            "--prometheus-url=http://prometheus.default.svc:9090",
            "--metrics-relist-interval=1m",
            "--v=4",
            "--config=/etc/adapter/config.yaml",
            "--logtostderr",
            "--prometheus-header",
            "X-Scope-OrgID=team",
        ])
        .unwrap();
        assert_eq!(flags.text("prometheus-url"), "http://prometheus.default.svc:9090");
        assert_eq!(
            flags.intervals().unwrap(),
            (Duration::from_secs(60), Duration::from_secs(60))
        );
        assert_eq!(flags.headers()["X-Scope-Orgid"], ["team"]);
        assert_eq!(flags.without_effect, ["logtostderr"]);
        assert_eq!(flags.text("bind-address"), "0.0.0.0");
    }

    #[test]
    fn a_wrong_command_line_is_refused() {
        for arguments in [
            ["--prometheus-urls=x", "--v=1"],
            ["--v=many", "--v=1"],
            ["--metrics-relist-interval=soon", "--v=1"],
            ["config", "--v=1"],
            ["--v=1", "--config"],
        ] {
            assert!(Flags::parse(arguments).is_err(), "{arguments:?}");
        }
        let flags = Flags::parse(["--metrics-relist-interval=10m", "--metrics-max-age=1m"]).unwrap();
        assert!(flags.intervals().is_err());
    }
}
