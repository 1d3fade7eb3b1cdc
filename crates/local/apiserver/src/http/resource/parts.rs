//! Writes to parts of an object, actions on it, and questions: whatever a POST, PUT or PATCH means beyond the object itself.

use apimachinery::status::Status;
use http::{Method, Response, StatusCode};
use serde_json::Value;

use super::Request;
use crate::http::answer::{self, Body};
use crate::http::review;

/// Groups whose kinds are questions.
const REVIEW_GROUPS: [&str; 2] = ["authorization.k8s.io", "authentication.k8s.io"];

impl Request<'_> {
    /// Writes of parts that are no form of the object itself; `None` leaves the request to the common verbs.
    pub(super) fn subresource_write(&self, method: &Method, bytes: &[u8]) -> Result<Option<Response<Body>>, Status> {
        let registry = &self.shared.registry;
        let options = self.query.write_options(&self.user_agent)?;
        let document = match (self.target.subresource.as_str(), method) {
            ("scale", &Method::PUT) => {
                let scale = self.document(bytes)?;
                registry.rescale(&self.target, &options, |_| Ok(scale.clone()))?
            }
            ("scale", &Method::PATCH) => {
                let (kind, patch) = self.patch_body(bytes)?;
                registry.patch_scale(&self.target, kind, &patch, &options)?
            }
            ("binding", &Method::POST) => {
                let binding = self.document(bytes)?;
                return self.done(registry.bind(&self.target, &binding, &options)?);
            }
            ("", &Method::POST) if self.target.served.storage.kind == "Binding" => {
                let binding = self.document(bytes)?;
                return self.done(registry.bind(&self.target, &binding, &options)?);
            }
            ("token", &Method::POST) => {
                let request = self.document(bytes)?;
                let token = review::token(self.shared, &self.target, &request)?;
                return self.encoded(StatusCode::CREATED, answer::to_bytes(&token)).map(Some);
            }
            ("", &Method::POST) if REVIEW_GROUPS.contains(&self.target.served.resource.kind.group.as_str()) => {
                let review = self.document(bytes)?;
                let answer = review::answer(self.shared, self.user, &self.target, &review)?;
                let Some(answer) = answer else { return Ok(None) };
                return self.encoded(StatusCode::CREATED, answer::to_bytes(&answer)).map(Some);
            }
            ("eviction", &Method::POST) => {
                let eviction = self.document(bytes)?;
                return self.done(registry.evict(&self.target, &eviction)?);
            }
            ("" | "status" | "finalize" | "approval" | "resize" | "ephemeralcontainers", _) => return Ok(None),
            _ => return Err(Status::method_not_allowed()),
        };
        self.encoded(StatusCode::OK, answer::to_bytes(&document)).map(Some)
    }

    /// An action that leaves no object behind.
    fn done(&self, status: Value) -> Result<Option<Response<Body>>, Status> {
        Ok(Some(answer::document(StatusCode::CREATED, &status)))
    }
}
