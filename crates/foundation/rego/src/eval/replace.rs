//! `with`: the same steps in another light.

use std::collections::HashMap;

use super::{Context, Flow, Machine, Mock, Next, Result};
use crate::error::{Code, Error};
use crate::plan::{Place, Replacement, Step};
use crate::value::{Object, Value};

impl<'p> Machine<'p> {
    pub(super) fn replaced(
        &mut self,
        replacements: &'p [Replacement],
        place: Place,
        rest: &'p [Step],
        next: Next<'_, 'p>,
    ) -> Result<Flow> {
        let mut context = self.context().clone_without_cache();
        for replacement in replacements {
            match replacement {
                Replacement::Input(path, value) => {
                    let value = self.term(value);
                    let old = context.input.take();
                    context.input = Some(put_over(old, path, value));
                }
                Replacement::Data(path, node, value) => {
                    let value = self.term(value);
                    let old = std::mem::take(&mut context.data);
                    context.data = self.put_at(Some(old), path, value, place)?;
                    context.masked.extend(*node);
                }
                Replacement::FunctionByValue(function, value) => {
                    context.functions.push((*function, Mock::Value(self.term(value))));
                }
                Replacement::FunctionByFunction(function, callee) => {
                    context.functions.push((*function, Mock::Function(callee.clone())));
                }
            }
        }
        context.outer = self.context;
        let before = self.context;
        self.contexts.push(context);
        self.context = self.contexts.len() - 1;
        let result = self.run(rest, next);
        self.contexts.truncate(self.context);
        self.context = before;
        result
    }

    /// Runs in the context in which the current one was made.
    pub(super) fn in_outer_context(&mut self, run: impl FnOnce(&mut Self) -> Result<Flow>) -> Result<Flow> {
        let inner = self.context;
        self.context = self.context().outer;
        let result = run(self);
        self.context = inner;
        result
    }

    /// A replaced function may call the original.
    pub(super) fn without_mocks<T>(&mut self, run: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let mut context = self.context().clone_without_cache();
        context.functions.clear();
        let before = self.context;
        self.contexts.push(context);
        self.context = self.contexts.len() - 1;
        let result = run(self);
        self.contexts.truncate(self.context);
        self.context = before;
        result
    }

    fn put_at(&self, old: Option<Value>, path: &[Value], value: Value, place: Place) -> Result<Value> {
        let Some((first, rest)) = path.split_first() else {
            return Ok(value);
        };
        let mut object = match old {
            Some(Value::Object(object)) => (*object).clone(),
            None | Some(Value::Null) => Object::default(),
            Some(_) => {
                let message = "real and replacement data could not be merged";
                return Err(Error::new(Code::EvalWithMerge, message).at(self.program.location(place)));
            }
        };
        let child = self.put_at(object.get(first).cloned(), rest, value, place)?;
        object.insert(first.clone(), child);
        Ok(object.into())
    }
}

/// Puts a value at a path of `input`; what is no object on the way gives place to one.
fn put_over(old: Option<Value>, path: &[Value], value: Value) -> Value {
    let Some((first, rest)) = path.split_first() else {
        return value;
    };
    let mut object = match old {
        Some(Value::Object(object)) => (*object).clone(),
        _ => Object::default(),
    };
    let child = put_over(object.get(first).cloned(), rest, value);
    object.insert(first.clone(), child);
    object.into()
}

impl Context {
    fn clone_without_cache(&self) -> Self {
        Self {
            input: self.input.clone(),
            data: self.data.clone(),
            masked: self.masked.clone(),
            functions: self.functions.clone(),
            cache: HashMap::new(),
            outer: self.outer,
        }
    }
}
