//! A node that runs Pods as processes.

#![deny(unsafe_code)]

pub mod guardian;
pub mod network;
pub mod services;

mod procfs;
mod sys;
