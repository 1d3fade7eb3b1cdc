//! Who controls whom: controller references, adoption and release.

use std::sync::Arc;

use cluster::{Object, ResourceExt, Selector, SelectorExt};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, OwnerReference};
use serde_json::json;

use crate::action::Action;

/// The reference by which `owner` controls an object.
pub(crate) fn controller_reference<K: Object>(owner: &K) -> OwnerReference {
    OwnerReference {
        api_version: K::api_version(&()).into_owned(),
        kind: K::kind(&()).into_owned(),
        name: owner.name_any(),
        uid: owner.uid().unwrap_or_default(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }
}

/// The reference of the object's controller, if it has one.
pub(crate) fn controller_of<K: Object>(object: &K) -> Option<&OwnerReference> {
    let references = object.owner_references().iter();
    references
        .into_iter()
        .find(|reference| reference.controller == Some(true))
}

/// The name of the object's controller if that is of kind `Owner`.
pub(crate) fn controller_named<Owner: Object>(object: &impl Object) -> Option<&str> {
    let reference = controller_of(object)?;
    let group = |version: &str| {
        version
            .rsplit_once('/')
            .map_or(String::new(), |(group, _)| group.to_owned())
    };
    let same = reference.kind == Owner::kind(&()) && group(&reference.api_version) == Owner::group(&());
    same.then_some(reference.name.as_str())
}

/// Whether `owner` controls `object`.
pub(crate) fn controls<Owner: Object>(owner: &Owner, object: &impl Object) -> bool {
    controller_of(object).is_some_and(|reference| Some(&reference.uid) == owner.meta().uid.as_ref())
}

/// A selector that can be matched; `None` when it is not valid, which the API server does not let in.
pub(crate) fn selector(selector: &LabelSelector) -> Option<Selector> {
    Selector::try_from(selector.clone()).ok()
}

/// Whether a label selector selects everything.
pub(crate) fn selects_all(selector: &LabelSelector) -> bool {
    let labels = selector.match_labels.as_ref().is_none_or(|labels| labels.is_empty());
    labels && selector.match_expressions.as_ref().is_none_or(Vec::is_empty)
}

/// The objects that an owner counts as its own, and what it takes to make the API say so.
pub(crate) struct Claim<K> {
    /// Controlled by the owner and matching its selector, also as soon as the adoptions are done.
    pub(crate) owned: Vec<Arc<K>>,
    /// Adoptions of matching orphans and releases of those that match no more.
    pub(crate) actions: Vec<Action>,
}

/// Sorts `candidates` (of the owner's namespace) into the owner's and others, as upstream's
/// `ControllerRefManager`: an owner that is being deleted adopts nothing.
pub(crate) fn claim<Owner: Object, K: Object>(owner: &Owner, selector: &Selector, candidates: Vec<Arc<K>>) -> Claim<K>
where
    K::Scope: 'static,
{
    let (mut owned, mut actions) = (Vec::new(), Vec::new());
    let owner_is_going = owner.meta().deletion_timestamp.is_some();
    for object in candidates {
        let matches = selector.matches(object.labels());
        match controller_of(&*object) {
            Some(_) if !controls(owner, &*object) => {}
            Some(_) if matches => owned.push(object),
            Some(_) if owner_is_going => {}
            Some(_) => actions.push(release(owner, &*object)),
            None if !matches || owner_is_going || object.meta().deletion_timestamp.is_some() => {}
            None => {
                actions.push(adopt(owner, &*object));
                owned.push(object);
            }
        }
    }
    Claim { owned, actions }
}

fn adopt<Owner: Object, K: Object>(owner: &Owner, object: &K) -> Action
where
    K::Scope: 'static,
{
    let mut references = object.owner_references().to_vec();
    references.push(controller_reference(owner));
    set_owners(object, &references)
}

fn release<Owner: Object, K: Object>(owner: &Owner, object: &K) -> Action
where
    K::Scope: 'static,
{
    let mut references = object.owner_references().to_vec();
    references.retain(|reference| Some(&reference.uid) != owner.meta().uid.as_ref());
    set_owners(object, &references)
}

/// The revision in the patch makes it fail when the object changed meanwhile.
fn set_owners<K: Object>(object: &K, references: &[OwnerReference]) -> Action
where
    K::Scope: 'static,
{
    let metadata = json!({
        "uid": object.uid(),
        "resourceVersion": object.resource_version(),
        "ownerReferences": references,
    });
    Action::patch(object, json!({ "metadata": metadata }))
}
