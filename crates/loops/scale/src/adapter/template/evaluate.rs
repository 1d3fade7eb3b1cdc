//! Walks the tree.

use super::parse::{Base, Command, Node, Pipeline, Term};
use super::{TemplateError, Value, functions};

/// What a template may print, in bytes: a query longer than this is refused by every server.
const OUTPUT_BYTES_MAX: usize = 1 << 20;

pub(super) fn run(nodes: &[Node], data: &Value) -> Result<String, TemplateError> {
    let mut state = State {
        variables: vec![(String::new(), data.clone())],
        out: String::new(),
    };
    state.nodes(nodes, data)?;
    Ok(state.out)
}

struct State {
    variables: Vec<(String, Value)>,
    out: String,
}

/// How a block ended.
#[derive(PartialEq)]
enum Flow {
    On,
    Break,
    Continue,
}

fn error(at: usize, message: impl Into<String>) -> TemplateError {
    TemplateError {
        message: message.into(),
        at,
    }
}

impl State {
    fn nodes(&mut self, nodes: &[Node], dot: &Value) -> Result<Flow, TemplateError> {
        let known = self.variables.len();
        let mut flow = Flow::On;
        for node in nodes {
            flow = self.node(node, dot)?;
            if flow != Flow::On {
                break;
            }
        }
        self.variables.truncate(known);
        Ok(flow)
    }

    fn node(&mut self, node: &Node, dot: &Value) -> Result<Flow, TemplateError> {
        match node {
            Node::Text(text) => self.print(text)?,
            Node::Action(pipeline) => {
                let value = self.pipeline(pipeline, dot)?;
                if pipeline.variables.is_empty() {
                    self.print(&value.to_string())?;
                }
            }
            Node::If(branches, otherwise) => return self.choose(branches, otherwise, dot, false),
            Node::With(branches, otherwise) => return self.choose(branches, otherwise, dot, true),
            Node::Range(over, body, otherwise) => return self.range(over, body, otherwise, dot),
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::On)
    }

    fn print(&mut self, text: &str) -> Result<(), TemplateError> {
        if self.out.len() + text.len() > OUTPUT_BYTES_MAX {
            return Err(error(
                0,
                format!("the template prints more than {OUTPUT_BYTES_MAX} bytes"),
            ));
        }
        self.out.push_str(text);
        Ok(())
    }

    fn choose(
        &mut self,
        branches: &[(Pipeline, Vec<Node>)],
        otherwise: &[Node],
        dot: &Value,
        rebind: bool,
    ) -> Result<Flow, TemplateError> {
        let known = self.variables.len();
        let mut flow = None;
        for (condition, body) in branches {
            let value = self.pipeline(condition, dot)?;
            if value.is_true() {
                let dot = if rebind { &value } else { dot };
                flow = Some(self.nodes(body, dot)?);
                break;
            }
        }
        let flow = match flow {
            Some(flow) => flow,
            None => self.nodes(otherwise, dot)?,
        };
        self.variables.truncate(known);
        Ok(flow)
    }

    fn range(
        &mut self,
        over: &Pipeline,
        body: &[Node],
        otherwise: &[Node],
        dot: &Value,
    ) -> Result<Flow, TemplateError> {
        let known = self.variables.len();
        let at = over.commands.first().map_or(0, |command| command.at);
        let value = self.commands(over, dot)?;
        let entries: Vec<(Value, Value)> = match value {
            Value::List(items) => items
                .into_iter()
                .enumerate()
                .map(|(i, item)| (Value::Integer(i as i64), item))
                .collect(),
            Value::Map(map) => map.into_iter().map(|(key, value)| (key.into(), value.into())).collect(),
            Value::Integer(count) if (0..=OUTPUT_BYTES_MAX as i64).contains(&count) => {
                (0..count).map(|i| (Value::Integer(i), Value::Integer(i))).collect()
            }
            Value::Nothing => Vec::new(),
            Value::Text(text) if text.is_empty() => Vec::new(),
            other => return Err(error(at, format!("range cannot go over {}", other.kind()))),
        };
        if entries.is_empty() {
            return self.nodes(otherwise, dot);
        }
        for (key, item) in entries {
            self.variables.truncate(known);
            match over.variables.as_slice() {
                [value] => self.variables.push((value.clone(), item.clone())),
                [index, value, ..] => {
                    self.variables.push((index.clone(), key));
                    self.variables.push((value.clone(), item.clone()));
                }
                [] => {}
            }
            if self.nodes(body, &item)? == Flow::Break {
                break;
            }
        }
        self.variables.truncate(known);
        Ok(Flow::On)
    }

    fn pipeline(&mut self, pipeline: &Pipeline, dot: &Value) -> Result<Value, TemplateError> {
        let value = self.commands(pipeline, dot)?;
        for name in &pipeline.variables {
            if !pipeline.assigns {
                self.variables.push((name.clone(), value.clone()));
            } else if let Some((_, variable)) = self.variables.iter_mut().rev().find(|(known, _)| known == name) {
                *variable = value.clone();
            }
        }
        Ok(value)
    }

    fn commands(&mut self, pipeline: &Pipeline, dot: &Value) -> Result<Value, TemplateError> {
        let mut piped = None;
        for command in &pipeline.commands {
            piped = Some(self.command(command, piped, dot)?);
        }
        Ok(piped.unwrap_or(Value::Nothing))
    }

    fn command(&mut self, command: &Command, piped: Option<Value>, dot: &Value) -> Result<Value, TemplateError> {
        let Some(function) = &command.function else {
            if piped.is_some() {
                return Err(error(command.at, "only a function can be piped into"));
            }
            let term = command
                .arguments
                .first()
                .ok_or_else(|| error(command.at, "a value is missing"))?;
            return self.term(term, dot);
        };
        let mut arguments = Vec::with_capacity(command.arguments.len() + 1);
        for argument in &command.arguments {
            let value = self.term(argument, dot)?;
            // `and` and `or` stop at the first argument that decides.
            let decided = match function.as_str() {
                "and" => !value.is_true(),
                "or" => value.is_true(),
                _ => false,
            };
            if decided {
                return Ok(value);
            }
            arguments.push(value);
        }
        arguments.extend(piped);
        functions::call(function, arguments).map_err(|message| error(command.at, format!("{function}: {message}")))
    }

    fn term(&mut self, term: &Term, dot: &Value) -> Result<Value, TemplateError> {
        let mut value = match &term.base {
            Base::Dot => dot.clone(),
            Base::Literal(value) => value.clone(),
            Base::Pipeline(pipeline) => self.pipeline(pipeline, dot)?,
            Base::Variable(name) => {
                let found = self.variables.iter().rev().find(|(known, _)| known == name);
                found.map_or(Value::Nothing, |(_, value)| value.clone())
            }
        };
        for field in &term.fields {
            value = match value {
                Value::Record(fields) => fields
                    .into_iter()
                    .find_map(|(name, value)| (name == field).then_some(value))
                    .ok_or_else(|| error(term.at, format!("there is no field {field:?}")))?,
                Value::Map(mut map) => map.remove(field).map_or(Value::Nothing, Value::Text),
                other => return Err(error(term.at, format!("{} has no field {field:?}", other.kind()))),
            };
        }
        Ok(value)
    }
}
