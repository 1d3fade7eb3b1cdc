//! Forgetting: by age, and by memory.

use super::{Head, Series};

/// What was dropped in one go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Freed {
    /// Bytes, as the head accounts for them.
    pub bytes: usize,
    /// Samples.
    pub samples: u64,
    /// Series that had nothing left.
    pub series: usize,
}

/// Counters and gauges about the head.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// Accounted bytes now.
    pub bytes: usize,
    /// Series now.
    pub series: usize,
    /// Series ever made.
    pub series_created: u64,
    /// Series refused because there was no room.
    pub series_refused: u64,
    /// Samples ever taken.
    pub samples_appended: u64,
    /// Samples refused: late, or a second value for one time.
    pub samples_refused: u64,
    /// Dropped because older than the retention.
    pub expired: Freed,
    /// Dropped before their time, because memory was full.
    pub shed: Freed,
    /// Samples before this time may be missing because memory was full; Unix milliseconds.
    pub shed_before_ms: Option<i64>,
}

impl Freed {
    fn add(&mut self, other: Freed) {
        self.bytes += other.bytes;
        self.samples += other.samples;
        self.series += other.series;
    }
}

/// Shedding frees a tenth of the limit at once, so that its sweep over all series is rare.
const SHED_PART: usize = 10;

impl Head {
    /// Drops what is older than the retention and returns what went. Call it every minute or so.
    pub fn maintain(&mut self, now_ms: i64) -> Freed {
        let freed = self.drop_before(now_ms.saturating_sub(self.limits.retention_ms));
        self.stats.expired.add(freed);
        freed
    }

    /// Sheds the oldest samples until `bytes` more fit below the limit.
    pub(super) fn make_room(&mut self, bytes: usize) {
        let limit = self.limits.bytes_max;
        if self.stats.bytes + bytes <= limit {
            return;
        }
        let target = (limit - limit / SHED_PART).saturating_sub(bytes);
        let excess = self.stats.bytes.saturating_sub(target);
        let mut freed = Freed::default();
        let mut cutoff_ms = cutoff(self.live().flat_map(|(_, series)| closed_chunks(series)), excess);
        if let Some(cutoff_ms) = cutoff_ms {
            freed = self.drop_before(cutoff_ms.saturating_add(1));
        }
        if freed.bytes < excess {
            // Closed chunks were not enough: whole series go, those first that ended first.
            let ends = self
                .live()
                .filter_map(|(_, series)| Some((series.last_ms()?, whole_bytes(series))));
            if let Some(end_ms) = cutoff(ends, excess - freed.bytes) {
                freed.add(self.drop_series_before(end_ms.saturating_add(1)));
                cutoff_ms = cutoff_ms.max(Some(end_ms));
            }
        }
        self.stats.shed.add(freed);
        self.stats.shed_before_ms = self.stats.shed_before_ms.max(cutoff_ms);
    }

    fn drop_before(&mut self, cutoff_ms: i64) -> Freed {
        let mut freed = Freed::default();
        let mut emptied = Vec::new();
        for (slot, entry) in self.slots.iter_mut().enumerate() {
            let Some(series) = entry.series.as_mut() else { continue };
            let (bytes, samples) = series.drop_before(cutoff_ms);
            freed.bytes += bytes;
            freed.samples += samples as u64;
            // A series without samples was made a moment ago, or has just lost its last one.
            if samples > 0 && series.last_ms().is_none() {
                emptied.push(slot as u32);
            }
        }
        self.stats.bytes -= freed.bytes;
        for slot in emptied {
            freed.add(self.remove(slot));
        }
        freed
    }

    fn drop_series_before(&mut self, cutoff_ms: i64) -> Freed {
        let ended = |series: &Series| series.last_ms().is_some_and(|last_ms| last_ms < cutoff_ms);
        let slots: Vec<u32> = self
            .live()
            .filter(|(_, series)| ended(series))
            .map(|(slot, _)| slot)
            .collect();
        let mut freed = Freed::default();
        for slot in slots {
            freed.add(self.remove(slot));
        }
        freed
    }

    fn remove(&mut self, slot: u32) -> Freed {
        let entry = &mut self.slots[slot as usize];
        let Some(series) = entry.series.take() else {
            return Freed::default();
        };
        entry.generation = entry.generation.wrapping_add(1);
        self.free.push(slot);
        self.by_labels.remove(&series.labels);
        self.index.remove(slot, &series.labels);
        let bytes = whole_bytes(&series);
        self.stats.bytes -= bytes;
        self.stats.series = self.by_labels.len();
        Freed {
            bytes,
            samples: series.samples() as u64,
            series: 1,
        }
    }
}

fn whole_bytes(series: &Series) -> usize {
    Series::base_bytes(&series.labels) + series.sample_bytes()
}

fn closed_chunks(series: &Series) -> impl Iterator<Item = (i64, usize)> {
    series.chunks.iter().map(|chunk| (chunk.last_ms(), chunk.heap_bytes()))
}

/// The earliest time such that everything that ended by then adds up to `bytes`; all of it where that is
/// not enough.
fn cutoff(pieces: impl Iterator<Item = (i64, usize)>, bytes: usize) -> Option<i64> {
    let mut pieces: Vec<(i64, usize)> = pieces.collect();
    pieces.sort_unstable();
    let mut sum = 0;
    let enough = pieces.iter().find(|(_, piece_bytes)| {
        sum += piece_bytes;
        sum >= bytes
    });
    enough.or(pieces.last()).map(|(last_ms, _)| *last_ms)
}
