//! The query of a URL, percent-decoded.

use apimachinery::status::Status;

use crate::registry::{DeleteOptions, FieldValidation, ListOptions, Preconditions, Propagation, WriteOptions};

/// The parameters of a request; of one that is given twice the first counts, unless all are asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    /// Reads the part after the question mark.
    pub(crate) fn parse(text: &str) -> Self {
        let pair = |part: &str| {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            (decode(key, Plus::Space), decode(value, Plus::Space))
        };
        Query {
            pairs: text.split('&').filter(|part| !part.is_empty()).map(pair).collect(),
        }
    }

    /// A parameter, empty where it is absent.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.pairs
            .iter()
            .find(|(key, _)| key == name)
            .map_or("", |(_, value)| value)
    }

    /// All values of a parameter.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.pairs
            .iter()
            .filter(move |(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// Whether a parameter is set to true. Source: Go's `strconv.ParseBool`, with the empty value of `?watch` as true.
    pub(crate) fn flag(&self, name: &str) -> bool {
        let value = self
            .pairs
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str());
        matches!(value, Some("" | "1" | "t" | "T" | "true" | "TRUE" | "True"))
    }

    /// A number, 400 where it is something else.
    pub(crate) fn number(&self, name: &str) -> Result<Option<i64>, Status> {
        match self.text(name) {
            "" => Ok(None),
            text => text
                .parse()
                .map(Some)
                .map_err(|_| Status::bad_request(format!("parameter {name}: \"{text}\" is not a whole number"))),
        }
    }

    pub(crate) fn list_options(&self) -> Result<ListOptions, Status> {
        Ok(ListOptions {
            limit: self
                .number("limit")?
                .and_then(|limit| usize::try_from(limit).ok())
                .unwrap_or(0),
            continue_token: self.text("continue").to_owned(),
            resource_version: self.text("resourceVersion").to_owned(),
            resource_version_match: self.text("resourceVersionMatch").to_owned(),
        })
    }

    pub(crate) fn write_options(&self, user_agent: &str) -> Result<WriteOptions, Status> {
        let field_validation = match self.text("fieldValidation") {
            "Strict" => FieldValidation::Strict,
            "Ignore" => FieldValidation::Ignore,
            "" | "Warn" => FieldValidation::Warn,
            other => {
                return Err(Status::bad_request(format!(
                    "fieldValidation: Unsupported value: \"{other}\": supported values: \"Ignore\", \"Strict\", \"Warn\""
                )));
            }
        };
        let field_manager = match self.text("fieldManager") {
            // Source: `managerOrUserAgent` of apiserver: the product of the user agent.
            "" => user_agent
                .split('/')
                .next()
                .unwrap_or_default()
                .chars()
                .take(FIELD_MANAGER_MAX)
                .collect(),
            name => name.to_owned(),
        };
        Ok(WriteOptions {
            dry_run: self.dry_run()?,
            field_manager,
            field_validation,
            force: self.flag("force"),
        })
    }

    fn dry_run(&self) -> Result<bool, Status> {
        match self.text("dryRun") {
            "" => Ok(false),
            "All" => Ok(true),
            other => Err(Status::bad_request(format!(
                "dryRun: Unsupported value: \"{other}\": supported values: \"All\""
            ))),
        }
    }

    /// The options of a delete that come by the query; kubectl sends a body, curl and old clients this.
    pub(crate) fn delete_options(&self) -> Result<DeleteOptions, Status> {
        let propagation = match self.text("propagationPolicy") {
            "" => None,
            word => Some(Propagation::parse(word)?),
        };
        Ok(DeleteOptions {
            dry_run: self.dry_run()?,
            grace_period_seconds: self.number("gracePeriodSeconds")?,
            propagation,
            preconditions: Preconditions::default(),
        })
    }
}

/// Longest name of a field manager, in characters. Source: apimachinery's `FieldManagerMaxLength`.
const FIELD_MANAGER_MAX: usize = 128;

/// What a plus sign stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plus {
    /// A space, in queries.
    Space,
    /// Itself, in paths.
    Itself,
}

/// Decodes `%41`; what is no escape stays as it is.
pub(crate) fn decode(text: &str, plus: Plus) -> String {
    let hex = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut place = 0;
    while place < bytes.len() {
        match (bytes[place], hex(bytes.get(place + 1)), hex(bytes.get(place + 2))) {
            (b'%', Some(high), Some(low)) => {
                // Two hexadecimal digits are below 256.
                plain.push((high * 16 + low) as u8);
                place += 3;
                continue;
            }
            (b'+', ..) if plus == Plus::Space => plain.push(b' '),
            (byte, ..) => plain.push(byte),
        }
        place += 1;
    }
    String::from_utf8_lossy(&plain).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries() {
        let query = Query::parse("labelSelector=app%3Dweb%2Ctier+in+(a)&watch&limit=500&x=1&x=2&odd=%zz");
        assert_eq!(query.text("labelSelector"), "app=web,tier in (a)");
        assert!(query.flag("watch") && !query.flag("absent"));
        assert_eq!(query.number("limit").ok().flatten(), Some(500));
        assert_eq!(query.all("x").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(query.text("odd"), "%zz");
        assert_eq!(decode("a+b%2F", Plus::Itself), "a+b/");
    }
}
