//! Just enough of the protobuf wire format to read and write the few messages that Prometheus uses.
//!
//! Encoding: <https://protobuf.dev/programming-guides/encoding/>. Fields are handed out as they lie in
//! the message, strings and nested messages borrowed; unknown fields cost nothing.

use super::error::ErrorKind;

/// One field's value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// Wire type 0: integers, booleans, enums.
    Varint(u64),
    /// Wire type 1: doubles.
    Fixed64(u64),
    /// Wire type 2: strings, messages, packed arrays.
    Bytes(&'a [u8]),
    /// Wire type 5: floats.
    Fixed32(u32),
}

impl<'a> Value<'a> {
    /// An `int64`, `uint64`, `uint32` or enum.
    pub fn varint(self) -> Result<u64, ErrorKind> {
        if let Value::Varint(value) = self {
            Ok(value)
        } else {
            Err(ErrorKind::Wire)
        }
    }

    /// An `sint32` or `sint64`.
    pub fn zigzag(self) -> Result<i64, ErrorKind> {
        self.varint().map(zigzag_decode)
    }

    /// A `double`.
    pub fn double(self) -> Result<f64, ErrorKind> {
        if let Value::Fixed64(bits) = self {
            Ok(f64::from_bits(bits))
        } else {
            Err(ErrorKind::Wire)
        }
    }

    /// A nested message or `bytes`.
    pub fn bytes(self) -> Result<&'a [u8], ErrorKind> {
        if let Value::Bytes(bytes) = self {
            Ok(bytes)
        } else {
            Err(ErrorKind::Wire)
        }
    }

    /// A `string`.
    pub fn string(self) -> Result<&'a str, ErrorKind> {
        std::str::from_utf8(self.bytes()?).map_err(|_| ErrorKind::Utf8)
    }

    /// Appends the numbers of a repeated scalar field, packed or not, as raw varints.
    pub fn repeated_varints(self, into: &mut Vec<u64>) -> Result<(), ErrorKind> {
        match self {
            Value::Varint(value) => into.push(value),
            Value::Bytes(packed) => {
                let mut reader = Reader::new(packed);
                while !reader.is_empty() {
                    into.push(reader.varint()?);
                }
            }
            _ => return Err(ErrorKind::Wire),
        }
        Ok(())
    }

    /// Appends the numbers of a repeated `double` field, packed or not.
    pub fn repeated_doubles(self, into: &mut Vec<f64>) -> Result<(), ErrorKind> {
        match self {
            Value::Fixed64(bits) => into.push(f64::from_bits(bits)),
            Value::Bytes(packed) => {
                let (numbers, rest) = packed.as_chunks::<8>();
                if !rest.is_empty() {
                    return Err(ErrorKind::Truncated);
                }
                into.extend(numbers.iter().map(|bytes| f64::from_le_bytes(*bytes)));
            }
            _ => return Err(ErrorKind::Wire),
        }
        Ok(())
    }
}

/// `sint` integers alternate between positive and negative so that small ones stay short.
pub fn zigzag_decode(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// The inverse of [`zigzag_decode`].
pub fn zigzag_encode(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// Reads the fields of one message.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A reader over a message's bytes.
    pub fn new(message: &'a [u8]) -> Self {
        Reader { rest: message }
    }

    /// Whether everything has been read.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Bytes not yet read.
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// The next field's number and value; `None` at the end of the message.
    pub fn field(&mut self) -> Result<Option<(u64, Value<'a>)>, ErrorKind> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let value = match key & 7 {
            0 => Value::Varint(self.varint()?),
            1 => Value::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => Value::Bytes(self.delimited()?),
            5 => Value::Fixed32(u32::from_le_bytes(self.array()?)),
            _ => return Err(ErrorKind::Wire),
        };
        Ok(Some((key >> 3, value)))
    }

    /// A length and so many bytes.
    pub fn delimited(&mut self) -> Result<&'a [u8], ErrorKind> {
        let length = usize::try_from(self.varint()?).map_err(|_| ErrorKind::Truncated)?;
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(ErrorKind::Truncated)?;
        self.rest = rest;
        Ok(bytes)
    }

    /// A base-128 integer of at most ten bytes.
    pub fn varint(&mut self) -> Result<u64, ErrorKind> {
        let mut value = 0u64;
        for shift in (0..70).step_by(7) {
            let (&byte, rest) = self.rest.split_first().ok_or(ErrorKind::Truncated)?;
            self.rest = rest;
            value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(ErrorKind::Wire)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ErrorKind> {
        let (bytes, rest) = self.rest.split_first_chunk::<N>().ok_or(ErrorKind::Truncated)?;
        self.rest = rest;
        Ok(*bytes)
    }
}

/// Appends a base-128 integer.
pub fn put_varint(into: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        into.push(value as u8 | 0x80);
        value >>= 7;
    }
    into.push(value as u8);
}

/// Appends a varint field.
pub fn put_varint_field(into: &mut Vec<u8>, field: u64, value: u64) {
    put_varint(into, field << 3);
    put_varint(into, value);
}

/// Appends a double field.
pub fn put_double_field(into: &mut Vec<u8>, field: u64, value: f64) {
    put_varint(into, field << 3 | 1);
    into.extend(value.to_le_bytes());
}

/// Appends a string, bytes or message field.
pub fn put_bytes_field(into: &mut Vec<u8>, field: u64, value: &[u8]) {
    put_varint(into, field << 3 | 2);
    put_varint(into, value.len() as u64);
    into.extend(value);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn fields_come_back() {
        let mut message = Vec::new();
        put_varint_field(&mut message, 1, 300);
        put_double_field(&mut message, 2, -0.5);
        put_bytes_field(&mut message, 17, b"hi");
        let mut reader = Reader::new(&message);
        assert_eq!(reader.field(), Ok(Some((1, Value::Varint(300)))));
        assert_eq!(reader.field(), Ok(Some((2, Value::Fixed64((-0.5f64).to_bits())))));
        assert_eq!(reader.field(), Ok(Some((17, Value::Bytes(b"hi")))));
        assert_eq!(reader.field(), Ok(None));
        for cut in 1..message.len() {
            let mut reader = Reader::new(&message[..cut]);
            while let Ok(Some(_)) = reader.field() {}
        }
    }

    proptest! {
        #[test]
        fn any_bytes_end(message in proptest::collection::vec(any::<u8>(), 0..100)) {
            let mut reader = Reader::new(&message);
            let mut fields = 0;
            while let Ok(Some(_)) = reader.field() {
                fields += 1;
            }
            prop_assert!(fields <= message.len());
        }

        #[test]
        fn integers_come_back(value in any::<u64>(), signed in any::<i64>()) {
            let mut bytes = Vec::new();
            put_varint(&mut bytes, value);
            prop_assert_eq!(Reader::new(&bytes).varint(), Ok(value));
            prop_assert_eq!(zigzag_decode(zigzag_encode(signed)), signed);
        }
    }
}
