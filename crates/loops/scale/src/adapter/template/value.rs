//! What templates compute with.

use std::collections::BTreeMap;
use std::fmt;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Text.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// Any other number.
    Float(f64),
    /// True or false.
    Bool(bool),
    /// A list.
    List(Vec<Value>),
    /// From text to text, sorted.
    Map(BTreeMap<String, String>),
    /// Named fields; asking for another one is an error.
    Record(Vec<(&'static str, Value)>),
    /// A map's entry that is not there.
    Nothing,
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl Value {
    /// Named fields.
    pub fn record(fields: impl IntoIterator<Item = (&'static str, Value)>) -> Self {
        Self::Record(fields.into_iter().collect())
    }

    /// A list of texts.
    pub fn list<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        Self::List(texts.into_iter().map(Self::from).collect())
    }

    /// A map of texts.
    pub fn map<'a>(entries: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self::Map(
            entries
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect(),
        )
    }

    /// Go's truth: not empty, not zero.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Text(text) => !text.is_empty(),
            Self::Integer(number) => *number != 0,
            Self::Float(number) => *number != 0.0,
            Self::Bool(truth) => *truth,
            Self::List(items) => !items.is_empty(),
            Self::Map(entries) => !entries.is_empty(),
            Self::Record(_) => true,
            Self::Nothing => false,
        }
    }

    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
            Self::Integer(_) => "a number",
            Self::Float(_) => "a float",
            Self::Bool(_) => "a truth value",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
            Self::Record(_) => "the template's data",
            Self::Nothing => "nothing",
        }
    }
}

/// As Go's `%v` prints it.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separated = |f: &mut fmt::Formatter<'_>, items: &mut dyn Iterator<Item = String>| {
            for (index, item) in items.enumerate() {
                let separator = if index == 0 { "" } else { " " };
                write!(f, "{separator}{item}")?;
            }
            Ok(())
        };
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Integer(number) => write!(f, "{number}"),
            Self::Float(number) => write!(f, "{number}"),
            Self::Bool(truth) => write!(f, "{truth}"),
            Self::List(items) => {
                f.write_str("[")?;
                separated(f, &mut items.iter().map(Self::to_string))?;
                f.write_str("]")
            }
            Self::Map(entries) => {
                f.write_str("map[")?;
                separated(f, &mut entries.iter().map(|(key, value)| format!("{key}:{value}")))?;
                f.write_str("]")
            }
            Self::Record(fields) => {
                f.write_str("{")?;
                separated(f, &mut fields.iter().map(|(_, value)| value.to_string()))?;
                f.write_str("}")
            }
            Self::Nothing => f.write_str("<no value>"),
        }
    }
}
