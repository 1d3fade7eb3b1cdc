//! The controllers of the local cluster.
