//! Lines to bytes and back.

use jiff::Timestamp;

use super::PART_BYTES_MAX;

/// Which stream a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    fn word(self) -> &'static str {
        match self {
            Stream::Stdout => "stdout",
            Stream::Stderr => "stderr",
        }
    }
}

/// Turns a stream's bytes into stored lines; keeps the unfinished one.
#[derive(Debug)]
pub(super) struct Encoder {
    stream: Stream,
    rest: Vec<u8>,
}

impl Encoder {
    pub(super) fn new(stream: Stream) -> Self {
        Encoder {
            stream,
            rest: Vec::new(),
        }
    }

    /// Adds bytes that came at `now`.
    pub(super) fn encode(&mut self, bytes: &[u8], now: Timestamp, out: &mut Vec<u8>) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.rest.extend_from_slice(piece);
            while self.rest.len() > PART_BYTES_MAX && self.rest[PART_BYTES_MAX] != b'\n' {
                let rest = self.rest.split_off(PART_BYTES_MAX);
                self.put('P', now, out);
                self.rest = rest;
            }
            if self.rest.last() == Some(&b'\n') {
                self.rest.pop();
                self.put('F', now, out);
                self.rest.clear();
            }
        }
    }

    /// Ends the stream: an unfinished line is stored as it is.
    pub(super) fn finish(&mut self, now: Timestamp, out: &mut Vec<u8>) {
        if !self.rest.is_empty() {
            self.put('P', now, out);
            self.rest.clear();
        }
    }

    fn put(&self, tag: char, now: Timestamp, out: &mut Vec<u8>) {
        out.extend(format!("{now:.9} {} {tag} ", self.stream.word()).bytes());
        out.extend_from_slice(&self.rest);
        out.push(b'\n');
    }
}

/// One stored line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    /// When, as it is written.
    pub(super) time: &'a str,
    /// Whether the program's line ends here.
    pub(super) is_whole: bool,
    pub(super) text: &'a [u8],
}

/// Reads a stored line (without its end); `None` for what this crate has not written.
pub(super) fn parse(line: &[u8]) -> Option<Line<'_>> {
    let mut parts = line.splitn(4, |byte| *byte == b' ');
    let time = std::str::from_utf8(parts.next()?).ok()?;
    let (_stream, tag) = (parts.next()?, parts.next()?);
    Some(Line {
        time,
        is_whole: tag == b"F",
        text: parts.next()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_any_length_survive() {
        let long = "x".repeat(3 * PART_BYTES_MAX + 5);
        let mut out = Vec::new();
        let mut encoder = Encoder::new(Stream::Stderr);
        for chunk in ["one\ntw".to_owned(), format!("o\n{long}\nlast")] {
            encoder.encode(chunk.as_bytes(), Timestamp::UNIX_EPOCH, &mut out);
        }
        encoder.finish(Timestamp::UNIX_EPOCH, &mut out);
        assert!(out.starts_with(b"1970-01-01T00:00:00.000000000Z stderr F one\n"));
        let mut text = Vec::new();
        for line in out.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let line = parse(line).unwrap();
            text.extend_from_slice(line.text);
            if line.is_whole {
                text.push(b'\n');
            }
        }
        assert_eq!(String::from_utf8(text).unwrap(), format!("one\ntwo\n{long}\nlast"));
    }
}
