//! `info()`: adds the labels of info metrics, such as `target_info`, to series of the same job and instance.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::QueryError;
use super::column::{Column, Series, merge_equal_labels};
use super::evaluator::{Evaluator, Steps};
use super::selection::{Newest, Shift};
use crate::ast::{Expr, ExprKind, ValueType};
use crate::functions::Function;
use crate::labels::{Labels, METRIC_NAME, is_metric_schema};
use crate::matcher::{MatchOp, Matcher};
use crate::source::{SelectHints, SeriesData};

/// The info metric that is joined if none is named.
const TARGET_INFO: &str = "target_info";
/// The labels by which series and info series find each other.
const IDENTIFYING: [&str; 2] = ["instance", "job"];

impl Evaluator<'_> {
    pub(super) fn info(&mut self, args: &[Expr], steps: &Steps) -> Result<Vec<Series>, QueryError> {
        let base = self.vector(&args[0], steps)?;
        let filter: &[Matcher] = match args.get(1).map(|arg| &arg.unwrapped().kind) {
            Some(ExprKind::Vector(selector)) => &selector.matchers,
            _ => &[],
        };
        let (named, data): (Vec<&Matcher>, Vec<&Matcher>) =
            filter.iter().partition(|matcher| matcher.name == METRIC_NAME);
        let names = effective_names(&named)?;
        let is_info = |series: &Series| {
            let name = series.labels.metric_name();
            names.iter().all(|matcher| matcher.matches(name))
        };
        let ignored: Vec<bool> = base.iter().map(is_info).collect();
        let shift = self.shared_reference(&args[0])?.unwrap_or_default();
        let mut infos = Vec::new();
        for identifying in matcher_sets(&base, &ignored)? {
            let matchers: Vec<Matcher> = identifying
                .into_iter()
                .chain(data.iter().map(|m| (*m).clone()))
                .chain(names.iter().cloned())
                .collect();
            let hints = SelectHints {
                start_ms: shift
                    .apply(steps.start_ms)
                    .saturating_sub(self.options.lookback_ms)
                    .saturating_add(1),
                end_ms: shift.apply(steps.last_ms()),
                step_ms: steps.step_ms,
                function: "info".to_owned(),
                ..SelectHints::default()
            };
            infos.extend(self.read(&matchers, &hints)?);
        }
        let times = infos
            .iter()
            .map(|info| self.sample_times(info, shift, steps))
            .collect::<Result<Vec<_>, _>>()?;
        let index = InfoIndex::new(&infos);
        let mut result = Vec::new();
        for (series, ignored) in base.into_iter().zip(ignored) {
            if ignored {
                result.push(series);
                continue;
            }
            enrich(&series, &index, &infos, &times, &data, steps, &mut result)?;
        }
        let result = merge_equal_labels(result)?;
        self.budget
            .use_samples(result.iter().map(|series| series.column.size()).sum())?;
        Ok(result)
    }

    /// The time of the sample of an info series at every step.
    fn sample_times(&self, info: &SeriesData, shift: Shift, steps: &Steps) -> Result<Vec<Option<i64>>, QueryError> {
        let (mut times, mut histogram) = (vec![None; steps.count], false);
        self.each_step(info, shift, steps, |step, newest| match newest {
            Newest::Float(at) => times[step] = Some(info.floats[at].timestamp_ms),
            Newest::Histogram(_) => histogram = true,
        });
        if histogram {
            return Err(QueryError::execution(format_args!(
                "this should be an info metric, with float samples: {}",
                info.labels
            )));
        }
        Ok(times)
    }

    /// The `@` and `offset` that all selectors of an expression agree on; `None` if they do not, or if a part of the
    /// expression has no selector.
    fn shared_reference(&self, expr: &Expr) -> Result<Option<Shift>, QueryError> {
        let mut references = Vec::new();
        let complete = self.collect_references(expr, Shift::default(), &mut references)?;
        let same = |a: &Shift, b: &Shift| match (a.at_ms, b.at_ms) {
            (None, None) => a.offset_ms == b.offset_ms,
            (Some(x), Some(y)) => x - a.offset_ms == y - b.offset_ms,
            _ => false,
        };
        let first = references.first().copied();
        Ok(first.filter(|first| complete && references.iter().all(|other| same(first, other))))
    }

    /// Collects the references of all selectors; false if a vector comes without one.
    fn collect_references(&self, expr: &Expr, outer: Shift, found: &mut Vec<Shift>) -> Result<bool, QueryError> {
        if !matches!(expr.value_type(), ValueType::Vector | ValueType::Matrix) {
            return Ok(true);
        }
        let selector = match &expr.kind {
            ExprKind::Vector(selector) => Some(selector),
            ExprKind::Matrix(matrix) => Some(&matrix.selector),
            _ => None,
        };
        if let Some(selector) = selector {
            found.push(inside(self.shift(&selector.shift)?, outer));
            return Ok(true);
        }
        let outer = match &expr.kind {
            ExprKind::Subquery(subquery) => inside(self.shift(&subquery.shift)?, outer),
            _ => outer,
        };
        let before = found.len();
        let mut complete = true;
        let is_info = matches!(&expr.kind, ExprKind::Call(call) if call.function == Function::Info);
        for child in expr.children().take(if is_info { 1 } else { usize::MAX }) {
            complete &= self.collect_references(child, outer, found)?;
        }
        Ok(complete && found.len() > before)
    }
}

/// A shift within another: offsets add up until a fixed time makes what is further out irrelevant.
fn inside(inner: Shift, outer: Shift) -> Shift {
    match inner.at_ms {
        Some(_) => inner,
        None => Shift {
            at_ms: outer.at_ms,
            offset_ms: inner.offset_ms + outer.offset_ms,
        },
    }
}

/// The conditions on the names of info metrics; without a positive one, names have to end in `_info`.
fn effective_names(named: &[&Matcher]) -> Result<Vec<Matcher>, QueryError> {
    let positive = named
        .iter()
        .any(|matcher| matches!(matcher.op, MatchOp::Equal | MatchOp::Regex));
    let mut names: Vec<Matcher> = named.iter().map(|matcher| (*matcher).clone()).collect();
    if named.is_empty() {
        names.push(Matcher::equal(METRIC_NAME, TARGET_INFO));
    } else if !positive {
        names.push(Matcher::new(METRIC_NAME, MatchOp::Regex, ".+_info").map_err(QueryError::execution)?);
    }
    Ok(names)
}

/// One set of conditions for each combination of identifying labels that occurs.
fn matcher_sets(base: &[Series], ignored: &[bool]) -> Result<Vec<Vec<Matcher>>, QueryError> {
    let mut sets: BTreeMap<[bool; 2], [BTreeSet<&str>; 2]> = BTreeMap::new();
    for (series, _) in base.iter().zip(ignored).filter(|(_, ignored)| !**ignored) {
        let values = IDENTIFYING.map(|label| series.labels.value(label));
        let present = values.map(|value| !value.is_empty());
        if present.contains(&true) {
            let set = sets.entry(present).or_default();
            set.iter_mut().zip(values).for_each(|(set, value)| {
                set.insert(value);
            });
        }
    }
    let to_matcher = |(label, values): (&str, &BTreeSet<&str>)| {
        let alternatives: Vec<String> = values.iter().map(|value| regex::escape(value)).collect();
        Matcher::new(label, MatchOp::Regex, alternatives.join("|")).map_err(QueryError::execution)
    };
    sets.values()
        .map(|set| IDENTIFYING.into_iter().zip(set).map(to_matcher).collect())
        .collect()
}

/// Info series by what identifies them.
struct InfoIndex {
    by_identity: HashMap<Labels, BTreeMap<String, Vec<usize>>>,
}

fn identity(labels: &Labels) -> Labels {
    labels.only(|name| IDENTIFYING.contains(&name))
}

impl InfoIndex {
    fn new(infos: &[SeriesData]) -> Self {
        let mut by_identity: HashMap<Labels, BTreeMap<String, Vec<usize>>> = HashMap::new();
        for (at, info) in infos.iter().enumerate() {
            let names = by_identity.entry(identity(&info.labels)).or_default();
            names.entry(info.labels.metric_name().to_owned()).or_default().push(at);
        }
        InfoIndex { by_identity }
    }

    /// The newest info series of every name at a step.
    fn at_step(
        &self,
        labels: &Labels,
        step: usize,
        infos: &[SeriesData],
        times: &[Vec<Option<i64>>],
    ) -> Result<Vec<usize>, QueryError> {
        let mut chosen = Vec::new();
        let Some(names) = self.by_identity.get(&identity(labels)) else {
            return Ok(chosen);
        };
        for candidates in names.values() {
            let mut newest: Option<(i64, usize)> = None;
            for at in candidates {
                let Some(time) = times[*at][step] else { continue };
                match newest {
                    Some((before, other)) if before == time => {
                        return Err(QueryError::execution(format_args!(
                            "found duplicate series for info metric: existing {} @ {before}, new {} @ {time}",
                            infos[other].labels, infos[*at].labels
                        )));
                    }
                    Some((before, _)) if before > time => {}
                    _ => newest = Some((time, *at)),
                }
            }
            chosen.extend(newest.map(|(_, at)| at));
        }
        Ok(chosen)
    }
}

/// Adds the series with the labels of its info series; one output for each combination of these.
fn enrich(
    series: &Series,
    index: &InfoIndex,
    infos: &[SeriesData],
    times: &[Vec<Option<i64>>],
    data: &[&Matcher],
    steps: &Steps,
    result: &mut Vec<Series>,
) -> Result<(), QueryError> {
    let mut outputs: HashMap<Vec<usize>, usize> = HashMap::new();
    let optional = data.iter().all(|matcher| matcher.matches_empty());
    for step in 0..steps.count {
        let Some(cell) = series.column.get(step) else { continue };
        let chosen = index.at_step(&series.labels, step, infos, times)?;
        if chosen.is_empty() && !optional {
            continue;
        }
        let output = match outputs.get(&chosen) {
            Some(output) => *output,
            None => {
                let labels = combined(&series.labels, &chosen, infos, data)?;
                let column = Column::new(steps.count);
                result.push(Series {
                    labels,
                    drop_name: series.drop_name,
                    column,
                });
                outputs.insert(chosen, result.len() - 1);
                result.len() - 1
            }
        };
        result[output].column.set(step, cell.to_value());
    }
    Ok(())
}

/// The labels of a series and its info series. Labels that the series already has are not overwritten.
fn combined(base: &Labels, chosen: &[usize], infos: &[SeriesData], data: &[&Matcher]) -> Result<Labels, QueryError> {
    let mut added: BTreeMap<&str, &str> = BTreeMap::new();
    for (name, value) in chosen.iter().flat_map(|at| infos[*at].labels.iter()) {
        let wanted = data.is_empty() || data.iter().any(|matcher| matcher.name == name);
        if is_metric_schema(name) || !wanted {
            continue;
        }
        if added.get(name).is_some_and(|other| *other != value) {
            return Err(QueryError::execution(format_args!("conflicting label: {name}")));
        }
        if base.get(name).is_none() {
            added.insert(name, value);
        }
    }
    let mut builder = base.to_builder();
    for (name, value) in added {
        builder.set(name, value);
    }
    Ok(builder.build())
}
