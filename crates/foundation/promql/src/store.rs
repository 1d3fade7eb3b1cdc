//! Series kept in memory: compressed, indexed, and never more of them than the limits allow.
//!
//! ```text
//!   labels ──series()──> SeriesRef ──append(time, value)──> OpenChunk ──120 samples──> FloatChunk
//!      │                                                                                   │ Arc
//!      └─> Index: name -> value -> [slot]  <──select(matchers, range)── SeriesSnapshot <───┘
//! ```
//!
//! The head is a plain value: every time is an argument, and a lock, a clock and a scrape loop around it
//! are the business of whoever owns it. Reading is in two steps so that such a lock is held shortly:
//! [`Head::select`] takes reference-counted chunks, [`SeriesSnapshot::read`] decodes them later.
//!
//! Memory is bounded by [`Limits`]. Beyond the limit the oldest samples go first, of all series alike, and
//! what went is counted in [`Stats`]: a window that is shorter than wished for is a fact that a reader must be
//! able to see. A series that is new when there is no room for one is refused.
//!
//! A running example: `http_requests_total{pod="web-0"}` scraped every 15 s fills a chunk in half an
//! hour; with an unchanged value that chunk has 44 bytes of samples, with a busy counter some 250.

mod bits;
mod chunk;
mod index;
mod record;
mod select;
mod series;
mod shed;

pub use chunk::CHUNK_SAMPLES_MAX;
pub use record::RecordError;
pub use select::SeriesSnapshot;
pub use shed::{Freed, Stats};

use std::collections::HashMap;
use std::sync::Arc;

use thiserror::Error;

use crate::histogram::FloatHistogram;
use crate::labels::Labels;
use crate::sample::FloatPoint;
use index::Index;
use series::Series;

/// How much the head keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Samples older than this, measured from the time given to [`Head::maintain`], are dropped.
    pub retention_ms: i64,
    /// Bytes of chunks, labels and index, as the head accounts for them.
    pub bytes_max: usize,
    /// Series at one time.
    pub series_max: usize,
    /// How far behind its series' newest sample a sample may be.
    pub out_of_order_ms: i64,
}

impl Default for Limits {
    /// For a laptop: two hours and a bit beyond (so that a `[2h]` range is whole), 256 MiB, a million
    /// series, no out-of-order samples.
    fn default() -> Self {
        Limits {
            retention_ms: 150 * 60 * 1000,
            bytes_max: 256 << 20,
            series_max: 1_000_000,
            out_of_order_ms: 0,
        }
    }
}

/// Names a series of one head, for as long as that series lives. A reference that outlived its series
/// is recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SeriesRef {
    slot: u32,
    generation: u32,
}

/// Whether [`Head::series`] had to make the series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// It was there.
    Known,
    /// It is new.
    Created,
}

/// Why a sample or series was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AppendError {
    /// Another value is already stored for this time.
    #[error("the series has another value at this time")]
    DuplicateTimestamp,
    /// Older than the series' newest sample and outside the out-of-order window.
    #[error("the sample is older than the series' newest sample")]
    OutOfOrder,
    /// There is no room for another series.
    #[error("the store is full: no more series are accepted")]
    SeriesLimit,
    /// The reference's series has been dropped: look it up again.
    #[error("the series has been dropped from the store")]
    Gone,
}

/// The series of one process.
#[derive(Debug)]
pub struct Head {
    limits: Limits,
    slots: Vec<Slot>,
    free: Vec<u32>,
    by_labels: HashMap<Labels, u32>,
    index: Index,
    stats: Stats,
}

#[derive(Debug, Default)]
struct Slot {
    generation: u32,
    series: Option<Box<Series>>,
}

impl Head {
    /// An empty head.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Head {
            limits,
            slots: Vec::new(),
            free: Vec::new(),
            by_labels: HashMap::new(),
            index: Index::default(),
            stats: Stats::default(),
        }
    }

    /// The limits that the head was made with.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Counters and gauges about the head itself.
    #[must_use]
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// The series of a label set, made where it is new.
    ///
    /// # Errors
    /// [`AppendError::SeriesLimit`].
    pub fn series(&mut self, labels: &Labels) -> Result<(SeriesRef, Found), AppendError> {
        if let Some(&slot) = self.by_labels.get(labels) {
            return Ok((self.reference(slot), Found::Known));
        }
        let bytes = Series::base_bytes(labels);
        if self.by_labels.len() >= self.limits.series_max || bytes > self.limits.bytes_max {
            self.stats.series_refused += 1;
            return Err(AppendError::SeriesLimit);
        }
        self.make_room(bytes);
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            // `series_max` and the byte limit keep slots far below 2^32.
            (self.slots.len() - 1) as u32
        });
        self.slots[slot as usize].series = Some(Box::new(Series::new(labels.clone())));
        self.by_labels.insert(labels.clone(), slot);
        self.index.insert(slot, labels);
        self.stats.bytes += bytes;
        self.stats.series = self.by_labels.len();
        self.stats.series_created += 1;
        Ok((self.reference(slot), Found::Created))
    }

    /// Appends a float; [`crate::sample::STALE_NAN`] ends the series for instant queries.
    ///
    /// # Errors
    /// See [`AppendError`].
    pub fn append(&mut self, series: SeriesRef, timestamp_ms: i64, value: f64) -> Result<(), AppendError> {
        let window_ms = self.limits.out_of_order_ms;
        self.grow(series, |series| {
            series.append(FloatPoint { timestamp_ms, value }, window_ms)
        })
    }

    /// Appends a native histogram. Histograms are never taken out of order.
    ///
    /// # Errors
    /// See [`AppendError`].
    pub fn append_histogram(
        &mut self,
        series: SeriesRef,
        timestamp_ms: i64,
        histogram: Arc<FloatHistogram>,
    ) -> Result<(), AppendError> {
        self.grow(series, |series| series.append_histogram(timestamp_ms, histogram))
    }

    /// The labels behind a reference, while its series lives.
    #[must_use]
    pub fn labels(&self, series: SeriesRef) -> Option<&Labels> {
        let slot = self
            .slots
            .get(series.slot as usize)
            .filter(|slot| slot.generation == series.generation)?;
        slot.series.as_ref().map(|series| &series.labels)
    }

    fn grow(
        &mut self,
        reference: SeriesRef,
        append: impl FnOnce(&mut Series) -> Result<(), AppendError>,
    ) -> Result<(), AppendError> {
        let slot = self
            .slots
            .get_mut(reference.slot as usize)
            .filter(|slot| slot.generation == reference.generation);
        let series = slot.and_then(|slot| slot.series.as_mut()).ok_or(AppendError::Gone)?;
        let before = series.sample_bytes();
        let result = append(series);
        let after = series.sample_bytes();
        match result {
            Ok(()) => self.stats.samples_appended += 1,
            Err(_) => self.stats.samples_refused += 1,
        }
        self.stats.bytes = self.stats.bytes + after - before;
        if self.stats.bytes > self.limits.bytes_max {
            self.make_room(0);
        }
        result
    }

    fn reference(&self, slot: u32) -> SeriesRef {
        SeriesRef {
            slot,
            generation: self.slots[slot as usize].generation,
        }
    }

    fn live(&self) -> impl Iterator<Item = (u32, &Series)> {
        self.slots
            .iter()
            .enumerate()
            .filter_map(|(slot, entry)| Some((slot as u32, entry.series.as_deref()?)))
    }
}

#[cfg(test)]
mod tests;
