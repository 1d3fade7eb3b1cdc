//! The syntax tree.

use std::sync::Arc;

use super::Version;
use crate::value::{Number, Value};

/// A name. Names that start with `$` are made by the parser: each `_` is one of its own.
pub type Name = Arc<str>;

/// A stretch of text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// Byte after the last one.
    pub end: u32,
    /// Line of the first byte, from 1.
    pub row: u32,
    /// Column of the first byte in characters, from 1.
    pub col: u32,
}

/// One file.
#[derive(Clone, Debug)]
pub struct Module {
    /// The name it was given.
    pub file: Arc<str>,
    /// Its text.
    pub text: Arc<str>,
    /// Its dialect.
    pub version: Version,
    /// The path of its package, without `data`.
    pub package: Vec<Term>,
    /// Where the package clause is.
    pub package_span: Span,
    /// Imports, in order.
    pub imports: Vec<Import>,
    /// Rules, in order.
    pub rules: Vec<Rule>,
    /// Metadata blocks, in order.
    pub annotations: Vec<Annotation>,
    /// Comments, in order: the text after `#`.
    pub comments: Vec<(Span, Arc<str>)>,
}

/// `import path as alias`.
#[derive(Clone, Debug)]
pub struct Import {
    /// The path, whose first term is a variable: `data`, `input`, `rego` or `future`.
    pub path: Vec<Term>,
    /// The name that it goes by.
    pub alias: Option<Name>,
    /// Where.
    pub span: Span,
}

/// A `# METADATA` block.
#[derive(Clone, Debug)]
pub struct Annotation {
    /// `rule`, `document`, `package` or `subpackages`.
    pub scope: String,
    /// All fields, with `scope`.
    pub fields: Value,
    /// The block's place.
    pub span: Span,
    /// The line of what it is attached to.
    pub target_row: u32,
    /// The rule it is attached to; none for packages.
    pub target_rule: Option<usize>,
}

/// A rule, with its else branches.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Whether `default` stands before it.
    pub default: bool,
    /// What it defines.
    pub head: Head,
    /// Its conditions; empty means that it always holds.
    pub body: Vec<Literal>,
    /// What applies when the body does not hold.
    pub otherwise: Option<Box<Rule>>,
    /// Where.
    pub span: Span,
}

/// What a rule defines.
#[derive(Clone, Debug)]
pub struct Head {
    /// The name and what follows it: `p.q[x]`. The first term is a variable.
    pub path: Vec<Term>,
    /// Parameters, of a function.
    pub args: Option<Vec<Term>>,
    /// The member, of a partial set.
    pub member: Option<Term>,
    /// The value; `true` where none is written and none is meant otherwise.
    pub value: Option<Term>,
    /// Whether the value was written with `:=`.
    pub assign: bool,
    /// Whether the value is not in the text.
    pub value_implied: bool,
    /// Where.
    pub span: Span,
}

/// A statement of a body.
#[derive(Clone, Debug)]
pub struct Literal {
    /// What it says.
    pub kind: LiteralKind,
    /// Replacements in whose light it is evaluated.
    pub with: Vec<With>,
    /// Where.
    pub span: Span,
}

/// What a statement says.
#[derive(Clone, Debug)]
pub enum LiteralKind {
    /// An expression that must be defined and not false.
    Expr(Term),
    /// An expression that must be undefined or false.
    Not(Term),
    /// `some x, y`.
    Some(Vec<(Name, Span)>),
    /// `some k, v in collection`.
    SomeIn {
        /// The key, if any.
        key: Option<Term>,
        /// The value.
        value: Term,
        /// What is searched.
        collection: Term,
    },
    /// `every k, v in domain { body }`.
    Every {
        /// The key, if any.
        key: Option<Term>,
        /// The value.
        value: Term,
        /// What is walked.
        domain: Term,
        /// What must hold each time.
        body: Vec<Literal>,
    },
}

/// `with target as value`.
#[derive(Clone, Debug)]
pub struct With {
    /// What is replaced.
    pub target: Term,
    /// By what.
    pub value: Term,
}

/// An expression and its place.
#[derive(Clone, Debug)]
pub struct Term {
    /// What it is.
    pub kind: TermKind,
    /// Where.
    pub span: Span,
}

/// What an expression is.
#[derive(Clone, Debug)]
pub enum TermKind {
    /// `null`.
    Null,
    /// `true`, `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A string.
    String(Arc<str>),
    /// A name.
    Var(Name),
    /// A head and at least one step.
    Ref(Box<Term>, Vec<Term>),
    /// `[a, b]`.
    Array(Vec<Term>),
    /// `{k: v}`.
    Object(Vec<(Term, Term)>),
    /// `{a, b}`.
    Set(Vec<Term>),
    /// `[t | body]`.
    ArrayCompr(Box<Term>, Vec<Literal>),
    /// `{t | body}`.
    SetCompr(Box<Term>, Vec<Literal>),
    /// `{k: v | body}`.
    ObjectCompr(Box<Term>, Box<Term>, Vec<Literal>),
    /// `f(a, b)`; operators too, under their names: `plus`, `eq`, `assign`, …
    Call(Box<Term>, Vec<Term>),
    /// `$"text {term}"`.
    Template(Vec<TemplatePart>),
}

/// A part of a template string.
#[derive(Clone, Debug)]
pub enum TemplatePart {
    /// Text as is.
    Text(Arc<str>),
    /// An expression.
    Term(Term),
    /// An expression with replacements, as a comprehension of the set of its values.
    Scoped(Term),
}

impl Term {
    /// The name, if this is one.
    pub fn as_var(&self) -> Option<&Name> {
        match &self.kind {
            TermKind::Var(name) => Some(name),
            _ => None,
        }
    }

    /// The text, if this is a string.
    pub fn as_string(&self) -> Option<&Arc<str>> {
        match &self.kind {
            TermKind::String(text) => Some(text),
            _ => None,
        }
    }

    /// The name of a call's operator, dotted.
    pub fn dotted(&self) -> Option<String> {
        match &self.kind {
            TermKind::Var(name) => Some(name.to_string()),
            TermKind::Ref(head, path) => {
                let mut out = head.as_var()?.to_string();
                for step in path {
                    out.push('.');
                    out.push_str(step.as_string()?);
                }
                Some(out)
            }
            _ => None,
        }
    }

    /// The value, if this is a constant.
    pub fn constant(&self) -> Option<Value> {
        Some(match &self.kind {
            TermKind::Null => Value::Null,
            TermKind::Bool(b) => Value::Bool(*b),
            TermKind::Number(n) => n.clone().into(),
            TermKind::String(s) => Value::String(s.clone()),
            TermKind::Array(items) => Value::array(items.iter().map(Self::constant).collect::<Option<Vec<_>>>()?),
            TermKind::Set(items) => Value::set(items.iter().map(Self::constant).collect::<Option<Vec<_>>>()?),
            TermKind::Object(entries) => {
                let pair = |(k, v): &(Self, Self)| Some((k.constant()?, v.constant()?));
                Value::object(entries.iter().map(pair).collect::<Option<Vec<_>>>()?)
            }
            _ => return None,
        })
    }
}
