//! One series: its labels and its samples.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::histogram::FloatHistogram;
use crate::labels::Labels;
use crate::sample::{FloatPoint, HistogramPoint};

use super::AppendError;
use super::chunk::{CHUNK_SAMPLES_MAX, FloatChunk, OpenChunk};

/// What a series costs beyond its labels and samples: this struct, its slot, its key and its place in the
/// posting list of every label. Chosen so that what is accounted stays within a fifth of what is resident:
/// `benches/store.rs` shows both for 200 000 series.
const SERIES_BYTES: usize = 400;

/// Late samples wait here, uncompressed, until there are this many.
const LATE_SAMPLES_MAX: usize = 32;

/// A run of samples that no longer changes.
#[derive(Debug, Clone)]
pub(super) enum Chunk {
    Float(Arc<FloatChunk>),
    Histogram(Arc<[HistogramPoint]>),
}

impl Chunk {
    pub(super) fn first_ms(&self) -> i64 {
        match self {
            Chunk::Float(chunk) => chunk.first_ms,
            Chunk::Histogram(points) => points.first().map_or(i64::MAX, |point| point.timestamp_ms),
        }
    }

    pub(super) fn last_ms(&self) -> i64 {
        match self {
            Chunk::Float(chunk) => chunk.last_ms,
            Chunk::Histogram(points) => points.last().map_or(i64::MIN, |point| point.timestamp_ms),
        }
    }

    pub(super) fn samples(&self) -> usize {
        match self {
            Chunk::Float(chunk) => usize::from(chunk.count),
            Chunk::Histogram(points) => points.len(),
        }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        size_of::<Chunk>()
            + match self {
                Chunk::Float(chunk) => chunk.heap_bytes(),
                Chunk::Histogram(points) => points.iter().map(histogram_bytes).sum(),
            }
    }
}

fn histogram_bytes(point: &HistogramPoint) -> usize {
    size_of::<HistogramPoint>() + size_of::<FloatHistogram>() + point.histogram.heap_bytes()
}

/// The chunk that is being appended to.
#[derive(Debug)]
enum Open {
    Empty,
    Float(OpenChunk),
    Histogram(Vec<HistogramPoint>),
}

/// A series of the head.
#[derive(Debug)]
pub(super) struct Series {
    pub(super) labels: Labels,
    /// In order of time, except that chunks of late samples are sorted in by their last sample.
    pub(super) chunks: VecDeque<Chunk>,
    open: Open,
    late: Vec<FloatPoint>,
    /// Bytes of `chunks`, kept up to date.
    chunk_bytes: usize,
    /// Bytes of the histograms in `open`.
    open_histogram_bytes: usize,
}

impl Series {
    pub(super) fn new(labels: Labels) -> Self {
        Series {
            labels,
            chunks: VecDeque::new(),
            open: Open::Empty,
            late: Vec::new(),
            chunk_bytes: 0,
            open_histogram_bytes: 0,
        }
    }

    /// Accounted bytes of a series without samples.
    pub(super) fn base_bytes(labels: &Labels) -> usize {
        SERIES_BYTES + labels.heap_bytes()
    }

    /// Accounted bytes of the samples.
    pub(super) fn sample_bytes(&self) -> usize {
        let open = match &self.open {
            Open::Empty => 0,
            Open::Float(chunk) => chunk.heap_bytes(),
            Open::Histogram(_) => self.open_histogram_bytes,
        };
        self.chunk_bytes + open + self.late.capacity() * size_of::<FloatPoint>()
    }

    /// Time of the newest sample that is in order.
    pub(super) fn last_ms(&self) -> Option<i64> {
        match &self.open {
            Open::Float(chunk) => Some(chunk.last().timestamp_ms),
            Open::Histogram(points) => points.last().map(|point| point.timestamp_ms),
            Open::Empty => self.chunks.back().map(Chunk::last_ms),
        }
    }

    /// Time of the oldest sample.
    pub(super) fn first_ms(&self) -> Option<i64> {
        let chunks = self.chunks.iter().map(Chunk::first_ms);
        let late = self.late.first().map(|point| point.timestamp_ms);
        let open = match &self.open {
            Open::Float(chunk) => Some(chunk.first_ms()),
            Open::Histogram(points) => points.first().map(|point| point.timestamp_ms),
            Open::Empty => None,
        };
        chunks.chain(late).chain(open).min()
    }

    pub(super) fn samples(&self) -> usize {
        let open = match &self.open {
            Open::Float(chunk) => usize::from(chunk.count()),
            Open::Histogram(points) => points.len(),
            Open::Empty => 0,
        };
        self.chunks.iter().map(Chunk::samples).sum::<usize>() + self.late.len() + open
    }

    pub(super) fn append(&mut self, point: FloatPoint, window_ms: i64) -> Result<(), AppendError> {
        match self.last_ms() {
            Some(last_ms) if point.timestamp_ms == last_ms => return self.repeat(point),
            Some(last_ms) if point.timestamp_ms < last_ms => return self.append_late(point, last_ms, window_ms),
            _ => {}
        }
        match &mut self.open {
            Open::Float(chunk) if !chunk.is_full() => chunk.append(point),
            _ => {
                self.close();
                self.open = Open::Float(OpenChunk::start(point));
            }
        }
        Ok(())
    }

    pub(super) fn append_histogram(
        &mut self,
        timestamp_ms: i64,
        histogram: Arc<FloatHistogram>,
    ) -> Result<(), AppendError> {
        match self.last_ms() {
            Some(last_ms) if timestamp_ms < last_ms => return Err(AppendError::OutOfOrder),
            Some(last_ms) if timestamp_ms == last_ms => {
                let same = matches!(&self.open, Open::Histogram(points)
                    if points.last().is_some_and(|point| same_histogram(&point.histogram, &histogram)));
                return if same {
                    Ok(())
                } else {
                    Err(AppendError::DuplicateTimestamp)
                };
            }
            _ => {}
        }
        let point = HistogramPoint {
            timestamp_ms,
            histogram,
        };
        let bytes = histogram_bytes(&point);
        match &mut self.open {
            Open::Histogram(points) if points.len() < usize::from(CHUNK_SAMPLES_MAX) => points.push(point),
            _ => {
                self.close();
                self.open = Open::Histogram(vec![point]);
            }
        }
        self.open_histogram_bytes += bytes;
        Ok(())
    }

    /// A second sample at the newest time: harmless where it says the same.
    fn repeat(&self, point: FloatPoint) -> Result<(), AppendError> {
        let known = match &self.open {
            Open::Float(chunk) => Some(chunk.last().value),
            _ => None,
        };
        match known {
            Some(value) if value.to_bits() == point.value.to_bits() => Ok(()),
            _ => Err(AppendError::DuplicateTimestamp),
        }
    }

    fn append_late(&mut self, point: FloatPoint, last_ms: i64, window_ms: i64) -> Result<(), AppendError> {
        if last_ms.saturating_sub(point.timestamp_ms) > window_ms {
            return Err(AppendError::OutOfOrder);
        }
        match self
            .late
            .binary_search_by_key(&point.timestamp_ms, |late| late.timestamp_ms)
        {
            Ok(at) if self.late[at].value.to_bits() == point.value.to_bits() => return Ok(()),
            Ok(_) => return Err(AppendError::DuplicateTimestamp),
            Err(at) => self.late.insert(at, point),
        }
        if self.late.len() >= LATE_SAMPLES_MAX {
            let mut points = std::mem::take(&mut self.late).into_iter();
            if let Some(first) = points.next() {
                let mut chunk = OpenChunk::start(first);
                points.for_each(|point| chunk.append(point));
                self.insert_chunk(Chunk::Float(Arc::new(chunk.close())));
            }
        }
        Ok(())
    }

    fn close(&mut self) {
        let closed = match std::mem::replace(&mut self.open, Open::Empty) {
            Open::Empty => return,
            Open::Float(chunk) => Chunk::Float(Arc::new(chunk.close())),
            Open::Histogram(points) => Chunk::Histogram(points.into()),
        };
        self.open_histogram_bytes = 0;
        self.insert_chunk(closed);
    }

    fn insert_chunk(&mut self, chunk: Chunk) {
        self.chunk_bytes += chunk.heap_bytes();
        let at = self.chunks.partition_point(|other| other.last_ms() <= chunk.last_ms());
        self.chunks.insert(at, chunk);
    }

    /// Drops whole chunks (and waiting late samples) that end before `cutoff_ms`; returns bytes and samples dropped.
    pub(super) fn drop_before(&mut self, cutoff_ms: i64) -> (usize, usize) {
        let (mut bytes, mut samples) = (0, 0);
        while let Some(chunk) = self.chunks.front().filter(|chunk| chunk.last_ms() < cutoff_ms) {
            bytes += chunk.heap_bytes();
            samples += chunk.samples();
            self.chunks.pop_front();
        }
        self.chunk_bytes -= bytes;
        if self.late.last().is_some_and(|late| late.timestamp_ms < cutoff_ms) {
            bytes += self.late.capacity() * size_of::<FloatPoint>();
            samples += self.late.len();
            self.late = Vec::new();
        }
        if self.chunks.is_empty() && self.last_ms().is_some_and(|last_ms| last_ms < cutoff_ms) {
            let before = self.sample_bytes();
            samples += self.samples();
            (self.open, self.open_histogram_bytes) = (Open::Empty, 0);
            bytes += before - self.sample_bytes();
        }
        (bytes, samples)
    }

    /// Everything that can have samples within `start_ms..=end_ms`, for reading without this series.
    pub(super) fn chunks_within(&self, start_ms: i64, end_ms: i64) -> Vec<Chunk> {
        let open = match &self.open {
            Open::Empty => None,
            Open::Float(chunk) => {
                let overlaps = chunk.first_ms() <= end_ms && chunk.last().timestamp_ms >= start_ms;
                overlaps.then(|| Chunk::Float(Arc::new(chunk.close())))
            }
            Open::Histogram(points) => Some(Chunk::Histogram(points.as_slice().into())),
        };
        let mut late = self.late.iter();
        let late = late.next().map(|&first| {
            let mut chunk = OpenChunk::start(first);
            late.for_each(|&point| chunk.append(point));
            Chunk::Float(Arc::new(chunk.close()))
        });
        let overlaps = |chunk: &Chunk| chunk.first_ms() <= end_ms && chunk.last_ms() >= start_ms;
        self.chunks
            .iter()
            .cloned()
            .chain(late)
            .chain(open)
            .filter(overlaps)
            .collect()
    }

    /// Whether there is a sample within the range, as far as chunk borders tell.
    pub(super) fn overlaps(&self, start_ms: i64, end_ms: i64) -> bool {
        self.first_ms().is_some_and(|first_ms| first_ms <= end_ms) && self.last_ms() >= Some(start_ms)
    }
}

fn same_histogram(a: &FloatHistogram, b: &FloatHistogram) -> bool {
    // Staleness markers have a NaN sum, which is not equal to itself.
    a == b || (a.sum.is_nan() && a.sum.to_bits() == b.sum.to_bits() && a.count == b.count)
}
