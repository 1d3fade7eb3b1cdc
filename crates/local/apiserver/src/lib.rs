//! A Kubernetes API server for one laptop.
//!
//! ```text
//!   kubectl ──TLS, token──> serve ─┐                          ┌─> apimachinery: what kinds are, what a write may do
//!                                  ├─> http ──> registry ─────┤
//!   loops, controllers ──in process┘     verbs, views, watch  └─> store: versions, history, snapshots
//! ```
//!
//! The rules of objects are not here: `apimachinery` has them as pure functions. What is here is what a server adds:
//! one place where objects are, an order of all writes, watchers, and HTTP. Every kind goes through the same code; a
//! custom kind is as good as a built-in one.
//!
//! One running example: `kubectl apply -f web.yaml`. The request comes in through [`ApiServer::serve`], proves who it is,
//! and is found to be a *patch* of `deployments/web`. The registry reads the present state, makes the next one, and commits
//! it on the condition that nobody wrote in between. The Deployment controller, in the same process, has a watch open on the
//! same store; the event it gets is the very bytes that were committed.

pub mod entropy;
pub mod kubeconfig;
pub mod pod_access;
pub mod registry;
pub mod store;

mod aggregation;
mod authorize;
mod bootstrap;
mod convert;
mod custom;
mod http;
mod kinds;
mod openapi;
mod rules;
mod serve;
mod server;
mod table;
mod tls;
mod tokens;
mod user;

pub use aggregation::AggregatedApi;
pub use custom::CustomKind;
pub use http::{ApiService, Body, REQUEST_BODY_BYTES_MAX};
pub use kinds::{Kinds, Served};
pub use server::{ApiServer, BuildError, Builder};
pub use tls::IdentityError;
pub use user::{AUTHENTICATED, MASTERS, UNAUTHENTICATED, User};
