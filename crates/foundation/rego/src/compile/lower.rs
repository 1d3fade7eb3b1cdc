//! Statements to goals: names become slots, nested calls and references become goals of their
//! own that leave their value in a fresh slot.

use std::collections::HashMap;
use std::sync::Arc;

use super::Prints;
use super::scope::{body_names, term_names};
use super::tree::{Globals, Tree, data_path};
use crate::builtins::{self, Builtin};
use crate::error::{Code, Error, Location};
use crate::plan::{Callee, FunctionId, GroupKind, Slot, Term as Plain};
use crate::syntax::ast::{Literal, LiteralKind, Name, Span, TemplatePart, Term, TermKind, With};
use crate::value::Value;

type Result<T> = std::result::Result<T, Error>;

/// Something to be made true, and the place that asks for it.
#[derive(Debug)]
pub(super) struct Goal {
    pub(super) kind: GoalKind,
    pub(super) span: Span,
}

#[derive(Debug)]
pub(super) enum GoalKind {
    Unify(Plain, Plain),
    Holds(Plain),
    Lookup(Root, Vec<Plain>, Out),
    Call(Callee, Vec<Plain>, Out),
    Comprehension(Closure<Head>, Plain),
    Not(Closure<()>),
    Every(Plain, Closure<(Option<Plain>, Plain)>),
    With(Vec<Change>, Vec<Goal>),
}

/// What becomes of a value that was found.
#[derive(Debug)]
pub(super) enum Out {
    Holds,
    Is(Plain),
}

#[derive(Debug)]
pub(super) enum Root {
    Input,
    Data,
    Term(Plain),
}

/// Goals with variables of their own.
#[derive(Debug)]
pub(super) struct Closure<T> {
    pub(super) goals: Vec<Goal>,
    pub(super) head: T,
    /// Slots of lower levels belong to the bodies around.
    pub(super) level: u32,
}

#[derive(Debug)]
pub(super) enum Head {
    Array(Plain),
    Set(Plain),
    Object(Plain, Plain),
}

#[derive(Debug)]
pub(super) enum Change {
    Input(Vec<Value>, Plain),
    Data(Vec<Value>, Plain),
    ByValue(FunctionId, Plain),
    ByFunction(FunctionId, Callee),
}

pub(super) struct Lowerer<'a> {
    pub(super) tree: &'a Tree,
    globals: &'a Globals,
    pub(super) file: u32,
    prints: Prints,
    /// Name and level of each slot.
    pub(super) slots: Vec<(Option<Name>, u32)>,
    scopes: Vec<HashMap<Name, Slot>>,
    level: u32,
}

impl<'a> Lowerer<'a> {
    pub(super) fn new(tree: &'a Tree, globals: &'a Globals, file: u32, prints: Prints) -> Self {
        Self {
            tree,
            globals,
            file,
            prints,
            slots: Vec::new(),
            scopes: vec![HashMap::new()],
            level: 0,
        }
    }

    pub(super) fn slot_count(&self) -> u32 {
        self.slots.len() as u32
    }

    pub(super) fn error(&self, span: Span, code: Code, message: impl Into<String>) -> Error {
        let file = self.tree.files.get(self.file as usize).cloned().unwrap_or_default();
        Error::new(code, message).at(Location {
            file,
            row: span.row,
            col: span.col,
        })
    }

    fn fresh(&mut self, name: Option<Name>) -> Slot {
        self.slots.push((name, self.level));
        self.slots.len() as Slot - 1
    }

    pub(super) fn declare(&mut self, name: &Name) -> Slot {
        let slot = self.fresh(Some(name.clone()));
        self.scopes
            .last_mut()
            .expect("there is always a scope")
            .insert(name.clone(), slot);
        slot
    }

    fn local(&self, name: &str) -> Option<Slot> {
        self.scopes.iter().rev().find_map(|scope| scope.get(name).copied())
    }

    pub(super) fn has_local(&self, name: &str) -> bool {
        self.local(name).is_some()
    }

    /// Declares `name` unless it stands for something already.
    pub(super) fn introduce(&mut self, name: &Name) {
        let known =
            self.local(name).is_some() || self.globals.contains_key(name) || matches!(&**name, "input" | "data");
        if !known {
            self.declare(name);
        }
    }

    fn introduce_all(&mut self, body: &[Literal], heads: &[&Term]) {
        let mut names = Vec::new();
        body_names(body, &mut |name| names.push(name.clone()));
        heads
            .iter()
            .for_each(|term| term_names(term, &mut |name| names.push(name.clone())));
        names.iter().for_each(|name| self.introduce(name));
    }

    /// A query's goals, its variables, and its value if it is one expression.
    pub(super) fn query(&mut self, body: &[Literal]) -> Result<QueryGoals> {
        self.introduce_all(body, &[]);
        let (goals, value) = match body {
            [
                Literal {
                    kind: LiteralKind::Expr(term),
                    with,
                    span,
                },
            ] if with.is_empty() && !equates(term) => {
                let mut goals = Vec::new();
                let operand = self.operand(term, &mut goals)?;
                let slot = self.fresh(None);
                self.unify(Plain::Slot(slot), operand, *span, &mut goals);
                (goals, Some(slot))
            }
            _ => (self.body(body)?, None),
        };
        let mut names: Vec<(Arc<str>, Slot)> = self.scopes[0]
            .iter()
            .filter(|(name, _)| !name.starts_with(['$', '%']))
            .map(|(name, slot)| (name.clone(), *slot))
            .collect();
        names.sort();
        Ok((goals, names, value))
    }

    /// The goals of a rule's body, and of the terms in its head.
    pub(super) fn rule(&mut self, body: &[Literal], heads: &[&Term]) -> Result<(Vec<Goal>, Vec<Plain>)> {
        self.introduce_all(body, heads);
        let mut goals = self.body(body)?;
        let heads = heads
            .iter()
            .map(|term| self.plain(term, &mut goals))
            .collect::<Result<_>>()?;
        Ok((goals, heads))
    }

    fn body(&mut self, body: &[Literal]) -> Result<Vec<Goal>> {
        let mut goals = Vec::new();
        for literal in body {
            self.literal(literal, &mut goals)?;
        }
        Ok(goals)
    }

    fn closure<T>(
        &mut self,
        body: &[Literal],
        heads: &[&Term],
        finish: impl FnOnce(&mut Self, &mut Vec<Goal>) -> Result<T>,
    ) -> Result<Closure<T>> {
        self.level += 1;
        self.scopes.push(HashMap::new());
        self.introduce_all(body, heads);
        let result = self.body(body).and_then(|mut goals| {
            let head = finish(self, &mut goals)?;
            Ok(Closure {
                goals,
                head,
                level: self.level,
            })
        });
        self.scopes.pop();
        self.level -= 1;
        result
    }

    fn literal(&mut self, literal: &Literal, goals: &mut Vec<Goal>) -> Result<()> {
        if literal.with.is_empty() {
            return self.statement(literal, goals);
        }
        let mut changes = Vec::new();
        for with in &literal.with {
            changes.push(self.change(with, goals)?);
        }
        let mut inner = Vec::new();
        self.statement(literal, &mut inner)?;
        goals.push(Goal {
            kind: GoalKind::With(changes, inner),
            span: literal.span,
        });
        Ok(())
    }

    fn statement(&mut self, literal: &Literal, goals: &mut Vec<Goal>) -> Result<()> {
        let span = literal.span;
        match &literal.kind {
            LiteralKind::Expr(term) => self.expression(term, span, goals),
            LiteralKind::Not(term) => self.negation(term, span, goals),
            LiteralKind::Some(names) => {
                names.iter().for_each(|(name, _)| {
                    self.declare(name);
                });
                Ok(())
            }
            LiteralKind::SomeIn { key, value, collection } => {
                let collection = self.plain(collection, goals)?;
                for term in key.iter().chain([value]) {
                    self.declare_pattern(term);
                }
                let wild: Name = "$".into();
                let key = match key {
                    Some(term) => self.plain(term, goals)?,
                    None => Plain::Slot(self.fresh(Some(wild))),
                };
                let value = self.plain(value, goals)?;
                let kind = GoalKind::Lookup(Root::Term(collection), vec![key], Out::Is(value));
                goals.push(Goal { kind, span });
                Ok(())
            }
            LiteralKind::Every {
                key,
                value,
                domain,
                body,
            } => {
                let domain = self.plain(domain, goals)?;
                self.level += 1;
                self.scopes.push(HashMap::new());
                let slots: Vec<Slot> = key
                    .iter()
                    .chain([value])
                    .filter_map(|term| term.as_var().cloned())
                    .map(|name| self.declare(&name))
                    .collect();
                self.introduce_all(body, &[]);
                let inner = self.body(body);
                self.scopes.pop();
                self.level -= 1;
                let value = Plain::Slot(slots[slots.len() - 1]);
                let key = (slots.len() > 1).then(|| Plain::Slot(slots[0]));
                let closure = Closure {
                    goals: inner?,
                    head: (key, value),
                    level: self.level + 1,
                };
                goals.push(Goal {
                    kind: GoalKind::Every(domain, closure),
                    span,
                });
                Ok(())
            }
        }
    }

    fn declare_pattern(&mut self, term: &Term) {
        let mut names = Vec::new();
        term_names(term, &mut |name| names.push(name.clone()));
        for name in names.iter().filter(|name| !matches!(&***name, "input" | "data")) {
            self.declare(name);
        }
    }

    /// Variables of an `:=` target, in arrays and the values of objects.
    fn declare_target(&mut self, term: &Term) -> Result<()> {
        match &term.kind {
            TermKind::Var(name) => {
                if matches!(&**name, "input" | "data") {
                    let message = format!("variables must not shadow {name} (use a different variable name)");
                    return Err(self.error(term.span, Code::Compile, message));
                }
                self.declare(name);
            }
            TermKind::Array(items) => {
                for item in items {
                    self.declare_target(item)?;
                }
            }
            TermKind::Object(entries) => {
                for (_, value) in entries {
                    self.declare_target(value)?;
                }
            }
            TermKind::Null | TermKind::Bool(_) | TermKind::Number(_) | TermKind::String(_) => {}
            _ => {
                let what = match term.kind {
                    TermKind::Ref(..) => "ref",
                    TermKind::Call(..) => "call",
                    TermKind::Set(_) => "set",
                    _ => "comprehension",
                };
                return Err(self.error(term.span, Code::Compile, format!("cannot assign to {what}")));
            }
        }
        Ok(())
    }

    fn expression(&mut self, term: &Term, span: Span, goals: &mut Vec<Goal>) -> Result<()> {
        let TermKind::Call(operator, args) = &term.kind else {
            let kind = match self.operand(term, goals)? {
                Operand::Lookup(root, path) => GoalKind::Lookup(root, path, Out::Holds),
                Operand::Call(callee, args) => GoalKind::Call(callee, args, Out::Holds),
                Operand::Plain(plain) => GoalKind::Holds(plain),
            };
            goals.push(Goal { kind, span });
            return Ok(());
        };
        match (operator.as_var().map(|v| &**v), &args[..]) {
            (Some("assign"), [left, right]) => {
                // The right side is read before the left side's names come into being.
                let value = self.operand(right, goals)?;
                self.declare_target(left)?;
                let left = self.plain(left, goals)?;
                self.unify(left, value, span, goals);
                Ok(())
            }
            (Some("eq"), [left, right]) => {
                let left = self.operand(left, goals)?;
                let right = self.operand(right, goals)?;
                match left {
                    Operand::Plain(left) => self.unify(left, right, span, goals),
                    found => {
                        let left = self.settle(found, span, goals);
                        self.unify(left, right, span, goals);
                    }
                }
                Ok(())
            }
            (Some("print"), _) if self.local("print").is_none() && !self.globals.contains_key("print") => {
                self.print(args, span, goals)
            }
            _ => {
                let (callee, args, out) = self.call(operator, args, span, goals)?;
                let out = out.map_or(Out::Holds, Out::Is);
                goals.push(Goal {
                    kind: GoalKind::Call(callee, args, out),
                    span,
                });
                Ok(())
            }
        }
    }

    fn unify(&mut self, left: Plain, right: Operand, span: Span, goals: &mut Vec<Goal>) {
        let kind = match right {
            Operand::Plain(right) => GoalKind::Unify(left, right),
            Operand::Lookup(root, path) => GoalKind::Lookup(root, path, Out::Is(left)),
            Operand::Call(callee, args) => GoalKind::Call(callee, args, Out::Is(left)),
        };
        goals.push(Goal { kind, span });
    }

    fn settle(&mut self, operand: Operand, span: Span, goals: &mut Vec<Goal>) -> Plain {
        if let Operand::Plain(plain) = operand {
            return plain;
        }
        let slot = Plain::Slot(self.fresh(None));
        self.unify(slot.clone(), operand, span, goals);
        slot
    }

    /// A side of an equation: its call or reference is left to the equation's goal.
    fn operand(&mut self, term: &Term, goals: &mut Vec<Goal>) -> Result<Operand> {
        match &term.kind {
            TermKind::Ref(head, path) => {
                let (root, path) = self.reference(head, path, goals)?;
                Ok(Operand::Lookup(root, path))
            }
            TermKind::Call(operator, args) => {
                let (callee, args, out) = self.call(operator, args, term.span, goals)?;
                match out {
                    None => Ok(Operand::Call(callee, args)),
                    Some(_) => Err(self.error(term.span, Code::Type, format!("{operator}: too many arguments"))),
                }
            }
            TermKind::Var(name) if self.local(name).is_none() => match self.global(name) {
                Some((root, path)) => Ok(Operand::Lookup(root, path)),
                None => Ok(Operand::Plain(self.plain(term, goals)?)),
            },
            _ => Ok(Operand::Plain(self.plain(term, goals)?)),
        }
    }

    /// Of a negated statement only the outermost call, reference or equation is negated. What its
    /// operands need is found outside: where an operand is undefined, so is the whole statement.
    fn negation(&mut self, term: &Term, span: Span, goals: &mut Vec<Goal>) -> Result<()> {
        let mut inner = Vec::new();
        match &term.kind {
            TermKind::Call(operator, args)
                if args.len() == 2 && operator.as_var().is_some_and(|name| **name == *"eq") =>
            {
                let left = self.operand(&args[0], goals)?;
                let right = self.operand(&args[1], goals)?;
                self.level += 1;
                let left = self.settle(left, span, &mut inner);
                self.unify(left, right, span, &mut inner);
                self.level -= 1;
            }
            _ => {
                self.expression(term, span, goals)?;
                inner.extend(goals.pop());
            }
        }
        let closure = Closure {
            goals: inner,
            head: (),
            level: self.level + 1,
        };
        goals.push(Goal {
            kind: GoalKind::Not(closure),
            span,
        });
        Ok(())
    }

    fn global(&self, name: &str) -> Option<(Root, Vec<Plain>)> {
        let consts = |path: &[Value]| path.iter().cloned().map(Plain::Const).collect();
        if let Some(path) = self.globals.get(name) {
            let root = if path[0].as_str() == Some("input") {
                Root::Input
            } else {
                Root::Data
            };
            return Some((root, consts(&path[1..])));
        }
        match name {
            "input" => Some((Root::Input, Vec::new())),
            "data" => Some((Root::Data, Vec::new())),
            _ => None,
        }
    }

    fn reference(&mut self, head: &Term, path: &[Term], goals: &mut Vec<Goal>) -> Result<(Root, Vec<Plain>)> {
        let global = match head.as_var() {
            Some(name) if self.local(name).is_none() => self.global(name),
            _ => None,
        };
        let (root, mut steps) = match global {
            Some(found) => found,
            None => (Root::Term(self.plain(head, goals)?), Vec::new()),
        };
        for step in path {
            steps.push(self.plain(step, goals)?);
        }
        Ok((root, steps))
    }

    /// A term whose calls, references and comprehensions have become goals.
    pub(super) fn plain(&mut self, term: &Term, goals: &mut Vec<Goal>) -> Result<Plain> {
        if let Some(value) = term.constant() {
            return Ok(Plain::Const(value));
        }
        let span = term.span;
        let mut many = |this: &mut Self, items: &[Term]| -> Result<Box<[Plain]>> {
            items.iter().map(|item| this.plain(item, goals)).collect()
        };
        match &term.kind {
            TermKind::Array(items) => Ok(Plain::Array(many(self, items)?)),
            TermKind::Set(items) => Ok(Plain::Set(many(self, items)?)),
            TermKind::Object(entries) => {
                let pair = |(key, value): &(Term, Term)| Ok((self.plain(key, goals)?, self.plain(value, goals)?));
                Ok(Plain::Object(entries.iter().map(pair).collect::<Result<_>>()?))
            }
            TermKind::Var(name) => match self.local(name) {
                Some(slot) => Ok(Plain::Slot(slot)),
                None => match self.global(name) {
                    Some((root, path)) => Ok(self.settle(Operand::Lookup(root, path), span, goals)),
                    None => Ok(Plain::Slot(self.declare(name))),
                },
            },
            TermKind::Ref(..) | TermKind::Call(..) => {
                let operand = self.operand(term, goals)?;
                Ok(self.settle(operand, span, goals))
            }
            TermKind::ArrayCompr(head, body) => {
                let closure = self.closure(body, &[head], |this, goals| Ok(Head::Array(this.plain(head, goals)?)))?;
                Ok(self.comprehension(closure, span, goals))
            }
            TermKind::SetCompr(head, body) => {
                let closure = self.closure(body, &[head], |this, goals| Ok(Head::Set(this.plain(head, goals)?)))?;
                Ok(self.comprehension(closure, span, goals))
            }
            TermKind::ObjectCompr(key, value, body) => {
                let closure = self.closure(body, &[key, value], |this, goals| {
                    Ok(Head::Object(this.plain(key, goals)?, this.plain(value, goals)?))
                })?;
                Ok(self.comprehension(closure, span, goals))
            }
            TermKind::Template(parts) => self.template(parts, span, goals),
            TermKind::Null | TermKind::Bool(_) | TermKind::Number(_) | TermKind::String(_) => {
                Ok(Plain::Const(term.constant().unwrap_or_default()))
            }
        }
    }

    fn comprehension(&mut self, closure: Closure<Head>, span: Span, goals: &mut Vec<Goal>) -> Plain {
        let slot = Plain::Slot(self.fresh(None));
        goals.push(Goal {
            kind: GoalKind::Comprehension(closure, slot.clone()),
            span,
        });
        slot
    }

    /// The values of `term` as a set, which is empty where the term is undefined.
    fn as_set(&mut self, term: &Term, span: Span, goals: &mut Vec<Goal>) -> Result<Plain> {
        let closure = self.closure(&[], &[], |this, goals| Ok(Head::Set(this.plain(term, goals)?)))?;
        Ok(self.comprehension(closure, span, goals))
    }

    fn builtin(&self, name: &str, span: Span) -> Result<&'static Builtin> {
        builtins::find(name).ok_or_else(|| self.error(span, Code::Type, format!("undefined function {name}")))
    }

    fn template(&mut self, parts: &[TemplatePart], span: Span, goals: &mut Vec<Goal>) -> Result<Plain> {
        let mut items = Vec::new();
        for part in parts {
            items.push(match part {
                TemplatePart::Text(text) => Plain::Const(Value::String(text.clone())),
                TemplatePart::Term(term) => self.as_set(term, term.span, goals)?,
                TemplatePart::Scoped(term) => self.plain(term, goals)?,
            });
        }
        let callee = Callee::Builtin(self.builtin("internal.template_string", span)?);
        let operand = Operand::Call(callee, vec![Plain::Array(items.into())]);
        Ok(self.settle(operand, span, goals))
    }

    fn print(&mut self, args: &[Term], span: Span, goals: &mut Vec<Goal>) -> Result<()> {
        if self.prints == Prints::Erase {
            return Ok(());
        }
        let mut items = Vec::new();
        for arg in args {
            items.push(self.as_set(arg, arg.span, goals)?);
        }
        let callee = Callee::Builtin(self.builtin("internal.print", span)?);
        let kind = GoalKind::Call(callee, vec![Plain::Array(items.into())], Out::Holds);
        goals.push(Goal { kind, span });
        Ok(())
    }

    /// What a call's operator names.
    fn callee(&self, operator: &Term) -> Result<Callee> {
        let span = operator.span;
        let undefined = || self.error(span, Code::Type, format!("undefined function {operator}"));
        let (name, steps) = match &operator.kind {
            TermKind::Ref(head, path) => (head.as_var(), &path[..]),
            _ => (operator.as_var(), &[][..]),
        };
        let name = name.ok_or_else(undefined)?;
        let path = match self.globals.get(name) {
            _ if &**name == "data" => Some(vec![Value::from("data")]),
            Some(path) => Some(path.clone()),
            None => None,
        };
        let Some(mut path) = path.filter(|path| path[0].as_str() == Some("data")) else {
            let dotted = operator.dotted().ok_or_else(undefined)?;
            return Ok(Callee::Builtin(self.builtin(&dotted, span)?));
        };
        for step in steps {
            path.push(step.constant().ok_or_else(undefined)?);
        }
        let group = self.tree.group_at(&path[1..]);
        match group {
            Some(id) if self.tree.groups[id as usize].kind != GroupKind::Partial => Ok(Callee::Rules(id)),
            _ => Err(self.error(
                span,
                Code::Type,
                format!("undefined function {}", data_path(&path[1..])),
            )),
        }
    }

    /// The function, its arguments, and the term for its result if one was given as an argument.
    fn call(
        &mut self,
        operator: &Term,
        args: &[Term],
        span: Span,
        goals: &mut Vec<Goal>,
    ) -> Result<(Callee, Vec<Plain>, Option<Plain>)> {
        let callee = self.callee(operator)?;
        let (least, most) = match &callee {
            Callee::Builtin(builtin) => (builtin.arity, builtin.arity),
            Callee::Rules(id) => {
                let arity = self.tree.groups[*id as usize].arity;
                (arity, arity)
            }
        };
        let mut plain: Vec<Plain> = args.iter().map(|arg| self.plain(arg, goals)).collect::<Result<_>>()?;
        if plain.len() < least || plain.len() > most + 1 {
            let few = if plain.len() < least { "few" } else { "many" };
            let message = format!(
                "{operator}: arity mismatch: too {few} arguments, have {}, want {most}",
                plain.len()
            );
            return Err(self.error(span, Code::Type, message));
        }
        let out = if plain.len() == most + 1 { plain.pop() } else { None };
        Ok((callee, plain, out))
    }

    fn change(&mut self, with: &With, goals: &mut Vec<Goal>) -> Result<Change> {
        let (head, steps) = match &with.target.kind {
            TermKind::Ref(head, path) => (head.as_var(), &path[..]),
            _ => (with.target.as_var(), &[][..]),
        };
        let span = with.target.span;
        let name = head.cloned().unwrap_or_default();
        let mut path = match self.globals.get(&name) {
            Some(path) => path.clone(),
            None => vec![Value::String(name.clone())],
        };
        for step in steps {
            let step = step
                .constant()
                .ok_or_else(|| self.error(span, Code::Type, "with keyword target must not contain variables"))?;
            path.push(step);
        }
        match path[0].as_str() {
            Some("input") => Ok(Change::Input(path.split_off(1), self.plain(&with.value, goals)?)),
            Some("data") => self.change_data(path.split_off(1), with, goals),
            _ => {
                let dotted = with.target.dotted().unwrap_or_default();
                let Some(builtin) = builtins::find(&dotted) else {
                    let message = "with keyword target must reference existing input, data, or a function";
                    return Err(self.error(span, Code::Type, message));
                };
                if builtin.relation || dotted == "print" || dotted.starts_with("internal.") {
                    let message = format!("with keyword replacing built-in function: target must not be {dotted}");
                    return Err(self.error(span, Code::Compile, message));
                }
                self.change_function(FunctionId::Builtin(builtin.name), with, goals)
            }
        }
    }

    fn change_data(&mut self, path: Vec<Value>, with: &With, goals: &mut Vec<Goal>) -> Result<Change> {
        for len in 1..=path.len() {
            let Some(group) = self.tree.group_at(&path[..len]) else {
                continue;
            };
            let shape = &self.tree.groups[group as usize];
            if shape.kind == GroupKind::Function && len == path.len() {
                return self.change_function(FunctionId::Rules(group), with, goals);
            }
            if len < path.len() && shape.kind != GroupKind::Partial {
                let message = "with keyword cannot partially replace virtual document(s)";
                return Err(self.error(with.target.span, Code::Type, message));
            }
        }
        Ok(Change::Data(path, self.plain(&with.value, goals)?))
    }

    fn change_function(&mut self, target: FunctionId, with: &With, goals: &mut Vec<Goal>) -> Result<Change> {
        // A name that is a function replaces by calling it; anything else is the result.
        let names_function = matches!(with.value.kind, TermKind::Var(_) | TermKind::Ref(..))
            && with.value.as_var().is_none_or(|name| self.local(name).is_none());
        if names_function && let Ok(callee) = self.callee(&with.value) {
            let is_document = match &callee {
                Callee::Rules(id) => self.tree.groups[*id as usize].kind != GroupKind::Function,
                Callee::Builtin(_) => false,
            };
            if !is_document {
                return Ok(Change::ByFunction(target, callee));
            }
        }
        Ok(Change::ByValue(target, self.plain(&with.value, goals)?))
    }
}

type QueryGoals = (Vec<Goal>, Vec<(Arc<str>, Slot)>, Option<Slot>);

/// Whether a term is `a = b` or `a := b`, whose value nobody asks for.
fn equates(term: &Term) -> bool {
    match &term.kind {
        TermKind::Call(operator, _) => operator
            .as_var()
            .is_some_and(|name| matches!(&**name, "eq" | "assign" | "print")),
        _ => false,
    }
}

/// A side of an equation.
enum Operand {
    Plain(Plain),
    Lookup(Root, Vec<Plain>),
    Call(Callee, Vec<Plain>),
}
