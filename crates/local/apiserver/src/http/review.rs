//! Questions that are asked by creating an object that nobody stores: who am I, may I, whose token is this.

use apimachinery::resources::GroupVersionResource;
use apimachinery::status::Status;
use serde_json::{Value, json};

use super::{Shared, identity};
use crate::authorize::Attributes;
use crate::registry::{Target, timestamp};
use crate::tokens::{Account, ISSUER, SECONDS_DEFAULT, SECONDS_MAX, SECONDS_MIN};
use crate::user::User;

/// Answers a review; `None` for kinds that are stored.
pub(crate) fn answer(shared: &Shared, user: &User, target: &Target, body: &Value) -> Result<Option<Value>, Status> {
    let registry = &shared.registry;
    let kind = &target.served.resource.kind;
    let status = match (kind.group.as_str(), kind.kind.as_str()) {
        ("authorization.k8s.io", "SelfSubjectAccessReview") => access(shared, user, &body["spec"])?,
        ("authorization.k8s.io", "SubjectAccessReview" | "LocalSubjectAccessReview") => {
            access(shared, &user_of_spec(&body["spec"]), &body["spec"])?
        }
        ("authorization.k8s.io", "SelfSubjectRulesReview") => {
            let namespace = body["spec"]["namespace"].as_str().unwrap_or_default();
            let (paths, resources): (Vec<Value>, Vec<Value>) = registry
                .rules_of(user, namespace)
                .into_iter()
                .partition(|rule| rule.get("nonResourceURLs").is_some());
            json!({"resourceRules": resources, "nonResourceRules": paths, "incomplete": false})
        }
        ("authentication.k8s.io", "TokenReview") => {
            let token = body["spec"]["token"].as_str().unwrap_or_default();
            match identity::user_of_token(shared, token) {
                Some(user) => json!({"authenticated": true, "user": user_info(&user), "audiences": [ISSUER]}),
                None => json!({"user": {}, "error": "invalid bearer token"}),
            }
        }
        ("authentication.k8s.io", "SelfSubjectReview") => json!({"userInfo": user_info(user)}),
        _ => return Ok(None),
    };
    let mut review = json!({
        "kind": kind.kind, "apiVersion": kind.api_version(),
        "metadata": {"creationTimestamp": timestamp(registry.now())},
    });
    if kind.kind != "SelfSubjectReview" {
        review["spec"] = body["spec"].clone();
    }
    review["status"] = status;
    Ok(Some(review))
}

fn access(shared: &Shared, user: &User, spec: &Value) -> Result<Value, Status> {
    let wanted = Attributes::of_review(spec).ok_or_else(|| {
        Status::bad_request("exactly one of spec.resourceAttributes and spec.nonResourceAttributes must be given")
    })?;
    Ok(match shared.registry.authorize(user, &wanted) {
        Ok(()) => json!({"allowed": true}),
        Err(_) => json!({"allowed": false, "reason": ""}),
    })
}

fn user_of_spec(spec: &Value) -> User {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    User {
        name: text(&spec["user"]),
        uid: text(&spec["uid"]),
        groups: spec["groups"].as_array().into_iter().flatten().map(text).collect(),
        extra: Vec::new(),
    }
}

fn user_info(user: &User) -> Value {
    let mut info = json!({"username": user.name, "groups": user.groups});
    if !user.uid.is_empty() {
        info["uid"] = json!(user.uid);
    }
    for (key, values) in &user.extra {
        info["extra"][key] = json!(values);
    }
    info
}

/// A token for a service account: `serviceaccounts/NAME/token`.
pub(crate) fn token(shared: &Shared, target: &Target, request: &Value) -> Result<Value, Status> {
    let registry = &shared.registry;
    let object = registry
        .get(&Target {
            subresource: String::new(),
            ..target.clone()
        })?
        .value();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let bound = &request["spec"]["boundObjectRef"];
    let pod = match bound["kind"].as_str() {
        Some("Pod") => {
            let kinds = registry.kinds();
            let pods = kinds
                .find(&GroupVersionResource::new("", "v1", "pods"))
                .ok_or_else(Status::no_such_path)?;
            let named = Target {
                served: pods.clone(),
                namespace: target.namespace.clone(),
                name: text(&bound["name"]),
                subresource: String::new(),
            };
            let pod = registry.get(&named)?.value();
            Some((named.name, text(&pod["metadata"]["uid"])))
        }
        _ => None,
    };
    let asked = request["spec"]["audiences"]
        .as_array()
        .into_iter()
        .flatten()
        .map(text)
        .collect::<Vec<_>>();
    let account = Account {
        namespace: target.namespace.clone(),
        name: target.name.clone(),
        uid: text(&object["metadata"]["uid"]),
        pod,
        audiences: if asked.is_empty() {
            vec![ISSUER.to_owned()]
        } else {
            asked
        },
    };
    let seconds = request["spec"]["expirationSeconds"].as_i64().unwrap_or(SECONDS_DEFAULT);
    let seconds = seconds.clamp(SECONDS_MIN, SECONDS_MAX);
    let signed = shared.signer.sign(&account, registry.now(), seconds);
    let token = signed.ok_or_else(|| Status::internal_error("the token could not be signed"))?;
    let expires = flyball_core::Timestamp::from_second(registry.now().as_second() + seconds).unwrap_or(registry.now());
    Ok(apimachinery::subresource::token_response(
        request,
        &token,
        &timestamp(expires),
    ))
}
