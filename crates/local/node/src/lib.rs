//! A node that runs Pods as processes: unchanged manifests, no image, no container, no root.
//!
//! ```text
//!        Pods, bound here           Services, EndpointSlices          browser, shell
//!              │                              │                             │
//!              v                              v                             v
//!   ┌────── kubelet ──────┐              services ─────────────────────── front
//!   │ lifecycle (pure)    │                   │  table: address:port -> ready endpoints
//!   │ image     (pure)    │                   v
//!   │ environment (pure)  │              network: a call of a program is stopped, decided (route, pure),
//!   │ volumes, logs       │                   │    made on its own socket, answered
//!   └──────── start ──────┘                   │ seccomp notifications
//!              v                              │
//!          guardian ──> keeper ──> the Pod's program
//! ```
//!
//! The parts, in reading order:
//!
//! * [`image`]: which command an image's name means in this source tree, and why;
//! * [`environment`], `volumes`: what the container's variables and files are;
//! * [`lifecycle`]: what a kubelet would do next - a state machine without a clock;
//! * [`services`], [`network`], [`front`]: an address for each Pod, names for all Services, for programs that know of
//!   nothing; and the developer's way in;
//! * [`guardian`]: starts processes and sees to it that none outlives us, however we die;
//! * [`logs`], `probes`: what programs say, and how they are;
//! * [`kubelet`]: ties these together, one task a Pod;
//! * `sys`: the one room with `unsafe`.
//!
//! # One example
//!
//! A Deployment asks for two Pods of image `checkout/price:1.0.0`, port 8080. The folder `price` has a Dockerfile whose
//! ENTRYPOINT was copied from `target/release/price`, so [`image::resolve`] answers `cargo build --release -p price`
//! and that binary. The first Pod builds it, the second waits. The guardian forks two keepers, these fork the
//! program. Both call `bind(0.0.0.0:8080)`; the kernel stops the calls, [`network`] binds one socket to 127.1.0.1:8080
//! and the other to 127.1.0.2:8080 and lets both go on. The API shows 10.244.0.1 and 10.244.0.2. Their readiness
//! probes pass, [`lifecycle`] says "Ready", the EndpointSlice gets both, [`services`] is swapped. A third program
//! asks for `http://price`: our name server says 10.96.0.9, `connect(10.96.0.9:80)` is stopped and made to
//! 127.1.0.2:8080. `kill -9` of this program: the guardian reads the end of its socket and all is gone.
//!
//! # What is not so
//!
//! It is no isolation: programs share the host's user, files and loopback. CPU limits and most of `securityContext`
//! are not honoured; memory limits are looked at once a second. UDP with `sendmsg` to a cluster address is not
//! rewritten. Linux 5.9 is needed for interception (5.19 and 6.6 make it better); elsewhere Pods
//! get ports of the host and variables that tell them ([`network::Mode`]).

#![deny(unsafe_code)]

pub mod image;

pub mod environment;
mod resources;
mod volumes;

pub mod lifecycle;

pub mod front;
pub mod network;
pub mod services;

pub mod guardian;

pub mod logs;
mod probes;

pub mod kubelet;

mod procfs;
mod sys;
