//! Checks on the whole program.

use std::collections::BTreeSet;

use super::tree::data_path;
use crate::error::{Code, Error, Errors};
use crate::plan::{Callee, GroupId, Key, NodeId, Program, ROOT, Reference, Replacement, Root, Rule, Step, Term};

/// No rule may need itself.
pub(super) fn recursion(program: &Program) -> Result<(), Errors> {
    let edges: Vec<BTreeSet<GroupId>> = (0..program.groups.len()).map(|id| needs(program, id)).collect();
    let mut search = Search {
        edges: &edges,
        state: vec![State::New; edges.len()],
        cycles: Vec::new(),
    };
    for start in 0..edges.len() {
        search.visit(start as GroupId);
    }
    let mut errors: Vec<Error> = Vec::new();
    for cycle in search.cycles {
        let names: Vec<String> = cycle
            .iter()
            .map(|id| data_path(&program.groups[*id as usize].path))
            .collect();
        let group = &program.groups[cycle[0] as usize];
        let place = group
            .rules
            .first()
            .or(group.default.as_ref())
            .map(|rule| rule.place)
            .unwrap_or_default();
        let message = format!("rule {} is recursive: {}", names[0], names.join(" -> "));
        errors.push(Error::new(Code::Recursion, message).at(program.location(place)));
    }
    if errors.is_empty() { Ok(()) } else { Err(Errors(errors)) }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Open,
    Done,
}

struct Search<'a> {
    edges: &'a [BTreeSet<GroupId>],
    state: Vec<State>,
    cycles: Vec<Vec<GroupId>>,
}

impl Search<'_> {
    /// Depth first with a stack of its own, since a policy may chain thousands of rules.
    fn visit(&mut self, start: GroupId) {
        if self.state[start as usize] != State::New {
            return;
        }
        self.state[start as usize] = State::Open;
        let mut stack = vec![(start, self.edges[start as usize].iter())];
        while let Some((id, next)) = stack.last_mut() {
            let id = *id;
            let Some(&child) = next.next() else {
                self.state[id as usize] = State::Done;
                stack.pop();
                continue;
            };
            match self.state[child as usize] {
                State::New => {
                    self.state[child as usize] = State::Open;
                    stack.push((child, self.edges[child as usize].iter()));
                }
                State::Open => {
                    let path: Vec<GroupId> = stack.iter().map(|(id, _)| *id).collect();
                    let from = path.iter().position(|id| *id == child).unwrap_or(0);
                    let mut cycle = path[from..].to_vec();
                    cycle.push(child);
                    self.cycles.push(cycle);
                }
                State::Done => {}
            }
        }
    }
}

fn needs(program: &Program, id: usize) -> BTreeSet<GroupId> {
    let mut out = BTreeSet::new();
    let group = &program.groups[id];
    for rule in group.rules.iter().chain(&group.default) {
        rule_needs(program, rule, &mut out);
    }
    out
}

fn rule_needs(program: &Program, rule: &Rule, out: &mut BTreeSet<GroupId>) {
    steps_need(program, &rule.body, out);
    if let Some(next) = &rule.otherwise {
        rule_needs(program, next, out);
    }
}

fn steps_need(program: &Program, steps: &[Step], out: &mut BTreeSet<GroupId>) {
    for step in steps {
        match step {
            Step::Lookup(reference, _) => reference_needs(program, reference, out),
            Step::Call(call) => {
                if let Callee::Rules(id) = call.callee {
                    out.insert(id);
                }
            }
            Step::Comprehension(parts, _) => steps_need(program, &parts.1, out),
            Step::Not(body) => steps_need(program, body, out),
            Step::Every(every) => steps_need(program, &every.body, out),
            Step::With(replacements, _) => {
                for replacement in replacements {
                    if let Replacement::FunctionByFunction(_, Callee::Rules(id)) = replacement {
                        out.insert(*id);
                    }
                }
            }
            Step::Match(..) | Step::Holds(_) | Step::EndWith => {}
        }
    }
}

fn reference_needs(program: &Program, reference: &Reference, out: &mut BTreeSet<GroupId>) {
    if !matches!(reference.root, Root::Data) {
        return;
    }
    let mut nodes = vec![ROOT];
    for key in &reference.path {
        let mut next: Vec<NodeId> = Vec::new();
        for id in nodes {
            let node = &program.nodes[id as usize];
            out.extend(node.group);
            match key {
                Key::Get(Term::Const(value)) => next.extend(node.children.get(value)),
                _ => next.extend(node.children.values()),
            }
        }
        nodes = next;
    }
    // The reference takes everything below its end.
    while let Some(id) = nodes.pop() {
        let node = &program.nodes[id as usize];
        out.extend(node.group);
        nodes.extend(node.children.values());
    }
}
