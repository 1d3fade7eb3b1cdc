//! The rules of Kubernetes objects, without a server.
//!
//! A Kubernetes API server is, for the most part, not a server: it is a long list of rules about trees of JSON.
//! Which kinds there are and what their paths look like, what a manifest means before and after its defaults, which
//! patch touches which element of which list, who owns a field, how a row of `kubectl get` reads. This crate holds
//! those rules as pure functions over [`serde_json::Value`]. It does no I/O, reads no clock and draws no random numbers:
//! where a rule needs them (an age, the suffix of a generated name) they are arguments.
//!
//! ```text
//!  request path ──> resources::Registry ──> Resource (group, version, plural, scope, verbs)
//!                        │                      │
//!                        └──> discovery         ├──> schema::Schema ──> strict fields, types, defaults, prune
//!                             openapi           │         │
//!                                               │         ├──> patch (json, merge, strategic)
//!  body (JSON, YAML, protobuf) ──> Value ───────┤         └──> ssa   (who owns which field)
//!                                               ├──> defaults, validation, strategy (what a create, an update does)
//!                                               ├──> selector, quantity, meta (small languages inside objects)
//!                                               └──> table, subresource (other views of an object)
//!  whatever goes wrong ──> status::Status, with the words that clients match on
//! ```
//!
//! One running example: `kubectl apply -f web.yaml` with a Deployment in it. The path `/apis/apps/v1/namespaces/default/deployments`
//! is looked up in the [`resources::Registry`]; the body is checked for unknown fields against its [`schema`], receives
//! its [`defaults`], passes [`validation`], and is stored. The second `apply` arrives as a strategic merge [`patch`], whose
//! list keys come from the same schema. `kubectl get` asks for a [`table`].
//!
//! Behaviour, texts and constants follow kube-apiserver 1.37; where a table was recorded from a running one, `data/README.md` says so.

pub mod resources;

pub mod discovery;

pub mod status;

pub mod meta;
pub mod quantity;
pub mod selector;

pub mod schema;

pub mod openapi;
pub mod patch;

pub mod defaults;
pub mod strategy;
pub mod subresource;
pub mod validation;

pub mod table;

pub mod ssa;

pub mod protobuf;

pub mod encoding;
