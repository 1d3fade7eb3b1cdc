//! GraphQL tokens to trees (the grammar of the October 2021 specification).

use super::Problem;
use super::lexer::{Kind, Token, lex};
use crate::value::Value;

type Result<T> = std::result::Result<T, Problem>;
type Fields = Vec<(&'static str, Value)>;

/// How deep selections, types and values may nest.
const DEPTH_MAX: usize = 200;

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

/// Where a directive may stand.
const LOCATIONS: [&str; 19] = [
    "QUERY",
    "MUTATION",
    "SUBSCRIPTION",
    "FIELD",
    "FRAGMENT_DEFINITION",
    "FRAGMENT_SPREAD",
    "INLINE_FRAGMENT",
    "VARIABLE_DEFINITION",
    "SCHEMA",
    "SCALAR",
    "OBJECT",
    "FIELD_DEFINITION",
    "ARGUMENT_DEFINITION",
    "INTERFACE",
    "UNION",
    "ENUM",
    "ENUM_VALUE",
    "INPUT_OBJECT",
    "INPUT_FIELD_DEFINITION",
];

/// Reads a query document.
pub(crate) fn query(text: &str) -> Result<Value> {
    let mut parser = Parser {
        tokens: lex(text)?,
        at: 0,
        depth: 0,
    };
    let (mut operations, mut fragments) = (Vec::new(), Vec::new());
    while parser.peek().kind != Kind::End {
        match (parser.peek().kind, &*parser.peek().value) {
            (Kind::Symbol("{"), _) | (Kind::Name, "query" | "mutation" | "subscription") => {
                operations.push(parser.operation()?);
            }
            (Kind::Name, "fragment") => fragments.push(parser.fragment()?),
            _ => return Err(parser.unexpected()),
        }
    }
    Ok(Value::record([
        ("Operations", operations.into()),
        ("Fragments", fragments.into()),
    ]))
}

/// Reads a schema document.
pub(crate) fn schema(text: &str) -> Result<Value> {
    let mut parser = Parser {
        tokens: lex(text)?,
        at: 0,
        depth: 0,
    };
    let mut parts: [(&str, Vec<Value>); 5] = [
        ("Schema", Vec::new()),
        ("SchemaExtension", Vec::new()),
        ("Directives", Vec::new()),
        ("Definitions", Vec::new()),
        ("Extensions", Vec::new()),
    ];
    while parser.peek().kind != Kind::End {
        let start = parser.at;
        let description = parser.description();
        let described = parser.at > start;
        if parser.peek().kind != Kind::Name {
            return Err(parser.unexpected());
        }
        match &*parser.peek().value {
            "schema" => {
                let node = parser.schema_definition(description)?;
                parts[0].1.push(node);
            }
            "directive" => {
                let node = parser.directive_definition(description)?;
                parts[2].1.push(node);
            }
            "extend" => {
                if described {
                    parser.at = start;
                    return Err(parser.unexpected());
                }
                parser.bump();
                if parser.is_keyword("schema") {
                    let node = parser.schema_extension()?;
                    parts[1].1.push(node);
                } else {
                    let node = parser.definition(String::new(), true)?;
                    parts[4].1.push(node);
                }
            }
            _ => {
                let node = parser.definition(description, false)?;
                parts[3].1.push(node);
            }
        }
    }
    Ok(Value::record(
        parts.into_iter().map(|(name, nodes)| (name, nodes.into())),
    ))
}

fn node(position: Value, fields: Fields) -> Value {
    Value::record(fields.into_iter().chain([("Position", position)]))
}

impl Parser {
    fn peek(&self) -> &Token {
        &self.tokens[self.at.min(self.tokens.len() - 1)]
    }

    fn bump(&mut self) -> Token {
        let token = self.peek().clone();
        self.at += 1;
        token
    }

    fn position(&self) -> Value {
        let token = self.peek();
        Value::record([("Line", token.row.into()), ("Column", token.col.into())])
    }

    fn error(&self, message: String) -> Problem {
        let token = self.peek();
        Problem {
            message,
            row: token.row,
            col: token.col,
        }
    }

    fn unexpected(&self) -> Problem {
        self.error(format!("Unexpected {}", self.peek().shown()))
    }

    fn is(&self, symbol: &str) -> bool {
        matches!(self.peek().kind, Kind::Symbol(s) if s == symbol)
    }

    fn eat(&mut self, symbol: &str) -> bool {
        let found = self.is(symbol);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, symbol: &str) -> Result<()> {
        if self.eat(symbol) {
            return Ok(());
        }
        Err(self.error(format!("Expected {symbol}, found {}", self.peek().shown())))
    }

    fn is_keyword(&self, word: &str) -> bool {
        self.peek().kind == Kind::Name && self.peek().value == word
    }

    fn keyword(&mut self, word: &str) -> Result<()> {
        if self.is_keyword(word) {
            self.at += 1;
            return Ok(());
        }
        Err(self.error(format!("Expected {word:?}, found {}", self.peek().shown())))
    }

    fn name(&mut self) -> Result<Value> {
        if self.peek().kind == Kind::Name {
            return Ok(self.bump().value.into());
        }
        Err(self.error(format!("Expected Name, found {}", self.peek().shown())))
    }

    fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth == DEPTH_MAX {
            return Err(self.error("the document is nested too deeply".to_owned()));
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    /// `open item+ close`, or nothing if `open` is not there.
    fn some(&mut self, open: &str, close: &str, mut read: impl FnMut(&mut Self) -> Result<Value>) -> Result<Value> {
        let mut items = Vec::new();
        if !self.eat(open) {
            return Ok(items.into());
        }
        while !self.is(close) {
            if self.peek().kind == Kind::End && items.is_empty() {
                read(self)?;
            }
            items.push(read(self)?);
        }
        if items.is_empty() {
            return Err(self.error(format!(
                "expected at least one definition, found {}",
                self.peek().shown()
            )));
        }
        self.expect(close)?;
        Ok(items.into())
    }

    fn operation(&mut self) -> Result<Value> {
        let position = self.position();
        let mut fields: Fields = vec![("Name", "".into())];
        if self.is("{") {
            fields.push(("Operation", "query".into()));
        } else {
            fields.push(("Operation", self.bump().value.into()));
            if self.peek().kind == Kind::Name {
                fields[0].1 = self.name()?;
            }
            fields.push(("VariableDefinitions", self.variables()?));
            fields.push(("Directives", self.directives()?));
        }
        fields.push(("SelectionSet", self.required_selections()?));
        Ok(node(position, fields))
    }

    fn variables(&mut self) -> Result<Value> {
        self.some("(", ")", |p| {
            let position = p.position();
            p.expect("$")?;
            let mut fields = vec![("Variable", p.name()?)];
            p.expect(":")?;
            fields.push(("Type", p.type_reference()?));
            if p.eat("=") {
                fields.push(("DefaultValue", p.value()?));
            }
            fields.push(("Directives", p.directives()?));
            fields.push(("Used", false.into()));
            Ok(node(position, fields))
        })
    }

    fn required_selections(&mut self) -> Result<Value> {
        if !self.is("{") {
            return Err(self.error(format!("Expected {{, found {}", self.peek().shown())));
        }
        self.selections()
    }

    fn selections(&mut self) -> Result<Value> {
        self.nested(|p| p.some("{", "}", Self::selection))
    }

    fn selection(&mut self) -> Result<Value> {
        let position = self.position();
        if !self.eat("...") {
            let first = self.name()?;
            let mut fields = vec![("Alias", first.clone()), ("Name", first)];
            if self.eat(":") {
                fields[1].1 = self.name()?;
            }
            fields.push(("Arguments", self.arguments()?));
            fields.push(("Directives", self.directives()?));
            if self.is("{") {
                fields.push(("SelectionSet", self.selections()?));
            }
            return Ok(node(position, fields));
        }
        if self.peek().kind == Kind::Name && !self.is_keyword("on") {
            let fields = vec![("Name", self.name()?), ("Directives", self.directives()?)];
            return Ok(node(position, fields));
        }
        let mut fields = vec![("TypeCondition", "".into())];
        if self.is_keyword("on") {
            self.bump();
            fields[0].1 = self.name()?;
        }
        fields.push(("Directives", self.directives()?));
        fields.push(("SelectionSet", self.required_selections()?));
        Ok(node(position, fields))
    }

    fn fragment(&mut self) -> Result<Value> {
        let position = self.position();
        self.bump();
        if self.is_keyword("on") {
            return Err(self.unexpected());
        }
        let mut fields = vec![("Name", self.name()?), ("VariableDefinition", self.variables()?)];
        self.keyword("on")?;
        fields.push(("TypeCondition", self.name()?));
        fields.push(("Directives", self.directives()?));
        fields.push(("SelectionSet", self.required_selections()?));
        Ok(node(position, fields))
    }

    fn arguments(&mut self) -> Result<Value> {
        self.some("(", ")", |p| {
            let position = p.position();
            let name = p.name()?;
            p.expect(":")?;
            Ok(node(position, vec![("Name", name), ("Value", p.value()?)]))
        })
    }

    fn directives(&mut self) -> Result<Value> {
        let mut out = Vec::new();
        while self.is("@") {
            let position = self.position();
            self.bump();
            let fields = vec![
                ("Name", self.name()?),
                ("Arguments", self.arguments()?),
                ("Location", "".into()),
            ];
            out.push(node(position, fields));
        }
        Ok(out.into())
    }

    fn value(&mut self) -> Result<Value> {
        self.nested(|p| {
            let position = p.position();
            let mut children = Vec::new();
            let token = p.bump();
            let (kind, raw): (i64, String) = match (token.kind, &*token.value) {
                (Kind::Symbol("$"), _) => (0, p.name()?.as_str().unwrap_or_default().to_owned()),
                (Kind::Int, _) => (1, token.value),
                (Kind::Float, _) => (2, token.value),
                (Kind::String, _) => (3, token.value),
                (Kind::Block, _) => (4, token.value),
                (Kind::Name, "true" | "false") => (5, token.value),
                (Kind::Name, "null") => (6, token.value),
                (Kind::Name, _) => (7, token.value),
                (Kind::Symbol("["), _) => {
                    while !p.eat("]") {
                        let value = p.value()?;
                        children.push(Value::record([("Name", "".into()), ("Value", value)]));
                    }
                    (8, String::new())
                }
                (Kind::Symbol("{"), _) => {
                    while !p.eat("}") {
                        let position = p.position();
                        let name = p.name()?;
                        p.expect(":")?;
                        children.push(node(position, vec![("Name", name), ("Value", p.value()?)]));
                    }
                    (9, String::new())
                }
                _ => {
                    p.at -= 1;
                    return Err(p.unexpected());
                }
            };
            let fields = vec![
                ("Raw", raw.into()),
                ("Kind", kind.into()),
                ("Children", children.into()),
                ("ExpectedTypeHasDefault", false.into()),
            ];
            Ok(node(position, fields))
        })
    }

    fn type_reference(&mut self) -> Result<Value> {
        self.nested(|p| {
            let position = p.position();
            let mut fields: Fields = vec![("NamedType", "".into())];
            if p.eat("[") {
                fields.push(("Elem", p.type_reference()?));
                p.expect("]")?;
            } else {
                fields[0].1 = p.name()?;
            }
            fields.push(("NonNull", p.eat("!").into()));
            Ok(node(position, fields))
        })
    }

    fn description(&mut self) -> String {
        if matches!(self.peek().kind, Kind::String | Kind::Block) {
            self.bump().value
        } else {
            String::new()
        }
    }

    fn operation_types(&mut self) -> Result<Value> {
        self.some("{", "}", |p| {
            let position = p.position();
            if !["query", "mutation", "subscription"]
                .iter()
                .any(|word| p.is_keyword(word))
            {
                return Err(p.unexpected());
            }
            let operation = p.name()?;
            p.expect(":")?;
            Ok(node(position, vec![("Operation", operation), ("Type", p.name()?)]))
        })
    }

    fn schema_definition(&mut self, description: String) -> Result<Value> {
        let position = self.position();
        self.bump();
        let fields = vec![
            ("Description", description.into()),
            ("Directives", self.directives()?),
            ("OperationTypes", self.operation_types()?),
        ];
        Ok(node(position, fields))
    }

    fn schema_extension(&mut self) -> Result<Value> {
        let position = self.position();
        self.bump();
        let directives = self.directives()?;
        let types = self.operation_types()?;
        let empty = |value: &Value| value.as_array().is_none_or(<[Value]>::is_empty);
        if empty(&directives) && empty(&types) {
            return Err(self.unexpected());
        }
        Ok(node(
            position,
            vec![
                ("Description", "".into()),
                ("Directives", directives),
                ("OperationTypes", types),
            ],
        ))
    }

    fn definition(&mut self, description: String, extension: bool) -> Result<Value> {
        let position = self.position();
        let kind = match (self.peek().kind, &*self.peek().value) {
            (Kind::Name, "scalar") => "SCALAR",
            (Kind::Name, "type") => "OBJECT",
            (Kind::Name, "interface") => "INTERFACE",
            (Kind::Name, "union") => "UNION",
            (Kind::Name, "enum") => "ENUM",
            (Kind::Name, "input") => "INPUT_OBJECT",
            _ => return Err(self.unexpected()),
        };
        self.bump();
        let mut fields: Fields = vec![
            ("Kind", kind.into()),
            ("Description", description.into()),
            ("Name", self.definition_name()?),
            ("BuiltIn", false.into()),
        ];
        let before = self.at;
        if matches!(kind, "OBJECT" | "INTERFACE") {
            fields.push(("Interfaces", self.interfaces()?));
        }
        fields.push(("Directives", self.directives()?));
        match kind {
            "OBJECT" | "INTERFACE" => fields.push(("Fields", self.some("{", "}", Self::field_definition)?)),
            "INPUT_OBJECT" => fields.push(("Fields", self.some("{", "}", Self::input_field)?)),
            "ENUM" => fields.push(("EnumValues", self.some("{", "}", Self::enum_value)?)),
            "UNION" => fields.push(("Types", self.union_members()?)),
            _ => {}
        }
        if extension && self.at == before {
            return Err(self.unexpected());
        }
        Ok(node(position, fields))
    }

    /// A description in the place of a name is named itself in the message.
    fn definition_name(&mut self) -> Result<Value> {
        if matches!(self.peek().kind, Kind::String | Kind::Block) {
            return Err(self.unexpected());
        }
        self.name()
    }

    fn interfaces(&mut self) -> Result<Value> {
        let mut out = Vec::new();
        if self.is_keyword("implements") {
            self.bump();
            self.eat("&");
            out.push(self.name()?);
            while self.eat("&") {
                out.push(self.name()?);
            }
        }
        Ok(out.into())
    }

    fn union_members(&mut self) -> Result<Value> {
        let mut out = Vec::new();
        if self.eat("=") {
            self.eat("|");
            out.push(self.name()?);
            while self.eat("|") {
                out.push(self.name()?);
            }
        }
        Ok(out.into())
    }

    fn field_definition(&mut self) -> Result<Value> {
        let position = self.position();
        let mut fields: Fields = vec![("Description", self.description().into()), ("Name", self.name()?)];
        fields.push(("Arguments", self.some("(", ")", Self::argument_definition)?));
        self.expect(":")?;
        fields.push(("Type", self.type_reference()?));
        fields.push(("Directives", self.directives()?));
        Ok(node(position, fields))
    }

    fn argument_definition(&mut self) -> Result<Value> {
        let position = self.position();
        let mut fields: Fields = vec![("Description", self.description().into()), ("Name", self.name()?)];
        self.expect(":")?;
        fields.push(("Type", self.type_reference()?));
        if self.eat("=") {
            fields.push(("DefaultValue", self.value()?));
        }
        fields.push(("Directives", self.directives()?));
        Ok(node(position, fields))
    }

    fn input_field(&mut self) -> Result<Value> {
        self.argument_definition()
    }

    fn enum_value(&mut self) -> Result<Value> {
        let position = self.position();
        let fields = vec![
            ("Description", self.description().into()),
            ("Name", self.name()?),
            ("Directives", self.directives()?),
        ];
        Ok(node(position, fields))
    }

    fn directive_definition(&mut self, description: String) -> Result<Value> {
        let position = self.position();
        self.bump();
        self.expect("@")?;
        let mut fields: Fields = vec![("Description", description.into()), ("Name", self.name()?)];
        fields.push(("Arguments", self.some("(", ")", Self::argument_definition)?));
        let repeatable = self.is_keyword("repeatable");
        self.at += usize::from(repeatable);
        fields.push(("IsRepeatable", repeatable.into()));
        self.keyword("on")?;
        self.eat("|");
        let mut locations = Vec::new();
        loop {
            if self.peek().kind == Kind::Name && !LOCATIONS.contains(&&*self.peek().value) {
                return Err(self.unexpected());
            }
            locations.push(self.name()?);
            if !self.eat("|") {
                break;
            }
        }
        fields.push(("Locations", locations.into()));
        Ok(node(position, fields))
    }
}
