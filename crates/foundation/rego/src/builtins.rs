//! Built-in functions: a table of names, one module per group.
//!
//! A built-in sees its operands and an [`Env`]; what it needs from the world it asks the host.

mod aggregates;
#[cfg(feature = "crypto")]
mod aws;
mod bits;
#[cfg(feature = "crypto")]
mod crypto;
pub(crate) mod encoding;
mod graph;
#[cfg(feature = "graphql")]
mod graphql;
#[cfg(feature = "http")]
mod http;
mod json;
#[cfg(feature = "crypto")]
mod jwt;
mod misc;
mod net;
mod numbers;
mod objects;
mod operators;
mod regexes;
#[cfg(feature = "jsonschema")]
mod schema;
mod sets;
mod sprintf;
mod strings;
mod time;
mod types;

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use num_bigint::BigInt;

use crate::host::Host;
use crate::plan::{Place, Program};
use crate::syntax::ast::Module;
use crate::value::{Number, Object, Set, Value};

/// Why a built-in has no result.
#[derive(Debug)]
pub(crate) enum Fault {
    /// An operand has the wrong type or shape.
    Type(String),
    /// Something else is wrong.
    Failed(String),
    /// As before, and nobody may overlook it.
    Halt(String),
}

pub(crate) type Outcome = Result<Option<Value>, Fault>;

/// What a built-in may use besides its operands.
pub(crate) struct Env<'a> {
    pub(crate) host: &'a dyn Host,
    pub(crate) memory: &'a mut Memory,
    pub(crate) modules: &'a [Module],
    /// The rules being evaluated, outermost first: module and rule numbers.
    pub(crate) rules: &'a [(u32, u32)],
    pub(crate) program: &'a Program,
    pub(crate) place: Place,
}

/// What built-ins remember during one evaluation: answers that must not change within it, and
/// patterns that are costly to compile.
#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) now_ns: Option<i64>,
    pub(crate) answers: HashMap<(&'static str, Value), Value>,
    pub(crate) regexes: HashMap<Arc<str>, Arc<regex::Regex>>,
}

impl Env<'_> {
    pub(crate) fn now_ns(&mut self) -> i64 {
        *self.memory.now_ns.get_or_insert_with(|| self.host.now_ns())
    }

    /// The answer given before to the same question, or a new one.
    pub(crate) fn once(
        &mut self,
        name: &'static str,
        key: Value,
        ask: impl FnOnce(&mut Self) -> Result<Value, Fault>,
    ) -> Result<Value, Fault> {
        if let Some(known) = self.memory.answers.get(&(name, key.clone())) {
            return Ok(known.clone());
        }
        let answer = ask(self)?;
        self.memory.answers.insert((name, key), answer.clone());
        Ok(answer)
    }
}

/// A built-in function.
#[derive(Debug)]
pub(crate) struct Builtin {
    pub(crate) name: &'static str,
    pub(crate) arity: usize,
    /// It has several results, and returns them as an array.
    pub(crate) relation: bool,
    /// It compares its two operands, and this says which orders it accepts.
    pub(crate) compares: Option<fn(std::cmp::Ordering) -> bool>,
    run: fn(&mut Env<'_>, &[Value]) -> Outcome,
}

impl Builtin {
    const fn new(name: &'static str, arity: usize, run: fn(&mut Env<'_>, &[Value]) -> Outcome) -> Self {
        Self {
            name,
            arity,
            relation: false,
            compares: None,
            run,
        }
    }

    const fn relation(name: &'static str, arity: usize, run: fn(&mut Env<'_>, &[Value]) -> Outcome) -> Self {
        Self {
            name,
            arity,
            relation: true,
            compares: None,
            run,
        }
    }

    const fn comparison(name: &'static str, compares: fn(std::cmp::Ordering) -> bool) -> Self {
        Self {
            name,
            arity: 2,
            relation: false,
            compares: Some(compares),
            run: |_, _| Ok(None),
        }
    }

    pub(crate) fn call(&self, env: &mut Env<'_>, args: &[Value]) -> Outcome {
        if args.len() < self.arity {
            return Err(Fault::Failed("too few arguments".to_owned()));
        }
        if let Some(compares) = self.compares {
            return ok(compares(args[0].cmp(&args[1])));
        }
        (self.run)(env, args)
    }
}

pub(crate) use encoding::percent_decode;

const TABLES: &[&[Builtin]] = &[
    operators::TABLE,
    aggregates::TABLE,
    #[cfg(feature = "crypto")]
    aws::TABLE,
    bits::TABLE,
    #[cfg(feature = "crypto")]
    crypto::TABLE,
    encoding::TABLE,
    graph::TABLE,
    #[cfg(feature = "graphql")]
    graphql::TABLE,
    #[cfg(feature = "http")]
    http::TABLE,
    json::TABLE,
    #[cfg(feature = "crypto")]
    jwt::TABLE,
    misc::TABLE,
    net::TABLE,
    numbers::TABLE,
    objects::TABLE,
    regexes::TABLE,
    #[cfg(feature = "jsonschema")]
    schema::TABLE,
    sets::TABLE,
    strings::TABLE,
    time::TABLE,
    types::TABLE,
];

fn table() -> &'static HashMap<&'static str, &'static Builtin> {
    static TABLE: OnceLock<HashMap<&'static str, &'static Builtin>> = OnceLock::new();
    TABLE.get_or_init(|| {
        TABLES
            .iter()
            .copied()
            .flatten()
            .map(|builtin| (builtin.name, builtin))
            .collect()
    })
}

/// The built-in with this name.
pub(crate) fn find(name: &str) -> Option<&'static Builtin> {
    table().get(name).copied()
}

/// Names of all built-ins, sorted.
pub fn names() -> Vec<&'static str> {
    let mut names: Vec<&'static str> = table().keys().copied().collect();
    names.sort_unstable();
    names
}

// Operands. Positions count from 0 here and from 1 in messages.

pub(crate) fn wrong_type(args: &[Value], at: usize, expected: &[&str]) -> Fault {
    let got = args[at].type_name();
    Fault::Type(match expected {
        [one] => format!("operand {} must be {one} but got {got}", at + 1),
        many => format!(
            "operand {} must be one of {{{}}} but got {got}",
            at + 1,
            many.join(", ")
        ),
    })
}

pub(crate) fn wrong_element(args: &[Value], at: usize, element: &Value, expected: &str) -> Fault {
    let outer = args[at].type_name();
    let got = element.type_name();
    Fault::Type(format!(
        "operand {} must be {outer} of {expected}s but got {outer} containing {got}",
        at + 1
    ))
}

pub(crate) fn string(args: &[Value], at: usize) -> Result<&Arc<str>, Fault> {
    match &args[at] {
        Value::String(s) => Ok(s),
        _ => Err(wrong_type(args, at, &["string"])),
    }
}

pub(crate) fn number(args: &[Value], at: usize) -> Result<&Number, Fault> {
    args[at].as_number().ok_or_else(|| wrong_type(args, at, &["number"]))
}

pub(crate) fn not_integer(at: usize) -> Fault {
    Fault::Type(format!(
        "operand {} must be integer number but got floating-point number",
        at + 1
    ))
}

pub(crate) fn int(args: &[Value], at: usize) -> Result<i64, Fault> {
    number(args, at)?.as_i64().ok_or_else(|| not_integer(at))
}

pub(crate) fn big_int(args: &[Value], at: usize) -> Result<BigInt, Fault> {
    number(args, at)?.to_bigint().ok_or_else(|| not_integer(at))
}

pub(crate) fn boolean(args: &[Value], at: usize) -> Result<bool, Fault> {
    match &args[at] {
        Value::Bool(b) => Ok(*b),
        _ => Err(wrong_type(args, at, &["boolean"])),
    }
}

pub(crate) fn array(args: &[Value], at: usize) -> Result<&Arc<[Value]>, Fault> {
    match &args[at] {
        Value::Array(items) => Ok(items),
        _ => Err(wrong_type(args, at, &["array"])),
    }
}

pub(crate) fn object(args: &[Value], at: usize) -> Result<&Arc<Object>, Fault> {
    match &args[at] {
        Value::Object(object) => Ok(object),
        _ => Err(wrong_type(args, at, &["object"])),
    }
}

pub(crate) fn set(args: &[Value], at: usize) -> Result<&Arc<Set>, Fault> {
    match &args[at] {
        Value::Set(set) => Ok(set),
        _ => Err(wrong_type(args, at, &["set"])),
    }
}

/// The items of an array or a set; `expected` names what else would have done.
pub(crate) fn items<'a>(args: &'a [Value], at: usize, expected: &[&str]) -> Result<&'a [Value], Fault> {
    match &args[at] {
        Value::Array(items) => Ok(items),
        Value::Set(set) => Ok(set.as_slice()),
        _ => Err(wrong_type(args, at, expected)),
    }
}

/// The items of an array or a set, all of which are strings.
pub(crate) fn string_items<'a>(args: &'a [Value], at: usize, expected: &[&str]) -> Result<Vec<&'a str>, Fault> {
    items(args, at, expected)?
        .iter()
        .map(|item| item.as_str().ok_or_else(|| wrong_element(args, at, item, "string")))
        .collect()
}

pub(crate) fn ok(value: impl Into<Value>) -> Outcome {
    Ok(Some(value.into()))
}

pub(crate) fn failed<T>(message: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::Failed(message.into()))
}
