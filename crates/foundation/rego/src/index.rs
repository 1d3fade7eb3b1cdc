//! Which rules of a group can hold, without trying them.

use crate::plan::Rule;

/// An index over the rules of one group.
#[derive(Debug, Default)]
pub(crate) struct Index {}

impl Index {
    pub(crate) fn build(_rules: &[Rule]) -> Self {
        Self {}
    }
}
