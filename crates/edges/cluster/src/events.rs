//! Kubernetes Events: what `kubectl describe` shows under an object.
//!
//! Loops say something happened; a task of its own writes it, so that a slow server slows no loop. The same
//! thing said again about the same object raises the count of its Event instead of adding one.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flyball_core::{Clock, Timestamp};
use k8s_openapi::api::core::v1::{Event, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::Resource;
use kube::api::ObjectMeta;
use serde_json::json;
use tokio::sync::mpsc;

use crate::{Cluster, Error, Patch};

/// How an Event is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventType {
    /// Worth knowing.
    Normal,
    /// Worth a look.
    Warning,
}

impl EventType {
    /// The word that the API uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::Warning => "Warning",
        }
    }
}

/// Events that wait to be written; beyond it they are dropped and counted: a burst of hundreds says nothing
/// that its first thousand do not.
const BACKLOG_LIMIT: usize = 1024;

/// Series that are remembered so that repetitions raise a count; an older one starts a new Event.
const SERIES_LIMIT: usize = 512;

/// Longest message that the API server accepts (validation of `core/v1` Event), in bytes.
const MESSAGE_BYTES_MAX: usize = 1024;

/// Says what happened to objects. Clones share the backlog.
#[derive(Clone)]
pub struct EventRecorder {
    note_tx: mpsc::Sender<Note>,
    clock: Arc<dyn Clock>,
    component: Arc<str>,
    dropped: Arc<AtomicU64>,
}

/// `EventRecorder` --what happened--> the writing task.
struct Note {
    about: ObjectReference,
    event_type: EventType,
    reason: String,
    message: String,
    component: Arc<str>,
    time: Timestamp,
}

impl EventRecorder {
    /// A recorder that speaks for `component`, such as `deployment-controller`. Its task ends when the last
    /// clone is dropped and the backlog is written.
    pub fn start(cluster: &Cluster, component: &str, clock: Arc<dyn Clock>) -> Self {
        let (note_tx, note_rx) = mpsc::channel(BACKLOG_LIMIT);
        tokio::spawn(write(cluster.clone(), note_rx));
        Self {
            note_tx,
            clock,
            component: component.into(),
            dropped: Arc::default(),
        }
    }

    /// A recorder that shares this one's task and speaks for another component.
    pub fn speaking_for(&self, component: &str) -> Self {
        Self {
            component: component.into(),
            ..self.clone()
        }
    }

    /// Says that something happened to the object that `about` names. Never waits.
    pub fn record(&self, about: ObjectReference, event_type: EventType, reason: &str, message: &str) {
        let note = Note {
            about,
            event_type,
            reason: reason.to_owned(),
            message: shortened(message),
            component: self.component.clone(),
            time: self.clock.now(),
        };
        if self.note_tx.try_send(note).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// As [`Self::record`], about a typed object.
    pub fn about<K>(&self, object: &K, event_type: EventType, reason: &str, message: &str)
    where
        K: Resource<DynamicType = ()>,
    {
        self.record(object.object_ref(&()), event_type, reason, message);
    }

    /// Events that were dropped because the backlog was full.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

fn shortened(message: &str) -> String {
    if message.len() <= MESSAGE_BYTES_MAX {
        return message.to_owned();
    }
    let mut end = MESSAGE_BYTES_MAX - "…".len();
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &message[..end])
}

/// What makes two notes the same thing said again.
#[derive(PartialEq)]
struct SeriesKey {
    about: ObjectReference,
    event_type: &'static str,
    reason: String,
    message: String,
    component: Arc<str>,
}

struct Series {
    key: SeriesKey,
    name: String,
    count: i32,
}

async fn write(cluster: Cluster, mut note_rx: mpsc::Receiver<Note>) {
    let mut series = VecDeque::<Series>::new();
    let mut sequence = 0_u32;
    while let Some(note) = note_rx.recv().await {
        let key = SeriesKey {
            // The same object at another revision is the same object.
            about: ObjectReference {
                resource_version: None,
                ..note.about.clone()
            },
            event_type: note.event_type.as_str(),
            reason: note.reason.clone(),
            message: note.message.clone(),
            component: note.component.clone(),
        };
        let known = series
            .iter()
            .position(|known| known.key == key)
            .and_then(|at| series.remove(at));
        let written = match known {
            Some(known) => raise_count(&cluster, &note, known).await,
            None => None,
        };
        let written = match written {
            Some((name, count)) => Some((name, count)),
            None => {
                sequence = sequence.wrapping_add(1);
                create(&cluster, &note, sequence).await.map(|name| (name, 1))
            }
        };
        if let Some((name, count)) = written {
            series.truncate(SERIES_LIMIT - 1);
            series.push_front(Series { key, name, count });
        }
    }
}

fn namespace_of(about: &ObjectReference) -> &str {
    about.namespace.as_deref().unwrap_or("default")
}

async fn raise_count(cluster: &Cluster, note: &Note, series: Series) -> Option<(String, i32)> {
    let count = series.count.saturating_add(1);
    let patch = Patch::Merge(json!({ "count": count, "lastTimestamp": Time(note.time) }));
    let events = cluster.objects::<Event>(namespace_of(&note.about));
    match events.patch(&series.name, &patch).await {
        Ok(_) => Some((series.name, count)),
        Err(Error::NotFound(_)) => None,
        Err(error) => {
            tracing::debug!(%error, "event series not updated");
            Some((series.name, count))
        }
    }
}

async fn create(cluster: &Cluster, note: &Note, sequence: u32) -> Option<String> {
    let namespace = namespace_of(&note.about);
    let subject = note.about.name.as_deref().unwrap_or("unknown");
    // The time as client-go has it, and a sequence number for two in the same nanosecond of a paused clock.
    let nanoseconds = note.time.as_nanosecond() & i128::from(u64::MAX);
    let name = format!("{subject}.{nanoseconds:x}{:x}", sequence & 0xff);
    let event = Event {
        metadata: ObjectMeta {
            name: Some(name.clone()),
            namespace: Some(namespace.to_owned()),
            ..ObjectMeta::default()
        },
        involved_object: note.about.clone(),
        type_: Some(note.event_type.as_str().to_owned()),
        reason: Some(note.reason.clone()),
        message: Some(note.message.clone()),
        count: Some(1),
        first_timestamp: Some(Time(note.time)),
        last_timestamp: Some(Time(note.time)),
        source: Some(EventSource {
            component: Some(note.component.to_string()),
            host: None,
        }),
        reporting_component: Some(note.component.to_string()),
        ..Event::default()
    };
    match cluster.objects::<Event>(namespace).create(&event).await {
        Ok(_) => Some(name),
        Err(error) => {
            tracing::debug!(%error, reason = note.reason, "event not written");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let long = "ä".repeat(MESSAGE_BYTES_MAX);
        let cut = shortened(&long);
        assert!(cut.len() <= MESSAGE_BYTES_MAX && cut.ends_with('…'), "{}", cut.len());
        assert_eq!(shortened("short"), "short");
    }
}
