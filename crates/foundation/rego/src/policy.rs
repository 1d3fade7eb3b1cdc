//! What a caller holds: the compiler, the policy, an evaluation, a decision.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::compile::{self, Prints, Tree};
use crate::error::{Bound, Code, Error, Errors, Location};
use crate::eval::{BuiltinErrors, Context, Flow, Machine};
use crate::host::{Host, Limits, NoHost};
use crate::plan::{GroupKind, Program};
use crate::syntax::ast::Module;
use crate::syntax::{self, Version};
use crate::value::Value;

/// Collects modules and data.
#[derive(Debug, Default)]
pub struct Compiler {
    modules: Vec<Module>,
    data: Option<Value>,
    version: Version,
    prints: Prints,
}

impl Compiler {
    /// A compiler for the current dialect, without modules and data.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the dialect of the modules that are added after this.
    #[must_use]
    pub fn version(mut self, version: Version) -> Self {
        self.version = version;
        self
    }

    /// Lets `print` reach the host; otherwise its calls are left out.
    #[must_use]
    pub fn keep_prints(mut self) -> Self {
        self.prints = Prints::Keep;
        self
    }

    /// Adds a module under a name that places in messages carry.
    ///
    /// # Errors
    /// Where the text is not Rego.
    pub fn module(mut self, name: &str, text: &str) -> Result<Self, Errors> {
        self.modules.push(syntax::parse_module(name, text, self.version)?);
        Ok(self)
    }

    /// Sets the base document.
    #[must_use]
    pub fn data(mut self, data: Value) -> Self {
        self.data = Some(data);
        self
    }

    /// Compiles everything.
    ///
    /// # Errors
    /// All that is wrong with the modules.
    pub fn compile(self) -> Result<Policy, Errors> {
        let (program, tree) = compile::compile(&self.modules, self.prints)?;
        Ok(Policy {
            compiled: Arc::new(Compiled {
                program,
                tree,
                modules: self.modules,
                prints: self.prints,
            }),
            data: self.data.unwrap_or_else(Value::empty_object),
        })
    }
}

#[derive(Debug)]
struct Compiled {
    program: Program,
    tree: Tree,
    modules: Vec<Module>,
    prints: Prints,
}

/// Compiled modules and their data. Immutable; cloning shares everything.
#[derive(Clone, Debug)]
pub struct Policy {
    compiled: Arc<Compiled>,
    data: Value,
}

/// A compiled query.
#[derive(Clone, Debug)]
pub struct Query {
    compiled: Arc<compile::Query>,
    /// It belongs to this policy: slots and rule numbers mean nothing elsewhere.
    policy: Arc<Compiled>,
}

/// The variables of a query and their values.
pub type Bindings = BTreeMap<Arc<str>, Value>;

/// What defines a document or a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleKind {
    /// One value.
    Complete,
    /// A set or an object, member by member.
    Partial,
    /// A function of its arguments.
    Function,
}

/// A document or function that rules define.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleSummary {
    /// Where it is under `data`.
    pub path: Vec<Value>,
    /// What it is.
    pub kind: RuleKind,
    /// Where its first definition is.
    pub location: Location,
}

/// A test: a rule whose name starts with `test_`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestCase {
    /// Its package, such as `data.authz`.
    pub package: String,
    /// Its name; a later definition of the same name gets `#01`, `#02`, …
    pub name: String,
    /// Where it is.
    pub location: Location,
    module: usize,
    rule: usize,
}

impl Policy {
    /// The same rules over other data.
    #[must_use]
    pub fn with_data(&self, data: Value) -> Self {
        Self {
            compiled: Arc::clone(&self.compiled),
            data,
        }
    }

    /// The base document.
    pub fn data(&self) -> &Value {
        &self.data
    }

    /// The modules' syntax trees, in order.
    pub fn modules(&self) -> &[Module] {
        &self.compiled.modules
    }

    /// Compiles a query, such as `data.authz.allow = x`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn query(&self, text: &str) -> Result<Query, Errors> {
        let body = syntax::parse_body(text, Version::V1)?;
        let compiled = compile::compile_query(&body, &self.compiled.tree, self.compiled.prints)?;
        Ok(Query {
            compiled: Arc::new(compiled),
            policy: Arc::clone(&self.compiled),
        })
    }

    /// Starts an evaluation: without input, in a world without time and network.
    pub fn evaluation(&self) -> Evaluation<'_> {
        Evaluation {
            policy: self,
            input: None,
            host: &NoHost { now_ns: 0 },
            limits: Limits::default(),
            errors: BuiltinErrors::default(),
        }
    }

    /// All documents and functions that rules define.
    pub fn rules(&self) -> Vec<RuleSummary> {
        let program = &self.compiled.program;
        let summary = |group: &crate::plan::Group| RuleSummary {
            path: group.path.clone(),
            kind: match group.kind {
                GroupKind::Complete => RuleKind::Complete,
                GroupKind::Partial => RuleKind::Partial,
                GroupKind::Function => RuleKind::Function,
            },
            location: group
                .rules
                .first()
                .or(group.default.as_ref())
                .map(|rule| program.location(rule.place))
                .unwrap_or_default(),
        };
        program.groups.iter().map(summary).collect()
    }

    /// All tests, in order of their modules. A name that is defined again is a test of its own.
    pub fn tests(&self) -> Vec<TestCase> {
        let mut out = Vec::new();
        let mut seen: BTreeMap<(String, String), usize> = BTreeMap::new();
        for (m, module) in self.compiled.modules.iter().enumerate() {
            let package = compile::data_path(&compile::package_path(module));
            for (r, rule) in module.rules.iter().enumerate() {
                let name = rule.head.path[0].as_var().cloned().unwrap_or_default();
                if !name.starts_with("test_") || rule.default || rule.head.args.is_some() {
                    continue;
                }
                let count = seen.entry((package.clone(), name.to_string())).or_insert(0);
                let name = if *count == 0 {
                    name.to_string()
                } else {
                    format!("{name}#{count:02}")
                };
                *count += 1;
                let location = Location {
                    file: module.file.clone(),
                    row: rule.span.row,
                    col: rule.span.col,
                };
                out.push(TestCase {
                    package: package.clone(),
                    name,
                    location,
                    module: m,
                    rule: r,
                });
            }
        }
        out
    }
}

/// The answer to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The document's value.
    Value(Value),
    /// No rule says anything.
    Undefined,
    /// The evaluation failed.
    Error(Error),
}

impl Decision {
    /// The value, if there is one.
    pub fn value(&self) -> Option<&Value> {
        match self {
            Self::Value(value) => Some(value),
            _ => None,
        }
    }
}

impl From<Result<Option<Value>, Error>> for Decision {
    fn from(result: Result<Option<Value>, Error>) -> Self {
        match result {
            Ok(Some(value)) => Self::Value(value),
            Ok(None) => Self::Undefined,
            Err(error) => Self::Error(error),
        }
    }
}

/// One question to a policy.
#[derive(Clone)]
pub struct Evaluation<'a> {
    policy: &'a Policy,
    input: Option<Value>,
    host: &'a dyn Host,
    limits: Limits,
    errors: BuiltinErrors,
}

impl<'a> Evaluation<'a> {
    /// Sets `input`, which is undefined otherwise.
    #[must_use]
    pub fn input(mut self, input: Value) -> Self {
        self.input = Some(input);
        self
    }

    /// Sets the world.
    #[must_use]
    pub fn host(mut self, host: &'a dyn Host) -> Self {
        self.host = host;
        self
    }

    /// Sets the bounds.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Says what a failing built-in means.
    #[must_use]
    pub fn builtin_errors(mut self, errors: BuiltinErrors) -> Self {
        self.errors = errors;
        self
    }

    fn machine(&self) -> Machine<'_> {
        let compiled = &self.policy.compiled;
        let context = Context::new(self.input.clone(), self.policy.data.clone());
        Machine::new(
            &compiled.program,
            &compiled.modules,
            context,
            self.host,
            self.limits,
            self.errors,
        )
    }

    /// The document under a path such as `data.authz.allow`.
    pub fn document(&self, path: &str) -> Decision {
        match self.policy.query(path) {
            Ok(query) => self.first(&query),
            Err(errors) => {
                let error = errors.0.into_iter().next();
                Decision::Error(error.unwrap_or_else(|| Error::new(Code::EvalInternal, "no error")))
            }
        }
    }

    /// The document under a path of keys below `data`.
    pub fn document_at(&self, path: &[Value]) -> Decision {
        self.machine().document(path).into()
    }

    /// Whether each rule of this test holds: its value, were it the only one of its name.
    pub fn test(&self, test: &TestCase) -> Decision {
        self.machine().rule((test.module as u32, test.rule as u32)).into()
    }

    /// The value of a query that is one expression.
    fn first(&self, query: &Query) -> Decision {
        let mut found = None;
        let result = self.machine().query_value(&query.compiled, &mut |value| {
            found = Some(value);
            Flow::Stop
        });
        Decision::from(result.map(|()| found))
    }

    /// All answers to a query.
    ///
    /// # Errors
    /// The first failure of the evaluation; one of [`Code::EvalInternal`] if the query belongs to
    /// another policy.
    pub fn bindings(&self, query: &Query) -> Result<Vec<Bindings>, Error> {
        if !Arc::ptr_eq(&query.policy, &self.policy.compiled) {
            return Err(Error::new(
                Code::EvalInternal,
                "the query was compiled for another policy",
            ));
        }
        let mut out = Vec::new();
        let limit = self.limits.results;
        let compiled = &*query.compiled;
        self.machine().query(&compiled.steps, compiled.slots, &mut |machine| {
            if out.len() == limit {
                let message = format!("the query has more than {limit} results");
                return Err(Error {
                    bound: Some(Bound::Results),
                    ..Error::new(Code::EvalCancel, message)
                });
            }
            let values = compiled
                .names
                .iter()
                .map(|(name, slot)| (name.clone(), machine.slot(*slot).clone()));
            out.push(values.collect::<Bindings>());
            Ok(Flow::More)
        })?;
        Ok(out)
    }
}
