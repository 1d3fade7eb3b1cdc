//! `/parse_query`: a query's syntax tree in the form that Prometheus' own console reads.

use promql::ast::{
    At, Cardinality, Duration, Expr, ExprKind, Sign, TimeShift, ValueType, VectorMatching, VectorSelector,
};
use promql::functions::Variadic;
use promql::number::GoFloat;
use serde_json::{Value, json};

/// The tree below `expr`. Its depth is bounded by the parser's.
pub(super) fn tree(expr: &Expr) -> Value {
    match &expr.kind {
        ExprKind::Number(number) => json!({"type": "numberLiteral", "val": GoFloat(number.value).to_string()}),
        ExprKind::String(text) => json!({"type": "stringLiteral", "val": text.text}),
        ExprKind::Paren(inner) => json!({"type": "parenExpr", "expr": tree(inner)}),
        ExprKind::Unary(sign, inner) => {
            let op = match sign {
                Sign::Plus => "+",
                Sign::Minus => "-",
            };
            json!({"type": "unaryExpr", "op": op, "expr": tree(inner)})
        }
        ExprKind::Binary(binary) => json!({
            "type": "binaryExpr",
            "op": binary.op.as_str(),
            "lhs": tree(&binary.left),
            "rhs": tree(&binary.right),
            "matching": binary.matching.as_ref().map(matching),
            "bool": binary.return_bool,
        }),
        ExprKind::Aggregate(aggregate) => json!({
            "type": "aggregation",
            "op": aggregate.op.as_str(),
            "expr": tree(&aggregate.expr),
            "param": aggregate.parameter.as_ref().map(tree),
            "grouping": aggregate.grouping,
            "without": aggregate.without,
        }),
        ExprKind::Call(call) => {
            let signature = call.function.signature();
            let variadic = match signature.variadic {
                Variadic::No => 0,
                Variadic::UpTo(extra) => i64::try_from(extra).unwrap_or(i64::MAX),
                Variadic::Any => -1,
            };
            json!({
                "type": "call",
                "func": {
                    "name": call.function.name(),
                    "argTypes": signature.args.iter().copied().map(value_type).collect::<Vec<_>>(),
                    "variadic": variadic,
                    "returnType": value_type(signature.result),
                },
                "args": call.args.iter().map(tree).collect::<Vec<_>>(),
            })
        }
        ExprKind::Vector(selector) => selected("vectorSelector", selector),
        ExprKind::Matrix(matrix) => {
            let mut node = selected("matrixSelector", &matrix.selector);
            node["range"] = milliseconds(&matrix.range);
            node
        }
        ExprKind::Subquery(subquery) => {
            let mut node = json!({
                "type": "subquery",
                "expr": tree(&subquery.expr),
                "range": milliseconds(&subquery.range),
                "step": subquery.step.as_ref().map_or(json!(0), milliseconds),
            });
            shift(&mut node, &subquery.shift);
            node
        }
    }
}

fn selected(kind: &str, selector: &VectorSelector) -> Value {
    let matchers = selector
        .matchers
        .iter()
        .map(|matcher| json!({"name": matcher.name, "value": matcher.value, "type": matcher.op.as_str()}));
    let mut node = json!({
        "type": kind,
        "name": selector.name.as_deref().unwrap_or(""),
        "matchers": matchers.collect::<Vec<_>>(),
    });
    shift(&mut node, &selector.shift);
    node
}

fn shift(node: &mut Value, shift: &TimeShift) {
    node["offset"] = shift.offset.as_ref().map_or(json!(0), milliseconds);
    let (timestamp, border) = match shift.at {
        None => (Value::Null, Value::Null),
        Some(At::Time(time_ms)) => (json!(time_ms), Value::Null),
        Some(At::Start) => (Value::Null, json!("start")),
        Some(At::End) => (Value::Null, json!("end")),
    };
    node["timestamp"] = timestamp;
    node["startOrEnd"] = border;
}

/// A duration that is known only when the query runs has no number.
fn milliseconds(duration: &Duration) -> Value {
    match duration {
        Duration::Fixed(milliseconds) => json!(milliseconds),
        Duration::Computed(_) => Value::Null,
    }
}

fn matching(matching: &VectorMatching) -> Value {
    let cardinality = match matching.cardinality {
        Cardinality::OneToOne => "one-to-one",
        Cardinality::ManyToOne => "many-to-one",
        Cardinality::OneToMany => "one-to-many",
        Cardinality::ManyToMany => "many-to-many",
    };
    json!({"card": cardinality, "labels": matching.labels, "on": matching.on, "include": matching.include})
}

fn value_type(kind: ValueType) -> &'static str {
    match kind {
        ValueType::Scalar => "scalar",
        ValueType::String => "string",
        ValueType::Vector => "vector",
        ValueType::Matrix => "matrix",
    }
}
