//! Writes one Pod's results, in order and without holding up its life: of statuses only the latest counts.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::PodStatus;
use tokio::sync::{mpsc, watch};

use super::{PodEvent, PodRef, PodSink};

/// The most Events that wait; more are dropped, for the status tells the same.
const EVENTS_MAX: usize = 128;

/// The wait before a failed write is tried again, doubled to the maximum.
const RETRY_MIN: Duration = Duration::from_millis(50);
const RETRY_MAX: Duration = Duration::from_secs(5);

/// How often the final deletion is tried; after that the object is the API server's matter.
const DELETE_ATTEMPTS_MAX: usize = 20;

/// The sending side.
pub(super) struct Writer {
    status: watch::Sender<Option<PodStatus>>,
    events: mpsc::Sender<PodEvent>,
    /// Sent when the object may go; dropped when it stays.
    end: watch::Sender<bool>,
}

impl Writer {
    pub(super) fn spawn(sink: Arc<dyn PodSink>, pod: PodRef) -> Self {
        let (status, status_rx) = watch::channel(None);
        let (events, events_rx) = mpsc::channel(EVENTS_MAX);
        let (end, end_rx) = watch::channel(false);
        tokio::spawn(write_statuses(Arc::clone(&sink), pod.clone(), status_rx, end_rx));
        tokio::spawn(write_events(sink, pod, events_rx));
        Writer { status, events, end }
    }

    /// Sets the status if it differs from the last one.
    pub(super) fn status(&self, status: PodStatus) {
        self.status.send_if_modified(|last| {
            let is_new = last.as_ref() != Some(&status);
            if is_new {
                *last = Some(status);
            }
            is_new
        });
    }

    pub(super) fn event(&self, event: PodEvent) {
        let _ = self.events.try_send(event);
    }

    /// The Pod is gone and so may its object be.
    pub(super) fn delete_object(&self) {
        self.end.send_replace(true);
    }
}

async fn write_statuses(
    sink: Arc<dyn PodSink>,
    pod: PodRef,
    mut statuses: watch::Receiver<Option<PodStatus>>,
    end: watch::Receiver<bool>,
) {
    // An error of `changed` means that the Pod's task has ended; what is unwritten then is written below.
    loop {
        let is_over = statuses.changed().await.is_err();
        let latest = if is_over && !statuses.has_changed().unwrap_or(false) {
            None
        } else {
            statuses.borrow_and_update().clone()
        };
        if let Some(status) = latest {
            write(&*sink, &pod, status, &mut statuses).await;
        }
        if is_over {
            break;
        }
    }
    if !*end.borrow() {
        return;
    }
    let mut wait = RETRY_MIN;
    for _ in 0..DELETE_ATTEMPTS_MAX {
        match sink.deleted(&pod).await {
            Ok(()) => return,
            Err(error) => tracing::debug!(pod = pod.name, error, "the object of an ended pod is still there"),
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(RETRY_MAX);
    }
    tracing::warn!(pod = pod.name, "the object of an ended pod could not be deleted");
}

/// Writes until it succeeds or a newer status is there.
async fn write(sink: &dyn PodSink, pod: &PodRef, status: PodStatus, newer: &mut watch::Receiver<Option<PodStatus>>) {
    let mut wait = RETRY_MIN;
    loop {
        let Err(error) = sink.patch_status(pod, status.clone()).await else {
            return;
        };
        tracing::debug!(pod = pod.name, error, "a status was not written");
        match newer.has_changed() {
            Ok(false) => {}
            // The caller takes the newer one.
            Ok(true) => return,
            Err(_) if wait >= RETRY_MAX => return,
            Err(_) => {}
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(RETRY_MAX);
    }
}

async fn write_events(sink: Arc<dyn PodSink>, pod: PodRef, mut events: mpsc::Receiver<PodEvent>) {
    while let Some(event) = events.recv().await {
        sink.event(&pod, event).await;
    }
}
