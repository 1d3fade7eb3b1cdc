//! From text to tokens.

use super::ParseError;
use crate::ast::{BinaryOp, Span};

/// A token and its place.
#[derive(Clone, Debug)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a str,
    pub(super) span: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    End,
    Comma,
    Colon,
    LeftParen,
    RightParen,
    LeftBrace,
    RightBrace,
    LeftBracket,
    RightBracket,
    At,
    /// `=`, only inside braces.
    Assign,
    /// `=~`
    MatchRegex,
    /// `!~`
    MatchNotRegex,
    Operator(BinaryOp),
    /// A word: an identifier or a keyword, by context.
    Word,
    Number,
    Duration,
    String,
}

/// Inside braces words are label names; inside brackets there are only durations.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Expression,
    Braces,
    Brackets,
}

/// Splits a text into tokens; the last one is [`Kind::End`].
pub(super) fn tokenize(text: &str, unquoted_utf8: bool) -> Result<Vec<Token<'_>>, ParseError> {
    let mut lexer = Lexer {
        text,
        at: 0,
        mode: Mode::Expression,
        unquoted_utf8,
    };
    let mut tokens = Vec::with_capacity(text.len() / 4 + 1);
    loop {
        lexer.skip_space_and_comments();
        let token = lexer.token()?;
        let end = token.kind == Kind::End;
        tokens.push(token);
        if end {
            return Ok(tokens);
        }
    }
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    mode: Mode,
    unquoted_utf8: bool,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn skip_space_and_comments(&mut self) {
        loop {
            let trimmed = self.rest().trim_start_matches([' ', '\t', '\n', '\r']);
            self.at = self.text.len() - trimmed.len();
            if !trimmed.starts_with('#') {
                return;
            }
            self.at += trimmed.find(['\n', '\r']).unwrap_or(trimmed.len());
        }
    }

    fn take(&mut self, kind: Kind, bytes: usize) -> Token<'a> {
        let span = Span {
            start: self.at,
            end: self.at + bytes,
        };
        self.at = span.end;
        Token {
            kind,
            text: &self.text[span.start..span.end],
            span,
        }
    }

    fn error<T>(&self, bytes: usize, message: impl Into<String>) -> Result<T, ParseError> {
        Err(ParseError::new(
            self.text,
            Span {
                start: self.at,
                end: self.at + bytes,
            },
            message,
        ))
    }

    fn token(&mut self) -> Result<Token<'a>, ParseError> {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else {
            return match self.mode {
                Mode::Braces => self.error(0, "unexpected end of input inside braces"),
                Mode::Brackets => self.error(0, "unclosed left bracket"),
                Mode::Expression => Ok(self.take(Kind::End, 0)),
            };
        };
        if first == '"' || first == '\'' || first == '`' {
            return self.string(first);
        }
        if self.is_word_start(first) || (first == ':' && self.mode == Mode::Expression) {
            return Ok(self.word());
        }
        let second = rest[first.len_utf8()..].chars().next();
        if self.mode != Mode::Braces && (first.is_ascii_digit() || first == '.' && second.is_some_and(is_digit)) {
            return self.number_or_duration();
        }
        if let Some((kind, bytes)) = punctuation(self.mode, first, second) {
            self.mode = match kind {
                Kind::LeftBrace => Mode::Braces,
                Kind::LeftBracket => Mode::Brackets,
                Kind::RightBrace | Kind::RightBracket => Mode::Expression,
                _ => self.mode,
            };
            return Ok(self.take(kind, bytes));
        }
        let place = match self.mode {
            Mode::Braces => " inside braces",
            Mode::Brackets => " in duration expression",
            Mode::Expression => "",
        };
        match (first, second) {
            ('!' | '=', Some(next)) => self.error(
                1 + next.len_utf8(),
                format!("unexpected character after '{first}'{place}: {next:?}"),
            ),
            _ => self.error(first.len_utf8(), format!("unexpected character{place}: {first:?}")),
        }
    }

    fn is_word_start(&self, c: char) -> bool {
        c.is_ascii_alphabetic() || c == '_' || (self.unquoted_utf8 && !c.is_ascii() && c.is_alphabetic())
    }

    fn word(&mut self) -> Token<'a> {
        let colons = self.mode == Mode::Expression;
        let dots = self.unquoted_utf8 && self.mode != Mode::Brackets;
        let inside =
            |c: char| self.is_word_start(c) || c.is_ascii_digit() || (c == ':' && colons) || (c == '.' && dots);
        let rest = self.rest();
        let bytes = rest.find(|c| !inside(c)).unwrap_or(rest.len());
        self.take(Kind::Word, bytes)
    }

    /// A quoted string with its quotes; escapes are checked when the string is unquoted.
    fn string(&mut self, quote: char) -> Result<Token<'a>, ParseError> {
        let mut escaped = false;
        for (at, c) in self.rest().char_indices().skip(1) {
            if escaped {
                escaped = false;
            } else if c == quote {
                return Ok(self.take(Kind::String, at + 1));
            } else if quote != '`' && c == '\n' {
                break;
            } else {
                escaped = c == '\\' && quote != '`';
            }
        }
        let kind = if quote == '`' { "raw" } else { "quoted" };
        self.error(self.rest().len(), format!("unterminated {kind} string"))
    }

    fn number_or_duration(&mut self) -> Result<Token<'a>, ParseError> {
        let rest = self.rest();
        let bytes = number_length(rest);
        let follows = |bytes: usize| {
            rest[bytes..]
                .chars()
                .next()
                .is_some_and(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        if bytes > 0 && !follows(bytes) {
            return Ok(self.take(Kind::Number, bytes));
        }
        let bytes = duration_length(rest);
        if bytes > 0 && !follows(bytes) {
            return Ok(self.take(Kind::Duration, bytes));
        }
        let bytes = rest
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '.')
            .unwrap_or(rest.len());
        self.error(bytes, format!("bad number or duration syntax: {:?}", &rest[..bytes]))
    }
}

fn is_digit(c: char) -> bool {
    c.is_ascii_digit()
}

fn punctuation(mode: Mode, first: char, second: Option<char>) -> Option<(Kind, usize)> {
    use BinaryOp::{
        Add, Div, Equal, Greater, GreaterEqual, Less, LessEqual, Mod, Mul, NotEqual, Pow, Sub, TrimLower, TrimUpper,
    };
    let operator = |op, bytes| Some((Kind::Operator(op), bytes));
    let single = |kind| Some((kind, 1));
    if mode == Mode::Braces {
        return match (first, second) {
            (',', _) => single(Kind::Comma),
            ('}', _) => single(Kind::RightBrace),
            ('=', Some('~')) => Some((Kind::MatchRegex, 2)),
            ('=', _) => single(Kind::Assign),
            ('!', Some('~')) => Some((Kind::MatchNotRegex, 2)),
            ('!', Some('=')) => operator(NotEqual, 2),
            _ => None,
        };
    }
    match (first, second) {
        (',', _) => single(Kind::Comma),
        ('(', _) => single(Kind::LeftParen),
        (')', _) => single(Kind::RightParen),
        ('+', _) => operator(Add, 1),
        ('-', _) => operator(Sub, 1),
        ('*', _) => operator(Mul, 1),
        ('/', _) => operator(Div, 1),
        ('%', _) => operator(Mod, 1),
        ('^', _) => operator(Pow, 1),
        (']', _) if mode == Mode::Brackets => single(Kind::RightBracket),
        (':', _) if mode == Mode::Brackets => single(Kind::Colon),
        _ if mode == Mode::Brackets => None,
        ('{', _) => single(Kind::LeftBrace),
        ('[', _) => single(Kind::LeftBracket),
        ('@', _) => single(Kind::At),
        ('=', Some('=')) => operator(Equal, 2),
        ('=', Some('~')) => None,
        ('=', _) => single(Kind::Assign),
        ('!', Some('=')) => operator(NotEqual, 2),
        ('<', Some('=')) => operator(LessEqual, 2),
        ('<', Some('/')) => operator(TrimUpper, 2),
        ('<', _) => operator(Less, 1),
        ('>', Some('=')) => operator(GreaterEqual, 2),
        ('>', Some('/')) => operator(TrimLower, 2),
        ('>', _) => operator(Greater, 1),
        _ => None,
    }
}

/// The length of the number at the start of a text, 0 if there is none.
fn number_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    if bytes.len() > 2 && bytes[0] == b'0' && matches!(bytes[1], b'x' | b'X') {
        let digits = bytes[2..]
            .iter()
            .take_while(|b| b.is_ascii_hexdigit() || **b == b'_')
            .count();
        return if digits == 0 { 0 } else { digits + 2 };
    }
    let digits = |from: usize| {
        bytes[from..]
            .iter()
            .take_while(|b| b.is_ascii_digit() || **b == b'_')
            .count()
    };
    let mut end = digits(0);
    if bytes.get(end) == Some(&b'.') {
        end += 1 + digits(end + 1);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let exponent = digits(end + 1 + sign);
        if exponent > 0 {
            end += 1 + sign + exponent;
        }
    }
    end
}

/// The length of the duration at the start of a text, 0 if there is none.
fn duration_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut end = 0;
    loop {
        let digits = bytes[end..].iter().take_while(|b| b.is_ascii_digit()).count();
        let unit = bytes[end + digits..]
            .iter()
            .take_while(|b| b.is_ascii_lowercase())
            .count();
        if digits == 0 || unit == 0 {
            return end;
        }
        end += digits + unit;
    }
}
