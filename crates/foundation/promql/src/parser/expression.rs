//! Expressions.

use super::lexer::{Kind, Token, tokenize};
use super::{DEPTH_MAX, NESTING_MAX, ParseError, ParserOptions, QUERY_BYTES_MAX, literals};
use crate::ast::{
    AggregateExpr, AggregateOp, At, BinaryExpr, BinaryOp, Call, Cardinality, Duration, Expr, ExprKind, MatrixSelector,
    NumberLiteral, RangeExtension, Sign, Span, StringLiteral, Subquery, TimeShift, VectorMatching, VectorSelector,
};
use crate::functions::Function;
use crate::labels::METRIC_NAME;
use crate::matcher::{MatchOp, Matcher};

type Result<T> = std::result::Result<T, ParseError>;

pub(super) struct Parser<'a> {
    pub(super) text: &'a str,
    options: &'a ParserOptions,
    tokens: Vec<Token<'a>>,
    at: usize,
}

/// An expression and how deep its tree is.
struct Parsed {
    expr: Expr,
    depth: usize,
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

    pub(super) fn parse_all(mut self) -> Result<Expr> {
        if self.peek() == Kind::End {
            return Err(self.error(self.span(), "no expression found in input"));
        }
        let parsed = self.binary(0, 0)?;
        match self.peek() {
            Kind::End => Ok(parsed.expr),
            Kind::RightParen => Err(self.error(self.span(), "unexpected right parenthesis ')'")),
            _ => Err(self.unexpected("", "")),
        }
    }

    // Tokens.

    pub(super) fn peek(&self) -> Kind {
        self.tokens[self.at].kind
    }

    fn peek_second(&self) -> Kind {
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

    fn eat_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        if found {
            self.next();
        }
        found
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
    fn nested(&self, level: usize) -> Result<usize> {
        self.one_more(level, NESTING_MAX)
    }

    /// One more level of the tree.
    fn deeper(&self, depth: usize) -> Result<usize> {
        self.one_more(depth, DEPTH_MAX)
    }

    fn one_more(&self, count: usize, max: usize) -> Result<usize> {
        if count < max {
            return Ok(count + 1);
        }
        let error = self.error(self.span(), format!("expression is nested deeper than {max} levels"));
        Err(error.hint("split it with recording rules, or use a regular expression instead of many alternatives"))
    }

    // Operators.

    /// Operands joined by operators that bind at least as tightly as `precedence`. `level` counts the callers.
    fn binary(&mut self, precedence: u8, level: usize) -> Result<Parsed> {
        let mut left = self.unary(level)?;
        while let Some(op) = self.binary_operator() {
            if op.precedence() < precedence {
                break;
            }
            self.next();
            let (return_bool, matching) = self.binary_modifiers()?;
            let tighter = op.precedence() + u8::from(op != BinaryOp::Pow);
            let right = self.binary(tighter, self.nested(level)?)?;
            let depth = self.deeper(left.depth.max(right.depth))?;
            let span = left.expr.span.to(right.expr.span);
            let matching = Some(matching);
            let binary = BinaryExpr {
                op,
                left: left.expr,
                right: right.expr,
                return_bool,
                matching,
            };
            left = Parsed {
                expr: Expr {
                    kind: ExprKind::Binary(Box::new(binary)),
                    span,
                },
                depth,
            };
        }
        Ok(left)
    }

    fn binary_operator(&self) -> Option<BinaryOp> {
        match self.peek() {
            Kind::Operator(op) => Some(op),
            Kind::Word => match self.token().text.to_ascii_lowercase().as_str() {
                "and" => Some(BinaryOp::And),
                "or" => Some(BinaryOp::Or),
                "unless" => Some(BinaryOp::Unless),
                "atan2" => Some(BinaryOp::Atan2),
                _ => None,
            },
            _ => None,
        }
    }

    fn binary_modifiers(&mut self) -> Result<(bool, VectorMatching)> {
        let return_bool = self.eat_word("bool");
        let mut matching = VectorMatching::default();
        if self.is_word("on") || self.is_word("ignoring") {
            matching.on = self.next().text.eq_ignore_ascii_case("on");
            matching.labels = self.grouping()?;
            for (word, cardinality) in [
                ("group_left", Cardinality::ManyToOne),
                ("group_right", Cardinality::OneToMany),
            ] {
                if self.eat_word(word) {
                    matching.cardinality = cardinality;
                    if self.peek() == Kind::LeftParen {
                        matching.include = self.grouping()?;
                    }
                    break;
                }
            }
        }
        while self.peek_second() == Kind::LeftParen {
            let (left, right) = (self.is_word("fill_left"), self.is_word("fill_right"));
            let both = self.is_word("fill");
            let repeated = (left && matching.fill_left.is_some()) || (right && matching.fill_right.is_some());
            if !(left || right || both) || repeated || (both && (matching.fill_left.or(matching.fill_right).is_some()))
            {
                break;
            }
            let span = self.next().span;
            if !self.options.fill_modifiers {
                return Err(self.error(span, "binop fill modifiers are experimental and not enabled"));
            }
            let value = Some(self.fill_value()?);
            matching.fill_left = if left || both { value } else { matching.fill_left };
            matching.fill_right = if right || both { value } else { matching.fill_right };
            if both {
                break;
            }
        }
        Ok((return_bool, matching))
    }

    fn fill_value(&mut self) -> Result<f64> {
        self.expect(Kind::LeftParen, "fill modifier", "\"(\"")?;
        let value = self.signed_number("fill modifier")?;
        self.expect(Kind::RightParen, "fill modifier", "\")\"")?;
        Ok(value)
    }

    /// A sign binds like a multiplication: `-2 ^ 2` is -4.
    fn unary(&mut self, level: usize) -> Result<Parsed> {
        let sign = match self.peek() {
            Kind::Operator(BinaryOp::Add) => Sign::Plus,
            Kind::Operator(BinaryOp::Sub) => Sign::Minus,
            _ => return self.postfix(level),
        };
        let start = self.next().span;
        let mut operand = self.binary(BinaryOp::Pow.precedence(), self.nested(level)?)?;
        let span = start.to(operand.expr.span);
        if let ExprKind::Number(number) = &mut operand.expr.kind {
            if sign == Sign::Minus {
                number.value = -number.value;
            }
            operand.expr.span = span;
            return Ok(operand);
        }
        let depth = self.deeper(operand.depth)?;
        Ok(Parsed {
            expr: Expr {
                kind: ExprKind::Unary(sign, Box::new(operand.expr)),
                span,
            },
            depth,
        })
    }

    /// An operand with what may follow it: ranges, `@`, `offset`, `anchored`, `smoothed`.
    fn postfix(&mut self, level: usize) -> Result<Parsed> {
        let mut operand = self.primary(level)?;
        loop {
            if self.peek() == Kind::LeftBracket {
                let subquery = matches!(operand.expr.kind, ExprKind::Vector(_));
                operand.expr = self.range(operand.expr)?;
                if !subquery || matches!(operand.expr.kind, ExprKind::Subquery(_)) {
                    operand.depth = self.deeper(operand.depth)?;
                }
            } else if self.peek() == Kind::At {
                self.at_modifier(&mut operand.expr)?;
            } else if self.is_word("offset") {
                self.next();
                let offset = self.offset_duration()?;
                let end = self.previous_end();
                self.set_offset(&mut operand.expr, offset)?;
                operand.expr.span.end = end;
            } else if self.is_word("anchored") || self.is_word("smoothed") {
                self.extension(&mut operand.expr)?;
            } else {
                return Ok(operand);
            }
        }
    }

    pub(super) fn previous_end(&self) -> usize {
        self.tokens[..self.at].last().map_or(0, |token| token.span.end)
    }

    // Operands.

    fn primary(&mut self, level: usize) -> Result<Parsed> {
        let level = self.nested(level)?;
        match self.peek() {
            Kind::Number | Kind::Duration => {
                let span = self.span();
                let number = self.number()?;
                Ok(leaf(ExprKind::Number(number), span))
            }
            Kind::String => {
                let token = self.next();
                let bytes = literals::string_bytes(token.text).map_err(|message| self.error(token.span, message))?;
                Ok(leaf(ExprKind::String(StringLiteral::from_bytes(bytes)), token.span))
            }
            Kind::LeftParen => {
                let open = self.next();
                let inner = self.binary(0, level)?;
                let close = self.close_paren(open.span)?;
                let depth = self.deeper(inner.depth)?;
                Ok(Parsed {
                    expr: Expr {
                        kind: ExprKind::Paren(Box::new(inner.expr)),
                        span: open.span.to(close),
                    },
                    depth,
                })
            }
            Kind::LeftBrace => self.selector(None),
            Kind::Word => self.word(level),
            Kind::Assign => Err(self.unexpected("", "").hint("PromQL compares with \"==\"")),
            _ => Err(self.unexpected("", "")),
        }
    }

    fn close_paren(&mut self, open: Span) -> Result<Span> {
        match self.peek() {
            Kind::RightParen => Ok(self.next().span),
            Kind::End => Err(self.error(open, "unclosed left parenthesis")),
            _ => Err(self.unexpected("", "\")\"")),
        }
    }

    /// A word begins an aggregation, a call or a selector.
    fn word(&mut self, level: usize) -> Result<Parsed> {
        let lower = self.token().text.to_ascii_lowercase();
        let follows = self.tokens.get(self.at + 1);
        let paren_follows = self.peek_second() == Kind::LeftParen;
        let grouping_follows = follows.is_some_and(|token| {
            token.kind == Kind::Word
                && (token.text.eq_ignore_ascii_case("by") || token.text.eq_ignore_ascii_case("without"))
        });
        if let Some(op) = aggregate_op(&lower).filter(|_| paren_follows || grouping_follows) {
            return self.aggregate(op, level);
        }
        if paren_follows && !is_reserved(&lower) {
            return self.call(level);
        }
        if matches!(
            lower.as_str(),
            "bool" | "on" | "ignoring" | "group_left" | "group_right" | "atan2"
        ) {
            return Err(self.unexpected("", ""));
        }
        let name = self.next();
        self.selector(Some(name))
    }

    fn aggregate(&mut self, op: AggregateOp, level: usize) -> Result<Parsed> {
        let name = self.next();
        let mut modifier = self.aggregate_modifier()?;
        let (mut args, depth, close) = self.arguments(level)?;
        if modifier.is_none() {
            modifier = self.aggregate_modifier()?;
        }
        let end = if modifier.is_some() {
            self.previous_end().max(close.end)
        } else {
            close.end
        };
        let span = Span {
            start: name.span.start,
            end,
        };
        let experimental = matches!(op, AggregateOp::Limitk | AggregateOp::LimitRatio);
        if experimental && !self.options.experimental_functions {
            return Err(self.error(span, format!("{}() is experimental and not enabled", op.as_str())));
        }
        let expected = 1 + usize::from(op.has_parameter());
        if args.is_empty() {
            return Err(self.error(span, "no arguments for aggregate expression provided"));
        }
        if args.len() != expected {
            let got = args.len();
            let message =
                format!("wrong number of arguments for aggregate expression provided, expected {expected}, got {got}");
            return Err(self.error(span, message));
        }
        let expr = args.remove(expected - 1);
        let (without, grouping) = modifier.unwrap_or_default();
        let aggregate = AggregateExpr {
            op,
            expr,
            parameter: args.pop(),
            grouping,
            without,
        };
        Ok(Parsed {
            expr: Expr {
                kind: ExprKind::Aggregate(Box::new(aggregate)),
                span,
            },
            depth,
        })
    }

    fn aggregate_modifier(&mut self) -> Result<Option<(bool, Vec<String>)>> {
        if !self.is_word("by") && !self.is_word("without") {
            return Ok(None);
        }
        let without = self.next().text.eq_ignore_ascii_case("without");
        Ok(Some((without, self.grouping()?)))
    }

    /// `(label, "label")`, with a trailing comma allowed.
    fn grouping(&mut self) -> Result<Vec<String>> {
        self.expect(Kind::LeftParen, "grouping opts", "\"(\"")?;
        let mut labels = Vec::new();
        while !self.eat(Kind::RightParen) {
            match self.peek() {
                Kind::Word => labels.push(self.next().text.to_owned()),
                Kind::String => {
                    let token = self.next();
                    let label = self.unquote(&token)?;
                    if label.is_empty() {
                        return Err(self.error(token.span, "invalid label name for grouping: \"\""));
                    }
                    labels.push(label);
                }
                _ => return Err(self.unexpected("grouping opts", "label")),
            }
            if self.peek() != Kind::RightParen {
                self.expect(Kind::Comma, "grouping opts", "\",\" or \")\"")?;
            }
        }
        Ok(labels)
    }

    fn call(&mut self, level: usize) -> Result<Parsed> {
        let name = self.next();
        let Some(function) = Function::by_name(name.text) else {
            let error = self.error(name.span, format!("unknown function with name {:?}", name.text));
            return Err(match Function::similar_to(name.text) {
                Some(similar) => error.hint(format!("did you mean {:?}?", similar.name())),
                None => error,
            });
        };
        if function.signature().experimental && !self.options.experimental_functions {
            let error = self.error(name.span, format!("function {:?} is not enabled", name.text));
            return Err(error.hint("it is experimental: enable experimental functions"));
        }
        let (args, depth, close) = self.arguments(level)?;
        Ok(Parsed {
            expr: Expr {
                kind: ExprKind::Call(Call { function, args }),
                span: name.span.to(close),
            },
            depth,
        })
    }

    fn arguments(&mut self, level: usize) -> Result<(Vec<Expr>, usize, Span)> {
        let open = self.expect(Kind::LeftParen, "aggregation", "\"(\"")?.span;
        let (mut args, mut depth) = (Vec::new(), 0);
        while self.peek() != Kind::RightParen {
            let arg = self.binary(0, level)?;
            depth = depth.max(arg.depth);
            args.push(arg.expr);
            if self.peek() == Kind::Comma {
                let comma = self.next();
                if self.peek() == Kind::RightParen {
                    return Err(self.error(comma.span, "trailing commas not allowed in function call args"));
                }
            } else {
                break;
            }
        }
        let close = self.close_paren(open)?;
        Ok((args, self.deeper(depth)?, close))
    }

    // Literals.

    pub(super) fn number(&mut self) -> Result<NumberLiteral> {
        let token = self.next();
        if token.kind == Kind::Duration {
            let millis = literals::duration_millis(token.text).map_err(|message| self.error(token.span, message))?;
            return Ok(NumberLiteral {
                value: millis as f64 / 1000.0,
                is_duration: true,
            });
        }
        match literals::number(token.text) {
            Some(value) => Ok(NumberLiteral {
                value,
                is_duration: false,
            }),
            None => Err(self.error(token.span, format!("error parsing number: {:?}", token.text))),
        }
    }

    fn signed_number(&mut self, context: &str) -> Result<f64> {
        let negative = self.peek() == Kind::Operator(BinaryOp::Sub);
        if negative || self.peek() == Kind::Operator(BinaryOp::Add) {
            self.next();
        }
        let value = match self.peek() {
            Kind::Number | Kind::Duration => self.number()?.value,
            Kind::Word if is_special_number(self.token().text) => {
                literals::number(self.next().text).unwrap_or(f64::NAN)
            }
            _ => return Err(self.unexpected(context, "number")),
        };
        Ok(if negative { -value } else { value })
    }

    fn unquote(&self, token: &Token<'_>) -> Result<String> {
        literals::string(token.text).map_err(|message| self.error(token.span, message))
    }

    // Selectors.

    fn selector(&mut self, name: Option<Token<'a>>) -> Result<Parsed> {
        if let Some(token) = name.as_ref().filter(|token| is_special_number(token.text))
            && self.peek() != Kind::LeftBrace
        {
            let value = literals::number(token.text).unwrap_or(f64::NAN);
            return Ok(leaf(
                ExprKind::Number(NumberLiteral {
                    value,
                    is_duration: false,
                }),
                token.span,
            ));
        }
        let start = name.as_ref().map_or(self.span(), |token| token.span);
        let mut matchers = if self.peek() == Kind::LeftBrace {
            self.matchers()?
        } else {
            Vec::new()
        };
        let span = Span {
            start: start.start,
            end: self.previous_end(),
        };
        let name = name.map(|token| token.text.to_owned());
        if let Some(name) = &name {
            matchers.push(Matcher::equal(METRIC_NAME, name.clone()));
        }
        let selector = VectorSelector {
            name,
            matchers,
            shift: TimeShift::default(),
            extension: None,
        };
        Ok(leaf(ExprKind::Vector(selector), span))
    }

    fn matchers(&mut self) -> Result<Vec<Matcher>> {
        self.next();
        let mut matchers = Vec::new();
        while !self.eat(Kind::RightBrace) {
            matchers.push(self.matcher()?);
            if self.peek() != Kind::RightBrace {
                self.expect(Kind::Comma, "label matching", "\",\" or \"}\"")?;
            }
        }
        Ok(matchers)
    }

    fn matcher(&mut self) -> Result<Matcher> {
        let name = self.next();
        let label = match name.kind {
            Kind::Word => name.text.to_owned(),
            Kind::String => self.unquote(&name)?,
            _ => {
                self.at -= 1;
                return Err(self.unexpected("label matching", "identifier or \"}\""));
            }
        };
        let op = match self.peek() {
            Kind::Assign => MatchOp::Equal,
            Kind::MatchRegex => MatchOp::Regex,
            Kind::MatchNotRegex => MatchOp::NotRegex,
            Kind::Operator(BinaryOp::NotEqual) => MatchOp::NotEqual,
            // A string alone is the metric's name.
            Kind::Comma | Kind::RightBrace if name.kind == Kind::String => {
                return Ok(Matcher::equal(METRIC_NAME, label));
            }
            _ => return Err(self.unexpected("label matching", "label matching operator")),
        };
        self.next();
        let value = self.expect(Kind::String, "label matching", "string")?;
        let text = self.unquote(&value)?;
        Matcher::new(label, op, text).map_err(|message| self.error(name.span.to(value.span), message))
    }

    // What follows operands.

    fn range(&mut self, operand: Expr) -> Result<Expr> {
        let open = self.next().span;
        let range = self.positive_duration()?;
        if self.eat(Kind::Colon) {
            let step = if self.peek() == Kind::RightBracket {
                None
            } else {
                Some(self.positive_duration()?)
            };
            let close = self.expect(Kind::RightBracket, "subquery selector", "\"]\"")?.span;
            let span = operand.span.to(close);
            let subquery = Subquery {
                expr: operand,
                range,
                step,
                shift: TimeShift::default(),
            };
            return Ok(Expr {
                kind: ExprKind::Subquery(Box::new(subquery)),
                span,
            });
        }
        let close = self
            .expect(Kind::RightBracket, "subquery or range", "\":\" or \"]\"")?
            .span;
        let problem = match &operand.kind {
            ExprKind::Vector(selector) if selector.shift.offset.is_some() => "no offset modifiers allowed before range",
            ExprKind::Vector(selector) if selector.shift.at.is_some() => "no @ modifiers allowed before range",
            ExprKind::Vector(_) => "",
            _ => "ranges only allowed for vector selectors",
        };
        let span = operand.span.to(close);
        match operand.kind {
            ExprKind::Vector(selector) if problem.is_empty() => {
                let matrix = MatrixSelector {
                    selector,
                    selector_span: operand.span,
                    range,
                };
                Ok(Expr {
                    kind: ExprKind::Matrix(matrix),
                    span,
                })
            }
            ExprKind::Vector(_) => Err(self
                .error(open.to(close), problem)
                .hint("write the modifier behind the range")),
            _ => Err(self
                .error(open.to(close), problem)
                .hint("a subquery such as [5m:] takes any instant vector")),
        }
    }

    fn at_modifier(&mut self, operand: &mut Expr) -> Result<()> {
        self.next();
        let preprocessor = [("start", At::Start), ("end", At::End)]
            .into_iter()
            .find(|(word, _)| self.is_word(word));
        let at = if let Some((_, at)) = preprocessor {
            self.next();
            self.expect(Kind::LeftParen, "@", "\"(\"")?;
            self.expect(Kind::RightParen, "@", "\")\"")?;
            at
        } else {
            let span = self.span();
            let seconds = self.signed_number("@").map_err(|_| self.unexpected("@", "timestamp"))?;
            let millis = (seconds * 1000.0).round();
            if !millis.is_finite() || millis.abs() >= i64::MAX as f64 {
                return Err(self.error(span, format!("timestamp out of bounds for @ modifier: {seconds}")));
            }
            At::Time(millis as i64)
        };
        let end = self.previous_end();
        let span = operand.span;
        match shift_of(operand) {
            None => Err(self.error(
                span,
                "@ modifier must be preceded by an instant vector selector or range vector selector or a subquery",
            )),
            Some(shift) if shift.at.is_some() => Err(self.error(span, "@ <timestamp> may not be set multiple times")),
            Some(shift) => {
                shift.at = Some(at);
                operand.span.end = end;
                Ok(())
            }
        }
    }

    fn set_offset(&mut self, operand: &mut Expr, offset: Duration) -> Result<()> {
        let span = operand.span;
        match shift_of(operand) {
            None => Err(self.error(
                span,
                "offset modifier must be preceded by an instant vector selector or range vector selector or a subquery",
            )),
            Some(shift) if shift.offset.is_some() => Err(self.error(span, "offset may not be set multiple times")),
            Some(shift) => {
                shift.offset = Some(offset).filter(|offset| *offset != Duration::Fixed(0));
                Ok(())
            }
        }
    }

    fn extension(&mut self, operand: &mut Expr) -> Result<()> {
        let word = self.next().text.to_ascii_lowercase();
        let wanted = if word == "anchored" {
            RangeExtension::Anchored
        } else {
            RangeExtension::Smoothed
        };
        let selector = match &mut operand.kind {
            ExprKind::Vector(selector) => selector,
            ExprKind::Matrix(matrix) => &mut matrix.selector,
            ExprKind::Subquery(_) => {
                return Err(self.error(operand.span, format!("{word} modifier is not supported for subqueries")));
            }
            _ => return Err(self.error(operand.span, format!("{word} modifier not implemented"))),
        };
        if selector.extension.is_some_and(|extension| extension != wanted) {
            return Err(self.error(operand.span, "anchored and smoothed modifiers cannot be used together"));
        }
        selector.extension = Some(wanted);
        Ok(())
    }
}

fn leaf(kind: ExprKind, span: Span) -> Parsed {
    Parsed {
        expr: Expr { kind, span },
        depth: 1,
    }
}

fn shift_of(expr: &mut Expr) -> Option<&mut TimeShift> {
    match &mut expr.kind {
        ExprKind::Vector(selector) => Some(&mut selector.shift),
        ExprKind::Matrix(matrix) => Some(&mut matrix.selector.shift),
        ExprKind::Subquery(subquery) => Some(&mut subquery.shift),
        _ => None,
    }
}

fn is_special_number(word: &str) -> bool {
    word.eq_ignore_ascii_case("inf") || word.eq_ignore_ascii_case("nan")
}

/// Words that never name a function.
fn is_reserved(lower: &str) -> bool {
    matches!(
        lower,
        "and"
            | "or"
            | "unless"
            | "atan2"
            | "offset"
            | "by"
            | "without"
            | "on"
            | "ignoring"
            | "group_left"
            | "group_right"
            | "fill"
            | "fill_left"
            | "fill_right"
            | "bool"
            | "anchored"
            | "smoothed"
    ) || is_special_number(lower)
}

fn aggregate_op(lower: &str) -> Option<AggregateOp> {
    use AggregateOp::{
        Avg, Bottomk, Count, CountValues, Group, LimitRatio, Limitk, Max, Min, Quantile, Stddev, Stdvar, Sum, Topk,
    };
    [
        Sum,
        Avg,
        Count,
        Min,
        Max,
        Group,
        Stddev,
        Stdvar,
        Topk,
        Bottomk,
        CountValues,
        Quantile,
        Limitk,
        LimitRatio,
    ]
    .into_iter()
    .find(|op| op.as_str() == lower)
}
