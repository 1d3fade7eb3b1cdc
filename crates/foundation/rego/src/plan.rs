//! The compiled form: what the evaluator runs.
//!
//! Names are slots of a frame, bodies are lists of steps in an order in which every variable
//! has its value before it is needed, and references know their place in the tree of rules.
//! Whether a variable is bound at a step is known here, so the evaluator never undoes a
//! binding: going back to an earlier step simply writes the slot again.

use std::collections::BTreeMap;

use crate::builtins::Builtin;
use crate::error::Location;
use crate::value::Value;

pub(crate) type Slot = u32;
pub(crate) type GroupId = u32;
pub(crate) type NodeId = u32;

/// The root of the tree of rules: `data`.
pub(crate) const ROOT: NodeId = 0;

/// An expression without calls and references; all its slots are bound.
#[derive(Clone, Debug)]
pub(crate) enum Term {
    Const(Value),
    Slot(Slot),
    Array(Box<[Term]>),
    Object(Box<[(Term, Term)]>),
    Set(Box<[Term]>),
}

/// What a value is compared with or taken apart by.
#[derive(Clone, Debug)]
pub(crate) enum Pattern {
    Any,
    Bind(Slot),
    Equal(Term),
    Array(Box<[Pattern]>),
    /// The keys are bound, and there are no others.
    Object(Box<[(Term, Pattern)]>),
}

/// What a step does with the value it found.
#[derive(Clone, Debug)]
pub(crate) enum Goal {
    /// It must not be false.
    Holds,
    Match(Pattern),
}

#[derive(Clone, Debug)]
pub(crate) enum Root {
    Input,
    /// `data`, and how far down the tree of rules the first steps lead for certain.
    Data,
    Term(Term),
}

/// One step of a reference.
#[derive(Clone, Debug)]
pub(crate) enum Key {
    /// Look it up.
    Get(Term),
    /// Try each key.
    Each(Pattern),
}

#[derive(Clone, Debug)]
pub(crate) struct Reference {
    pub(crate) root: Root,
    pub(crate) path: Box<[Key]>,
    pub(crate) shortcut: Shortcut,
}

/// What is known of a `data` reference when it is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shortcut {
    /// Nothing: walk the tree of rules.
    None,
    /// No rule is on the way.
    Base,
    /// The first steps, this many, name the rules of a group.
    Group(GroupId, u32),
}

#[derive(Clone, Debug)]
pub(crate) enum Callee {
    Builtin(&'static Builtin),
    Rules(GroupId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum FunctionId {
    Builtin(&'static str),
    Rules(GroupId),
}

pub(crate) type Block = Box<[Step]>;

#[derive(Clone, Debug)]
pub(crate) enum ComprehensionKind {
    Array(Term),
    Set(Term),
    Object(Term, Term),
}

#[derive(Clone, Debug)]
pub(crate) enum Replacement {
    Input(Box<[Value]>, Term),
    /// A path of `data`; the node whose rules it hides, if there is one.
    Data(Box<[Value]>, Option<NodeId>, Term),
    FunctionByValue(FunctionId, Term),
    FunctionByFunction(FunctionId, Callee),
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Match(Term, Pattern),
    Holds(Term),
    Lookup(Box<Reference>, Goal),
    Call(Box<Call>),
    Comprehension(Box<(ComprehensionKind, Block, Pattern)>, Place),
    Not(Block),
    Every(Box<Every>),
    /// What follows sees the replacements, up to the matching end.
    With(Box<[Replacement]>, Place),
    EndWith,
}

#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) callee: Callee,
    pub(crate) args: Box<[Term]>,
    pub(crate) goal: Goal,
    pub(crate) place: Place,
}

#[derive(Clone, Debug)]
pub(crate) struct Every {
    pub(crate) domain: Term,
    pub(crate) key: Pattern,
    pub(crate) value: Pattern,
    pub(crate) body: Block,
}

/// A place in a module, small enough to be kept everywhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) file: u32,
    pub(crate) row: u32,
    pub(crate) col: u32,
}

/// A rule or an else branch.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) args: Box<[Pattern]>,
    pub(crate) body: Block,
    /// The steps below the group's path, of partial rules.
    pub(crate) tail: Box<[Term]>,
    pub(crate) result: Outcome,
    pub(crate) slots: u32,
    pub(crate) otherwise: Option<Box<Rule>>,
    pub(crate) place: Place,
    /// Number of the rule in its module, for metadata and coverage.
    pub(crate) id: (u32, u32),
}

#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    Value(Term),
    Member(Term),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GroupKind {
    Complete,
    Partial,
    Function,
}

/// All rules that define one document or function.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) path: Vec<Value>,
    pub(crate) kind: GroupKind,
    pub(crate) rules: Vec<Rule>,
    pub(crate) default: Option<Rule>,
    /// All rules have the same constant for a value, so that the first that holds decides.
    pub(crate) one_value: bool,
    pub(crate) index: crate::index::Index,
    /// All are sets, so that no rule's success still means an empty set.
    pub(crate) set: bool,
}

impl Group {
    /// How many levels of a document the heads of its rules make below its keys.
    pub(crate) fn levels(&self) -> usize {
        self.rules
            .iter()
            .map(|rule| rule.tail.len())
            .max()
            .unwrap_or(0)
            .saturating_sub(1)
    }
}

/// A node of the tree of rules.
#[derive(Debug, Default)]
pub(crate) struct Node {
    pub(crate) children: BTreeMap<Value, NodeId>,
    pub(crate) group: Option<GroupId>,
}

/// Everything compiled.
#[derive(Debug, Default)]
pub(crate) struct Program {
    pub(crate) groups: Vec<Group>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) files: Vec<std::sync::Arc<str>>,
}

impl Program {
    pub(crate) fn location(&self, place: Place) -> Location {
        let file = self.files.get(place.file as usize).cloned().unwrap_or_default();
        Location {
            file,
            row: place.row,
            col: place.col,
        }
    }
}
