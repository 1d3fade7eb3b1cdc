//! Durations: numbers, `step()`, `range()`, and arithmetic on them.

use super::ParseError;
use super::cursor::Parser;
use super::lexer::Kind;
use crate::ast::{BinaryOp, Duration, DurationExpr, DurationKind, NumberLiteral, Span};

type Result<T> = std::result::Result<T, ParseError>;

/// Durations are 64-bit nanoseconds in Prometheus, so this many seconds are the most it accepts.
pub(crate) const DURATION_SECONDS_MAX: f64 = i64::MAX as f64 / 1e9;

/// How deep duration expressions may be nested.
const NESTING_MAX: usize = 64;

impl Parser<'_> {
    /// A duration inside brackets: longer than zero, as far as that is known before evaluation.
    pub(super) fn positive_duration(&mut self) -> Result<Duration> {
        let expr = self.duration_binary(0, 0)?;
        match &expr.kind {
            DurationKind::Number(number) if number.value <= 0.0 => {
                Err(self.error(expr.span, "duration must be greater than 0"))
            }
            _ => Ok(fixed_or_computed(expr)),
        }
    }

    /// The operand of `offset`. Without parentheses it is a single value: `foo offset 5m + 1` adds 1 to `foo`.
    pub(super) fn offset_duration(&mut self) -> Result<Duration> {
        if self.peek() == Kind::LeftParen {
            return Ok(fixed_or_computed(self.duration_binary(0, 0)?));
        }
        let sign = match self.peek() {
            Kind::Operator(op @ (BinaryOp::Add | BinaryOp::Sub)) => Some((op, self.next().span)),
            _ => None,
        };
        let mut operand = self.duration_primary(0)?;
        if let Some((op, span)) = sign {
            operand = signed(op, span, operand);
        }
        Ok(fixed_or_computed(operand))
    }

    fn duration_binary(&mut self, precedence: u8, level: usize) -> Result<DurationExpr> {
        if level > NESTING_MAX {
            return Err(self.error(
                self.span(),
                format!("duration is nested deeper than {NESTING_MAX} levels"),
            ));
        }
        let mut left = self.duration_unary(level)?;
        let mut length = 0;
        while let Kind::Operator(op) = self.peek() {
            use BinaryOp::{Add, Div, Mod, Mul, Pow, Sub};
            if !matches!(op, Add | Sub | Mul | Div | Mod | Pow) || op.precedence() < precedence {
                break;
            }
            length += 1;
            let operator = self.next().span;
            let right = self.duration_binary(op.precedence() + u8::from(op != Pow), level + length)?;
            let zero = matches!(&right.kind, DurationKind::Number(number) if number.value == 0.0);
            match op {
                Div if zero => return Err(self.error(operator, "division by zero")),
                Mod if zero => return Err(self.error(operator, "modulo by zero")),
                _ => {}
            }
            let span = left.span.to(right.span);
            left = DurationExpr {
                kind: DurationKind::Binary(op, Box::new(left), Box::new(right)),
                span,
            };
        }
        Ok(left)
    }

    fn duration_unary(&mut self, level: usize) -> Result<DurationExpr> {
        match self.peek() {
            Kind::Operator(op @ (BinaryOp::Add | BinaryOp::Sub)) => {
                let span = self.next().span;
                Ok(signed(
                    op,
                    span,
                    self.duration_binary(BinaryOp::Pow.precedence(), level + 1)?,
                ))
            }
            _ => self.duration_primary(level),
        }
    }

    fn duration_primary(&mut self, level: usize) -> Result<DurationExpr> {
        let start = self.span();
        let kind = match self.peek() {
            Kind::Number | Kind::Duration => {
                let number = self.number()?;
                if number.value.abs() > DURATION_SECONDS_MAX {
                    return Err(self.error(start, "duration out of range"));
                }
                DurationKind::Number(number)
            }
            Kind::LeftParen => {
                self.next();
                let inner = self.duration_binary(0, level + 1)?;
                self.expect(Kind::RightParen, "duration expression", "\")\"")?;
                DurationKind::Paren(Box::new(inner))
            }
            Kind::Word => self.duration_call(level)?,
            _ => return Err(self.unexpected("duration", "number, duration, step(), or range()")),
        };
        Ok(DurationExpr {
            kind,
            span: Span {
                start: start.start,
                end: self.previous_end(),
            },
        })
    }

    fn duration_call(&mut self, level: usize) -> Result<DurationKind> {
        let Some(name) = ["step", "range", "min_of", "max_of"]
            .into_iter()
            .find(|name| self.is_word(name))
        else {
            return Err(self.unexpected("duration", "number, duration, step(), or range()"));
        };
        self.next();
        self.expect(Kind::LeftParen, "duration expression", "\"(\"")?;
        let kind = match name {
            "step" => DurationKind::Step,
            "range" => DurationKind::Range,
            _ => {
                let left = Box::new(self.duration_binary(0, level + 1)?);
                self.expect(Kind::Comma, "duration expression", "\",\"")?;
                let right = Box::new(self.duration_binary(0, level + 1)?);
                if name == "min_of" {
                    DurationKind::MinOf(left, right)
                } else {
                    DurationKind::MaxOf(left, right)
                }
            }
        };
        self.expect(Kind::RightParen, "duration expression", "\")\"")?;
        Ok(kind)
    }
}

/// A sign in front of a number belongs to the number; a plus in front of anything else means nothing.
fn signed(op: BinaryOp, sign: Span, operand: DurationExpr) -> DurationExpr {
    let span = sign.to(operand.span);
    let negative = op == BinaryOp::Sub;
    let kind = match operand.kind {
        DurationKind::Number(number) => {
            let value = if negative { -number.value } else { number.value };
            DurationKind::Number(NumberLiteral { value, ..number })
        }
        _ if negative => DurationKind::Negative(Box::new(operand)),
        kind => kind,
    };
    DurationExpr { kind, span }
}

fn fixed_or_computed(expr: DurationExpr) -> Duration {
    match &expr.kind {
        DurationKind::Number(number) => Duration::Fixed(seconds_to_millis(number.value)),
        _ => Duration::Computed(Box::new(expr)),
    }
}

/// Whole milliseconds of a number of seconds, rounded to nanoseconds first, as Prometheus does.
pub(crate) fn seconds_to_millis(seconds: f64) -> i64 {
    ((seconds * 1e9).round() / 1e6).trunc() as i64
}
