//! Label selectors.
//!
//! Source of syntax, meaning and messages: apimachinery's `labels` and `meta/v1.LabelSelectorAsSelector`.

use std::fmt;

use serde_json::{Map, Value, json};
use thiserror::Error;

use crate::meta;
use crate::status::Cause;

/// A selector that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct SelectorError(pub(super) String);

/// How a requirement relates a key and its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operator {
    /// `key in (a,b)`.
    In,
    /// `key notin (a,b)`; holds where the key is absent.
    NotIn,
    /// `key=a`.
    Equals,
    /// `key==a`.
    DoubleEquals,
    /// `key!=a`; holds where the key is absent.
    NotEquals,
    /// `key`.
    Exists,
    /// `!key`.
    DoesNotExist,
    /// `key>1`: both sides are integers.
    GreaterThan,
    /// `key<1`: both sides are integers.
    LessThan,
}

/// One condition of a selector.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Requirement {
    key: String,
    operator: Operator,
    values: Vec<String>,
}

impl Requirement {
    /// A checked condition; the error is upstream's sentence.
    pub fn new(key: &str, operator: Operator, values: Vec<String>) -> Result<Self, SelectorError> {
        let mut causes: Vec<Cause> = Vec::new();
        causes.extend(key_cause("key", key));
        let wrong = match operator {
            Operator::In | Operator::NotIn if values.is_empty() => {
                Some("for 'in', 'notin' operators, values set can't be empty")
            }
            Operator::Equals | Operator::DoubleEquals | Operator::NotEquals if values.len() != 1 => {
                Some("exact-match compatibility requires one single value")
            }
            Operator::Exists | Operator::DoesNotExist if !values.is_empty() => {
                Some("values set must be empty for exists and does not exist")
            }
            Operator::GreaterThan | Operator::LessThan if values.len() != 1 => {
                Some("for 'Gt', 'Lt' operators, exactly one value is required")
            }
            _ => None,
        };
        causes.extend(wrong.map(|why| Cause::invalid("values", &json!(values), why)));
        for (place, value) in values.iter().enumerate() {
            let field = format!("values[{place}]");
            if matches!(operator, Operator::GreaterThan | Operator::LessThan) && value.parse::<i64>().is_err() {
                let why = "for 'Gt', 'Lt' operators, the value must be an integer";
                causes.push(Cause::invalid(field.clone(), &json!(value), why));
            }
            let errors = meta::label_value_errors(value);
            if !errors.is_empty() {
                causes.push(Cause::invalid(
                    format!("{field}[{key}]"),
                    &json!(value),
                    &errors.join("; "),
                ));
            }
        }
        if causes.is_empty() {
            Ok(Requirement {
                key: key.to_owned(),
                operator,
                values,
            })
        } else {
            Err(SelectorError(crate::status::sentence(&causes)))
        }
    }

    /// The label it is about.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The relation.
    pub fn operator(&self) -> Operator {
        self.operator
    }

    /// The values on its right side.
    pub fn values(&self) -> &[String] {
        &self.values
    }

    fn matches(&self, value: Option<&str>) -> bool {
        let listed = |value: &str| self.values.iter().any(|known| known == value);
        match self.operator {
            Operator::In | Operator::Equals | Operator::DoubleEquals => value.is_some_and(listed),
            Operator::NotIn | Operator::NotEquals => !value.is_some_and(listed),
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
            Operator::GreaterThan | Operator::LessThan => {
                let numbers = value
                    .and_then(|text| text.parse::<i64>().ok())
                    .zip(self.values[0].parse::<i64>().ok());
                numbers.is_some_and(|(left, right)| {
                    if self.operator == Operator::GreaterThan {
                        left > right
                    } else {
                        left < right
                    }
                })
            }
        }
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut values = self.values.clone();
        values.sort();
        let (key, values) = (&self.key, values.join(","));
        match self.operator {
            Operator::In => write!(f, "{key} in ({values})"),
            Operator::NotIn => write!(f, "{key} notin ({values})"),
            Operator::Equals => write!(f, "{key}={values}"),
            Operator::DoubleEquals => write!(f, "{key}=={values}"),
            Operator::NotEquals => write!(f, "{key}!={values}"),
            Operator::Exists => f.write_str(key),
            Operator::DoesNotExist => write!(f, "!{key}"),
            Operator::GreaterThan => write!(f, "{key}>{values}"),
            Operator::LessThan => write!(f, "{key}<{values}"),
        }
    }
}

/// What is wrong with a key, at this field.
pub(super) fn key_cause(field: &str, key: &str) -> Option<Cause> {
    let errors = meta::label_key_errors(key);
    (!errors.is_empty()).then(|| Cause::invalid(field, &json!(key), &errors.join("; ")))
}

/// A conjunction of requirements; the empty one selects everything, [`LabelSelector::nothing`] selects nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum LabelSelector {
    /// All of these must hold. They are sorted by key.
    All(Vec<Requirement>),
    /// Selects no object: what a missing selector of an object means.
    Nothing,
}

impl Default for LabelSelector {
    fn default() -> Self {
        LabelSelector::everything()
    }
}

impl LabelSelector {
    /// Selects every object.
    pub fn everything() -> Self {
        LabelSelector::All(Vec::new())
    }

    /// Selects no object.
    pub fn nothing() -> Self {
        LabelSelector::Nothing
    }

    /// Reads the text form, as in `?labelSelector=` and `kubectl -l`.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        super::parse::label_selector(text).map(LabelSelector::of)
    }

    /// From requirements.
    pub fn of(mut requirements: Vec<Requirement>) -> Self {
        requirements.sort_by(|left, right| left.key.cmp(&right.key));
        LabelSelector::All(requirements)
    }

    /// From a plain map such as a Service's `spec.selector`; values are not checked, an empty map selects everything.
    pub fn from_map(map: &Map<String, Value>) -> Self {
        let exact = |(key, value): (&String, &Value)| Requirement {
            key: key.clone(),
            operator: Operator::Equals,
            values: vec![value.as_str().unwrap_or_default().to_owned()],
        };
        LabelSelector::of(map.iter().map(exact).collect())
    }

    /// From the structured form, `{matchLabels, matchExpressions}`; null selects nothing, the empty object everything.
    pub fn from_value(selector: &Value) -> Result<Self, SelectorError> {
        if selector.is_null() {
            return Ok(LabelSelector::Nothing);
        }
        let mut requirements = Vec::new();
        for (key, value) in selector["matchLabels"].as_object().into_iter().flatten() {
            let value = value.as_str().unwrap_or_default().to_owned();
            requirements.push(Requirement::new(key, Operator::Equals, vec![value])?);
        }
        for expression in selector["matchExpressions"].as_array().into_iter().flatten() {
            let operator = match expression["operator"].as_str().unwrap_or_default() {
                "In" => Operator::In,
                "NotIn" => Operator::NotIn,
                "Exists" => Operator::Exists,
                "DoesNotExist" => Operator::DoesNotExist,
                other => {
                    return Err(SelectorError(format!(
                        "{other:?} is not a valid label selector operator"
                    )));
                }
            };
            let values = expression["values"].as_array().into_iter().flatten();
            let values = values
                .map(|value| value.as_str().unwrap_or_default().to_owned())
                .collect();
            requirements.push(Requirement::new(
                expression["key"].as_str().unwrap_or_default(),
                operator,
                values,
            )?);
        }
        Ok(LabelSelector::of(requirements))
    }

    /// Whether it selects an object with these labels.
    pub fn matches(&self, labels: &Map<String, Value>) -> bool {
        self.matches_with(|key| labels.get(key).and_then(Value::as_str))
    }

    /// Whether it selects an object whose label values `label` looks up.
    pub fn matches_with<'a>(&self, label: impl Fn(&str) -> Option<&'a str>) -> bool {
        match self {
            LabelSelector::All(requirements) => requirements.iter().all(|one| one.matches(label(&one.key))),
            LabelSelector::Nothing => false,
        }
    }

    /// Whether it selects this object, by `metadata.labels`.
    pub fn matches_object(&self, object: &Value) -> bool {
        let labels = object["metadata"]["labels"].as_object();
        self.matches_with(|key| labels.and_then(|labels| labels.get(key)).and_then(Value::as_str))
    }

    /// Whether it selects everything.
    pub fn is_everything(&self) -> bool {
        matches!(self, LabelSelector::All(requirements) if requirements.is_empty())
    }
}

impl fmt::Display for LabelSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LabelSelector::All(requirements) = self else {
            return Ok(());
        };
        for (place, requirement) in requirements.iter().enumerate() {
            if place > 0 {
                f.write_str(",")?;
            }
            requirement.fmt(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(selector: &str, labels: &str, expect: bool) {
        let parsed = LabelSelector::parse(selector).unwrap_or_else(|error| panic!("{selector}: {error}"));
        let labels: Map<String, Value> = labels
            .split(',')
            .filter_map(|pair| pair.split_once('='))
            .map(|(key, value)| (key.to_owned(), json!(value)))
            .collect();
        assert_eq!(parsed.matches(&labels), expect, "{selector} on {labels:?}");
    }

    /// The table of apimachinery's `TestSelectorMatches`.
    #[test]
    fn upstream_matches() {
        check("", "x=y", true);
        check("x=y", "x=y", true);
        check("x=y,z=w", "x=y,z=w", true);
        check("x!=y,z!=w", "x=z,z=a", true);
        check("notin=in", "notin=in", true);
        check("x", "x=z", true);
        check("!x", "y=z", true);
        check("x>1", "x=2", true);
        check("x<1", "x=0", true);
        check("x=z", "", false);
        check("x=y", "x=z", false);
        check("x=y,z=w", "x=w,z=w", false);
        check("x!=y,z!=w", "x=z,z=w", false);
        check("x", "y=z", false);
        check("!x", "x=z", false);
        check("x>1", "x=0", false);
        check("x<1", "x=2", false);
        check("x in (a,b)", "x=b", true);
        check("x notin (a,b)", "y=b", true);
        check("x notin (a,b)", "x=b", false);
    }

    /// The tables of apimachinery's `TestSelectorParse` and `TestLexer`.
    #[test]
    fn upstream_syntax() {
        for good in [
            "x=a,y=b,z=c",
            "",
            "x!=a,y=b",
            "x=",
            "x= ",
            "x=,z= ",
            "x= ,z= ",
            "!x",
            "x>1",
            "x>1,z<5",
            "x in (a),y",
            "x in ()",
            "x in (,a)",
            "x notin (in,notin)",
            "x==a",
            "in in (notin)",
        ] {
            assert!(LabelSelector::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "x=a||y=b",
            "x==a==b",
            "!x=a",
            "x<a",
            "x in (a",
            "x in a",
            "x,",
            ",x",
            "x y",
            "=a",
            "x in (a b)",
            "a b in (c)",
            "x>1.5",
        ] {
            assert!(LabelSelector::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn texts() {
        let canonical = |text: &str| LabelSelector::parse(text).map(|selector| selector.to_string());
        assert_eq!(canonical("z=1, x in (b,a) ,!y").as_deref(), Ok("x in (a,b),!y,z=1"));
        assert_eq!(
            canonical("x y").unwrap_err().to_string(),
            "unable to parse requirement: found 'y', expected: in, notin, =, ==, !=, gt, lt"
        );
        assert_eq!(
            canonical("x,").unwrap_err().to_string(),
            "found '', expected: identifier after ','"
        );
    }

    #[test]
    fn structured_form() {
        let selector = json!({"matchLabels": {"app": "web"}, "matchExpressions": [
            {"key": "tier", "operator": "In", "values": ["a", "b"]}, {"key": "old", "operator": "DoesNotExist"}]});
        let selector = LabelSelector::from_value(&selector).expect("valid");
        assert_eq!(selector.to_string(), "app=web,!old,tier in (a,b)");
        assert!(selector.matches_object(&json!({"metadata": {"labels": {"app": "web", "tier": "a"}}})));
        assert!(!selector.matches_object(&json!({"metadata": {}})));
        assert_eq!(LabelSelector::from_value(&Value::Null), Ok(LabelSelector::Nothing));
        assert!(LabelSelector::from_value(&json!({})).is_ok_and(|all| all.is_everything()));
        assert!(LabelSelector::from_value(&json!({"matchExpressions": [{"key": "a", "operator": "Has"}]})).is_err());
    }
}
