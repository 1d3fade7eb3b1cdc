//! Queries against a schema: the validation rules of the specification's section 5.

use std::collections::{BTreeMap, BTreeSet};

use super::schema::{Definition, Schema};
use super::{Problem, flag, get, list, text, type_name, type_text};
use crate::value::Value;

struct Checker<'a> {
    schema: &'a Schema,
    fragments: BTreeMap<&'a str, &'a Value>,
    problems: Vec<Problem>,
    /// Variables of the operation that is being walked.
    variables: BTreeMap<&'a str, &'a Value>,
    used: BTreeSet<&'a str>,
    spread: BTreeSet<&'a str>,
    undefined_is_error: bool,
}

/// The first problem of a query; none if it is valid.
pub(crate) fn validate(schema: &Schema, document: &Value) -> Result<(), Problem> {
    let mut checker = Checker {
        schema,
        fragments: list(document, "Fragments")
            .iter()
            .map(|node| (text(node, "Name"), node))
            .collect(),
        problems: Vec::new(),
        variables: BTreeMap::new(),
        used: BTreeSet::new(),
        spread: BTreeSet::new(),
        undefined_is_error: true,
    };
    checker.document(document);
    checker.problems.into_iter().next().map_or(Ok(()), Err)
}

impl<'a> Checker<'a> {
    fn fail(&mut self, node: &Value, message: impl Into<String>) {
        self.problems.push(Problem::at(node, message));
    }

    fn document(&mut self, document: &'a Value) {
        let operations = list(document, "Operations");
        let mut names = BTreeSet::new();
        for operation in operations {
            let name = text(operation, "Name");
            if name.is_empty() && operations.len() > 1 {
                self.fail(
                    operation,
                    "This anonymous operation must be the only defined operation.",
                );
            }
            if !name.is_empty() && !names.insert(name) {
                self.fail(operation, format!("There can be only one operation named {name:?}."));
            }
        }
        let mut names = BTreeSet::new();
        for fragment in list(document, "Fragments") {
            let name = text(fragment, "Name");
            if !names.insert(name) {
                self.fail(fragment, format!("There can be only one fragment named {name:?}."));
            }
            self.fragment(fragment);
        }
        for operation in operations {
            self.operation(operation);
        }
        for fragment in list(document, "Fragments") {
            let name = text(fragment, "Name");
            if !self.spread.contains(name) {
                self.fail(fragment, format!("Fragment {name:?} is never used."));
            }
        }
    }

    fn operation(&mut self, operation: &'a Value) {
        let kind = text(operation, "Operation");
        let Some(root) = self.schema.roots.get(kind).and_then(|name| self.schema.get(name)) else {
            return self.fail(operation, format!("Schema does not support operation type {kind:?}"));
        };
        self.variables.clear();
        self.used.clear();
        for variable in list(operation, "VariableDefinitions") {
            let name = text(variable, "Variable");
            let type_node = get(variable, "Type").unwrap_or(&Value::Null);
            match self.schema.get(type_name(type_node)) {
                None => self.fail(variable, format!("Unknown type {:?}.", type_name(type_node))),
                Some(definition) if !definition.is_input() => {
                    let message = format!(
                        "Variable \"${name}\" cannot be non-input type \"{}\".",
                        type_text(type_node)
                    );
                    self.fail(variable, message);
                }
                Some(_) => {
                    if let Some(value) = get(variable, "DefaultValue") {
                        self.value(value, type_node);
                    }
                }
            }
            if self.variables.insert(name, variable).is_some() {
                self.fail(variable, format!("There can be only one variable named \"${name}\"."));
            }
            self.directives(list(variable, "Directives"), "VARIABLE_DEFINITION");
        }
        let location = kind.to_uppercase();
        self.directives(list(operation, "Directives"), &location);
        if kind == "subscription" && list(operation, "SelectionSet").len() > 1 {
            let node = &list(operation, "SelectionSet")[1];
            let name = text(operation, "Name");
            let message = match name {
                "" => "Anonymous Subscription must select only one top level field.".to_owned(),
                name => format!("Subscription {name:?} must select only one top level field."),
            };
            self.fail(node, message);
        }
        self.selections(list(operation, "SelectionSet"), root, &mut Vec::new());
        self.overlapping(list(operation, "SelectionSet"), root);
        for variable in list(operation, "VariableDefinitions") {
            let name = text(variable, "Variable");
            if !self.used.contains(name) {
                let message = match text(operation, "Name") {
                    "" => format!("Variable \"${name}\" is never used."),
                    operation => format!("Variable \"${name}\" is never used in operation {operation:?}."),
                };
                self.fail(variable, message);
            }
        }
    }

    fn fragment(&mut self, fragment: &'a Value) {
        let condition = text(fragment, "TypeCondition");
        self.directives(list(fragment, "Directives"), "FRAGMENT_DEFINITION");
        match self.schema.get(condition) {
            None => self.fail(fragment, format!("Unknown type {condition:?}.")),
            Some(definition) if !definition.is_composite() => {
                let name = text(fragment, "Name");
                let message = format!("Fragment {name:?} cannot condition on non composite type {condition:?}.");
                self.fail(fragment, message);
            }
            // The body is walked where it is spread, with the variables of the operation; here
            // for itself, without them.
            Some(definition) => {
                self.undefined_is_error = false;
                let before = self.spread.clone();
                self.selections(
                    list(fragment, "SelectionSet"),
                    definition,
                    &mut vec![text(fragment, "Name")],
                );
                self.spread = before;
                self.undefined_is_error = true;
            }
        }
    }

    fn selections(&mut self, selections: &'a [Value], parent: &'a Definition, path: &mut Vec<&'a str>) {
        for selection in selections {
            if get(selection, "Alias").is_some() {
                self.field(selection, parent, path);
            } else if get(selection, "TypeCondition").is_some() || get(selection, "SelectionSet").is_some() {
                self.inline_fragment(selection, parent, path);
            } else {
                self.fragment_spread(selection, parent, path);
            }
        }
    }

    fn field(&mut self, field: &'a Value, parent: &'a Definition, path: &mut Vec<&'a str>) {
        let name = text(field, "Name");
        let parent_name = text(&parent.node, "Name");
        self.directives(list(field, "Directives"), "FIELD");
        let is_query = self.schema.roots.get("query").is_some_and(|root| root == parent_name);
        let definition = match name {
            "__typename" => return,
            "__schema" | "__type" if is_query => {
                let target = if name == "__schema" { "__Schema" } else { "__Type" };
                if let Some(target) = self.schema.get(target) {
                    self.selections(list(field, "SelectionSet"), target, path);
                }
                return;
            }
            _ => parent.field(name),
        };
        let Some(definition) = definition else {
            return self.fail(field, format!("Cannot query field {name:?} on type {parent_name:?}."));
        };
        self.arguments(
            field,
            definition,
            &format!("Field {name:?}"),
            &format!("{parent_name}.{name}"),
        );
        let type_node = get(definition, "Type").unwrap_or(&Value::Null);
        let Some(target) = self.schema.get(type_name(type_node)) else {
            return;
        };
        let selections = list(field, "SelectionSet");
        if target.is_composite() && selections.is_empty() {
            let message = format!(
                "Field {name:?} of type \"{}\" must have a selection of subfields. Did you mean \"{name} {{ ... }}\"?",
                type_text(type_node)
            );
            return self.fail(field, message);
        }
        if !target.is_composite() && !selections.is_empty() {
            let message = format!(
                "Field {name:?} must not have a selection since type \"{}\" has no subfields.",
                type_text(type_node)
            );
            return self.fail(field, message);
        }
        self.selections(selections, target, path);
    }

    fn inline_fragment(&mut self, node: &'a Value, parent: &'a Definition, path: &mut Vec<&'a str>) {
        self.directives(list(node, "Directives"), "INLINE_FRAGMENT");
        let condition = text(node, "TypeCondition");
        if condition.is_empty() {
            return self.selections(list(node, "SelectionSet"), parent, path);
        }
        let Some(target) = self.schema.get(condition) else {
            return self.fail(node, format!("Unknown type {condition:?}."));
        };
        if !target.is_composite() {
            return self.fail(
                node,
                format!("Fragment cannot condition on non composite type {condition:?}."),
            );
        }
        if !self.may_be(parent, target) {
            let message = format!(
                "Fragment cannot be spread here as objects of type {:?} can never be of type {condition:?}.",
                text(&parent.node, "Name")
            );
            self.fail(node, message);
        }
        self.selections(list(node, "SelectionSet"), target, path);
    }

    fn fragment_spread(&mut self, node: &'a Value, parent: &'a Definition, path: &mut Vec<&'a str>) {
        self.directives(list(node, "Directives"), "FRAGMENT_SPREAD");
        let name = text(node, "Name");
        let Some(fragment) = self.fragments.get(name).copied() else {
            return self.fail(node, format!("Unknown fragment {name:?}."));
        };
        self.spread.insert(name);
        if path.contains(&name) {
            return self.fail(node, format!("Cannot spread fragment {name:?} within itself."));
        }
        let condition = text(fragment, "TypeCondition");
        let Some(target) = self.schema.get(condition) else {
            return;
        };
        if !self.may_be(parent, target) {
            let message = format!(
                "Fragment {name:?} cannot be spread here as objects of type {:?} can never be of type {condition:?}.",
                text(&parent.node, "Name")
            );
            self.fail(node, message);
        }
        // What is wrong within has been told when the fragment was checked for itself; here the
        // walk only finds the variables that the operation has to bring.
        let before = self.problems.len();
        path.push(name);
        self.selections(list(fragment, "SelectionSet"), target, path);
        path.pop();
        if !self.undefined_is_error {
            self.problems.truncate(before);
        }
    }

    fn may_be(&self, parent: &Definition, target: &Definition) -> bool {
        let parent = self.schema.possible(text(&parent.node, "Name"));
        let target = self.schema.possible(text(&target.node, "Name"));
        !parent.is_disjoint(&target)
    }

    fn arguments(&mut self, node: &'a Value, definition: &'a Value, what: &str, full: &str) {
        let mut seen = BTreeSet::new();
        for argument in list(node, "Arguments") {
            let name = text(argument, "Name");
            if !seen.insert(name) {
                self.fail(argument, format!("There can be only one argument named {name:?}."));
            }
            let wanted = list(definition, "Arguments")
                .iter()
                .find(|known| text(known, "Name") == name);
            match (wanted, get(argument, "Value")) {
                (None, _) => {
                    let on = if what.starts_with("Directive") {
                        "directive"
                    } else {
                        "field"
                    };
                    self.fail(argument, format!("Unknown argument {name:?} on {on} {full:?}."));
                }
                (Some(wanted), Some(value)) => {
                    let has_default = get(wanted, "DefaultValue").is_some();
                    if let Some(type_node) = get(wanted, "Type") {
                        self.value_in(value, type_node, has_default);
                    }
                }
                _ => {}
            }
        }
        for wanted in list(definition, "Arguments") {
            let Some(type_node) = get(wanted, "Type") else { continue };
            let required = flag(type_node, "NonNull") && get(wanted, "DefaultValue").is_none_or(|v| *v == Value::Null);
            let name = text(wanted, "Name");
            if required && !list(node, "Arguments").iter().any(|given| text(given, "Name") == name) {
                let message = format!(
                    "{what} argument {name:?} of type \"{}\" is required, but it was not provided.",
                    type_text(type_node)
                );
                self.fail(node, message);
            }
        }
    }

    fn directives(&mut self, directives: &'a [Value], location: &str) {
        let mut seen = BTreeSet::new();
        for node in directives {
            let name = text(node, "Name");
            let Some(definition) = self.schema.directives.get(name) else {
                self.fail(node, format!("Unknown directive \"@{name}\"."));
                continue;
            };
            if !list(definition, "Locations")
                .iter()
                .any(|known| known.as_str() == Some(location))
            {
                self.fail(node, format!("Directive \"@{name}\" may not be used on {location}."));
            }
            if !seen.insert(name) && !flag(definition, "IsRepeatable") {
                self.fail(
                    node,
                    format!("The directive \"@{name}\" can only be used once at this location."),
                );
            }
            self.arguments(node, definition, &format!("Directive \"@{name}\""), &format!("@{name}"));
        }
    }

    fn value(&mut self, value: &'a Value, type_node: &'a Value) {
        self.value_in(value, type_node, false);
    }

    fn value_in(&mut self, value: &'a Value, type_node: &'a Value, has_default: bool) {
        let kind = get(value, "Kind")
            .and_then(|kind| kind.as_number()?.as_i64())
            .unwrap_or(6);
        let raw = text(value, "Raw");
        if kind == 0 {
            return self.variable(value, raw, type_node, has_default);
        }
        if kind == 6 {
            if flag(type_node, "NonNull") {
                self.fail(
                    value,
                    format!("Expected value of type \"{}\", found null.", type_text(type_node)),
                );
            }
            return;
        }
        if let Some(element @ Value::Object(_)) = get(type_node, "Elem") {
            if kind == 8 {
                for child in list(value, "Children") {
                    if let Some(child) = get(child, "Value") {
                        self.value(child, element);
                    }
                }
            } else {
                self.value(value, element);
            }
            return;
        }
        let name = text(type_node, "NamedType");
        let Some(definition) = self.schema.get(name) else {
            return;
        };
        let fits = match (&*definition.kind, name, kind) {
            ("SCALAR", "Int", 1) | ("SCALAR", "Float", 1 | 2) | ("SCALAR", "String", 3 | 4) => true,
            ("SCALAR", "Boolean", 5) | ("SCALAR", "ID", 1 | 3 | 4) => true,
            ("SCALAR", "Int" | "Float" | "String" | "Boolean" | "ID", _) => false,
            ("SCALAR", _, _) => true,
            ("ENUM", _, 7) => {
                if definition.values.iter().all(|known| text(known, "Name") != raw) {
                    self.fail(
                        value,
                        format!("Value {raw:?} does not exist in \"{}\" enum.", type_text(type_node)),
                    );
                }
                return;
            }
            ("INPUT_OBJECT", _, 9) => return self.input_object(value, definition),
            _ => false,
        };
        if !fits {
            let shown = shown(value);
            let message = match &*definition.kind {
                "ENUM" => format!(
                    "Enum \"{}\" cannot represent non-enum value: {shown}.",
                    type_text(type_node)
                ),
                "INPUT_OBJECT" => format!("Expected value of type \"{}\", found {shown}.", type_text(type_node)),
                _ => format!("{name} cannot represent value: {shown}"),
            };
            self.fail(value, message);
        }
    }

    fn input_object(&mut self, value: &'a Value, definition: &'a Definition) {
        let name = text(&definition.node, "Name");
        let mut seen = BTreeSet::new();
        for child in list(value, "Children") {
            let field_name = text(child, "Name");
            if !seen.insert(field_name) {
                self.fail(
                    child,
                    format!("There can be only one input field named {field_name:?}."),
                );
            }
            match (definition.field(field_name), get(child, "Value")) {
                (None, _) => {
                    self.fail(child, format!("Field {field_name:?} is not defined by type {name:?}."));
                }
                (Some(field), Some(value)) => {
                    let has_default = get(field, "DefaultValue").is_some();
                    if let Some(type_node) = get(field, "Type") {
                        self.value_in(value, type_node, has_default);
                    }
                }
                _ => {}
            }
        }
        for field in &definition.fields {
            let Some(type_node) = get(field, "Type") else { continue };
            let field_name = text(field, "Name");
            let required = flag(type_node, "NonNull") && get(field, "DefaultValue").is_none_or(|v| *v == Value::Null);
            if required && !seen.contains(field_name) {
                let message = format!(
                    "Field \"{name}.{field_name}\" of required type \"{}\" was not provided.",
                    type_text(type_node)
                );
                self.fail(value, message);
            }
        }
    }

    fn variable(&mut self, node: &'a Value, name: &'a str, type_node: &'a Value, has_default: bool) {
        self.used.insert(name);
        let Some(variable) = self.variables.get(name).copied() else {
            if self.undefined_is_error {
                self.fail(node, format!("Variable \"${name}\" is not defined."));
            }
            return;
        };
        let Some(have) = get(variable, "Type") else { return };
        // A default makes up for a variable that may be null.
        let defaulted = has_default || get(variable, "DefaultValue").is_some_and(|value| *value != Value::Null);
        if !compatible(have, type_node, defaulted) {
            let message = format!(
                "Variable \"${name}\" of type \"{}\" used in position expecting type \"{}\".",
                type_text(have),
                type_text(type_node)
            );
            self.fail(node, message);
        }
    }

    /// Fields of one name in the result have to come from one field with the same arguments.
    fn overlapping(&mut self, selections: &'a [Value], parent: &'a Definition) {
        let mut found: BTreeMap<&str, Vec<(&'a Value, &'a Definition)>> = BTreeMap::new();
        self.collect(selections, parent, &mut found, &mut BTreeSet::new());
        for (alias, fields) in found {
            let (first, first_parent) = fields[0];
            for (other, other_parent) in &fields[1..] {
                let apart = first_parent.kind == "OBJECT"
                    && other_parent.kind == "OBJECT"
                    && text(&first_parent.node, "Name") != text(&other_parent.node, "Name");
                if apart {
                    continue;
                }
                if text(first, "Name") != text(other, "Name") {
                    let message = format!(
                        "Fields {alias:?} conflict because {:?} and {:?} are different fields. Use different aliases on the fields to fetch both if this was intentional.",
                        text(first, "Name"),
                        text(other, "Name")
                    );
                    return self.fail(other, message);
                }
                if arguments_text(first) != arguments_text(other) {
                    let message = format!(
                        "Fields {alias:?} conflict because they have differing arguments. Use different aliases on the fields to fetch both if this was intentional."
                    );
                    return self.fail(other, message);
                }
            }
            for (field, parent) in fields {
                let target = parent
                    .field(text(field, "Name"))
                    .and_then(|definition| get(definition, "Type"));
                if let Some(target) = target.and_then(|node| self.schema.get(type_name(node)))
                    && !list(field, "SelectionSet").is_empty()
                {
                    self.overlapping(list(field, "SelectionSet"), target);
                }
            }
        }
    }

    fn collect(
        &self,
        selections: &'a [Value],
        parent: &'a Definition,
        found: &mut BTreeMap<&'a str, Vec<(&'a Value, &'a Definition)>>,
        seen: &mut BTreeSet<&'a str>,
    ) {
        for selection in selections {
            if get(selection, "Alias").is_some() {
                found
                    .entry(text(selection, "Alias"))
                    .or_default()
                    .push((selection, parent));
                continue;
            }
            let is_inline = get(selection, "TypeCondition").is_some() || get(selection, "SelectionSet").is_some();
            let body = if is_inline {
                Some(selection)
            } else {
                let name = text(selection, "Name");
                self.fragments.get(name).copied().filter(|_| seen.insert(name))
            };
            if let Some(body) = body {
                let target = self.schema.get(text(body, "TypeCondition")).unwrap_or(parent);
                self.collect(list(body, "SelectionSet"), target, found, seen);
            }
        }
    }
}

fn compatible(have: &Value, want: &Value, defaulted: bool) -> bool {
    if flag(want, "NonNull") && !flag(have, "NonNull") && !defaulted {
        return false;
    }
    match (get(have, "Elem"), get(want, "Elem")) {
        (Some(have @ Value::Object(_)), Some(want @ Value::Object(_))) => compatible(have, want, false),
        (Some(Value::Object(_)), _) | (_, Some(Value::Object(_))) => false,
        _ => text(have, "NamedType") == text(want, "NamedType"),
    }
}

fn arguments_text(field: &Value) -> String {
    let mut all: Vec<String> = list(field, "Arguments")
        .iter()
        .map(|argument| {
            format!(
                "{}:{}",
                text(argument, "Name"),
                get(argument, "Value").map(shown).unwrap_or_default()
            )
        })
        .collect();
    all.sort();
    all.join(",")
}

/// A value as it is written.
fn shown(value: &Value) -> String {
    let children = |named: bool| -> String {
        let all: Vec<String> = list(value, "Children")
            .iter()
            .map(|child| {
                let inner = get(child, "Value").map(shown).unwrap_or_default();
                if named {
                    format!("{}:{inner}", text(child, "Name"))
                } else {
                    inner
                }
            })
            .collect();
        all.join(",")
    };
    match get(value, "Kind").and_then(|kind| kind.as_number()?.as_i64()) {
        Some(0) => format!("${}", text(value, "Raw")),
        Some(3 | 4) => format!("{:?}", text(value, "Raw")),
        Some(8) => format!("[{}]", children(false)),
        Some(9) => format!("{{{}}}", children(true)),
        _ => text(value, "Raw").to_owned(),
    }
}
