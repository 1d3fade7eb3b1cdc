//! Statements and operators.

use super::ast::{Literal, LiteralKind, Span, Term, TermKind, With};
use super::lexer::Kind;
use super::parser::{Parser, Result};

/// Operators by rising strength, with the names of the built-ins that they stand for.
const LEVELS: [&[(&str, &str)]; 5] = [
    &[
        ("==", "equal"),
        ("!=", "neq"),
        ("<", "lt"),
        (">", "gt"),
        ("<=", "lte"),
        (">=", "gte"),
    ],
    &[("|", "or")],
    &[("&", "and")],
    &[("+", "plus"), ("-", "minus")],
    &[("*", "mul"), ("/", "div"), ("%", "rem")],
];

/// Operators above `|`, which ends the head of a comprehension.
pub(super) const ABOVE_BAR: usize = 2;

pub(super) fn operator_call(name: &str, args: Vec<Term>, span: Span) -> Term {
    let operator = match name.split_once('.') {
        Some((head, rest)) => TermKind::Ref(
            Box::new(Term {
                kind: TermKind::Var(head.into()),
                span,
            }),
            vec![Term {
                kind: TermKind::String(rest.into()),
                span,
            }],
        ),
        None => TermKind::Var(name.into()),
    };
    Term {
        kind: TermKind::Call(Box::new(Term { kind: operator, span }), args),
        span,
    }
}

impl Parser<'_> {
    /// Statements up to `end`, which is not consumed, or to the end of the text.
    pub(super) fn statements(&mut self, end: Option<&str>) -> Result<Vec<Literal>> {
        let mut body = Vec::new();
        loop {
            while self.eat(";") {}
            let done = match end {
                Some(symbol) => self.is_symbol(symbol),
                None => self.peek().kind == Kind::End,
            };
            if done {
                return Ok(body);
            }
            body.push(self.nested(Self::literal)?);
            let separated = self.is_symbol(";") || self.peek().fresh_line;
            let ended = match end {
                Some(symbol) => self.is_symbol(symbol),
                None => self.peek().kind == Kind::End,
            };
            if !separated && !ended {
                let expected = match end {
                    Some(symbol) => format!("expected \\n or ; or {symbol}"),
                    None => "expected \\n or ; or end of query".to_owned(),
                };
                return Err(self.unexpected(&expected));
            }
        }
    }

    pub(super) fn literal(&mut self) -> Result<Literal> {
        let start = self.peek().span;
        let kind = if self.eat_keyword("some") {
            self.some()?
        } else if self.eat_keyword("every") {
            self.every()?
        } else if self.eat_keyword("not") {
            LiteralKind::Not(self.expression()?)
        } else {
            LiteralKind::Expr(self.expression()?)
        };
        let with = self.with()?;
        Ok(Literal {
            kind,
            with,
            span: self.since(start),
        })
    }

    /// Any number of `with target as value`.
    pub(super) fn with(&mut self) -> Result<Vec<With>> {
        let mut with = Vec::new();
        while self.eat_keyword("with") {
            let target = self.term()?;
            if !matches!(target.kind, TermKind::Var(_) | TermKind::Ref(..)) {
                return Err(self.error(target.span, "with target path must be a reference"));
            }
            if !self.eat_keyword("as") {
                return Err(self.unexpected("expected as keyword"));
            }
            let value = self.infix()?;
            with.push(With { target, value });
        }
        Ok(with)
    }

    /// `some x, y` or `some k, v in collection`; the keyword has been read.
    fn some(&mut self) -> Result<LiteralKind> {
        let first = self.level(0)?;
        let mut terms = vec![first];
        while self.eat(",") {
            terms.push(self.level(0)?);
        }
        if self.is_keyword("in") {
            let span = self.bump().span;
            let collection = self.level(0)?;
            let value = terms.pop().ok_or_else(|| self.unexpected("expected a variable"))?;
            let key = terms.pop();
            if !terms.is_empty() {
                return Err(self.error(span, "expected at most a key and a value before in"));
            }
            return Ok(LiteralKind::SomeIn { key, value, collection });
        }
        let mut names = Vec::new();
        for term in terms {
            match term.kind {
                TermKind::Var(name) => names.push((name, term.span)),
                _ => {
                    let error = self.error(term.span, "expected `x in xs` or `x, y in xs` expression");
                    return Err(error.hint("`some` declares variables, or takes members with `in`"));
                }
            }
        }
        Ok(LiteralKind::Some(names))
    }

    fn every(&mut self) -> Result<LiteralKind> {
        let mut value = self.term()?;
        let mut key = None;
        if self.eat(",") {
            key = Some(std::mem::replace(&mut value, self.term()?));
        }
        for term in key.iter().chain([&value]) {
            if term.as_var().is_none() {
                return Err(self.error(term.span, "expected variable after every"));
            }
        }
        if !self.eat_keyword("in") {
            let error = self.unexpected("expected `in`");
            return Err(error.hint("`every x in xs { … }` or `every k, x in xs { … }`"));
        }
        let domain = self.level(0)?;
        let body = self.nested(Self::braced_body)?;
        Ok(LiteralKind::Every {
            key,
            value,
            domain,
            body,
        })
    }

    /// An expression, with `=` and `:=` at its top.
    fn expression(&mut self) -> Result<Term> {
        let start = self.peek().span;
        let left = self.membership(true)?;
        let name = match &self.peek().kind {
            Kind::Symbol(":=") => "assign",
            Kind::Symbol("=") => "eq",
            _ => return Ok(left),
        };
        self.bump();
        let right = self.membership(true)?;
        Ok(operator_call(name, vec![left, right], self.since(start)))
    }

    /// An expression without `=` and `:=`.
    pub(super) fn infix(&mut self) -> Result<Term> {
        self.membership(true)
    }

    /// An expression in a list, where a comma is the list's.
    pub(super) fn infix_in_list(&mut self) -> Result<Term> {
        self.membership(false)
    }

    fn membership(&mut self, pairs: bool) -> Result<Term> {
        let start = self.peek().span;
        let mut left = self.level(0)?;
        if pairs && self.is_symbol(",") {
            // `k, v in collection`; any other comma belongs to someone else.
            let before = (self.at, self.wildcards);
            self.bump();
            if let Ok(value) = self.level(0)
                && self.eat_keyword("in")
            {
                let collection = self.level(0)?;
                left = operator_call("internal.member_3", vec![left, value, collection], self.since(start));
            } else {
                (self.at, self.wildcards) = before;
            }
        }
        while self.eat_keyword("in") {
            let collection = self.level(0)?;
            left = operator_call("internal.member_2", vec![left, collection], self.since(start));
        }
        Ok(left)
    }

    /// Operators of `LEVELS[level]` and stronger ones, left to right.
    pub(super) fn level(&mut self, level: usize) -> Result<Term> {
        let Some(operators) = LEVELS.get(level) else {
            return self.nested(Self::term);
        };
        let start = self.peek().span;
        let mut left = self.level(level + 1)?;
        loop {
            let Kind::Symbol(symbol) = self.peek().kind else {
                return Ok(left);
            };
            let Some((_, name)) = operators.iter().find(|(s, _)| *s == symbol) else {
                return Ok(left);
            };
            self.bump();
            let right = self.level(level + 1)?;
            left = operator_call(name, vec![left, right], self.since(start));
        }
    }
}
