//! The frame of every answer.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use promql::engine::{Annotation, QueryError, Severity};

use super::json::Json;

/// An answer that says what is wrong.
#[derive(Debug)]
pub(super) struct ApiError {
    status: StatusCode,
    kind: &'static str,
    message: String,
}

impl ApiError {
    pub(super) fn bad_data(message: impl ToString) -> Self {
        ApiError {
            status: StatusCode::BAD_REQUEST,
            kind: "bad_data",
            message: message.to_string(),
        }
    }

    /// A parameter that cannot be read.
    pub(super) fn parameter(name: &str, message: impl std::fmt::Display) -> Self {
        ApiError::bad_data(format!("invalid parameter {name:?}: {message}"))
    }

    pub(super) fn not_found(message: &str) -> Self {
        ApiError {
            status: StatusCode::NOT_FOUND,
            kind: "not_found",
            message: message.to_owned(),
        }
    }

    pub(super) fn internal(message: impl ToString) -> Self {
        ApiError {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            kind: "internal",
            message: message.to_string(),
        }
    }
}

impl From<QueryError> for ApiError {
    fn from(error: QueryError) -> Self {
        let status = match error {
            QueryError::BadData(_) => StatusCode::BAD_REQUEST,
            QueryError::Execution(_) => StatusCode::UNPROCESSABLE_ENTITY,
            // Upstream answers a canceled query like one that ran out of time.
            QueryError::Timeout | QueryError::Canceled => StatusCode::SERVICE_UNAVAILABLE,
        };
        ApiError {
            status,
            kind: error.error_type(),
            message: error.to_string(),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut json = Json::default();
        json.raw("{\"status\":\"error\",\"errorType\":").string(self.kind);
        json.raw(",\"error\":").string(&self.message).raw('}');
        respond(self.status, json)
    }
}

/// A successful answer: data and remarks.
#[derive(Debug, Default)]
pub(super) struct Reply {
    data: Json,
    warnings: Vec<String>,
    infos: Vec<String>,
}

pub(super) type Result = std::result::Result<Reply, ApiError>;

impl Reply {
    pub(super) fn new(write: impl FnOnce(&mut Json)) -> Self {
        let mut data = Json::default();
        write(&mut data);
        Reply {
            data,
            ..Reply::default()
        }
    }

    pub(super) fn warn(mut self, warning: impl Into<String>) -> Self {
        self.warnings.push(warning.into());
        self
    }

    pub(super) fn annotate(mut self, annotations: &[Annotation]) -> Self {
        for annotation in annotations {
            match annotation.severity {
                Severity::Warning => self.warnings.push(annotation.to_string()),
                Severity::Info => self.infos.push(annotation.to_string()),
            }
        }
        self
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let mut json = Json(String::with_capacity(self.data.0.len() + 64));
        json.raw("{\"status\":\"success\",\"data\":").raw(&self.data.0);
        for (name, remarks) in [("warnings", &self.warnings), ("infos", &self.infos)] {
            if !remarks.is_empty() {
                json.raw(',').string(name).raw(':').list(remarks, |json, remark| {
                    json.string(remark);
                });
            }
        }
        json.raw('}');
        respond(StatusCode::OK, json)
    }
}

fn respond(status: StatusCode, json: Json) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], json.0).into_response()
}
