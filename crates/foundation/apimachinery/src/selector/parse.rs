//! The text form of label selectors: a tokenizer and a parser with one token of look-ahead.

use std::collections::BTreeSet;

use super::label::{Operator, Requirement, SelectorError, key_cause};

/// What the parser reports where it wanted an operator.
const OPERATORS: &str = "in, notin, =, ==, !=, gt, lt";

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Symbol(&'static str),
    Unknown(String),
    End,
}

impl Token {
    fn text(&self) -> &str {
        match self {
            Token::Word(text) | Token::Unknown(text) => text,
            Token::Symbol(symbol) => symbol,
            Token::End => "",
        }
    }
}

/// Longest first, so that `==` is not read as two of `=`.
const SYMBOLS: [&str; 9] = ["==", "!=", "=", "!", ",", "(", ")", ">", "<"];

fn special(symbol: char) -> bool {
    matches!(symbol, '=' | '!' | '(' | ')' | ',' | '>' | '<')
}

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\r', '\n']);
        let Some(first) = rest.chars().next() else {
            break;
        };
        if !special(first) {
            let end = rest
                .find(|c: char| special(c) || c.is_ascii_whitespace())
                .unwrap_or(rest.len());
            tokens.push(Token::Word(rest[..end].to_owned()));
            rest = &rest[end..];
        } else if let Some(symbol) = SYMBOLS.into_iter().find(|symbol| rest.starts_with(symbol)) {
            tokens.push(Token::Symbol(symbol));
            rest = &rest[symbol.len()..];
        } else {
            tokens.push(Token::Unknown(rest.to_owned()));
            break;
        }
    }
    tokens.push(Token::End);
    tokens
}

struct Parser {
    tokens: std::iter::Peekable<std::vec::IntoIter<Token>>,
}

fn expected<T>(found: &Token, wanted: &str) -> Result<T, SelectorError> {
    Err(SelectorError(format!("found '{}', expected: {wanted}", found.text())))
}

impl Parser {
    fn peek(&mut self) -> Token {
        self.tokens.peek().cloned().unwrap_or(Token::End)
    }

    fn next(&mut self) -> Token {
        self.tokens.next().unwrap_or(Token::End)
    }

    fn requirement(&mut self) -> Result<Requirement, SelectorError> {
        let mut token = self.next();
        let negated = token == Token::Symbol("!");
        if negated {
            token = self.next();
        }
        let Token::Word(key) = token else {
            return expected(&token, "identifier");
        };
        if let Some(cause) = key_cause("<nil>", &key) {
            return Err(SelectorError(crate::status::sentence(&[cause])));
        }
        let alone = matches!(self.peek(), Token::End | Token::Symbol(","));
        match (negated, alone) {
            (true, _) => Requirement::new(&key, Operator::DoesNotExist, Vec::new()),
            (false, true) => Requirement::new(&key, Operator::Exists, Vec::new()),
            (false, false) => {
                let operator = self.operator()?;
                let values = match operator {
                    Operator::In | Operator::NotIn => self.values()?,
                    _ => BTreeSet::from([self.exact_value()?]),
                };
                Requirement::new(&key, operator, values.into_iter().collect())
            }
        }
    }

    fn operator(&mut self) -> Result<Operator, SelectorError> {
        let token = self.next();
        Ok(match token.text() {
            "in" => Operator::In,
            "notin" => Operator::NotIn,
            "=" => Operator::Equals,
            "==" => Operator::DoubleEquals,
            "!=" => Operator::NotEquals,
            ">" => Operator::GreaterThan,
            "<" => Operator::LessThan,
            _ => return expected(&token, OPERATORS),
        })
    }

    fn exact_value(&mut self) -> Result<String, SelectorError> {
        if matches!(self.peek(), Token::End | Token::Symbol(",")) {
            return Ok(String::new());
        }
        match self.next() {
            Token::Word(value) => Ok(value),
            other => expected(&other, "identifier"),
        }
    }

    /// `(a,b)`; a missing word between commas or brackets is the empty value.
    fn values(&mut self) -> Result<BTreeSet<String>, SelectorError> {
        let open = self.next();
        if open != Token::Symbol("(") {
            // Upstream leaves the comma out here.
            return Err(SelectorError(format!("found '{}' expected: '('", open.text())));
        }
        let mut values = BTreeSet::new();
        loop {
            let value = match self.peek() {
                Token::Word(value) => {
                    self.next();
                    value
                }
                Token::Symbol("," | ")") => String::new(),
                other => return expected(&other, "',', ')' or identifier"),
            };
            values.insert(value);
            match self.next() {
                Token::Symbol(",") => {}
                Token::Symbol(")") => return Ok(values),
                other => return expected(&other, "',' or ')'"),
            }
        }
    }
}

pub(super) fn label_selector(text: &str) -> Result<Vec<Requirement>, SelectorError> {
    let mut parser = Parser {
        tokens: tokens(text).into_iter().peekable(),
    };
    let mut requirements = Vec::new();
    loop {
        match parser.peek() {
            Token::End => return Ok(requirements),
            Token::Word(_) | Token::Symbol("!") => {}
            other => return expected(&other, "!, identifier, or 'end of string'"),
        }
        let requirement = parser.requirement();
        requirements.push(
            requirement.map_err(|SelectorError(why)| SelectorError(format!("unable to parse requirement: {why}")))?,
        );
        match parser.next() {
            Token::End => return Ok(requirements),
            Token::Symbol(",") => match parser.peek() {
                Token::Word(_) | Token::Symbol("!") => {}
                other => return expected(&other, "identifier after ','"),
            },
            other => return expected(&other, "',' or 'end of string'"),
        }
    }
}
