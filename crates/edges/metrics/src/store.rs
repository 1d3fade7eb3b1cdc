//! The series store of this process: [`promql::store::Head`] behind a lock, and what the series mean.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use promql::exposition::MetricKind;
use promql::matcher::Matcher;
use promql::source::{SelectHints, SeriesIter, Source, SourceError};
use promql::store::{Head, Limits};

/// Metric names whose metadata is kept. A target that makes up names must not fill the memory with help texts.
const METADATA_MAX: usize = 50_000;

/// Help texts are cut here; they are for people.
const HELP_BYTES_MAX: usize = 1024;

/// What a target says about a metric family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// Declared type.
    pub kind: MetricKind,
    /// Help text.
    pub help: String,
    /// Unit, empty where none is declared.
    pub unit: String,
}

impl Default for Metadata {
    fn default() -> Self {
        Metadata {
            kind: MetricKind::Unknown,
            help: String::new(),
            unit: String::new(),
        }
    }
}

/// A store that many tasks share; clones are the same store.
#[derive(Debug, Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    head: RwLock<Head>,
    metadata: RwLock<BTreeMap<String, Metadata>>,
}

impl Store {
    /// An empty store.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let inner = Inner {
            head: RwLock::new(Head::new(limits)),
            metadata: RwLock::default(),
        };
        Store { inner: Arc::new(inner) }
    }

    /// The head, to read from. Hold it shortly: scrapes wait.
    ///
    /// A panic while the lock was held leaves at worst an unfinished append behind, so that the lock's
    /// poison is not passed on.
    pub fn head(&self) -> RwLockReadGuard<'_, Head> {
        self.inner.head.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The head, to append to.
    pub fn head_mut(&self) -> RwLockWriteGuard<'_, Head> {
        self.inner.head.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Metadata of all metrics whose name `keep` accepts, ascending by name.
    pub fn metadata(&self, keep: impl Fn(&str) -> bool) -> Vec<(String, Metadata)> {
        let metadata = self.inner.metadata.read().unwrap_or_else(PoisonError::into_inner);
        metadata
            .iter()
            .filter(|(name, _)| keep(name))
            .map(|(name, entry)| (name.clone(), entry.clone()))
            .collect()
    }

    /// Remembers what a metric is; the newest word wins.
    pub fn describe(&self, metric: &str, mut entry: Metadata) {
        let end = (0..=HELP_BYTES_MAX.min(entry.help.len()))
            .rev()
            .find(|&end| entry.help.is_char_boundary(end));
        entry.help.truncate(end.unwrap_or(0));
        let mut metadata = self.inner.metadata.write().unwrap_or_else(PoisonError::into_inner);
        if metadata.len() < METADATA_MAX || metadata.contains_key(metric) {
            metadata.insert(metric.to_owned(), entry);
        }
    }
}

/// Selecting holds the lock only while chunks are collected; they are decoded as the engine asks for them.
impl Source for Store {
    fn select<'a>(&'a self, matchers: &'a [Matcher], hints: &SelectHints) -> Result<SeriesIter<'a>, SourceError> {
        let (start_ms, end_ms) = (hints.start_ms, hints.end_ms);
        let snapshots = self.head().select(matchers, start_ms, end_ms).into_iter();
        Ok(Box::new(
            snapshots.map(move |snapshot| Ok(snapshot.read(start_ms, end_ms))),
        ))
    }
}
