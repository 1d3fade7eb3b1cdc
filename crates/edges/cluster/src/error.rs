//! Failures of the API, classified by what a caller can do about them.

use std::time::Duration;

use kube::core::Status;
use thiserror::Error;

/// What every call returns.
pub type Result<T> = std::result::Result<T, Error>;

/// A failed call. The variant says what can be done; the text says what happened.
#[derive(Debug, Error)]
pub enum Error {
    /// The object, or the resource itself, does not exist.
    #[error("not found: {0}")]
    NotFound(Refusal),
    /// An object of this name exists already.
    #[error("already exists: {0}")]
    AlreadyExists(Refusal),
    /// The object changed since it was read, or another manager owns a field.
    #[error("conflict: {0}")]
    Conflict(Refusal),
    /// The revision asked for is no longer kept.
    #[error("gone: {0}")]
    Gone(Refusal),
    /// The server asks to slow down; an eviction that a budget forbids is said this way too.
    #[error("throttled: {refusal}")]
    Throttled {
        /// How long the server asks to wait, if it says so.
        retry_after: Option<Duration>,
        /// What the server said.
        refusal: Refusal,
    },
    /// The server knows the caller and says no.
    #[error("forbidden: {0}")]
    Forbidden(Refusal),
    /// The server does not know the caller.
    #[error("unauthorized: {0}")]
    Unauthorized(Refusal),
    /// The object or the request breaks a rule; the same request will fail again.
    #[error("invalid: {0}")]
    Invalid(Refusal),
    /// The server failed or could not be reached; whether a write was applied is not known.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// The answer could not be understood.
    #[error("unreadable answer: {0}")]
    Unreadable(String),
    /// The client could not be set up.
    #[error("no usable cluster configuration: {0}")]
    Configuration(String),
}

/// What a server said when it refused.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status code.
    pub code: u16,
    /// The machine-readable reason, such as `FieldManagerConflict`; may be empty.
    pub reason: String,
    /// The sentence for people.
    pub message: String,
    /// Per field: its path and what is wrong with it.
    pub causes: Vec<(String, String)>,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

/// When the same wish may be tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Never as it is: the request itself is wrong or not allowed.
    Never,
    /// After reading the object again.
    AfterReread,
    /// After listing again.
    AfterRelist,
    /// Not before this time has passed.
    After(Duration),
    /// With growing pauses.
    WithBackoff,
}

impl Error {
    /// The rule for trying again.
    pub fn retry(&self) -> Retry {
        match self {
            Self::Conflict(_) | Self::AlreadyExists(_) => Retry::AfterReread,
            Self::Gone(_) => Retry::AfterRelist,
            Self::Throttled {
                retry_after: Some(pause),
                ..
            } => Retry::After(*pause),
            Self::Throttled { .. } | Self::Unavailable(_) | Self::Unreadable(_) => Retry::WithBackoff,
            Self::NotFound(_) | Self::Forbidden(_) | Self::Unauthorized(_) | Self::Invalid(_) => Retry::Never,
            Self::Configuration(_) => Retry::Never,
        }
    }

    /// Whether the object, or the resource itself, does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound(_))
    }

    /// Whether the object changed since it was read.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict(_))
    }

    /// Whether an object of this name exists already.
    pub fn is_already_exists(&self) -> bool {
        matches!(self, Self::AlreadyExists(_))
    }

    fn from_status(status: Status) -> Self {
        let details = status.details;
        let retry_after = details
            .as_ref()
            .map(|details| details.retry_after_seconds)
            .filter(|seconds| *seconds > 0)
            .map(|seconds| Duration::from_secs(seconds.into()));
        let causes = details.map_or_else(Vec::new, |details| {
            let cause = |cause: kube::core::response::StatusCause| (cause.field, cause.message);
            details.causes.into_iter().map(cause).collect()
        });
        let refusal = Refusal {
            code: status.code,
            reason: status.reason,
            message: status.message,
            causes,
        };
        // The reason is more precise than the code; servers that give no reason are judged by the code.
        match (refusal.reason.as_str(), refusal.code) {
            ("AlreadyExists", _) => Self::AlreadyExists(refusal),
            ("Expired" | "Gone", _) | (_, 410) => Self::Gone(refusal),
            ("NotFound", _) | (_, 404) => Self::NotFound(refusal),
            ("Conflict", _) | (_, 409) => Self::Conflict(refusal),
            ("TooManyRequests", _) | (_, 429) => Self::Throttled { retry_after, refusal },
            ("Forbidden", _) | (_, 403) => Self::Forbidden(refusal),
            ("Unauthorized", _) | (_, 401) => Self::Unauthorized(refusal),
            (_, 400..=499) => Self::Invalid(refusal),
            _ => Self::Unavailable(refusal.message),
        }
    }
}

impl From<kube::Error> for Error {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Self::from_status(*status),
            kube::Error::SerdeError(error) => Self::Unreadable(error.to_string()),
            kube::Error::FromUtf8(error) => Self::Unreadable(error.to_string()),
            kube::Error::InferConfig(error) => Self::Configuration(error.to_string()),
            other => Self::Unavailable(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: u16, reason: &str) -> Error {
        kube::Error::Api(Status::failure("said no", reason).with_code(code).boxed()).into()
    }

    #[test]
    fn a_refusal_is_classified_by_reason_then_by_code() {
        for (code, reason, retry) in [
            (409, "AlreadyExists", Retry::AfterReread),
            (409, "Conflict", Retry::AfterReread),
            (410, "Expired", Retry::AfterRelist),
            (404, "NotFound", Retry::Never),
            (404, "", Retry::Never),
            (429, "TooManyRequests", Retry::WithBackoff),
            (422, "Invalid", Retry::Never),
            (500, "InternalError", Retry::WithBackoff),
            (503, "", Retry::WithBackoff),
        ] {
            assert_eq!(status(code, reason).retry(), retry, "{code} {reason}");
        }
        assert!(status(409, "AlreadyExists").is_already_exists());
        assert!(status(409, "Conflict").is_conflict());
    }
}
