//! The last lines of all Pods' logs, for the live view and for `--logs`.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::time::Duration;

use cluster::Cache;
use k8s_openapi::api::core::v1::Pod;
use node::kubelet::Kubelet;
use node::logs::LogOptions;
use tokio::sync::{mpsc, watch};

/// Lines kept: some screens full. The whole logs are on disk, and `kubectl logs` shows them.
const LINES_MAX: usize = 500;
/// Pieces that wait to be shown; when they are full, containers' followers wait, and logs on disk go on.
const PIECES_MAX: usize = 64;
/// New lines are shown at most this often.
const SHOW_EVERY: Duration = Duration::from_millis(200);
/// A line that is longer is cut for the view.
const LINE_CHARACTERS_MAX: usize = 1_000;

/// A start of a container: the Pod's uid, the container's name, how often it was restarted before.
type Start = (String, String, i32);

/// One line.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    /// Counts all lines since the start, from 0.
    pub(crate) number: u64,
    /// The Pod that wrote it.
    pub(crate) pod: String,
    text: String,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} | {}", self.pod, self.text)
    }
}

/// Follows the logs of every container that runs, until nobody looks any more.
pub(super) async fn follow(pods: Cache<Pod>, kubelet: Kubelet, lines_tx: watch::Sender<Vec<Line>>) {
    let (piece_tx, mut piece_rx) = mpsc::channel::<(String, String)>(PIECES_MAX);
    let mut changes = pods.changes();
    let mut followed: HashSet<Start> = HashSet::new();
    let mut kept = VecDeque::new();
    let mut number = 0;
    let mut ticks = tokio::time::interval(SHOW_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut modified = false;
    loop {
        tokio::select! {
            change = changes.next() => match change {
                Some(change) => {
                    if let (Some(gone), None) = (&change.before, &change.after) {
                        followed.retain(|(uid, ..)| Some(uid) != gone.metadata.uid.as_ref());
                    }
                    follow_new(change.after.as_deref(), &kubelet, &mut followed, &piece_tx);
                }
                None => return,
            },
            Some((pod, text)) = piece_rx.recv() => {
                for text in text.lines() {
                    let text = text.chars().take(LINE_CHARACTERS_MAX).collect();
                    kept.push_back(Line { number, pod: pod.clone(), text });
                    number += 1;
                }
                let surplus = kept.len().saturating_sub(LINES_MAX);
                kept.drain(..surplus);
                modified = true;
            }
            _ = ticks.tick(), if modified => {
                modified = false;
                if lines_tx.send(kept.iter().cloned().collect()).is_err() {
                    return;
                }
            }
        }
    }
}

/// Starts a follower for each start of a container that has none yet.
fn follow_new(
    pod: Option<&Pod>,
    kubelet: &Kubelet,
    followed: &mut HashSet<Start>,
    piece_tx: &mpsc::Sender<(String, String)>,
) {
    let Some((pod, status)) = pod.and_then(|pod| Some((pod, pod.status.as_ref()?))) else {
        return;
    };
    let (Some(uid), Some(name)) = (&pod.metadata.uid, &pod.metadata.name) else {
        return;
    };
    for container in status.container_statuses.iter().flatten() {
        let runs = container.state.as_ref().is_some_and(|state| state.running.is_some());
        let start = (uid.clone(), container.name.clone(), container.restart_count);
        if !runs || !followed.insert(start) {
            continue;
        }
        let options = LogOptions {
            follow: true,
            ..LogOptions::default()
        };
        if let Ok(mut chunks) = kubelet.logs(uid, &container.name, options) {
            let (name, piece_tx) = (name.clone(), piece_tx.clone());
            tokio::spawn(async move {
                while let Some(chunk) = chunks.recv().await {
                    let text = String::from_utf8_lossy(&chunk).into_owned();
                    if piece_tx.send((name.clone(), text)).await.is_err() {
                        return;
                    }
                }
            });
        }
    }
}
