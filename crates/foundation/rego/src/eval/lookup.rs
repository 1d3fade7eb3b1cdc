//! References: steps into values, and through the tree of rules.

use super::{Flow, Machine, Next, Result};
use crate::plan::{Goal, GroupKind, Key, NodeId, ROOT, Reference, Root, Shortcut};
use crate::value::{Object, Value};

/// What is found where at most one value can be.
pub(super) enum Single {
    Found(Value),
    Undefined,
    /// There may be several: ask [`Machine::each`].
    Many,
}

impl From<Option<Value>> for Single {
    fn from(value: Option<Value>) -> Self {
        value.map_or(Self::Undefined, Self::Found)
    }
}

/// Where a walk goes on: the reference's remaining keys, and what to do at its end.
#[derive(Clone, Copy)]
struct Walk<'p> {
    path: &'p [Key],
    goal: &'p Goal,
}

impl<'p> Machine<'p> {
    /// Evaluates a reference that looks up each of its steps.
    pub(super) fn single(&mut self, reference: &'p Reference) -> Result<Single> {
        if reference.path.iter().any(|key| matches!(key, Key::Each(_))) {
            return Ok(Single::Many);
        }
        let found = match &reference.root {
            Root::Input => self
                .context()
                .input
                .as_ref()
                .and_then(|value| self.descend(value, &reference.path))
                .cloned(),
            Root::Term(crate::plan::Term::Slot(slot)) => self.descend(self.slot(*slot), &reference.path).cloned(),
            Root::Term(term) => self.descend(&self.term(term), &reference.path).cloned(),
            Root::Data => match reference.shortcut {
                Shortcut::Base => self.descend_base(&self.context().data, &reference.path).cloned(),
                Shortcut::Group(group, len) if self.context().masked.is_empty() => {
                    let value = self.group(group)?;
                    value
                        .as_ref()
                        .and_then(|value| self.descend(value, &reference.path[len as usize..]))
                        .cloned()
                }
                _ => return Ok(Single::Many),
            },
        };
        Ok(found.into())
    }

    fn descend<'v>(&self, value: &'v Value, path: &[Key]) -> Option<&'v Value> {
        path.iter().try_fold(value, |value, key| match key {
            Key::Get(crate::plan::Term::Const(key)) => value.child(key),
            Key::Get(crate::plan::Term::Slot(slot)) => value.child(self.slot(*slot)),
            Key::Get(term) => value.child(&self.term(term)),
            Key::Each(_) => None,
        })
    }

    fn descend_base<'v>(&self, value: &'v Value, path: &[Key]) -> Option<&'v Value> {
        path.iter().try_fold(value, |value, key| match key {
            Key::Get(crate::plan::Term::Const(key)) => value.base_child(key),
            Key::Get(crate::plan::Term::Slot(slot)) => value.base_child(self.slot(*slot)),
            Key::Get(term) => value.base_child(&self.term(term)),
            Key::Each(_) => None,
        })
    }

    /// Calls `next` for each value that a reference leads to.
    pub(super) fn each(&mut self, reference: &'p Reference, goal: &'p Goal, next: Next<'_, 'p>) -> Result<Flow> {
        let walk = Walk {
            path: &reference.path,
            goal,
        };
        match &reference.root {
            Root::Input => match self.context().input.clone() {
                Some(value) => self.walk_value(&value, walk, next),
                None => Ok(Flow::More),
            },
            Root::Term(term) => {
                let value = self.term(term);
                self.walk_value(&value, walk, next)
            }
            Root::Data => {
                let data = self.context().data.clone();
                match reference.shortcut {
                    Shortcut::Base => self.walk_value(&data, walk, next),
                    Shortcut::Group(group, len) if self.context().masked.is_empty() => {
                        let Some(value) = self.group(group)? else {
                            return Ok(Flow::More);
                        };
                        self.walk_value(
                            &value,
                            Walk {
                                path: &walk.path[len as usize..],
                                goal,
                            },
                            next,
                        )
                    }
                    _ => self.walk_node(ROOT, Some(&data), walk, next),
                }
            }
        }
    }

    fn arrive(&mut self, value: &Value, goal: &'p Goal, next: Next<'_, 'p>) -> Result<Flow> {
        if self.reached(goal, value) {
            next(self)
        } else {
            Ok(Flow::More)
        }
    }

    fn walk_value(&mut self, value: &Value, walk: Walk<'p>, next: Next<'_, 'p>) -> Result<Flow> {
        let Some((first, rest)) = walk.path.split_first() else {
            return self.arrive(value, walk.goal, next);
        };
        let rest = Walk { path: rest, ..walk };
        let pattern = match first {
            Key::Get(term) => {
                let key = self.term(term);
                return match value.child(&key) {
                    Some(child) => self.walk_value(child, rest, next),
                    None => Ok(Flow::More),
                };
            }
            Key::Each(pattern) => pattern,
        };
        let mut visit = |machine: &mut Self, key: &Value, child: &Value| -> Result<Flow> {
            machine.tick()?;
            if machine.matches(pattern, key) {
                machine.walk_value(child, rest, next)
            } else {
                Ok(Flow::More)
            }
        };
        match value {
            Value::Array(items) => {
                for (i, item) in items.iter().enumerate() {
                    if visit(self, &i.into(), item)? == Flow::Stop {
                        return Ok(Flow::Stop);
                    }
                }
            }
            Value::Object(object) => {
                for (key, item) in object.iter() {
                    if visit(self, key, item)? == Flow::Stop {
                        return Ok(Flow::Stop);
                    }
                }
            }
            Value::Set(set) => {
                for item in set.iter() {
                    if visit(self, item, item)? == Flow::Stop {
                        return Ok(Flow::Stop);
                    }
                }
            }
            _ => {}
        }
        Ok(Flow::More)
    }

    fn walk_node(&mut self, node: NodeId, base: Option<&Value>, walk: Walk<'p>, next: Next<'_, 'p>) -> Result<Flow> {
        if self.context().masked.contains(&node) {
            return match base {
                Some(value) => self.walk_value(value, walk, next),
                None => Ok(Flow::More),
            };
        }
        let Some((first, rest)) = walk.path.split_first() else {
            return match self.extent(node, base)? {
                Some(value) => self.arrive(&value, walk.goal, next),
                None => Ok(Flow::More),
            };
        };
        let program = self.program;
        let shape = &program.nodes[node as usize];
        if let Some(group) = shape.group {
            if let Key::Get(term) = first
                && program.groups[group as usize].kind == GroupKind::Partial
                && let Some(child) = shape.children.get(&self.term(term))
            {
                // Rules of its own define this key; only where they and the others are both
                // defined do they have to be put together.
                let key = self.term(term);
                let general = self.group(group)?.and_then(|value| value.child(&key).cloned());
                let child_base = base.and_then(|value| value.child(&key)).cloned();
                if general.is_none() {
                    return self.walk_node(*child, child_base.as_ref(), Walk { path: rest, ..walk }, next);
                }
            }
            return match self.extent(node, base)? {
                Some(value) => self.walk_value(&value, walk, next),
                None => Ok(Flow::More),
            };
        }
        let rest = Walk { path: rest, ..walk };
        let pattern = match first {
            Key::Get(term) => {
                let key = self.term(term);
                return self.walk_child(node, base, &key, rest, next);
            }
            Key::Each(pattern) => pattern,
        };
        let mut keys: Vec<Value> = shape.children.keys().cloned().collect();
        if let Some(Value::Object(object)) = base {
            keys.extend(object.keys().cloned());
        }
        keys.sort();
        keys.dedup();
        for key in keys {
            self.tick()?;
            if self.matches(pattern, &key) && self.walk_child(node, base, &key, rest, next)? == Flow::Stop {
                return Ok(Flow::Stop);
            }
        }
        Ok(Flow::More)
    }

    fn walk_child(
        &mut self,
        node: NodeId,
        base: Option<&Value>,
        key: &Value,
        walk: Walk<'p>,
        next: Next<'_, 'p>,
    ) -> Result<Flow> {
        let child_base = base.and_then(|value| value.child(key)).cloned();
        match self.program.nodes[node as usize].children.get(key) {
            Some(child) => self.walk_node(*child, child_base.as_ref(), walk, next),
            None => match child_base {
                Some(value) => self.walk_value(&value, walk, next),
                None => Ok(Flow::More),
            },
        }
    }

    pub(super) fn document_under(
        &mut self,
        node: NodeId,
        base: Option<&Value>,
        path: &[Value],
    ) -> Result<Option<Value>> {
        let shape = &self.program.nodes[node as usize];
        let Some((first, rest)) = path.split_first() else {
            return self.extent(node, base);
        };
        if shape.group.is_some() {
            let value = self.extent(node, base)?;
            return Ok(value.and_then(|value| path.iter().try_fold(&value, |value, key| value.child(key)).cloned()));
        }
        let child_base = base.and_then(|value| value.child(first)).cloned();
        match shape.children.get(first) {
            Some(child) => self.document_under(*child, child_base.as_ref(), rest),
            None => {
                Ok(child_base.and_then(|value| rest.iter().try_fold(&value, |value, key| value.child(key)).cloned()))
            }
        }
    }

    /// The whole document at a node: what its rules define over what the data holds.
    pub(super) fn extent(&mut self, node: NodeId, base: Option<&Value>) -> Result<Option<Value>> {
        if self.context().masked.contains(&node) {
            return Ok(base.cloned());
        }
        let program = self.program;
        let shape = &program.nodes[node as usize];
        let own = match shape.group {
            Some(group) if program.groups[group as usize].kind == GroupKind::Function => return Ok(None),
            Some(group) => self.group(group)?,
            None => None,
        };
        if shape.children.is_empty() && shape.group.is_some() {
            return Ok(own);
        }
        let mut object = match (&own, base) {
            (Some(Value::Object(own)), _) => (**own).clone(),
            (Some(_), _) => return Ok(own),
            (None, Some(Value::Object(base))) => (**base).clone(),
            (None, _) => Object::default(),
        };
        for (key, child) in &shape.children {
            let child_base = base.and_then(|value| value.child(key)).cloned();
            let Some(value) = self.deeper(|machine| machine.extent(*child, child_base.as_ref()))? else {
                continue;
            };
            match object.get(key) {
                Some(old) if own.is_some() => {
                    let levels = shape.group.map_or(0, |group| program.groups[group as usize].levels());
                    let merged = merge(old, &value, levels).ok_or_else(|| self.conflict(shape.group))?;
                    object.insert(key.clone(), merged);
                }
                // Data that is there already stays; documents on both sides are one.
                Some(old) => {
                    let merged = over(old, &value);
                    object.insert(key.clone(), merged);
                }
                _ => {
                    object.insert(key.clone(), value);
                }
            }
        }
        Ok(Some(object.into()))
    }
}

/// Two documents as one, where heads of rules make `levels` levels of the first; what rules
/// give as values is never mixed. `None` if they disagree.
fn merge(a: &Value, b: &Value, levels: usize) -> Option<Value> {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) if levels > 0 => {
            let mut out = (**a).clone();
            for (key, value) in b.iter() {
                let merged = match a.get(key) {
                    Some(old) => merge(old, value, levels - 1)?,
                    None => value.clone(),
                };
                out.insert(key.clone(), merged);
            }
            Some(out.into())
        }
        (Value::Set(a), Value::Set(b)) => Some(Value::set(a.iter().chain(b.iter()).cloned())),
        _ => (a == b).then(|| a.clone()),
    }
}

/// The first document over the second, level by level.
fn over(a: &Value, b: &Value) -> Value {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            let mut out = (**b).clone();
            for (key, value) in a.iter() {
                let merged = match b.get(key) {
                    Some(below) => over(value, below),
                    None => value.clone(),
                };
                out.insert(key.clone(), merged);
            }
            out.into()
        }
        _ => a.clone(),
    }
}
