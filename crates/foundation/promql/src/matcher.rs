//! Matchers: conditions on the value of one label.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use regex::Regex;
use regex_syntax::hir::literal::{ExtractKind, Extractor};

use crate::labels::{Labels, Quoted, is_plain_label_name};

/// How a matcher compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MatchOp {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`
    Regex,
    /// `!~`
    NotRegex,
}

impl MatchOp {
    /// The operator as PromQL writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            MatchOp::Equal => "=",
            MatchOp::NotEqual => "!=",
            MatchOp::Regex => "=~",
            MatchOp::NotRegex => "!~",
        }
    }
}

/// A condition on one label; an absent label has the empty value. Cheap to clone.
#[derive(Clone)]
pub struct Matcher {
    /// The label's name.
    pub name: String,
    /// How the value is compared.
    pub op: MatchOp,
    /// The value, or the regular expression, which always matches the whole value.
    pub value: String,
    test: Test,
}

/// What is really executed. Expressions that only spell out alternatives become sets.
#[derive(Clone)]
enum Test {
    Literal,
    Anything,
    NotEmpty,
    Set(Arc<HashSet<String>>),
    Regex { prefix: String, regex: Arc<Regex> },
}

/// The most alternatives that a regular expression is expanded into; beyond it a regex is as fast and smaller.
const SET_SIZE_MAX: usize = 256;

/// The largest compiled program of one matcher, in bytes: keeps hostile patterns from eating memory.
const REGEX_BYTES_MAX: usize = 4 << 20;

impl Matcher {
    /// A matcher; compiles regular expressions.
    ///
    /// # Errors
    /// The regular expression is malformed or too large; the message names the reason.
    pub fn new(name: impl Into<String>, op: MatchOp, value: impl Into<String>) -> Result<Self, String> {
        let (name, value) = (name.into(), value.into());
        let test = match op {
            MatchOp::Equal | MatchOp::NotEqual => Test::Literal,
            MatchOp::Regex | MatchOp::NotRegex => Test::compile(&value)?,
        };
        Ok(Matcher { name, op, value, test })
    }

    /// `name="value"`.
    #[must_use]
    pub fn equal(name: impl Into<String>, value: impl Into<String>) -> Self {
        Matcher {
            name: name.into(),
            op: MatchOp::Equal,
            value: value.into(),
            test: Test::Literal,
        }
    }

    /// Whether a value satisfies the matcher.
    #[must_use]
    pub fn matches(&self, value: &str) -> bool {
        match self.op {
            MatchOp::Equal => value == self.value,
            MatchOp::NotEqual => value != self.value,
            MatchOp::Regex => self.test.matches(value),
            MatchOp::NotRegex => !self.test.matches(value),
        }
    }

    /// Whether a label set satisfies the matcher.
    #[must_use]
    pub fn matches_labels(&self, labels: &Labels) -> bool {
        self.matches(labels.value(&self.name))
    }

    /// Whether an absent label satisfies the matcher; such a matcher cannot narrow a search by itself.
    #[must_use]
    pub fn matches_empty(&self) -> bool {
        self.matches("")
    }

    /// The only values that can satisfy the matcher, when they are few and known: what an index looks up.
    #[must_use]
    pub fn values(&self) -> Option<Vec<&str>> {
        match (&self.op, &self.test) {
            (MatchOp::Equal, _) => Some(vec![&self.value]),
            (MatchOp::Regex, Test::Set(set)) => Some(set.iter().map(String::as_str).collect()),
            _ => None,
        }
    }

    /// What every satisfying value begins with; empty when unknown.
    #[must_use]
    pub fn prefix(&self) -> &str {
        match (&self.op, &self.test) {
            (MatchOp::Equal, _) => &self.value,
            (MatchOp::Regex, Test::Regex { prefix, .. }) => prefix,
            _ => "",
        }
    }
}

impl Test {
    fn compile(pattern: &str) -> Result<Self, String> {
        match pattern {
            ".*" => return Ok(Test::Anything),
            ".+" => return Ok(Test::NotEmpty),
            _ => {}
        }
        let hir = regex_syntax::ParserBuilder::new()
            .dot_matches_new_line(true)
            .build()
            .parse(pattern)
            .map_err(|error| format!("invalid regular expression {}: {}", Quoted(pattern), last_line(&error)))?;
        let mut extractor = Extractor::new();
        extractor
            .kind(ExtractKind::Prefix)
            .limit_class(16)
            .limit_repeat(16)
            .limit_total(SET_SIZE_MAX);
        let literals = extractor.extract(&hir);
        let has_look = !hir.properties().look_set().is_empty();
        if !has_look && literals.is_exact() && literals.len().is_some_and(|len| len > 0) {
            let values = literals.literals().unwrap_or_default();
            let set: Option<HashSet<String>> = values
                .iter()
                .map(|literal| String::from_utf8(literal.as_bytes().to_vec()).ok())
                .collect();
            if let Some(set) = set {
                return Ok(Test::Set(Arc::new(set)));
            }
        }
        let prefix = literals
            .longest_common_prefix()
            .and_then(|bytes| std::str::from_utf8(bytes).ok());
        let prefix = if has_look { "" } else { prefix.unwrap_or("") }.to_owned();
        let regex = regex::RegexBuilder::new(&format!("^(?s:{pattern})$"))
            .size_limit(REGEX_BYTES_MAX)
            .build()
            .map_err(|error| format!("invalid regular expression {}: {}", Quoted(pattern), last_line(&error)))?;
        Ok(Test::Regex {
            prefix,
            regex: Arc::new(regex),
        })
    }

    fn matches(&self, value: &str) -> bool {
        match self {
            Test::Literal | Test::Anything => true,
            Test::NotEmpty => !value.is_empty(),
            Test::Set(set) => set.contains(value),
            Test::Regex { prefix, regex } => value.starts_with(prefix.as_str()) && regex.is_match(value),
        }
    }
}

/// The regex crate draws its errors over several lines; the last one says what is wrong.
fn last_line(error: &impl fmt::Display) -> String {
    let text = error.to_string();
    text.lines()
        .last()
        .unwrap_or_default()
        .trim_start_matches("error: ")
        .to_owned()
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, self.op, &self.value) == (&other.name, other.op, &other.value)
    }
}

impl Eq for Matcher {}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_plain_label_name(&self.name) {
            f.write_str(&self.name)?;
        } else {
            write!(f, "{}", Quoted(&self.name))?;
        }
        write!(f, "{}{}", self.op.as_str(), Quoted(&self.value))
    }
}

impl fmt::Debug for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regular_expressions_match_whole_values() {
        let check = |pattern: &str, yes: &[&str], no: &[&str]| {
            let matcher = Matcher::new("x", MatchOp::Regex, pattern).expect(pattern);
            yes.iter()
                .for_each(|value| assert!(matcher.matches(value), "{pattern} should match {value:?}"));
            no.iter()
                .for_each(|value| assert!(!matcher.matches(value), "{pattern} should not match {value:?}"));
        };
        check("a|b", &["a", "b"], &["ab", "", "ac"]);
        check("api-.*", &["api-", "api-x\ny"], &["xapi-", "api"]);
        check("", &[""], &["a"]);
        check("a?", &["", "a"], &["aa"]);
        check("(?i:ab)", &["ab", "AB", "aB"], &["abc"]);
        check("5..", &["500", "5äö"], &["5000", "50"]);
        check("^a$", &["a"], &["ba", "ab"]);
        check(".+", &["a", "\n"], &[""]);
        check("(a|b)c(d|e)", &["acd", "bce"], &["ac", "acde"]);
    }

    #[test]
    fn alternatives_are_known_to_indexes() {
        let matcher = Matcher::new("x", MatchOp::Regex, "(eu|us)-[12]").expect("valid");
        let mut values = matcher.values().expect("a set");
        values.sort_unstable();
        assert_eq!(values, ["eu-1", "eu-2", "us-1", "us-2"]);
        assert_eq!(
            Matcher::new("x", MatchOp::Regex, "eu-.*").expect("valid").prefix(),
            "eu-"
        );
        assert_eq!(
            Matcher::new("x", MatchOp::Regex, "(?i)eu.*").expect("valid").prefix(),
            ""
        );
    }

    #[test]
    fn malformed_expressions_say_why() {
        let error = Matcher::new("x", MatchOp::Regex, "a(").expect_err("unclosed");
        assert!(error.contains("unclosed group"), "{error}");
    }
}
