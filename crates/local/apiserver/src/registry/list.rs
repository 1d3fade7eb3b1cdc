//! List: one moment, in pages, through selectors.

use std::sync::Arc;

use apimachinery::selector::{FieldSelector, LabelSelector, Selectable};
use apimachinery::status::Status;

use super::{Registry, Target};
use crate::store::{Snapshot, Stored};

/// Which objects of a collection are meant.
#[derive(Clone, Debug)]
pub struct Selection {
    labels: LabelSelector,
    fields: FieldSelector,
    selectable: Selectable,
    namespace: String,
    name: Option<String>,
}

impl Selection {
    /// From the texts of a request; 400 says what is wrong with them.
    pub fn new(target: &Target, labels: &str, fields: &str) -> Result<Self, Status> {
        let labels = LabelSelector::parse(labels)
            .map_err(|error| Status::bad_request(format!("unable to parse requirement: {error}")))?;
        let fields = FieldSelector::parse(fields).map_err(|error| Status::bad_request(error.to_string()))?;
        let mut selectable = Selectable::of(&target.served.resource.kind.group_kind());
        if let Some(custom) = &target.served.custom {
            selectable = selectable.with_custom(&custom.version);
        }
        fields
            .check(&selectable)
            .map_err(|error| Status::bad_request(error.to_string()))?;
        let name = fields.exact("metadata.name").map(str::to_owned);
        Ok(Selection {
            labels,
            fields,
            selectable,
            namespace: target.namespace.clone(),
            name,
        })
    }

    /// Whether an object is meant. The bytes of the object are read only where a field other than its name selects.
    pub fn matches(&self, object: &Stored) -> bool {
        if !self.namespace.is_empty() && self.namespace != object.namespace() {
            return false;
        }
        if self.name.as_ref().is_some_and(|name| name != object.name()) {
            return false;
        }
        self.labels.matches_with(|key| object.facts().label(key))
            && (self.fields.is_everything() || self.fields.matches(&self.selectable, &object.value()))
    }
}

/// How a list is read.
#[derive(Clone, Debug, Default)]
pub struct ListOptions {
    /// Objects a page; 0 for all.
    pub limit: usize,
    /// The token of the previous page; empty for the first.
    pub continue_token: String,
    /// The resource version that the client knows of; empty for the latest.
    pub resource_version: String,
    /// `Exact`, `NotOlderThan` or empty.
    pub resource_version_match: String,
}

/// A page of a list.
#[derive(Debug)]
pub struct Page {
    /// The revision that the whole list is of.
    pub revision: u64,
    /// The objects.
    pub objects: Vec<Arc<Stored>>,
    /// What asks for the next page; empty on the last.
    pub continue_token: String,
    /// How many objects the pages after this one have.
    pub remaining: usize,
}

impl Registry {
    /// Reads a page of a collection.
    pub fn list(&self, target: &Target, selection: &Selection, options: &ListOptions) -> Result<Page, Status> {
        // A page is continued by the very list that began it: another table or namespace has another token.
        let query: Arc<str> = Arc::from(format!("{}/{}", target.served.table.as_str(), target.namespace));
        if !options.continue_token.is_empty() {
            let (ticket, offset) = parse_token(&options.continue_token)?;
            let snapshot = self.store().snapshot(ticket).filter(|snapshot| snapshot.query == query);
            let snapshot = snapshot
                .filter(|snapshot| offset <= snapshot.objects.len())
                .ok_or_else(|| {
                    Status::expired(
                        "The provided continue parameter is too old to display a consistent list result. \
                     You must start a new list without the continue parameter.",
                    )
                })?;
            return Ok(page(&snapshot, ticket, offset, options.limit));
        }
        self.check_revision(options)?;
        let namespace = Some(target.namespace.as_str()).filter(|namespace| !namespace.is_empty());
        let listing = self
            .store()
            .list(&target.served.table, namespace, |object| selection.matches(object));
        if options.limit == 0 || listing.objects.len() <= options.limit {
            let (revision, objects) = (listing.revision, listing.objects);
            return Ok(Page {
                revision,
                objects,
                continue_token: String::new(),
                remaining: 0,
            });
        }
        let snapshot = Snapshot {
            query,
            revision: listing.revision,
            objects: listing.objects.into(),
        };
        let ticket = self.store().keep_snapshot(snapshot.clone());
        Ok(page(&snapshot, ticket, 0, options.limit))
    }

    /// A list is always of the present: a client that wants an exact past state or a future one hears so.
    fn check_revision(&self, options: &ListOptions) -> Result<(), Status> {
        if options.resource_version.is_empty() {
            return Ok(());
        }
        let wanted = parse_revision(&options.resource_version)?;
        let present = self.store().revision();
        if wanted > present {
            let message = format!("Too large resource version: {wanted}, current: {present}");
            return Err(Status::timeout(&message, 1));
        }
        if options.resource_version_match == "Exact" && wanted < present {
            return Err(Status::resource_version_too_old(wanted, present));
        }
        Ok(())
    }
}

/// Reads a resource version of a client.
pub(crate) fn parse_revision(text: &str) -> Result<u64, Status> {
    let invalid = |_| {
        Status::bad_request(format!(
            "Invalid value: \"{text}\": strconv.ParseUint: parsing \"{text}\": invalid syntax"
        ))
    };
    if text.is_empty() {
        Ok(0)
    } else {
        text.parse().map_err(invalid)
    }
}

fn page(snapshot: &Snapshot, ticket: u64, offset: usize, limit: usize) -> Page {
    let rest = &snapshot.objects[offset..];
    let take = if limit == 0 { rest.len() } else { limit.min(rest.len()) };
    let remaining = rest.len() - take;
    let continue_token = if remaining == 0 {
        String::new()
    } else {
        format!("{ticket}.{}", offset + take)
    };
    Page {
        revision: snapshot.revision,
        objects: rest[..take].to_vec(),
        continue_token,
        remaining,
    }
}

fn parse_token(token: &str) -> Result<(u64, usize), Status> {
    token
        .split_once('.')
        .and_then(|(ticket, offset)| Some((ticket.parse().ok()?, offset.parse().ok()?)))
        .ok_or_else(|| Status::bad_request("continue key is not valid"))
}
