//! Any Kubernetes API, seen through one client.
