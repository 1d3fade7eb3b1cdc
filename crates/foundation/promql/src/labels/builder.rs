//! Changing a label set: collect changes, then pack once.

use super::Labels;

/// Collects labels and packs them into [`Labels`]. Reusable: [`LabelsBuilder::clear`] keeps its memory.
#[derive(Clone, Debug, Default)]
pub struct LabelsBuilder {
    /// Sorted by name; names are distinct, values are not empty.
    pairs: Vec<(String, String)>,
}

impl LabelsBuilder {
    /// An empty builder.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A builder that starts from an existing set.
    #[must_use]
    pub fn from_labels(labels: &Labels) -> Self {
        let pairs = labels
            .iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        LabelsBuilder { pairs }
    }

    /// Forgets all labels.
    pub fn clear(&mut self) {
        self.pairs.clear();
    }

    /// Sets a label; an empty value removes it.
    pub fn set(&mut self, name: &str, value: &str) -> &mut Self {
        match self
            .pairs
            .binary_search_by(|(candidate, _)| candidate.as_str().cmp(name))
        {
            Ok(at) if value.is_empty() => {
                self.pairs.remove(at);
            }
            Ok(at) => value.clone_into(&mut self.pairs[at].1),
            Err(_) if value.is_empty() => {}
            Err(at) => self.pairs.insert(at, (name.to_owned(), value.to_owned())),
        }
        self
    }

    /// Removes a label, if it is there.
    pub fn remove(&mut self, name: &str) -> &mut Self {
        self.set(name, "")
    }

    /// The value of a label, `None` when absent.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let at = self
            .pairs
            .binary_search_by(|(candidate, _)| candidate.as_str().cmp(name))
            .ok()?;
        Some(&self.pairs[at].1)
    }

    /// Packs the labels collected so far.
    #[must_use]
    pub fn build(&self) -> Labels {
        Labels::from_sorted(self.pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    }
}
