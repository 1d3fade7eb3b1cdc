//! A place in an object and what was found wrong so far.

use serde_json::{Value, json};

use crate::quantity::Quantity;
use crate::selector::LabelSelector;
use crate::status::Cause;

const NULL: &Value = &Value::Null;

/// A value, the path to it, and the causes found at and below it.
pub(super) struct Check<'a> {
    pub(super) value: &'a Value,
    path: String,
    causes: Vec<Cause>,
}

impl<'a> Check<'a> {
    pub(super) fn root(value: &'a Value) -> Self {
        Check {
            value,
            path: String::new(),
            causes: Vec::new(),
        }
    }

    pub(super) fn into_causes(self) -> Vec<Cause> {
        self.causes
    }

    /// The path of a field here.
    pub(super) fn path(&self, field: &str) -> String {
        match (&*self.path, field) {
            ("", field) => field.to_owned(),
            (path, "") => path.to_owned(),
            (path, field) => format!("{path}.{field}"),
        }
    }

    /// The value at a dotted path below, null where there is none.
    pub(super) fn get(&self, field: &str) -> &'a Value {
        field
            .split('.')
            .filter(|key| !key.is_empty())
            .try_fold(self.value, |value, key| value.get(key))
            .unwrap_or(NULL)
    }

    pub(super) fn text(&self, field: &str) -> &'a str {
        self.get(field).as_str().unwrap_or_default()
    }

    pub(super) fn has(&self, field: &str) -> bool {
        !self.get(field).is_null()
    }

    pub(super) fn push(&mut self, cause: Cause) {
        self.causes.push(cause);
    }

    pub(super) fn required(&mut self, field: &str, detail: &str) {
        let path = self.path(field);
        self.push(Cause::required(path, detail));
    }

    pub(super) fn invalid(&mut self, field: &str, detail: &str) {
        let path = self.path(field);
        // What is absent reads as the zero text.
        let absent = json!("");
        let value = Some(self.get(field))
            .filter(|value| !value.is_null())
            .unwrap_or(&absent);
        self.push(Cause::invalid(path, value, detail));
    }

    pub(super) fn invalid_all(&mut self, field: &str, details: Vec<String>) {
        details.iter().for_each(|detail| self.invalid(field, detail));
    }

    pub(super) fn forbidden(&mut self, field: &str, detail: &str) {
        let path = self.path(field);
        self.push(Cause::forbidden(path, detail));
    }

    pub(super) fn duplicate(&mut self, field: &str) {
        let path = self.path(field);
        self.push(Cause::duplicate(path, self.get(field)));
    }

    pub(super) fn not_supported(&mut self, field: &str, supported: &[&str]) {
        let path = self.path(field);
        let value = match self.get(field) {
            Value::Null => json!(""),
            value => value.clone(),
        };
        self.push(Cause::not_supported(path, &value, supported));
    }

    /// Checks a value below, where it is there.
    pub(super) fn within(&mut self, field: &str, rule: impl FnOnce(&mut Check<'a>)) {
        if self.has(field) {
            let mut inner = Check {
                value: self.get(field),
                path: self.path(field),
                causes: std::mem::take(&mut self.causes),
            };
            rule(&mut inner);
            self.causes = inner.causes;
        }
    }

    /// Checks a value below as it is, null where it is absent.
    pub(super) fn within_or_null(&mut self, field: &str, rule: impl FnOnce(&mut Check<'a>)) {
        let mut inner = Check {
            value: self.get(field),
            path: self.path(field),
            causes: std::mem::take(&mut self.causes),
        };
        rule(&mut inner);
        self.causes = inner.causes;
    }

    /// Checks each element of a list below.
    pub(super) fn each(&mut self, field: &str, mut rule: impl FnMut(&mut Check<'a>)) {
        for (place, item) in self.get(field).as_array().into_iter().flatten().enumerate() {
            let path = format!("{}[{place}]", self.path(field));
            let mut inner = Check {
                value: item,
                path,
                causes: std::mem::take(&mut self.causes),
            };
            rule(&mut inner);
            self.causes = inner.causes;
        }
    }

    /// A number that is there must not be negative.
    pub(super) fn not_negative(&mut self, field: &str) {
        if self.get(field).as_i64().is_some_and(|number| number < 0) {
            self.invalid(field, "must be greater than or equal to 0");
        }
    }

    /// A text that is there must be one of these.
    pub(super) fn one_of(&mut self, field: &str, supported: &[&str]) {
        if self.get(field).as_str().is_some_and(|text| !supported.contains(&text)) {
            self.not_supported(field, supported);
        }
    }

    /// A port number must be within 1 and 65535.
    pub(super) fn port_number(&mut self, field: &str) {
        if self
            .get(field)
            .as_i64()
            .is_some_and(|number| !(1..=65535).contains(&number))
        {
            self.invalid(field, "must be between 1 and 65535, inclusive");
        }
    }

    /// A port by number or name.
    pub(super) fn port(&mut self, field: &str) {
        match self.get(field) {
            Value::String(name) => {
                let errors = crate::meta::port_name_errors(name);
                self.invalid_all(field, errors);
            }
            _ => self.port_number(field),
        }
    }

    /// A number or a percentage, not negative.
    pub(super) fn int_or_percent(&mut self, field: &str) {
        match self.get(field) {
            Value::String(text) => {
                let digits = text.strip_suffix('%').unwrap_or_default();
                if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                    self.invalid(
                        field,
                        "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', \
                         regex used for validation is '[0-9]+%')",
                    );
                }
            }
            _ => self.not_negative(field),
        }
    }

    /// A quantity must be readable and not negative.
    pub(super) fn quantity(&mut self, field: &str) -> Option<Quantity> {
        let value = self.get(field);
        if value.is_null() {
            return None;
        }
        match Quantity::from_value(value) {
            Ok(quantity) => {
                if quantity.sign() < 0 {
                    self.invalid(field, "must be greater than or equal to 0");
                }
                Some(quantity)
            }
            Err(error) => {
                self.invalid(field, &error.to_string());
                None
            }
        }
    }

    /// A structured selector must be readable.
    pub(super) fn selector(&mut self, field: &str) -> Option<LabelSelector> {
        self.within(field, |selector| {
            for cause in crate::meta::validate_labels(selector.get("matchLabels"), &selector.path("matchLabels")) {
                selector.push(cause);
            }
            selector.each("matchExpressions", |expression| {
                let values = expression.get("values").as_array().map_or(0, Vec::len);
                match expression.text("operator") {
                    "In" | "NotIn" if values == 0 => {
                        expression.required("values", "must be specified when `operator` is 'In' or 'NotIn'");
                    }
                    "Exists" | "DoesNotExist" if values > 0 => {
                        expression.forbidden(
                            "values",
                            "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
                        );
                    }
                    "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
                    _ => expression.invalid("operator", "not a valid selector operator"),
                }
                let errors = crate::meta::label_key_errors(expression.text("key"));
                expression.invalid_all("key", errors);
            });
        });
        LabelSelector::from_value(self.get(field)).ok()
    }
}
