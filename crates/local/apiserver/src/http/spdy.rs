//! SPDY/3.1 frames, as far as `kubectl port-forward` needs them: it speaks SPDY inside a WebSocket.
//!
//! Source: the SPDY draft 3.1, and the framer of client-go's `spdystream`. Pure: bytes in, frames out.

use bytes::{Buf as _, Bytes, BytesMut};
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress, inflate_flags::TINFL_FLAG_HAS_MORE_INPUT};

/// What a peer sends.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// A stream is opened.
    Open {
        stream: u32,
        headers: Vec<(String, String)>,
    },
    /// Bytes of a stream; `end` where they are its last.
    Data { stream: u32, bytes: Bytes, end: bool },
    /// A stream is broken off.
    Reset { stream: u32 },
    /// To be sent back as it is.
    Ping { id: u32 },
    /// Settings and windows, which say nothing here.
    Other,
}

/// The bytes are no SPDY.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed SPDY: {0}")]
pub(crate) struct Malformed(&'static str);

const OPEN: u16 = 1;
const REPLY: u16 = 2;
const RESET: u16 = 3;
const PING: u16 = 6;
const VERSION: u16 = 3;
const END: u8 = 1;
const HEAD_BYTES: usize = 8;

/// Larger frames are refused; kubectl sends 32 KiB at most.
const FRAME_BYTES_MAX: usize = 1 << 20;

/// Headers of one stream, unpacked; port-forward's are some fifty bytes.
const HEADERS_BYTES_MAX: usize = 16 << 10;

/// Cuts bytes into frames. Headers are one compressed stream over the whole connection.
pub(crate) struct Reader {
    buffer: BytesMut,
    inflate: Box<DecompressorOxide>,
    /// The window of the decompressor, a ring; it begins with the dictionary that both sides know.
    window: Vec<u8>,
    place: usize,
    is_first_block: bool,
}

/// Deflate's window.
const WINDOW_BYTES: usize = 32 << 10;

/// The head of a zlib stream with a dictionary: two bytes of method, four of the dictionary's checksum.
const ZLIB_HEAD_BYTES: usize = 6;

impl Reader {
    pub(crate) fn new() -> Self {
        let mut window = dictionary();
        let place = window.len();
        window.resize(WINDOW_BYTES, 0);
        Reader {
            buffer: BytesMut::new(),
            inflate: Box::default(),
            window,
            place,
            is_first_block: true,
        }
    }

    /// Adds what was received.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole frame, if one is there.
    pub(crate) fn next(&mut self) -> Result<Option<Frame>, Malformed> {
        if self.buffer.len() < HEAD_BYTES {
            return Ok(None);
        }
        let (first, second) = (number(&self.buffer, 0), number(&self.buffer, 4));
        // The length has 24 bits.
        let (flags, length) = ((second >> 24) as u8, (second & 0x00ff_ffff) as usize);
        if length > FRAME_BYTES_MAX {
            return Err(Malformed("a frame is too large"));
        }
        if self.buffer.len() < HEAD_BYTES + length {
            return Ok(None);
        }
        self.buffer.advance(HEAD_BYTES);
        let payload = self.buffer.split_to(length).freeze();
        if first >> 31 == 0 {
            return Ok(Some(Frame::Data {
                stream: first,
                bytes: payload,
                end: flags & END != 0,
            }));
        }
        self.control((first & 0xffff) as u16, &payload).map(Some)
    }

    fn control(&mut self, kind: u16, payload: &[u8]) -> Result<Frame, Malformed> {
        let needs = |length: usize| {
            if payload.len() < length {
                Err(Malformed("a frame is too short"))
            } else {
                Ok(())
            }
        };
        match kind {
            OPEN => {
                needs(10)?;
                let headers = parse_headers(&self.inflate_block(&payload[10..])?)?;
                Ok(Frame::Open {
                    stream: number(payload, 0) & 0x7fff_ffff,
                    headers,
                })
            }
            RESET => needs(8).map(|()| Frame::Reset {
                stream: number(payload, 0) & 0x7fff_ffff,
            }),
            PING => needs(4).map(|()| Frame::Ping { id: number(payload, 0) }),
            _ => Ok(Frame::Other),
        }
    }

    fn inflate_block(&mut self, mut block: &[u8]) -> Result<Vec<u8>, Malformed> {
        if std::mem::take(&mut self.is_first_block) {
            block = block
                .get(ZLIB_HEAD_BYTES..)
                .ok_or(Malformed("headers without a zlib head"))?;
        }
        let mut plain = Vec::new();
        loop {
            let (status, read, written) = decompress(
                &mut self.inflate,
                block,
                &mut self.window,
                self.place,
                TINFL_FLAG_HAS_MORE_INPUT,
            );
            plain.extend_from_slice(&self.window[self.place..self.place + written]);
            self.place = (self.place + written) % WINDOW_BYTES;
            block = &block[read..];
            if plain.len() > HEADERS_BYTES_MAX {
                return Err(Malformed("headers are too large"));
            }
            match status {
                TINFLStatus::HasMoreOutput => {}
                TINFLStatus::NeedsMoreInput if block.is_empty() => return Ok(plain),
                _ => return Err(Malformed("headers cannot be unpacked")),
            }
        }
    }
}

fn number(bytes: &[u8], place: usize) -> u32 {
    bytes[place..place + 4]
        .iter()
        .fold(0, |number, byte| number << 8 | u32::from(*byte))
}

/// Pairs of texts, each with its length before it.
fn parse_headers(mut block: &[u8]) -> Result<Vec<(String, String)>, Malformed> {
    let take_number = |block: &mut &[u8]| -> Result<usize, Malformed> {
        let (head, rest) = block.split_at_checked(4).ok_or(Malformed("headers break off"))?;
        *block = rest;
        Ok(number(head, 0) as usize)
    };
    let count = take_number(&mut block)?;
    let mut headers = Vec::new();
    for _ in 0..count {
        let mut text = || -> Result<String, Malformed> {
            let length = take_number(&mut block)?;
            let (text, rest) = block.split_at_checked(length).ok_or(Malformed("headers break off"))?;
            block = rest;
            Ok(String::from_utf8_lossy(text).into_owned())
        };
        headers.push((text()?.to_lowercase(), text()?));
    }
    Ok(headers)
}

/// Makes the answers to opened streams.
#[derive(Default)]
pub(crate) struct Replies {
    begun: bool,
}

impl Replies {
    /// Accepts a stream, with no headers.
    pub(crate) fn accept(&mut self, stream: u32) -> Vec<u8> {
        let mut payload = stream.to_be_bytes().to_vec();
        if !std::mem::replace(&mut self.begun, true) {
            payload.extend_from_slice(&[0x78, 0x01]);
        }
        // Deflate without compressing: a stored block of four bytes, the number of headers, and an empty one that flushes.
        payload.extend_from_slice(&[0, 4, 0, 0xfb, 0xff, 0, 0, 0, 0]);
        payload.extend_from_slice(&[0, 0, 0, 0xff, 0xff]);
        control(REPLY, &payload)
    }
}

/// Sends a ping back.
pub(crate) fn ping(id: u32) -> Vec<u8> {
    control(PING, &id.to_be_bytes())
}

/// Bytes of a stream; `end` where they are its last.
pub(crate) fn data(stream: u32, bytes: &[u8], end: bool) -> Vec<u8> {
    frame(stream, if end { END } else { 0 }, bytes)
}

fn control(kind: u16, payload: &[u8]) -> Vec<u8> {
    frame(0x8000_0000 | u32::from(VERSION) << 16 | u32::from(kind), 0, payload)
}

fn frame(first: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    // Callers send chunks far below 16 MiB.
    let second = u32::from(flags) << 24 | payload.len() as u32;
    [&first.to_be_bytes()[..], &second.to_be_bytes(), payload].concat()
}

/// The dictionary of SPDY/3.1: common names of headers with their lengths, then a text of common values.
fn dictionary() -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1423);
    let words = NAMES.split(' ').chain(["200 OK"]).chain(MORE_NAMES.split(' '));
    for word in words {
        bytes.extend_from_slice(&(word.len() as u32).to_be_bytes());
        bytes.extend_from_slice(word.as_bytes());
    }
    bytes.extend_from_slice(VALUES.as_bytes());
    bytes
}

const NAMES: &str = "options head post put delete trace accept accept-charset accept-encoding accept-language \
accept-ranges age allow authorization cache-control connection content-base content-encoding content-language \
content-length content-location content-md5 content-range content-type date etag expect expires from host if-match \
if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards pragma \
proxy-authenticate proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade \
user-agent vary via warning www-authenticate method get status";

const MORE_NAMES: &str = "version HTTP/1.1 url public set-cookie keep-alive origin";

const VALUES: &str = "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 \
Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not \
Found500 Internal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov \
Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,application/xml,\
application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=\
iso-8859-1,utf-,*,enq=0.";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_dictionary_is_the_one_of_the_draft() {
        let sum = ring::digest::digest(&ring::digest::SHA256, &dictionary());
        let hex: String = sum.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "51d27341373f923f3cd88e1eb7162aeaa3723d7585ff2399201dc06498407f02");
    }

    #[test]
    fn frames_are_cut_wherever_they_are_torn() {
        let bytes = [data(5, b"hello", false), ping(7), data(5, b"", true)].concat();
        for cut in 0..bytes.len() {
            let mut reader = Reader::new();
            let mut frames = Vec::new();
            for part in [&bytes[..cut], &bytes[cut..]] {
                reader.push(part);
                while let Some(frame) = reader.next().expect("frames") {
                    frames.push(frame);
                }
            }
            let expect = [
                Frame::Data {
                    stream: 5,
                    bytes: Bytes::from_static(b"hello"),
                    end: false,
                },
                Frame::Ping { id: 7 },
                Frame::Data {
                    stream: 5,
                    bytes: Bytes::new(),
                    end: true,
                },
            ];
            assert_eq!(frames, expect);
        }
    }

    #[test]
    fn headers_that_are_not_compressed() {
        // A zlib head with a dictionary, then one stored block and an empty one.
        let block = [&[0, 0, 0, 1, 0, 0, 0, 4][..], b"Port", &[0, 0, 0, 2], b"80"].concat();
        let length = block.len() as u16;
        let stored = [
            &[0][..],
            &length.to_le_bytes(),
            &(!length).to_le_bytes(),
            &block,
            &[0, 0, 0, 0xff, 0xff],
        ]
        .concat();
        let payload = [&[0, 0, 0, 3, 0, 0, 0, 0, 0, 0][..], &[0x78, 0xbb, 0, 0, 0, 0], &stored].concat();
        let mut reader = Reader::new();
        reader.push(&control(OPEN, &payload));
        let expect = Frame::Open {
            stream: 3,
            headers: vec![("port".into(), "80".into())],
        };
        assert_eq!(reader.next(), Ok(Some(expect)));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut reader = Reader::new();
            reader.push(&bytes);
            while let Ok(Some(_)) = reader.next() {}
        }
    }
}
