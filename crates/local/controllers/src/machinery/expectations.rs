//! What a controller wrote and its caches do not show yet.
//!
//! A decision made on a picture that lacks the controller's own last writes would do them twice. So after a
//! turn the key waits until the caches have caught up: to the revision that each write returned, and to the
//! departure of what was deleted.

use std::collections::HashMap;

use cluster::ObjectKey;
use tokio::time::{Duration, Instant};

use crate::action::Target;
use crate::caches::Caches;

/// After this time the picture is believed whatever it lacks. A watch that is so late has been restarted,
/// and a write whose trace was compacted away would otherwise be awaited for ever. client-go waits 5 minutes;
/// its expectations are counts, which can be wrong, ours are revisions.
const WAIT_LIMIT: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
pub(crate) struct Expectations {
    by_key: HashMap<ObjectKey, Expected>,
}

/// The writes of one turn that are to be seen.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    revisions: HashMap<String, u64>,
    departures: Vec<Target>,
    since: Option<Instant>,
}

impl Expected {
    /// A write to this kind returned this revision.
    pub(crate) fn revision(&mut self, plural: &str, revision: Option<&str>) {
        let Some(revision) = revision.and_then(|text| text.parse::<u64>().ok()) else {
            return;
        };
        let known = self.revisions.entry(plural.to_owned()).or_insert(0);
        *known = revision.max(*known);
    }

    /// The deletion of this object was accepted.
    pub(crate) fn departure(&mut self, target: &Target) {
        self.departures.push(target.clone());
    }

    fn is_met(&self, caches: &Caches) -> bool {
        let reached =
            |(plural, revision): (&String, &u64)| caches.seen(plural).is_none_or(|cache| cache.has_reached(*revision));
        let left = |target: &Target| {
            let cache = caches.seen(&target.kind.plural);
            cache.is_none_or(|cache| cache.is_leaving(&target.key, &target.uid))
        };
        self.revisions.iter().all(reached) && self.departures.iter().all(left)
    }
}

impl Expectations {
    /// What the last turn of this key wrote.
    pub(crate) fn set(&mut self, key: ObjectKey, mut expected: Expected, now: Instant) {
        if expected.revisions.is_empty() && expected.departures.is_empty() {
            return;
        }
        expected.since = Some(now);
        self.by_key.insert(key, expected);
    }

    /// Whether the caches show all that the key's last turn wrote.
    pub(crate) fn are_met(&mut self, key: &ObjectKey, caches: &Caches, now: Instant) -> bool {
        let Some(expected) = self.by_key.get(key) else {
            return true;
        };
        let waited = expected.since.map_or(Duration::ZERO, |since| now.duration_since(since));
        let met = waited >= WAIT_LIMIT || expected.is_met(caches);
        if met {
            self.by_key.remove(key);
        }
        met
    }
}
