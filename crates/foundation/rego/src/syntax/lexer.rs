//! Text to tokens.

use std::sync::Arc;

use super::ast::Span;
use crate::error::{Code, Error, Location};

/// How deep template strings may nest in each other.
const TEMPLATE_DEPTH_MAX: usize = 16;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// A name or a keyword: which of them it is depends on the dialect and on the place.
    Name(Arc<str>),
    Number(Arc<str>),
    String(Arc<str>),
    Template(Vec<Piece>),
    /// Brackets and operators.
    Symbol(&'static str),
    End,
}

/// A part of a template string.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Piece {
    Text(Arc<str>),
    Tokens(Vec<Token>),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) span: Span,
    /// White space or a comment stands before it.
    pub(super) spaced: bool,
    /// It is the first of its line.
    pub(super) fresh_line: bool,
}

pub(super) struct Lexed {
    pub(super) tokens: Vec<Token>,
    pub(super) comments: Vec<(Span, Arc<str>)>,
}

struct Lexer<'a> {
    file: &'a Arc<str>,
    text: &'a str,
    at: usize,
    row: u32,
    col: u32,
    comments: Vec<(Span, Arc<str>)>,
    template_depth: usize,
}

/// Longest first, so that `:=` is not `:` and `=`.
const SYMBOLS: [&str; 24] = [
    ":=", "==", "!=", "<=", ">=", "=", "<", ">", "+", "-", "*", "/", "%", "&", "|", ".", ",", ";", ":", "(", ")", "[",
    "]", "{",
];

pub(super) fn lex(file: &Arc<str>, text: &str) -> Result<Lexed, Error> {
    let mut lexer = Lexer {
        file,
        text,
        at: 0,
        row: 1,
        col: 1,
        comments: Vec::new(),
        template_depth: 0,
    };
    let tokens = lexer.tokens(Until::End)?;
    Ok(Lexed {
        tokens,
        comments: lexer.comments,
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    End,
    /// The `}` that closes a template's expression.
    Brace,
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn advance(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        if c == '\n' {
            self.row += 1;
            self.col = 1;
        } else {
            self.col += 1;
        }
        Some(c)
    }

    fn here(&self) -> Span {
        Span {
            start: self.at as u32,
            end: self.at as u32,
            row: self.row,
            col: self.col,
        }
    }

    fn error(&self, span: Span, message: impl Into<String>) -> Error {
        let location = Location {
            file: self.file.clone(),
            row: span.row,
            col: span.col,
        };
        Error::new(Code::Parse, message).at(location)
    }

    fn tokens(&mut self, until: Until) -> Result<Vec<Token>, Error> {
        let mut tokens: Vec<Token> = Vec::new();
        let mut braces = 0usize;
        loop {
            let before = (self.at, self.row);
            self.skip_blank();
            let spaced = self.at > before.0;
            let fresh_line = self.row > before.1 || tokens.is_empty();
            let start = self.here();
            let kind = match self.peek() {
                None if until == Until::Brace => {
                    return Err(self.error(start, "unterminated template expression: expected }"));
                }
                None => Kind::End,
                Some('}') if until == Until::Brace && braces == 0 => Kind::End,
                Some('}') => {
                    self.advance();
                    braces = braces.saturating_sub(1);
                    Kind::Symbol("}")
                }
                Some(c) => {
                    braces += usize::from(c == '{');
                    self.token(c, start)?
                }
            };
            let end = kind == Kind::End;
            tokens.push(Token {
                kind,
                span: Span {
                    end: self.at as u32,
                    ..start
                },
                spaced,
                fresh_line,
            });
            if end {
                return Ok(tokens);
            }
        }
    }

    fn skip_blank(&mut self) {
        while let Some(c) = self.peek() {
            if c == '#' {
                let start = self.here();
                let line = self.rest().split('\n').next().unwrap_or_default();
                let (bytes, text) = (line.len(), Arc::from(line[1..].trim_end_matches('\r')));
                self.col += line.chars().count() as u32;
                self.at += bytes;
                self.comments.push((
                    Span {
                        end: self.at as u32,
                        ..start
                    },
                    text,
                ));
            } else if c.is_whitespace() || c == '\u{feff}' {
                self.advance();
            } else {
                return;
            }
        }
    }

    fn token(&mut self, c: char, start: Span) -> Result<Kind, Error> {
        match c {
            '"' => Ok(Kind::String(self.quoted(start)?)),
            '`' => Ok(Kind::String(self.raw(start)?)),
            '$' => self.template(start),
            '0'..='9' => self.number(start),
            c if c.is_alphabetic() || c == '_' => Ok(Kind::Name(self.word())),
            _ => {
                let symbol = SYMBOLS.iter().find(|s| self.rest().starts_with(**s));
                let Some(symbol) = symbol else {
                    return Err(self.error(start, format!("illegal token: unexpected character {c:?}")));
                };
                self.at += symbol.len();
                self.col += symbol.len() as u32;
                Ok(Kind::Symbol(symbol))
            }
        }
    }

    fn word(&mut self) -> Arc<str> {
        let start = self.at;
        while self.peek().is_some_and(|c| c.is_alphanumeric() || c == '_') {
            self.advance();
        }
        self.text[start..self.at].into()
    }

    fn number(&mut self, start: Span) -> Result<Kind, Error> {
        let rest = self.rest().as_bytes();
        let digit = |i: usize| rest.get(i).is_some_and(u8::is_ascii_digit);
        let digits = |mut i: usize| {
            while digit(i) {
                i += 1;
            }
            i
        };
        let mut end = digits(0);
        let leading_zero = rest[0] == b'0' && end > 1;
        if rest.get(end) == Some(&b'.') && digit(end + 1) {
            end = digits(end + 1);
        }
        if matches!(rest.get(end), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(rest.get(end + 1), Some(b'+' | b'-')));
            if digit(end + 1 + sign) {
                end = digits(end + 1 + sign);
            }
        }
        let text: Arc<str> = self.rest()[..end].into();
        if leading_zero {
            let error = self.error(start, "expected number: leading zeros are not allowed");
            return Err(error.hint(format!("write {}", text.trim_start_matches('0'))));
        }
        self.at += end;
        self.col += end as u32;
        if self.peek().is_some_and(|c| c.is_alphanumeric() || c == '_') {
            return Err(self.error(start, "illegal number format"));
        }
        Ok(Kind::Number(text))
    }

    fn quoted(&mut self, start: Span) -> Result<Arc<str>, Error> {
        self.advance();
        let mut out = String::new();
        loop {
            match self.advance() {
                Some('"') => return Ok(out.into()),
                Some('\\') => {
                    let c = self.escape(start)?;
                    out.push(c);
                }
                None | Some('\n') => return Err(self.error(start, "non-terminated string")),
                Some(c) => out.push(c),
            }
        }
    }

    fn raw(&mut self, start: Span) -> Result<Arc<str>, Error> {
        self.advance();
        let from = self.at;
        loop {
            match self.advance() {
                Some('`') => return Ok(self.text[from..self.at - 1].into()),
                None => return Err(self.error(start, "non-terminated raw string")),
                Some(_) => {}
            }
        }
    }

    fn escape(&mut self, start: Span) -> Result<char, Error> {
        Ok(match self.advance() {
            Some('n') => '\n',
            Some('t') => '\t',
            Some('r') => '\r',
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some(c @ ('"' | '\\' | '/')) => c,
            Some('u') => {
                let high = self.hex4(start)?;
                let low = if (0xd800..0xdc00).contains(&high) && self.rest().starts_with("\\u") {
                    self.advance();
                    self.advance();
                    Some(self.hex4(start)?)
                } else {
                    None
                };
                let code = match low {
                    Some(low) if (0xdc00..0xe000).contains(&low) => 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00),
                    _ => high,
                };
                char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            _ => {
                let hint = "in quotes a backslash is written \\\\; a raw string, in backquotes, takes it as it is";
                return Err(self.error(start, "illegal escape sequence").hint(hint));
            }
        })
    }

    fn hex4(&mut self, start: Span) -> Result<u32, Error> {
        let code = self.rest().get(..4).and_then(|d| u32::from_str_radix(d, 16).ok());
        let code = code.ok_or_else(|| self.error(start, "illegal escape sequence"))?;
        self.at += 4;
        self.col += 4;
        Ok(code)
    }

    fn template(&mut self, start: Span) -> Result<Kind, Error> {
        self.advance();
        let quote = match self.peek() {
            Some(q @ ('"' | '`')) => q,
            _ => return Err(self.error(start, "illegal token: expected a string after $")),
        };
        if self.template_depth == TEMPLATE_DEPTH_MAX {
            return Err(self.error(start, "template strings are nested too deeply"));
        }
        self.template_depth += 1;
        self.advance();
        let mut pieces = Vec::new();
        let mut text = String::new();
        loop {
            match self.advance() {
                Some(c) if c == quote => break,
                Some('{') => {
                    if !text.is_empty() {
                        pieces.push(Piece::Text(std::mem::take(&mut text).into()));
                    }
                    pieces.push(Piece::Tokens(self.tokens(Until::Brace)?));
                    self.advance();
                }
                Some('\\') if matches!(self.peek(), Some('{' | '}')) => {
                    text.extend(self.advance());
                }
                Some('\\') if quote == '"' => text.push(self.escape(start)?),
                None => return Err(self.error(start, "non-terminated template string")),
                Some('\n') if quote == '"' => {
                    return Err(self.error(start, "non-terminated template string"));
                }
                Some(c) => text.push(c),
            }
        }
        if !text.is_empty() {
            pieces.push(Piece::Text(text.into()));
        }
        self.template_depth -= 1;
        Ok(Kind::Template(pieces))
    }
}
