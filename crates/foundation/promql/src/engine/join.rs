//! Matching the series of two vectors.
//!
//! Series are grouped by the labels that are compared, once per query. The side that has one series per group is called
//! *one*, the other *many*.

use std::collections::HashMap;

use super::binary::{Element, changes_meaning};
use super::column::{Column, Series, duplicate_labels};
use super::{Dialect, QueryError};
use crate::ast::{BinaryExpr, BinaryOp, Cardinality, VectorMatching};
use crate::labels::{Labels, METRIC_NAME, Quoted, is_metric_schema};
use crate::sample::Value;

/// The labels by which series of two vectors are compared.
pub(super) fn match_labels(labels: &Labels, matching: &VectorMatching, dialect: Dialect) -> Labels {
    let listed = |name: &str| matching.labels.iter().any(|label| label == name);
    let ignored = |name: &str| match dialect {
        Dialect::Prometheus3_14 => name == METRIC_NAME,
        Dialect::Prometheus3_16 => is_metric_schema(name),
    };

    if matching.on {
        labels.only(listed)
    } else {
        labels.without(|name| listed(name) || ignored(name))
    }
}

/// Numbers of groups by the labels that are compared.
pub(super) struct GroupNumbers<'m> {
    matching: &'m VectorMatching,
    dialect: Dialect,
    numbers: HashMap<Labels, usize>,
}

impl<'m> GroupNumbers<'m> {
    pub(super) fn new(matching: &'m VectorMatching, dialect: Dialect) -> Self {
        GroupNumbers {
            matching,
            dialect,
            numbers: HashMap::new(),
        }
    }

    pub(super) fn of(&mut self, series: &[Series]) -> Vec<usize> {
        let number = |series: &Series| {
            let next = self.numbers.len();
            *self
                .numbers
                .entry(match_labels(&series.labels, self.matching, self.dialect))
                .or_insert(next)
        };
        series.iter().map(number).collect()
    }

    pub(super) fn count(&self) -> usize {
        self.numbers.len()
    }
}

/// What is known about each group at one step.
pub(super) struct Groups {
    pub(super) one: Vec<Option<usize>>,
    pub(super) matched: Vec<bool>,
    /// Outputs written in this step, by group, to find duplicates.
    written: Vec<Vec<usize>>,
}

impl Groups {
    pub(super) fn new(count: usize) -> Self {
        Groups {
            one: vec![None; count],
            matched: vec![false; count],
            written: vec![Vec::new(); count],
        }
    }

    pub(super) fn reset(&mut self) {
        self.one.fill(None);
        self.matched.fill(false);
        self.written.iter_mut().for_each(Vec::clear);
    }
}

/// A series of each side; a missing one is filled in.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Pair {
    pub(super) many: Option<usize>,
    pub(super) one: Option<usize>,
}

/// Two vectors and what has been joined so far.
pub(super) struct Join<'m> {
    matching: &'m VectorMatching,
    op: BinaryOp,
    return_bool: bool,
    dialect: Dialect,
    pub(super) many: Vec<Series>,
    pub(super) one: Vec<Series>,
    pub(super) many_groups: Vec<usize>,
    pub(super) one_groups: Vec<usize>,
    pub(super) groups: usize,
    steps: usize,
    pairs: HashMap<Pair, usize>,
    outputs: HashMap<Labels, usize>,
    result: Vec<Series>,
}

impl<'m> Join<'m> {
    pub(super) fn new(
        matching: &'m VectorMatching,
        many: Vec<Series>,
        one: Vec<Series>,
        binary: &BinaryExpr,
        steps: usize,
        dialect: Dialect,
    ) -> Self {
        let mut numbers = GroupNumbers::new(matching, dialect);
        let (many_groups, one_groups) = (numbers.of(&many), numbers.of(&one));
        Join {
            matching,
            op: binary.op,
            return_bool: binary.return_bool,
            dialect,
            many,
            one,
            many_groups,
            one_groups,
            groups: numbers.count(),
            steps,
            pairs: HashMap::new(),
            outputs: HashMap::new(),
            result: Vec::new(),
        }
    }

    /// Finds the series of the *one* side in each group; two at one step are an error.
    pub(super) fn find_ones(&self, step: usize, groups: &mut Groups) -> Result<(), QueryError> {
        for (at, series) in self.one.iter().enumerate() {
            if !series.column.has(step) {
                continue;
            }
            if let Some(before) = groups.one[self.one_groups[at]].replace(at) {
                return Err(self.many_to_many(&series.labels, &self.one[before].labels));
            }
        }
        Ok(())
    }

    fn many_to_many(&self, a: &Labels, b: &Labels) -> QueryError {
        let side = if self.matching.cardinality == Cardinality::OneToMany {
            "left"
        } else {
            "right"
        };
        let group = match_labels(a, self.matching, self.dialect);
        let (mut a, mut b) = (Braced(a).to_string(), Braced(b).to_string());
        if a > b {
            std::mem::swap(&mut a, &mut b);
        }
        QueryError::execution(format_args!(
            "found duplicate series for the match group {} on the {side} hand-side of the operation: [{a}, {b}]\
             ;many-to-many matching not allowed: matching labels must be unique on one side",
            Braced(&group),
        ))
    }

    pub(super) fn emit(
        &mut self,
        step: usize,
        group: usize,
        pair: Pair,
        element: Option<Element>,
        groups: &mut Groups,
    ) -> Result<(), QueryError> {
        let Some(element) = element else { return Ok(()) };
        let output = self.output(pair);
        let one_to_one = self.matching.cardinality == Cardinality::OneToOne;
        if one_to_one && groups.matched[group] {
            return Err(QueryError::execution(
                "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)",
            ));
        }
        if !one_to_one && groups.written[group].contains(&output) {
            return Err(QueryError::execution(
                "multiple matches for labels: grouping labels must ensure unique matches",
            ));
        }
        groups.matched[group] = true;
        if !one_to_one {
            groups.written[group].push(output);
        }
        let value = match self.return_bool {
            true => Value::Float(f64::from(element.keep)),
            false if element.keep => element.value,
            false => return Ok(()),
        };
        let column = &mut self.result[output].column;
        if column.has(step) {
            return Err(duplicate_labels());
        }
        column.set(step, value);
        Ok(())
    }

    /// The output series of a pair, made when the pair first occurs.
    fn output(&mut self, pair: Pair) -> usize {
        if let Some(output) = self.pairs.get(&pair) {
            return *output;
        }
        let labels = self.result_labels(pair);
        let next = self.result.len();
        let output = *self.outputs.entry(labels.clone()).or_insert(next);
        if output == next {
            let column = Column::new(self.steps);
            self.result.push(Series {
                labels,
                drop_name: self.return_bool,
                column,
            });
        }
        self.pairs.insert(pair, output);
        output
    }

    /// The labels of the *many* side; of one-to-one matches only those that were compared.
    fn result_labels(&self, pair: Pair) -> Labels {
        let filled = |series: &Series| match_labels(&series.labels, self.matching, self.dialect);
        let many = pair.many.map(|at| &self.many[at]);
        let one = pair.one.map(|at| &self.one[at]);
        let base = many
            .map(|series| series.labels.clone())
            .or_else(|| one.map(filled))
            .unwrap_or_default();
        let listed = |name: &str| self.matching.labels.iter().any(|label| label == name);
        let drop_schema = changes_meaning(self.op);
        let base = base.without(|name| {
            (drop_schema && is_metric_schema(name))
                || (self.matching.cardinality == Cardinality::OneToOne && self.matching.on != listed(name))
        });
        if self.matching.include.is_empty() {
            return base;
        }
        let source = one
            .map(|series| series.labels.clone())
            .or_else(|| many.map(filled))
            .unwrap_or_default();
        let mut builder = base.to_builder();
        for label in &self.matching.include {
            builder.set(label, source.value(label));
        }
        builder.build()
    }

    pub(super) fn finish(self) -> Vec<Series> {
        let mut result = self.result;
        result.retain(|series| !series.column.is_empty());
        result
    }
}

/// Labels as errors show them: the name as one label among the others.
struct Braced<'a>(&'a Labels);

impl std::fmt::Display for Braced<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("{")?;
        for (at, (name, value)) in self.0.iter().enumerate() {
            let separator = if at == 0 { "" } else { ", " };
            write!(f, "{separator}{name}={}", Quoted(value))?;
        }
        f.write_str("}")
    }
}
