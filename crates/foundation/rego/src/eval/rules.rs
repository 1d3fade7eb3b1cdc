//! Rules: complete documents, partial documents, functions.

use std::collections::{BTreeMap, BTreeSet};

use super::{Flow, Machine, Result};
use crate::error::{Code, Error};
use crate::plan::{Group, GroupId, GroupKind, Outcome, Place, Rule, Term};
use crate::value::{Object, Set, Value};

/// A partial document while it grows.
enum Document {
    Object(BTreeMap<Value, Document>),
    Set(BTreeSet<Value>),
    Leaf(Value),
}

impl Document {
    fn finish(self) -> Value {
        match self {
            Self::Leaf(value) => value,
            Self::Set(items) => items.into_iter().collect::<Set>().into(),
            Self::Object(entries) => entries
                .into_iter()
                .map(|(key, value)| (key, value.finish()))
                .collect::<Object>()
                .into(),
        }
    }
}

impl<'p> Machine<'p> {
    pub(super) fn conflict(&self, group: Option<GroupId>) -> Error {
        let place = group
            .and_then(|id| self.program.groups[id as usize].rules.first())
            .map(|rule| rule.place)
            .unwrap_or_default();
        self.conflict_at(place, "object keys must be unique")
    }

    fn conflict_at(&self, place: Place, message: &str) -> Error {
        Error::new(Code::EvalConflict, message).at(self.program.location(place))
    }

    /// The document of a group of rules, found once per context.
    pub(super) fn group(&mut self, id: GroupId) -> Result<Option<Value>> {
        if let Some(known) = self.context().cache.get(&id) {
            return Ok(known.clone());
        }
        let group = &self.program.groups[id as usize];
        let context = self.context;
        let value = self.deeper(|machine| match group.kind {
            GroupKind::Complete => machine.complete(group, &[]),
            GroupKind::Partial => machine.partial(group).map(Some),
            GroupKind::Function => Ok(None),
        })?;
        self.contexts[context].cache.insert(id, value.clone());
        Ok(value)
    }

    pub(super) fn function(&mut self, id: GroupId, args: &[Value]) -> Result<Option<Value>> {
        let group = &self.program.groups[id as usize];
        self.complete(group, args)
    }

    fn complete(&mut self, group: &'p Group, args: &[Value]) -> Result<Option<Value>> {
        let mut found: Option<Value> = None;
        for number in self.candidates(group, args) {
            let rule = &group.rules[number as usize];
            let Some(value) = self.alternatives(group, rule, args)? else {
                continue;
            };
            match &found {
                Some(before) if *before != value => return Err(self.outputs_conflict(group, rule)),
                _ => found = Some(value),
            }
            // All say the same, so one of them is enough.
            if group.one_value {
                break;
            }
        }
        match (&found, &group.default) {
            (None, Some(default)) => self.alternatives(group, default, args),
            _ => Ok(found),
        }
    }

    fn outputs_conflict(&self, group: &Group, rule: &Rule) -> Error {
        let message = if group.kind == GroupKind::Function {
            "functions must not produce multiple outputs for same inputs"
        } else {
            "complete rules must not produce multiple outputs"
        };
        self.conflict_at(rule.place, message)
    }

    /// A rule's value, or that of the first of its else branches that holds.
    pub(super) fn alternatives(&mut self, group: &'p Group, rule: &'p Rule, args: &[Value]) -> Result<Option<Value>> {
        let mut branch = Some(rule);
        while let Some(rule) = branch {
            if let Some(value) = self.branch(group, rule, args)? {
                return Ok(Some(value));
            }
            branch = rule.otherwise.as_deref();
        }
        Ok(None)
    }

    fn branch(&mut self, group: &'p Group, rule: &'p Rule, args: &[Value]) -> Result<Option<Value>> {
        let Outcome::Value(result) = &rule.result else {
            return Ok(None);
        };
        let constant = matches!(result, Term::Const(_));
        let mut found: Option<Value> = None;
        self.rules.push(rule.id);
        let outcome = self.with_frame(rule.slots, |machine| {
            if !rule
                .args
                .iter()
                .zip(args)
                .all(|(pattern, arg)| machine.matches(pattern, arg))
            {
                return Ok(Flow::More);
            }
            machine.run(&rule.body, &mut |machine| {
                let value = machine.term(result);
                match &found {
                    Some(before) if *before != value => return Err(machine.outputs_conflict(group, rule)),
                    _ => found = Some(value),
                }
                Ok(if constant { Flow::Stop } else { Flow::More })
            })
        });
        self.rules.pop();
        outcome?;
        Ok(found)
    }

    fn partial(&mut self, group: &'p Group) -> Result<Value> {
        let mut document = if group.set {
            Document::Set(BTreeSet::new())
        } else {
            Document::Object(BTreeMap::new())
        };
        for number in self.candidates(group, &[]) {
            let rule = &group.rules[number as usize];
            self.rules.push(rule.id);
            let outcome = self.with_frame(rule.slots, |machine| {
                machine.run(&rule.body, &mut |machine| {
                    machine.made(1)?;
                    if machine.put(&mut document, rule) {
                        Ok(Flow::More)
                    } else {
                        Err(machine.partial_conflict(rule))
                    }
                })
            });
            self.rules.pop();
            outcome?;
        }
        Ok(document.finish())
    }

    fn partial_conflict(&self, rule: &Rule) -> Error {
        self.conflict_at(rule.place, "object keys must be unique")
    }

    /// Puts what a rule's head says into the document; false if something else is there.
    fn put(&self, document: &mut Document, rule: &Rule) -> bool {
        let mut at = document;
        let (last, steps) = match rule.tail.split_last() {
            Some((last, steps)) => (Some(last), steps),
            None => (None, &[][..]),
        };
        for step in steps {
            let Document::Object(entries) = at else { return false };
            at = entries
                .entry(self.term(step))
                .or_insert_with(|| Document::Object(BTreeMap::new()));
        }
        match (&rule.result, last) {
            (Outcome::Member(member), last) => {
                if let Some(last) = last {
                    let Document::Object(entries) = at else { return false };
                    at = entries
                        .entry(self.term(last))
                        .or_insert_with(|| Document::Set(BTreeSet::new()));
                }
                let Document::Set(items) = at else { return false };
                items.insert(self.term(member));
                true
            }
            (Outcome::Value(value), Some(last)) => {
                let Document::Object(entries) = at else { return false };
                let value = self.term(value);
                match entries.get(&self.term(last)) {
                    Some(Document::Leaf(before)) => *before == value,
                    Some(_) => false,
                    None => {
                        entries.insert(self.term(last), Document::Leaf(value));
                        true
                    }
                }
            }
            (Outcome::Value(_), None) => false,
        }
    }

    /// The rules of a group that may hold, in order. Where built-ins are replaced, what the
    /// index knows of them does not count.
    fn candidates(&self, group: &'p Group, args: &[Value]) -> Vec<u32> {
        let context = self.context();
        if group.index.is_trivial() || !context.functions.is_empty() {
            return (0..group.rules.len() as u32).collect();
        }
        group.index.candidates(context.input.as_ref(), args)
    }
}
