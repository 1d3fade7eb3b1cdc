//! From a plan to writes: what all controllers have in common.
//!
//! ```text
//!   Cache ──Change──> wiring ──key──> Queue ──> reconcile(caches, key, now) ──Plan──> execute ──> API
//!     ^                                 ^                                               │
//!     └──────── watch ──────────────────┴──────── not before the caches show it <───────┘ expectations
//! ```

mod execute;
mod expectations;
mod runner;

pub(crate) use runner::{Controller, Turn, Wiring, start};
