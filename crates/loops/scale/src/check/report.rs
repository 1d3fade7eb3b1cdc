//! A report as text.

use std::fmt;

use super::{Report, RuleReport};

/// So many series or metrics are listed by name.
const NAMED_MAX: usize = 8;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.problems {
            writeln!(f, "error: {problem}")?;
        }
        for warning in &self.warnings {
            writeln!(f, "warning: {warning}")?;
        }
        for rule in &self.rules {
            write!(f, "{rule}")?;
        }
        let (errors, warnings) = (self.problems.len(), self.warnings.len());
        let silent = self.rules.iter().filter(|rule| rule.metrics.is_empty()).count();
        write!(f, "{errors} errors, {warnings} warnings")?;
        if !self.rules.is_empty() {
            write!(f, ", {} rules, {silent} of them without a metric", self.rules.len())?;
        }
        writeln!(f)
    }
}

impl fmt::Display for RuleReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} {}", self.rule, self.series_query)?;
        let listed = |names: &[String]| {
            let mut text = names.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join(", ");
            if names.len() > NAMED_MAX {
                text.push_str(&format!(" and {} more", names.len() - NAMED_MAX));
            }
            text
        };
        if !self.series.is_empty() {
            writeln!(f, "  series:  {}", listed(&self.series))?;
            writeln!(f, "  metrics: {}", listed(&self.metrics))?;
        }
        if let Some(query) = &self.query {
            writeln!(f, "  query:   {query}")?;
        }
        if let Some(samples) = self.samples {
            writeln!(f, "  samples: {samples}")?;
        }
        for remark in &self.remarks {
            writeln!(f, "  note:    {remark}")?;
        }
        Ok(())
    }
}
