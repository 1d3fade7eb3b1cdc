//! Requests for objects: which verb they are, and what they get.

mod parts;

use apimachinery::resources::RequestPath;
use apimachinery::status::{self, Status};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use serde_json::Value;

use super::answer::{self, Body, JSON};
use super::call::Call;
use super::negotiate::{Accepted, Encoding, negotiate};
use super::query::Query;
use super::{Shared, body, render, session, watch};
use crate::convert::convert;
use crate::registry::{DeleteOptions, Deletion, PatchKind, Selection, Target, WriteOptions, Written};
use crate::rules;
use crate::user::User;

/// A request for objects, understood.
struct Request<'a> {
    shared: &'a Shared,
    user: &'a User,
    target: Target,
    query: Query,
    accepted: Accepted,
    content_type: String,
    user_agent: String,
}

/// Answers a request for objects.
pub(crate) async fn answer<B>(
    shared: &Shared,
    user: &User,
    parts: &Parts,
    call: &Call,
    body: B,
) -> Result<Response<Body>, Status>
where
    B: http_body::Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let path = call.resource.as_ref().ok_or_else(Status::no_such_path)?;
    let header = |name| {
        parts
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned()
    };
    let request = Request {
        shared,
        user,
        target: target_of(shared, path)?,
        query: call.query.clone(),
        accepted: negotiate(&header(http::header::ACCEPT))?.including(call.query.text("includeObject"))?,
        content_type: header(http::header::CONTENT_TYPE),
        user_agent: header(http::header::USER_AGENT),
    };
    let (target, query) = (&request.target, &request.query);
    match (target.subresource.as_str(), &parts.method) {
        ("log", &Method::GET) => return super::pod::log(shared, target, query).await,
        ("exec" | "attach", &Method::GET | &Method::POST) => return session::exec(shared, target, query, parts).await,
        ("portforward", &Method::GET | &Method::POST) => {
            return session::port_forward(shared, target, query, parts).await;
        }
        _ => {}
    }
    let watched = call.is_watch();
    if parts.method == Method::GET || parts.method == Method::HEAD {
        return match (request.target.name.is_empty(), watched) {
            (true, false) => request.list(),
            (_, true) => request.watch(),
            (false, false) => request.get(),
        };
    }
    let bytes = body::read(body).await?;
    if let Some(response) = request.subresource_write(&parts.method, &bytes)? {
        return Ok(response);
    }
    match (&parts.method, request.target.name.is_empty()) {
        (&Method::POST, true) => request.create(&bytes),
        (&Method::PUT, false) => request.update(&bytes),
        (&Method::PATCH, false) => request.patch(&bytes),
        (&Method::DELETE, false) => request.delete(&bytes),
        (&Method::DELETE, true) => request.delete_collection(&bytes),
        _ => Err(Status::method_not_allowed()),
    }
}

/// What a path is about, 404 where it is not served.
fn target_of(shared: &Shared, path: &RequestPath) -> Result<Target, Status> {
    let kinds = shared.registry.kinds();
    let served = kinds
        .find(&path.group_version_resource())
        .ok_or_else(Status::no_such_path)?
        .clone();
    let name = path.name.clone().unwrap_or_default();
    let subresource = path.subresource.clone().unwrap_or_default();
    if !subresource.is_empty() && served.resource.subresource(&subresource).is_none() {
        return Err(Status::no_such_path());
    }
    let namespace = match (&path.namespace, served.resource.namespaced()) {
        (Some(namespace), true) => namespace.clone(),
        (None, true) if !name.is_empty() => return Err(Status::no_such_path()),
        _ => String::new(),
    };
    Ok(Target {
        served,
        namespace,
        name,
        subresource,
    })
}

impl Request<'_> {
    fn get(&self) -> Result<Response<Body>, Status> {
        if matches!(
            self.target.subresource.as_str(),
            "proxy" | "binding" | "eviction" | "token" | "finalize"
        ) {
            return Err(Status::method_not_allowed());
        }
        if self.target.subresource == "scale" {
            let scale = self.shared.registry.scale(&self.target)?;
            return self.encoded(StatusCode::OK, answer::to_bytes(&scale));
        }
        let stored = self.shared.registry.get(&self.target)?;
        let bytes = render::object(
            &self.target.served,
            self.accepted.view,
            &stored,
            self.shared.registry.now(),
        );
        self.encoded(StatusCode::OK, bytes)
    }

    fn list(&self) -> Result<Response<Body>, Status> {
        let page = self
            .shared
            .registry
            .list(&self.target, &self.selection()?, &self.query.list_options()?)?;
        let bytes = render::list(
            &self.target.served,
            self.accepted.view,
            &page,
            self.shared.registry.now(),
        );
        self.encoded(StatusCode::OK, bytes)
    }

    fn watch(&self) -> Result<Response<Body>, Status> {
        watch::open(
            &self.shared.registry,
            &self.target,
            self.selection()?,
            &self.query,
            self.accepted.view,
        )
    }

    /// The body; one that does not say its kind is of the kind of the path.
    fn document(&self, bytes: &[u8]) -> Result<Value, Status> {
        body::document(&self.content_type, bytes, &self.target.served.resource.kind)
    }

    fn patch_body(&self, bytes: &[u8]) -> Result<(PatchKind, Value), Status> {
        let kind = PatchKind::of_content_type(&self.content_type)
            .ok_or_else(|| Status::unsupported_media_type(&PatchKind::MEDIA_TYPES))?;
        let patch = if kind == PatchKind::Apply {
            body::yaml(bytes)?
        } else {
            body::json(bytes)?
        };
        Ok((kind, patch))
    }

    fn selection(&self) -> Result<Selection, Status> {
        let fields = self.query.text("fieldSelector");
        let name = &self.target.name;
        // The deprecated watch of one object by its path is a watch of the collection that one name selects.
        let fields = if name.is_empty() {
            fields.to_owned()
        } else {
            format!("metadata.name={name}")
        };
        Selection::new(&self.target, self.query.text("labelSelector"), &fields)
    }

    fn create(&self, bytes: &[u8]) -> Result<Response<Body>, Status> {
        let options = self.query.write_options(&self.user_agent)?;
        let (object, warnings) = self.stored_form(bytes, &options)?;
        let written = self.shared.registry.create(&self.target, object, &options)?;
        self.written(StatusCode::CREATED, written, &warnings)
    }

    fn update(&self, bytes: &[u8]) -> Result<Response<Body>, Status> {
        let options = self.query.write_options(&self.user_agent)?;
        let (object, warnings) = self.stored_form(bytes, &options)?;
        let written = self.shared.registry.update(&self.target, object, &options)?;
        self.written(StatusCode::OK, written, &warnings)
    }

    fn patch(&self, bytes: &[u8]) -> Result<Response<Body>, Status> {
        let (kind, patch) = self.patch_body(bytes)?;
        let options = self.query.write_options(&self.user_agent)?;
        if kind == PatchKind::Apply {
            return self.apply(&patch, &options);
        }
        let (written, warnings) = self.shared.registry.patch(&self.target, kind, &patch, &options)?;
        self.written(StatusCode::OK, written, &warnings)
    }

    fn apply(&self, configuration: &Value, options: &WriteOptions) -> Result<Response<Body>, Status> {
        if self.query.text("fieldManager").is_empty() {
            let why =
                "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch";
            return Err(Status::bad_request(why));
        }
        let applied = self.shared.registry.apply(&self.target, configuration, options)?;
        let code = if applied.created {
            StatusCode::CREATED
        } else {
            StatusCode::OK
        };
        self.written(code, applied.written, &applied.warnings)
    }

    fn delete(&self, bytes: &[u8]) -> Result<Response<Body>, Status> {
        let deletion = self
            .shared
            .registry
            .delete(&self.target, &self.delete_options(bytes)?)?;
        match deletion {
            Deletion::Done(last) => {
                let uid = last.value()["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
                let resource = self.target.group_resource();
                if returns_deleted(&self.target) {
                    let bytes = render::object(
                        &self.target.served,
                        self.accepted.view,
                        &last,
                        self.shared.registry.now(),
                    );
                    return self.encoded(StatusCode::OK, bytes);
                }
                let document = status::deleted(&resource, &self.target.name, &uid);
                Ok(answer::document(StatusCode::OK, &document))
            }
            Deletion::Pending(written) => self.written(StatusCode::OK, written, &[]),
        }
    }

    fn delete_collection(&self, bytes: &[u8]) -> Result<Response<Body>, Status> {
        let options = self.delete_options(bytes)?;
        let page = self
            .shared
            .registry
            .list(&self.target, &self.selection()?, &self.query.list_options()?)?;
        for object in &page.objects {
            let target = Target {
                namespace: object.namespace().to_owned(),
                name: object.name().to_owned(),
                ..self.target.clone()
            };
            match self.shared.registry.delete(&target, &options) {
                Err(status) if status.code != StatusCode::NOT_FOUND.as_u16() => return Err(status),
                _ => {}
            }
        }
        let bytes = render::list(
            &self.target.served,
            self.accepted.view,
            &page,
            self.shared.registry.now(),
        );
        self.encoded(StatusCode::OK, bytes)
    }

    fn delete_options(&self, bytes: &[u8]) -> Result<DeleteOptions, Status> {
        let query = self.query.delete_options()?;
        let body = DeleteOptions::from_value(&self.document(bytes)?)?;
        Ok(DeleteOptions {
            dry_run: body.dry_run || query.dry_run,
            grace_period_seconds: body.grace_period_seconds.or(query.grace_period_seconds),
            propagation: body.propagation.or(query.propagation),
            preconditions: body.preconditions,
        })
    }

    /// A body of a client, checked to be of the kind of the path and brought into the version that is stored.
    fn stored_form(&self, bytes: &[u8], options: &WriteOptions) -> Result<(Value, Vec<String>), Status> {
        let mut object = self.document(bytes)?;
        let kind = &self.target.served.resource.kind;
        let text = |field: &str| object[field].as_str().unwrap_or_default().to_owned();
        if !object.is_object() {
            return Err(Status::bad_request("the body of the request is not an object"));
        }
        let (api_version, name) = (text("apiVersion"), text("kind"));
        if !api_version.is_empty() && (api_version != kind.api_version() || name != kind.kind) {
            return Err(Status::bad_request(format!(
                "the API version in the data ({api_version}, Kind={name}) does not match the expected API version ({}, Kind={})",
                kind.api_version(),
                kind.kind
            )));
        }
        object["apiVersion"] = kind.api_version().into();
        object["kind"] = kind.kind.clone().into();
        let text = if body::is_json(&self.content_type) { bytes } else { &[] };
        let warnings = rules::decode(&self.target.served, text, &mut object, options.field_validation)?;
        Ok((convert(object, &self.target.served.storage), warnings))
    }

    fn written(&self, code: StatusCode, written: Written, warnings: &[String]) -> Result<Response<Body>, Status> {
        let now = self.shared.registry.now();
        let bytes = match written {
            Written::Stored(stored) => render::object(&self.target.served, self.accepted.view, &stored, now),
            Written::DryRun(value) => answer::to_bytes(&render::in_version(&self.target.served, value)),
        };
        let mut response = self.encoded(code, bytes)?;
        answer::warn(&mut response, warnings);
        Ok(response)
    }

    /// JSON goes out as it is; YAML is made from it.
    fn encoded(&self, code: StatusCode, json: bytes::Bytes) -> Result<Response<Body>, Status> {
        match self.accepted.encoding {
            Encoding::Json => Ok(answer::bytes(code, JSON, json)),
            Encoding::Yaml => {
                let value = body::json(&json)?;
                let text =
                    serde_saphyr::to_string(&value).map_err(|error| Status::internal_error(&error.to_string()))?;
                Ok(answer::bytes(code, "application/yaml", text.into()))
            }
        }
    }
}

/// Kinds whose delete answers with the last state instead of a Status. Source: `ReturnDeletedObject` in upstream's registries.
fn returns_deleted(target: &Target) -> bool {
    const KINDS: [&str; 7] = [
        "pods",
        "services",
        "serviceaccounts",
        "persistentvolumes",
        "persistentvolumeclaims",
        "podtemplates",
        "resourcequotas",
    ];
    target.served.resource.kind.group.is_empty() && KINDS.contains(&target.served.resource.plural.as_str())
}
