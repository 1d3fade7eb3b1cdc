//! From text to items: literal text, and tokens inside of actions.

use super::{TemplateError, Value};

/// One item and where it starts, in characters from 1.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Item {
    pub(super) at: usize,
    pub(super) token: Token,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// Text between actions.
    Text(String),
    /// `<<`.
    Open,
    /// `>>`.
    Close,
    /// A word such as `if` or `printf`.
    Word(String),
    /// `.Name`, or `.` where the name is empty.
    Field(String),
    /// `$name`, `$` where the name is empty.
    Variable(String),
    /// A literal.
    Literal(Value),
    /// `|`, `(`, `)`, `,`, `:=`, `=`.
    Sign(&'static str),
    /// Blanks, which separate arguments from the fields of the one before.
    Space,
}

const OPEN: &str = "<<";
const CLOSE: &str = ">>";

pub(super) fn items(text: &str) -> Result<Vec<Item>, TemplateError> {
    let mut lexer = Lexer {
        text,
        at: 0,
        items: Vec::new(),
    };
    lexer.run()?;
    let at = lexer.place(text.len());
    lexer.items.push(Item {
        at,
        token: Token::Text(String::new()),
    });
    Ok(lexer.items)
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    items: Vec<Item>,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn place(&self, byte: usize) -> usize {
        self.text[..byte].chars().count() + 1
    }

    fn error(&self, message: impl Into<String>) -> TemplateError {
        TemplateError {
            message: message.into(),
            at: self.place(self.at),
        }
    }

    fn push(&mut self, length: usize, token: Token) {
        let at = self.place(self.at);
        self.items.push(Item { at, token });
        self.at += length;
    }

    fn run(&mut self) -> Result<(), TemplateError> {
        let mut trim_start = false;
        loop {
            let rest = self.rest();
            let open = rest.find(OPEN);
            let mut literal = &rest[..open.unwrap_or(rest.len())];
            let length = literal.len();
            if trim_start {
                literal = literal.trim_start();
            }
            let trims_end = open.is_some_and(|open| {
                let after = &rest[open + OPEN.len()..];
                after.starts_with('-') && after[1..].starts_with(char::is_whitespace)
            });
            if trims_end {
                literal = literal.trim_end();
            }
            if !literal.is_empty() {
                let token = Token::Text(literal.to_owned());
                self.push(0, token);
            }
            self.at += length;
            if open.is_none() {
                return Ok(());
            }
            trim_start = self.action(trims_end)?;
        }
    }

    /// One action; whether it trims the text behind it.
    fn action(&mut self, trims_end: bool) -> Result<bool, TemplateError> {
        let start = self.place(self.at);
        let marker = if trims_end { 1 } else { 0 };
        let after = &self.rest()[OPEN.len() + marker..];
        if after.trim_start().starts_with("/*") {
            return self.comment();
        }
        self.push(OPEN.len() + marker, Token::Open);
        loop {
            let rest = self.rest();
            if rest.is_empty() {
                let message = "this action is not closed: >> is missing".to_owned();
                return Err(TemplateError { message, at: start });
            }
            if rest.starts_with(CLOSE) {
                self.push(CLOSE.len(), Token::Close);
                return Ok(false);
            }
            let blanks = rest.len() - rest.trim_start().len();
            if blanks > 0 {
                self.push(blanks, Token::Space);
                if self.rest().starts_with("->>") {
                    self.at += 1;
                    self.push(CLOSE.len(), Token::Close);
                    return Ok(true);
                }
                continue;
            }
            self.token(rest)?;
        }
    }

    fn comment(&mut self) -> Result<bool, TemplateError> {
        let rest = self.rest();
        let Some(end) = rest.find("*/") else {
            return Err(self.error("this comment is not closed: */ is missing"));
        };
        let after = &rest[end + 2..];
        let blanks = after.len() - after.trim_start().len();
        let trims = blanks > 0 && after[blanks..].starts_with("->>");
        let close = blanks + usize::from(trims);
        if !after[close..].starts_with(CLOSE) || (blanks > 0 && !trims) {
            return Err(self.error("a comment ends its action: nothing but >> may follow */"));
        }
        self.at += end + 2 + close + CLOSE.len();
        Ok(trims)
    }

    fn token(&mut self, rest: &str) -> Result<(), TemplateError> {
        let word = |text: &str| {
            text.chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .map(char::len_utf8)
                .sum::<usize>()
        };
        for sign in [":=", "=", "|", "(", ")", ","] {
            if rest.starts_with(sign) {
                self.push(sign.len(), Token::Sign(sign));
                return Ok(());
            }
        }
        let first = rest.chars().next().unwrap_or(' ');
        match first {
            '"' => self.quoted(rest),
            '`' => match rest[1..].find('`') {
                Some(end) => {
                    let token = Token::Literal(Value::from(&rest[1..=end]));
                    self.push(end + 2, token);
                    Ok(())
                }
                None => Err(self.error("this raw text is not closed: ` is missing")),
            },
            '\'' => self.character(rest),
            '.' if !rest[1..].starts_with(|c: char| c.is_ascii_digit()) => {
                let length = word(&rest[1..]);
                let token = Token::Field(rest[1..=length].to_owned());
                self.push(1 + length, token);
                Ok(())
            }
            '$' => {
                let length = word(&rest[1..]);
                let token = Token::Variable(rest[1..=length].to_owned());
                self.push(1 + length, token);
                Ok(())
            }
            '0'..='9' | '+' | '-' | '.' => self.number(rest),
            c if c.is_alphabetic() || c == '_' => {
                let length = word(rest);
                let text = &rest[..length];
                let token = match text {
                    "true" => Token::Literal(Value::Bool(true)),
                    "false" => Token::Literal(Value::Bool(false)),
                    "nil" => Token::Literal(Value::Nothing),
                    _ => Token::Word(text.to_owned()),
                };
                self.push(length, token);
                Ok(())
            }
            other => Err(self.error(format!("unexpected {other:?} in an action"))),
        }
    }

    fn number(&mut self, rest: &str) -> Result<(), TemplateError> {
        let length = rest
            .char_indices()
            .find(|(at, c)| {
                !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_') || (*at == 0 && matches!(c, '+' | '-')))
            })
            .map_or(rest.len(), |(at, _)| at);
        let text = &rest[..length];
        let value = match (text.parse::<i64>(), text.parse::<f64>()) {
            (Ok(integer), _) => Value::Integer(integer),
            (_, Ok(float)) => Value::Float(float),
            _ => return Err(self.error(format!("{text:?} is no number"))),
        };
        self.push(length, Token::Literal(value));
        Ok(())
    }

    fn quoted(&mut self, rest: &str) -> Result<(), TemplateError> {
        match unescaped(&rest[1..], '"') {
            Some((text, length)) => {
                self.push(length + 2, Token::Literal(Value::Text(text)));
                Ok(())
            }
            None => Err(self.error("this text is not closed, or has an unknown escape")),
        }
    }

    fn character(&mut self, rest: &str) -> Result<(), TemplateError> {
        match unescaped(&rest[1..], '\'') {
            Some((text, length)) if text.chars().count() == 1 => {
                let code = text.chars().next().map_or(0, u32::from);
                self.push(length + 2, Token::Literal(Value::Integer(i64::from(code))));
                Ok(())
            }
            _ => Err(self.error("this is no single character")),
        }
    }
}

/// The text up to `end` without Go's escapes, and its length in bytes with them.
fn unescaped(text: &str, end: char) -> Option<(String, usize)> {
    let mut out = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            c if c == end => return Some((out, at)),
            '\n' => return None,
            '\\' => {
                let (_, escape) = chars.next()?;
                let mut code = |digits: usize| {
                    let hex: String = chars.by_ref().take(digits).map(|(_, c)| c).collect();
                    char::from_u32(u32::from_str_radix(&hex, 16).ok()?)
                };
                out.push(match escape {
                    'n' => '\n',
                    't' => '\t',
                    'r' => '\r',
                    'a' => '\x07',
                    'b' => '\x08',
                    'f' => '\x0c',
                    'v' => '\x0b',
                    '\\' | '"' | '\'' => escape,
                    'x' => code(2)?,
                    'u' => code(4)?,
                    'U' => code(8)?,
                    _ => return None,
                });
            }
            c => out.push(c),
        }
    }
    None
}
