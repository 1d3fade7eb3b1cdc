//! Walking over tokens, and saying what is wrong with them.

use super::lexer::{Kind, Token, tokenize};
use super::{DEPTH_MAX, NESTING_MAX, ParseError, ParserOptions, QUERY_BYTES_MAX};
use crate::ast::Span;

type Result<T> = std::result::Result<T, ParseError>;

pub(super) struct Parser<'a> {
    pub(super) text: &'a str,
    pub(super) options: &'a ParserOptions,
    pub(super) tokens: Vec<Token<'a>>,
    pub(super) at: usize,
}

impl<'a> Parser<'a> {
    pub(super) fn new(text: &'a str, options: &'a ParserOptions) -> Result<Self> {
        if text.len() > QUERY_BYTES_MAX {
            return Err(ParseError::new(
                text,
                Span::default(),
                format!("query is longer than {QUERY_BYTES_MAX} bytes"),
            ));
        }
        let tokens = tokenize(text, options.unquoted_utf8_names)?;
        Ok(Parser {
            text,
            options,
            tokens,
            at: 0,
        })
    }

    pub(super) fn peek(&self) -> Kind {
        self.tokens[self.at].kind
    }

    pub(super) fn peek_second(&self) -> Kind {
        self.tokens.get(self.at + 1).map_or(Kind::End, |token| token.kind)
    }

    pub(super) fn token(&self) -> &Token<'a> {
        &self.tokens[self.at]
    }

    pub(super) fn span(&self) -> Span {
        self.token().span
    }

    /// The next token, which is consumed unless it is the end.
    pub(super) fn next(&mut self) -> Token<'a> {
        let token = self.tokens[self.at].clone();
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        token
    }

    pub(super) fn eat(&mut self, kind: Kind) -> bool {
        let found = self.peek() == kind;
        if found {
            self.next();
        }
        found
    }

    pub(super) fn expect(&mut self, kind: Kind, context: &str, expected: &str) -> Result<Token<'a>> {
        if self.peek() == kind {
            Ok(self.next())
        } else {
            Err(self.unexpected(context, expected))
        }
    }

    /// Whether the next token is a word with this lower-case spelling.
    pub(super) fn is_word(&self, word: &str) -> bool {
        self.peek() == Kind::Word && self.token().text.eq_ignore_ascii_case(word)
    }

    pub(super) fn eat_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        if found {
            self.next();
        }
        found
    }

    pub(super) fn previous_end(&self) -> usize {
        self.tokens[..self.at].last().map_or(0, |token| token.span.end)
    }

    pub(super) fn error(&self, span: Span, message: impl Into<String>) -> ParseError {
        ParseError::new(self.text, span, message)
    }

    pub(super) fn unexpected(&self, context: &str, expected: &str) -> ParseError {
        let token = self.token();
        let what = match token.kind {
            Kind::End => "end of input".to_owned(),
            Kind::Word => format!("identifier {:?}", token.text),
            Kind::Number => format!("number {:?}", token.text),
            Kind::Duration => format!("duration {:?}", token.text),
            Kind::String => format!("string {}", token.text),
            _ => format!("{:?}", token.text),
        };
        let context = if context.is_empty() {
            String::new()
        } else {
            format!(" in {context}")
        };
        let expected = if expected.is_empty() {
            String::new()
        } else {
            format!(", expected {expected}")
        };
        self.error(token.span, format!("unexpected {what}{context}{expected}"))
    }

    /// One more level of recursion.
    pub(super) fn nested(&self, level: usize) -> Result<usize> {
        self.one_more(level, NESTING_MAX)
    }

    /// One more level of the tree.
    pub(super) fn deeper(&self, depth: usize) -> Result<usize> {
        self.one_more(depth, DEPTH_MAX)
    }

    pub(super) fn one_more(&self, count: usize, max: usize) -> Result<usize> {
        if count < max {
            return Ok(count + 1);
        }
        let error = self.error(self.span(), format!("expression is nested deeper than {max} levels"));
        Err(error.hint("split it with recording rules, or use a regular expression instead of many alternatives"))
    }
}
