//! Terms: scalars, collections, comprehensions, references, calls.

use std::sync::Arc;

use super::ast::{Literal, LiteralKind, Name, Span, TemplatePart, Term, TermKind, With};
use super::expressions::{ABOVE_BAR, operator_call};
use super::lexer::{Kind, Piece, Token};
use super::parser::{Parser, Result};
use crate::value::Number;

impl Parser<'_> {
    pub(super) fn wildcard(&mut self) -> Name {
        self.wildcards += 1;
        format!("${}", self.wildcards - 1).into()
    }

    pub(super) fn term(&mut self) -> Result<Term> {
        let token = self.peek();
        let start = token.span;
        let kind = match &token.kind {
            Kind::Number(text) => {
                self.bump();
                self.number(text, "", start)?
            }
            Kind::Symbol("-") => {
                self.bump();
                let next = self.peek();
                let Kind::Number(text) = &next.kind else {
                    return Err(self.unexpected("expected number"));
                };
                self.bump();
                self.number(text, "-", start)?
            }
            Kind::String(text) => {
                self.bump();
                TermKind::String(text.clone())
            }
            Kind::Template(pieces) => {
                self.bump();
                self.template(pieces)?
            }
            Kind::Symbol("[") => self.array()?,
            Kind::Symbol("{") => self.braces()?,
            Kind::Symbol("(") => {
                self.bump();
                let term = self.infix()?;
                self.expect(")")?;
                return self.reference(term);
            }
            Kind::Name(name) => self.name(name)?,
            _ => return Err(self.unexpected("illegal token")),
        };
        let term = Term {
            kind,
            span: self.since(start),
        };
        self.reference(term)
    }

    fn number(&self, text: &str, sign: &str, span: Span) -> Result<TermKind> {
        Number::parse(&format!("{sign}{text}"))
            .map(TermKind::Number)
            .ok_or_else(|| self.error(span, format!("invalid number {text}")))
    }

    fn name(&mut self, name: &Name) -> Result<TermKind> {
        let next = self.peek_at(1);
        let step_follows = !next.spaced && matches!(next.kind, Kind::Symbol("." | "["));
        let kind = match &**name {
            "null" if !step_follows => TermKind::Null,
            "true" if !step_follows => TermKind::Bool(true),
            "false" if !step_follows => TermKind::Bool(false),
            "_" => TermKind::Var(self.wildcard()),
            // `contains(a, b)` is a call, whatever the dialect.
            "contains" if !next.spaced && next.kind == Kind::Symbol("(") => TermKind::Var(name.clone()),
            // A keyword with a step after it can only be the name of a rule.
            _ if self.peek_name().is_some() || step_follows => TermKind::Var(name.clone()),
            _ => return Err(self.unexpected("unexpected keyword")),
        };
        self.bump();
        Ok(kind)
    }

    /// Steps and calls that follow a term without a space.
    pub(super) fn reference(&mut self, term: Term) -> Result<Term> {
        self.steps(term, |token| !token.spaced)
    }

    /// In a rule's head a space may stand before the parameters and keys.
    pub(super) fn head_reference(&mut self, term: Term) -> Result<Term> {
        self.steps(term, |token| !token.fresh_line)
    }

    fn steps(&mut self, head: Term, joins: fn(&Token) -> bool) -> Result<Term> {
        let start = head.span;
        let mut term = head;
        loop {
            let token = self.peek();
            if !joins(token) {
                return Ok(term);
            }
            match token.kind {
                Kind::Symbol(".") => {
                    self.bump();
                    let step = self.peek();
                    let Kind::Name(name) = &step.kind else {
                        return Err(self.unexpected("expected ident"));
                    };
                    if step.fresh_line && step.spaced {
                        return Err(self.unexpected("expected ident"));
                    }
                    self.bump();
                    push_step(
                        &mut term,
                        Term {
                            kind: TermKind::String(name.clone()),
                            span: step.span,
                        },
                    );
                }
                Kind::Symbol("[") => {
                    self.bump();
                    let step = self.infix()?;
                    self.expect("]")?;
                    push_step(&mut term, step);
                }
                Kind::Symbol("(") if matches!(term.kind, TermKind::Var(_) | TermKind::Ref(..)) => {
                    self.bump();
                    let args = self.list(")")?;
                    if args.is_empty() && term.as_var().is_some_and(|name| **name == *"set") {
                        term.kind = TermKind::Set(args);
                        term.span = self.since(start);
                        continue;
                    }
                    term.kind = TermKind::Call(
                        Box::new(std::mem::replace(
                            &mut term,
                            Term {
                                kind: TermKind::Null,
                                span: start,
                            },
                        )),
                        args,
                    );
                }
                _ => return Ok(term),
            }
            term.span = self.since(start);
        }
    }

    /// Terms up to `end`, which is consumed; a comma may stand before it.
    fn list(&mut self, end: &'static str) -> Result<Vec<Term>> {
        let mut items = Vec::new();
        loop {
            if self.eat(end) {
                return Ok(items);
            }
            items.push(self.infix_in_list()?);
            if !self.eat(",") && !self.is_symbol(end) {
                return Err(self.unexpected(&format!("expected \",\" or \"{end}\"")));
            }
        }
    }

    /// `| body end`, if that is what follows; otherwise nothing is consumed.
    fn comprehension(&mut self, end: &'static str) -> Option<Vec<Literal>> {
        if !self.is_symbol("|") {
            return None;
        }
        let before = (self.at, self.wildcards);
        self.bump();
        if let Ok(body) = self.nested(|p| p.statements(Some(end)))
            && !body.is_empty()
            && self.eat(end)
        {
            return Some(body);
        }
        (self.at, self.wildcards) = before;
        None
    }

    fn array(&mut self) -> Result<TermKind> {
        self.bump();
        let before = (self.at, self.wildcards);
        if !self.is_symbol("]")
            && let Ok(head) = self.level(ABOVE_BAR)
            && let Some(body) = self.comprehension("]")
        {
            return Ok(TermKind::ArrayCompr(Box::new(head), body));
        }
        (self.at, self.wildcards) = before;
        Ok(TermKind::Array(self.list("]")?))
    }

    /// A set, an object, or a comprehension of either.
    fn braces(&mut self) -> Result<TermKind> {
        self.bump();
        if self.eat("}") {
            return Ok(TermKind::Object(Vec::new()));
        }
        let before = (self.at, self.wildcards);
        if let Ok(head) = self.level(ABOVE_BAR) {
            if let Some(body) = self.comprehension("}") {
                return Ok(TermKind::SetCompr(Box::new(head), body));
            }
            if self.eat(":") {
                let value_start = (self.at, self.wildcards);
                if let Ok(value) = self.level(ABOVE_BAR)
                    && let Some(body) = self.comprehension("}")
                {
                    return Ok(TermKind::ObjectCompr(Box::new(head), Box::new(value), body));
                }
                (self.at, self.wildcards) = value_start;
                let value = self.infix_in_list()?;
                return self.entries(head, value);
            }
        }
        (self.at, self.wildcards) = before;
        let first = self.infix_in_list()?;
        if self.eat(":") {
            let value = self.infix_in_list()?;
            return self.entries(first, value);
        }
        let mut items = vec![first];
        if self.eat(",") {
            items.extend(self.list("}")?);
        } else {
            self.expect("}")?;
        }
        Ok(TermKind::Set(items))
    }

    fn entries(&mut self, key: Term, value: Term) -> Result<TermKind> {
        let mut entries = vec![(key, value)];
        loop {
            let comma = self.eat(",");
            if self.eat("}") {
                return Ok(TermKind::Object(entries));
            }
            if !comma {
                return Err(self.unexpected("expected \",\" or \"}\""));
            }
            let key = self.infix_in_list()?;
            self.expect(":")?;
            let value = self.infix_in_list()?;
            entries.push((key, value));
        }
    }

    fn template(&mut self, pieces: &[Piece]) -> Result<TermKind> {
        let mut parts = Vec::new();
        for piece in pieces {
            match piece {
                Piece::Text(text) => parts.push(TemplatePart::Text(Arc::clone(text))),
                Piece::Tokens(tokens) => {
                    let mut inner = Parser {
                        file: self.file,
                        tokens,
                        at: 0,
                        version: self.version,
                        keywords: self.keywords,
                        wildcards: self.wildcards,
                        depth: self.depth,
                        reads_left: self.reads_left,
                    };
                    if tokens.len() == 1 {
                        return Err(inner.unexpected("expected an expression in the template string"));
                    }
                    let term = inner.nested(Self::infix_of)?;
                    let with = inner.with()?;
                    if inner.peek().kind != Kind::End {
                        return Err(inner.unexpected("expected } after the expression"));
                    }
                    self.wildcards = inner.wildcards;
                    self.reads_left = inner.reads_left;
                    parts.push(match with.is_empty() {
                        true => TemplatePart::Term(term),
                        false => TemplatePart::Scoped(self.scoped(term, with)),
                    });
                }
            }
        }
        Ok(TermKind::Template(parts))
    }

    /// `{x | x = term with …}`
    fn scoped(&mut self, term: Term, with: Vec<With>) -> Term {
        let span = term.span;
        // No text has such a name.
        let name: Name = format!("%{}", self.wildcard()).into();
        let var = Term {
            kind: TermKind::Var(name),
            span,
        };
        let equation = operator_call("eq", vec![var.clone(), term], span);
        let literal = Literal {
            kind: LiteralKind::Expr(equation),
            with,
            span,
        };
        Term {
            kind: TermKind::SetCompr(Box::new(var), vec![literal]),
            span,
        }
    }

    fn infix_of(parser: &mut Parser<'_>) -> Result<Term> {
        parser.infix()
    }
}

fn push_step(term: &mut Term, step: Term) {
    match &mut term.kind {
        TermKind::Ref(_, path) => path.push(step),
        kind => {
            let span = term.span;
            let head = std::mem::replace(kind, TermKind::Null);
            *kind = TermKind::Ref(Box::new(Term { kind: head, span }), vec![step]);
        }
    }
}
