//! The controllers on the real local API server, in one process and on one virtual clock.

mod faults;
mod kinds;
mod support;
mod workloads;
