//! What a line of the journal looks like: the writes of a store as bytes.
//!
//! ```text
//!   length u32 │ digest 8 bytes │ payload
//!                                 revision u64 │ kind u8 │ table u16+text │ path u16+text │ object
//! ```
//!
//! Numbers are little-endian. The digest is the first eight bytes of SHA-256 over the payload: it tells a record that
//! was written whole from one that a crash cut short. Reading stops at the first record that is not whole.

use bytes::Bytes;
use ring::digest::{SHA256, digest};

use super::{Change, Event, Stored, TableName};

const DIGEST_BYTES: usize = 8;
const HEAD_BYTES: usize = 4 + DIGEST_BYTES;

/// No record is larger: bodies are bounded, and an object is a little more than its body.
const PAYLOAD_BYTES_MAX: usize = 64 << 20;

/// One write, read back.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) revision: u64,
    pub(super) table: TableName,
    pub(super) path: String,
    /// The state that the write left, or `None` for a deletion.
    pub(super) object: Option<Bytes>,
}

/// Appends an event.
pub(super) fn append_event(out: &mut Vec<u8>, table: &TableName, event: &Event) {
    let object = (event.change != Change::Deleted).then_some(&event.object);
    append(
        out,
        table,
        event.object.path(),
        event.revision(),
        object.map(|object| &object.bytes()[..]),
    );
}

/// Appends an object as it is, for a journal that begins anew.
pub(super) fn append_object(out: &mut Vec<u8>, table: &TableName, object: &Stored) {
    append(out, table, object.path(), object.revision(), Some(object.bytes()));
}

/// Appends the mark that revisions went on to here, so that they are never given twice.
pub(super) fn append_mark(out: &mut Vec<u8>, revision: u64) {
    append(out, &TableName::new(""), "", revision, None);
}

fn append(out: &mut Vec<u8>, table: &TableName, path: &str, revision: u64, object: Option<&[u8]>) {
    let start = out.len();
    out.extend_from_slice(&[0; HEAD_BYTES]);
    out.extend_from_slice(&revision.to_le_bytes());
    out.push(u8::from(object.is_some()));
    for text in [table.as_str(), path] {
        // Names are bounded by validation far below 64 KiB; a longer one would be cut here and fail its digest nowhere.
        let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&text.as_bytes()[..usize::from(length)]);
    }
    out.extend_from_slice(object.unwrap_or_default());
    let payload = start + HEAD_BYTES;
    let length = u32::try_from(out.len() - payload).unwrap_or(u32::MAX);
    let sum = digest(&SHA256, &out[payload..]);
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
    out[start + 4..payload].copy_from_slice(&sum.as_ref()[..DIGEST_BYTES]);
}

/// The whole records at the front of a journal, and how many bytes they take; what follows was cut short.
pub(super) fn read_all(journal: &Bytes) -> (Vec<Record>, usize) {
    let mut records = Vec::new();
    let mut place = 0;
    while let Some((record, next)) = read(journal, place) {
        records.push(record);
        place = next;
    }
    (records, place)
}

fn read(journal: &Bytes, place: usize) -> Option<(Record, usize)> {
    let head = journal.get(place..place + HEAD_BYTES)?;
    let (length, sum) = head.split_at(4);
    let length = u32::from_le_bytes(length.try_into().ok()?) as usize;
    let start = place + HEAD_BYTES;
    if length > PAYLOAD_BYTES_MAX || journal.len() < start + length {
        return None;
    }
    let payload = journal.slice(start..start + length);
    if digest(&SHA256, &payload).as_ref()[..DIGEST_BYTES] != *sum {
        return None;
    }
    Some((parse(&payload)?, start + length))
}

fn parse(payload: &Bytes) -> Option<Record> {
    let revision = u64::from_le_bytes(payload.get(..8)?.try_into().ok()?);
    let is_put = *payload.get(8)? == 1;
    let text = |place: usize| -> Option<(String, usize)> {
        let length = usize::from(u16::from_le_bytes(payload.get(place..place + 2)?.try_into().ok()?));
        let bytes = payload.get(place + 2..place + 2 + length)?;
        Some((String::from_utf8(bytes.to_vec()).ok()?, place + 2 + length))
    };
    let (table, place) = text(9)?;
    let (path, place) = text(place)?;
    // A copy: a slice would keep the whole journal in memory for one object.
    let object = is_put.then(|| Bytes::copy_from_slice(&payload[place..]));
    Some(Record {
        revision,
        table: TableName::new(&table),
        path,
        object,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn journal() -> Vec<u8> {
        let mut out = Vec::new();
        append(&mut out, &TableName::new("pods"), "a/b", 7, Some(b"{}"));
        append(&mut out, &TableName::new("pods"), "a/b", 8, None);
        append_mark(&mut out, 900);
        out
    }

    #[test]
    fn what_is_written_is_read() {
        let bytes = Bytes::from(journal());
        let (records, end) = read_all(&bytes);
        assert_eq!(end, bytes.len());
        let shown: Vec<_> = records
            .iter()
            .map(|r| (r.revision, r.path.as_str(), r.object.as_deref()))
            .collect();
        assert_eq!(shown, [(7, "a/b", Some(&b"{}"[..])), (8, "a/b", None), (900, "", None)]);
    }

    proptest! {
        /// Wherever a crash cuts, the records before the cut are read and nothing else.
        #[test]
        fn a_torn_tail_is_left_out(cut in 0_usize..200) {
            let whole = journal();
            let cut = cut.min(whole.len());
            let (expect, ends) = read_all(&Bytes::from(whole.clone()));
            let (records, end) = read_all(&Bytes::copy_from_slice(&whole[..cut]));
            prop_assert!(end <= cut);
            prop_assert_eq!(&expect[..records.len()], &records[..]);
            prop_assert_eq!(records.len() == expect.len(), cut == ends);
        }

        #[test]
        fn no_bytes_make_it_fail(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let (records, end) = read_all(&Bytes::from(bytes.clone()));
            prop_assert!(end <= bytes.len() && (end > 0 || records.is_empty()));
        }
    }
}
