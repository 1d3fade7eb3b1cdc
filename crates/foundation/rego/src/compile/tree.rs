//! Which documents and functions there are.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::error::{Code, Error, Errors, Location};
use crate::plan::{GroupId, GroupKind, Node, NodeId, ROOT};
use crate::syntax::ast::{Module, Rule, Span};
use crate::value::Value;

/// Names of a module that stand for something elsewhere: rules of its package, and imports.
/// The path starts with the root's name.
pub(crate) type Globals = HashMap<Arc<str>, Vec<Value>>;

/// The rules by path, before their bodies are read.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    pub(crate) nodes: Vec<Node>,
    pub(crate) groups: Vec<GroupShape>,
    pub(crate) globals: Vec<Globals>,
    pub(crate) files: Vec<Arc<str>>,
}

/// What is known of a group from its heads.
#[derive(Debug)]
pub(crate) struct GroupShape {
    pub(crate) path: Vec<Value>,
    pub(crate) kind: GroupKind,
    pub(crate) arity: usize,
    pub(crate) set: bool,
    pub(crate) node: NodeId,
    /// Module and rule numbers, in order.
    pub(crate) rules: Vec<(u32, u32)>,
}

impl Tree {
    /// The node at the end of `path`, which does not name `data` itself.
    pub(crate) fn node(&self, path: &[Value]) -> Option<NodeId> {
        path.iter()
            .try_fold(ROOT, |node, key| self.nodes[node as usize].children.get(key).copied())
    }

    pub(crate) fn group_at(&self, path: &[Value]) -> Option<GroupId> {
        self.nodes[self.node(path)? as usize].group
    }

    fn make(&mut self, path: &[Value]) -> NodeId {
        let mut node = ROOT;
        for key in path {
            let next = self.nodes.len() as NodeId;
            let children = &mut self.nodes[node as usize].children;
            node = *children.entry(key.clone()).or_insert(next);
            if node == next {
                self.nodes.push(Node::default());
            }
        }
        node
    }
}

/// A package's path, without `data`.
pub(crate) fn package_path(module: &Module) -> Vec<Value> {
    module
        .package
        .iter()
        .filter_map(|t| t.as_var().or(t.as_string()))
        .map(|s| Value::String(s.clone()))
        .collect()
}

/// How many steps of a head are constants, the name included.
pub(super) fn ground_len(rule: &Rule) -> usize {
    1 + rule.head.path[1..]
        .iter()
        .take_while(|t| t.constant().is_some())
        .count()
}

fn ground_path(module: &Module, rule: &Rule) -> Vec<Value> {
    let mut path = package_path(module);
    path.extend(rule.head.path[0].as_var().map(|s| Value::String(s.clone())));
    path.extend(rule.head.path[1..ground_len(rule)].iter().filter_map(|t| t.constant()));
    path
}

pub(super) fn error_at(module: &Module, span: Span, code: Code, message: impl Into<String>) -> Error {
    Error::new(code, message).at(Location {
        file: module.file.clone(),
        row: span.row,
        col: span.col,
    })
}

/// `data.a["b c"]`.
pub(crate) fn data_path(path: &[Value]) -> String {
    let mut out = String::from("data");
    for key in path {
        match key {
            Value::String(s)
                if s.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
                    && s.chars().next().is_some_and(|c| !c.is_ascii_digit()) =>
            {
                out.push('.');
                out.push_str(s);
            }
            other => out.push_str(&format!("[{other}]")),
        }
    }
    out
}

pub(super) fn build(modules: &[Module]) -> Result<Tree, Errors> {
    let mut tree = Tree {
        nodes: vec![Node::default()],
        ..Tree::default()
    };
    let mut errors = Vec::new();
    let mut seen: BTreeMap<Vec<Value>, GroupId> = BTreeMap::new();
    for (m, module) in modules.iter().enumerate() {
        tree.files.push(module.file.clone());
        tree.make(&package_path(module));
        for (r, rule) in module.rules.iter().enumerate() {
            let path = ground_path(module, rule);
            let partial = rule.head.member.is_some() || ground_len(rule) < rule.head.path.len();
            let kind = match &rule.head.args {
                // Without parameters it is a document, which may be called.
                Some(args) if !args.is_empty() => GroupKind::Function,
                _ if partial => GroupKind::Partial,
                _ => GroupKind::Complete,
            };
            let arity = rule.head.args.as_ref().map_or(0, Vec::len);
            let set = rule.head.member.is_some() && ground_len(rule) == rule.head.path.len();
            let group = *seen.entry(path.clone()).or_insert_with(|| {
                let node = tree.make(&path);
                let id = tree.groups.len() as GroupId;
                tree.nodes[node as usize].group = Some(id);
                tree.groups.push(GroupShape {
                    path: path.clone(),
                    kind,
                    arity,
                    set,
                    node,
                    rules: Vec::new(),
                });
                id
            });
            let shape = &mut tree.groups[group as usize];
            if shape.kind != kind || shape.arity != arity || shape.set != set {
                let message = format!("conflicting rules {} found", data_path(&path));
                errors.push(error_at(module, rule.span, Code::Type, message));
                continue;
            }
            if rule.default
                && shape
                    .rules
                    .iter()
                    .any(|&(m, r)| modules[m as usize].rules[r as usize].default)
            {
                let message = format!("multiple default rules {} found", data_path(&path));
                errors.push(error_at(module, rule.span, Code::Type, message));
                continue;
            }
            shape.rules.push((m as u32, r as u32));
        }
    }
    for shape in &tree.groups {
        let node = &tree.nodes[shape.node as usize];
        if shape.kind != GroupKind::Partial && !node.children.is_empty() {
            let (m, r) = shape.rules[0];
            let module = &modules[m as usize];
            let message = format!(
                "rule {} conflicts with {}",
                data_path(&shape.path),
                children(&tree, shape)
            );
            errors.push(error_at(module, module.rules[r as usize].span, Code::Type, message));
        }
    }
    let mut names: HashMap<Vec<Value>, Vec<Arc<str>>> = HashMap::new();
    for module in modules {
        let names = names.entry(package_path(module)).or_default();
        names.extend(
            module
                .rules
                .iter()
                .filter_map(|rule| rule.head.path[0].as_var().cloned()),
        );
    }
    tree.globals = modules.iter().map(|module| globals(module, &names)).collect();
    if errors.is_empty() {
        Ok(tree)
    } else {
        Err(Errors(errors))
    }
}

fn children(tree: &Tree, shape: &GroupShape) -> String {
    let node = &tree.nodes[shape.node as usize];
    let paths: Vec<String> = node
        .children
        .keys()
        .map(|key| data_path(&[&shape.path[..], std::slice::from_ref(key)].concat()))
        .collect();
    format!("[{}]", paths.join(" "))
}

fn globals(module: &Module, names: &HashMap<Vec<Value>, Vec<Arc<str>>>) -> Globals {
    let mut globals = Globals::new();
    let package = package_path(module);
    for name in names.get(&package).into_iter().flatten() {
        let path = std::iter::once("data".into()).chain(package.iter().cloned());
        globals.insert(name.clone(), path.chain([Value::String(name.clone())]).collect());
    }
    for import in &module.imports {
        let root = import.path[0].as_var().cloned().unwrap_or_default();
        if matches!(&*root, "future" | "rego") {
            continue;
        }
        let path: Vec<Value> = import
            .path
            .iter()
            .filter_map(|t| t.as_var().or(t.as_string()))
            .map(|s| Value::String(s.clone()))
            .collect();
        let last = path.last().and_then(Value::as_str).unwrap_or_default();
        let name = import.alias.clone().unwrap_or_else(|| last.into());
        globals.insert(name, path);
    }
    globals
}
