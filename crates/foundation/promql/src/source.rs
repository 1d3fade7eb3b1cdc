//! Where the engine reads series from.
//!
//! A source is a snapshot that can be read at once: an in-memory store, a test's storage, an answer fetched earlier.
//! Fetching is the caller's business; the engine never waits.

use crate::labels::Labels;
use crate::matcher::Matcher;
use crate::sample::{FloatPoint, HistogramPoint};

/// What the engine is going to do with a selection. A source may ignore all of it except the time range.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SelectHints {
    /// Earliest sample wanted, inclusive, in milliseconds since the Unix epoch.
    pub start_ms: i64,
    /// Latest sample wanted, inclusive, in milliseconds since the Unix epoch.
    pub end_ms: i64,
    /// The query's step; 0 for an instant query.
    pub step_ms: i64,
    /// The range of a range selector, `None` for an instant selector.
    pub range_ms: Option<i64>,
    /// The function or aggregation around the selector, empty when there is none.
    pub function: String,
    /// Whether the engine needs [`SeriesData::start_timestamps_ms`].
    pub start_timestamps: bool,
}

/// One series and its samples within the range of a selection.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SeriesData {
    /// The series' labels with its metric name.
    pub labels: Labels,
    /// Floats in ascending order of time, staleness markers included.
    pub floats: Vec<FloatPoint>,
    /// Histograms in ascending order of time. No time occurs in both `floats` and `histograms`.
    pub histograms: Vec<HistogramPoint>,
    /// Since when each sample counts, when the source knows it.
    pub start_timestamps_ms: StartTimestamps,
}

/// Start times of samples, aligned with a series' points by index. Empty vectors mean "unknown", as does a 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StartTimestamps {
    /// One per float, or empty.
    pub floats: Vec<i64>,
    /// One per histogram, or empty.
    pub histograms: Vec<i64>,
}

/// Why a source could not answer; becomes an execution error of the query.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SourceError {
    /// One sentence for the user.
    pub message: String,
}

/// The series of one selection, one at a time, so that a source need not hold all of them decoded.
pub type SeriesIter<'a> = Box<dyn Iterator<Item = Result<SeriesData, SourceError>> + 'a>;

/// A readable collection of series.
pub trait Source {
    /// The series that satisfy all matchers, in any order, each label set once, with their samples in
    /// `hints.start_ms..=hints.end_ms`. Series without a sample in the range may be left out.
    ///
    /// # Errors
    /// When the selection cannot be answered in full: the engine never computes on a part.
    fn select<'a>(&'a self, matchers: &'a [Matcher], hints: &SelectHints) -> Result<SeriesIter<'a>, SourceError>;
}

impl<S: Source + ?Sized> Source for &S {
    fn select<'a>(&'a self, matchers: &'a [Matcher], hints: &SelectHints) -> Result<SeriesIter<'a>, SourceError> {
        (**self).select(matchers, hints)
    }
}

/// A source that is a list: every selection scans it. For tests, and for answers fetched over the network.
#[derive(Clone, Debug, Default)]
pub struct MemorySource {
    /// The series, each label set once.
    pub series: Vec<SeriesData>,
}

impl Source for MemorySource {
    fn select<'a>(&'a self, matchers: &'a [Matcher], hints: &SelectHints) -> Result<SeriesIter<'a>, SourceError> {
        let (start, end) = (hints.start_ms, hints.end_ms);
        let matching = self
            .series
            .iter()
            .filter(|series| matchers.iter().all(|m| m.matches_labels(&series.labels)));
        Ok(Box::new(matching.map(move |series| Ok(series.between(start, end)))))
    }
}

impl SeriesData {
    /// The samples within `start_ms..=end_ms`.
    #[must_use]
    pub fn between(&self, start_ms: i64, end_ms: i64) -> SeriesData {
        let floats = span(&self.floats, |point| point.timestamp_ms, start_ms, end_ms);
        let histograms = span(&self.histograms, |point| point.timestamp_ms, start_ms, end_ms);
        let starts = &self.start_timestamps_ms;
        SeriesData {
            labels: self.labels.clone(),
            start_timestamps_ms: StartTimestamps {
                floats: starts.floats.get(floats.clone()).unwrap_or_default().to_vec(),
                histograms: starts.histograms.get(histograms.clone()).unwrap_or_default().to_vec(),
            },
            floats: self.floats[floats].to_vec(),
            histograms: self.histograms[histograms].to_vec(),
        }
    }
}

fn span<T>(points: &[T], time: impl Fn(&T) -> i64, start: i64, end: i64) -> std::ops::Range<usize> {
    let from = points.partition_point(|point| time(point) < start);
    from..points.partition_point(|point| time(point) <= end).max(from)
}
