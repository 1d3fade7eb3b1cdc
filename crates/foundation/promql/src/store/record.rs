//! A series as bytes, to be kept over a restart.
//!
//! ```text
//!   record  = length (4 bytes) · xxHash64 of the body (8 bytes) · body
//!   body    = labels: count, then name and value of each · chunks: count, then of each
//!             first time (zigzag) · samples · length · the chunk's own bytes
//! ```
//!
//! Numbers in the body are base-128 varints. A record stands for itself: a file that was cut off loses its last
//! record and nothing else.

use thiserror::Error;

use super::chunk::{CHUNK_SAMPLES_MAX, FloatChunk, OpenChunk};
use super::{Head, SeriesSnapshot};
use crate::exposition::wire::{Reader, put_varint, zigzag_decode, zigzag_encode};
use crate::labels::{Labels, LabelsBuilder, xxhash64};
use crate::sample::{STALE_NAN, is_stale_nan};

/// Bytes before a record's body.
const HEADER_BYTES: usize = 12;

/// A larger record is damage: it would be a series of ten million samples.
const RECORD_BYTES_MAX: usize = 64 << 20;

/// Why reading stopped. What was read before is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RecordError {
    /// The bytes end within a record: the writer was interrupted.
    #[error("the last record is cut off")]
    CutOff,
    /// The checksum does not fit.
    #[error("a record is damaged")]
    Damaged,
}

impl SeriesSnapshot {
    /// Appends this series as a record. Native histograms are left out.
    pub fn write_record(&self, into: &mut Vec<u8>) {
        let mut body = Vec::new();
        put_varint(&mut body, self.labels.len() as u64);
        for piece in self.labels.iter().flat_map(|(name, value)| [name, value]) {
            put_varint(&mut body, piece.len() as u64);
            body.extend(piece.as_bytes());
        }
        let floats = self.read(i64::MIN, i64::MAX).floats;
        let chunks = floats.chunks(usize::from(CHUNK_SAMPLES_MAX));
        put_varint(&mut body, chunks.len() as u64);
        for points in chunks {
            let mut points = points.iter();
            let Some(&first) = points.next() else { continue };
            let mut open = OpenChunk::start(first);
            points.for_each(|&point| open.append(point));
            let chunk = open.close();
            put_varint(&mut body, zigzag_encode(chunk.first_ms));
            put_varint(&mut body, u64::from(chunk.count));
            put_varint(&mut body, chunk.bytes().len() as u64);
            body.extend(chunk.bytes());
        }
        // A series that large does not fit into the head's limits either.
        into.extend(u32::try_from(body.len()).unwrap_or(u32::MAX).to_le_bytes());
        into.extend(xxhash64(&body).to_le_bytes());
        into.extend(body);
    }
}

impl Head {
    /// Appends what a record holds and returns the bytes behind it; `None` at the end. Each series is ended
    /// after its last sample: whether it goes on, the next scrape tells.
    ///
    /// # Errors
    /// [`RecordError`]; nothing of that record has been appended.
    pub fn read_record<'a>(&mut self, bytes: &'a [u8]) -> Result<Option<&'a [u8]>, RecordError> {
        if bytes.is_empty() {
            return Ok(None);
        }
        let (length, rest) = bytes.split_first_chunk::<4>().ok_or(RecordError::CutOff)?;
        let (hash, rest) = rest.split_first_chunk::<8>().ok_or(RecordError::CutOff)?;
        let length = u32::from_le_bytes(*length) as usize;
        if length > RECORD_BYTES_MAX {
            return Err(RecordError::Damaged);
        }
        let (body, rest) = rest.split_at_checked(length).ok_or(RecordError::CutOff)?;
        if xxhash64(body) != u64::from_le_bytes(*hash) {
            return Err(RecordError::Damaged);
        }
        debug_assert!(
            bytes.len() == HEADER_BYTES + length + rest.len(),
            "a record is its header and its body"
        );
        self.append_body(body).ok_or(RecordError::Damaged)?;
        Ok(Some(rest))
    }

    fn append_body(&mut self, body: &[u8]) -> Option<()> {
        let mut reader = Reader::new(body);
        let labels = read_labels(&mut reader)?;
        let (series, _) = match self.series(&labels) {
            Ok(found) => found,
            // No room is not damage: the rest of the record is left out, and counted.
            Err(_) => return Some(()),
        };
        let mut last = None;
        for _ in 0..reader.varint().ok()? {
            let first_ms = zigzag_decode(reader.varint().ok()?);
            let count = u16::try_from(reader.varint().ok()?).ok()?;
            for point in FloatChunk::decode(first_ms, count, reader.delimited().ok()?) {
                // A sample that is there already, or out of order, is refused and counted.
                let _ = self.append(series, point.timestamp_ms, point.value);
                last = Some(point);
            }
        }
        if let Some(last) = last.filter(|last| !is_stale_nan(last.value)) {
            let _ = self.append(series, last.timestamp_ms.saturating_add(1), STALE_NAN);
        }
        Some(())
    }
}

fn read_labels(reader: &mut Reader<'_>) -> Option<Labels> {
    let mut labels = LabelsBuilder::new();
    for _ in 0..reader.varint().ok()? {
        let name = std::str::from_utf8(reader.delimited().ok()?).ok()?;
        let value = std::str::from_utf8(reader.delimited().ok()?).ok()?;
        labels.set(name, value);
    }
    Some(labels.build())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::store::Limits;

    fn written(series: i64, samples: i64) -> Vec<u8> {
        let mut head = Head::new(Limits::default());
        for index in 0..series {
            let labels = Labels::from_pairs([("__name__", "m"), ("pod", index.to_string().as_str())]);
            let (series, _) = head.series(&labels).expect("room");
            (0..samples).for_each(|step| {
                head.append(series, step * 1000, (step * index) as f64)
                    .expect("in order")
            });
        }
        let mut bytes = Vec::new();
        head.select(&[], i64::MIN, i64::MAX)
            .iter()
            .for_each(|series| series.write_record(&mut bytes));
        bytes
    }

    /// The series read, each with the number of its samples, and how it ended.
    fn read(mut bytes: &[u8]) -> (Vec<(String, usize)>, Option<RecordError>) {
        let mut head = Head::new(Limits::default());
        let error = loop {
            match head.read_record(bytes) {
                Ok(Some(rest)) => bytes = rest,
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        let series = head.select(&[], i64::MIN, i64::MAX);
        let counts = series
            .iter()
            .map(|series| (series.labels.to_string(), series.read(i64::MIN, i64::MAX).floats.len()));
        (counts.collect(), error)
    }

    #[test]
    fn series_come_back_and_are_ended() {
        let (series, error) = read(&written(3, 300));
        assert_eq!((series.len(), error), (3, None));
        assert_eq!(series[0], (r#"m{pod="0"}"#.to_owned(), 301));
    }

    #[test]
    fn what_is_cut_off_loses_one_record() {
        let bytes = written(3, 10);
        let ends: Vec<usize> = (1..=3).map(|series| written(series, 10).len()).collect();
        for cut in 1..bytes.len() {
            let (series, error) = read(&bytes[..cut]);
            assert_eq!(series.len(), ends.iter().filter(|end| **end <= cut).count(), "{cut}");
            assert_eq!(error.is_none(), ends.contains(&cut), "{cut}");
        }
    }

    proptest! {
        #[test]
        fn damage_is_noticed_and_arbitrary_bodies_end(at in any::<prop::sample::Index>(), bit in 0u8..8, body in proptest::collection::vec(any::<u8>(), 0..100)) {
            let mut bytes = written(2, 10);
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            prop_assert!(read(&bytes).1.is_some());
            let _ = Head::new(Limits::default()).append_body(&body);
        }
    }
}
