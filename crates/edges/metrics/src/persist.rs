//! Keeping the store over a restart: a snapshot file, replaced as a whole.
//!
//! A crash loses what was scraped since the last snapshot; a snapshot itself is never half there, because it is
//! written beside the old one and renamed. Native histograms are not kept.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use promql::store::RecordError;

use crate::Store;

/// The first bytes of a snapshot: what it is, and its version.
const MAGIC: &[u8; 8] = b"FLYSER\x00\x01";

/// A larger file is not read: the store's memory limit is below it.
const FILE_BYTES_MAX: u64 = 4 << 30;

/// Records are handed to the file in pieces of about this size.
const PIECE_BYTES: usize = 1 << 20;

/// What was read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Series.
    pub series: usize,
    /// Why reading stopped before the end of the file.
    pub stopped: Option<RecordError>,
}

/// Writes all series to a file. Blocks; call it on a blocking thread.
///
/// # Errors
/// Those of the file system; the file that was there before is untouched then.
pub fn save(store: &Store, path: &Path) -> io::Result<()> {
    // Only the compressed chunks are collected under the lock.
    let series = store.head().select(&[], i64::MIN, i64::MAX);
    let beside = beside(path);
    let mut file = BufWriter::new(File::create(&beside)?);
    file.write_all(MAGIC)?;
    let mut records = Vec::with_capacity(PIECE_BYTES);
    for series in &series {
        series.write_record(&mut records);
        if records.len() >= PIECE_BYTES {
            file.write_all(&records)?;
            records.clear();
        }
    }
    file.write_all(&records)?;
    file.into_inner()?.sync_all()?;
    fs::rename(&beside, path)
}

/// Reads a snapshot into a store. A file that is not there is an empty one; of a damaged one, what comes before
/// the damage is read.
///
/// # Errors
/// Those of the file system, and `InvalidData` for a file that is no snapshot.
pub fn load(store: &Store, path: &Path) -> io::Result<Loaded> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Loaded::default()),
        file => file?,
    };
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
    let Some(mut rest) = bytes.strip_prefix(MAGIC) else {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "not a snapshot of series, or of another version",
        ));
    };
    let mut loaded = Loaded::default();
    loop {
        match store.head_mut().read_record(rest) {
            Ok(Some(next)) => (loaded.series, rest) = (loaded.series + 1, next),
            Ok(None) => return Ok(loaded),
            Err(error) => {
                return Ok(Loaded {
                    stopped: Some(error),
                    ..loaded
                });
            }
        }
    }
}

/// Saves at an interval, for as long as it is polled. The caller saves once more when it ends.
pub async fn run(store: Store, path: PathBuf, interval: Duration) {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    ticks.tick().await;
    loop {
        ticks.tick().await;
        let (store, path) = (store.clone(), path.clone());
        match tokio::task::spawn_blocking(move || save(&store, &path)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the series could not be saved; they stay in memory"),
            Err(error) => tracing::error!(%error, "saving the series failed"),
        }
    }
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use promql::labels::Labels;
    use promql::store::Limits;

    use super::*;

    #[test]
    fn a_store_comes_back_and_a_damaged_file_gives_what_is_good() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("series");
        let store = Store::new(Limits::default());
        assert_eq!(load(&store, &path).expect("nothing there"), Loaded::default());
        for pod in ["a", "b"] {
            let mut head = store.head_mut();
            let (series, _) = head
                .series(&Labels::from_pairs([("__name__", "m"), ("pod", pod)]))
                .expect("room");
            head.append(series, 1000, 1.0).expect("in order");
        }
        save(&store, &path).expect("a writable folder");
        let load_new = || load(&Store::new(Limits::default()), &path);
        assert_eq!(
            load_new().expect("a snapshot"),
            Loaded {
                series: 2,
                stopped: None
            }
        );

        let bytes = fs::read(&path).expect("a file");
        fs::write(&path, &bytes[..bytes.len() - 1]).expect("a writable file");
        assert_eq!(
            load_new().expect("a snapshot"),
            Loaded {
                series: 1,
                stopped: Some(RecordError::CutOff)
            }
        );
        fs::write(&path, "something else").expect("a writable file");
        assert_eq!(load_new().expect_err("no snapshot").kind(), io::ErrorKind::InvalidData);
    }
}
