//! The wire format: tags, varints, lengths.

use super::ProtobufError;

/// The value of one field as it stands on the wire.
#[derive(Clone, Copy, Debug)]
pub(super) enum Token<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32,
    Bytes(&'a [u8]),
}

/// Reads the fields of one message.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    place: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Reader { bytes, place: 0 }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.place >= self.bytes.len()
    }

    fn malformed<T>(&self, why: &'static str) -> Result<T, ProtobufError> {
        Err(ProtobufError::Malformed(why, self.place))
    }

    pub(super) fn varint(&mut self) -> Result<u64, ProtobufError> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let Some(&byte) = self.bytes.get(self.place) else {
                return self.malformed("a number is cut off");
            };
            self.place += 1;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        self.malformed("a number is too long")
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], ProtobufError> {
        match self
            .place
            .checked_add(length)
            .and_then(|end| self.bytes.get(self.place..end))
        {
            Some(slice) => {
                self.place += length;
                Ok(slice)
            }
            None => self.malformed("a field is cut off"),
        }
    }

    /// The next field's number and value.
    pub(super) fn next(&mut self) -> Result<Option<(u32, Token<'a>)>, ProtobufError> {
        if self.is_at_end() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let Ok(number) = u32::try_from(tag >> 3) else {
            return self.malformed("a field number is too large");
        };
        let token = match tag & 7 {
            0 => Token::Varint(self.varint()?),
            1 => {
                let bytes = self.take(8)?;
                Token::Fixed64(
                    bytes
                        .iter()
                        .rev()
                        .fold(0, |number, &byte| number << 8 | u64::from(byte)),
                )
            }
            2 => {
                let length = usize::try_from(self.varint()?).unwrap_or(usize::MAX);
                Token::Bytes(self.take(length)?)
            }
            5 => {
                self.take(4)?;
                Token::Fixed32
            }
            _ => return self.malformed("a field is of an unknown wire type"),
        };
        Ok(Some((number, token)))
    }
}
