//! From items to a tree.

use super::lex::{Item, Token};
use super::{TemplateError, Value, functions};

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    Text(String),
    /// A pipeline whose value is printed, unless it sets a variable.
    Action(Pipeline),
    If(Vec<(Pipeline, Vec<Node>)>, Vec<Node>),
    With(Vec<(Pipeline, Vec<Node>)>, Vec<Node>),
    Range(Pipeline, Vec<Node>, Vec<Node>),
    Break,
    Continue,
}

/// Commands, each given the value of the one before; the last value may go into variables.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pipeline {
    pub(super) variables: Vec<String>,
    pub(super) assigns: bool,
    pub(super) commands: Vec<Command>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Command {
    pub(super) at: usize,
    pub(super) function: Option<String>,
    pub(super) arguments: Vec<Term>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Term {
    pub(super) at: usize,
    pub(super) base: Base,
    pub(super) fields: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Base {
    Dot,
    Variable(String),
    Literal(Value),
    Pipeline(Pipeline),
}

/// Blocks within blocks, and parentheses within parentheses, at most: templates are data, and the tree is walked
/// by recursion.
const DEPTH_MAX: usize = 64;

pub(super) fn nodes(items: &[Item]) -> Result<Vec<Node>, TemplateError> {
    let mut parser = Parser {
        items,
        at: 0,
        variables: vec![String::new()],
        depth: 0,
        loops: 0,
    };
    let (nodes, end) = parser.block()?;
    match end {
        End::Text => Ok(nodes),
        End::Word(at, word) => Err(error(at, format!("{word} without a block that it ends"))),
    }
}

struct Parser<'a> {
    items: &'a [Item],
    at: usize,
    variables: Vec<String>,
    depth: usize,
    loops: usize,
}

/// What ended a block.
enum End {
    Text,
    Word(usize, String),
}

fn error(at: usize, message: impl Into<String>) -> TemplateError {
    TemplateError {
        message: message.into(),
        at,
    }
}

impl Parser<'_> {
    fn token(&self) -> &Token {
        &self.items[self.at.min(self.items.len() - 1)].token
    }

    fn place(&self) -> usize {
        self.items[self.at.min(self.items.len() - 1)].at
    }

    fn skip_space(&mut self) {
        while *self.token() == Token::Space {
            self.at += 1;
        }
    }

    fn close(&mut self) -> Result<(), TemplateError> {
        self.skip_space();
        if *self.token() != Token::Close {
            return Err(error(self.place(), "unexpected word at the end of an action"));
        }
        self.at += 1;
        Ok(())
    }

    fn deeper(&mut self) -> Result<(), TemplateError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(error(self.place(), format!("more than {DEPTH_MAX} levels of nesting")));
        }
        Ok(())
    }

    fn block(&mut self) -> Result<(Vec<Node>, End), TemplateError> {
        self.deeper()?;
        let known = self.variables.len();
        let mut nodes = Vec::new();
        let end = loop {
            match self.token().clone() {
                Token::Text(text) => {
                    if self.at + 1 >= self.items.len() {
                        break End::Text;
                    }
                    nodes.push(Node::Text(text));
                    self.at += 1;
                }
                Token::Open => {
                    self.at += 1;
                    self.skip_space();
                    let at = self.place();
                    match self.token().clone() {
                        Token::Word(word) if word == "end" || word == "else" => {
                            self.at += 1;
                            break End::Word(at, word);
                        }
                        Token::Word(word) => nodes.push(self.statement(&word)?),
                        _ => nodes.push(self.action()?),
                    }
                }
                _ => return Err(error(self.place(), "unexpected word outside of an action")),
            }
        };
        self.variables.truncate(known);
        self.depth -= 1;
        Ok((nodes, end))
    }

    fn action(&mut self) -> Result<Node, TemplateError> {
        let pipeline = self.pipeline()?;
        self.close()?;
        Ok(Node::Action(pipeline))
    }

    fn statement(&mut self, word: &str) -> Result<Node, TemplateError> {
        match word {
            "if" | "with" => {
                self.at += 1;
                self.choice(word)
            }
            "range" => {
                self.at += 1;
                self.range()
            }
            "break" | "continue" if self.loops > 0 => {
                self.at += 1;
                self.close()?;
                Ok(if word == "break" { Node::Break } else { Node::Continue })
            }
            "define" | "template" | "block" => Err(error(
                self.place(),
                format!("{word} is not supported: a rule is one template"),
            )),
            _ => self.action(),
        }
    }

    fn choice(&mut self, word: &str) -> Result<Node, TemplateError> {
        let known = self.variables.len();
        let mut branches = Vec::new();
        let otherwise = loop {
            let condition = self.pipeline()?;
            self.close()?;
            let (body, end) = self.block()?;
            branches.push((condition, body));
            match self.ended(end)? {
                Ended::End => break Vec::new(),
                Ended::Else => {
                    if *self.token() == Token::Word(word.to_owned()) {
                        self.at += 1;
                        continue;
                    }
                    break self.otherwise()?;
                }
            }
        };
        self.variables.truncate(known);
        Ok(if word == "if" {
            Node::If(branches, otherwise)
        } else {
            Node::With(branches, otherwise)
        })
    }

    fn range(&mut self) -> Result<Node, TemplateError> {
        let known = self.variables.len();
        let over = self.pipeline()?;
        self.close()?;
        self.loops += 1;
        let (body, end) = self.block()?;
        self.loops -= 1;
        let otherwise = match self.ended(end)? {
            Ended::End => Vec::new(),
            Ended::Else => self.otherwise()?,
        };
        self.variables.truncate(known);
        Ok(Node::Range(over, body, otherwise))
    }

    fn otherwise(&mut self) -> Result<Vec<Node>, TemplateError> {
        self.close()?;
        let (body, end) = self.block()?;
        match self.ended(end)? {
            Ended::End => Ok(body),
            Ended::Else => Err(error(self.place(), "a second else")),
        }
    }

    fn ended(&mut self, end: End) -> Result<Ended, TemplateError> {
        match end {
            End::Text => Err(error(self.place(), "a block is not closed: <<end>> is missing")),
            End::Word(_, word) if word == "end" => {
                self.close()?;
                Ok(Ended::End)
            }
            End::Word(..) => {
                self.skip_space();
                Ok(Ended::Else)
            }
        }
    }

    fn pipeline(&mut self) -> Result<Pipeline, TemplateError> {
        self.deeper()?;
        self.skip_space();
        let (variables, assigns) = self.declaration()?;
        let mut commands = Vec::new();
        loop {
            self.skip_space();
            commands.push(self.command()?);
            self.skip_space();
            if *self.token() != Token::Sign("|") {
                break;
            }
            self.at += 1;
        }
        if !assigns {
            self.variables.extend(variables.iter().cloned());
        }
        self.depth -= 1;
        Ok(Pipeline {
            variables,
            assigns,
            commands,
        })
    }

    /// `$x :=`, `$i, $x :=` or `$x =`, if it is there.
    fn declaration(&mut self) -> Result<(Vec<String>, bool), TemplateError> {
        let start = self.at;
        let mut names = Vec::new();
        while let Token::Variable(name) = self.token().clone() {
            names.push((self.place(), name));
            self.at += 1;
            self.skip_space();
            if *self.token() == Token::Sign(",") && names.len() == 1 {
                self.at += 1;
                self.skip_space();
                continue;
            }
            break;
        }
        let assigns = match self.token() {
            Token::Sign(":=") if !names.is_empty() => false,
            Token::Sign("=") if !names.is_empty() => true,
            _ => {
                self.at = start;
                return Ok((Vec::new(), false));
            }
        };
        self.at += 1;
        if assigns && let Some((at, name)) = names.iter().find(|(_, name)| !self.variables.contains(name)) {
            return Err(error(*at, format!("the variable ${name} is not known here")));
        }
        Ok((names.into_iter().map(|(_, name)| name).collect(), assigns))
    }

    fn command(&mut self) -> Result<Command, TemplateError> {
        let at = self.place();
        let mut function = None;
        if let Token::Word(word) = self.token().clone() {
            if !functions::is_known(&word) {
                return Err(error(at, format!("the function {word:?} is not known")));
            }
            function = Some(word);
            self.at += 1;
        }
        let mut arguments = Vec::new();
        loop {
            self.skip_space();
            match self.term()? {
                Some(term) => arguments.push(term),
                None => break,
            }
        }
        if function.is_none() && arguments.is_empty() {
            return Err(error(self.place(), "a value is missing"));
        }
        if function.is_none() && arguments.len() > 1 {
            return Err(error(arguments[1].at, "only a function takes arguments"));
        }
        Ok(Command {
            at,
            function,
            arguments,
        })
    }

    fn term(&mut self) -> Result<Option<Term>, TemplateError> {
        let at = self.place();
        let mut fields = Vec::new();
        let base = match self.token().clone() {
            Token::Field(name) => {
                if !name.is_empty() {
                    fields.push(name);
                }
                Base::Dot
            }
            Token::Variable(name) => {
                if !self.variables.contains(&name) {
                    return Err(error(at, format!("the variable ${name} is not known here")));
                }
                Base::Variable(name)
            }
            Token::Literal(value) => Base::Literal(value),
            Token::Word(word) if functions::is_known(&word) => {
                // A function without arguments, as an argument.
                let command = Command {
                    at,
                    function: Some(word),
                    arguments: Vec::new(),
                };
                Base::Pipeline(Pipeline {
                    variables: Vec::new(),
                    assigns: false,
                    commands: vec![command],
                })
            }
            Token::Word(word) => return Err(error(at, format!("the function {word:?} is not known"))),
            Token::Sign("(") => {
                self.at += 1;
                let pipeline = self.pipeline()?;
                self.skip_space();
                if *self.token() != Token::Sign(")") {
                    return Err(error(self.place(), "a parenthesis is not closed"));
                }
                Base::Pipeline(pipeline)
            }
            _ => return Ok(None),
        };
        self.at += 1;
        while let Token::Field(name) = self.token().clone() {
            if name.is_empty() {
                break;
            }
            fields.push(name);
            self.at += 1;
        }
        Ok(Some(Term { at, base, fields }))
    }
}

enum Ended {
    End,
    Else,
}
