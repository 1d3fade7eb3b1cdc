//! What the API says when something goes wrong (or right): `metav1.Status`.
//!
//! Clients match on code and reason, people read the message, and tools such as `kubectl delete` read the details.
//! So each failure has one constructor with upstream's text.
//!
//! Source of texts and codes: apimachinery's `api/errors`.

mod causes;

pub(crate) use causes::aggregate as sentence;
pub use causes::{Cause, CauseType};

use serde_json::{Map, Value, json};
use thiserror::Error;

use crate::resources::{GroupKind, GroupResource, GroupVersionKind};

/// A failure of a request, as the API tells it.
#[derive(Clone, Debug, PartialEq, Error)]
#[error("{message}")]
pub struct Status {
    /// The HTTP status code.
    pub code: u16,
    /// The word that programs match on: `NotFound`.
    pub reason: &'static str,
    /// The sentence that people read.
    pub message: String,
    /// What it is about.
    pub details: Box<Details>,
}

/// What a [`Status`] is about; empty parts are left out of the document.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Details {
    /// The object's name.
    pub name: String,
    /// The group of the resource.
    pub group: String,
    /// The plural name of the resource, or the kind for [`Status::invalid`].
    pub kind: String,
    /// The object's unique id.
    pub uid: String,
    /// Field by field, what is wrong.
    pub causes: Vec<Cause>,
    /// After how many seconds a retry may help; 0 where it says nothing.
    pub retry_after_seconds: u32,
}

impl Details {
    fn of(resource: &GroupResource, name: &str) -> Self {
        Details {
            name: name.to_owned(),
            group: resource.group.clone(),
            kind: resource.resource.clone(),
            ..Details::default()
        }
    }
}

impl Status {
    fn new(code: u16, reason: &'static str, message: impl Into<String>, details: Details) -> Self {
        Status {
            code,
            reason,
            message: message.into(),
            details: Box::new(details),
        }
    }

    /// 404: the object is not there.
    pub fn not_found(resource: &GroupResource, name: &str) -> Self {
        Status::new(
            404,
            "NotFound",
            format!("{resource} {name:?} not found"),
            Details::of(resource, name),
        )
    }

    /// 404: the path is not served.
    pub fn no_such_path() -> Self {
        Status::new(
            404,
            "NotFound",
            "the server could not find the requested resource",
            Details::default(),
        )
    }

    /// 409: a create of a name that is taken.
    pub fn already_exists(resource: &GroupResource, name: &str) -> Self {
        Status::new(
            409,
            "AlreadyExists",
            format!("{resource} {name:?} already exists"),
            Details::of(resource, name),
        )
    }

    /// 409: the generated name was taken; a retry draws another.
    pub fn generate_name_conflict(resource: &GroupResource, name: &str) -> Self {
        let message = format!(
            "{resource} {name:?} already exists, the server was not able to generate a unique name for the object"
        );
        let details = Details {
            retry_after_seconds: 1,
            ..Details::of(resource, name)
        };
        Status::new(409, "AlreadyExists", message, details)
    }

    /// 409: a write that does not fit what is stored, for a reason of its own.
    pub fn conflict(resource: &GroupResource, name: &str, why: &str) -> Self {
        let message = format!("Operation cannot be fulfilled on {resource} {name:?}: {why}");
        Status::new(409, "Conflict", message, Details::of(resource, name))
    }

    /// 409: the object changed since it was read.
    pub fn modified(resource: &GroupResource, name: &str) -> Self {
        Status::conflict(
            resource,
            name,
            "the object has been modified; please apply your changes to the latest version and try again",
        )
    }

    /// 409: fields belong to other managers (server-side apply). The causes are one for each field.
    pub fn apply_conflict(message: String, causes: Vec<Cause>) -> Self {
        Status::new(
            409,
            "Conflict",
            message,
            Details {
                causes,
                ..Details::default()
            },
        )
    }

    /// 422: the object breaks rules; one cause for each.
    pub fn invalid(kind: &GroupKind, name: &str, causes: Vec<Cause>) -> Self {
        let message = format!("{kind} {name:?} is invalid: {}", sentence(&causes));
        let details = Details {
            name: name.to_owned(),
            group: kind.group.clone(),
            kind: kind.kind.clone(),
            causes,
            ..Details::default()
        };
        Status::new(422, "Invalid", message, details)
    }

    /// 400: the request makes no sense.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Status::new(400, "BadRequest", message, Details::default())
    }

    /// 400: the body has fields that the kind does not know, or one field twice (`fieldValidation=Strict`).
    pub fn strict_decoding(kind: &GroupVersionKind, errors: &[String]) -> Self {
        let GroupVersionKind { version, kind, .. } = kind;
        Status::bad_request(format!(
            "{kind} in version {version:?} cannot be handled as a {kind}: strict decoding error: {}",
            errors.join(", ")
        ))
    }

    /// 400: the body does not decode into the kind.
    pub fn cannot_decode(kind: &GroupVersionKind, why: &str) -> Self {
        let GroupVersionKind { version, kind, .. } = kind;
        Status::bad_request(format!(
            "{kind} in version {version:?} cannot be handled as a {kind}: {why}"
        ))
    }

    /// 401: no or bad credentials.
    pub fn unauthorized() -> Self {
        Status::new(401, "Unauthorized", "Unauthorized", Details::default())
    }

    /// 403: the request is refused; `why` is the sentence after the colon.
    pub fn forbidden(resource: &GroupResource, name: &str, why: &str) -> Self {
        let message = match (resource.resource.is_empty(), name.is_empty()) {
            (true, _) => format!("forbidden: {why}"),
            (false, true) => format!("{resource} is forbidden: {why}"),
            (false, false) => format!("{resource} {name:?} is forbidden: {why}"),
        };
        Status::new(403, "Forbidden", message, Details::of(resource, name))
    }

    /// 405: the resource does not know this action.
    pub fn method_not_supported(resource: &GroupResource, action: &str) -> Self {
        let message = format!(
            "{action} is not supported on resources of kind {:?}",
            resource.to_string()
        );
        Status::new(405, "MethodNotAllowed", message, Details::of(resource, ""))
    }

    /// 405: the path does not know this HTTP method.
    pub fn method_not_allowed() -> Self {
        Status::new(
            405,
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource",
            Details::default(),
        )
    }

    /// 406: none of the media types that the client takes can be made.
    pub fn not_acceptable(accepted: &[&str]) -> Self {
        let message = format!("only the following media types are accepted: {}", accepted.join(", "));
        Status::new(406, "NotAcceptable", message, Details::default())
    }

    /// 410: the resource version or continue token is too old.
    pub fn expired(message: impl Into<String>) -> Self {
        Status::new(410, "Expired", message, Details::default())
    }

    /// 410: the watch or list asks for a resource version that was compacted away.
    pub fn resource_version_too_old(requested: u64, oldest: u64) -> Self {
        Status::expired(format!("too old resource version: {requested} ({oldest})"))
    }

    /// 413: the body is larger than the limit, in bytes.
    pub fn request_entity_too_large(limit_bytes: usize) -> Self {
        let message = format!("Request entity too large: limit is {limit_bytes}");
        Status::new(413, "RequestEntityTooLarge", message, Details::default())
    }

    /// 415: the body is of a media type that this path does not read.
    pub fn unsupported_media_type(accepted: &[&str]) -> Self {
        let message = format!(
            "the body of the request was in an unknown format - accepted media types include: {}",
            accepted.join(", ")
        );
        Status::new(415, "UnsupportedMediaType", message, Details::default())
    }

    /// 422: a patch cannot be applied to the object.
    pub fn unprocessable_patch(why: &str) -> Self {
        Status::new(
            422,
            "Invalid",
            format!("the server rejected our request due to an error in our request: {why}"),
            Details::default(),
        )
    }

    /// 429: a limit is reached; wait and retry.
    pub fn too_many_requests(message: impl Into<String>, retry_after_seconds: u32) -> Self {
        Status::new(
            429,
            "TooManyRequests",
            message,
            Details {
                retry_after_seconds,
                ..Details::default()
            },
        )
    }

    /// 429: an eviction would violate a PodDisruptionBudget; the cause says which and why.
    pub fn disruption_budget(budget: &str, why: &str) -> Self {
        let mut status =
            Status::too_many_requests("Cannot evict pod as it would violate the pod's disruption budget.", 0);
        status.details.causes.push(Cause {
            kind: CauseType::DisruptionBudget,
            field: String::new(),
            detail: format!("The disruption budget {budget} {why}"),
        });
        status
    }

    /// 500: a defect of the server.
    pub fn internal_error(why: &str) -> Self {
        let cause = Cause {
            kind: CauseType::Other(""),
            field: String::new(),
            detail: why.to_owned(),
        };
        let details = Details {
            causes: vec![cause],
            ..Details::default()
        };
        Status::new(500, "InternalError", format!("Internal error occurred: {why}"), details)
    }

    /// 503: try again later.
    pub fn service_unavailable(why: &str) -> Self {
        Status::new(503, "ServiceUnavailable", why, Details::default())
    }

    /// 504: the request took too long.
    pub fn timeout(message: &str, retry_after_seconds: u32) -> Self {
        let message = format!("Timeout: {message}");
        Status::new(
            504,
            "Timeout",
            message,
            Details {
                retry_after_seconds,
                ..Details::default()
            },
        )
    }

    /// With the unique id of the object it is about.
    pub fn with_uid(mut self, uid: &str) -> Self {
        self.details.uid = uid.to_owned();
        self
    }

    /// The document: `kind: Status`.
    pub fn to_value(&self) -> Value {
        let mut details = Map::new();
        let Details {
            name,
            group,
            kind,
            uid,
            causes,
            retry_after_seconds,
        } = &*self.details;
        for (key, text) in [("name", name), ("group", group), ("kind", kind), ("uid", uid)] {
            if !text.is_empty() {
                details.insert(key.into(), json!(text));
            }
        }
        if !causes.is_empty() {
            details.insert("causes".into(), causes.iter().map(Cause::to_value).collect());
        }
        if *retry_after_seconds > 0 {
            details.insert("retryAfterSeconds".into(), json!(retry_after_seconds));
        }
        let mut document = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "reason": self.reason,
        });
        if !details.is_empty() {
            document["details"] = Value::Object(details);
        }
        document["code"] = json!(self.code);
        document
    }
}

/// The answer to a delete that is done: a Status of success that names what went, by unique id.
pub fn deleted(resource: &GroupResource, name: &str, uid: &str) -> Value {
    let mut details = json!({"name": name, "kind": resource.resource, "uid": uid});
    if !resource.group.is_empty() {
        details["group"] = json!(resource.group);
    }
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(status: Status, code: u16, reason: &str, message: &str) {
        assert_eq!((status.code, status.reason, &*status.message), (code, reason, message));
    }

    #[test]
    fn texts_of_upstream() {
        let deployments = GroupResource::new("apps", "deployments");
        let pods = GroupResource::new("", "pods");
        check(
            Status::not_found(&deployments, "x"),
            404,
            "NotFound",
            "deployments.apps \"x\" not found",
        );
        check(
            Status::already_exists(&pods, "x"),
            409,
            "AlreadyExists",
            "pods \"x\" already exists",
        );
        check(
            Status::modified(&deployments, "x"),
            409,
            "Conflict",
            "Operation cannot be fulfilled on deployments.apps \"x\": the object has been modified; \
             please apply your changes to the latest version and try again",
        );
        let kind = GroupKind {
            group: "apps".into(),
            kind: "Deployment".into(),
        };
        check(
            Status::invalid(&kind, "x", vec![Cause::required("spec.selector", "")]),
            422,
            "Invalid",
            "Deployment.apps \"x\" is invalid: spec.selector: Required value",
        );
        check(
            Status::invalid(
                &kind,
                "x",
                vec![
                    Cause::required("spec.a", ""),
                    Cause::invalid("spec.b", &json!(-1), "must be greater than or equal to 0"),
                ],
            ),
            422,
            "Invalid",
            "Deployment.apps \"x\" is invalid: [spec.a: Required value, spec.b: Invalid value: -1: must be greater than or equal to 0]",
        );
        check(
            Status::strict_decoding(
                &GroupVersionKind::new("apps", "v1", "Deployment"),
                &["unknown field \"spec.foo\"".into(), "unknown field \"spec.bar\"".into()],
            ),
            400,
            "BadRequest",
            "Deployment in version \"v1\" cannot be handled as a Deployment: strict decoding error: \
             unknown field \"spec.foo\", unknown field \"spec.bar\"",
        );
        check(
            Status::forbidden(&pods, "x", "no"),
            403,
            "Forbidden",
            "pods \"x\" is forbidden: no",
        );
        check(
            Status::resource_version_too_old(3, 9),
            410,
            "Expired",
            "too old resource version: 3 (9)",
        );
    }

    #[test]
    fn the_document() {
        let status = Status::not_found(&GroupResource::new("", "pods"), "x").with_uid("u");
        assert_eq!(
            serde_json::to_string(&status.to_value()).ok().as_deref(),
            Some(
                r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"pods \"x\" not found","reason":"NotFound","details":{"name":"x","kind":"pods","uid":"u"},"code":404}"#
            )
        );
    }
}
