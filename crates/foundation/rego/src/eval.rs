//! The evaluator: runs steps, and calls back for each way in which they all succeed.
//!
//! A step that can succeed only once runs in a loop; one that can succeed in several ways calls
//! the rest of its body once for each. A frame is a stretch of one stack of values. `with`
//! pushes a context, and the end of its statement goes on in the context before.

mod lookup;
mod replace;
mod rules;

use std::collections::HashMap;

use crate::builtins::{Env, Fault, Memory};
use crate::error::{Bound, Code, Error};
use crate::host::{Host, Limits};
use crate::plan::{
    Block, Call, Callee, ComprehensionKind, Every, FunctionId, Goal, GroupId, NodeId, Pattern, Place, Program, Step,
    Term,
};
use crate::value::{Object, Value};

pub(crate) type Result<T> = std::result::Result<T, Error>;

/// Whether to look for more ways to succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    More,
    Stop,
}

/// The steps between two questions to the host whether to stop.
const STEPS_PER_CHECK: u64 = 1024;

/// What happens when a built-in fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BuiltinErrors {
    /// The call is undefined.
    #[default]
    Undefined,
    /// The evaluation ends with the error.
    Strict,
}

/// What `input` and `data` are, and what has been replaced or found out in that light.
#[derive(Default)]
pub(crate) struct Context {
    pub(crate) input: Option<Value>,
    pub(crate) data: Value,
    /// Nodes whose rules are hidden by replaced data.
    masked: Vec<NodeId>,
    functions: Vec<(FunctionId, Mock)>,
    cache: HashMap<GroupId, Option<Value>>,
    /// The context around this one.
    outer: usize,
}

impl Context {
    pub(crate) fn new(input: Option<Value>, data: Value) -> Self {
        Self {
            input,
            data,
            ..Self::default()
        }
    }
}

#[derive(Clone)]
pub(crate) enum Mock {
    Value(Value),
    Function(Callee),
}

pub(crate) type Next<'k, 'p> = &'k mut dyn FnMut(&mut Machine<'p>) -> Result<Flow>;

pub(crate) struct Machine<'p> {
    pub(crate) program: &'p Program,
    pub(crate) modules: &'p [crate::syntax::ast::Module],
    contexts: Vec<Context>,
    context: usize,
    stack: Vec<Value>,
    base: usize,
    host: &'p dyn Host,
    limits: Limits,
    steps: u64,
    made: u64,
    depth: u32,
    errors: BuiltinErrors,
    memory: Memory,
    /// The rules being evaluated, outermost first: for metadata built-ins.
    rules: Vec<(u32, u32)>,
    /// The first failure of a built-in that made a call undefined.
    pub(crate) hidden: Option<Error>,
}

impl<'p> Machine<'p> {
    pub(crate) fn new(
        program: &'p Program,
        modules: &'p [crate::syntax::ast::Module],
        context: Context,
        host: &'p dyn Host,
        limits: Limits,
        errors: BuiltinErrors,
    ) -> Self {
        Self {
            program,
            modules,
            contexts: vec![context],
            context: 0,
            stack: Vec::new(),
            base: 0,
            host,
            limits,
            steps: 0,
            made: 0,
            depth: 0,
            errors,
            memory: Memory::default(),
            rules: Vec::new(),
            hidden: None,
        }
    }

    /// Runs a query's steps in a fresh frame.
    pub(crate) fn query(&mut self, steps: &'p [Step], slots: u32, next: Next<'_, 'p>) -> Result<Flow> {
        self.with_frame(slots, |machine| machine.run(steps, next))
    }

    /// Runs a query that is one expression, and gives away its values.
    pub(crate) fn query_value(
        &mut self,
        query: &'p crate::compile::Query,
        found: &mut dyn FnMut(Value) -> Flow,
    ) -> Result<()> {
        let Some(result) = query.value else { return Ok(()) };
        self.query(&query.steps, query.slots, &mut |machine| {
            Ok(found(machine.slot(result).clone()))
        })?;
        Ok(())
    }

    /// The document under a path below `data`.
    pub(crate) fn document(&mut self, path: &[Value]) -> Result<Option<Value>> {
        let data = self.context().data.clone();
        self.document_under(crate::plan::ROOT, Some(&data), path)
    }

    /// The value of one rule, without the others of its name.
    pub(crate) fn rule(&mut self, id: (u32, u32)) -> Result<Option<Value>> {
        let program = self.program;
        for group in &program.groups {
            if let Some(rule) = group.rules.iter().find(|rule| rule.id == id) {
                return self.alternatives(group, rule, &[]);
            }
        }
        Ok(None)
    }

    pub(crate) fn slot(&self, slot: u32) -> &Value {
        &self.stack[self.base + slot as usize]
    }

    fn context(&self) -> &Context {
        &self.contexts[self.context]
    }

    fn with_frame<T>(&mut self, slots: u32, run: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let (base, len) = (self.base, self.stack.len());
        self.base = len;
        self.stack.resize(len + slots as usize, Value::Null);
        let result = run(self);
        self.stack.truncate(len);
        self.base = base;
        result
    }

    fn stopped(&self, bound: Bound, message: String) -> Error {
        Error {
            bound: Some(bound),
            ..Error::new(Code::EvalCancel, message)
        }
    }

    fn tick(&mut self) -> Result<()> {
        self.steps += 1;
        if self.steps.is_multiple_of(STEPS_PER_CHECK) {
            if self.steps > self.limits.steps {
                let message = format!("the evaluation took more than {} steps", self.limits.steps);
                return Err(self.stopped(Bound::Steps, message));
            }
            if self.host.should_stop() {
                return Err(self.stopped(Bound::Deadline, "the evaluation was stopped".to_owned()));
            }
        }
        Ok(())
    }

    /// Accounts for values that were made.
    fn made(&mut self, values: u64) -> Result<()> {
        self.made += values;
        if self.made > self.limits.memory_values {
            let message = format!("the evaluation made more than {} values", self.limits.memory_values);
            return Err(self.stopped(Bound::Memory, message));
        }
        Ok(())
    }

    fn deeper<T>(&mut self, run: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth >= self.limits.depth {
            let message = format!("rules and loops are nested more than {} deep", self.limits.depth);
            return Err(self.stopped(Bound::Depth, message));
        }
        self.depth += 1;
        let result = run(self);
        self.depth -= 1;
        result
    }

    pub(crate) fn run(&mut self, steps: &'p [Step], next: Next<'_, 'p>) -> Result<Flow> {
        for (i, step) in steps.iter().enumerate() {
            self.tick()?;
            let succeeded = match step {
                Step::Match(term, pattern) => {
                    let value = self.term(term);
                    self.matches(pattern, &value)
                }
                Step::Holds(term) => !self.term(term).is_false(),
                Step::Lookup(reference, goal) => match self.single(reference)? {
                    lookup::Single::Found(value) => self.reached(goal, &value),
                    lookup::Single::Undefined => false,
                    lookup::Single::Many => {
                        let rest = &steps[i + 1..];
                        return self
                            .deeper(|machine| machine.each(reference, goal, &mut |machine| machine.run(rest, next)));
                    }
                },
                Step::Call(call) if self.compares(call).is_some() => {
                    let accepts = self.compares(call).is_some_and(|accepts| {
                        accepts(self.borrowed(&call.args[0]).cmp(&self.borrowed(&call.args[1])))
                    });
                    self.reached(&call.goal, &accepts.into())
                }
                Step::Call(call) => match self.call(call)? {
                    Called::Value(value) => self.reached(&call.goal, &value),
                    Called::Undefined => false,
                    Called::Many(values) => {
                        let rest = &steps[i + 1..];
                        return self.deeper(|machine| {
                            for value in values {
                                machine.tick()?;
                                if machine.reached(&call.goal, &value) && machine.run(rest, next)? == Flow::Stop {
                                    return Ok(Flow::Stop);
                                }
                            }
                            Ok(Flow::More)
                        });
                    }
                },
                Step::Comprehension(parts, place) => {
                    let (kind, body, pattern) = &**parts;
                    let value = self.comprehension(kind, body, *place)?;
                    self.matches(pattern, &value)
                }
                Step::Not(body) => !self.deeper(|machine| machine.succeeds(body))?,
                Step::Every(every) => self.deeper(|machine| machine.every(every))?,
                Step::With(replacements, place) => {
                    let rest = &steps[i + 1..];
                    return self.deeper(|machine| machine.replaced(replacements, *place, rest, next));
                }
                Step::EndWith => {
                    let rest = &steps[i + 1..];
                    return self.deeper(|machine| machine.in_outer_context(|machine| machine.run(rest, next)));
                }
            };
            if !succeeded {
                return Ok(Flow::More);
            }
        }
        next(self)
    }

    fn succeeds(&mut self, body: &'p Block) -> Result<bool> {
        let mut found = false;
        self.run(body, &mut |_| {
            found = true;
            Ok(Flow::Stop)
        })?;
        Ok(found)
    }

    fn every(&mut self, every: &'p Every) -> Result<bool> {
        let domain = self.term(&every.domain);
        let pairs: Vec<(Value, Value)> = match &domain {
            Value::Array(items) => items.iter().enumerate().map(|(i, v)| (i.into(), v.clone())).collect(),
            Value::Object(object) => object.iter().cloned().collect(),
            Value::Set(set) => set.iter().map(|v| (v.clone(), v.clone())).collect(),
            _ => return Ok(false),
        };
        for (key, value) in pairs {
            self.tick()?;
            let holds =
                self.matches(&every.key, &key) && self.matches(&every.value, &value) && self.succeeds(&every.body)?;
            if !holds {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn comprehension(&mut self, kind: &'p ComprehensionKind, body: &'p Block, place: Place) -> Result<Value> {
        self.deeper(|machine| match kind {
            ComprehensionKind::Array(head) | ComprehensionKind::Set(head) => {
                let mut items = Vec::new();
                machine.run(body, &mut |machine| {
                    machine.made(1)?;
                    items.push(machine.term(head));
                    Ok(Flow::More)
                })?;
                Ok(match kind {
                    ComprehensionKind::Set(_) => Value::set(items),
                    _ => items.into(),
                })
            }
            ComprehensionKind::Object(key, value) => {
                let mut entries: HashMap<Value, Value> = HashMap::new();
                machine.run(body, &mut |machine| {
                    machine.made(1)?;
                    let (key, value) = (machine.term(key), machine.term(value));
                    if entries.get(&key).is_some_and(|old| *old != value) {
                        let error = Error::new(Code::EvalConflict, "object keys must be unique");
                        return Err(error.at(machine.program.location(place)));
                    }
                    entries.insert(key, value);
                    Ok(Flow::More)
                })?;
                Ok(entries.into_iter().collect::<Object>().into())
            }
        })
    }

    pub(crate) fn term(&self, term: &Term) -> Value {
        match term {
            Term::Const(value) => value.clone(),
            Term::Slot(slot) => self.slot(*slot).clone(),
            Term::Array(items) => Value::array(items.iter().map(|item| self.term(item))),
            Term::Set(items) => Value::set(items.iter().map(|item| self.term(item))),
            Term::Object(entries) => {
                Value::object(entries.iter().map(|(key, value)| (self.term(key), self.term(value))))
            }
        }
    }

    /// How a call compares, if that is all it does and nobody replaced it.
    fn compares(&self, call: &Call) -> Option<fn(std::cmp::Ordering) -> bool> {
        match &call.callee {
            Callee::Builtin(builtin) if self.context().functions.is_empty() => builtin.compares,
            _ => None,
        }
    }

    /// The value of a term, without a copy where it has a place of its own.
    fn borrowed(&self, term: &'p Term) -> std::borrow::Cow<'_, Value> {
        use std::borrow::Cow;
        match term {
            Term::Const(value) => Cow::Borrowed(value),
            Term::Slot(slot) => Cow::Borrowed(self.slot(*slot)),
            other => Cow::Owned(self.term(other)),
        }
    }

    fn equals(&self, term: &Term, value: &Value) -> bool {
        match term {
            Term::Const(constant) => constant == value,
            Term::Slot(slot) => self.slot(*slot) == value,
            other => self.term(other) == *value,
        }
    }

    fn reached(&mut self, goal: &Goal, value: &Value) -> bool {
        match goal {
            Goal::Holds => !value.is_false(),
            Goal::Match(pattern) => self.matches(pattern, value),
        }
    }

    fn matches(&mut self, pattern: &Pattern, value: &Value) -> bool {
        match pattern {
            Pattern::Any => true,
            Pattern::Bind(slot) => {
                let at = self.base + *slot as usize;
                self.stack[at] = value.clone();
                true
            }
            Pattern::Equal(term) => self.equals(term, value),
            Pattern::Array(patterns) => match value {
                Value::Array(items) => {
                    items.len() == patterns.len() && patterns.iter().zip(items.iter()).all(|(p, v)| self.matches(p, v))
                }
                _ => false,
            },
            Pattern::Object(entries) => match value {
                Value::Object(object) => {
                    object.len() == entries.len()
                        && entries.iter().all(|(key, pattern)| {
                            let key = self.term(key);
                            object.get(&key).is_some_and(|value| self.matches(pattern, value))
                        })
                }
                _ => false,
            },
        }
    }

    fn call(&mut self, call: &'p Call) -> Result<Called> {
        let args: Vec<Value> = call.args.iter().map(|arg| self.term(arg)).collect();
        self.invoke(&call.callee, args, call.place)
    }

    fn invoke(&mut self, callee: &Callee, args: Vec<Value>, place: Place) -> Result<Called> {
        if !self.context().functions.is_empty() {
            let id = match callee {
                Callee::Builtin(builtin) => FunctionId::Builtin(builtin.name),
                Callee::Rules(group) => FunctionId::Rules(*group),
            };
            let mock = self
                .context()
                .functions
                .iter()
                .rev()
                .find(|(function, _)| *function == id);
            match mock.map(|(_, mock)| mock.clone()) {
                Some(Mock::Value(value)) => return Ok(Called::Value(value)),
                Some(Mock::Function(callee)) => {
                    return self.without_mocks(|machine| machine.invoke(&callee, args, place));
                }
                None => {}
            }
        }
        match callee {
            Callee::Rules(group) => Ok(match self.deeper(|machine| machine.function(*group, &args))? {
                Some(value) => Called::Value(value),
                None => Called::Undefined,
            }),
            Callee::Builtin(builtin) => {
                let mut env = Env {
                    host: self.host,
                    memory: &mut self.memory,
                    modules: self.modules,
                    rules: &self.rules,
                    program: self.program,
                    place,
                };
                match builtin.call(&mut env, &args) {
                    Ok(Some(value)) => {
                        self.made(size(&value))?;
                        if builtin.relation {
                            let values = value.as_array().map(<[Value]>::to_vec).unwrap_or_default();
                            return Ok(Called::Many(values));
                        }
                        Ok(Called::Value(value))
                    }
                    Ok(None) => Ok(Called::Undefined),
                    Err(fault) => self.failed(builtin.name, fault, place),
                }
            }
        }
    }

    fn failed(&mut self, name: &str, fault: Fault, place: Place) -> Result<Called> {
        let (code, message, halts) = match fault {
            Fault::Type(message) => (Code::EvalType, message, false),
            Fault::Failed(message) => (Code::EvalBuiltin, message, false),
            Fault::Halt(message) => (Code::EvalBuiltin, message, true),
        };
        let error = Error::new(code, format!("{name}: {message}")).at(self.program.location(place));
        if halts || self.errors == BuiltinErrors::Strict {
            return Err(error);
        }
        self.hidden.get_or_insert(error);
        Ok(Called::Undefined)
    }
}

enum Called {
    Value(Value),
    Undefined,
    Many(Vec<Value>),
}

/// About how many values one value holds: enough to notice growth, cheap to ask.
fn size(value: &Value) -> u64 {
    match value {
        Value::Array(items) => items.len() as u64,
        Value::Object(object) => object.len() as u64,
        Value::Set(set) => set.len() as u64,
        Value::String(text) => (text.len() / 64) as u64,
        _ => 0,
    }
}
