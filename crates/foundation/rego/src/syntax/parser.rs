//! Tokens to trees: the frame of a module, and what all parts of the parser share.

use std::sync::Arc;

use super::Version;
use super::annotations;
use super::ast::{Import, Literal, Module, Name, Span, Term, TermKind};
use super::lexer::{Kind, Token, lex};
use crate::error::{Code, Error, Errors, Location};

/// How deep terms may nest: each level costs the parser and the compiler some stack.
const DEPTH_MAX: usize = 64;

/// How tall a term's tree may be. A chain of operators is no deeper to read than a single one,
/// but its tree leans to the left, and the compiler walks all of it.
const HEIGHT_MAX: usize = 200;

/// How often, per token, a term may be read again. Brackets are read first as a comprehension
/// and then as a list; nested ones could otherwise repeat that exponentially.
const READS_PER_TOKEN_MAX: usize = 16;

/// The longest text of one module or query in bytes; places are kept in 32 bits, and a policy
/// of that length is data in disguise.
const TEXT_LEN_MAX: usize = 64 << 20;

pub(super) type Result<T> = std::result::Result<T, Error>;

/// Keywords that older dialects must import.
pub(super) const FUTURE_KEYWORDS: [&str; 4] = ["in", "every", "if", "contains"];
const KEYWORDS: [&str; 11] = [
    "as", "default", "else", "false", "import", "not", "null", "package", "some", "true", "with",
];

pub(super) struct Parser<'a> {
    pub(super) file: &'a Arc<str>,
    pub(super) tokens: &'a [Token],
    pub(super) at: usize,
    pub(super) version: Version,
    /// Which future keywords are in force.
    pub(super) keywords: [bool; 4],
    pub(super) wildcards: usize,
    pub(super) depth: usize,
    pub(super) reads_left: usize,
    /// The height of the term that was read last, and of the tallest one beside it.
    pub(super) height: usize,
    pub(super) tallest: usize,
}

/// Parses a module.
pub(crate) fn parse_module(file: &str, text: &str, version: Version) -> std::result::Result<Module, Errors> {
    let file: Arc<str> = file.into();
    check_length(text)?;
    let lexed = lex(&file, text)?;
    let mut parser = Parser::new(&file, &lexed.tokens, version);
    let mut module = parser.module(text)?;
    module.comments = lexed.comments;
    module.annotations = annotations::attach(&module)?;
    Ok(module)
}

/// Parses a query: statements, of which there is at least one.
///
/// # Errors
/// Where the text is no query.
pub fn parse_body(text: &str, version: Version) -> std::result::Result<Vec<Literal>, Errors> {
    let file: Arc<str> = "".into();
    check_length(text)?;
    let lexed = lex(&file, text)?;
    let mut parser = Parser::new(&file, &lexed.tokens, version);
    parser.keywords = [true; 4];
    let body = parser.statements(None)?;
    if body.is_empty() {
        return Err(parser.error(Span::default(), "empty body").into());
    }
    Ok(body)
}

/// Parses a single term.
pub(crate) fn parse_term(text: &str) -> std::result::Result<Term, Errors> {
    let file: Arc<str> = "".into();
    check_length(text)?;
    let lexed = lex(&file, text)?;
    let mut parser = Parser::new(&file, &lexed.tokens, Version::V1);
    let term = parser.infix()?;
    if parser.peek().kind != Kind::End {
        return Err(parser.unexpected("end of the term").into());
    }
    Ok(term)
}

fn check_length(text: &str) -> Result<()> {
    if text.len() > TEXT_LEN_MAX {
        return Err(Error::new(
            Code::Parse,
            format!("text is longer than {TEXT_LEN_MAX} bytes"),
        ));
    }
    Ok(())
}

impl<'a> Parser<'a> {
    pub(super) fn new(file: &'a Arc<str>, tokens: &'a [Token], version: Version) -> Self {
        let keywords = [version == Version::V1; 4];
        let reads_left = tokens.len().saturating_mul(READS_PER_TOKEN_MAX).saturating_add(1000);
        Self {
            file,
            tokens,
            at: 0,
            version,
            keywords,
            wildcards: 0,
            depth: 0,
            reads_left,
            height: 0,
            tallest: 0,
        }
    }

    pub(super) fn peek(&self) -> &'a Token {
        &self.tokens[self.at.min(self.tokens.len() - 1)]
    }

    pub(super) fn peek_at(&self, ahead: usize) -> &'a Token {
        &self.tokens[(self.at + ahead).min(self.tokens.len() - 1)]
    }

    pub(super) fn bump(&mut self) -> &'a Token {
        let token = self.peek();
        self.at += 1;
        token
    }

    /// The end of the last token read.
    pub(super) fn last_end(&self) -> u32 {
        self.at
            .checked_sub(1)
            .and_then(|i| self.tokens.get(i))
            .map_or(0, |t| t.span.end)
    }

    pub(super) fn since(&self, start: Span) -> Span {
        Span {
            end: self.last_end().max(start.start),
            ..start
        }
    }

    pub(super) fn is_symbol(&self, symbol: &str) -> bool {
        matches!(&self.peek().kind, Kind::Symbol(s) if *s == symbol)
    }

    pub(super) fn eat(&mut self, symbol: &str) -> bool {
        let found = self.is_symbol(symbol);
        self.at += usize::from(found);
        found
    }

    pub(super) fn expect(&mut self, symbol: &'static str) -> Result<()> {
        if self.eat(symbol) {
            Ok(())
        } else {
            Err(self.unexpected(&format!("expected {symbol}")))
        }
    }

    fn in_force(&self, word: &str) -> bool {
        match FUTURE_KEYWORDS.iter().position(|k| *k == word) {
            Some(i) => self.keywords[i],
            None => KEYWORDS.contains(&word),
        }
    }

    /// Whether the next token is this keyword, and the keyword is in force.
    pub(super) fn is_keyword(&self, word: &str) -> bool {
        matches!(&self.peek().kind, Kind::Name(n) if **n == *word) && self.in_force(word) && !self.names_rule()
    }

    /// Whether a keyword stands here as a name, because a step follows it: `default.p`, `in[x]`.
    pub(super) fn names_rule(&self) -> bool {
        let next = self.peek_at(1);
        !next.spaced && matches!(next.kind, Kind::Symbol("." | "["))
    }

    pub(super) fn eat_keyword(&mut self, word: &str) -> bool {
        let found = self.is_keyword(word);
        self.at += usize::from(found);
        found
    }

    /// The next token as a name that is no keyword.
    pub(super) fn peek_name(&self) -> Option<&'a Name> {
        match &self.peek().kind {
            Kind::Name(name) if !self.in_force(name) => Some(name),
            _ => None,
        }
    }

    pub(super) fn error(&self, span: Span, message: impl Into<String>) -> Error {
        let location = Location {
            file: self.file.clone(),
            row: span.row,
            col: span.col,
        };
        Error::new(Code::Parse, message).at(location)
    }

    pub(super) fn unexpected(&self, expected: &str) -> Error {
        let token = self.peek();
        let found = match &token.kind {
            Kind::Name(name) if self.in_force(name) => format!("{name} keyword"),
            Kind::Name(_) => "identifier token".to_owned(),
            Kind::Number(_) => "number token".to_owned(),
            Kind::String(_) => "string token".to_owned(),
            Kind::Template(_) => "template string token".to_owned(),
            Kind::Symbol(symbol) => format!("{symbol} token"),
            Kind::End => "eof token".to_owned(),
        };
        let mut error = self.error(token.span, format!("unexpected {found}: {expected}"));
        if let Kind::Name(name) = &token.kind
            && FUTURE_KEYWORDS.contains(&&**name)
            && !self.in_force(name)
        {
            error.hint = Some(format!("`import future.keywords.{name}` makes {name} a keyword"));
        }
        error
    }

    /// Runs `read` one level deeper.
    pub(super) fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth == DEPTH_MAX {
            // No other reading can help, so none is tried.
            self.reads_left = 0;
            return Err(self.error(self.peek().span, "terms are nested too deeply"));
        }
        let Some(left) = self.reads_left.checked_sub(1) else {
            return Err(self.error(self.peek().span, "the text is too ambiguous to be read"));
        };
        self.reads_left = left;
        self.depth += 1;
        let beside = std::mem::take(&mut self.tallest);
        let result = read(self);
        self.depth -= 1;
        let height = self.tallest + 1;
        self.tallest = beside;
        self.grown(height)?;
        result
    }

    /// Notes the height of a term that has been read.
    pub(super) fn grown(&mut self, height: usize) -> Result<()> {
        if height > HEIGHT_MAX {
            let error = self.error(self.peek().span, "too many operators in one expression");
            return Err(error.hint("give parts of it names of their own"));
        }
        self.height = height;
        self.tallest = self.tallest.max(height);
        Ok(())
    }

    fn module(&mut self, text: &str) -> std::result::Result<Module, Errors> {
        let start = self.peek().span;
        if self.peek().kind == Kind::End {
            return Err(self.error(start, "empty module").into());
        }
        if !self.eat_keyword("package") {
            return Err(self.error(start, "package expected").into());
        }
        let package = self.path()?;
        if let Some(term) = package.iter().skip(1).find(|t| t.as_string().is_none()) {
            return Err(self.error(term.span, "package name must contain only strings").into());
        }
        let package_span = self.since(start);
        let mut module = Module {
            file: self.file.clone(),
            text: text.into(),
            version: self.version,
            package,
            package_span,
            imports: Vec::new(),
            rules: Vec::new(),
            annotations: Vec::new(),
            comments: Vec::new(),
        };
        self.separator()?;
        while self.peek().kind != Kind::End {
            if self.is_keyword("import") {
                let import = self.import()?;
                self.apply_import(&import)?;
                if import.path[0].as_var().is_some_and(|v| **v == *"rego") {
                    module.version = Version::V1;
                }
                module.imports.push(import);
            } else if self.is_keyword("package") {
                return Err(self.error(self.peek().span, "unexpected package").into());
            } else {
                self.rules(&mut module.rules)?;
            }
            self.separator()?;
        }
        Ok(module)
    }

    /// Between statements there is a line break or a semicolon.
    fn separator(&mut self) -> Result<()> {
        if self.eat(";") || self.peek().fresh_line || self.peek().kind == Kind::End {
            while self.eat(";") {}
            return Ok(());
        }
        Err(self.unexpected("expected a new line"))
    }

    /// A dotted path that starts with a name: of a package or an import.
    fn path(&mut self) -> Result<Vec<Term>> {
        let token = self.peek();
        let Kind::Name(name) = &token.kind else {
            return Err(self.unexpected("expected ident"));
        };
        if KEYWORDS.contains(&&**name) {
            return Err(self.unexpected("expected ident"));
        }
        self.bump();
        let head = Term {
            kind: TermKind::Var(name.clone()),
            span: token.span,
        };
        let head = self.reference(head)?;
        Ok(match head.kind {
            TermKind::Ref(first, mut path) => {
                path.insert(0, *first);
                path
            }
            _ => vec![head],
        })
    }

    fn import(&mut self) -> Result<Import> {
        let start = self.bump().span;
        let path = self.path()?;
        let root = path[0].as_var().cloned().unwrap_or_default();
        if !matches!(&*root, "data" | "input" | "future" | "rego") {
            let message =
                format!("unexpected import path, must begin with one of: {{data, future, input, rego}}, got: {root}");
            return Err(self.error(path[0].span, message));
        }
        if let Some(term) = path.iter().skip(1).find(|t| t.as_string().is_none()) {
            return Err(self.error(term.span, "unexpected import path: expecting strings"));
        }
        let mut alias = None;
        if self.eat_keyword("as") {
            let name = self.peek_name().ok_or_else(|| self.unexpected("expected var"))?;
            alias = Some(name.clone());
            self.bump();
        }
        Ok(Import {
            path,
            alias,
            span: self.since(start),
        })
    }

    fn apply_import(&mut self, import: &Import) -> Result<()> {
        let words: Vec<&str> = import
            .path
            .iter()
            .skip(1)
            .filter_map(|t| t.as_string())
            .map(|s| &**s)
            .collect();
        match (import.path[0].as_var().map(|v| &**v), &words[..]) {
            (Some("rego"), ["v1"]) => {
                self.version = Version::V1;
                self.keywords = [true; 4];
            }
            (Some("rego"), _) => {
                return Err(self.error(import.span, "invalid import, must be `rego.v1`"));
            }
            (Some("future"), ["keywords"]) => self.keywords = [true; 4],
            (Some("future"), ["keywords", word]) => {
                let Some(i) = FUTURE_KEYWORDS.iter().position(|k| k == word) else {
                    let message = format!("unexpected keyword, must be one of [contains every if in], got: {word}");
                    return Err(self.error(import.span, message));
                };
                if import.alias.is_some() {
                    return Err(self.error(import.span, "`future` imports cannot be aliased"));
                }
                self.keywords[i] = true;
                // `every` walks with `in`, and cannot do without it.
                self.keywords[0] |= *word == "every";
            }
            (Some("future"), _) => {
                return Err(self.error(import.span, "invalid import, must be `future.keywords`"));
            }
            _ => {}
        }
        Ok(())
    }
}
