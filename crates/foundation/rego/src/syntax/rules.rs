//! Rules: heads, bodies, else branches, in both dialects.

use super::Version;
use super::ast::{Head, Rule, Span, Term, TermKind};
use super::lexer::Kind;
use super::parser::{Parser, Result};

impl Parser<'_> {
    /// Reads one rule; an older module may chain several bodies to one head.
    pub(super) fn rules(&mut self, out: &mut Vec<Rule>) -> Result<()> {
        let start = self.peek().span;
        let default = self.eat_keyword("default");
        let (mut head, by_contains) = self.head()?;
        if default {
            return self.default_rule(start, head, out);
        }
        let has_if = self.is_keyword("if");
        if !has_if && !by_contains && head.args.is_none() && head.path.len() == 2 && head.value.is_none() {
            // `p[x] { … }` without `if` and `contains` is the old way to write a set.
            if self.version == Version::V1 && !self.is_symbol("{") {
                return Err(self.missing_body(start));
            }
            head.member = head.path.pop();
        } else if head.value.is_none() && !by_contains {
            head.value = Some(Term {
                kind: TermKind::Bool(true),
                span: head.span,
            });
            head.value_implied = true;
        }
        let mut rule = Rule {
            default,
            head,
            body: Vec::new(),
            otherwise: None,
            span: start,
        };
        let has_body = self.rule_body(&mut rule, has_if, start)?;
        if has_body && self.is_keyword("else") {
            if rule.head.member.is_some() {
                let message = "else keyword cannot be used on multi-value rules";
                return Err(self.error(self.peek().span, message));
            }
            if rule.head.path.iter().skip(1).any(|t| t.constant().is_none()) {
                let message = "else keyword cannot be used on rules with variables in head";
                return Err(self.error(self.peek().span, message));
            }
            rule.otherwise = Some(Box::new(self.otherwise(&rule.head)?));
        }
        rule.span = self.since(start);
        let head = rule.head.clone();
        let chainable = has_body && rule.otherwise.is_none();
        out.push(rule);
        while chainable && self.is_symbol("{") {
            let start = self.peek().span;
            if self.version == Version::V1 {
                let error = self.error(start, "`if` keyword is required before rule body");
                return Err(error.hint("repeat the rule's head with `if` before each further body"));
            }
            let mut head = head.clone();
            self.refresh_wildcards(&mut head);
            let body = self.braced_body()?;
            out.push(Rule {
                default,
                head,
                body,
                otherwise: None,
                span: self.since(start),
            });
        }
        Ok(())
    }

    fn default_rule(&mut self, start: Span, mut head: Head, out: &mut Vec<Rule>) -> Result<()> {
        if head.member.is_some() {
            return Err(self.error(start, "default rules must be complete: `contains` is not possible"));
        }
        let Some(value) = &head.value else {
            return Err(self.unexpected(&format!(
                "expected default rule value term (e.g., default {} := <VALUE>)",
                head.path[0].dotted().unwrap_or_default()
            )));
        };
        if let Some(bad) = not_ground(value) {
            let message = format!("illegal default rule (value cannot contain {bad})");
            return Err(self.error(value.span, message));
        }
        if let Some(args) = &head.args {
            let mut seen = Vec::new();
            for arg in args {
                match arg.as_var() {
                    Some(name) if name.starts_with('$') || !seen.contains(&name) => seen.push(name),
                    Some(name) => {
                        let message = format!("illegal default rule (arguments cannot be repeated {name})");
                        return Err(self.error(arg.span, message));
                    }
                    None => {
                        return Err(self.error(arg.span, "illegal default rule (arguments must be plain variables)"));
                    }
                }
            }
        }
        head.value_implied = false;
        if self.is_keyword("if") || (self.is_symbol("{") && !self.peek().fresh_line) {
            return Err(self.error(self.peek().span, "default rules cannot have a body"));
        }
        out.push(Rule {
            default: true,
            head,
            body: Vec::new(),
            otherwise: None,
            span: self.since(start),
        });
        Ok(())
    }

    fn missing_body(&self, start: Span) -> crate::Error {
        let error = self.error(start, "var cannot be used for rule name");
        error.hint("a rule is written `name := value`, `name if { … }` or `name contains value if { … }`")
    }

    /// Reads the conditions; false if the rule has none.
    fn rule_body(&mut self, rule: &mut Rule, has_if: bool, start: Span) -> Result<bool> {
        if has_if {
            self.bump();
            rule.body = self.if_body()?;
            return Ok(true);
        }
        if self.is_symbol("{") {
            if self.version == Version::V1 {
                let error = self.error(start, "`if` keyword is required before rule body");
                return Err(error.hint("write `if` before the opening brace"));
            }
            if self.keywords[3] && rule.head.member.is_some() && rule.head.value.is_none() {
                // Both spellings are accepted where `contains` was imported.
            }
            rule.body = self.braced_body()?;
            return Ok(true);
        }
        // In the old dialect `f(1)` alone says that it holds.
        let fact = self.version == Version::V0 && rule.head.args.is_some();
        if rule.head.value_implied && !fact {
            return Err(self.missing_body(start));
        }
        Ok(false)
    }

    /// What follows `if`: one literal, or a body in braces.
    fn if_body(&mut self) -> Result<Vec<super::ast::Literal>> {
        if !self.is_symbol("{") {
            if self.peek().kind == Kind::End {
                return Err(self.unexpected("rule body expected"));
            }
            return Ok(vec![self.literal()?]);
        }
        // `{` opens an object or a comprehension as well. A set is never false, so what can be
        // read as one is meant as a body.
        let before = (self.at, self.wildcards);
        if let Ok(literal) = self.literal() {
            let set = matches!(&literal.kind, super::ast::LiteralKind::Expr(t) if matches!(t.kind, TermKind::Set(_)));
            if !set {
                return Ok(vec![literal]);
            }
        }
        (self.at, self.wildcards) = before;
        self.braced_body()
    }

    pub(super) fn braced_body(&mut self) -> Result<Vec<super::ast::Literal>> {
        let start = self.peek().span;
        self.expect("{")?;
        let body = self.statements(Some("}"))?;
        if body.is_empty() {
            return Err(self.error(start, "found empty body"));
        }
        self.expect("}")?;
        Ok(body)
    }

    fn otherwise(&mut self, first: &Head) -> Result<Rule> {
        let start = self.bump().span;
        let mut head = first.clone();
        self.refresh_wildcards(&mut head);
        head.value_implied = false;
        if self.is_symbol(":=") || self.is_symbol("=") {
            head.assign = self.is_symbol(":=");
            self.bump();
            head.value = Some(self.infix()?);
        } else if self.is_symbol("{") || self.is_keyword("if") {
            head.value = Some(Term {
                kind: TermKind::Bool(true),
                span: start,
            });
            head.value_implied = true;
        } else {
            return Err(self.unexpected("expected else value term or rule body"));
        }
        head.span = self.since(start);
        let mut rule = Rule {
            default: false,
            head,
            body: Vec::new(),
            otherwise: None,
            span: start,
        };
        if self.eat_keyword("if") {
            rule.body = if self.is_symbol("{") {
                self.braced_body()?
            } else {
                vec![self.literal()?]
            };
        } else if self.is_symbol("{") {
            if self.version == Version::V1 {
                return Err(self.error(start, "`if` keyword is required before rule body"));
            }
            rule.body = self.braced_body()?;
        } else {
            rule.span = self.since(start);
            return Ok(rule);
        }
        if self.is_keyword("else") {
            rule.otherwise = Some(Box::new(self.otherwise(first)?));
        }
        rule.span = self.since(start);
        Ok(rule)
    }

    /// Each `_` among the parameters of a copied head is a variable of its own.
    fn refresh_wildcards(&mut self, head: &mut Head) {
        for arg in head.args.iter_mut().flatten() {
            if arg.as_var().is_some_and(|name| name.starts_with('$')) {
                arg.kind = TermKind::Var(self.wildcard());
            }
        }
    }

    fn head(&mut self) -> Result<(Head, bool)> {
        let start = self.peek().span;
        let Kind::Name(name) = &self.peek().kind else {
            return Err(self.unexpected("expected rule head name"));
        };
        if self.peek_name().is_none() && !self.names_rule() {
            return Err(self.unexpected("expected rule head name"));
        }
        self.bump();
        let first = Term {
            kind: TermKind::Var(name.clone()),
            span: start,
        };
        let term = self.head_reference(first)?;
        let (operator, args) = match term.kind {
            TermKind::Call(operator, args) => (*operator, Some(args)),
            _ => (term, None),
        };
        let path = match operator.kind {
            TermKind::Ref(head, mut path) => {
                path.insert(0, *head);
                path
            }
            _ => vec![operator],
        };
        let mut head = Head {
            path,
            args,
            member: None,
            value: None,
            assign: false,
            value_implied: false,
            span: start,
        };
        if self.is_keyword("contains") {
            if head.args.is_some() {
                let message = "the contains keyword can only be used with multi-value rule definitions (e.g., p contains <VALUE> { ... })";
                return Err(self.error(self.peek().span, message));
            }
            self.bump();
            head.member = Some(self.infix()?);
            head.span = self.since(start);
            return Ok((head, true));
        }
        if self.is_symbol(":=") || self.is_symbol("=") {
            head.assign = self.is_symbol(":=");
            self.bump();
            head.value = Some(self.infix()?);
        }
        head.span = self.since(start);
        Ok((head, false))
    }
}

/// What makes a term no constant, in words; comprehensions are fine in a default's value.
fn not_ground(term: &Term) -> Option<&'static str> {
    match &term.kind {
        TermKind::Var(_) => Some("var"),
        TermKind::Ref(..) => Some("ref"),
        TermKind::Call(..) => Some("call"),
        TermKind::Array(items) | TermKind::Set(items) => items.iter().find_map(not_ground),
        TermKind::Object(entries) => entries
            .iter()
            .find_map(|(k, v)| not_ground(k).or_else(|| not_ground(v))),
        _ => None,
    }
}
