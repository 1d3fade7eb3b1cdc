//! Rules to plans, group by group.

use super::lower::Lowerer;
use super::order::{Bound, Orderer, term_slots};
use super::scope::term_names;
use super::tree::{Tree, ground_len};
use super::{Prints, place};
use crate::error::{Code, Errors};
use crate::index::Index;
use crate::plan::{Group, Outcome, Pattern, Program, Rule as Plan, Term};
use crate::syntax::ast::{Module, Rule};

pub(super) fn compile(modules: &[Module], tree: &Tree, prints: Prints) -> Result<Program, Errors> {
    let mut errors = Vec::new();
    let mut groups = Vec::new();
    for shape in &tree.groups {
        let mut rules = Vec::new();
        let mut default = None;
        for &(m, r) in &shape.rules {
            let rule = &modules[m as usize].rules[r as usize];
            match one(tree, m, r, rule, prints) {
                Ok(plan) if rule.default => default = Some(plan),
                Ok(plan) => rules.push(plan),
                Err(more) => errors.extend(more.0),
            }
        }
        let index = Index::build(&rules);
        let one_value = one_value(&rules);
        groups.push(Group {
            path: shape.path.clone(),
            kind: shape.kind,
            rules,
            default,
            one_value,
            index,
            set: shape.set,
        });
    }
    if !errors.is_empty() {
        errors.sort_by(|a, b| a.location.cmp(&b.location));
        return Err(Errors(errors));
    }
    let nodes = tree
        .nodes
        .iter()
        .map(|node| crate::plan::Node {
            children: node.children.clone(),
            group: node.group,
        })
        .collect();
    Ok(Program {
        groups,
        nodes,
        files: tree.files.clone(),
    })
}

/// Whether the rules, which have no else branches, can only have one value.
fn one_value(rules: &[Plan]) -> bool {
    let constant = |rule: &Plan| match &rule.result {
        Outcome::Value(Term::Const(value)) if rule.otherwise.is_none() => Some(value.clone()),
        _ => None,
    };
    let Some(first) = rules.first().and_then(constant) else {
        return false;
    };
    rules.iter().all(|rule| constant(rule).as_ref() == Some(&first))
}

fn one(tree: &Tree, m: u32, r: u32, rule: &Rule, prints: Prints) -> Result<Plan, Errors> {
    let globals = &tree.globals[m as usize];
    let mut lowerer = Lowerer::new(tree, globals, m, prints);
    let args = rule.head.args.as_deref().unwrap_or_default();
    let mut names = Vec::new();
    args.iter()
        .for_each(|arg| term_names(arg, &mut |name| names.push(name.clone())));
    let given: Vec<_> = args.iter().filter_map(|arg| arg.as_var().cloned()).collect();
    for name in names {
        if matches!(&*name, "input" | "data") && !given.contains(&name) {
            continue;
        }
        if matches!(&*name, "input" | "data") {
            let message = format!("args must not shadow {name} (use a different variable name)");
            return Err(lowerer.error(rule.head.span, Code::Compile, message).into());
        }
        if !lowerer.has_local(&name) {
            lowerer.declare(&name);
        }
    }
    let mut goals = Vec::new();
    let mut plain_args = Vec::new();
    for arg in args {
        plain_args.push(lowerer.plain(arg, &mut goals)?);
    }
    let mut heads: Vec<_> = rule.head.path[ground_len(rule)..].iter().collect();
    heads.extend(rule.head.member.as_ref().or(rule.head.value.as_ref()));
    let (more, mut heads) = lowerer.rule(&rule.body, &heads)?;
    goals.extend(more);

    let orderer = Orderer::new(&lowerer);
    let mut bound = Bound::default();
    let patterns: Vec<Pattern> = plain_args
        .iter()
        .map(|arg| orderer.pattern(arg, &mut bound).unwrap_or(Pattern::Any))
        .collect();
    let body = orderer.block(goals, &mut bound)?;
    let mut slots = Vec::new();
    heads.iter().for_each(|term| term_slots(term, &mut slots));
    orderer.check_bound(&slots, &bound, rule.head.span)?;

    let last = heads.pop().expect("a head has a value or a member");
    let result = if rule.head.member.is_some() {
        Outcome::Member(last)
    } else {
        Outcome::Value(last)
    };
    let otherwise = match &rule.otherwise {
        Some(next) => Some(Box::new(one(tree, m, r, next, prints)?)),
        None => None,
    };
    Ok(Plan {
        args: patterns.into(),
        body: body.into(),
        tail: heads.into(),
        result,
        slots: lowerer.slot_count(),
        otherwise,
        place: place(m, rule.span),
        id: (m, r),
    })
}
