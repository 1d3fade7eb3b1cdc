//! Objects as bytes, in the form that was asked for.
//!
//! The common form costs nothing: what is stored is what is sent. Other versions of a resource and other views read the
//! object and make it anew.

use apimachinery::resources::GroupVersionKind;
use apimachinery::table::{IncludeObject, partial_metadata};
use bytes::Bytes;
use serde_json::{Value, json};

use super::answer::to_bytes;
use super::negotiate::View;
use crate::convert;
use crate::kinds::Served;
use crate::registry::Page;
use crate::store::{Stored, type_head};
use crate::table::{self, Header};

/// One object.
pub(crate) fn object(served: &Served, view: View, stored: &Stored, now: flyball_core::Timestamp) -> Bytes {
    match view {
        View::Object if served.is_storage_version() => stored.bytes().clone(),
        View::Object => to_bytes(&in_version(served, stored.value())),
        View::Table(include) => to_bytes(&row(served, include, stored, now, Header::Shown)),
        View::PartialMetadata => to_bytes(&partial_metadata(&stored.value())),
    }
}

/// A value in the version that is served.
pub(crate) fn in_version(served: &Served, value: Value) -> Value {
    convert::convert(value, &served.resource.kind)
}

/// A table of one object.
pub(crate) fn row(
    served: &Served,
    include: IncludeObject,
    stored: &Stored,
    now: flyball_core::Timestamp,
    header: Header,
) -> Value {
    let metadata = json!({"resourceVersion": stored.revision().to_string()});
    table::of(served, vec![stored.value()], metadata, include, now, header)
}

/// A page of a list.
pub(crate) fn list(served: &Served, view: View, page: &Page, now: flyball_core::Timestamp) -> Bytes {
    match view {
        View::Object => {
            let kind = &served.resource.kind;
            let items = page.objects.iter().map(|stored| {
                if served.is_storage_version() {
                    list_item(stored)
                } else {
                    Item::Made(object(served, view, stored, now))
                }
            });
            splice(&kind.api_version(), &served.resource.list_kind(), page, items)
        }
        View::Table(include) => {
            let values: Vec<Value> = page.objects.iter().map(|stored| stored.value()).collect();
            to_bytes(&table::of(
                served,
                values,
                list_metadata(page),
                include,
                now,
                Header::Shown,
            ))
        }
        View::PartialMetadata => {
            let items = page
                .objects
                .iter()
                .map(|stored| Item::Made(to_bytes(&partial_metadata(&stored.value()))));
            splice("meta.k8s.io/v1", "PartialObjectMetadataList", page, items)
        }
    }
}

/// An item of a list, as bytes.
enum Item {
    /// A whole object.
    Made(Bytes),
    /// An object without its opening brace and type.
    Body(Bytes),
}

/// Items of built-in lists do not repeat their type, as upstream's do not.
fn list_item(stored: &Stored) -> Item {
    Item::Body(stored.body())
}

fn splice(api_version: &str, kind: &str, page: &Page, items: impl Iterator<Item = Item>) -> Bytes {
    let size: usize = page.objects.iter().map(|stored| stored.bytes().len() + 2).sum();
    let mut out = Vec::with_capacity(size + 256);
    out.extend_from_slice(type_head(api_version, kind).as_bytes());
    out.extend_from_slice(b"\"metadata\":");
    out.extend_from_slice(&to_bytes(&list_metadata(page)));
    out.extend_from_slice(b",\"items\":[");
    for (place, item) in items.enumerate() {
        if place > 0 {
            out.push(b',');
        }
        match item {
            Item::Made(bytes) => out.extend_from_slice(&bytes),
            Item::Body(bytes) => {
                out.push(b'{');
                out.extend_from_slice(&bytes);
            }
        }
    }
    out.extend_from_slice(b"]}");
    Bytes::from(out)
}

fn list_metadata(page: &Page) -> Value {
    let mut metadata = json!({"resourceVersion": page.revision.to_string()});
    if !page.continue_token.is_empty() {
        metadata["continue"] = json!(page.continue_token);
        metadata["remainingItemCount"] = json!(page.remaining);
    }
    metadata
}

/// A line of a watch.
pub(crate) fn event_line(kind: &str, object: &[u8]) -> Bytes {
    let mut line = Vec::with_capacity(object.len() + 32);
    line.extend_from_slice(b"{\"type\":\"");
    line.extend_from_slice(kind.as_bytes());
    line.extend_from_slice(b"\",\"object\":");
    line.extend_from_slice(object);
    line.extend_from_slice(b"}\n");
    Bytes::from(line)
}

/// What a bookmark shows: an object that is nothing but a revision.
pub(crate) fn bookmark(kind: &GroupVersionKind, view: View, revision: u64, initial_events_end: bool) -> Value {
    let mut metadata = json!({"resourceVersion": revision.to_string()});
    if initial_events_end {
        metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
    }
    match view {
        View::Object => json!({"kind": kind.kind, "apiVersion": kind.api_version(), "metadata": metadata}),
        View::Table(_) => json!({"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
                              "columnDefinitions": [], "rows": []}),
        View::PartialMetadata => {
            json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata})
        }
    }
}
