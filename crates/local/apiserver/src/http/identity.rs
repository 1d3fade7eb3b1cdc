//! From credentials to a user.

use apimachinery::resources::GroupVersionResource;
use apimachinery::status::Status;
use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::{Shared, Trust};
use crate::authorize::{Attributes, What};
use crate::registry::Target;
use crate::tokens::Account;
use crate::user::{AUTHENTICATED, User};

/// Who asks; `None` for nobody. Wrong credentials are refused whatever they are for.
pub(crate) fn authenticate(shared: &Shared, trust: Trust, headers: &HeaderMap) -> Result<Option<User>, Status> {
    let user = match headers.get(AUTHORIZATION) {
        None if trust == Trust::InProcess => User::admin(),
        None => return Ok(None),
        Some(header) => {
            let token = header.to_str().ok().and_then(|text| text.strip_prefix("Bearer "));
            token
                .and_then(|token| user_of_token(shared, token.trim()))
                .ok_or_else(Status::unauthorized)?
        }
    };
    impersonate(shared, user, headers).map(Some)
}

/// The user whose token it is.
pub(crate) fn user_of_token(shared: &Shared, token: &str) -> Option<User> {
    if same_secret(token, &shared.admin_token) {
        return Some(User::admin());
    }
    let account = shared.signer.verify(token, shared.registry.now())?;
    is_alive(shared, &account).then(|| user_of_account(&account))
}

/// The user that a service account is.
fn user_of_account(account: &Account) -> User {
    let Account {
        namespace,
        name,
        uid,
        pod,
        ..
    } = account;
    let mut extra = Vec::new();
    if let Some((pod, uid)) = pod {
        extra.push(("authentication.kubernetes.io/pod-name".to_owned(), vec![pod.clone()]));
        extra.push(("authentication.kubernetes.io/pod-uid".to_owned(), vec![uid.clone()]));
    }
    User {
        name: format!("system:serviceaccount:{namespace}:{name}"),
        uid: uid.clone(),
        groups: vec![
            "system:serviceaccounts".to_owned(),
            format!("system:serviceaccounts:{namespace}"),
            AUTHENTICATED.to_owned(),
        ],
        extra,
    }
}

/// A token dies with its account, and with the Pod it is bound to.
fn is_alive(shared: &Shared, account: &Account) -> bool {
    let is_there = |plural: &str, name: &str, uid: &str| {
        let kinds = shared.registry.kinds();
        let Some(served) = kinds.find(&GroupVersionResource::new("", "v1", plural)) else {
            return false;
        };
        let target = Target {
            served: served.clone(),
            namespace: account.namespace.clone(),
            name: name.to_owned(),
            subresource: String::new(),
        };
        shared
            .registry
            .get(&target)
            .is_ok_and(|object| object.value()["metadata"]["uid"] == uid)
    };
    is_there("serviceaccounts", &account.name, &account.uid)
        && account
            .pod
            .as_ref()
            .is_none_or(|(name, uid)| is_there("pods", name, uid))
}

/// `kubectl --as`: who may impersonate becomes somebody else. Source: apiserver's `WithImpersonation`.
fn impersonate(shared: &Shared, user: User, headers: &HeaderMap) -> Result<User, Status> {
    let texts = |name: &'static str| {
        headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok().map(str::to_owned))
    };
    let Some(name) = texts("impersonate-user").next() else {
        return Ok(user);
    };
    let groups: Vec<String> = texts("impersonate-group").collect();
    let wanted = groups.iter().map(|group| ("groups", group)).chain([("users", &name)]);
    for (resource, name) in wanted {
        let what = What::Resource {
            group: String::new(),
            resource: resource.to_owned(),
            subresource: String::new(),
            namespace: String::new(),
            name: name.clone(),
        };
        shared.registry.authorize(
            &user,
            &Attributes {
                verb: "impersonate".to_owned(),
                what,
            },
        )?;
    }
    let account = name
        .strip_prefix("system:serviceaccount:")
        .and_then(|rest| rest.split_once(':'));
    let mut all = groups;
    if let Some((namespace, _)) = account.filter(|_| all.is_empty()) {
        all.push("system:serviceaccounts".to_owned());
        all.push(format!("system:serviceaccounts:{namespace}"));
    }
    if !all.iter().any(|group| group == AUTHENTICATED) {
        all.push(AUTHENTICATED.to_owned());
    }
    Ok(User {
        name,
        groups: all,
        ..User::default()
    })
}

/// Compares secrets in a time that does not tell how much of them is right.
fn same_secret(left: &str, right: &str) -> bool {
    left.len() == right.len()
        && left
            .bytes()
            .zip(right.bytes())
            .fold(0, |different, (l, r)| different | (l ^ r))
            == 0
}
