//! What a policy sees of an object: `input.review`.

use serde_json::{Map, Value, json};

/// An object under review, in the form of an admission request.
#[derive(Debug, Clone, PartialEq)]
pub struct Review(Value);

impl Review {
    /// The review of an object as it is, or of an AdmissionReview's request.
    pub fn of(object: &Value) -> Self {
        let is_admission_review = object["kind"] == "AdmissionReview";
        match object.get("request").filter(|_| is_admission_review) {
            Some(request) => Self::of_request(request),
            None => Self::of_object(object),
        }
    }

    /// The review of an admission request.
    pub fn of_request(request: &Value) -> Self {
        let mut review = request.clone();
        if let Some(fields) = review.as_object_mut() {
            fields.entry("namespaceObject").or_insert(Value::Null);
        }
        Self(review)
    }

    fn of_object(object: &Value) -> Self {
        let (group, version) = group_version(object);
        let mut review = Map::new();
        review.insert("uid".into(), "".into());
        review.insert(
            "kind".into(),
            json!({"group": group, "version": version, "kind": object["kind"]}),
        );
        review.insert("resource".into(), json!({"group": "", "version": "", "resource": ""}));
        review.insert(
            "name".into(),
            object.pointer("/metadata/name").cloned().unwrap_or_else(|| "".into()),
        );
        if let Some(namespace) = object
            .pointer("/metadata/namespace")
            .filter(|namespace| **namespace != json!(""))
        {
            review.insert("namespace".into(), namespace.clone());
        }
        review.insert("operation".into(), "".into());
        review.insert("userInfo".into(), json!({}));
        review.insert("object".into(), object.clone());
        for absent in ["oldObject", "options", "namespaceObject"] {
            review.insert(absent.into(), Value::Null);
        }
        Self(Value::Object(review))
    }

    /// The review as the policy gets it.
    pub fn as_value(&self) -> &Value {
        &self.0
    }

    /// The object that is judged: the new one, or the old one of a deletion.
    pub fn object(&self) -> &Value {
        let object = &self.0["object"];
        if object.is_null() { &self.0["oldObject"] } else { object }
    }

    /// The object's group and kind: those of the request where it names them, else the object's own.
    pub fn group_kind(&self) -> (String, String) {
        let named = &self.0["kind"];
        match named["kind"].as_str().filter(|kind| !kind.is_empty()) {
            Some(kind) => (named["group"].as_str().unwrap_or_default().to_owned(), kind.to_owned()),
            None => {
                let object = self.object();
                let kind = object["kind"].as_str().unwrap_or_default().to_owned();
                (group_version(object).0.to_owned(), kind)
            }
        }
    }
}

/// Group and version of an object's `apiVersion`.
pub(super) fn group_version(object: &Value) -> (&str, &str) {
    let api_version = object["apiVersion"].as_str().unwrap_or_default();
    api_version.split_once('/').unwrap_or(("", api_version))
}
