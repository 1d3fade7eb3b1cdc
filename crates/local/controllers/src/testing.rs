//! Short ways to write objects in tests.

use flyball_core::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// An object from JSON.
pub(crate) fn object<K: DeserializeOwned>(value: Value) -> K {
    serde_json::from_value(value).unwrap()
}

/// So many seconds after (or before) a fixed instant.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_767_268_800 + seconds).unwrap()
}

/// The status of a running Pod whose `Ready` condition has been `word` since `since` seconds.
pub(crate) fn pod_status(word: &str, since: i64) -> Value {
    json!({
        "phase": "Running", "podIP": "127.8.0.1",
        "conditions": [{ "type": "Ready", "status": word, "lastTransitionTime": at(since) }],
    })
}
