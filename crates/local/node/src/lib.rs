//! A node that runs Pods as processes.

#![deny(unsafe_code)]

pub mod environment;
pub mod front;
pub mod guardian;
pub mod image;
pub mod kubelet;
pub mod lifecycle;
pub mod logs;
pub mod network;
pub mod services;

mod volumes;

mod probes;
mod procfs;
mod resources;
mod sys;
