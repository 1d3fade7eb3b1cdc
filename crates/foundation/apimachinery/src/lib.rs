//! The rules of Kubernetes objects, without a server.
