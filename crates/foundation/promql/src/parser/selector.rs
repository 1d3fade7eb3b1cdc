//! Selectors and literals.

use super::cursor::Parser;
use super::expression::{Parsed, leaf};
use super::lexer::{Kind, Token};
use super::{ParseError, literals};
use crate::ast::{BinaryOp, ExprKind, NumberLiteral, Span, TimeShift, VectorSelector};
use crate::labels::METRIC_NAME;
use crate::matcher::{MatchOp, Matcher};

type Result<T> = std::result::Result<T, ParseError>;

impl<'a> Parser<'a> {
    pub(super) fn number(&mut self) -> Result<NumberLiteral> {
        let token = self.next();
        if token.kind == Kind::Duration {
            let millis = literals::duration_millis(token.text).map_err(|message| self.error(token.span, message))?;
            return Ok(NumberLiteral {
                value: millis as f64 / 1000.0,
                is_duration: true,
            });
        }
        match literals::number(token.text) {
            Some(value) => Ok(NumberLiteral {
                value,
                is_duration: false,
            }),
            None => Err(self.error(token.span, format!("error parsing number: {:?}", token.text))),
        }
    }

    pub(super) fn signed_number(&mut self, context: &str) -> Result<f64> {
        let negative = self.peek() == Kind::Operator(BinaryOp::Sub);
        if negative || self.peek() == Kind::Operator(BinaryOp::Add) {
            self.next();
        }
        let value = match self.peek() {
            Kind::Number | Kind::Duration => self.number()?.value,
            Kind::Word if is_special_number(self.token().text) => {
                literals::number(self.next().text).unwrap_or(f64::NAN)
            }
            _ => return Err(self.unexpected(context, "number")),
        };
        Ok(if negative { -value } else { value })
    }

    pub(super) fn unquote(&self, token: &Token<'_>) -> Result<String> {
        literals::string(token.text).map_err(|message| self.error(token.span, message))
    }

    pub(super) fn selector(&mut self, name: Option<Token<'a>>) -> Result<Parsed> {
        if let Some(token) = name.as_ref().filter(|token| is_special_number(token.text))
            && self.peek() != Kind::LeftBrace
        {
            let value = literals::number(token.text).unwrap_or(f64::NAN);
            return Ok(leaf(
                ExprKind::Number(NumberLiteral {
                    value,
                    is_duration: false,
                }),
                token.span,
            ));
        }
        let start = name.as_ref().map_or(self.span(), |token| token.span);
        let mut matchers = if self.peek() == Kind::LeftBrace {
            self.matchers()?
        } else {
            Vec::new()
        };
        let span = Span {
            start: start.start,
            end: self.previous_end(),
        };
        let name = name.map(|token| token.text.to_owned());
        if let Some(name) = &name {
            matchers.push(Matcher::equal(METRIC_NAME, name.clone()));
        }
        let selector = VectorSelector {
            name,
            matchers,
            shift: TimeShift::default(),
            extension: None,
        };
        Ok(leaf(ExprKind::Vector(selector), span))
    }

    fn matchers(&mut self) -> Result<Vec<Matcher>> {
        self.next();
        let mut matchers = Vec::new();
        while !self.eat(Kind::RightBrace) {
            matchers.push(self.matcher()?);
            if self.peek() != Kind::RightBrace {
                self.expect(Kind::Comma, "label matching", "\",\" or \"}\"")?;
            }
        }
        Ok(matchers)
    }

    fn matcher(&mut self) -> Result<Matcher> {
        let name = self.next();
        let label = match name.kind {
            Kind::Word => name.text.to_owned(),
            Kind::String => self.unquote(&name)?,
            _ => {
                self.at -= 1;
                return Err(self.unexpected("label matching", "identifier or \"}\""));
            }
        };
        let op = match self.peek() {
            Kind::Assign => MatchOp::Equal,
            Kind::MatchRegex => MatchOp::Regex,
            Kind::MatchNotRegex => MatchOp::NotRegex,
            Kind::Operator(BinaryOp::NotEqual) => MatchOp::NotEqual,
            // A string alone is the metric's name.
            Kind::Comma | Kind::RightBrace if name.kind == Kind::String => {
                return Ok(Matcher::equal(METRIC_NAME, label));
            }
            _ => return Err(self.unexpected("label matching", "label matching operator")),
        };
        self.next();
        let value = self.expect(Kind::String, "label matching", "string")?;
        let text = self.unquote(&value)?;
        Matcher::new(label, op, text).map_err(|message| self.error(name.span.to(value.span), message))
    }
}

pub(super) fn is_special_number(word: &str) -> bool {
    word.eq_ignore_ascii_case("inf") || word.eq_ignore_ascii_case("nan")
}
