//! What a request may say about how a write is done.

use apimachinery::status::Status;
use serde_json::Value;

/// What happens to fields that a kind does not know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FieldValidation {
    /// The request is refused.
    Strict,
    /// They are dropped, and the answer carries a warning for each.
    #[default]
    Warn,
    /// They are dropped silently.
    Ignore,
}

/// How a write is done.
#[derive(Clone, Debug, Default)]
pub struct WriteOptions {
    /// Everything is checked and nothing is stored.
    pub dry_run: bool,
    /// Who owns the fields that are written; empty for the user agent's name.
    pub field_manager: String,
    /// What happens to unknown fields.
    pub field_validation: FieldValidation,
    /// Server-side apply takes fields from their owners.
    pub force: bool,
}

/// Whether who owns which field is recorded with a write, or has been already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tracking {
    /// What changes belongs to the writer from now on.
    Record,
    /// A server-side apply has recorded it.
    Recorded,
}

/// What becomes of an object's dependents when it is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    /// They lose their owner and stay.
    Orphan,
    /// They go after it.
    Background,
    /// It goes after them.
    Foreground,
}

/// What must hold of an object for its deletion.
#[derive(Clone, Debug, Default)]
pub struct Preconditions {
    /// Its unique id.
    pub uid: Option<String>,
    /// Its resource version.
    pub resource_version: Option<String>,
}

/// How a deletion is done.
#[derive(Clone, Debug, Default)]
pub struct DeleteOptions {
    /// Everything is checked and nothing is deleted.
    pub dry_run: bool,
    /// Seconds that the object may take to end; `None` leaves it to the kind.
    pub grace_period_seconds: Option<i64>,
    /// What becomes of dependents; `None` leaves it to the kind and the finalizers that are set.
    pub propagation: Option<Propagation>,
    /// What must hold.
    pub preconditions: Preconditions,
}

impl DeleteOptions {
    /// Reads a `DeleteOptions` document, the body of a delete; null and empty mean the defaults.
    pub fn from_value(body: &Value) -> Result<Self, Status> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let propagation = match (body["propagationPolicy"].as_str(), body["orphanDependents"].as_bool()) {
            (Some(_), Some(_)) => {
                return Err(Status::bad_request(
                    "orphanDependents and deletionPropagation cannot be both set",
                ));
            }
            (Some(word), None) => Some(Propagation::parse(word)?),
            (None, Some(true)) => Some(Propagation::Orphan),
            (None, Some(false)) => Some(Propagation::Background),
            (None, None) => None,
        };
        Ok(DeleteOptions {
            dry_run: body["dryRun"].as_array().is_some_and(|stages| !stages.is_empty()),
            grace_period_seconds: body["gracePeriodSeconds"].as_i64(),
            propagation,
            preconditions: Preconditions {
                uid: text(&body["preconditions"]["uid"]),
                resource_version: text(&body["preconditions"]["resourceVersion"]),
            },
        })
    }
}

impl Propagation {
    /// Reads the word of `propagationPolicy`.
    pub fn parse(word: &str) -> Result<Self, Status> {
        match word {
            "Orphan" => Ok(Propagation::Orphan),
            "Background" => Ok(Propagation::Background),
            "Foreground" => Ok(Propagation::Foreground),
            other => Err(Status::bad_request(format!(
                "invalid DeleteOptions: propagationPolicy: Unsupported value: \"{other}\": supported values: \
                 \"Foreground\", \"Background\", \"Orphan\""
            ))),
        }
    }
}
