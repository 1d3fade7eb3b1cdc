//! YAML and JSON texts as values that know their places.
//!
//! A user's file holds one or more documents. Whatever is wrong in one of them, now or when the API server
//! has looked at it, is to be told with file, line and column. So a [`Document`] is a `serde_json::Value`
//! together with the place of every node in it, found by the paths in which Kubernetes speaks of fields:
//!
//! ```text
//!   text ──> events (granit-parser) ──> Document { value, places }
//!                                         places: "spec.replicas" -> web.yaml:7:3
//! ```
//!
//! Scalars are read as Kubernetes' own YAML reader reads them, which follows YAML 1.1: `yes` and `on` are
//! booleans, `0644` is an octal number. A duplicate key is an error; Kubernetes takes the last one silently,
//! and the first one is then lost without anybody noticing.
//!
//! ```
//! let read = documents::read("web.yaml", "kind: Pod\nspec:\n  host: on\n");
//! let document = &read.documents[0];
//! assert_eq!(document.value["spec"]["host"], true);
//! assert_eq!(document.place("spec.host").to_string(), "web.yaml:3:3");
//! ```

mod build;
mod places;
mod scalar;

pub use build::{DEPTH_MAX, NODES_MAX, read};
pub use places::{Document, Read};
