//! DER (X.690), as far as keys and certificates need it.

/// One element.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Element<'a> {
    pub(crate) tag: u8,
    pub(crate) body: &'a [u8],
    /// With its tag and length.
    pub(crate) whole: &'a [u8],
}

pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const OID: u8 = 0x06;
pub(crate) const BOOLEAN: u8 = 0x01;

/// Elements one after the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    pub(crate) rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    pub(crate) fn next(&mut self) -> Option<Element<'a>> {
        let bytes = self.rest;
        let (tag, first) = (*bytes.first()?, *bytes.get(1)?);
        let (header, len) = if first < 0x80 {
            (2, usize::from(first))
        } else {
            let count = usize::from(first & 0x7f);
            if count == 0 || count > 4 {
                return None;
            }
            let digits = bytes.get(2..2 + count)?;
            (
                2 + count,
                digits.iter().fold(0, |len, digit| len << 8 | usize::from(*digit)),
            )
        };
        let body = bytes.get(header..header.checked_add(len)?)?;
        self.rest = &bytes[header + len..];
        Some(Element {
            tag,
            body,
            whole: &bytes[..header + len],
        })
    }

    pub(crate) fn expect(&mut self, tag: u8) -> Option<Element<'a>> {
        self.next().filter(|element| element.tag == tag)
    }

    /// The contents of the sequence that comes next.
    pub(crate) fn sequence(&mut self) -> Option<Reader<'a>> {
        Some(Self::new(self.expect(SEQUENCE)?.body))
    }

    /// A non-negative integer's digits, without leading zeros.
    pub(crate) fn unsigned(&mut self) -> Option<&'a [u8]> {
        let body = self.expect(INTEGER)?.body;
        let start = body.iter().position(|b| *b != 0).unwrap_or(body.len());
        Some(&body[start..])
    }

    pub(crate) fn oid(&mut self) -> Option<Vec<u64>> {
        oid(self.expect(OID)?.body)
    }

    pub(crate) fn bits(&mut self) -> Option<&'a [u8]> {
        self.expect(BIT_STRING)?.body.split_first().map(|(_, bits)| bits)
    }
}

/// The numbers of an object identifier.
pub(crate) fn oid(body: &[u8]) -> Option<Vec<u64>> {
    let mut numbers = Vec::new();
    let mut number: u64 = 0;
    for byte in body {
        number = number.checked_mul(128)?.checked_add(u64::from(byte & 0x7f))?;
        if byte & 0x80 == 0 {
            if numbers.is_empty() {
                let first = (number / 40).min(2);
                numbers.push(first);
                numbers.push(number - first * 40);
            } else {
                numbers.push(number);
            }
            number = 0;
        }
    }
    (!numbers.is_empty()).then_some(numbers)
}
