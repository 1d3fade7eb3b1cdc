//! Who owns whom, as far as the caches have told.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use cluster::{Kind, ObjectKey, ObjectMeta};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

/// An object as the collector knows it.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) kind: Arc<Kind>,
    pub(super) key: ObjectKey,
    pub(super) uid: String,
    pub(super) revision: String,
    pub(super) references: Vec<OwnerReference>,
    pub(super) owners: Vec<Owner>,
    pub(super) finalizers: Vec<String>,
    pub(super) is_going: bool,
}

/// One owner of an item.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Owner {
    pub(super) api_version: String,
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) uid: String,
    pub(super) blocks: bool,
}

impl Item {
    fn new(kind: &Arc<Kind>, key: &ObjectKey, meta: &ObjectMeta) -> Option<Self> {
        let references = meta.owner_references.clone().unwrap_or_default();
        let owner = |reference: &OwnerReference| Owner {
            api_version: reference.api_version.clone(),
            kind: reference.kind.clone(),
            name: reference.name.clone(),
            uid: reference.uid.clone(),
            blocks: reference.block_owner_deletion == Some(true),
        };
        Some(Self {
            kind: kind.clone(),
            key: key.clone(),
            uid: meta.uid.clone()?,
            revision: meta.resource_version.clone().unwrap_or_default(),
            owners: references.iter().map(owner).collect(),
            references,
            finalizers: meta.finalizers.clone().unwrap_or_default(),
            is_going: meta.deletion_timestamp.is_some(),
        })
    }
}

/// All known objects that own or are owned, and those that may come to.
#[derive(Debug, Default)]
pub(super) struct Graph {
    items: HashMap<String, Item>,
    /// From an owner's uid, known or not, to those of its dependents.
    dependents: HashMap<String, BTreeSet<String>>,
}

impl Graph {
    pub(super) fn item(&self, uid: &str) -> Option<Item> {
        self.items.get(uid).cloned()
    }

    pub(super) fn dependents(&self, uid: &str) -> Vec<Item> {
        let uids = self.dependents.get(uid).into_iter().flatten();
        uids.filter_map(|uid| self.items.get(uid).cloned()).collect()
    }

    /// Takes a change in; the uids of items that have to be looked at because of it.
    pub(super) fn change(
        &mut self,
        kind: &Arc<Kind>,
        key: &ObjectKey,
        before: Option<&ObjectMeta>,
        after: Option<&ObjectMeta>,
    ) -> Vec<String> {
        let mut look_at = Vec::new();
        let before_uid = before.and_then(|meta| meta.uid.as_deref());
        let after = after.and_then(|meta| Item::new(kind, key, meta));
        // A name may go from one object to the next within one change.
        if let Some(uid) = before_uid.filter(|uid| after.as_ref().is_none_or(|after| after.uid != **uid)) {
            look_at.extend(self.remove(uid));
        }
        if let Some(after) = after {
            look_at.extend(self.insert(after));
        }
        look_at
    }

    fn insert(&mut self, item: Item) -> Vec<String> {
        let uid = item.uid.clone();
        let owners_before = self.items.get(&uid).map(|item| item.owners.clone()).unwrap_or_default();
        for owner in &owners_before {
            self.unlink(&owner.uid, &uid);
        }
        for owner in &item.owners {
            self.dependents
                .entry(owner.uid.clone())
                .or_default()
                .insert(uid.clone());
        }
        let mut look_at = Vec::new();
        // An owner that waits for this one may wait no more, or for one more.
        if owners_before != item.owners {
            let waiting = owners_before.iter().chain(&item.owners).map(|owner| &owner.uid);
            look_at.extend(
                waiting
                    .filter(|uid| self.items.get(*uid).is_some_and(|owner| owner.is_going))
                    .cloned(),
            );
        }
        let has_doubtful_owner = item.owners.iter().any(|owner| match self.items.get(&owner.uid) {
            None => true,
            Some(owner) => owner.is_going,
        });
        if has_doubtful_owner || item.is_going {
            look_at.push(uid.clone());
        }
        self.items.insert(uid, item);
        look_at
    }

    fn remove(&mut self, uid: &str) -> Vec<String> {
        let Some(item) = self.items.remove(uid) else {
            return Vec::new();
        };
        let mut look_at: Vec<_> = self.dependents.get(uid).into_iter().flatten().cloned().collect();
        for owner in &item.owners {
            self.unlink(&owner.uid, uid);
            if self.items.get(&owner.uid).is_some_and(|owner| owner.is_going) {
                look_at.push(owner.uid.clone());
            }
        }
        look_at
    }

    fn unlink(&mut self, owner: &str, dependent: &str) {
        if let Some(dependents) = self.dependents.get_mut(owner) {
            dependents.remove(dependent);
            if dependents.is_empty() {
                self.dependents.remove(owner);
            }
        }
    }
}
