//! From label names and values to series.

use std::collections::{BTreeMap, BTreeSet};

use crate::labels::Labels;
use crate::matcher::Matcher;

/// Slots of series in ascending order.
type Postings = Vec<u32>;

/// Beyond this many candidates a pattern is tested once for each value of its label; below, once for
/// each candidate.
const SCAN_CANDIDATES_MAX: usize = 512;

/// For each label name and value, the series that have it.
#[derive(Debug, Default)]
pub(super) struct Index {
    names: BTreeMap<Box<str>, BTreeMap<Box<str>, Postings>>,
}

/// The series that can satisfy the matchers; each is still to be tested.
pub(super) enum Candidates {
    All,
    Slots(Postings),
}

impl Index {
    pub(super) fn insert(&mut self, slot: u32, labels: &Labels) {
        for (name, value) in labels {
            if !self.names.contains_key(name) {
                self.names.insert(name.into(), BTreeMap::new());
            }
            let Some(values) = self.names.get_mut(name) else {
                continue;
            };
            match values.get_mut(value) {
                Some(postings) => insert_sorted(postings, slot),
                None => {
                    values.insert(value.into(), vec![slot]);
                }
            }
        }
    }

    pub(super) fn remove(&mut self, slot: u32, labels: &Labels) {
        for (name, value) in labels {
            let Some(values) = self.names.get_mut(name) else {
                continue;
            };
            let Some(postings) = values.get_mut(value) else {
                continue;
            };
            if let Ok(at) = postings.binary_search(&slot) {
                postings.remove(at);
            }
            if postings.is_empty() {
                values.remove(value);
            }
            if values.is_empty() {
                self.names.remove(name);
            }
        }
    }

    /// Narrows by the matchers that an index can answer: first exact values, then patterns.
    pub(super) fn candidates(&self, matchers: &[Matcher]) -> Candidates {
        let mut found: Option<Postings> = None;
        let narrowing = || matchers.iter().filter(|matcher| !matcher.matches_empty());
        for matcher in narrowing() {
            if let Some(values) = matcher.values() {
                narrow(&mut found, self.union(&matcher.name, values.into_iter()));
            }
        }
        for matcher in narrowing().filter(|matcher| matcher.values().is_none()) {
            if found.as_ref().is_none_or(|found| found.len() > SCAN_CANDIDATES_MAX) {
                let values = self.values(&matcher.name).filter(|value| matcher.matches(value));
                narrow(&mut found, self.union(&matcher.name, values));
            }
        }
        found.map_or(Candidates::All, Candidates::Slots)
    }

    /// All label names, ascending.
    pub(super) fn label_names(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(Box::as_ref)
    }

    /// All values of a label, ascending.
    pub(super) fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.names
            .get(name)
            .into_iter()
            .flat_map(|values| values.keys().map(Box::as_ref))
    }

    /// For each value of a label, how many series have it.
    pub(super) fn value_counts(&self, name: &str) -> impl Iterator<Item = (&str, usize)> {
        let values = self.names.get(name).into_iter();
        values.flat_map(|values| values.iter().map(|(value, postings)| (value.as_ref(), postings.len())))
    }

    fn union<'a>(&self, name: &str, values: impl Iterator<Item = &'a str>) -> Postings {
        let Some(postings) = self.names.get(name) else {
            return Postings::new();
        };
        let mut lists = values.filter_map(|value| postings.get(value)).peekable();
        let Some(first) = lists.next() else {
            return Postings::new();
        };
        if lists.peek().is_none() {
            return first.clone();
        }
        let all: BTreeSet<u32> = first.iter().chain(lists.flatten()).copied().collect();
        all.into_iter().collect()
    }
}

fn insert_sorted(postings: &mut Postings, slot: u32) {
    if let Err(at) = postings.binary_search(&slot) {
        postings.insert(at, slot);
    }
}

fn narrow(found: &mut Option<Postings>, by: Postings) {
    match found {
        None => *found = Some(by),
        Some(found) => {
            let (mut at, by) = (0, by.as_slice());
            found.retain(|slot| {
                at += by[at..].partition_point(|other| other < slot);
                by.get(at) == Some(slot)
            });
        }
    }
}
