//! Checking that the types of the parts of an expression fit.

use super::ParseError;
use crate::ast::{
    AggregateExpr, AggregateOp, BinaryExpr, Call, Cardinality, Expr, ExprKind, Span, ValueType, VectorSelector,
};
use crate::functions::Function;
use crate::labels::METRIC_NAME;

/// Checks an expression; fixes what depends on types: which operators match series, and how.
pub(super) fn check(text: &str, expr: &mut Expr) -> Vec<ParseError> {
    let mut checker = Checker {
        text,
        errors: Vec::new(),
    };
    checker.expr(expr, Emptiness::Forbidden);
    checker.errors
}

/// Whether a selector may match every series.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Emptiness {
    Forbidden,
    /// Inside `info()`, where the selector only narrows what is found otherwise.
    Allowed,
}

struct Checker<'a> {
    text: &'a str,
    errors: Vec<ParseError>,
}

impl Checker<'_> {
    fn report(&mut self, span: Span, message: impl Into<String>) {
        self.errors.push(ParseError::new(self.text, span, message));
    }

    fn expr(&mut self, expr: &mut Expr, emptiness: Emptiness) -> ValueType {
        let span = expr.span;
        match &mut expr.kind {
            ExprKind::Number(_) | ExprKind::String(_) => {}
            ExprKind::Paren(inner) => {
                self.expr(inner, emptiness);
            }
            ExprKind::Unary(_, inner) => {
                let found = self.expr(inner, Emptiness::Forbidden);
                if !matches!(found, ValueType::Scalar | ValueType::Vector) {
                    self.report(span, format!(
                        "unary expression only allowed on expressions of type scalar or instant vector, got \"{found}\""
                    ));
                }
            }
            ExprKind::Binary(binary) => self.binary(binary, span),
            ExprKind::Aggregate(aggregate) => self.aggregate(aggregate),
            ExprKind::Call(call) => self.call(call, span),
            ExprKind::Vector(selector) => self.selector(selector, span, emptiness),
            ExprKind::Matrix(matrix) => self.selector(&matrix.selector, span, emptiness),
            ExprKind::Subquery(subquery) => {
                let found = self.expr(&mut subquery.expr, Emptiness::Forbidden);
                if found != ValueType::Vector {
                    self.report(
                        span,
                        format!("subquery is only allowed on instant vector, got {found} instead"),
                    );
                }
            }
        }
        expr.value_type()
    }

    fn expect(&mut self, expr: &mut Expr, wanted: ValueType, context: &str) {
        let found = self.expr(expr, Emptiness::Forbidden);
        if found != wanted {
            self.report(expr.span, format!("expected type {wanted} in {context}, got {found}"));
        }
    }

    fn aggregate(&mut self, aggregate: &mut AggregateExpr) {
        self.expect(&mut aggregate.expr, ValueType::Vector, "aggregation expression");
        if let Some(parameter) = &mut aggregate.parameter {
            let wanted = if aggregate.op == AggregateOp::CountValues {
                ValueType::String
            } else {
                ValueType::Scalar
            };
            self.expect(parameter, wanted, "aggregation parameter");
        }
    }

    fn binary(&mut self, binary: &mut BinaryExpr, span: Span) {
        use ValueType::{Scalar, Vector};
        let left = self.expr(&mut binary.left, Emptiness::Forbidden);
        let right = self.expr(&mut binary.right, Emptiness::Forbidden);
        let op = binary.op;
        let operator = self.operator_span(binary);
        if binary.return_bool && !op.is_comparison() {
            self.report(operator, "bool modifier can only be used on comparison operators");
        }
        if op.is_comparison() && !binary.return_bool && (left, right) == (Scalar, Scalar) {
            self.report(operator, "comparisons between scalars must use BOOL modifier");
        }
        for (side, found) in [(binary.left.span, left), (binary.right.span, right)] {
            if !matches!(found, Scalar | Vector) {
                self.report(
                    side,
                    "binary expression must contain only scalar and instant vector types",
                );
            }
        }
        let Some(mut matching) = binary.matching.take() else {
            return;
        };
        if let Some(label) = matching
            .include
            .iter()
            .find(|label| matching.on && matching.labels.contains(label))
        {
            self.report(
                operator,
                format!("label {label:?} must not occur in ON and GROUP clause at once"),
            );
        }
        let fills = matching.fill_left.is_some() || matching.fill_right.is_some();
        if left != Vector || right != Vector {
            if !matching.labels.is_empty() {
                self.report(span, "vector matching only allowed between instant vectors");
            }
            if fills {
                self.report(span, "filling in missing series only allowed between instant vectors");
            }
            if op.is_set() {
                self.report(
                    span,
                    format!("set operator {:?} not allowed in binary scalar expression", op.as_str()),
                );
            }
            return;
        }
        if op.is_set() {
            if matching.cardinality != Cardinality::OneToOne {
                self.report(span, format!("no grouping allowed for {:?} operation", op.as_str()));
            }
            if fills {
                self.report(span, "filling in missing series not allowed for set operators");
            }
            matching.cardinality = Cardinality::ManyToMany;
        }
        binary.matching = Some(matching);
    }

    /// The place between the operands, without the space around it.
    fn operator_span(&self, binary: &BinaryExpr) -> Span {
        let (start, end) = (binary.left.span.end, binary.right.span.start);
        let between = self.text.get(start..end).unwrap_or_default();
        let start = start + (between.len() - between.trim_start().len());
        Span {
            start,
            end: (start + between.trim().len()).max(start),
        }
    }

    fn call(&mut self, call: &mut Call, span: Span) {
        let (name, signature) = (call.function.name(), call.function.signature());
        let (got, min, max) = (call.args.len(), signature.args_min(), signature.args_max());
        if Some(min) == max && got != min {
            self.report(
                span,
                format!("expected {min} argument(s) in call to {name:?}, got {got}"),
            );
        } else if got < min {
            self.report(
                span,
                format!("expected at least {min} argument(s) in call to {name:?}, got {got}"),
            );
        } else if let Some(max) = max.filter(|max| got > *max) {
            self.report(
                span,
                format!("expected at most {max} argument(s) in call to {name:?}, got {got}"),
            );
        }
        for (at, arg) in call.args.iter_mut().enumerate() {
            let is_info_filter = call.function == Function::Info && at == 1;
            if is_info_filter {
                self.info_filter(arg);
            }
            let emptiness = if is_info_filter {
                Emptiness::Allowed
            } else {
                Emptiness::Forbidden
            };
            let found = self.expr(arg, emptiness);
            if let Some(wanted) = signature.arg_type(at).filter(|wanted| *wanted != found) {
                let span = arg.span;
                self.report(
                    span,
                    format!("expected type {wanted} in call to function {name:?}, got {found}"),
                );
            }
        }
    }

    fn info_filter(&mut self, arg: &Expr) {
        match &arg.kind {
            ExprKind::Vector(selector) if selector.name.is_none() => {}
            ExprKind::Vector(_) => {
                self.report(arg.span, "expected label selectors only, got vector selector instead");
            }
            _ => self.report(arg.span, "expected label selectors only"),
        }
    }

    fn selector(&mut self, selector: &VectorSelector, span: Span, emptiness: Emptiness) {
        if let Some(name) = &selector.name {
            let others = &selector.matchers[..selector.matchers.len().saturating_sub(1)];
            if let Some(other) = others.iter().find(|matcher| matcher.name == METRIC_NAME) {
                let message = format!("metric name must not be set twice: {name:?} or {:?}", other.value);
                self.report(span, message);
            }
        } else if emptiness == Emptiness::Forbidden
            && selector.matchers.iter().all(crate::matcher::Matcher::matches_empty)
        {
            self.report(span, "vector selector must contain at least one non-empty matcher");
        }
    }
}
