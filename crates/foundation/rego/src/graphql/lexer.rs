//! GraphQL text to tokens.

use super::Problem;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    End,
    Symbol(&'static str),
    Name,
    Int,
    Float,
    String,
    Block,
}

#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) value: String,
    pub(super) row: usize,
    pub(super) col: usize,
}

impl Token {
    /// As messages name it.
    pub(super) fn shown(&self) -> String {
        let kind = match self.kind {
            Kind::End => "<EOF>",
            Kind::Symbol(symbol) => symbol,
            Kind::Name => "Name",
            Kind::Int => "Int",
            Kind::Float => "Float",
            Kind::String => "String",
            Kind::Block => "BlockString",
        };
        if self.value.is_empty() {
            kind.to_owned()
        } else {
            format!("{kind} {:?}", self.value)
        }
    }
}

const SYMBOLS: [&str; 14] = ["...", "!", "$", "&", "(", ")", ":", "=", "@", "[", "]", "{", "}", "|"];

struct Lexer<'a> {
    rest: &'a str,
    row: usize,
    col: usize,
}

pub(super) fn lex(text: &str) -> Result<Vec<Token>, Problem> {
    let mut lexer = Lexer {
        rest: text,
        row: 1,
        col: 1,
    };
    let mut out = Vec::new();
    loop {
        lexer.skip();
        let (row, col) = (lexer.row, lexer.col);
        let Some(c) = lexer.rest.chars().next() else {
            out.push(Token {
                kind: Kind::End,
                value: String::new(),
                row,
                col,
            });
            return Ok(out);
        };
        let token = |kind, value: String| Token { kind, value, row, col };
        if let Some(symbol) = SYMBOLS.iter().find(|symbol| lexer.rest.starts_with(**symbol)) {
            lexer.advance(symbol.len());
            out.push(token(Kind::Symbol(symbol), String::new()));
        } else if c.is_ascii_alphabetic() || c == '_' {
            let len = lexer
                .rest
                .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .unwrap_or(lexer.rest.len());
            let word = lexer.advance(len);
            out.push(token(Kind::Name, word));
        } else if c.is_ascii_digit() || c == '-' {
            let is_number = |c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E');
            let len = lexer.rest.find(|c| !is_number(c)).unwrap_or(lexer.rest.len());
            let number = lexer.advance(len);
            if crate::value::Number::parse(&number).is_none() {
                return Err(Problem {
                    message: format!("Invalid number, unexpected {number:?}"),
                    row,
                    col,
                });
            }
            let kind = if number.contains(['.', 'e', 'E']) {
                Kind::Float
            } else {
                Kind::Int
            };
            out.push(token(kind, number));
        } else if lexer.rest.starts_with("\"\"\"") {
            let value = lexer.block()?;
            out.push(token(Kind::Block, value));
        } else if c == '"' {
            let value = lexer.string()?;
            // Its place is that of its first character.
            out.push(Token {
                kind: Kind::String,
                value,
                row,
                col: col + 1,
            });
        } else {
            return Err(Problem {
                message: format!("Cannot parse the unexpected character {:?}.", c.to_string()),
                row,
                col,
            });
        }
    }
}

impl Lexer<'_> {
    fn advance(&mut self, len: usize) -> String {
        let (taken, rest) = self.rest.split_at(len);
        for c in taken.chars() {
            if c == '\n' {
                self.row += 1;
                self.col = 1;
            } else {
                self.col += 1;
            }
        }
        self.rest = rest;
        taken.to_owned()
    }

    fn skip(&mut self) {
        loop {
            let len = self
                .rest
                .find(|c: char| !c.is_whitespace() && c != ',' && c != '\u{feff}')
                .unwrap_or(self.rest.len());
            self.advance(len);
            if !self.rest.starts_with('#') {
                return;
            }
            let len = self.rest.find('\n').unwrap_or(self.rest.len());
            self.advance(len);
        }
    }

    fn string(&mut self) -> Result<String, Problem> {
        let (row, col) = (self.row, self.col);
        let fail = |message: &str| Problem {
            message: message.to_owned(),
            row,
            col,
        };
        self.advance(1);
        let mut out = String::new();
        loop {
            let c = self
                .rest
                .chars()
                .next()
                .filter(|c| *c != '\n')
                .ok_or_else(|| fail("Unterminated string."))?;
            self.advance(c.len_utf8());
            match c {
                '"' => return Ok(out),
                '\\' => {
                    let escape = self.rest.chars().next().ok_or_else(|| fail("Unterminated string."))?;
                    self.advance(escape.len_utf8());
                    out.push(match escape {
                        '"' | '/' | '\\' => escape,
                        'b' => '\u{8}',
                        'f' => '\u{c}',
                        'n' => '\n',
                        'r' => '\r',
                        't' => '\t',
                        'u' => {
                            let code = self.rest.get(..4).and_then(|hex| u32::from_str_radix(hex, 16).ok());
                            let code = code.ok_or_else(|| fail("Invalid character escape sequence"))?;
                            self.advance(4);
                            char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
                        }
                        _ => return Err(fail("Invalid character escape sequence")),
                    });
                }
                c => out.push(c),
            }
        }
    }

    fn block(&mut self) -> Result<String, Problem> {
        let (row, col) = (self.row, self.col);
        self.advance(3);
        let mut raw = String::new();
        loop {
            if self.rest.starts_with("\"\"\"") {
                self.advance(3);
                return Ok(dedent(&raw));
            }
            if self.rest.starts_with("\\\"\"\"") {
                self.advance(4);
                raw.push_str("\"\"\"");
                continue;
            }
            let Some(c) = self.rest.chars().next() else {
                return Err(Problem {
                    message: "Unterminated string.".to_owned(),
                    row,
                    col,
                });
            };
            self.advance(c.len_utf8());
            if c != '\r' {
                raw.push(c);
            }
        }
    }
}

/// A block's text without the indentation that its lines share, and without blank ends.
fn dedent(raw: &str) -> String {
    let lines: Vec<&str> = raw.split('\n').collect();
    let blank = |line: &str| line.chars().all(|c| matches!(c, ' ' | '\t'));
    let indent = |line: &str| line.len() - line.trim_start_matches([' ', '\t']).len();
    let common = lines
        .iter()
        .skip(1)
        .filter(|line| !blank(line))
        .map(|line| indent(line))
        .min()
        .unwrap_or(0);
    let lines: Vec<&str> = lines
        .iter()
        .enumerate()
        .map(|(i, line)| {
            if i == 0 {
                line
            } else {
                line.get(common.min(line.len())..).unwrap_or("")
            }
        })
        .collect();
    let first = lines.iter().position(|line| !blank(line)).unwrap_or(lines.len());
    let last = lines.iter().rposition(|line| !blank(line)).map_or(first, |i| i + 1);
    lines[first..last].join("\n")
}
