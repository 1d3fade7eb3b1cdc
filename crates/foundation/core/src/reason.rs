//! Why, in one stable word.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A stable CamelCase code such as `MetricAboveTarget` or `CommonCause`.
///
/// People search for it, alerts match on it, documentation has a section for it; so it never carries
/// values. It is also valid as a Kubernetes Event reason and as the reason of a condition.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Reason(Cow<'static, str>);

impl Reason {
    /// A reason known at compile time.
    ///
    /// # Panics
    /// In debug builds, when `code` is not CamelCase letters and digits.
    pub const fn new(code: &'static str) -> Self {
        debug_assert!(is_camel_case(code), "a reason is one CamelCase word");
        Self(Cow::Borrowed(code))
    }

    /// A reason that came from elsewhere, such as a condition of an object; `None` when it is not one
    /// CamelCase word.
    pub fn parse(code: &str) -> Option<Self> {
        is_camel_case(code).then(|| Self(Cow::Owned(code.to_owned())))
    }

    /// The code itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

const fn is_camel_case(code: &str) -> bool {
    let bytes = code.as_bytes();
    if bytes.is_empty() || !bytes[0].is_ascii_uppercase() {
        return false;
    }
    let mut at = 1;
    while at < bytes.len() {
        if !bytes[at].is_ascii_alphanumeric() {
            return false;
        }
        at += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::Reason;

    #[test]
    fn a_reason_is_one_camel_case_word() {
        assert_eq!(Reason::new("NoQuorum").as_str(), "NoQuorum");
        for wrong in ["", "noQuorum", "No quorum", "No-Quorum", "Näh"] {
            assert_eq!(Reason::parse(wrong), None, "{wrong}");
        }
    }
}
