//! Parameters from the query string and, for POST, the form.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{Method, header};
use promql::matcher::Matcher;
use promql::parser::{ParserOptions, parse_selector};

use super::reply::ApiError;

/// All parameters, in order; those of the form come first, as in Go.
#[derive(Debug, Default)]
pub(super) struct Params(Vec<(String, String)>);

impl<S: Send + Sync> FromRequest<S> for Params {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let mut pairs = Vec::new();
        let query = request.uri().query().unwrap_or("").to_owned();
        let content_type = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        let is_form = content_type.is_some_and(|value| value.starts_with("application/x-www-form-urlencoded"));
        if request.method() == Method::POST && is_form {
            let form = Bytes::from_request(request, state).await;
            let form = form.map_err(|error| ApiError::bad_data(format!("error parsing form values: {error}")))?;
            pairs.extend(form_urlencoded::parse(&form).into_owned());
        }
        pairs.extend(form_urlencoded::parse(query.as_bytes()).into_owned());
        Ok(Params(pairs))
    }
}

/// A duration that the API could not hold in milliseconds is refused.
const SECONDS_MAX: f64 = 9.2e15;

impl Params {
    /// The first value of a parameter; empty counts as absent.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// A time; Unix milliseconds.
    pub(super) fn time_ms(&self, name: &str) -> Result<Option<i64>, ApiError> {
        self.get(name)
            .map(|text| parse_time_ms(text).map_err(|error| ApiError::parameter(name, error)))
            .transpose()
    }

    /// A time that has to be there.
    pub(super) fn required_time_ms(&self, name: &str) -> Result<i64, ApiError> {
        parse_time_ms(self.get(name).unwrap_or("")).map_err(|error| ApiError::parameter(name, error))
    }

    /// A duration; milliseconds.
    pub(super) fn duration_ms(&self, name: &str) -> Result<Option<i64>, ApiError> {
        self.get(name)
            .map(|text| parse_duration_ms(text).map_err(|error| ApiError::parameter(name, error)))
            .transpose()
    }

    /// The duration that a query may take, at most `max`.
    pub(super) fn timeout(&self, max: Duration) -> Result<Duration, ApiError> {
        let milliseconds = self.duration_ms("timeout")?;
        let timeout = milliseconds.map(|milliseconds| Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0)));
        Ok(timeout.unwrap_or(max).min(max))
    }

    /// How many elements at most; absent and 0 mean all.
    pub(super) fn limit(&self) -> Result<usize, ApiError> {
        let Some(text) = self.get("limit") else {
            return Ok(usize::MAX);
        };
        match text.parse::<i64>() {
            Ok(limit) if limit < 0 => Err(ApiError::parameter("limit", "limit must be non-negative")),
            Ok(0) => Ok(usize::MAX),
            Ok(limit) => Ok(usize::try_from(limit).unwrap_or(usize::MAX)),
            Err(_) => Err(ApiError::parameter(
                "limit",
                format!("cannot parse {text:?} to a valid limit"),
            )),
        }
    }

    /// The range of `start` and `end`; absent means without end.
    pub(super) fn range_ms(&self) -> Result<(i64, i64), ApiError> {
        let start = self.time_ms("start")?.unwrap_or(i64::MIN);
        let end = self.time_ms("end")?.unwrap_or(i64::MAX);
        Ok((start, end))
    }

    /// Each `match[]`.
    pub(super) fn selectors(&self) -> Result<Vec<Vec<Matcher>>, ApiError> {
        let texts = self.0.iter().filter(|(key, _)| key == "match[]");
        let parse = |text| parse_selector(text, &ParserOptions::default());
        texts
            .map(|(_, text)| parse(text).map_err(|error| ApiError::parameter("match[]", error)))
            .collect()
    }
}

/// Unix seconds with a fraction, or RFC 3339.
pub(super) fn parse_time_ms(text: &str) -> Result<i64, String> {
    if let Ok(seconds) = text.parse::<f64>()
        && seconds.abs() < SECONDS_MAX
    {
        return Ok((seconds * 1000.0).round() as i64);
    }
    let time: Result<jiff::Timestamp, _> = text.parse();
    time.map(|time| time.as_millisecond())
        .map_err(|_| format!("cannot parse {text:?} to a valid timestamp"))
}

/// Seconds with a fraction, or a Prometheus duration such as `1h30m`.
pub(super) fn parse_duration_ms(text: &str) -> Result<i64, String> {
    if let Ok(seconds) = text.parse::<f64>() {
        if seconds.abs() < SECONDS_MAX {
            return Ok((seconds * 1000.0).round() as i64);
        }
        return Err(format!("cannot parse {text:?} to a valid duration. It overflows int64"));
    }
    crate::duration::parse_ms(text).ok_or_else(|| format!("cannot parse {text:?} to a valid duration"))
}
