//! Watch: the answer that does not end.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use apimachinery::status::Status;
use bytes::Bytes;
use futures::stream;
use http::{Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tokio::time::Instant;

use super::answer::{self, Body, JSON};
use super::negotiate::View;
use super::query::Query;
use super::render;
use crate::kinds::Served;
use crate::registry::{Registry, Selection, Target, parse_revision};
use crate::store::{Change, Event, Lag, Stored, Watch};
use crate::table::Header;

/// How often a quiet watch tells its client how far it has seen. Source: about a minute upstream (`bookmarkFrequency`).
const BOOKMARK_EVERY: Duration = Duration::from_secs(60);

/// How long a watch lasts that asks for no time of its own: half an hour at least upstream, which spreads up to an hour.
const WATCH_LASTS: Duration = Duration::from_secs(45 * 60);

/// The longest time that a watch may ask for, so that a deadline always fits the clock.
const WATCH_SECONDS_MAX: u64 = 7 * 24 * 3600;

/// Lines joined into one frame, in bytes: a burst costs few writes, a large object goes alone.
const FRAME_BYTES_MAX: usize = 256 << 10;

/// Where a watch begins.
enum Start {
    /// With everything that is there, then what changes.
    Everything,
    /// With what changes from now on.
    Now,
    /// With what changed after a revision.
    After(u64),
}

/// Opens a watch and gives the endless answer.
pub(crate) fn open(
    registry: &Arc<Registry>,
    target: &Target,
    selection: Selection,
    query: &Query,
    view: View,
) -> Result<Response<Body>, Status> {
    let start = start_of(query)?;
    let mut pending = VecDeque::new();
    let store = registry.store();
    let table = &target.served.table;
    let namespace = Some(target.namespace.as_str()).filter(|namespace| !namespace.is_empty());
    let after = match start {
        Start::After(revision) => revision,
        Start::Now => store.revision(),
        Start::Everything => {
            let listing = store.list(table, namespace, |object| selection.matches(object));
            pending.extend(listing.objects.into_iter().map(Pending::Initial));
            if query.flag("sendInitialEvents") {
                pending.push_back(Pending::InitialEventsEnd);
            }
            listing.revision
        }
    };
    let mut watch = store.watch(table, after);
    let oldest_missing = |lag: Lag| Status::resource_version_too_old(lag.after, store.revision());
    let first = watch.take().map_err(oldest_missing)?;
    pending.extend(first.into_iter().map(Pending::Event));
    let lasts = match u64::try_from(query.number("timeoutSeconds")?.unwrap_or(0)).unwrap_or(0) {
        0 => WATCH_LASTS,
        seconds => Duration::from_secs(seconds.min(WATCH_SECONDS_MAX)),
    };
    let now = Instant::now();
    let stream = WatchStream {
        registry: registry.clone(),
        served: target.served.clone(),
        selection,
        view,
        header: Header::Shown,
        watch,
        pending,
        ends_at: now + lasts,
        bookmark_at: query.flag("allowWatchBookmarks").then_some(now + BOOKMARK_EVERY),
        ended: false,
    };
    let frames = stream::unfold(stream, |mut stream| async move {
        let frame = stream.next().await?;
        Some((Ok(Frame::data(frame)), stream))
    });
    let mut response = Response::new(StreamBody::new(frames).boxed_unsync());
    *response.status_mut() = StatusCode::OK;
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static(JSON));
    Ok(response)
}

/// Source: the table of "semantics for watch" in Kubernetes' API concepts.
fn start_of(query: &Query) -> Result<Start, Status> {
    let revision = parse_revision(query.text("resourceVersion"))?;
    let matching = query.text("resourceVersionMatch");
    match query.text("sendInitialEvents") {
        "" if matching.is_empty() => Ok(if revision == 0 {
            Start::Everything
        } else {
            Start::After(revision)
        }),
        "" => Err(Status::bad_request(
            "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
        )),
        _ if matching != "NotOlderThan" => Err(Status::bad_request(
            "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
        )),
        _ if query.flag("sendInitialEvents") => Ok(Start::Everything),
        _ => Ok(if revision == 0 {
            Start::Now
        } else {
            Start::After(revision)
        }),
    }
}

/// What is to be sent.
enum Pending {
    /// An object that was there at the start.
    Initial(Arc<Stored>),
    /// The bookmark behind the last of them.
    InitialEventsEnd,
    /// A change.
    Event(Event),
}

struct WatchStream {
    registry: Arc<Registry>,
    served: Arc<Served>,
    selection: Selection,
    view: View,
    header: Header,
    watch: Watch,
    pending: VecDeque<Pending>,
    ends_at: Instant,
    bookmark_at: Option<Instant>,
    ended: bool,
}

impl WatchStream {
    /// The next frame: as many lines as are there. `None` ends the answer.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if self.ended {
                return None;
            }
            if let Some(frame) = self.drain() {
                return Some(frame);
            }
            let bookmark_at = self.bookmark_at;
            let bookmark = async move {
                match bookmark_at {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = self.watch.rung() => match self.watch.take() {
                    Ok(events) => self.pending.extend(events.into_iter().map(Pending::Event)),
                    Err(lag) => return Some(self.lagging(lag)),
                },
                () = tokio::time::sleep_until(self.ends_at) => return None,
                () = bookmark => return Some(self.bookmark()),
            }
        }
    }

    /// The lines of what is pending, `None` where none of it concerns the client.
    fn drain(&mut self) -> Option<Bytes> {
        let mut lines: Vec<Bytes> = Vec::new();
        let mut size = 0;
        while size < FRAME_BYTES_MAX {
            let Some(pending) = self.pending.pop_front() else { break };
            if let Some(line) = self.line(pending) {
                size += line.len();
                lines.push(line);
            }
        }
        match lines.len() {
            0 => None,
            1 => lines.pop(),
            _ => Some(Bytes::from(lines.concat())),
        }
    }

    fn line(&mut self, pending: Pending) -> Option<Bytes> {
        let (kind, object) = match pending {
            Pending::Initial(object) => ("ADDED", object),
            Pending::InitialEventsEnd => {
                let kind = &self.served.resource.kind;
                let bookmark = render::bookmark(kind, self.view, self.watch.seen(), true);
                return Some(render::event_line("BOOKMARK", &answer::to_bytes(&bookmark)));
            }
            Pending::Event(event) => (self.sees(&event)?, event.object),
        };
        let header = std::mem::replace(&mut self.header, Header::Left);
        let bytes = match self.view {
            View::Table(include) => answer::to_bytes(&render::row(
                &self.served,
                include,
                &object,
                self.registry.now(),
                header,
            )),
            view => render::object(&self.served, view, &object, self.registry.now()),
        };
        Some(render::event_line(kind, &bytes))
    }

    /// How an event looks through the selection: an object may come into view or leave it by a change of its labels.
    fn sees(&self, event: &Event) -> Option<&'static str> {
        let before = event
            .previous
            .as_ref()
            .is_some_and(|previous| self.selection.matches(previous));
        let after = event.change != Change::Deleted && self.selection.matches(&event.object);
        match (before, after) {
            (false, true) => Some("ADDED"),
            (true, true) => Some("MODIFIED"),
            (true, false) => Some("DELETED"),
            (false, false) => None,
        }
    }

    fn bookmark(&mut self) -> Bytes {
        self.bookmark_at = Some(Instant::now() + BOOKMARK_EVERY);
        let bookmark = render::bookmark(&self.served.resource.kind, self.view, self.watch.seen(), false);
        render::event_line("BOOKMARK", &answer::to_bytes(&bookmark))
    }

    fn lagging(&mut self, lag: Lag) -> Bytes {
        self.ended = true;
        let status = Status::resource_version_too_old(lag.after, self.registry.store().revision());
        render::event_line("ERROR", &answer::to_bytes(&status.to_value()))
    }
}
