//! A rules file, compiled as a whole.

use std::sync::Arc;

use flyball_core::Problem;

use super::config::{Config, DiscoveryRule};
use super::resource_metrics::ResourceQueries;
use super::{ResourceMapper, Rule};

/// The code of a rule that is YAML and no rule.
pub const BAD_RULE: &str = "FB2003";

/// All rules of a file.
#[derive(Debug, Clone, Default)]
pub struct Compiled {
    /// Rules of metrics of objects.
    pub custom: Vec<Arc<Rule>>,
    /// Rules of metrics of no object.
    pub external: Vec<Arc<Rule>>,
    /// CPU and memory.
    pub resource: Option<Arc<ResourceQueries>>,
    /// The resources of the cluster.
    pub mapper: Arc<ResourceMapper>,
}

impl Compiled {
    /// Compiles every rule.
    ///
    /// # Errors
    /// One [`BAD_RULE`] for each rule that is wrong, not only the first.
    pub fn new(config: &Config, mapper: Arc<ResourceMapper>) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut compile = |list: &str, rules: &[DiscoveryRule]| -> Vec<Arc<Rule>> {
            let rules = rules
                .iter()
                .enumerate()
                .filter_map(|(index, rule)| match Rule::new(rule, &mapper) {
                    Ok(rule) => Some(Arc::new(rule)),
                    Err(error) => {
                        let sentence = format!("{list}[{index}] ({}): {error}", rule.series_query);
                        problems.push(
                            Problem::new(BAD_RULE, sentence).hint("flyball scale check shows what each rule finds"),
                        );
                        None
                    }
                });
            rules.collect()
        };
        let custom = compile("rules", &config.rules);
        let external = compile("externalRules", &config.external_rules);
        let resource = match config
            .resource_rules
            .as_ref()
            .map(|rules| ResourceQueries::new(rules, &mapper))
        {
            None => None,
            Some(Ok(queries)) => Some(Arc::new(queries)),
            Some(Err(error)) => {
                problems.push(Problem::new(BAD_RULE, format!("resourceRules.{error}")));
                None
            }
        };
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self {
            custom,
            external,
            resource,
            mapper,
        })
    }

    /// The distinct series queries, each asked once.
    pub fn series_queries(&self) -> Vec<&str> {
        let mut queries: Vec<&str> = self
            .custom
            .iter()
            .chain(&self.external)
            .map(|rule| rule.series_query.as_str())
            .collect();
        queries.sort_unstable();
        queries.dedup();
        queries
    }
}
