//! Go's text templates, as far as they need no functions.

use crate::value::Value;

enum Node {
    Text(String),
    Show(Vec<String>),
    Range(Option<Names>, Vec<String>, Vec<Node>, Vec<Node>),
    If(Vec<String>, Vec<Node>, Vec<Node>),
    With(Vec<String>, Vec<Node>, Vec<Node>),
}

struct Names {
    key: Option<String>,
    value: String,
}

/// How deep blocks may nest.
const DEPTH_MAX: usize = 64;
/// The longest result in bytes.
const OUTPUT_MAX: usize = 64 << 20;

/// Fills a template with the values of an object.
pub(crate) fn render(text: &str, data: &Value) -> Result<String, String> {
    let mut tokens = tokens(text)?.into_iter().peekable();
    let (nodes, end) = parse(&mut tokens, 0)?;
    if let Some(end) = end {
        return Err(format!("template: t: unexpected {{{{{end}}}}}"));
    }
    let mut out = String::new();
    let mut scope = Scope {
        root: data.clone(),
        dot: data.clone(),
        names: Vec::new(),
    };
    show(&nodes, &mut scope, &mut out)?;
    Ok(out)
}

enum Token {
    Text(String),
    Action(String),
}

type Tokens = std::iter::Peekable<std::vec::IntoIter<Token>>;

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("{{") {
        let end = rest[start..].find("}}").ok_or("template: t:1: unclosed action")? + start;
        let mut before = rest[..start].to_owned();
        let mut action = &rest[start + 2..end];
        if let Some(trimmed) = action.strip_prefix("- ") {
            action = trimmed;
            before.truncate(before.trim_end().len());
        }
        rest = &rest[end + 2..];
        if let Some(trimmed) = action.strip_suffix(" -") {
            action = trimmed;
            rest = rest.trim_start();
        }
        out.push(Token::Text(before));
        let action = action.trim();
        if !action.starts_with("/*") {
            out.push(Token::Action(action.to_owned()));
        }
    }
    out.push(Token::Text(rest.to_owned()));
    Ok(out)
}

fn parse(tokens: &mut Tokens, depth: usize) -> Result<(Vec<Node>, Option<String>), String> {
    if depth > DEPTH_MAX {
        return Err("template: t: blocks are nested too deeply".to_owned());
    }
    let mut nodes = Vec::new();
    while let Some(token) = tokens.next() {
        let action = match token {
            Token::Text(text) => {
                nodes.push(Node::Text(text));
                continue;
            }
            Token::Action(action) => action,
        };
        let mut words: Vec<String> = action.split_whitespace().map(str::to_owned).collect();
        match words.first().map(String::as_str) {
            Some("end" | "else") => return Ok((nodes, Some(action))),
            Some(kind @ ("range" | "if" | "with")) => {
                let kind = kind.to_owned();
                words.remove(0);
                let names = assigned(&mut words);
                let (body, mut end) = parse(tokens, depth + 1)?;
                let mut otherwise = Vec::new();
                match end.as_deref() {
                    Some("else") => (otherwise, end) = parse(tokens, depth + 1)?,
                    Some(chained) if chained.starts_with("else if ") => {
                        let nested = Token::Action(chained["else ".len()..].to_owned());
                        let rest: Vec<Token> = std::iter::once(nested).chain(tokens.by_ref()).collect();
                        *tokens = rest.into_iter().peekable();
                        let before = nodes.len();
                        let (inner, _) = parse_one(tokens, depth + 1)?;
                        otherwise = inner;
                        nodes.truncate(before);
                        end = Some("end".to_owned());
                    }
                    _ => {}
                }
                if end.as_deref() != Some("end") {
                    return Err("template: t:1: unexpected EOF".to_owned());
                }
                nodes.push(match &*kind {
                    "range" => Node::Range(names, words, body, otherwise),
                    "if" => Node::If(words, body, otherwise),
                    _ => Node::With(words, body, otherwise),
                });
            }
            _ => nodes.push(Node::Show(words)),
        }
    }
    Ok((nodes, None))
}

/// One block, with its end.
fn parse_one(tokens: &mut Tokens, depth: usize) -> Result<(Vec<Node>, Option<String>), String> {
    let Some(Token::Action(action)) = tokens.next() else {
        return Ok((Vec::new(), None));
    };
    let words: Vec<String> = action.split_whitespace().skip(1).map(str::to_owned).collect();
    let (body, end) = parse(tokens, depth + 1)?;
    let otherwise = match end.as_deref() {
        Some("else") => parse(tokens, depth + 1)?.0,
        Some(chained) if chained.starts_with("else if ") => {
            let nested = Token::Action(chained["else ".len()..].to_owned());
            let rest: Vec<Token> = std::iter::once(nested).chain(tokens.by_ref()).collect();
            *tokens = rest.into_iter().peekable();
            parse_one(tokens, depth + 1)?.0
        }
        _ => Vec::new(),
    };
    Ok((vec![Node::If(words, body, otherwise)], None))
}

/// `$i, $x := …`
fn assigned(words: &mut Vec<String>) -> Option<Names> {
    let at = words.iter().position(|word| word == ":=")?;
    let mut names: Vec<String> = words
        .drain(..=at)
        .map(|w| w.trim_end_matches(',').to_owned())
        .filter(|w| w.starts_with('$'))
        .collect();
    let value = names.pop()?;
    Some(Names {
        key: names.pop(),
        value,
    })
}

struct Scope {
    root: Value,
    dot: Value,
    names: Vec<(String, Value)>,
}

impl Scope {
    fn value(&self, words: &[String]) -> Result<Option<Value>, String> {
        let [word] = words else {
            return Err(format!(
                "template: t:1: function {:?} not defined",
                words.first().cloned().unwrap_or_default()
            ));
        };
        if let Some(text) = word.strip_prefix('"').and_then(|w| w.strip_suffix('"')) {
            return Ok(Some(text.into()));
        }
        if let Some(number) = crate::value::Number::parse(word) {
            return Ok(Some(number.into()));
        }
        let (mut value, path) = if let Some(rest) = word.strip_prefix('.') {
            (self.dot.clone(), rest)
        } else if word.starts_with('$') {
            let (name, path) = word.split_once('.').unwrap_or((word, ""));
            let found = if name == "$" {
                Some(self.root.clone())
            } else {
                self.names
                    .iter()
                    .rev()
                    .find(|(known, _)| known == name)
                    .map(|(_, value)| value.clone())
            };
            (
                found.ok_or_else(|| format!("template: t:1: undefined variable {name:?}"))?,
                path,
            )
        } else {
            return Err(format!("template: t:1: function {word:?} not defined"));
        };
        for key in path.split('.').filter(|key| !key.is_empty()) {
            match value.as_object().and_then(|object| object.get_str(key)) {
                Some(child) => value = child.clone(),
                None => return Ok(None),
            }
        }
        Ok(Some(value))
    }
}

fn truth(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null | Value::Bool(false)) => false,
        Some(Value::Bool(true)) => true,
        Some(Value::Number(n)) => *n != crate::value::Number::from(0i64),
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Array(items)) => !items.is_empty(),
        Some(Value::Object(object)) => !object.is_empty(),
        Some(Value::Set(set)) => !set.is_empty(),
    }
}

fn display(value: &Value) -> String {
    match value {
        Value::String(text) => text.to_string(),
        Value::Null => "<nil>".to_owned(),
        Value::Array(items) => format!("[{}]", items.iter().map(display).collect::<Vec<_>>().join(" ")),
        Value::Set(set) => format!("[{}]", set.iter().map(display).collect::<Vec<_>>().join(" ")),
        Value::Object(object) => {
            let pairs: Vec<String> = object
                .iter()
                .map(|(key, value)| format!("{}:{}", display(key), display(value)))
                .collect();
            format!("map[{}]", pairs.join(" "))
        }
        other => other.to_string(),
    }
}

fn show(nodes: &[Node], scope: &mut Scope, out: &mut String) -> Result<(), String> {
    for node in nodes {
        if out.len() > OUTPUT_MAX {
            return Err(format!("template: t: the result is longer than {OUTPUT_MAX} bytes"));
        }
        match node {
            Node::Text(text) => out.push_str(text),
            Node::Show(words) => match scope.value(words)? {
                Some(value) => out.push_str(&display(&value)),
                None => {
                    return Err(format!(
                        "template: t:1: executing \"t\" at <{}>: map has no entry for key",
                        words.join(" ")
                    ));
                }
            },
            Node::If(words, body, otherwise) => {
                let holds = truth(scope.value(words)?.as_ref());
                show(if holds { body } else { otherwise }, scope, out)?;
            }
            Node::With(words, body, otherwise) => match scope.value(words)? {
                Some(value) if truth(Some(&value)) => {
                    let before = std::mem::replace(&mut scope.dot, value);
                    show(body, scope, out)?;
                    scope.dot = before;
                }
                _ => show(otherwise, scope, out)?,
            },
            Node::Range(names, words, body, otherwise) => {
                let pairs: Vec<(Value, Value)> = match scope.value(words)? {
                    Some(Value::Array(items)) => items.iter().enumerate().map(|(i, v)| (i.into(), v.clone())).collect(),
                    Some(Value::Set(set)) => set.iter().enumerate().map(|(i, v)| (i.into(), v.clone())).collect(),
                    Some(Value::Object(object)) => object.iter().cloned().collect(),
                    None => Vec::new(),
                    Some(other) => {
                        return Err(format!("template: t:1: range can't iterate over {}", display(&other)));
                    }
                };
                if pairs.is_empty() {
                    show(otherwise, scope, out)?;
                }
                for (key, value) in pairs {
                    let depth = scope.names.len();
                    if let Some(names) = names {
                        scope
                            .names
                            .extend(names.key.iter().map(|name| (name.clone(), key.clone())));
                        scope.names.push((names.value.clone(), value.clone()));
                    }
                    let before = std::mem::replace(&mut scope.dot, value);
                    show(body, scope, out)?;
                    scope.dot = before;
                    scope.names.truncate(depth);
                }
            }
        }
    }
    Ok(())
}
