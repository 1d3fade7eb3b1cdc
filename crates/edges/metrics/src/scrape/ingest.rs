//! From a body to stored samples: what one target's scrapes remember of each other.

use std::borrow::Cow;
use std::collections::HashMap;
use std::time::Duration;

use promql::exposition::protobuf::{ClassicBuckets, Families};
use promql::exposition::text::{Dialect, Parser};
use promql::exposition::{Entry, Format, MetricKind, ParseError, open_metrics_float, parse_value};
use promql::labels::{BUCKET_BOUND, Labels, LabelsBuilder, METRIC_NAME};
use promql::sample::{STALE_NAN, Value};
use promql::store::{AppendError, Head, SeriesRef};
use thiserror::Error;

use super::relabel::relabel;
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

/// The entry of a series that relabelling drops.
const DROPPED: usize = usize::MAX;

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
    value: Value,
}

/// A body's samples.
#[derive(Default)]
struct Parsed {
    /// Those that are stored.
    rows: Vec<Row>,
    /// How many there were before relabelling.
    scraped: usize,
}

impl Parsed {
    fn add(&mut self, row: Option<Row>) {
        self.scraped += 1;
        self.rows.extend(row);
    }
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
        let nothing = Parsed::default();
        let Parsed { rows, scraped } = parsed.as_ref().unwrap_or(&nothing);
        let added = if parsed.is_ok() {
            self.entries.len() - entries_before
        } else {
            0
        };

        let mut head = store.head_mut();
        for row in rows {
            let remembered = &mut self.entries[row.entry];
            append(&mut head, remembered, row.timestamp_ms.unwrap_or(time_ms), &row.value);
            if row.timestamp_ms.is_none() {
                remembered.seen = self.scrape;
            }
        }
        self.end_vanished(&mut head, time_ms);
        let up = if parsed.is_ok() { 1.0 } else { 0.0 };
        let (scraped, kept) = (*scraped as f64, rows.len() as f64);
        self.append_report(
            &mut head,
            time_ms,
            [up, duration.as_secs_f64(), scraped, kept, added as f64],
        );
        parsed.map(|parsed| parsed.rows.len())
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
                append(head, remembered, time_ms, &Value::Float(STALE_NAN));
            }
            vanished |= remembered.seen != scrape;
        }
        if vanished {
            self.forget_unseen();
        }
    }

    /// Keeps only the entries of this scrape. Those with times of their own are looked up anew.
    fn forget_unseen(&mut self) {
        let mut moved = vec![DROPPED; self.entries.len()];
        let mut kept = Vec::with_capacity(self.entries.len());
        for (at, remembered) in std::mem::take(&mut self.entries).into_iter().enumerate() {
            if remembered.seen == self.scrape {
                moved[at] = kept.len();
                kept.push(remembered);
            }
        }
        self.entries = kept;
        self.known.retain(|_, entry| {
            // Dropped series are tried anew, so that those which a target no longer has do not pile up.
            *entry = moved.get(*entry).copied().unwrap_or(DROPPED);
            *entry != DROPPED
        });
    }

    fn append_report(&mut self, head: &mut Head, time_ms: i64, values: [f64; REPORT.len()]) {
        for ((labels, series), value) in self.report.iter_mut().zip(values) {
            append_to(head, labels, series, time_ms, &Value::Float(value));
        }
    }

    // --- reading the body -----------------------------------------------------------------------

    fn parse(&mut self, store: &Store, body: &Body) -> Result<Parsed, ScrapeError> {
        match body.format {
            Format::Text => self.parse_text(store, Parser::new(&body.bytes, Dialect::Text)?),
            Format::OpenMetrics => self.parse_text(store, Parser::new(&body.bytes, Dialect::OpenMetrics)?),
            Format::Protobuf => self.parse_protobuf(store, Families::new(&body.bytes, ClassicBuckets::Unless)),
        }
    }

    fn parse_text(&mut self, store: &Store, mut parser: Parser<'_>) -> Result<Parsed, ScrapeError> {
        let mut parsed = Parsed {
            rows: Vec::with_capacity(self.entries.len()),
            scraped: 0,
        };
        let mut last_kind = MetricKind::Unknown;
        while let Some(entry) = parser.next_entry()? {
            match entry {
                Entry::Sample(sample) => {
                    self.check_count(&parsed.rows)?;
                    let raw = sample.series.raw();
                    let labels = sample.series.labels().map(|(name, value)| {
                        let value = if is_bound(last_kind, &name) {
                            plain_bound(value)
                        } else {
                            value
                        };
                        (name, value)
                    });
                    parsed.add(self.row(raw, labels, Value::Float(sample.value), sample.timestamp_ms)?);
                }
                Entry::Help { family, text } => self.describe(store, &family, |entry| entry.help = text.into_owned()),
                Entry::Type { family, kind } => {
                    last_kind = kind;
                    self.describe(store, &family, |entry| entry.kind = kind);
                }
                Entry::Unit { family, unit } => self.describe(store, &family, |entry| entry.unit = unit.to_owned()),
            }
        }
        Ok(parsed)
    }

    fn parse_protobuf(&mut self, store: &Store, mut families: Families<'_>) -> Result<Parsed, ScrapeError> {
        let mut parsed = Parsed {
            rows: Vec::with_capacity(self.entries.len()),
            scraped: 0,
        };
        let mut raw = String::new();
        while let Some(family) = families.next_family()? {
            self.describe(store, &family.name, |entry| {
                *entry = Metadata {
                    kind: family.kind,
                    help: family.help,
                    unit: family.unit,
                };
            });
            for sample in family.samples {
                self.check_count(&parsed.rows)?;
                raw.clear();
                sample
                    .labels
                    .iter()
                    .for_each(|(name, value)| raw.extend([name, "\0", value, "\0"]));
                let labels = sample.labels.iter().map(|(name, value)| (name.into(), value.into()));
                parsed.add(self.row(&raw, labels, sample.value, sample.timestamp_ms)?);
            }
        }
        Ok(parsed)
    }

    fn check_count(&self, rows: &[Row]) -> Result<(), ScrapeError> {
        let samples_max = self.target.settings.samples_max;
        if rows.len() < samples_max {
            Ok(())
        } else {
            Err(ScrapeError::Samples(samples_max))
        }
    }

    /// A sample's row. `raw` is the series as the body spells it; `labels` are read where that is new.
    fn row<'a>(
        &mut self,
        raw: &str,
        labels: impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)>,
        value: Value,
        timestamp_ms: Option<i64>,
    ) -> Result<Option<Row>, ScrapeError> {
        let entry = match self.known.get(raw) {
            Some(&DROPPED) => return Ok(None),
            Some(&entry) => entry,
            None => {
                let problem = |problem| ScrapeError::Labels {
                    series: readable(raw),
                    problem,
                };
                let Some(labels) = self.labels(labels).map_err(problem)? else {
                    self.known.insert(raw.into(), DROPPED);
                    return Ok(None);
                };
                self.entries.push(Remembered {
                    labels,
                    series: None,
                    seen: 0,
                });
                self.known.insert(raw.into(), self.entries.len() - 1);
                self.entries.len() - 1
            }
        };
        let timestamp_ms = timestamp_ms.filter(|_| self.target.settings.timestamps == Timestamps::Body);
        Ok(Some(Row {
            entry,
            timestamp_ms,
            value,
        }))
    }

    /// The labels under which a series of the body is stored; `None` where relabelling drops it.
    fn labels<'a>(&self, pairs: impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)>) -> Result<Option<Labels>, String> {
        let settings = &self.target.settings;
        let mut builder = LabelsBuilder::new();
        for (name, value) in pairs {
            if builder.get(&name).is_some() {
                return Err(format!("the label {name} occurs twice"));
            }
            if name.len() > settings.label_name_bytes_max {
                return Err(format!(
                    "a label name is longer than {} bytes",
                    settings.label_name_bytes_max
                ));
            }
            if value.len() > settings.label_value_bytes_max {
                return Err(format!(
                    "the value of {name} is longer than {} bytes",
                    settings.label_value_bytes_max
                ));
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
            return Err(format!("more than {} labels", settings.labels_max));
        }
        Ok(relabel(labels, &settings.metric_relabel))
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

/// A series for an error message.
fn readable(raw: &str) -> String {
    raw.replace('\0', " ").chars().take(200).collect()
}

/// Whether a label holds a number that Prometheus writes in one way, so that `le="1"` and `le="1.0"` are one.
fn is_bound(kind: MetricKind, label: &str) -> bool {
    match kind {
        MetricKind::Histogram => label == BUCKET_BOUND,
        MetricKind::Summary => label == "quantile",
        _ => false,
    }
}

fn plain_bound(value: Cow<'_, str>) -> Cow<'_, str> {
    parse_value(&value).map_or(value, |bound| open_metrics_float(bound).into())
}

/// Appends to a remembered series. A refusal is counted by the store; it concerns one sample, not the scrape.
fn append(head: &mut Head, remembered: &mut Remembered, time_ms: i64, value: &Value) {
    append_to(head, &remembered.labels, &mut remembered.series, time_ms, value);
}

fn append_to(head: &mut Head, labels: &Labels, series: &mut Option<SeriesRef>, time_ms: i64, value: &Value) {
    let push = |head: &mut Head, series| match value {
        Value::Float(value) => head.append(series, time_ms, *value),
        Value::Histogram(histogram) => head.append_histogram(series, time_ms, histogram.clone()),
    };
    if let Some(known) = *series
        && push(head, known) != Err(AppendError::Gone)
    {
        return;
    }
    *series = head.series(labels).ok().map(|(series, _)| series);
    if let Some(series) = *series {
        // The reference is fresh, so that only the sample itself can be refused.
        let _ = push(head, series);
    }
}
