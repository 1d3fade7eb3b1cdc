//! From a body to stored samples: what one target's scrapes remember of each other.

use std::collections::HashMap;
use std::time::Duration;

use promql::exposition::text::{Dialect, Parser};
use promql::exposition::{Entry, Format, ParseError, Sample, Series};
use promql::labels::{Labels, LabelsBuilder, METRIC_NAME};
use promql::sample::STALE_NAN;
use promql::store::{AppendError, Head, SeriesRef};
use thiserror::Error;

use super::{Body, Conflict, FetchError, Target, Timestamps};
use crate::Store;
use crate::store::Metadata;

/// Why a scrape was not stored.
#[derive(Debug, Clone, Error)]
pub enum ScrapeError {
    /// There is no body.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The body cannot be read.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// Too many samples.
    #[error("the body has more than {0} samples")]
    Samples(usize),
    /// A sample beyond the limits on labels.
    #[error("{series}: {problem}")]
    Labels {
        /// The series, as the body has it, cut to a readable length.
        series: String,
        /// What is wrong.
        problem: String,
    },
    /// A target that sends a format which it was not asked for.
    #[error("the body's format is not supported")]
    Format,
}

/// Names of the series about the scrape itself, in the order in which they are stored.
const REPORT: [&str; 5] = [
    "up",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "scrape_samples_post_metric_relabeling",
    "scrape_series_added",
];

/// What one target's scrapes remember of each other.
pub(super) struct Ingest {
    target: Target,
    /// From the raw text of a series to its entry: a known series costs one lookup.
    known: HashMap<Box<str>, usize>,
    entries: Vec<Remembered>,
    report: [(Labels, Option<SeriesRef>); REPORT.len()],
    described: HashMap<String, Metadata>,
    /// Number of the scrape, from 1.
    scrape: u64,
    last_ms: i64,
}

/// A series of the target.
struct Remembered {
    labels: Labels,
    series: Option<SeriesRef>,
    /// The scrape that last had it with a time of the scrape; 0: never.
    seen: u64,
}

/// A sample on its way into the store.
struct Row {
    entry: usize,
    timestamp_ms: Option<i64>,
    value: f64,
}

impl Ingest {
    pub(super) fn new(target: &Target) -> Self {
        let report = REPORT.map(|name| (target.labels.to_builder().set(METRIC_NAME, name).build(), None));
        Ingest {
            target: target.clone(),
            known: HashMap::new(),
            entries: Vec::new(),
            report,
            described: HashMap::new(),
            scrape: 0,
            last_ms: i64::MIN,
        }
    }

    /// Stores a scrape, or that there was none. Returns how many samples were stored.
    pub(super) fn scraped(
        &mut self,
        store: &Store,
        time_ms: i64,
        duration: Duration,
        body: Result<Body, FetchError>,
    ) -> Result<usize, ScrapeError> {
        // Scrapes of one target never share a time, even if the clock was set back or stands still.
        let time_ms = time_ms.max(self.last_ms.saturating_add(1));
        self.last_ms = time_ms;
        self.scrape += 1;
        let entries_before = self.entries.len();
        let parsed = body
            .map_err(ScrapeError::from)
            .and_then(|body| self.parse(store, &body));
        let rows = parsed.as_deref().unwrap_or(&[]);
        let added = if parsed.is_ok() {
            self.entries.len() - entries_before
        } else {
            0
        };

        let mut head = store.head_mut();
        for row in rows {
            let remembered = &mut self.entries[row.entry];
            append(&mut head, remembered, row.timestamp_ms.unwrap_or(time_ms), row.value);
            if row.timestamp_ms.is_none() {
                remembered.seen = self.scrape;
            }
        }
        self.end_vanished(&mut head, time_ms);
        let up = if parsed.is_ok() { 1.0 } else { 0.0 };
        let scraped = rows.len() as f64;
        self.append_report(
            &mut head,
            time_ms,
            [up, duration.as_secs_f64(), scraped, scraped, added as f64],
        );
        parsed.map(|rows| rows.len())
    }

    /// Ends all series: the target is gone.
    pub(super) fn end(&mut self, store: &Store, time_ms: i64) {
        let time_ms = time_ms.max(self.last_ms.saturating_add(1));
        self.scrape += 1;
        let mut head = store.head_mut();
        self.end_vanished(&mut head, time_ms);
        self.append_report(&mut head, time_ms, [STALE_NAN; REPORT.len()]);
    }

    /// Ends the series that the scrape before had and this one has not, and forgets them.
    fn end_vanished(&mut self, head: &mut Head, time_ms: i64) {
        let scrape = self.scrape;
        let mut vanished = false;
        for remembered in &mut self.entries {
            if remembered.seen != 0 && remembered.seen < scrape {
                append(head, remembered, time_ms, STALE_NAN);
            }
            vanished |= remembered.seen != scrape;
        }
        if vanished {
            self.forget_unseen();
        }
    }

    /// Keeps only the entries of this scrape. Those with times of their own are looked up anew.
    fn forget_unseen(&mut self) {
        let mut moved = vec![usize::MAX; self.entries.len()];
        let mut kept = Vec::with_capacity(self.entries.len());
        for (at, remembered) in std::mem::take(&mut self.entries).into_iter().enumerate() {
            if remembered.seen == self.scrape {
                moved[at] = kept.len();
                kept.push(remembered);
            }
        }
        self.entries = kept;
        self.known.retain(|_, entry| {
            *entry = moved[*entry];
            *entry != usize::MAX
        });
    }

    fn append_report(&mut self, head: &mut Head, time_ms: i64, values: [f64; REPORT.len()]) {
        for ((labels, series), value) in self.report.iter_mut().zip(values) {
            append_to(head, labels, series, time_ms, value);
        }
    }

    // --- reading the body -----------------------------------------------------------------------

    fn parse(&mut self, store: &Store, body: &Body) -> Result<Vec<Row>, ScrapeError> {
        let dialect = match body.format {
            Format::Text => Dialect::Text,
            Format::OpenMetrics => Dialect::OpenMetrics,
            Format::Protobuf => return Err(ScrapeError::Format),
        };
        let samples_max = self.target.settings.samples_max;
        let mut rows = Vec::with_capacity(self.entries.len());
        let mut parser = Parser::new(&body.bytes, dialect)?;
        while let Some(entry) = parser.next_entry()? {
            match entry {
                Entry::Sample(_) if rows.len() >= samples_max => return Err(ScrapeError::Samples(samples_max)),
                Entry::Sample(sample) => rows.push(self.row(&sample)?),
                Entry::Help { family, text } => self.describe(store, &family, |entry| entry.help = text.into_owned()),
                Entry::Type { family, kind } => self.describe(store, &family, |entry| entry.kind = kind),
                Entry::Unit { family, unit } => self.describe(store, &family, |entry| entry.unit = unit.to_owned()),
            }
        }
        Ok(rows)
    }

    fn row(&mut self, sample: &Sample<'_>) -> Result<Row, ScrapeError> {
        let raw = sample.series.raw();
        let entry = match self.known.get(raw) {
            Some(&entry) => entry,
            None => {
                let labels = self.labels(sample.series)?;
                self.entries.push(Remembered {
                    labels,
                    series: None,
                    seen: 0,
                });
                self.known.insert(raw.into(), self.entries.len() - 1);
                self.entries.len() - 1
            }
        };
        let timestamp_ms = sample
            .timestamp_ms
            .filter(|_| self.target.settings.timestamps == Timestamps::Body);
        Ok(Row {
            entry,
            timestamp_ms,
            value: sample.value,
        })
    }

    /// The labels under which a series of the body is stored.
    fn labels(&self, series: Series<'_>) -> Result<Labels, ScrapeError> {
        let settings = &self.target.settings;
        let problem = |problem: String| ScrapeError::Labels {
            series: series.raw().chars().take(200).collect(),
            problem,
        };
        let mut builder = LabelsBuilder::new();
        for (name, value) in series.labels() {
            if builder.get(&name).is_some() {
                return Err(problem(format!("the label {name} occurs twice")));
            }
            if name.len() > settings.label_name_bytes_max {
                return Err(problem(format!(
                    "a label name is longer than {} bytes",
                    settings.label_name_bytes_max
                )));
            }
            if value.len() > settings.label_value_bytes_max {
                return Err(problem(format!(
                    "the value of {name} is longer than {} bytes",
                    settings.label_value_bytes_max
                )));
            }
            builder.set(&name, &value);
        }
        for (name, value) in &self.target.labels {
            let of_body = builder.get(name).map(str::to_owned);
            match (of_body, settings.conflict) {
                (Some(_), Conflict::KeepBody) => continue,
                (Some(of_body), Conflict::ExportBody) => {
                    let mut exported = format!("exported_{name}");
                    while builder.get(&exported).is_some() || self.target.labels.get(&exported).is_some() {
                        exported.insert_str(0, "exported_");
                    }
                    builder.set(&exported, &of_body);
                }
                (None, _) => {}
            }
            builder.set(name, value);
        }
        let labels = builder.build();
        if labels.len() > settings.labels_max {
            return Err(problem(format!("more than {} labels", settings.labels_max)));
        }
        Ok(labels)
    }

    fn describe(&mut self, store: &Store, family: &str, change: impl FnOnce(&mut Metadata)) {
        let known = self.described.get(family);
        let mut entry = known.cloned().unwrap_or_default();
        change(&mut entry);
        if known != Some(&entry) {
            store.describe(family, entry.clone());
            self.described.insert(family.to_owned(), entry);
        }
    }
}

/// Appends to a remembered series. A refusal is counted by the store; it concerns one sample, not the scrape.
fn append(head: &mut Head, remembered: &mut Remembered, time_ms: i64, value: f64) {
    append_to(head, &remembered.labels, &mut remembered.series, time_ms, value);
}

fn append_to(head: &mut Head, labels: &Labels, series: &mut Option<SeriesRef>, time_ms: i64, value: f64) {
    if let Some(known) = *series
        && head.append(known, time_ms, value) != Err(AppendError::Gone)
    {
        return;
    }
    *series = head.series(labels).ok().map(|(series, _)| series);
    if let Some(series) = *series {
        // The reference is fresh, so that only the sample itself can be refused.
        let _ = head.append(series, time_ms, value);
    }
}
