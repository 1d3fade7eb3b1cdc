//! Which variables a body brings into being.

use crate::syntax::ast::{Literal, LiteralKind, Name, TemplatePart, Term, TermKind};

/// Calls `visit` with each variable that stands directly in a body: those within comprehensions
/// and the bodies of `every` are theirs, unless they stand here as well.
pub(super) fn body_names(body: &[Literal], visit: &mut dyn FnMut(&Name)) {
    for literal in body {
        match &literal.kind {
            LiteralKind::Expr(term) | LiteralKind::Not(term) => term_names(term, visit),
            LiteralKind::Some(_) => {}
            LiteralKind::SomeIn { collection, .. } => term_names(collection, visit),
            LiteralKind::Every { domain, .. } => term_names(domain, visit),
        }
        for with in &literal.with {
            // A plain name of a function replaces by that function.
            if with
                .value
                .as_var()
                .is_none_or(|name| crate::builtins::find(name).is_none())
            {
                term_names(&with.value, visit);
            }
        }
    }
}

pub(super) fn term_names(term: &Term, visit: &mut dyn FnMut(&Name)) {
    match &term.kind {
        TermKind::Var(name) => visit(name),
        TermKind::Ref(head, path) => {
            term_names(head, visit);
            path.iter().for_each(|step| term_names(step, visit));
        }
        TermKind::Array(items) | TermKind::Set(items) => {
            items.iter().for_each(|item| term_names(item, visit));
        }
        TermKind::Object(entries) => {
            for (key, value) in entries {
                term_names(key, visit);
                term_names(value, visit);
            }
        }
        TermKind::Call(operator, args) => {
            // A plain name before the parenthesis is a function's; a reference may hold variables.
            if let TermKind::Ref(_, path) = &operator.kind {
                path.iter().for_each(|step| term_names(step, visit));
            }
            args.iter().for_each(|arg| term_names(arg, visit));
        }
        TermKind::Template(parts) => {
            for part in parts {
                if let TemplatePart::Term(term) = part {
                    term_names(term, visit);
                }
            }
        }
        TermKind::Null
        | TermKind::Bool(_)
        | TermKind::Number(_)
        | TermKind::String(_)
        | TermKind::ArrayCompr(..)
        | TermKind::SetCompr(..)
        | TermKind::ObjectCompr(..) => {}
    }
}
