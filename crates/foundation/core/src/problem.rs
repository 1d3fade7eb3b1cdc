//! Failures that a user meets: a code, a sentence, a place, and what to do next.

use std::fmt;

use serde::Serialize;

/// Where in the user's files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The file as the user named it.
    pub file: String,
    /// Line, from 1; 0 when only the file is known.
    pub line: usize,
    /// Column in characters, from 1; 0 when only the line is known.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        if self.column > 0 {
            write!(f, ":{}", self.column)?;
        }
        Ok(())
    }
}

/// One failure, told so that a tired person can act on it.
///
/// ```
/// use flyball_core::{Place, Problem};
/// let problem = Problem::new("FB1002", "unknown field `replica` in Deployment/web")
///     .at(Place { file: "k8s/web.yaml".into(), line: 7, column: 3 })
///     .hint("did you mean `replicas`?");
/// assert_eq!(
///     problem.to_string(),
///     "k8s/web.yaml:7:3: unknown field `replica` in Deployment/web [FB1002]\n  hint: did you mean `replicas`?"
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// A stable code, `FB` and four digits; `docs/problems.md` has a section for each.
    pub code: &'static str,
    /// What went wrong, without a full stop.
    pub sentence: String,
    /// Where, if it has a place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// What to do next.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub hint: String,
}

impl Problem {
    /// A problem without a place or a hint yet.
    pub fn new(code: &'static str, sentence: impl Into<String>) -> Self {
        Self {
            code,
            sentence: sentence.into(),
            place: None,
            hint: String::new(),
        }
    }

    /// Adds the place.
    pub fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// Adds what to do next.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        write!(f, "{} [{}]", self.sentence, self.code)?;
        if !self.hint.is_empty() {
            write!(f, "\n  hint: {}", self.hint)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problem {}
