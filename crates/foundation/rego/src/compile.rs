//! From syntax trees to the program.
//!
//! ```text
//! modules ── tree ──> names of rules, groups        (what exists)
//!         ── lower ──> goals: calls and references hoisted, names resolved   (what is meant)
//!         ── order ──> steps: each variable bound before it is used          (when)
//!         ── checks ─> recursion, conflicts, arities
//! ```

mod check;
mod lower;
mod order;
mod rules;
mod scope;
mod tree;

use std::collections::HashMap;
use std::sync::Arc;

use crate::error::{Code, Error, Errors};
use crate::plan::{Place, Program, Slot, Step};
use crate::syntax::ast::{Literal, Module, Span};

pub(crate) use tree::{Tree, data_path, package_path};

/// What the compiler is asked to do beyond the language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum Prints {
    /// `print` calls are left out.
    #[default]
    Erase,
    /// `print` calls reach the host.
    Keep,
}

/// A compiled query: its steps, and the slots of the variables that it asks for.
#[derive(Debug)]
pub(crate) struct Query {
    pub(crate) steps: Box<[Step]>,
    pub(crate) slots: u32,
    pub(crate) names: Vec<(Arc<str>, Slot)>,
    /// The slot of the value, if the query is one expression.
    pub(crate) value: Option<Slot>,
}

/// Compiles modules.
pub(crate) fn compile(modules: &[Module], prints: Prints) -> Result<(Program, Tree), Errors> {
    let tree = tree::build(modules)?;
    let program = rules::compile(modules, &tree, prints)?;
    check::recursion(&program)?;
    Ok((program, tree))
}

/// Compiles a query against compiled modules.
pub(crate) fn compile_query(body: &[Literal], tree: &Tree, prints: Prints) -> Result<Query, Errors> {
    let globals = HashMap::new();
    let mut lowerer = lower::Lowerer::new(tree, &globals, u32::MAX, prints);
    let (goals, names, value) = lowerer.query(body)?;
    let orderer = order::Orderer::new(&lowerer);
    let mut bound = order::Bound::default();
    let steps = orderer.block(goals, &mut bound)?;
    let unbound: Vec<_> = names.iter().filter(|(_, slot)| !bound.contains(slot)).collect();
    if let Some((name, _)) = unbound.first() {
        return Err(Error::new(Code::UnsafeVar, format!("var {name} is unsafe")).into());
    }
    Ok(Query {
        steps: steps.into(),
        slots: lowerer.slot_count(),
        names,
        value,
    })
}

fn place(file: u32, span: Span) -> Place {
    Place {
        file,
        row: span.row,
        col: span.col,
    }
}
