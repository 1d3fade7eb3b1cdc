//! What the verbs mean: create, get, list, watch, update, patch and delete, for every kind alike.
//!
//! Every write goes the same way: read the present state, make the next one from it with the rules of the kind
//! (`rules`), commit it on the condition that nothing moved in between. Kinds differ by data and by
//! their rules, never by a handler of their own. Nothing here waits, and nothing here knows HTTP.

mod admission;
mod create;
mod definitions;
mod delete;
mod list;
mod options;
mod patch;
mod pods;
mod scale;
mod services;
mod update;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use apimachinery::resources::GroupResource;
use apimachinery::status::Status;
use flyball_core::Clock;
use serde_json::Value;

pub use self::delete::Deletion;
pub(crate) use self::list::parse_revision;
pub use self::list::{ListOptions, Page, Selection};
use self::options::Tracking;
pub use self::options::{DeleteOptions, FieldValidation, Preconditions, Propagation, WriteOptions};
pub use self::patch::{Applied, PatchKind};

use crate::entropy::Entropy;
use crate::kinds::{Kinds, Served};
use crate::store::{ObjectKey, Store, Stored, TableName, WriteError};

/// What a request is about.
#[derive(Clone, Debug)]
pub struct Target {
    /// The resource.
    pub served: Arc<Served>,
    /// The namespace; empty for cluster scope and for lists across all namespaces.
    pub namespace: String,
    /// The object's name; empty for a collection.
    pub name: String,
    /// The part of the object, such as `status`; empty for the object itself.
    pub subresource: String,
}

impl Target {
    /// The same object's key in the store.
    pub fn key(&self) -> ObjectKey {
        ObjectKey::new(&self.served.table, &self.namespace, &self.name)
    }

    /// The resource's name as messages write it.
    pub fn group_resource(&self) -> GroupResource {
        self.served.resource.group_resource()
    }

    fn named(&self, name: &str) -> Target {
        Target {
            name: name.to_owned(),
            ..self.clone()
        }
    }
}

/// The object that a write leaves behind.
#[derive(Clone, Debug)]
pub enum Written {
    /// It is stored.
    Stored(Arc<Stored>),
    /// It would be stored, were this not a dry run.
    DryRun(Value),
}

/// The table of CustomResourceDefinitions.
const DEFINITIONS: &str = "customresourcedefinitions.apiextensions.k8s.io";

/// How often a write that read its own state starts over when another write came in between. Source: the five
/// attempts of apiserver's patch handler; contention on one object of a laptop does not reach it.
const ATTEMPTS_MAX: usize = 5;

/// The verbs over one store.
pub struct Registry {
    store: Arc<Store>,
    kinds: RwLock<Arc<Kinds>>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    /// Held while a Service looks for a free address, until it is stored.
    allocation: Mutex<()>,
}

impl Registry {
    /// Over a store, serving the built-in kinds.
    pub fn new(store: Arc<Store>, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Registry {
            store,
            kinds: RwLock::new(Arc::new(Kinds::builtin())),
            clock,
            entropy,
            allocation: Mutex::new(()),
        }
    }

    /// The kinds that are served now.
    pub fn kinds(&self) -> Arc<Kinds> {
        self.kinds.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The store.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// The source of random bytes.
    pub fn entropy(&self) -> &dyn Entropy {
        &*self.entropy
    }

    /// The present time.
    pub fn now(&self) -> flyball_core::Timestamp {
        self.clock.now()
    }

    /// The present time as objects write it: whole seconds, RFC 3339.
    fn timestamp(&self) -> String {
        timestamp(self.clock.now())
    }

    /// The present state of an object, or 404.
    pub fn get(&self, target: &Target) -> Result<Arc<Stored>, Status> {
        self.store
            .get(&target.key())
            .ok_or_else(|| Status::not_found(&target.group_resource(), &target.name))
    }

    /// Gives an object what only the server may give; the guard is kept until the object is stored.
    fn allocate(&self, target: &Target, object: &mut Value) -> Result<Option<MutexGuard<'_, ()>>, Status> {
        if target.served.table.as_str() != "services" {
            return Ok(None);
        }
        let guard = self.allocation.lock().unwrap_or_else(PoisonError::into_inner);
        self.allocate_service(target, object)?;
        Ok(Some(guard))
    }

    /// What follows from a write at once: a definition that came, changed or went changes what is served.
    fn committed(&self, target: &Target) {
        if target.served.table.as_str() == DEFINITIONS {
            self.refresh_kinds();
        }
    }

    /// Makes the served kinds anew from the stored definitions.
    pub(crate) fn refresh_kinds(&self) {
        let listing = self.store.list(&TableName::new(DEFINITIONS), None, |_| true);
        let definitions: Vec<Value> = listing.objects.iter().map(|object| object.value()).collect();
        let kinds = Kinds::builtin().with_custom(&definitions);
        *self.kinds.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(kinds);
    }

    /// A read-modify-write that starts over when it lost a race.
    fn attempt<T>(&self, target: &Target, mut once: impl FnMut() -> Result<T, Failure>) -> Result<T, Status> {
        for _ in 0..ATTEMPTS_MAX {
            match once() {
                Ok(done) => return Ok(done),
                Err(Failure::Race) => {}
                Err(Failure::Refused(status)) => return Err(*status),
            }
        }
        Err(Status::modified(&target.group_resource(), &target.name))
    }
}

/// Why one attempt of a write failed.
enum Failure {
    /// Another write came in between; the same request may succeed on the new state.
    Race,
    /// The request is refused; trying again changes nothing.
    Refused(Box<Status>),
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Failure::Refused(Box::new(status))
    }
}

impl Failure {
    /// The state that was read is gone: a race, unless the client insisted on that very state.
    fn from_write(error: WriteError, target: &Target, insisted: bool) -> Self {
        match error {
            WriteError::Exists => Status::already_exists(&target.group_resource(), &target.name).into(),
            WriteError::Missing if insisted => Status::not_found(&target.group_resource(), &target.name).into(),
            WriteError::Moved { .. } if insisted => Status::modified(&target.group_resource(), &target.name).into(),
            WriteError::Missing | WriteError::Moved { .. } => Failure::Race,
        }
    }
}

/// A time as objects write it: whole seconds, RFC 3339.
pub(crate) fn timestamp(now: flyball_core::Timestamp) -> String {
    now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
