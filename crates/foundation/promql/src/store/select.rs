//! Reading: by matchers and range, without keeping the writer out for long.

use std::collections::BTreeSet;

use crate::labels::Labels;
use crate::matcher::Matcher;
use crate::sample::{FloatPoint, HistogramPoint};
use crate::source::{SelectHints, SeriesData, SeriesIter, Source, SourceError, StartTimestamps};

use super::Head;
use super::index::Candidates;
use super::series::{Chunk, Series};

/// A series as it was at one moment: its labels and its chunks, still compressed.
#[derive(Debug, Clone)]
pub struct SeriesSnapshot {
    /// The series' labels.
    pub labels: Labels,
    chunks: Vec<Chunk>,
}

impl SeriesSnapshot {
    /// Decodes the samples within `start_ms..=end_ms`.
    #[must_use]
    pub fn read(&self, start_ms: i64, end_ms: i64) -> SeriesData {
        let samples = self.chunks.iter().map(Chunk::samples).sum();
        let mut floats: Vec<FloatPoint> = Vec::with_capacity(samples);
        let mut histograms: Vec<HistogramPoint> = Vec::new();
        for chunk in &self.chunks {
            match chunk {
                Chunk::Float(chunk) => chunk.read(start_ms, end_ms, &mut floats),
                Chunk::Histogram(points) => histograms.extend(
                    points
                        .iter()
                        .filter(|point| (start_ms..=end_ms).contains(&point.timestamp_ms))
                        .cloned(),
                ),
            }
        }
        // Late samples overlap the chunks around them. The sort is stable and chunks of late samples come
        // first in time order, so of two samples at one time the first stays.
        if !floats.is_sorted_by(|a, b| a.timestamp_ms < b.timestamp_ms) {
            floats.sort_by_key(|point| point.timestamp_ms);
            floats.dedup_by_key(|point| point.timestamp_ms);
        }
        SeriesData {
            labels: self.labels.clone(),
            floats,
            histograms,
            start_timestamps_ms: StartTimestamps::default(),
        }
    }
}

impl Head {
    /// The series that satisfy all matchers and may have samples within `start_ms..=end_ms`.
    #[must_use]
    pub fn select(&self, matchers: &[Matcher], start_ms: i64, end_ms: i64) -> Vec<SeriesSnapshot> {
        let snapshots = self.matching(matchers).map(|series| SeriesSnapshot {
            labels: series.labels.clone(),
            chunks: series.chunks_within(start_ms, end_ms),
        });
        snapshots.filter(|snapshot| !snapshot.chunks.is_empty()).collect()
    }

    /// Label sets of the series that [`Head::select`] would find.
    #[must_use]
    pub fn label_sets(&self, matchers: &[Matcher], start_ms: i64, end_ms: i64) -> Vec<Labels> {
        let within = self
            .matching(matchers)
            .filter(|series| series.overlaps(start_ms, end_ms));
        within.map(|series| series.labels.clone()).collect()
    }

    /// Label names of the matching series, ascending.
    #[must_use]
    pub fn label_names(&self, matchers: &[Matcher], start_ms: i64, end_ms: i64) -> Vec<String> {
        if matchers.is_empty() && self.covers(start_ms, end_ms) {
            return self.index.label_names().map(str::to_owned).collect();
        }
        let within = self
            .matching(matchers)
            .filter(|series| series.overlaps(start_ms, end_ms));
        let names: BTreeSet<&str> = within
            .flat_map(|series| series.labels.iter().map(|(name, _)| name))
            .collect();
        names.into_iter().map(str::to_owned).collect()
    }

    /// Values of one label among the matching series, ascending.
    #[must_use]
    pub fn label_values(&self, name: &str, matchers: &[Matcher], start_ms: i64, end_ms: i64) -> Vec<String> {
        if matchers.is_empty() && self.covers(start_ms, end_ms) {
            return self.index.values(name).map(str::to_owned).collect();
        }
        let within = self
            .matching(matchers)
            .filter(|series| series.overlaps(start_ms, end_ms));
        let values: BTreeSet<&str> = within.filter_map(|series| series.labels.get(name)).collect();
        values.into_iter().map(str::to_owned).collect()
    }

    /// For each value of a label, how many series have it: cardinality for `status/tsdb`.
    pub fn value_counts(&self, name: &str) -> impl Iterator<Item = (&str, usize)> {
        self.index.value_counts(name)
    }

    fn matching<'a>(&'a self, matchers: &'a [Matcher]) -> Box<dyn Iterator<Item = &'a Series> + 'a> {
        let satisfies = |series: &&Series| matchers.iter().all(|matcher| matcher.matches_labels(&series.labels));
        match self.index.candidates(matchers) {
            Candidates::All => Box::new(self.live().map(|(_, series)| series).filter(satisfies)),
            Candidates::Slots(slots) => {
                let series = slots
                    .into_iter()
                    .filter_map(|slot| self.slots[slot as usize].series.as_deref());
                Box::new(series.filter(satisfies))
            }
        }
    }

    /// Whether the range is all of time, so that the index alone can answer.
    fn covers(&self, start_ms: i64, end_ms: i64) -> bool {
        start_ms == i64::MIN && end_ms == i64::MAX
    }
}

impl Source for Head {
    fn select<'a>(&'a self, matchers: &'a [Matcher], hints: &SelectHints) -> Result<SeriesIter<'a>, SourceError> {
        let (start_ms, end_ms) = (hints.start_ms, hints.end_ms);
        let snapshots = Head::select(self, matchers, start_ms, end_ms).into_iter();
        Ok(Box::new(
            snapshots.map(move |snapshot| Ok(snapshot.read(start_ms, end_ms))),
        ))
    }
}
