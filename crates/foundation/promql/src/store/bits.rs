//! Bit strings, most significant bit first.

/// Appends bits to a byte buffer.
#[derive(Debug, Clone, Default)]
pub(super) struct BitWriter {
    bytes: Vec<u8>,
    /// Unused low bits of the last byte.
    free: u8,
}

impl BitWriter {
    /// A writer whose buffer has room for `bytes` bytes.
    pub(super) fn with_capacity(bytes: usize) -> Self {
        BitWriter {
            bytes: Vec::with_capacity(bytes),
            free: 0,
        }
    }

    /// Appends the low `count` bits of `value`; `count` is at most 64.
    pub(super) fn write(&mut self, value: u64, count: u8) {
        let mut left = count;
        while left > 0 {
            if self.free == 0 {
                self.bytes.push(0);
                self.free = 8;
            }
            let take = left.min(self.free);
            let piece = (value >> (left - take)) & ((1 << take) - 1);
            if let Some(last) = self.bytes.last_mut() {
                *last |= (piece as u8) << (self.free - take);
            }
            self.free -= take;
            left -= take;
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Bytes of heap that the buffer holds.
    pub(super) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }
}

/// Reads bits back. Reading past the end gives `None`.
#[derive(Debug, Clone)]
pub(super) struct BitReader<'a> {
    bytes: &'a [u8],
    /// Loaded bits, left-aligned.
    window: u64,
    loaded: u8,
}

impl<'a> BitReader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        BitReader {
            bytes,
            window: 0,
            loaded: 0,
        }
    }

    pub(super) fn bit(&mut self) -> Option<bool> {
        self.read(1).map(|bit| bit == 1)
    }

    /// The next `count` bits, at most 64.
    pub(super) fn read(&mut self, count: u8) -> Option<u64> {
        if count == 0 {
            return Some(0);
        }
        if count > 56 {
            let high = self.read(count - 32)?;
            return Some(high << 32 | self.read(32)?);
        }
        if self.loaded < count {
            self.load();
            if self.loaded < count {
                return None;
            }
        }
        let value = self.window >> (64 - count);
        self.window <<= count;
        self.loaded -= count;
        Some(value)
    }

    fn load(&mut self) {
        while self.loaded <= 56 {
            let Some((&byte, rest)) = self.bytes.split_first() else {
                return;
            };
            self.window |= u64::from(byte) << (56 - self.loaded);
            self.loaded += 8;
            self.bytes = rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(values in proptest::collection::vec((any::<u64>(), 0u8..=64), 0..50)) {
            let mut writer = BitWriter::default();
            let low = |value: u64, count: u8| if count == 0 { 0 } else { value & (u64::MAX >> (64 - count)) };
            for &(value, count) in &values {
                writer.write(low(value, count), count);
            }
            let mut reader = BitReader::new(writer.bytes());
            for (value, count) in values {
                prop_assert_eq!(reader.read(count), Some(low(value, count)));
            }
            prop_assert_eq!(reader.read(8), None);
        }
    }
}
