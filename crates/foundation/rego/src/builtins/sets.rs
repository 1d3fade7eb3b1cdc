//! Sets of sets.

use super::{Builtin, Env, Outcome, ok, set, wrong_element, wrong_type};
use crate::value::{Set, Value};

pub(super) const TABLE: &[Builtin] = &[
    Builtin::new("union", 1, union),
    Builtin::new("intersection", 1, intersection),
    Builtin::new("set_diff", 2, |_, a| {
        let (left, right) = (set(a, 0)?, set(a, 1)?);
        ok(Value::set(left.iter().filter(|item| !right.contains(item)).cloned()))
    }),
];

fn union(_: &mut Env<'_>, args: &[Value]) -> Outcome {
    let mut all = Vec::new();
    for item in set(args, 0)?.iter() {
        all.extend(
            item.as_set()
                .ok_or_else(|| wrong_element(args, 0, item, "set"))?
                .iter()
                .cloned(),
        );
    }
    ok(Value::set(all))
}

fn intersection(_: &mut Env<'_>, args: &[Value]) -> Outcome {
    let mut common: Option<Set> = None;
    for item in set(args, 0)?.iter() {
        let item = item.as_set().ok_or_else(|| wrong_type(args, 0, &["set"]))?;
        common = Some(match common {
            None => item.clone(),
            Some(common) => common.iter().filter(|v| item.contains(v)).cloned().collect(),
        });
    }
    ok(common.unwrap_or_default())
}
