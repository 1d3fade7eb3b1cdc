//! Which rules of a group can hold, without trying them.
//!
//! A body is a conjunction, so a statement such as `input.kind == "Pod"` decides about the
//! whole rule. The index asks the one place that most rules compare with constants, keeps the
//! rules by those constants, and goes on in the same way within each. Equality, membership in a
//! constant collection and `startswith` count, on `input` and on a function's arguments. Rules
//! that say nothing about a place are always tried.
//!
//! ```text
//! input.path[0] ── "svc1" ──> input.user ── "u1" ──> [rule 1]
//!               ── "svc2" ──> …
//!               ── (no statement) ──> [rule 7]
//! ```

use std::collections::{BTreeSet, HashMap};

use crate::plan::{Callee, Goal, Key, Pattern, Root, Rule, Slot, Step, Term};
use crate::value::Value;

/// With fewer rules, trying them costs less than asking.
const RULES_MIN: usize = 3;
/// A place asked after this many others hardly tells more.
const DEPTH_MAX: usize = 6;

/// Where a rule looks.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Subject {
    Input(Vec<Value>),
    Argument(usize, Vec<Value>),
}

impl Subject {
    fn below(&self, steps: &[Value]) -> Self {
        let mut out = self.clone();
        match &mut out {
            Self::Input(path) | Self::Argument(_, path) => path.extend_from_slice(steps),
        }
        out
    }

    fn find<'v>(&self, input: Option<&'v Value>, args: &'v [Value]) -> Option<&'v Value> {
        let (root, path) = match self {
            Self::Input(path) => (input?, path),
            Self::Argument(at, path) => (args.get(*at)?, path),
        };
        path.iter().try_fold(root, |value, key| value.child(key))
    }
}

/// What has to be there.
#[derive(Clone, Debug)]
enum Test {
    OneOf(Vec<Value>),
    Prefix(Value),
}

/// An index over the rules of one group.
#[derive(Debug)]
pub(crate) struct Index(Node);

#[derive(Debug)]
enum Node {
    Rules(Vec<u32>),
    Ask(Box<Question>),
}

#[derive(Debug)]
struct Question {
    subject: Subject,
    exact: HashMap<Value, Node>,
    prefixes: HashMap<Value, Node>,
    prefix_lengths: BTreeSet<usize>,
    rest: Node,
}

impl Index {
    pub(crate) fn build(rules: &[Rule]) -> Self {
        let tests: Vec<HashMap<Subject, Test>> = rules.iter().map(tests_of).collect();
        Self(node((0..rules.len() as u32).collect(), &tests, &BTreeSet::new()))
    }

    /// Numbers of the rules that may hold, in order.
    pub(crate) fn candidates(&self, input: Option<&Value>, args: &[Value]) -> Vec<u32> {
        let mut out = Vec::new();
        collect(&self.0, input, args, &mut out);
        if !out.is_sorted() {
            out.sort_unstable();
        }
        out.dedup();
        out
    }

    /// Whether all rules have to be tried anyway.
    pub(crate) fn is_trivial(&self) -> bool {
        matches!(self.0, Node::Rules(_))
    }
}

fn collect(node: &Node, input: Option<&Value>, args: &[Value], out: &mut Vec<u32>) {
    let question = match node {
        Node::Rules(rules) => return out.extend_from_slice(rules),
        Node::Ask(question) => question,
    };
    if let Some(value) = question.subject.find(input, args) {
        if let Some(node) = question.exact.get(value) {
            collect(node, input, args, out);
        }
        if let Value::String(text) = value {
            for len in question.prefix_lengths.iter().take_while(|len| **len <= text.len()) {
                if let Some(node) = text
                    .get(..*len)
                    .and_then(|prefix| question.prefixes.get(&Value::from(prefix)))
                {
                    collect(node, input, args, out);
                }
            }
        }
    }
    collect(&question.rest, input, args, out);
}

fn node(rules: Vec<u32>, tests: &[HashMap<Subject, Test>], asked: &BTreeSet<Subject>) -> Node {
    if rules.len() < RULES_MIN || asked.len() == DEPTH_MAX {
        return Node::Rules(rules);
    }
    let mut counts: HashMap<&Subject, usize> = HashMap::new();
    for rule in &rules {
        for subject in tests[*rule as usize].keys().filter(|subject| !asked.contains(*subject)) {
            *counts.entry(subject).or_default() += 1;
        }
    }
    // Of subjects that as many rules ask for, the smallest: the same index every time.
    let best = counts
        .into_iter()
        .max_by(|(a, n), (b, m)| n.cmp(m).then_with(|| b.cmp(a)));
    let Some((subject, _)) = best.filter(|(_, count)| *count >= 2) else {
        return Node::Rules(rules);
    };
    let (mut exact, mut prefixes): (HashMap<Value, Vec<u32>>, HashMap<Value, Vec<u32>>) = Default::default();
    let mut rest = Vec::new();
    for rule in rules {
        match tests[rule as usize].get(subject) {
            Some(Test::OneOf(values)) => {
                for value in values {
                    exact.entry(value.clone()).or_default().push(rule);
                }
            }
            Some(Test::Prefix(prefix)) => prefixes.entry(prefix.clone()).or_default().push(rule),
            None => rest.push(rule),
        }
    }
    let mut asked = asked.clone();
    asked.insert(subject.clone());
    let within = |rules: HashMap<Value, Vec<u32>>| {
        rules
            .into_iter()
            .map(|(value, rules)| (value, node(rules, tests, &asked)))
            .collect::<HashMap<_, _>>()
    };
    let prefix_lengths = prefixes.keys().filter_map(Value::as_str).map(str::len).collect();
    Node::Ask(Box::new(Question {
        subject: subject.clone(),
        exact: within(exact),
        prefixes: within(prefixes),
        prefix_lengths,
        rest: node(rest, tests, &asked),
    }))
}

/// What each place must hold for the rule to hold.
fn tests_of(rule: &Rule) -> HashMap<Subject, Test> {
    let mut tests = HashMap::new();
    // An else branch applies where the body does not.
    if rule.otherwise.is_some() {
        return tests;
    }
    let mut slots: HashMap<Slot, Subject> = HashMap::new();
    for (at, pattern) in rule.args.iter().enumerate() {
        learn(Subject::Argument(at, Vec::new()), pattern, &mut slots, &mut tests);
    }
    for step in &rule.body {
        match step {
            Step::With(..) => break,
            Step::Lookup(reference, goal) => {
                let root = match &reference.root {
                    Root::Input => Some(Subject::Input(Vec::new())),
                    Root::Term(Term::Slot(slot)) => slots.get(slot).cloned(),
                    _ => None,
                };
                let path: Option<Vec<Value>> = reference
                    .path
                    .iter()
                    .map(|key| match key {
                        Key::Get(Term::Const(value)) => Some(value.clone()),
                        _ => None,
                    })
                    .collect();
                if let (Some(root), Some(path), Goal::Match(pattern)) = (root, path, goal) {
                    learn(root.below(&path), pattern, &mut slots, &mut tests);
                }
            }
            Step::Match(Term::Slot(slot), pattern) => {
                if let Some(subject) = slots.get(slot).cloned() {
                    learn(subject, pattern, &mut slots, &mut tests);
                }
            }
            Step::Call(call) if matches!(call.goal, Goal::Holds) => {
                if let (Callee::Builtin(builtin), [left, right]) = (&call.callee, &call.args[..]) {
                    learn_call(builtin.name, left, right, &slots, &mut tests);
                }
            }
            _ => {}
        }
    }
    tests
}

fn learn(subject: Subject, pattern: &Pattern, slots: &mut HashMap<Slot, Subject>, tests: &mut HashMap<Subject, Test>) {
    match pattern {
        Pattern::Bind(slot) => {
            slots.insert(*slot, subject);
        }
        Pattern::Equal(Term::Const(value)) => {
            tests.insert(subject, Test::OneOf(vec![value.clone()]));
        }
        _ => {}
    }
}

fn learn_call(
    name: &str,
    left: &Term,
    right: &Term,
    slots: &HashMap<Slot, Subject>,
    tests: &mut HashMap<Subject, Test>,
) {
    let (slot, value) = match (left, right) {
        (Term::Slot(slot), Term::Const(value)) => (slot, value),
        (Term::Const(value), Term::Slot(slot)) if name == "equal" => (slot, value),
        _ => return,
    };
    let Some(subject) = slots.get(slot) else { return };
    let test = match (name, value) {
        ("equal", value) => Test::OneOf(vec![value.clone()]),
        ("internal.member_2", Value::Array(items)) => {
            Test::OneOf(items.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect())
        }
        ("internal.member_2", Value::Set(set)) => Test::OneOf(set.as_slice().to_vec()),
        ("startswith", Value::String(_)) => Test::Prefix(value.clone()),
        _ => return,
    };
    // One test for each place; an exact one tells more than a prefix.
    match tests.get(subject) {
        Some(Test::OneOf(_)) => {}
        _ => {
            tests.insert(subject.clone(), test);
        }
    }
}
