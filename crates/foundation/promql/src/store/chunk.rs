//! A run of float samples, compressed as in Gorilla: the delta of the delta of the times, the XOR of
//! the values.
//!
//! After Pelkonen et al., "Gorilla: a fast, scalable, in-memory time series database" (VLDB 2015), with
//! the bucket sizes that Prometheus chose for millisecond times (tsdb/docs/format/chunks.md). A sample
//! of an unchanged value on schedule takes two bits.

use crate::sample::FloatPoint;

use super::bits::{BitReader, BitWriter};

/// Samples in a chunk: an hour at a 30 s interval. Longer chunks compress hardly better and make the
/// shortest read longer.
pub const CHUNK_SAMPLES_MAX: u16 = 120;

/// Buffer that a chunk starts with: what a chunk of an unchanging series needs.
const FIRST_BUFFER_BYTES: usize = 40;

/// "No window yet": no XOR has 64 leading zeroes and a bit to write.
const NO_WINDOW: u8 = 0xff;

/// A closed chunk: immutable, shared with queries.
#[derive(Debug, Clone)]
pub(super) struct FloatChunk {
    pub(super) first_ms: i64,
    pub(super) last_ms: i64,
    pub(super) count: u16,
    bytes: Box<[u8]>,
}

impl FloatChunk {
    /// Bytes of heap that the chunk holds, itself and its reference counts included.
    pub(super) fn heap_bytes(&self) -> usize {
        self.bytes.len() + size_of::<FloatChunk>() + 2 * size_of::<usize>()
    }

    /// The compressed samples; with `first_ms` and `count` they are the chunk.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Decodes bytes that come from outside: at most `count` samples, whatever the bytes are.
    pub(super) fn decode(first_ms: i64, count: u16, bytes: &[u8]) -> impl Iterator<Item = FloatPoint> {
        Points::new(first_ms, count, bytes)
    }

    /// Appends the samples within `start_ms..=end_ms`.
    pub(super) fn read(&self, start_ms: i64, end_ms: i64, into: &mut Vec<FloatPoint>) {
        for point in Points::new(self.first_ms, self.count, &self.bytes) {
            if point.timestamp_ms > end_ms {
                return;
            }
            if point.timestamp_ms >= start_ms {
                into.push(point);
            }
        }
    }
}

/// The chunk that a series is being appended to.
#[derive(Debug, Clone)]
pub(super) struct OpenChunk {
    writer: BitWriter,
    first_ms: i64,
    last_ms: i64,
    delta_ms: i64,
    value_bits: u64,
    count: u16,
    leading: u8,
    trailing: u8,
}

impl OpenChunk {
    /// A chunk with its first sample.
    pub(super) fn start(point: FloatPoint) -> Self {
        let mut writer = BitWriter::with_capacity(FIRST_BUFFER_BYTES);
        writer.write(point.value.to_bits(), 64);
        OpenChunk {
            writer,
            first_ms: point.timestamp_ms,
            last_ms: point.timestamp_ms,
            delta_ms: 0,
            value_bits: point.value.to_bits(),
            count: 1,
            leading: NO_WINDOW,
            trailing: 0,
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.count >= CHUNK_SAMPLES_MAX
    }

    pub(super) fn first_ms(&self) -> i64 {
        self.first_ms
    }

    pub(super) fn count(&self) -> u16 {
        self.count
    }

    pub(super) fn last(&self) -> FloatPoint {
        FloatPoint {
            timestamp_ms: self.last_ms,
            value: f64::from_bits(self.value_bits),
        }
    }

    /// Bytes of heap that the buffer holds.
    pub(super) fn heap_bytes(&self) -> usize {
        self.writer.capacity()
    }

    /// Appends a sample that is later than the last one.
    pub(super) fn append(&mut self, point: FloatPoint) {
        let delta_ms = point.timestamp_ms.wrapping_sub(self.last_ms);
        write_delta_of_delta(&mut self.writer, delta_ms.wrapping_sub(self.delta_ms));
        self.write_value(point.value.to_bits());
        self.last_ms = point.timestamp_ms;
        self.delta_ms = delta_ms;
        self.value_bits = point.value.to_bits();
        self.count += 1;
    }

    fn write_value(&mut self, bits: u64) {
        let xor = bits ^ self.value_bits;
        if xor == 0 {
            return self.writer.write(0, 1);
        }
        // Five bits hold the count of leading zeroes.
        let leading = (xor.leading_zeros() as u8).min(31);
        let trailing = xor.trailing_zeros() as u8;
        let fits = self.leading != NO_WINDOW && leading >= self.leading && trailing >= self.trailing;
        if fits {
            self.writer.write(0b10, 2);
        } else {
            (self.leading, self.trailing) = (leading, trailing);
            let significant = 64 - leading - trailing;
            self.writer.write(0b11, 2);
            self.writer.write(u64::from(leading), 5);
            // Six bits; 64 significant bits are written as 0, which cannot occur otherwise.
            self.writer.write(u64::from(significant & 63), 6);
        }
        self.writer
            .write(xor >> self.trailing, 64 - self.leading - self.trailing);
    }

    /// A copy that queries can hold while this chunk grows.
    pub(super) fn close(&self) -> FloatChunk {
        FloatChunk {
            first_ms: self.first_ms,
            last_ms: self.last_ms,
            count: self.count,
            bytes: self.writer.bytes().into(),
        }
    }
}

/// Bit widths of the delta of the delta, each with its prefix: `10`, `110`, `1110`; `0` is zero and
/// `1111` the rest.
const WIDTHS: [u8; 3] = [14, 17, 20];

fn write_delta_of_delta(writer: &mut BitWriter, value: i64) {
    if value == 0 {
        return writer.write(0, 1);
    }
    for (index, &width) in WIDTHS.iter().enumerate() {
        let half = 1i64 << (width - 1);
        if (-half..half).contains(&value) {
            // One set bit for each narrower width and this one, then a zero.
            let prefix_bits = index as u8 + 2;
            writer.write((1 << prefix_bits) - 2, prefix_bits);
            return writer.write(value as u64 & ((1 << width) - 1), width);
        }
    }
    writer.write(0b1111, 4);
    writer.write(value as u64, 64);
}

fn read_delta_of_delta(reader: &mut BitReader<'_>) -> Option<i64> {
    if !reader.bit()? {
        return Some(0);
    }
    for width in WIDTHS {
        if !reader.bit()? {
            let value = reader.read(width)?;
            let unused = 64 - width;
            return Some((value << unused) as i64 >> unused);
        }
    }
    reader.read(64).map(|value| value as i64)
}

/// Decodes a chunk, one sample at a time.
struct Points<'a> {
    reader: BitReader<'a>,
    left: u16,
    first: bool,
    last_ms: i64,
    delta_ms: i64,
    value_bits: u64,
    leading: u8,
    trailing: u8,
}

impl<'a> Points<'a> {
    fn new(first_ms: i64, count: u16, bytes: &'a [u8]) -> Self {
        Points {
            reader: BitReader::new(bytes),
            left: count,
            first: true,
            last_ms: first_ms,
            delta_ms: 0,
            value_bits: 0,
            leading: 0,
            trailing: 0,
        }
    }

    fn read_value(&mut self) -> Option<()> {
        if !self.reader.bit()? {
            return Some(());
        }
        if self.reader.bit()? {
            self.leading = self.reader.read(5)? as u8;
            let significant = self.reader.read(6)? as u8;
            let significant = if significant == 0 { 64 } else { significant };
            self.trailing = 64u8.checked_sub(self.leading)?.checked_sub(significant)?;
        }
        let significant = 64 - self.leading - self.trailing;
        self.value_bits ^= self.reader.read(significant)? << self.trailing;
        Some(())
    }
}

impl Iterator for Points<'_> {
    type Item = FloatPoint;

    fn next(&mut self) -> Option<FloatPoint> {
        self.left = self.left.checked_sub(1)?;
        if std::mem::take(&mut self.first) {
            self.value_bits = self.reader.read(64)?;
        } else {
            let delta_of_delta = read_delta_of_delta(&mut self.reader)?;
            self.delta_ms = self.delta_ms.wrapping_add(delta_of_delta);
            self.last_ms = self.last_ms.wrapping_add(self.delta_ms);
            self.read_value()?;
        }
        Some(FloatPoint {
            timestamp_ms: self.last_ms,
            value: f64::from_bits(self.value_bits),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn round_trip(points: &[(i64, f64)]) -> FloatChunk {
        let mut points = points
            .iter()
            .map(|&(timestamp_ms, value)| FloatPoint { timestamp_ms, value });
        let mut chunk = OpenChunk::start(points.next().expect("one sample"));
        points.for_each(|point| chunk.append(point));
        chunk.close()
    }

    fn bits(chunk: &FloatChunk, start_ms: i64, end_ms: i64) -> Vec<(i64, u64)> {
        let mut points = Vec::new();
        chunk.read(start_ms, end_ms, &mut points);
        points
            .iter()
            .map(|point| (point.timestamp_ms, point.value.to_bits()))
            .collect()
    }

    #[test]
    fn an_unchanging_series_on_schedule_takes_two_bits_a_sample() {
        let points: Vec<(i64, f64)> = (0..120)
            .map(|index| (1_700_000_000_000 + index * 15_000, 42.0))
            .collect();
        // 8 bytes for the first value, 21 bits for the second sample, which sets the interval, then 2 bits each.
        assert_eq!(round_trip(&points).bytes.len(), 8 + (21 + 118 * 2usize).div_ceil(8));
    }

    #[test]
    fn the_extremes_of_time_and_value_survive() {
        let points = [
            (i64::MIN, f64::NAN),
            (-1, f64::INFINITY),
            (0, -0.0),
            (1, f64::MIN_POSITIVE),
            (i64::MAX, f64::MAX),
        ];
        let expect: Vec<(i64, u64)> = points.iter().map(|&(time, value)| (time, value.to_bits())).collect();
        assert_eq!(bits(&round_trip(&points), i64::MIN, i64::MAX), expect);
    }

    proptest! {
        #[test]
        fn what_is_appended_is_read(first in -1i64 << 40..1 << 40, steps in proptest::collection::vec((prop_oneof![Just(15_000i64), 1i64..40_000, 1i64..1 << 40], prop_oneof![any::<f64>(), (0u32..1000).prop_map(f64::from)]), 1..120), range in (any::<bool>(), 0usize..120, 0usize..120)) {
            let mut time = first;
            let points: Vec<(i64, f64)> = steps.iter().map(|&(step, value)| { time += step; (time, value) }).collect();
            let chunk = round_trip(&points);
            let (start, end) = if range.0 { (i64::MIN, i64::MAX) } else { (points[range.1 % points.len()].0, points[range.2 % points.len()].0) };
            let expect: Vec<(i64, u64)> = points.iter().filter(|point| (start..=end).contains(&point.0)).map(|&(time, value)| (time, value.to_bits())).collect();
            prop_assert_eq!(bits(&chunk, start, end), expect);
        }

        #[test]
        fn any_bytes_decode_to_at_most_the_count(bytes in proptest::collection::vec(any::<u8>(), 0..100), count in 0u16..200) {
            prop_assert!(Points::new(0, count, &bytes).count() <= usize::from(count));
        }
    }
}
