//! What follows operands: ranges, `@`, `offset`, `anchored`, `smoothed`.

use super::ParseError;
use super::cursor::Parser;
use super::lexer::Kind;
use crate::ast::{At, Duration, Expr, ExprKind, MatrixSelector, RangeExtension, Subquery, TimeShift};

type Result<T> = std::result::Result<T, ParseError>;

impl Parser<'_> {
    pub(super) fn range(&mut self, operand: Expr) -> Result<Expr> {
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

    pub(super) fn at_modifier(&mut self, operand: &mut Expr) -> Result<()> {
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

    pub(super) fn set_offset(&mut self, operand: &mut Expr, offset: Duration) -> Result<()> {
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

    pub(super) fn extension(&mut self, operand: &mut Expr) -> Result<()> {
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

fn shift_of(expr: &mut Expr) -> Option<&mut TimeShift> {
    match &mut expr.kind {
        ExprKind::Vector(selector) => Some(&mut selector.shift),
        ExprKind::Matrix(matrix) => Some(&mut matrix.selector.shift),
        ExprKind::Subquery(subquery) => Some(&mut subquery.shift),
        _ => None,
    }
}
