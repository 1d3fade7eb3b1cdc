//! The part of Go's text/template that adapter rules use, with the delimiters `<<` and `>>`.
//!
//! Source of syntax and meaning: the documentation of Go's `text/template`. There are pipelines, variables,
//! `if`, `range`, `with`, trim markers, comments and the functions that make sense on strings, lists and maps;
//! there are no named templates, methods or calls.

mod evaluate;
mod functions;
mod lex;
mod parse;
mod value;

use thiserror::Error;

pub use value::Value;

/// A template that cannot be read, or not be executed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message} (at character {at} of the template)")]
pub struct TemplateError {
    /// What is wrong.
    pub message: String,
    /// Where, in characters from 1.
    pub at: usize,
}

/// A parsed template.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    nodes: Vec<parse::Node>,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// With the place of what cannot be read.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let items = lex::items(text)?;
        let nodes = parse::nodes(&items)?;
        Ok(Self { nodes })
    }

    /// Executes it on `data`.
    ///
    /// # Errors
    /// When it asks for a field that is not there, or calls a function wrongly.
    pub fn execute(&self, data: &Value) -> Result<String, TemplateError> {
        evaluate::run(&self.nodes, data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data() -> Value {
        Value::record([
            ("Series", Value::from("http_requests_total")),
            ("LabelMatchers", Value::from("namespace=\"a\"")),
            ("LabelValuesByName", Value::map([("namespace", "a"), ("pod", "x|y")])),
            ("GroupBySlice", Value::list(["pod", "container"])),
            ("Empty", Value::from("")),
        ])
    }

    #[track_caller]
    fn check(template: &str, want: &str) {
        let got = Template::parse(template).and_then(|template| template.execute(&data()));
        assert_eq!(got.as_deref(), Ok(want), "{template}");
    }

    #[test]
    fn templates_say_what_go_says() {
        check(
            "sum(<<.Series>>{<<.LabelMatchers>>}) by (x)",
            "sum(http_requests_total{namespace=\"a\"}) by (x)",
        );
        check(
            "<<index .LabelValuesByName \"pod\">>|<<.LabelValuesByName.pod>>",
            "x|y|x|y",
        );
        check(
            "<<index .LabelValuesByName \"none\">>,<<.LabelValuesByName.none>>",
            ",<no value>",
        );
        check(
            "<<.GroupBySlice>> <<.LabelValuesByName>>",
            "[pod container] map[namespace:a pod:x|y]",
        );
        check(
            "<<range $i, $label := .GroupBySlice>><<if $i>>,<<end>><<$label>><<end>>",
            "pod,container",
        );
        check("<<range .GroupBySlice>>(<<.>>)<<end>>", "(pod)(container)");
        check(
            "<<range $key, $value := .LabelValuesByName>><<$key>>=<<$value>>;<<end>>",
            "namespace=a;pod=x|y;",
        );
        check("<<if .Empty>>a<<else if eq .Series \"x\">>b<<else>>c<<end>>", "c");
        check("<<with .Empty>>a<<else>>b<<end>>", "b");
        check(
            "<<with $x := .Series>><<$x>> <<.>><<end>>",
            "http_requests_total http_requests_total",
        );
        check(
            "<<printf \"%q-%s-%d-%v-%%\" \"a\\\"\" .Series 7 true>>",
            "\"a\\\"\"-http_requests_total-7-true-%",
        );
        check("<<.Series | printf \"%s!\" | len>>", "20");
        check("a <<- /* gone */ ->> b <<- \" c\" >>", "ab c");
        check("<<$n := 1>><<if true>><<$n = 2>><<end>><<$n>>", "2");
        check("<<and .Series (not .Empty)>> <<or .Empty \"else\">>", "true else");
        check(
            "<<if and (ge (len .GroupBySlice) 2) (ne .Series \"\") (lt 1 2)>>yes<<end>>",
            "yes",
        );
        check(
            "<<index .GroupBySlice 1>> <<slice .Series 0 4>> <<print 1 2 \"x\" 3>>",
            "container http 1 2x3",
        );
        check("<<range .Empty>>x<<else>>y<<end>>", "y");
        check(
            "<<eq .Series \"a\" \"http_requests_total\">> <<`raw`>> << 'a' >> <<1.5>>",
            "true raw 97 1.5",
        );
    }

    #[test]
    fn what_cannot_be_read_has_a_place() {
        for (template, at) in [
            ("a <<.Series", 3),
            ("<<if .Series>>a", 16),
            ("<<end>>", 3),
            ("<<nofunction 1>>", 3),
            ("<<.Series \"a>>", 11),
            ("<<$x>>", 3),
            ("<<range>>", 8),
            ("<<(.Series>>", 11),
        ] {
            assert_eq!(
                Template::parse(template).map_err(|error| error.at),
                Err(at),
                "{template}"
            );
        }
        for template in [
            "<<.Unknown>>",
            "<<.Series.Field>>",
            "<<index .GroupBySlice 7>>",
            "<<eq 1 \"a\">>",
            "<<len 1>>",
        ] {
            let template_read = Template::parse(template).expect("it can be read");
            assert!(template_read.execute(&data()).is_err(), "{template}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[<>a$.|(\"` 1]{0,40}") {
            if let Ok(template) = Template::parse(&text) {
                let _ = template.execute(&data());
            }
        }

        #[test]
        fn text_without_actions_stays(text in "[^<]{0,40}") {
            let template = Template::parse(&text).unwrap();
            proptest::prop_assert_eq!(template.execute(&data()).unwrap(), text);
        }
    }
}
