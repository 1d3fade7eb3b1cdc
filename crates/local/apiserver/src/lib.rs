//! A Kubernetes API server for one laptop.
