//! Label sets: what names a series.
//!
//! A label set is written once and read many times: it is sorted, immutable, and shared by clone. All its text lies
//! in one allocation, and its hash is computed when it is built, so that grouping by whole label sets costs one
//! comparison of two integers in the common case.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

mod builder;
mod xxhash;

pub use builder::LabelsBuilder;
pub use xxhash::xxhash64;

/// The label that holds the name of the metric.
pub const METRIC_NAME: &str = "__name__";
/// The label that holds the type of the metric, where types are kept as labels.
pub const METRIC_TYPE: &str = "__type__";
/// The label that holds the unit of the metric, where units are kept as labels.
pub const METRIC_UNIT: &str = "__unit__";
/// The label of a classic histogram's bucket that holds its upper bound.
pub const BUCKET_BOUND: &str = "le";

/// A sorted, immutable set of `name="value"` pairs; no name twice, no empty value. Cheap to clone.
#[derive(Clone, Default)]
pub struct Labels(Option<Arc<Packed>>);

/// `text` is `name0 value0 name1 value1 …` without separators; `ends` are the ends of these pieces.
struct Packed {
    hash: u64,
    ends: Box<[u32]>,
    text: Box<str>,
}

impl Labels {
    /// The empty set.
    #[must_use]
    pub const fn empty() -> Self {
        Labels(None)
    }

    /// Builds a set from pairs in any order. Of two pairs with one name the later wins; empty values are left out.
    pub fn from_pairs<N: AsRef<str>, V: AsRef<str>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        let mut builder = LabelsBuilder::new();
        for (name, value) in pairs {
            builder.set(name.as_ref(), value.as_ref());
        }
        builder.build()
    }

    /// Packs pairs that are sorted by name, have distinct names and no empty value.
    fn from_sorted<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)> + Clone) -> Self {
        let (count, bytes) = pairs.clone().fold((0, 0), |(count, bytes), (name, value)| {
            (count + 1, bytes + name.len() + value.len())
        });
        if count == 0 {
            return Labels(None);
        }
        let mut text = String::with_capacity(bytes);
        let mut ends = Vec::with_capacity(2 * count);
        for (name, value) in pairs {
            for piece in [name, value] {
                text.push_str(piece);
                // A label set beyond 4 GiB cannot be built: limits on exposition and queries are far below.
                ends.push(u32::try_from(text.len()).unwrap_or(u32::MAX));
            }
        }
        let mut packed = Packed {
            hash: 0,
            ends: ends.into_boxed_slice(),
            text: text.into_boxed_str(),
        };
        packed.hash = packed.compute_hash();
        Labels(Some(Arc::new(packed)))
    }

    /// The number of labels.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |packed| packed.ends.len() / 2)
    }

    /// Whether there is no label.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The value of a label, `None` when absent.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter()
            .find(|(candidate, _)| *candidate == name)
            .map(|(_, value)| value)
    }

    /// The value of a label, empty when absent: the two are the same thing to matchers.
    #[must_use]
    pub fn value(&self, name: &str) -> &str {
        self.get(name).unwrap_or("")
    }

    /// The metric name, empty when there is none.
    #[must_use]
    pub fn metric_name(&self) -> &str {
        self.value(METRIC_NAME)
    }

    /// The pairs in ascending order of names.
    #[must_use]
    pub fn iter(&self) -> Iter<'_> {
        Iter {
            packed: self.0.as_deref(),
            next: 0,
        }
    }

    /// A hash of the whole set: xxHash64 over the pairs, each string preceded by its length as a varint. Equal to
    /// what Prometheus computes, so that `limit_ratio` picks the same series.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.0.as_ref().map_or_else(|| xxhash64(&[]), |packed| packed.hash)
    }

    /// Bytes that this set occupies on the heap; sets that share one allocation each report it.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.0
            .as_ref()
            .map_or(0, |packed| 32 + packed.text.len() + 4 * packed.ends.len())
    }

    /// A builder that starts from this set.
    #[must_use]
    pub fn to_builder(&self) -> LabelsBuilder {
        LabelsBuilder::from_labels(self)
    }

    /// This set without the labels that `drop` names.
    #[must_use]
    pub fn without(&self, drop: impl Fn(&str) -> bool) -> Labels {
        if self.iter().any(|(name, _)| drop(name)) {
            Labels::from_sorted(self.iter().filter(|(name, _)| !drop(name)))
        } else {
            self.clone()
        }
    }

    /// Only the labels that `keep` names.
    #[must_use]
    pub fn only(&self, keep: impl Fn(&str) -> bool) -> Labels {
        self.without(|name| !keep(name))
    }

    /// This set without the metric name.
    #[must_use]
    pub fn without_metric_name(&self) -> Labels {
        self.without(|name| name == METRIC_NAME)
    }

    /// This set without what describes the metric: its name, type and unit.
    #[must_use]
    pub fn without_metric_schema(&self) -> Labels {
        self.without(is_metric_schema)
    }
}

/// Whether a label describes the metric itself (`__name__`, `__type__`, `__unit__`) rather than its source.
#[must_use]
pub fn is_metric_schema(name: &str) -> bool {
    name == METRIC_NAME || name == METRIC_TYPE || name == METRIC_UNIT
}

impl Packed {
    fn piece(&self, index: usize) -> &str {
        let start = if index == 0 { 0 } else { self.ends[index - 1] as usize };
        &self.text[start..self.ends[index] as usize]
    }

    fn compute_hash(&self) -> u64 {
        let mut bytes = Vec::with_capacity(self.text.len() + self.ends.len() + 8);
        for index in 0..self.ends.len() {
            let piece = self.piece(index).as_bytes();
            let mut length = piece.len();
            while length >= 0x80 {
                bytes.push((length & 0x7f) as u8 | 0x80);
                length >>= 7;
            }
            bytes.push(length as u8);
            bytes.extend_from_slice(piece);
        }
        xxhash64(&bytes)
    }
}

/// The pairs of a label set in ascending order of names.
#[derive(Clone)]
pub struct Iter<'a> {
    packed: Option<&'a Packed>,
    next: usize,
}

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let packed = self.packed?;
        if self.next >= packed.ends.len() {
            return None;
        }
        let pair = (packed.piece(self.next), packed.piece(self.next + 1));
        self.next += 2;
        Some(pair)
    }
}

impl<'a> IntoIterator for &'a Labels {
    type Item = (&'a str, &'a str);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl<N: AsRef<str>, V: AsRef<str>> FromIterator<(N, V)> for Labels {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        Labels::from_pairs(pairs)
    }
}

impl PartialEq for Labels {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (None, None) => true,
            (Some(a), Some(b)) => Arc::ptr_eq(a, b) || (a.hash == b.hash && a.text == b.text && a.ends == b.ends),
            _ => false,
        }
    }
}

impl Eq for Labels {}

impl Hash for Labels {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(Labels::hash(self));
    }
}

impl Ord for Labels {
    fn cmp(&self, other: &Self) -> Ordering {
        self.iter().cmp(other.iter())
    }
}

impl PartialOrd for Labels {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Whether a label name can be written without quotes: `[a-zA-Z_][a-zA-Z0-9_]*`.
#[must_use]
pub fn is_plain_label_name(name: &str) -> bool {
    is_plain_name(name, |_| false)
}

/// Whether a metric name can be written without quotes: like a label name, and colons.
#[must_use]
pub fn is_plain_metric_name(name: &str) -> bool {
    is_plain_name(name, |c| c == b':')
}

fn is_plain_name(name: &str, extra: impl Fn(u8) -> bool) -> bool {
    let letter = |c: u8| c.is_ascii_alphabetic() || c == b'_' || extra(c);
    name.bytes()
        .enumerate()
        .all(|(at, c)| letter(c) || (at > 0 && c.is_ascii_digit()))
        && !name.is_empty()
}

/// `name{label="value", …}`, as PromQL writes series: names that need quotes go inside the braces.
impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let metric = self.metric_name();
        let plain_metric = is_plain_metric_name(metric);
        if plain_metric {
            f.write_str(metric)?;
            if self.len() == 1 {
                return Ok(());
            }
        }
        f.write_str("{")?;
        let mut separator = "";
        for (name, value) in self {
            let is_name = name == METRIC_NAME;
            if is_name && plain_metric {
                continue;
            }
            f.write_str(separator)?;
            separator = ", ";
            match (is_name, is_plain_label_name(name)) {
                (true, _) => write!(f, "{}", Quoted(value))?,
                (false, true) => write!(f, "{name}={}", Quoted(value))?,
                (false, false) => write!(f, "{}={}", Quoted(name), Quoted(value))?,
            }
        }
        f.write_str("}")
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A string as a PromQL literal in double quotes.
pub struct Quoted<'a>(pub &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for c in self.0.chars() {
            match c {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                c if (c as u32) < 0x20 || c as u32 == 0x7f => write!(f, "\\x{:02x}", c as u32)?,
                c => write!(f, "{c}")?,
            }
        }
        f.write_str("\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_sorted_deduplicated_and_never_empty() {
        let labels = Labels::from_pairs([("b", "1"), ("a", "x"), ("b", "2"), ("c", "")]);
        assert_eq!(labels.iter().collect::<Vec<_>>(), [("a", "x"), ("b", "2")]);
        assert_eq!(labels.get("c"), None);
    }

    #[test]
    fn equal_sets_have_equal_hashes_however_they_were_built() {
        let direct = Labels::from_pairs([("__name__", "up"), ("job", "api")]);
        let reduced = Labels::from_pairs([("job", "api"), ("x", "1"), ("__name__", "up")]).without(|name| name == "x");
        assert_eq!(direct, reduced);
        assert_eq!(direct.hash(), reduced.hash());
        assert_ne!(direct, Labels::from_pairs([("__name__", "upj"), ("ob", "api")]));
    }

    #[test]
    fn display_quotes_only_what_needs_quotes() {
        let check = |pairs: &[(&str, &str)], expect: &str| {
            assert_eq!(Labels::from_pairs(pairs.iter().copied()).to_string(), expect);
        };
        check(&[], "{}");
        check(&[("__name__", "up")], "up");
        check(&[("__name__", "up"), ("job", "a\"b")], r#"up{job="a\"b"}"#);
        check(
            &[("__name__", "http.requests"), ("a.b", "c")],
            r#"{"http.requests", "a.b"="c"}"#,
        );
    }
}
