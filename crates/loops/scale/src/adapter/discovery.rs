//! Which series there are: one round of asking, and what is kept when a question fails.
//!
//! A rule whose question fails keeps what its last good answer found; the others go on. So one bad rule, or a series that
//! vanished, costs nobody else's metrics.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use flyball_core::Timestamp;
use futures::StreamExt;
use serde::Serialize;

use super::compiled::Compiled;
use super::source::MetricsQuery;
use super::{CustomRegistry, ExternalRegistry, Rule, SeriesShape};

/// Questions that are asked at once: enough to hide the network, few enough not to be what overloads Prometheus.
const QUESTIONS_AT_ONCE: usize = 4;

/// What is known of one series query.
#[derive(Debug, Clone, Default, Serialize)]
pub struct QueryStatus {
    /// How many shapes its last good answer had.
    pub shapes: usize,
    /// When that was.
    pub answered_at: Option<Timestamp>,
    /// Why the last question failed, if it did.
    pub error: Option<String>,
}

/// Everything that discovery found, and what is offered because of it.
#[derive(Debug, Clone, Default)]
pub struct Offered {
    /// The rules that this rests on.
    pub rules: Arc<Compiled>,
    /// The metrics of objects.
    pub custom: CustomRegistry,
    /// The metrics of no object.
    pub external: ExternalRegistry,
    /// By series query.
    pub queries: BTreeMap<String, QueryStatus>,
    /// Whether a round was ever complete.
    pub ready: bool,
    shapes: BTreeMap<String, Arc<BTreeSet<SeriesShape>>>,
}

impl Offered {
    /// Asks every series query once, and names what was found. `before` has what earlier rounds found.
    pub async fn discover(
        rules: Arc<Compiled>,
        source: &dyn MetricsQuery,
        before: &Self,
        start: Timestamp,
        now: Timestamp,
    ) -> Self {
        let asked = rules.series_queries().into_iter().map(|query| async move {
            let answer = source.series(query, start).await;
            (query.to_owned(), answer)
        });
        // Boxed, so that the compiler need not prove the closure's lifetimes for every caller.
        let asked: Vec<_> = asked.map(Box::pin).collect();
        let answers: Vec<_> = futures::stream::iter(asked)
            .buffer_unordered(QUESTIONS_AT_ONCE)
            .collect()
            .await;
        let mut queries = BTreeMap::new();
        let mut shapes = BTreeMap::new();
        for (query, answer) in answers {
            let mut status = before.queries.get(&query).cloned().unwrap_or_default();
            let found = match answer {
                Ok(found) => {
                    status = QueryStatus {
                        shapes: found.len(),
                        answered_at: Some(now),
                        error: None,
                    };
                    Some(Arc::new(found))
                }
                Err(error) => {
                    status.error = Some(error.to_string());
                    before.shapes.get(&query).cloned()
                }
            };
            queries.insert(query.clone(), status);
            if let Some(found) = found {
                shapes.insert(query, found);
            }
        }
        // Ready once every rule was answered, or had its chance while another one answered.
        let answered = queries.is_empty() || queries.values().any(|status| status.answered_at.is_some());
        Self::named(rules, shapes, queries, before.ready || answered)
    }

    /// Names what was found before by other rules; what these rules ask anew is found at the next round.
    pub fn renamed(&self, rules: Arc<Compiled>) -> Self {
        Self::named(rules, self.shapes.clone(), self.queries.clone(), self.ready)
    }

    fn named(
        rules: Arc<Compiled>,
        shapes: BTreeMap<String, Arc<BTreeSet<SeriesShape>>>,
        queries: BTreeMap<String, QueryStatus>,
        ready: bool,
    ) -> Self {
        let found = |rules: &[Arc<Rule>]| -> Vec<_> {
            let of = |rule: &Arc<Rule>| {
                let mut shapes = shapes.get(&rule.series_query).cloned().unwrap_or_default();
                if let Some(declared) = rule
                    .declared_shape()
                    .filter(|declared| !has_series(&shapes, &declared.name))
                {
                    Arc::make_mut(&mut shapes).insert(declared);
                }
                (rule.clone(), shapes)
            };
            rules.iter().map(of).collect()
        };
        Self {
            custom: CustomRegistry::new(&found(&rules.custom), rules.mapper.clone()),
            external: ExternalRegistry::new(&found(&rules.external), rules.mapper.clone()),
            rules,
            queries,
            ready,
            shapes,
        }
    }
}

fn has_series(shapes: &BTreeSet<SeriesShape>, name: &str) -> bool {
    shapes.iter().any(|shape| shape.name == name)
}
