//! A Kubernetes API server for one laptop.

pub mod store;
