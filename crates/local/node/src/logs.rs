//! Container logs: what a program writes, on disk, capped and dated, and read back as `kubectl logs` asks.
//!
//! ```text
//!   stdout ─┐                                        0.log  0.log.1 ... (one file per start, rotated)
//!   stderr ─┴─> lines with time and stream ─append─>  │
//!                                     └─ notify ──>  follow / tail / since / previous
//! ```
//!
//! The format is that of container runtimes (`TIME STREAM F|P TEXT`), so that it can be read with other tools. A line of
//! any length is fine: it is stored in parts and read back whole.

mod format;
mod reader;
mod writer;

pub use format::Stream;
pub use reader::{LogOptions, read};
pub use writer::{LogFile, copy_stream};

/// The most bytes of one file; the kubelet's default.
const FILE_BYTES_MAX: u64 = 10 << 20;

/// The most files of one start of a container, the current one included; the kubelet's default.
const FILES_MAX: usize = 5;

/// The longest text in one stored part of a line.
const PART_BYTES_MAX: usize = 16 << 10;

/// Deletes a log with its rotated predecessors; what is not there is fine.
pub(crate) fn remove(path: &std::path::Path) {
    let _ = std::fs::remove_file(path);
    for age in 1..FILES_MAX {
        let _ = std::fs::remove_file(writer::rotated(path, age));
    }
}
