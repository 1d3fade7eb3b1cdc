//! The JSON paths of custom columns: `.spec.x`, `.a[0]`, `.a[*].b`, `.conditions[?(@.type=="Ready")].status`, `['a.b']`.

use serde_json::Value;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Field(String),
    Index(i64),
    All,
    Where {
        path: Vec<Step>,
        equal: bool,
        value: String,
    },
}

/// A parsed path; the empty one finds nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JsonPath {
    steps: Vec<Step>,
}

impl JsonPath {
    /// Reads a path, with or without the braces of kubectl; the error says what could not be read.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text
            .trim()
            .trim_start_matches('{')
            .trim_end_matches('}')
            .trim_start_matches('$');
        steps(text).map(|steps| JsonPath { steps })
    }

    /// The first value it finds.
    pub fn first<'a>(&self, object: &'a Value) -> Option<&'a Value> {
        self.all(object).into_iter().next()
    }

    /// All values it finds.
    pub fn all<'a>(&self, object: &'a Value) -> Vec<&'a Value> {
        if self.steps.is_empty() {
            Vec::new()
        } else {
            walk(&self.steps, object)
        }
    }

    /// Of several values, their texts in brackets as upstream prints them; of one scalar, its text.
    pub(super) fn joined(&self, object: &Value) -> Option<String> {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        match self.all(object).as_slice() {
            [] => None,
            [one] => Some(text(one)),
            many => Some(many.iter().map(|value| text(value)).collect::<Vec<_>>().join(" ")),
        }
    }
}

fn walk<'a>(steps: &[Step], value: &'a Value) -> Vec<&'a Value> {
    let mut found = vec![value];
    for step in steps {
        found = found.into_iter().flat_map(|value| apply(step, value)).collect();
    }
    found
}

fn apply<'a>(step: &Step, value: &'a Value) -> Vec<&'a Value> {
    let items = || value.as_array().map(Vec::as_slice).unwrap_or_default();
    match step {
        Step::Field(name) => value.get(name).into_iter().collect(),
        Step::Index(place) => {
            let place = if *place < 0 {
                items().len() as i64 + place
            } else {
                *place
            };
            usize::try_from(place)
                .ok()
                .and_then(|place| items().get(place))
                .into_iter()
                .collect()
        }
        Step::All => match value {
            Value::Object(fields) => fields.values().collect(),
            _ => items().iter().collect(),
        },
        Step::Where {
            path,
            equal,
            value: wanted,
        } => {
            let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let holds = |item: &&Value| {
                walk(path, item)
                    .first()
                    .is_some_and(|found| (text(found) == *wanted) == *equal)
            };
            items().iter().filter(holds).collect()
        }
    }
}

fn steps(mut rest: &str) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('[') {
            let end = closing(after).ok_or_else(|| format!("unterminated [ in {rest:?}"))?;
            steps.push(bracket(&after[..end])?);
            rest = &after[end + 1..];
        } else {
            let name = rest.strip_prefix('.').unwrap_or(rest);
            let (field, length) = dotted(name);
            if length > 0 {
                steps.push(if field == "*" { Step::All } else { Step::Field(field) });
            } else if !name.starts_with('[') && !name.is_empty() {
                return Err(format!("cannot read {rest:?}"));
            }
            rest = &name[length..];
        }
    }
    Ok(steps)
}

/// A field name up to the next unescaped dot or bracket, and its length in the text.
fn dotted(text: &str) -> (String, usize) {
    let mut name = String::new();
    let mut escaped = false;
    for (place, c) in text.char_indices() {
        match c {
            '\\' if !escaped => escaped = true,
            '.' | '[' if !escaped => return (name, place),
            other => {
                escaped = false;
                name.push(other);
            }
        }
    }
    (name, text.len())
}

/// The place of the bracket that closes, outside of quotes.
fn closing(text: &str) -> Option<usize> {
    let mut quote = None;
    for (place, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None, ']') => return Some(place),
            _ => {}
        }
    }
    None
}

fn unquoted(text: &str) -> Option<&str> {
    let inner = |quote: char| text.strip_prefix(quote)?.strip_suffix(quote);
    inner('\'').or_else(|| inner('"'))
}

fn bracket(text: &str) -> Result<Step, String> {
    let text = text.trim();
    if text == "*" {
        return Ok(Step::All);
    }
    if let Some(name) = unquoted(text) {
        return Ok(Step::Field(name.to_owned()));
    }
    if let Some(filter) = text.strip_prefix("?(").and_then(|filter| filter.strip_suffix(')')) {
        let (operator, equal) = if filter.contains("!=") {
            ("!=", false)
        } else {
            ("==", true)
        };
        let (path, value) = filter
            .split_once(operator)
            .ok_or_else(|| format!("cannot read the filter {filter:?}"))?;
        let path = steps(path.trim().trim_start_matches('@'))?;
        let value = value.trim();
        return Ok(Step::Where {
            path,
            equal,
            value: unquoted(value).unwrap_or(value).to_owned(),
        });
    }
    text.parse()
        .map(Step::Index)
        .map_err(|_| format!("cannot read [{text}]"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn paths() {
        let object = json!({"spec": {"a.b": 1, "list": [{"n": "x"}, {"n": "y"}]},
            "status": {"conditions": [{"type": "Synced", "status": "False"}, {"type": "Ready", "status": "True"}]}});
        let check = |path: &str, expect: &[Value]| {
            let found: Vec<Value> = JsonPath::parse(path)
                .expect(path)
                .all(&object)
                .into_iter()
                .cloned()
                .collect();
            assert_eq!(found, expect, "{path}");
        };
        check(".spec.list[0].n", &[json!("x")]);
        check("{.spec.list[-1].n}", &[json!("y")]);
        check(".spec.list[*].n", &[json!("x"), json!("y")]);
        check(".status.conditions[?(@.type==\"Ready\")].status", &[json!("True")]);
        check(".status.conditions[?(@.type != 'Ready')].status", &[json!("False")]);
        check(".spec['a.b']", &[json!(1)]);
        check(r".spec.a\.b", &[json!(1)]);
        check(".nothing.here", &[]);
        assert!(JsonPath::parse(".a[").is_err());
        assert!(JsonPath::parse(".a[x]").is_err());
    }
}
