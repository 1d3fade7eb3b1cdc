//! A real control plane, built by name from the Go module proxy.
//!
//! An API server of our own could grade us kindly. This crate builds the programs that run real clusters and
//! starts them on loopback, without Docker and without root:
//!
//! ```text
//!   tools ──> cache ──────────────> plane
//!   what,     ~/.cache/flyball/     etcd, kube-apiserver, controller-manager, scheduler, kwok:
//!   version   tools/NAME-VERSION    free ports, one CA, logs kept on failure, nothing left behind
//! ```
//!
//! Binaries are cached under their name and version, so a warm start builds nothing. What cannot be built (no
//! Go, no network) is an error with its reason; whoever needs the tool reports its tests as not run.

pub mod cache;
pub mod golden;
pub mod plane;
pub mod record;
pub mod tools;

mod certificates;
mod process;

pub use plane::{Options, Plane};
