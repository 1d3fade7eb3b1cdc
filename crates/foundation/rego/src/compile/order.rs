//! Goals to steps: each variable gets its value before it is needed.

use std::collections::HashSet;

use super::lower::{Change, Closure, Goal, GoalKind, Head, Lowerer, Out, Root};
use super::place;
use crate::error::{Code, Error, Errors};
use crate::plan::GroupKind;
use crate::plan::{
    self, Call, ComprehensionKind, Every, Key, Pattern, ROOT, Reference, Replacement, Shortcut, Slot, Step,
    Term as Plain,
};
use crate::value::Value;

/// Slots that have a value.
pub(super) type Bound = HashSet<Slot>;

pub(super) struct Orderer<'l, 'a> {
    lowerer: &'l Lowerer<'a>,
}

impl<'l, 'a> Orderer<'l, 'a> {
    pub(super) fn new(lowerer: &'l Lowerer<'a>) -> Self {
        Self { lowerer }
    }

    /// Puts goals in order. Of those that can be evaluated, the first written comes first.
    pub(super) fn block(&self, goals: Vec<Goal>, bound: &mut Bound) -> Result<Vec<Step>, Errors> {
        let mut steps = Vec::new();
        let mut waiting = goals;
        loop {
            let before = waiting.len();
            let mut still = Vec::new();
            for goal in waiting {
                if let Some(goal) = self.emit(goal, bound, &mut steps)? {
                    still.push(goal);
                }
            }
            if still.is_empty() {
                return Ok(steps);
            }
            if still.len() == before {
                return Err(self.unsafe_vars(&still, bound));
            }
            waiting = still;
        }
    }

    fn unsafe_vars(&self, goals: &[Goal], bound: &Bound) -> Errors {
        let mut errors: Vec<Error> = Vec::new();
        let mut seen = HashSet::new();
        for goal in goals {
            let mut slots = Vec::new();
            goal_slots(goal, &mut slots);
            for slot in slots {
                let Some(name) = &self.lowerer.slots[slot as usize].0 else {
                    continue;
                };
                if name.starts_with('%') {
                    continue;
                }
                if bound.contains(&slot) || !seen.insert(slot) {
                    continue;
                }
                let shown = if name.starts_with('$') { "_" } else { name };
                let error = self
                    .lowerer
                    .error(goal.span, Code::UnsafeVar, format!("var {shown} is unsafe"));
                errors.push(error.hint(format!("give {shown} a value in a statement that is not negated")));
            }
        }
        if errors.is_empty() {
            let span = goals[0].span;
            errors.push(self.lowerer.error(span, Code::UnsafeVar, "expression is unsafe"));
        }
        Errors(errors)
    }

    /// Emits the goal's steps, or gives it back if it has to wait.
    fn emit(&self, goal: Goal, bound: &mut Bound, steps: &mut Vec<Step>) -> Result<Option<Goal>, Errors> {
        let Goal { kind, span } = goal;
        let wait = |kind| Ok(Some(Goal { kind, span }));
        let place = place(self.lowerer.file, span);
        match kind {
            GoalKind::Unify(left, right) => {
                if !self.unify(&left, &right, bound, steps) {
                    return wait(GoalKind::Unify(left, right));
                }
            }
            GoalKind::Holds(term) => {
                if !ground(&term, bound) {
                    return wait(GoalKind::Holds(term));
                }
                steps.push(Step::Holds(term));
            }
            GoalKind::Lookup(root, path, out) => {
                let mut next = bound.clone();
                match self.lookup(&root, &path, &out, &mut next) {
                    Some(step) => {
                        *bound = next;
                        steps.push(step);
                    }
                    None => return wait(GoalKind::Lookup(root, path, out)),
                }
            }
            GoalKind::Call(callee, args, out) => {
                let mut next = bound.clone();
                let goal = match &out {
                    Out::Holds => Some(plan::Goal::Holds),
                    Out::Is(term) => self.pattern(term, &mut next).map(plan::Goal::Match),
                };
                match goal {
                    Some(goal) if args.iter().all(|arg| ground(arg, bound)) => {
                        *bound = next;
                        steps.push(Step::Call(Box::new(Call {
                            callee,
                            args: args.into(),
                            goal,
                            place,
                        })));
                    }
                    _ => return wait(GoalKind::Call(callee, args, out)),
                }
            }
            GoalKind::Comprehension(closure, out) => {
                if !self.closed(&closure, bound) {
                    return wait(GoalKind::Comprehension(closure, out));
                }
                let mut inner = bound.clone();
                let body = self.block(closure.goals, &mut inner)?;
                let kind = match closure.head {
                    Head::Array(term) => ComprehensionKind::Array(term),
                    Head::Set(term) => ComprehensionKind::Set(term),
                    Head::Object(key, value) => ComprehensionKind::Object(key, value),
                };
                self.check_head(&kind, &inner, span)?;
                let pattern = self.pattern(&out, bound).unwrap_or(Pattern::Any);
                steps.push(Step::Comprehension(Box::new((kind, body.into(), pattern)), place));
            }
            GoalKind::Not(closure) => {
                if !self.closed(&closure, bound) {
                    return wait(GoalKind::Not(closure));
                }
                let body = self.block(closure.goals, &mut bound.clone())?;
                steps.push(Step::Not(body.into()));
            }
            GoalKind::Every(domain, closure) => {
                if !ground(&domain, bound) || !self.closed(&closure, bound) {
                    return wait(GoalKind::Every(domain, closure));
                }
                let mut inner = bound.clone();
                let key = closure
                    .head
                    .0
                    .and_then(|key| self.pattern(&key, &mut inner))
                    .unwrap_or(Pattern::Any);
                let value = self.pattern(&closure.head.1, &mut inner).unwrap_or(Pattern::Any);
                let body = self.block(closure.goals, &mut inner)?.into();
                steps.push(Step::Every(Box::new(Every {
                    domain,
                    key,
                    value,
                    body,
                })));
            }
            GoalKind::With(changes, goals) => {
                if !changes
                    .iter()
                    .all(|change| change_term(change).is_none_or(|term| ground(term, bound)))
                    || !self.can_finish(&goals, bound)
                {
                    return wait(GoalKind::With(changes, goals));
                }
                let replacements = changes.into_iter().map(|change| self.replacement(change)).collect();
                steps.push(Step::With(replacements, place));
                let mut inner = self.block(goals, bound)?;
                steps.append(&mut inner);
                steps.push(Step::EndWith);
            }
        }
        Ok(None)
    }

    fn check_head(
        &self,
        kind: &ComprehensionKind,
        bound: &Bound,
        span: crate::syntax::ast::Span,
    ) -> Result<(), Errors> {
        let mut slots = Vec::new();
        match kind {
            ComprehensionKind::Array(term) | ComprehensionKind::Set(term) => term_slots(term, &mut slots),
            ComprehensionKind::Object(key, value) => {
                term_slots(key, &mut slots);
                term_slots(value, &mut slots);
            }
        }
        self.check_bound(&slots, bound, span)
    }

    /// All of `slots` must have values.
    pub(super) fn check_bound(
        &self,
        slots: &[Slot],
        bound: &Bound,
        span: crate::syntax::ast::Span,
    ) -> Result<(), Errors> {
        let name = slots.iter().find(|slot| !bound.contains(slot));
        let Some(slot) = name else { return Ok(()) };
        let name = self.lowerer.slots[*slot as usize].0.as_deref().unwrap_or("_");
        let shown = if name.starts_with('$') { "_" } else { name };
        let error = self
            .lowerer
            .error(span, Code::UnsafeVar, format!("var {shown} is unsafe"));
        Err(error.hint(format!("give {shown} a value in the body")).into())
    }

    /// Whether everything that a closure takes from outside has a value.
    fn closed<T>(&self, closure: &Closure<T>, bound: &Bound) -> bool
    where
        Closure<T>: HeadSlots,
    {
        let mut slots = Vec::new();
        closure.goals.iter().for_each(|goal| goal_slots(goal, &mut slots));
        closure.head_slots(&mut slots);
        slots
            .iter()
            .all(|slot| self.lowerer.slots[*slot as usize].1 >= closure.level || bound.contains(slot))
    }

    /// Whether all goals of a `with` can be evaluated with what is bound now.
    fn can_finish(&self, goals: &[Goal], bound: &Bound) -> bool {
        let mut bound = bound.clone();
        let mut waiting: Vec<&Goal> = goals.iter().collect();
        loop {
            let before = waiting.len();
            waiting.retain(|goal| !self.could(goal, &mut bound));
            if waiting.is_empty() {
                return true;
            }
            if waiting.len() == before {
                return false;
            }
        }
    }

    fn could(&self, goal: &Goal, bound: &mut Bound) -> bool {
        let mut next = bound.clone();
        let out = |out: &Out, next: &mut Bound| match out {
            Out::Holds => true,
            Out::Is(term) => self.pattern(term, next).is_some(),
        };
        let possible = match &goal.kind {
            GoalKind::Unify(left, right) => self.unify(left, right, &mut next, &mut Vec::new()),
            GoalKind::Holds(term) => ground(term, bound),
            GoalKind::Lookup(root, path, target) => self.lookup(root, path, target, &mut next).is_some(),
            GoalKind::Call(_, args, target) => args.iter().all(|arg| ground(arg, bound)) && out(target, &mut next),
            GoalKind::Comprehension(closure, target) => {
                self.closed(closure, bound) && self.pattern(target, &mut next).is_some()
            }
            GoalKind::Not(closure) => self.closed(closure, bound),
            GoalKind::Every(domain, closure) => ground(domain, bound) && self.closed(closure, bound),
            GoalKind::With(_, goals) => self.can_finish(goals, bound),
        };
        if possible {
            *bound = next;
        }
        possible
    }

    fn lookup(&self, root: &Root, path: &[Plain], out: &Out, bound: &mut Bound) -> Option<Step> {
        let root = match root {
            Root::Input => plan::Root::Input,
            Root::Data => plan::Root::Data,
            Root::Term(term) if ground(term, bound) => plan::Root::Term(term.clone()),
            Root::Term(_) => return None,
        };
        let mut keys = Vec::new();
        for step in path {
            keys.push(if ground(step, bound) {
                Key::Get(step.clone())
            } else {
                Key::Each(self.pattern(step, bound)?)
            });
        }
        let goal = match out {
            Out::Holds => plan::Goal::Holds,
            Out::Is(term) => plan::Goal::Match(self.pattern(term, bound)?),
        };
        let shortcut = if matches!(root, plan::Root::Data) {
            self.shortcut(&keys)
        } else {
            Shortcut::None
        };
        Some(Step::Lookup(
            Box::new(Reference {
                root,
                path: keys.into(),
                shortcut,
            }),
            goal,
        ))
    }

    fn shortcut(&self, keys: &[Key]) -> Shortcut {
        let tree = self.lowerer.tree;
        let mut node = ROOT;
        for (i, key) in keys.iter().enumerate() {
            let Key::Get(Plain::Const(value)) = key else {
                return Shortcut::None;
            };
            let Some(child) = tree.nodes[node as usize].children.get(value) else {
                return Shortcut::Base;
            };
            node = *child;
            let here = &tree.nodes[node as usize];
            if let Some(group) = here.group {
                let plain = here.children.is_empty() && tree.groups[group as usize].kind != GroupKind::Function;
                return if plain {
                    Shortcut::Group(group, i as u32 + 1)
                } else {
                    Shortcut::None
                };
            }
        }
        Shortcut::None
    }

    fn replacement(&self, change: Change) -> Replacement {
        match change {
            Change::Input(path, value) => Replacement::Input(path.into(), value),
            Change::Data(path, value) => {
                let node = self.lowerer.tree.node(&path);
                Replacement::Data(path.into(), node, value)
            }
            Change::ByValue(function, value) => Replacement::FunctionByValue(function, value),
            Change::ByFunction(function, callee) => Replacement::FunctionByFunction(function, callee),
        }
    }

    /// The pattern that takes a value apart into `term`; `None` if part of it must wait.
    pub(super) fn pattern(&self, term: &Plain, bound: &mut Bound) -> Option<Pattern> {
        if ground(term, bound) {
            return Some(Pattern::Equal(term.clone()));
        }
        match term {
            Plain::Slot(slot) => {
                bound.insert(*slot);
                let wild = self.lowerer.slots[*slot as usize]
                    .0
                    .as_deref()
                    .is_some_and(|n| n.starts_with('$'));
                Some(if wild { Pattern::Any } else { Pattern::Bind(*slot) })
            }
            Plain::Array(items) => {
                let items = items.iter().map(|item| self.pattern(item, bound));
                Some(Pattern::Array(items.collect::<Option<_>>()?))
            }
            Plain::Object(entries) => {
                if !entries.iter().all(|(key, _)| ground(key, bound)) {
                    return None;
                }
                let entries = entries
                    .iter()
                    .map(|(key, value)| Some((key.clone(), self.pattern(value, bound)?)));
                Some(Pattern::Object(entries.collect::<Option<_>>()?))
            }
            Plain::Set(_) | Plain::Const(_) => None,
        }
    }

    fn unify(&self, left: &Plain, right: &Plain, bound: &mut Bound, steps: &mut Vec<Step>) -> bool {
        for (value, other) in [(left, right), (right, left)] {
            if ground(value, bound) {
                let mut next = bound.clone();
                let Some(pattern) = self.pattern(other, &mut next) else {
                    return false;
                };
                *bound = next;
                steps.push(Step::Match(value.clone(), pattern));
                return true;
            }
        }
        let pairs: Vec<(&Plain, &Plain)> = match (left, right) {
            (Plain::Array(a), Plain::Array(b)) => {
                if a.len() != b.len() {
                    steps.push(Step::Holds(Plain::Const(Value::Bool(false))));
                    return true;
                }
                a.iter().zip(b.iter()).collect()
            }
            (Plain::Object(a), Plain::Object(b)) => {
                let Some(pairs) = same_keys(a, b) else { return false };
                pairs
            }
            _ => return false,
        };
        let (mut next, mut out) = (bound.clone(), Vec::new());
        let mut waiting = pairs;
        while !waiting.is_empty() {
            let before = waiting.len();
            waiting.retain(|(a, b)| !self.unify(a, b, &mut next, &mut out));
            if waiting.len() == before {
                return false;
            }
        }
        *bound = next;
        steps.append(&mut out);
        true
    }
}

/// Pairs the values of two objects whose keys are the same constants.
fn same_keys<'t>(a: &'t [(Plain, Plain)], b: &'t [(Plain, Plain)]) -> Option<Vec<(&'t Plain, &'t Plain)>> {
    if a.len() != b.len() {
        return None;
    }
    let value = |entries: &'t [(Plain, Plain)], wanted: &Value| {
        entries
            .iter()
            .find(|(key, _)| matches!(key, Plain::Const(k) if k == wanted))
            .map(|(_, value)| value)
    };
    a.iter()
        .map(|(key, left)| match key {
            Plain::Const(key) => Some((left, value(b, key)?)),
            _ => None,
        })
        .collect()
}

pub(super) fn ground(term: &Plain, bound: &Bound) -> bool {
    match term {
        Plain::Const(_) => true,
        Plain::Slot(slot) => bound.contains(slot),
        Plain::Array(items) | Plain::Set(items) => items.iter().all(|item| ground(item, bound)),
        Plain::Object(entries) => entries.iter().all(|(k, v)| ground(k, bound) && ground(v, bound)),
    }
}

pub(super) fn term_slots(term: &Plain, slots: &mut Vec<Slot>) {
    match term {
        Plain::Const(_) => {}
        Plain::Slot(slot) => slots.push(*slot),
        Plain::Array(items) | Plain::Set(items) => items.iter().for_each(|item| term_slots(item, slots)),
        Plain::Object(entries) => entries.iter().for_each(|(key, value)| {
            term_slots(key, slots);
            term_slots(value, slots);
        }),
    }
}

fn change_term(change: &Change) -> Option<&Plain> {
    match change {
        Change::Input(_, term) | Change::Data(_, term) | Change::ByValue(_, term) => Some(term),
        Change::ByFunction(..) => None,
    }
}

/// The slots of a closure's head.
pub(super) trait HeadSlots {
    fn head_slots(&self, slots: &mut Vec<Slot>);
}

impl HeadSlots for Closure<Head> {
    fn head_slots(&self, slots: &mut Vec<Slot>) {
        match &self.head {
            Head::Array(term) | Head::Set(term) => term_slots(term, slots),
            Head::Object(key, value) => {
                term_slots(key, slots);
                term_slots(value, slots);
            }
        }
    }
}

impl HeadSlots for Closure<()> {
    fn head_slots(&self, _: &mut Vec<Slot>) {}
}

impl HeadSlots for Closure<(Option<Plain>, Plain)> {
    fn head_slots(&self, _: &mut Vec<Slot>) {}
}

/// All slots that a goal mentions, those within its closures included.
fn goal_slots(goal: &Goal, slots: &mut Vec<Slot>) {
    let out = |out: &Out, slots: &mut Vec<Slot>| {
        if let Out::Is(term) = out {
            term_slots(term, slots);
        }
    };
    match &goal.kind {
        GoalKind::Unify(left, right) => {
            term_slots(left, slots);
            term_slots(right, slots);
        }
        GoalKind::Holds(term) => term_slots(term, slots),
        GoalKind::Lookup(root, path, target) => {
            if let Root::Term(term) = root {
                term_slots(term, slots);
            }
            path.iter().for_each(|step| term_slots(step, slots));
            out(target, slots);
        }
        GoalKind::Call(_, args, target) => {
            args.iter().for_each(|arg| term_slots(arg, slots));
            out(target, slots);
        }
        GoalKind::Comprehension(closure, target) => {
            closure.goals.iter().for_each(|goal| goal_slots(goal, slots));
            closure.head_slots(slots);
            term_slots(target, slots);
        }
        GoalKind::Not(closure) => closure.goals.iter().for_each(|goal| goal_slots(goal, slots)),
        GoalKind::Every(domain, closure) => {
            term_slots(domain, slots);
            closure.goals.iter().for_each(|goal| goal_slots(goal, slots));
        }
        GoalKind::With(changes, goals) => {
            changes
                .iter()
                .filter_map(change_term)
                .for_each(|term| term_slots(term, slots));
            goals.iter().for_each(|goal| goal_slots(goal, slots));
        }
    }
}
