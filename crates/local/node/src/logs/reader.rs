//! Reading a log back: all of it, its end, since a time, and what is still to come.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::{mpsc, watch};

use super::FILES_MAX;
use super::format::{Line, parse};
use super::writer::rotated;

/// How many chunks wait for a slow reader; then reading waits too.
const CHUNKS_MAX: usize = 64;

/// What of a log is wanted; the fields are those of the API's `PodLogOptions`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogOptions {
    /// Go on with what is written until the container ends.
    pub follow: bool,
    /// The log of the start before this one.
    pub previous: bool,
    /// Put the time before each line.
    pub timestamps: bool,
    /// Only this many lines from the end.
    pub tail_lines: Option<usize>,
    /// Only lines from this time on.
    pub since: Option<Timestamp>,
    /// At most this many bytes.
    pub limit_bytes: Option<u64>,
}

/// Reads a log file (and its rotated predecessors) as chunks of text. `live` tells of new bytes while the
/// container runs; a follower's stream ends when its sender is gone.
#[must_use]
pub fn read(path: PathBuf, options: LogOptions, live: Option<watch::Receiver<u64>>) -> mpsc::Receiver<Bytes> {
    let (chunks_tx, chunks) = mpsc::channel(CHUNKS_MAX);
    tokio::spawn(async move {
        let mut reader = Reader {
            position: 0,
            options,
            sent: 0,
            chunks: chunks_tx,
            line_open: false,
        };
        // What is there, then what comes.
        let mut live = live.filter(|_| reader.options.follow);
        if let Some(live) = &mut live {
            live.borrow_and_update();
        }
        let mut start = existing(&path, &reader.options).await;
        reader.position = start.position;
        if reader.send(std::mem::take(&mut start.lines)).await.is_none() {
            return;
        }
        while let Some(live) = &mut live {
            let is_over = live.changed().await.is_err();
            let Some(lines) = following(&path, &mut reader.position).await else {
                return;
            };
            if reader.send(lines).await.is_none() || is_over {
                return;
            }
        }
    });
    chunks
}

struct Reader {
    position: u64,
    options: LogOptions,
    sent: u64,
    chunks: mpsc::Sender<Bytes>,
    /// The last part sent did not end its line.
    line_open: bool,
}

/// Stored lines and where the next one begins in the current file.
#[derive(Default)]
struct Start {
    lines: Vec<Vec<u8>>,
    position: u64,
}

impl Reader {
    /// Sends stored lines as the reader wants them; `None` when it wants no more.
    async fn send(&mut self, lines: Vec<Vec<u8>>) -> Option<()> {
        let mut out = Vec::new();
        for line in &lines {
            let Some(line) = parse(line) else { continue };
            if self.options.timestamps && !self.line_open {
                out.extend(line.time.bytes());
                out.push(b' ');
            }
            out.extend_from_slice(line.text);
            if line.is_whole {
                out.push(b'\n');
            }
            self.line_open = !line.is_whole;
            if out.len() > 32 << 10 {
                self.send_bytes(std::mem::take(&mut out)).await?;
            }
        }
        self.send_bytes(out).await
    }

    async fn send_bytes(&mut self, mut bytes: Vec<u8>) -> Option<()> {
        if let Some(limit) = self.options.limit_bytes {
            bytes.truncate(usize::try_from(limit - self.sent).unwrap_or(usize::MAX));
        }
        self.sent += bytes.len() as u64;
        if !bytes.is_empty() {
            self.chunks.send(bytes.into()).await.ok()?;
        }
        (self.options.limit_bytes != Some(self.sent)).then_some(())
    }
}

/// The lines that are already there. The files are bounded, so this is too.
async fn existing(path: &Path, options: &LogOptions) -> Start {
    let (path, tail, since) = (path.to_owned(), options.tail_lines, options.since);
    let read = move || {
        let mut start = Start::default();
        let mut kept = Tail {
            whole: 0,
            lines: VecDeque::new(),
            limit: tail,
        };
        let older = (1..FILES_MAX).rev().map(|age| rotated(&path, age));
        for file in older.chain([path.clone()]) {
            let Ok(file) = std::fs::File::open(file) else {
                continue;
            };
            start.position = read_lines(file, |line| {
                if parse(&line).is_some_and(|parsed| is_since(&parsed, since)) {
                    kept.push(line);
                }
            });
        }
        start.lines = kept.lines.into();
        start
    };
    tokio::task::spawn_blocking(read).await.unwrap_or_default()
}

fn is_since(line: &Line<'_>, since: Option<Timestamp>) -> bool {
    since.is_none_or(|since| line.time.parse::<Timestamp>().is_ok_and(|time| time >= since))
}

/// The last lines of the program, each of which may be stored in several parts.
struct Tail {
    /// How many of the program's lines are in `lines`.
    whole: usize,
    lines: VecDeque<Vec<u8>>,
    limit: Option<usize>,
}

impl Tail {
    fn push(&mut self, line: Vec<u8>) {
        let is_whole = |line: &Vec<u8>| parse(line).is_some_and(|parsed| parsed.is_whole);
        self.whole += usize::from(is_whole(&line));
        self.lines.push_back(line);
        while let Some(limit) = self.limit
            && self.whole > limit
        {
            match self.lines.pop_front() {
                Some(front) => self.whole -= usize::from(is_whole(&front)),
                None => return,
            }
        }
        if self.limit == Some(0) {
            self.lines.clear();
        }
    }
}

/// Reads whole stored lines; returns where the next one begins.
fn read_lines(file: std::fs::File, mut each: impl FnMut(Vec<u8>)) -> u64 {
    let mut reader = BufReader::with_capacity(64 << 10, file);
    let mut position = 0;
    loop {
        let mut line = Vec::new();
        match reader.read_until(b'\n', &mut line) {
            Ok(read) if line.last() == Some(&b'\n') => {
                position += read as u64;
                line.pop();
                each(line);
            }
            _ => return position,
        }
    }
}

/// The lines written since `position`; a file that has become shorter was rotated and is read anew, after the rest
/// of its predecessor.
async fn following(path: &Path, position: &mut u64) -> Option<Vec<Vec<u8>>> {
    let (path, from) = (path.to_owned(), *position);
    let read = move || -> std::io::Result<(Vec<Vec<u8>>, u64)> {
        use std::io::Seek;
        let mut lines = Vec::new();
        let mut file = std::fs::File::open(&path)?;
        let mut from = from;
        if file.metadata()?.len() < from {
            if let Ok(mut older) = std::fs::File::open(rotated(&path, 1)) {
                older.seek(std::io::SeekFrom::Start(from))?;
                read_lines(older, |line| lines.push(line));
            }
            from = 0;
        }
        file.seek(std::io::SeekFrom::Start(from))?;
        let read = read_lines(file, |line| lines.push(line));
        Ok((lines, from + read))
    };
    let (lines, next) = tokio::task::spawn_blocking(read).await.ok()?.ok()?;
    *position = next;
    Some(lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::{LogFile, Stream, copy_stream};
    use std::io::Write;

    async fn collect(mut chunks: mpsc::Receiver<Bytes>) -> String {
        let mut text = Vec::new();
        while let Some(chunk) = chunks.recv().await {
            text.extend_from_slice(&chunk);
        }
        String::from_utf8(text).unwrap()
    }

    #[tokio::test]
    async fn a_log_is_read_as_asked_and_followed_to_its_end() {
        let directory = tempfile::tempdir().unwrap();
        let log = LogFile::create(directory.path().join("0.log")).unwrap();
        let path = log.path().to_owned();
        let (read_end, mut write_end) = std::io::pipe().unwrap();
        let copying = tokio::spawn(copy_stream(read_end.into(), Stream::Stdout, log.clone()));
        let mut written = log.subscribe();
        write_end.write_all(b"one\ntwo\nthree\n").unwrap();
        written.changed().await.unwrap();

        let check = async |options: LogOptions, expect: &str| {
            assert_eq!(
                collect(read(path.clone(), options.clone(), None)).await,
                expect,
                "{options:?}"
            );
        };
        check(LogOptions::default(), "one\ntwo\nthree\n").await;
        check(
            LogOptions {
                tail_lines: Some(2),
                ..LogOptions::default()
            },
            "two\nthree\n",
        )
        .await;
        check(
            LogOptions {
                tail_lines: Some(0),
                ..LogOptions::default()
            },
            "",
        )
        .await;
        check(
            LogOptions {
                limit_bytes: Some(5),
                ..LogOptions::default()
            },
            "one\nt",
        )
        .await;
        let later = Timestamp::now() + std::time::Duration::from_secs(60);
        check(
            LogOptions {
                since: Some(later),
                ..LogOptions::default()
            },
            "",
        )
        .await;

        let options = LogOptions {
            follow: true,
            tail_lines: Some(1),
            ..LogOptions::default()
        };
        let mut following = read(path.clone(), options, Some(log.subscribe()));
        assert_eq!(following.recv().await.unwrap(), "three\n");
        write_end.write_all(b"four\nfi").unwrap();
        write_end.write_all(b"ve").unwrap();
        drop(write_end);
        copying.await.unwrap().unwrap();
        drop(log);
        assert_eq!(collect(following).await, "four\nfive");
    }
}
