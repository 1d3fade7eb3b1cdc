//! The store on disk: every write is appended, and acknowledged once it is there to stay.
//!
//! One thread writes. While it waits for the disk, further writes gather; the next round takes them all, so that a burst
//! of a hundred writes costs two waits. When the file has grown far beyond what is alive in it, it is written anew beside
//! the old one and takes its place by a rename: at every moment one of the two is complete.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;

use bytes::Bytes;

use super::record::{self, Record};
use super::{Event, Store, TableName};

/// The journal's name in its directory.
const FILE: &str = "objects.journal";

/// Who holds this lock has the directory to itself.
const LOCK: &str = "lock";

/// A journal smaller than this is never written anew, in bytes.
const REWRITE_BYTES_MIN: u64 = 16 << 20;

/// How many times larger than its live part a journal may grow.
const REWRITE_RATIO: u64 = 4;

/// Revisions skipped at a start. Watchers may have seen writes that the disk had not; no revision they saw is given again.
pub(super) const REVISIONS_SKIPPED: u64 = 1000;

/// Why a directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Another server uses it.
    #[error("{} is in use by another flyball; stop that one first, or give another --data directory", .0.display())]
    InUse(PathBuf),
    /// The disk refuses.
    #[error("{}: {source}", .path.display())]
    Disk {
        /// Where.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// How far the disk has got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Durable {
    /// Everything up to this revision is there to stay.
    Upto(u64),
    /// The disk failed; the sentence says how. Nothing is acknowledged any more.
    Failed(String),
}

#[derive(Default)]
struct Queue {
    bytes: Vec<u8>,
    revision: u64,
    closed: bool,
}

/// The writing end, held by the store.
pub(super) struct Journal {
    shared: Arc<(Mutex<Queue>, Condvar)>,
    durable: tokio::sync::watch::Receiver<Durable>,
    writer: Option<JoinHandle<()>>,
    /// Held as long as the journal is.
    _lock: File,
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Journal")
            .field("durable", &*self.durable.borrow())
            .finish_non_exhaustive()
    }
}

/// A directory that was opened: what it holds, and the file to go on with.
pub(super) struct Opened {
    pub(super) records: Vec<Record>,
    file: File,
    directory: PathBuf,
    lock: File,
    length: u64,
}

/// Opens a directory, makes it where it is missing, and cuts off what a crash left half-written.
pub(super) fn open(directory: &Path) -> Result<Opened, JournalError> {
    let disk = |path: &Path| {
        let path = path.to_owned();
        move |source| JournalError::Disk { path, source }
    };
    create_private_directory(directory).map_err(disk(directory))?;
    let lock_path = directory.join(LOCK);
    let lock = private(&lock_path).map_err(disk(&lock_path))?;
    lock.try_lock().map_err(|_| JournalError::InUse(directory.to_owned()))?;
    let path = directory.join(FILE);
    let mut file = private(&path).map_err(disk(&path))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(disk(&path))?;
    let bytes = Bytes::from(bytes);
    let (records, length) = record::read_all(&bytes);
    if length < bytes.len() {
        tracing::warn!(
            bytes = bytes.len() - length,
            "the end of the journal was cut short by a crash and is left out"
        );
        file.set_len(length as u64).map_err(disk(&path))?;
        file.sync_all().map_err(disk(&path))?;
    }
    Ok(Opened {
        records,
        file,
        directory: directory.to_owned(),
        lock,
        length: length as u64,
    })
}

/// Holds secrets: nobody else reads it.
fn private(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    // Appending, so that after a cut the next write lands at the new end.
    OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
}

fn create_private_directory(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

impl Journal {
    /// Starts the writer. It reads the store only to write the journal anew, and does not keep it alive.
    pub(super) fn start(opened: Opened, store: Weak<Store>, revision: u64) -> Result<Self, JournalError> {
        let Opened {
            file,
            directory,
            lock,
            length,
            ..
        } = opened;
        let shared: Arc<(Mutex<Queue>, Condvar)> = Arc::default();
        let (durable_tx, durable) = tokio::sync::watch::channel(Durable::Upto(revision));
        let mut writer = Writer {
            file,
            directory: directory.clone(),
            length,
            store,
            shared: shared.clone(),
        };
        let thread = std::thread::Builder::new().name("flyball-journal".to_owned());
        let handle = thread
            .spawn(move || {
                while let Some(round) = writer.round() {
                    durable_tx.send_replace(match round {
                        Ok(revision) => Durable::Upto(revision),
                        Err(error) => Durable::Failed(error.to_string()),
                    });
                }
            })
            .map_err(|source| JournalError::Disk {
                path: directory,
                source,
            })?;
        Ok(Journal {
            shared,
            durable,
            writer: Some(handle),
            _lock: lock,
        })
    }

    /// Queues a write; called with the store locked, so that the order is that of revisions.
    pub(super) fn append(&self, table: &TableName, event: &Event) {
        let mut queue = lock(&self.shared.0);
        record::append_event(&mut queue.bytes, table, event);
        queue.revision = event.revision();
        self.shared.1.notify_one();
    }

    pub(super) fn durable(&self) -> tokio::sync::watch::Receiver<Durable> {
        self.durable.clone()
    }
}

impl Drop for Journal {
    /// What was queued is still written.
    fn drop(&mut self) {
        lock(&self.shared.0).closed = true;
        self.shared.1.notify_one();
        if let Some(writer) = self.writer.take()
            && writer.thread().id() != std::thread::current().id()
        {
            let _ = writer.join();
        }
    }
}

fn lock(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Writer {
    file: File,
    directory: PathBuf,
    length: u64,
    store: Weak<Store>,
    shared: Arc<(Mutex<Queue>, Condvar)>,
}

impl Writer {
    /// Waits for writes and brings them to the disk; `None` when there will be no more.
    fn round(&mut self) -> Option<io::Result<u64>> {
        let (bytes, revision) = {
            let waiting = |queue: &mut Queue| queue.bytes.is_empty() && !queue.closed;
            let guard = lock(&self.shared.0);
            let mut queue = self
                .shared
                .1
                .wait_while(guard, waiting)
                .unwrap_or_else(PoisonError::into_inner);
            if queue.bytes.is_empty() {
                return None;
            }
            (std::mem::take(&mut queue.bytes), queue.revision)
        };
        Some(self.write(&bytes).map(|()| revision))
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.file.sync_data()?;
        self.length += bytes.len() as u64;
        if self.length > REWRITE_BYTES_MIN
            && let Some(store) = self.store.upgrade()
            && self.length > store.live_bytes() * REWRITE_RATIO
        {
            self.rewrite(&store)?;
        }
        Ok(())
    }

    /// Writes what is alive into a new file that takes the old one's place.
    ///
    /// Writes that are queued meanwhile come again behind it; applying them twice changes nothing.
    fn rewrite(&mut self, store: &Store) -> io::Result<()> {
        let mut bytes = Vec::new();
        let (objects, revision) = store.everything();
        for (table, object) in &objects {
            record::append_object(&mut bytes, table, object);
        }
        record::append_mark(&mut bytes, revision);
        let (new, path) = (self.directory.join(format!("{FILE}.new")), self.directory.join(FILE));
        let _ = std::fs::remove_file(&new);
        let mut file = private(&new)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        std::fs::rename(&new, &path)?;
        File::open(&self.directory)?.sync_all()?;
        self.file = file;
        self.length = bytes.len() as u64;
        Ok(())
    }
}
