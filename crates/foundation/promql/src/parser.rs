//! From text to syntax tree.
//!
//! ```text
//!  text ──lexer──> tokens ──expression, duration──> Expr ──check──> Expr whose types fit
//! ```
//!
//! A recursive descent with precedence climbing. The first syntax error ends parsing; type errors are all reported.

use std::fmt;

use crate::ast::{Expr, ExprKind, Span};
use crate::matcher::Matcher;

mod lexer;

mod cursor;

mod expression;

mod selector;

mod modifiers;

mod duration;

pub(crate) mod literals;

mod check;

pub(crate) use duration::DURATION_SECONDS_MAX;

/// How deep parentheses, calls and signs may be nested: parsing recurses as deep.
pub const NESTING_MAX: usize = 80;

/// How deep the tree may be, chains of operators included: evaluation recurses as deep.
pub const DEPTH_MAX: usize = 250;

/// The longest query text in bytes: no human or generator we know writes longer ones.
pub const QUERY_BYTES_MAX: usize = 1 << 20;

/// Which parts of the language are accepted. By default, those that are stable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ParserOptions {
    /// Functions and aggregations that are marked experimental.
    pub experimental_functions: bool,
    /// `fill`, `fill_left`, `fill_right` on binary operators.
    pub fill_modifiers: bool,
    /// Unicode letters and dots in names without quotes.
    pub unquoted_utf8_names: bool,
}

impl ParserOptions {
    /// Everything that is implemented.
    #[must_use]
    pub const fn all() -> Self {
        ParserOptions {
            experimental_functions: true,
            fill_modifiers: true,
            unquoted_utf8_names: false,
        }
    }
}

/// What is wrong with a query, where, and what may help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// The place in the query text.
    pub span: Span,
    /// Line of the place, counted from 1.
    pub line: usize,
    /// Column of the place in bytes, counted from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What may help.
    pub hint: Option<String>,
}

impl ParseError {
    fn new(text: &str, span: Span, message: impl Into<String>) -> Self {
        let (line, column) = span.line_column(text);
        ParseError {
            span,
            line,
            column,
            message: message.into(),
            hint: None,
        }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: parse error: {}", self.line, self.column, self.message)?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, " (hint: {hint})"))
    }
}

impl std::error::Error for ParseError {}

/// All errors found in a query; at least one. Displays as the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseErrors(pub Vec<ParseError>);

impl fmt::Display for ParseErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.first() {
            Some(first) => first.fmt(f),
            None => f.write_str("parse error"),
        }
    }
}

impl std::error::Error for ParseErrors {}

impl From<ParseError> for ParseErrors {
    fn from(error: ParseError) -> Self {
        ParseErrors(vec![error])
    }
}

/// Parses and checks an expression.
///
/// # Errors
/// The text is not an expression of the accepted language, or the types of its parts do not fit.
pub fn parse(text: &str, options: &ParserOptions) -> Result<Expr, ParseErrors> {
    let mut expr = cursor::Parser::new(text, options)?.parse_all()?;
    let errors = check::check(text, &mut expr);
    if errors.is_empty() {
        Ok(expr)
    } else {
        Err(ParseErrors(errors))
    }
}

/// Parses a selector without time modifiers, such as `up{job="api"}`, into its conditions.
///
/// # Errors
/// The text is anything else.
pub fn parse_selector(text: &str, options: &ParserOptions) -> Result<Vec<Matcher>, ParseErrors> {
    let expr = parse(text, options)?;
    match expr.kind {
        ExprKind::Vector(selector) if selector.shift == Default::default() && selector.extension.is_none() => {
            Ok(selector.matchers)
        }
        _ => Err(ParseError::new(text, expr.span, "expected a series selector without modifiers").into()),
    }
}

#[cfg(test)]
mod tests;
