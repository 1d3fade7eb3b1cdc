//! From parser events to documents.

use std::collections::HashMap;

use flyball_core::{Place, Problem};
use granit_parser::{Event, Parser, ScalarStyle, Span};
use serde_json::{Map, Value};

use crate::places::{Document, Read};
use crate::scalar::resolve;

/// How deep nodes may be nested. Real manifests stay below 30.
pub const DEPTH_MAX: usize = 200;
/// How many nodes one file may expand to, aliases counted each time they are used: a "billion laughs" file
/// ends here, a CRD of a megabyte does not.
pub const NODES_MAX: usize = 1_000_000;

/// Reads all documents of a text; `file` is the name that places carry. A JSON text is a YAML text.
///
/// Codes: `FB1001` the text is not YAML, `FB1002` a key stands twice, `FB1003` a limit was reached.
pub fn read(file: &str, text: &str) -> Read {
    let mut builder = Builder {
        file,
        parser: Parser::new_from_str(text),
        anchors: HashMap::new(),
        places: HashMap::new(),
        problems: Vec::new(),
        nodes: 0,
    };
    let mut read = Read::default();
    if let Err(problem) = builder.stream(&mut read.documents) {
        builder.problems.push(problem);
    }
    read.problems = builder.problems;
    read
}

struct Builder<'text> {
    file: &'text str,
    parser: Parser<'text, granit_parser::StrInput<'text>>,
    anchors: HashMap<usize, (Value, usize)>,
    places: HashMap<String, (usize, usize)>,
    problems: Vec<Problem>,
    nodes: usize,
}

impl<'text> Builder<'text> {
    fn stream(&mut self, documents: &mut Vec<Document>) -> Result<(), Problem> {
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => return Ok(()),
                Event::DocumentStart(..) => self.document(documents, &span)?,
                _ => {}
            }
        }
    }

    fn document(&mut self, documents: &mut Vec<Document>, opening: &Span) -> Result<(), Problem> {
        self.places.clear();
        self.anchors.clear();
        let problems_before = self.problems.len();
        let (event, span) = self.next()?;
        if matches!(event, Event::DocumentEnd) {
            return Ok(());
        }
        let value = self.node(event, &span, "", 0)?;
        let places = std::mem::take(&mut self.places);
        let start = if value.is_null() {
            position(opening)
        } else {
            position(&span)
        };
        // A document with a duplicate key is not to be acted on: nobody knows which of the two is meant.
        if !value.is_null() && self.problems.len() == problems_before {
            let file = self.file.to_owned();
            documents.push(Document {
                value,
                file,
                start,
                places,
            });
        }
        Ok(())
    }

    fn next(&mut self) -> Result<(Event<'text>, Span), Problem> {
        loop {
            match self.parser.next_event() {
                Some(Ok((Event::Comment(..), _))) => {}
                Some(Ok(next)) => return Ok(next),
                Some(Err(error)) => {
                    let mark = error.marker();
                    let place = self.place((mark.line(), mark.col() + 1));
                    let hint = "indentation is by spaces, and a text with `: ` or ` #` in it needs quotes";
                    return Err(Problem::new("FB1001", error.info()).at(place).hint(hint));
                }
                None => return Ok((Event::StreamEnd, Span::default())),
            }
        }
    }

    fn node(&mut self, event: Event<'text>, span: &Span, path: &str, depth: usize) -> Result<Value, Problem> {
        self.count(1, span)?;
        if depth > DEPTH_MAX {
            return Err(self.limit(span, format!("nodes are nested deeper than {DEPTH_MAX}")));
        }
        let nodes_before = self.nodes;
        let (value, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let forced_text = tag.as_ref().is_some_and(|tag| tag.is_yaml_core_schema_tag("str"));
                let value = match style {
                    ScalarStyle::Plain if !forced_text => resolve(&text),
                    _ => Value::String(text.into_owned()),
                };
                (value, anchor)
            }
            Event::SequenceStart(_, anchor, _) => (self.sequence(path, depth)?, anchor),
            Event::MappingStart(_, anchor, _) => (self.mapping(path, depth)?, anchor),
            Event::Alias(anchor) => {
                let (value, nodes) = self.anchors.get(&anchor).cloned().unwrap_or((Value::Null, 1));
                self.count(nodes, span)?;
                (value, 0)
            }
            _ => (Value::Null, 0),
        };
        if anchor > 0 {
            let nodes = self.nodes - nodes_before + 1;
            self.anchors.insert(anchor, (value.clone(), nodes));
        }
        Ok(value)
    }

    fn sequence(&mut self, path: &str, depth: usize) -> Result<Value, Problem> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::SequenceEnd | Event::StreamEnd) {
                return Ok(Value::Array(items));
            }
            let item_path = format!("{path}[{}]", items.len());
            self.places.insert(item_path.clone(), position(&span));
            items.push(self.node(event, &span, &item_path, depth + 1)?);
        }
    }

    fn mapping(&mut self, path: &str, depth: usize) -> Result<Value, Problem> {
        let mut fields = Map::new();
        let mut merged = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd | Event::StreamEnd) {
                break;
            }
            let merges = matches!(&event, Event::Scalar(text, ScalarStyle::Plain, ..) if text == "<<");
            let key = key_text(self.node(event, &span, path, depth + 1)?);
            let key_path = join(path, &key);
            let (event, value_span) = self.next()?;
            if merges {
                merged.push(self.node(event, &value_span, path, depth + 1)?);
                continue;
            }
            if fields.contains_key(&key) {
                let first = self.places.get(&key_path).map_or(0, |place| place.0);
                let sentence = format!("the key `{key}` stands twice; the first one is in line {first}");
                let problem = Problem::new("FB1002", sentence).at(self.place(position(&span)));
                self.problems.push(problem.hint("remove one of them"));
            }
            self.places.insert(key_path.clone(), position(&span));
            let value = self.node(event, &value_span, &key_path, depth + 1)?;
            fields.insert(key, value);
        }
        for source in merged {
            merge(&mut fields, source);
        }
        Ok(Value::Object(fields))
    }

    fn count(&mut self, nodes: usize, span: &Span) -> Result<(), Problem> {
        self.nodes = self.nodes.saturating_add(nodes);
        match self.nodes > NODES_MAX {
            true => Err(self.limit(span, format!("the file expands to more than {NODES_MAX} nodes"))),
            false => Ok(()),
        }
    }

    fn limit(&self, span: &Span, sentence: String) -> Problem {
        Problem::new("FB1003", sentence).at(self.place(position(span)))
    }

    fn place(&self, (line, column): (usize, usize)) -> Place {
        let file = self.file.to_owned();
        Place { file, line, column }
    }
}

/// `<<` takes the fields that are not set; of several sources the first one wins.
fn merge(fields: &mut Map<String, Value>, source: Value) {
    match source {
        Value::Object(source) => {
            for (key, value) in source {
                fields.entry(key).or_insert(value);
            }
        }
        Value::Array(sources) => sources.into_iter().for_each(|source| merge(fields, source)),
        _ => {}
    }
}

/// Keys of JSON objects are text; Kubernetes' reader turns numbers and booleans into their text too.
fn key_text(key: Value) -> String {
    match key {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

fn join(path: &str, key: &str) -> String {
    match path {
        "" => key.to_owned(),
        _ => format!("{path}.{key}"),
    }
}

/// Line and column from 1; the parser counts columns from 0.
fn position(span: &Span) -> (usize, usize) {
    (span.start.line(), span.start.col() + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn documents_come_in_order_and_empty_ones_are_left_out() {
        let read = read("a.yaml", "---\n# nothing\n---\nkind: A\n---\n\n---\nkind: B\n...\n");
        assert!(read.problems.is_empty(), "{:?}", read.problems);
        let kinds: Vec<_> = read
            .documents
            .iter()
            .map(|document| document.value["kind"].clone())
            .collect();
        assert_eq!(kinds, [json!("A"), json!("B")]);
        assert_eq!(read.documents[1].start().to_string(), "a.yaml:8:1");
    }

    #[test]
    fn places_are_found_by_path_and_missing_ones_by_their_parent() {
        let text = "spec:\n  containers:\n    - name: web\n      image: web:1\n    - name: other\n";
        let read = read("w.yaml", text);
        let places = [
            ("spec.containers[0].image", "w.yaml:4:7"),
            ("spec.containers[1]", "w.yaml:5:7"),
            ("spec.containers[1].image", "w.yaml:5:7"),
            ("status", "w.yaml:1:1"),
        ];
        for (path, place) in places {
            assert_eq!(read.documents[0].place(path).to_string(), place, "{path}");
        }
    }

    #[test]
    fn a_duplicate_key_is_named_with_both_lines_and_its_document_left_out() {
        let read = read("d.yaml", "a: 1\nb: 2\na: 3\n---\nkind: Good\n");
        assert_eq!(read.documents.len(), 1);
        assert_eq!(
            read.problems[0].to_string(),
            "d.yaml:3:1: the key `a` stands twice; the first one is in line 1 [FB1002]\n  hint: remove one of them"
        );
    }

    #[test]
    fn broken_text_has_a_place_and_what_stands_before_it_is_kept() {
        let read = read("b.yaml", "kind: Good\n---\nkind: [Bad\nspec: x\n");
        assert_eq!(read.documents.len(), 1);
        let place = read.problems[0].place.clone().expect("a place");
        assert_eq!((place.file.as_str(), read.problems[0].code), ("b.yaml", "FB1001"));
        assert!(place.line >= 3, "{place}");
    }

    #[test]
    fn anchors_and_merge_keys_work() {
        let text = "base: &b {x: 1, z: 2}\nuse:\n  <<: *b\n  z: 3\nquoted: 'yes'\n";
        let read = read("m.yaml", text);
        assert_eq!(read.documents[0].value["use"], json!({"z": 3, "x": 1}));
        assert_eq!(read.documents[0].value["quoted"], json!("yes"));
    }

    #[test]
    fn a_billion_laughs_ends_at_the_limit() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let alias = format!("*a{}, ", level - 1).repeat(10);
            text.push_str(&format!("a{level}: &a{level} [{alias}]\n"));
        }
        let read = read("laugh.yaml", &text);
        assert_eq!(read.problems[0].code, "FB1003");
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[ -~\n\t]{0,200}") {
            let _ = read("any.yaml", &text);
        }

        #[test]
        fn json_reads_as_itself(numbers in proptest::collection::vec(-1000i64..1000, 0..5), word in "[a-z]{1,8} [a-z]{1,8}") {
            let value = json!({"numbers": numbers, "text": word, "nested": {"flag": true, "none": null}});
            let read = read("j.json", &value.to_string());
            prop_assert_eq!(&read.documents[0].value, &value);
        }
    }
}
