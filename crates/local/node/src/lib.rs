//! A node that runs Pods as processes.
