//! What was decided lately, within a bound.

use std::collections::VecDeque;

use crate::{Decision, Subject};

/// The last decisions, oldest dropped first.
///
/// Calm turns are folded: a loop that finds the same thing every 15 s takes one entry whose `repeated`
/// grows, so that an hour of calm does not push last night's rescale out.
#[derive(Debug)]
pub struct History {
    entries: VecDeque<Decision>,
    capacity: usize,
    dropped: u64,
}

impl History {
    /// The default bound: about 1 KiB a decision makes 2 MiB at most, and 2,000 decisions that were not
    /// folded are several nights of a busy namespace.
    pub const CAPACITY_DEFAULT: usize = 2_000;

    /// An empty history that keeps at most `capacity` entries (at least one).
    pub fn new(capacity: usize) -> Self {
        Self {
            entries: VecDeque::new(),
            capacity: capacity.max(1),
            dropped: 0,
        }
    }

    /// Adds a decision, or folds it into the subject's latest one; the entry as it now stands.
    pub fn record(&mut self, decision: Decision) -> &Decision {
        let latest = self.entries.iter().rposition(|entry| entry.subject == decision.subject);
        match latest {
            Some(at) if self.entries[at].is_repeated_by(&decision) => {
                let repeated = self.entries[at].repeated.saturating_add(1);
                self.entries.remove(at);
                self.entries.push_back(Decision { repeated, ..decision });
            }
            _ => {
                if self.entries.len() == self.capacity {
                    self.entries.pop_front();
                    self.dropped += 1;
                }
                self.entries.push_back(decision);
            }
        }
        self.entries.back().expect("an entry was pushed just above")
    }

    /// All that is kept, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Decision> {
        self.entries.iter()
    }

    /// What is kept about one object, oldest first.
    pub fn about<'a>(&'a self, subject: &'a Subject) -> impl DoubleEndedIterator<Item = &'a Decision> {
        self.entries.iter().filter(move |entry| entry.subject == *subject)
    }

    /// How many entries were dropped because the bound was reached.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

impl Default for History {
    fn default() -> Self {
        Self::new(Self::CAPACITY_DEFAULT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Reason, Timestamp, Verdict};

    fn decision(name: &str, verdict: Verdict) -> Decision {
        Decision::new(
            Timestamp::UNIX_EPOCH,
            "scale",
            Subject::namespaced("HorizontalPodAutoscaler", "default", name),
            verdict,
            Reason::new("Test"),
        )
    }

    #[test]
    fn calm_is_folded_per_subject_and_actions_are_not() {
        let mut history = History::new(10);
        for _ in 0..3 {
            history.record(decision("web", Verdict::Keep));
            history.record(decision("price", Verdict::Keep));
        }
        history.record(decision("web", Verdict::act("scale")));
        history.record(decision("web", Verdict::act("scale")));
        let repeated: Vec<_> = history.iter().map(|entry| entry.repeated).collect();
        assert_eq!(repeated, [3, 3, 1, 1]);
    }

    #[test]
    fn the_oldest_goes_first_and_is_counted() {
        let mut history = History::new(2);
        for name in ["a", "b", "c"] {
            history.record(decision(name, Verdict::act("x")));
        }
        let names: Vec<_> = history.iter().map(|entry| entry.subject.name.as_str()).collect();
        assert_eq!(names, ["b", "c"]);
        assert_eq!(history.dropped(), 1);
    }
}
