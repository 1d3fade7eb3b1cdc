//! The `eval` command and what it expects.

use std::collections::HashMap;

use regex::Regex;

use super::load::duration_millis;
use super::notation::{SequenceValue, parse_series};
use crate::labels::Labels;
use crate::parser::literals;

/// An `eval` command.
#[derive(Debug)]
pub(super) struct Evaluation {
    pub(super) query: String,
    pub(super) times: Times,
    pub(super) ordered: bool,
    pub(super) fail: Option<Pattern>,
    pub(super) warnings: Remarks,
    pub(super) infos: Remarks,
    pub(super) expected: Expected,
    /// `expect range vector from … to … step …`: the points of an instant query that returns a range vector.
    pub(super) points: Option<Grid>,
}

/// Times in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grid {
    pub(super) start_ms: i64,
    pub(super) end_ms: i64,
    pub(super) step_ms: i64,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Times {
    Instant(i64),
    Range(Grid),
}

/// What a message has to look like.
#[derive(Debug)]
pub(super) enum Pattern {
    Anything,
    Exactly(String),
    Matching(Regex),
}

impl Pattern {
    pub(super) fn matches(&self, text: &str) -> bool {
        match self {
            Pattern::Anything => true,
            Pattern::Exactly(expected) => expected == text,
            Pattern::Matching(regex) => regex.is_match(text),
        }
    }
}

/// What is expected of annotations of one severity.
#[derive(Debug, Default)]
pub(super) struct Remarks {
    pub(super) expected: Vec<Pattern>,
    /// `eval_warn`, `eval_info`: some annotation, whatever it says.
    pub(super) some: bool,
    pub(super) none: bool,
}

#[derive(Debug)]
pub(super) enum Expected {
    Scalar(f64),
    String(String),
    /// Values by series, and the position of the series in an ordered result, from 1.
    Series(HashMap<Labels, (usize, Vec<SequenceValue>)>),
}

impl Evaluation {
    /// Parses a command and the lines below it. Returns how many of these belong to it.
    pub(super) fn parse(command: &str, lines: &[&str]) -> Result<(Self, usize), String> {
        let (word, rest) = split_word(command);
        let modifier = match word {
            "eval" => "",
            _ => word
                .strip_prefix("eval_")
                .ok_or_else(|| format!("unknown command {word:?}"))?,
        };
        let (kind, rest) = split_word(rest);
        let (times, query) = match kind {
            "instant" => instant_times(rest)?,
            "range" => range_times(rest)?,
            _ => return Err("expected: eval instant [at <time>] <query>, or eval range from … to … step …".to_owned()),
        };
        let mut evaluation = Evaluation {
            query: query.to_owned(),
            times,
            ordered: modifier == "ordered",
            fail: (modifier == "fail").then_some(Pattern::Anything),
            warnings: Remarks {
                some: modifier == "warn",
                ..Remarks::default()
            },
            infos: Remarks {
                some: modifier == "info",
                ..Remarks::default()
            },
            expected: Expected::Series(HashMap::new()),
            points: None,
        };
        let mut position = 0;
        for (at, line) in lines.iter().enumerate() {
            if evaluation.expect(line, &mut position)? {
                return Ok((evaluation, at + 1));
            }
        }
        Ok((evaluation, lines.len()))
    }

    /// Takes in one line; true if it is the last one of the command.
    fn expect(&mut self, line: &str, position: &mut usize) -> Result<bool, String> {
        if let Some(message) = line
            .strip_prefix("expected_fail_message")
            .filter(|_| self.fail.is_some())
        {
            self.fail = Some(Pattern::Exactly(message.trim().to_owned()));
            return Ok(true);
        }
        if let Some(pattern) = line
            .strip_prefix("expected_fail_regexp")
            .filter(|_| self.fail.is_some())
        {
            self.fail = Some(Pattern::Matching(compile(pattern.trim())?));
            return Ok(true);
        }
        if let Some(rest) = line.strip_prefix("expect range vector") {
            let (Times::Range(grid), _) = range_times(rest.trim())? else {
                return Err("not a range".to_owned());
            };
            self.points = Some(grid);
            self.times = Times::Instant(grid.end_ms);
            return Ok(false);
        }
        if let Some(rest) = line.strip_prefix("expect string") {
            let text = rest.trim();
            if text.len() < 2 || !text.starts_with(['"', '`']) {
                return Err("expected string literal not valid - a quoted string literal is required".to_owned());
            }
            self.expected = Expected::String(literals::string(text)?);
            return Ok(false);
        }
        if split_word(line).0 == "expect" {
            self.expect_remark(split_word(line).1)?;
            return Ok(false);
        }
        if let Ok(number) = line.parse::<f64>() {
            self.expected = Expected::Scalar(number);
            return Ok(true);
        }
        let description = parse_series(line)?;
        *position += 1;
        if description.values.len() > 1 && matches!(self.times, Times::Instant(_)) && self.points.is_none() {
            return Err("expecting multiple values in instant evaluation not allowed; \
                        consider using 'expect range vector'"
                .to_owned());
        }
        if !matches!(self.expected, Expected::Series(_)) {
            self.expected = Expected::Series(HashMap::new());
        }
        if let Expected::Series(series) = &mut self.expected {
            series.insert(description.labels, (*position, description.values));
        }
        Ok(false)
    }

    fn expect_remark(&mut self, line: &str) -> Result<(), String> {
        let (kind, rest) = split_word(line);
        let rest = rest.trim();
        let pattern = if rest.is_empty() {
            Pattern::Anything
        } else if let Some(message) = rest.strip_prefix("msg:") {
            Pattern::Exactly(message.trim().to_owned())
        } else if let Some(regex) = rest.strip_prefix("regex:") {
            Pattern::Matching(compile(regex.trim())?)
        } else {
            return Err(format!(
                "invalid expect statement {line:?}: expected msg: or regex: behind the type"
            ));
        };
        match kind {
            "fail" => {
                if self.fail.replace(pattern).is_some() {
                    return Err("invalid expect lines, multiple expect fail lines are not allowed".to_owned());
                }
            }
            "ordered" => self.ordered = true,
            "warn" => self.warnings.expected.push(pattern),
            "info" => self.infos.expected.push(pattern),
            "no_warn" => self.warnings.none = true,
            "no_info" => self.infos.none = true,
            _ => return Err(format!("invalid expected error/annotation type {kind}")),
        }
        for (remarks, name) in [(&self.warnings, "warn"), (&self.infos, "info")] {
            if remarks.none && !remarks.expected.is_empty() {
                return Err(format!(
                    "invalid expect lines, {name} and no_{name} cannot be used together"
                ));
            }
        }
        Ok(())
    }
}

fn compile(pattern: &str) -> Result<Regex, String> {
    Regex::new(pattern).map_err(|_| format!("invalid regex {pattern}"))
}

/// The first word and what is behind it.
fn split_word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    let end = text.find([' ', '\t']).unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

/// `at <time> <query>`
fn instant_times(text: &str) -> Result<(Times, &str), String> {
    match split_word(text) {
        ("at", rest) => {
            let (time, query) = split_word(rest);
            Ok((Times::Instant(duration_millis(time)?), query))
        }
        _ => Err("expected: eval instant at <time> <query>".to_owned()),
    }
}

/// `from <time> to <time> step <duration> <query>`
fn range_times(text: &str) -> Result<(Times, &str), String> {
    let mut rest = text;
    let mut times = [0; 3];
    for (slot, keyword) in times.iter_mut().zip(["from", "to", "step"]) {
        let (word, after) = split_word(rest);
        if word != keyword {
            return Err("expected: from <time> to <time> step <duration>".to_owned());
        }
        let (time, after) = split_word(after);
        *slot = duration_millis(time)?;
        rest = after;
    }
    let [start_ms, end_ms, step_ms] = times;
    if end_ms < start_ms {
        return Err("invalid test definition, end timestamp is before start timestamp".to_owned());
    }
    Ok((
        Times::Range(Grid {
            start_ms,
            end_ms,
            step_ms,
        }),
        rest,
    ))
}
