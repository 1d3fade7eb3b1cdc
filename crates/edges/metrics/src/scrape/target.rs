//! What is scraped, and how.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use promql::labels::Labels;

use super::relabel::Relabel;
use crate::tls::TlsSettings;

/// Something that exposes metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// `http://host:port/path?query`.
    pub url: String,
    /// Labels of every series of the target; `job` and `instance` among them by convention.
    pub labels: Labels,
    /// How it is scraped.
    pub settings: Arc<Settings>,
}

impl Target {
    /// A target scraped in the usual way. `instance` is the URL's host and port, where the labels name none.
    #[must_use]
    pub fn new(url: impl Into<String>, labels: Labels) -> Self {
        Target::with_settings(url, labels, Arc::new(Settings::default()))
    }

    /// A target scraped in a way of its own.
    #[must_use]
    pub fn with_settings(url: impl Into<String>, labels: Labels, settings: Arc<Settings>) -> Self {
        let url = url.into();
        let labels = match labels.get("instance") {
            Some(_) => labels,
            None => labels.to_builder().set("instance", authority(&url)).build(),
        };
        Target { url, labels, settings }
    }

    pub(super) fn sort_key(&self) -> (&str, &Labels) {
        (&self.url, &self.labels)
    }
}

impl Hash for Target {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.url.hash(state);
        state.write_u64(self.labels.hash());
    }
}

fn authority(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?']).next().unwrap_or(rest)
}

/// How targets of one job are scraped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Time between scrapes.
    pub interval: Duration,
    /// Time that a scrape may take, body included.
    pub timeout: Duration,
    /// Whose label counts where target and body have one of the same name.
    pub conflict: Conflict,
    /// Whose time counts.
    pub timestamps: Timestamps,
    /// A larger body is a failed scrape.
    pub body_bytes_max: usize,
    /// A body with more samples is a failed scrape.
    pub samples_max: usize,
    /// A sample with more labels is a failed scrape.
    pub labels_max: usize,
    /// A longer label name is a failed scrape.
    pub label_name_bytes_max: usize,
    /// A longer label value is a failed scrape.
    pub label_value_bytes_max: usize,
    /// What is done to the labels of each sample before it is stored.
    pub metric_relabel: Vec<Relabel>,
    /// Who asks.
    pub authorization: Option<Authorization>,
    /// TLS.
    pub tls: TlsSettings,
}

impl Default for Settings {
    /// For a laptop: every 5 s, and limits that a broken exporter meets before the memory does.
    fn default() -> Self {
        Settings {
            interval: Duration::from_secs(5),
            timeout: Duration::from_secs(4),
            conflict: Conflict::ExportBody,
            timestamps: Timestamps::Body,
            body_bytes_max: 64 << 20,
            samples_max: 500_000,
            labels_max: 128,
            label_name_bytes_max: 1024,
            label_value_bytes_max: 16 << 10,
            metric_relabel: Vec::new(),
            authorization: None,
            tls: TlsSettings::default(),
        }
    }
}

/// Whose label counts where target and body have one of the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conflict {
    /// The target's; the body's is renamed to `exported_<name>`: `honor_labels: false`.
    ExportBody,
    /// The body's: `honor_labels: true`.
    KeepBody,
}

/// Whose time a sample gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timestamps {
    /// The body's, where it has one: `honor_timestamps: true`.
    Body,
    /// The scrape's.
    Scrape,
}

/// The `Authorization` header. Debug output hides the secret.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Authorization {
    /// `Bearer <token>`.
    Bearer(String),
    /// `Basic <user:password>`.
    Basic {
        /// User name.
        user: String,
        /// Password.
        password: String,
    },
}

impl Authorization {
    /// The header's value.
    pub(crate) fn header(&self) -> String {
        use base64::Engine as _;
        match self {
            Authorization::Bearer(token) => format!("Bearer {token}"),
            Authorization::Basic { user, password } => {
                format!(
                    "Basic {}",
                    base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"))
                )
            }
        }
    }
}

impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Authorization::Bearer(_) => "Bearer(…)",
            Authorization::Basic { .. } => "Basic(…)",
        })
    }
}
