//! Expressions.

use super::cursor::Parser;
use super::lexer::Kind;
use super::selector::is_special_number;
use super::{ParseError, literals};
use crate::ast::{
    AggregateExpr, AggregateOp, BinaryExpr, BinaryOp, Call, Cardinality, Expr, ExprKind, Sign, Span, StringLiteral,
    VectorMatching,
};
use crate::functions::Function;

type Result<T> = std::result::Result<T, ParseError>;

/// An expression and how deep its tree is.
pub(super) struct Parsed {
    pub(super) expr: Expr,
    pub(super) depth: usize,
}

impl<'a> Parser<'a> {
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
}

pub(super) fn leaf(kind: ExprKind, span: Span) -> Parsed {
    Parsed {
        expr: Expr { kind, span },
        depth: 1,
    }
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
