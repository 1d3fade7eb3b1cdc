//! Label selectors in text form, and the labels that they select.
//!
//! Source of syntax and meaning: apimachinery's `labels` package.

use std::collections::BTreeMap;
use std::fmt;

use thiserror::Error;

use crate::hpa::{Failure, FailureCode};

/// The labels of an object.
pub type Labels = BTreeMap<String, String>;

/// A parsed selector: all requirements hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selector {
    /// Sorted by key.
    pub requirements: Vec<Requirement>,
}

/// One requirement on one label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// The label.
    pub key: String,
    /// What is required of it.
    pub operator: Operator,
    /// The operands, sorted.
    pub values: Vec<String>,
}

/// What is required of a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the operators of Kubernetes")]
pub enum Operator {
    Equals,
    In,
    NotEquals,
    NotIn,
    Exists,
    DoesNotExist,
    GreaterThan,
    LessThan,
}

/// A selector that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("unable to parse requirement: {0}")]
pub struct SelectorError(String);

impl Selector {
    /// Reads a selector; the empty one selects everything.
    ///
    /// # Errors
    /// When the text is no selector.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        let mut requirements = Vec::new();
        for part in split_outside_parentheses(text)? {
            requirements.push(Requirement::parse(part)?);
        }
        if requirements.is_empty() && !text.trim().is_empty() {
            return Err(SelectorError(format!("found {text:?}, expected a requirement")));
        }
        requirements.sort_by(|a: &Requirement, b: &Requirement| a.key.cmp(&b.key));
        Ok(Self { requirements })
    }

    /// The selector of a scale subresource, which must be there.
    ///
    /// # Errors
    /// `MissingSelector` or `InvalidSelector`.
    pub fn of_scale(text: &str) -> Result<Self, Failure> {
        if text.is_empty() {
            return Err(Failure::internal(FailureCode::MissingSelector, "selector is required"));
        }
        Self::parse(text).map_err(|error| {
            Failure::internal(
                FailureCode::InvalidSelector,
                format!("couldn't convert selector into a corresponding internal selector object: {error}"),
            )
        })
    }

    /// The failure when other autoscalers select the same pods.
    pub fn ambiguous(&self, others: &[&str]) -> Failure {
        Failure::internal(
            FailureCode::AmbiguousSelector,
            format!(
                "pods by selector {self} are controlled by more than one HPA (also {})",
                others.join(", ")
            ),
        )
    }

    /// Whether an object with these labels is selected.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.requirements.iter().all(|requirement| requirement.matches(labels))
    }
}

impl Requirement {
    fn parse(text: &str) -> Result<Self, SelectorError> {
        let text = text.trim();
        let wrong = || SelectorError(format!("{text:?} is neither key, !key, key=value nor key in (a,b)"));
        if let Some(key) = text.strip_prefix('!') {
            return Self::new(key, Operator::DoesNotExist, Vec::new());
        }
        if let Some(open) = text.find('(') {
            let list = text[open + 1..].strip_suffix(')').ok_or_else(wrong)?;
            let mut words = text[..open].split_whitespace();
            let (Some(key), Some(word), None) = (words.next(), words.next(), words.next()) else {
                return Err(wrong());
            };
            let operator = match word {
                "in" => Operator::In,
                "notin" => Operator::NotIn,
                _ => return Err(wrong()),
            };
            let values = list.split(',').map(|value| value.trim().to_owned()).collect();
            return Self::new(key, operator, values);
        }
        const SIGNS: [(&str, Operator); 5] = [
            ("!=", Operator::NotEquals),
            ("==", Operator::Equals),
            ("=", Operator::Equals),
            (">", Operator::GreaterThan),
            ("<", Operator::LessThan),
        ];
        for (sign, operator) in SIGNS {
            if let Some((key, value)) = text.split_once(sign) {
                return Self::new(key, operator, vec![value.trim().to_owned()]);
            }
        }
        Self::new(text, Operator::Exists, Vec::new())
    }

    fn new(key: &str, operator: Operator, mut values: Vec<String>) -> Result<Self, SelectorError> {
        let key = key.trim();
        let name = key.split_once('/').map_or(key, |(_, name)| name);
        if !is_word(name) || key.contains(char::is_whitespace) || name.len() > 63 {
            return Err(SelectorError(format!("{key:?} is no label")));
        }
        let comparing = matches!(operator, Operator::GreaterThan | Operator::LessThan);
        for value in &values {
            if value.len() > 63 || !(value.is_empty() || is_word(value)) || (comparing && value.parse::<i64>().is_err())
            {
                return Err(SelectorError(format!("{value:?} is no value for the label {key}")));
            }
        }
        values.sort();
        values.dedup();
        Ok(Self {
            key: key.to_owned(),
            operator,
            values,
        })
    }

    fn matches(&self, labels: &Labels) -> bool {
        let value = labels.get(&self.key);
        let among = |value: &String| self.values.contains(value);
        let number = |text: &String| text.parse::<i64>().ok();
        let compare = |holds: fn(&i64, &i64) -> bool| {
            let sides = value.and_then(number).zip(self.values.first().and_then(number));
            sides.is_some_and(|(left, right)| holds(&left, &right))
        };
        match self.operator {
            Operator::Equals | Operator::In => value.is_some_and(among),
            Operator::NotEquals | Operator::NotIn => !value.is_some_and(among),
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
            Operator::GreaterThan => compare(i64::gt),
            Operator::LessThan => compare(i64::lt),
        }
    }
}

/// Letters, digits, `-`, `_`, `.`, with a letter or digit at both ends.
fn is_word(text: &str) -> bool {
    let inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    text.chars().all(inside)
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.ends_with(|c: char| c.is_ascii_alphanumeric())
}

fn split_outside_parentheses(text: &str) -> Result<Vec<&str>, SelectorError> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0u32, 0);
    if text.trim().is_empty() {
        return Ok(parts);
    }
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => {
                depth = depth
                    .checked_sub(1)
                    .ok_or_else(|| SelectorError("found ')', expected a requirement".into()))?
            }
            ',' if depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    Ok(parts)
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, requirement) in self.requirements.iter().enumerate() {
            let separator = if index == 0 { "" } else { "," };
            write!(f, "{separator}{requirement}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = &self.key;
        let values = self.values.join(",");
        match self.operator {
            Operator::Equals => write!(f, "{key}={values}"),
            Operator::In => write!(f, "{key} in ({values})"),
            Operator::NotEquals => write!(f, "{key}!={values}"),
            Operator::NotIn => write!(f, "{key} notin ({values})"),
            Operator::Exists => f.write_str(key),
            Operator::DoesNotExist => write!(f, "!{key}"),
            Operator::GreaterThan => write!(f, "{key}>{values}"),
            Operator::LessThan => write!(f, "{key}<{values}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_hold_or_do_not() {
        let labels: Labels = [("app", "web"), ("tier", "2")]
            .map(|(k, v)| (k.into(), v.into()))
            .into();
        for (selector, selected) in [
            ("", true),
            ("app=web", true),
            ("app==web,tier", true),
            ("app in (api, web),tier!=3", true),
            ("app notin (web)", false),
            ("!app", false),
            ("tier>1", true),
            ("tier<1", false),
            ("zone!=a", true),
        ] {
            assert_eq!(
                Selector::parse(selector).unwrap().matches(&labels),
                selected,
                "{selector}"
            );
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "cheddar cheese",
            "a in b",
            "a=(",
            "=b",
            "a in (b",
            "a,,b",
            "a>x",
            "-a",
            ")",
        ] {
            assert!(Selector::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_selector_prints_what_it_reads() {
        for text in ["app=web", "a in (b,c),d notin (e,f),!g,h,i!=j,k>1"] {
            let mut parts: Vec<_> = split_outside_parentheses(text).unwrap();
            parts.sort_by_key(|part| part.trim_start_matches('!'));
            assert_eq!(Selector::parse(text).unwrap().to_string(), parts.join(","));
        }
    }
}
