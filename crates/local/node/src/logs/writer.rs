//! From a pipe to a file.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::sync::watch;

use super::format::{Encoder, Stream};
use super::{FILE_BYTES_MAX, FILES_MAX};

/// How much is read from a pipe at once: the pipe's own size, so that a busy program costs few writes.
const CHUNK_BYTES: usize = 64 << 10;

/// The log of one start of a container; shared by its two streams.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    open: Mutex<Open>,
    /// How many bytes were ever written; followers wait for it to change. Closed when the container has ended.
    written: watch::Sender<u64>,
}

#[derive(Debug)]
struct Open {
    file: File,
    bytes: u64,
}

impl LogFile {
    /// Creates the file and the directories above it.
    ///
    /// # Errors
    /// What the file system says.
    pub fn create(path: PathBuf) -> std::io::Result<Arc<Self>> {
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory)?;
        }
        let file = OpenOptions::new().create(true).append(true).open(&path)?;
        let bytes = file.metadata()?.len();
        let open = Mutex::new(Open { file, bytes });
        Ok(Arc::new(LogFile {
            path,
            open,
            written: watch::Sender::new(0),
        }))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Tells how much has been written; ends with the container.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.written.subscribe()
    }

    /// Appends stored lines. A disk that is full loses lines, not the program.
    fn append(&self, lines: &[u8]) {
        if lines.is_empty() {
            return;
        }
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.bytes > 0
            && open.bytes + lines.len() as u64 > FILE_BYTES_MAX
            && let Ok(file) = rotate(&self.path)
        {
            *open = Open { file, bytes: 0 };
        }
        match open.file.write_all(lines) {
            Ok(()) => open.bytes += lines.len() as u64,
            Err(error) => tracing::warn!(path = %self.path.display(), %error, "log lines are lost"),
        }
        drop(open);
        self.written.send_modify(|written| *written += lines.len() as u64);
    }
}

/// The name of the n-th older file.
pub(super) fn rotated(path: &Path, age: usize) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{age}"));
    name.into()
}

fn rotate(path: &Path) -> std::io::Result<File> {
    for age in (1..FILES_MAX - 1).rev() {
        let _ = std::fs::rename(rotated(path, age), rotated(path, age + 1));
    }
    std::fs::rename(path, rotated(path, 1))?;
    OpenOptions::new().create(true).append(true).open(path)
}

/// Copies a stream into the log until its last writer has closed it.
///
/// # Errors
/// When the descriptor is no pipe.
pub async fn copy_stream(descriptor: OwnedFd, stream: Stream, log: Arc<LogFile>) -> std::io::Result<()> {
    let mut pipe = pipe::Receiver::from_owned_fd(descriptor)?;
    let mut encoder = Encoder::new(stream);
    let mut buffer = vec![0; CHUNK_BYTES];
    let mut lines = Vec::with_capacity(CHUNK_BYTES);
    loop {
        let read = pipe.read(&mut buffer).await?;
        lines.clear();
        if read == 0 {
            encoder.finish(Timestamp::now(), &mut lines);
            log.append(&lines);
            return Ok(());
        }
        encoder.encode(&buffer[..read], Timestamp::now(), &mut lines);
        log.append(&lines);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_rotated_and_their_number_is_bounded() {
        let directory = tempfile::tempdir().unwrap();
        let log = LogFile::create(directory.path().join("pod/web/0.log")).unwrap();
        let chunk = vec![b'x'; (FILE_BYTES_MAX / 2 + 1) as usize];
        for _ in 0..2 * FILES_MAX {
            log.append(&chunk);
        }
        let files = std::fs::read_dir(log.path().parent().unwrap()).unwrap().count();
        assert_eq!(files, FILES_MAX);
    }
}
