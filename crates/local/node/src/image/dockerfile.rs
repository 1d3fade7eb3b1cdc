//! A Dockerfile, read: stages, copies, and what the last stage would run. Unknown instructions are skipped, for
//! nothing is built.

use std::collections::HashMap;

/// A file's stages in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dockerfile {
    /// The stages; the last one is the image.
    pub stages: Vec<Stage>,
}

/// One `FROM` and what follows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stage {
    /// The image or stage that it builds on.
    pub base: String,
    /// Its name.
    pub name: Option<String>,
    /// The working directory at the end.
    pub working_directory: String,
    /// `ENV`, expanded.
    pub environment: Vec<(String, String)>,
    /// `COPY` and `ADD`.
    pub copies: Vec<Copy>,
    /// The commands of `RUN`, with the working directory of each.
    pub runs: Vec<(String, String)>,
    /// `EXPOSE`d ports.
    pub ports: Vec<u16>,
    /// `ENTRYPOINT`.
    pub entrypoint: Option<Command>,
    /// `CMD`.
    pub command: Option<Command>,
}

/// A copy into the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copy {
    /// The stage or image that it comes from; none: the build context.
    pub from: Option<String>,
    /// What is copied.
    pub sources: Vec<String>,
    /// Where to, absolute.
    pub destination: String,
}

/// The two forms of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// `["program", "argument"]`.
    Exec(Vec<String>),
    /// A line for the shell.
    Shell(String),
}

impl Dockerfile {
    /// Reads a file. Never fails: a line that makes no sense is one that does nothing.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut file = Dockerfile::default();
        let mut arguments: HashMap<String, String> = HashMap::new();
        for line in logical_lines(text) {
            let (instruction, rest) = line.split_once(char::is_whitespace).unwrap_or((&line, ""));
            let rest = rest.trim();
            match instruction.to_ascii_uppercase().as_str() {
                "FROM" => file.begin_stage(&expand(rest, &arguments)),
                "ARG" => read_argument(rest, &mut arguments),
                other => {
                    if let Some(stage) = file.stages.last_mut() {
                        stage.apply(other, rest, &mut arguments);
                    }
                }
            }
        }
        file
    }

    fn begin_stage(&mut self, rest: &str) {
        let mut words = rest.split_whitespace().filter(|word| !word.starts_with("--"));
        let base = words.next().unwrap_or_default().to_owned();
        let name = words
            .next()
            .filter(|word| word.eq_ignore_ascii_case("as"))
            .and_then(|_| words.next());
        // A stage that builds on another one begins where that one ended.
        let mut stage = self.stage(&base).cloned().unwrap_or_else(|| Stage {
            working_directory: "/".to_owned(),
            ..Stage::default()
        });
        stage.base = base;
        stage.name = name.map(str::to_owned);
        self.stages.push(stage);
    }

    /// A stage by name or number.
    #[must_use]
    pub fn stage(&self, reference: &str) -> Option<&Stage> {
        let named = self.stages.iter().find(|stage| {
            stage
                .name
                .as_deref()
                .is_some_and(|name| name.eq_ignore_ascii_case(reference))
        });
        named.or_else(|| self.stages.get(reference.parse::<usize>().ok()?))
    }
}

impl Stage {
    fn apply(&mut self, instruction: &str, rest: &str, arguments: &mut HashMap<String, String>) {
        let known = |stage: &Stage, arguments: &HashMap<String, String>| {
            let mut all = arguments.clone();
            all.extend(stage.environment.iter().cloned());
            all
        };
        match instruction {
            "WORKDIR" => {
                let path = expand(rest, &known(self, arguments));
                self.working_directory = join(&self.working_directory, &path);
            }
            "ENV" => {
                for (name, value) in pairs(rest) {
                    let value = expand(&value, &known(self, arguments));
                    self.environment.retain(|(own, _)| *own != name);
                    self.environment.push((name, value));
                }
            }
            "COPY" | "ADD" => self.copy(&expand(rest, &known(self, arguments))),
            "RUN" => {
                let line = match command(rest) {
                    Some(Command::Exec(words)) => words.join(" "),
                    Some(Command::Shell(line)) => line,
                    None => return,
                };
                self.runs
                    .push((self.working_directory.clone(), expand(&line, &known(self, arguments))));
            }
            "EXPOSE" => {
                let rest = expand(rest, &known(self, arguments));
                let numbers = rest
                    .split_whitespace()
                    .filter_map(|word| word.split('/').next()?.parse::<u16>().ok());
                self.ports.extend(numbers);
            }
            // Either resets what the base stage's CMD said.
            "ENTRYPOINT" => {
                self.entrypoint = command(rest);
                self.command = None;
            }
            "CMD" => self.command = command(rest),
            _ => {}
        }
    }

    fn copy(&mut self, rest: &str) {
        let (flags, rest) = split_flags(rest);
        let from = flags
            .iter()
            .find_map(|flag| flag.strip_prefix("--from="))
            .map(str::to_owned);
        let mut words: Vec<String> =
            json_words(rest).unwrap_or_else(|| rest.split_whitespace().map(str::to_owned).collect());
        let Some(destination) = words.pop() else {
            return;
        };
        let is_folder = destination.ends_with('/') || destination == "." || words.len() > 1;
        let mut destination = join(&self.working_directory, &destination);
        if is_folder && !destination.ends_with('/') {
            destination.push('/');
        }
        self.copies.push(Copy {
            from,
            sources: words,
            destination,
        });
    }
}

/// Lines with their continuations joined and comments left out; here-documents are skipped.
fn logical_lines(text: &str) -> Vec<String> {
    let escape = text
        .lines()
        .map_while(|line| line.trim().strip_prefix('#'))
        .find_map(|directive| directive.trim().strip_prefix("escape=")?.chars().next())
        .unwrap_or('\\');
    let mut lines = Vec::new();
    let mut current = String::new();
    let mut until: Option<String> = None;
    for line in text.lines() {
        if let Some(end) = &until {
            if line.trim() == end {
                until = None;
            }
            continue;
        }
        let trimmed = line.trim();
        if trimmed.starts_with('#') || trimmed.is_empty() {
            continue;
        }
        match trimmed.strip_suffix(escape) {
            Some(part) => {
                current.push_str(part);
                current.push(' ');
            }
            None => {
                current.push_str(trimmed);
                if let Some((_, mark)) = current.split_once("<<") {
                    let word = mark
                        .trim_start_matches('-')
                        .split_whitespace()
                        .next()
                        .unwrap_or_default();
                    until = Some(word.trim_matches(['"', '\'']).to_owned()).filter(|word| !word.is_empty());
                }
                lines.push(std::mem::take(&mut current));
            }
        }
    }
    if !current.trim().is_empty() {
        lines.push(current);
    }
    lines
}

fn read_argument(rest: &str, arguments: &mut HashMap<String, String>) {
    for (name, value) in pairs(rest) {
        let value = expand(&value, arguments);
        arguments.entry(name).or_insert(value);
    }
}

/// `A=1 B="two words"`, or the old form `A the rest`.
fn pairs(rest: &str) -> Vec<(String, String)> {
    let first = rest.split_whitespace().next().unwrap_or_default();
    if !first.contains('=') {
        return match rest.split_once(char::is_whitespace) {
            Some((name, value)) => vec![(name.to_owned(), value.trim().to_owned())],
            None => Vec::new(),
        };
    }
    words(rest)
        .into_iter()
        .filter_map(|word| {
            word.split_once('=')
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
        })
        .collect()
}

/// Words of a line with quotes taken off.
pub(super) fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let (mut quote, mut begun) = (None, false);
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => {
                quote = Some(c);
                begun = true;
            }
            (None | Some('"'), '\\') => word.extend(chars.next()),
            (None, c) if c.is_whitespace() => {
                if begun || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                    begun = false;
                }
            }
            (_, c) => word.push(c),
        }
    }
    if begun || !word.is_empty() {
        words.push(word);
    }
    words
}

fn split_flags(rest: &str) -> (Vec<&str>, &str) {
    let mut flags = Vec::new();
    let mut rest = rest.trim_start();
    while rest.starts_with("--") {
        let (flag, after) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        flags.push(flag);
        rest = after.trim_start();
    }
    (flags, rest)
}

fn json_words(text: &str) -> Option<Vec<String>> {
    if text.starts_with('[') {
        serde_json::from_str(text).ok()
    } else {
        None
    }
}

fn command(rest: &str) -> Option<Command> {
    let (_, rest) = split_flags(rest);
    if let Some(words) = json_words(rest) {
        return (!words.is_empty()).then_some(Command::Exec(words));
    }
    (!rest.is_empty()).then(|| Command::Shell(rest.to_owned()))
}

/// `$NAME`, `${NAME}`, `${NAME:-default}`; an unknown name is empty, except that it stays for the shell in `RUN`.
fn expand(text: &str, known: &HashMap<String, String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let braced = rest.strip_prefix('{').and_then(|inner| inner.split_once('}'));
        let (name, default, after) = match braced {
            Some((inner, after)) => {
                let (name, default) = inner
                    .split_once(":-")
                    .map_or((inner, None), |(name, text)| (name, Some(text)));
                (name, default, after)
            }
            None => {
                let end = rest
                    .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                    .unwrap_or(rest.len());
                (&rest[..end], None, &rest[end..])
            }
        };
        match known.get(name).map(String::as_str).or(default) {
            Some(value) => out.push_str(value),
            None if braced.is_some() => out.push_str(&format!("${{{name}}}")),
            None => {
                out.push('$');
                out.push_str(name);
            }
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// A path of the image relative to a working directory, without `.` and `..`.
pub(super) fn join(directory: &str, path: &str) -> String {
    let whole = if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("{directory}/{path}")
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in whole.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    let slash = if path.ends_with('/') && !parts.is_empty() {
        "/"
    } else {
        ""
    };
    format!("/{}{slash}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_copies_and_commands_are_read() {
        let file = Dockerfile::parse(
            "# syntax=docker/dockerfile:1\nARG VERSION=1.95\nFROM rust:${VERSION} AS build\nWORKDIR /src\n\
             COPY . .\nRUN cargo build \\\n  # why\n  --release -p web\n\nFROM debian:slim\nARG PORT=8080\n\
             ENV LISTEN=0.0.0.0:$PORT LEVEL=\"very high\"\nENV OLD some words\nWORKDIR app\n\
             COPY --from=build --chown=1 /src/target/release/web /usr/local/bin/\nEXPOSE $PORT 9090/udp\n\
             ENTRYPOINT [\"web\", \"--quiet\"]\nCMD serve --now\n",
        );
        let [build, image] = file.stages.as_slice() else {
            panic!("{file:?}")
        };
        assert_eq!(build.base, "rust:1.95");
        assert_eq!(
            build.runs,
            [("/src".to_owned(), "cargo build  --release -p web".to_owned())]
        );
        assert_eq!(image.working_directory, "/app");
        assert_eq!(
            image.environment,
            [
                ("LISTEN", "0.0.0.0:8080"),
                ("LEVEL", "very high"),
                ("OLD", "some words")
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
        assert_eq!(image.copies[0].destination, "/usr/local/bin/");
        assert_eq!(image.copies[0].from.as_deref(), Some("build"));
        assert_eq!(image.ports, [8080, 9090]);
        assert_eq!(
            image.entrypoint,
            Some(Command::Exec(vec!["web".into(), "--quiet".into()]))
        );
        assert_eq!(image.command, Some(Command::Shell("serve --now".into())));
    }

    #[test]
    fn a_stage_inherits_from_the_stage_that_it_builds_on() {
        let file =
            Dockerfile::parse("FROM node:20 AS base\nWORKDIR /app\nENV A=1\nFROM base\nCMD [\"node\", \"x.js\"]\n");
        assert_eq!(file.stages[1].working_directory, "/app");
        assert_eq!(file.stages[1].environment, [("A".to_owned(), "1".to_owned())]);
    }

    #[test]
    fn here_documents_are_skipped() {
        let file = Dockerfile::parse("FROM a\nRUN <<EOF\nENV X=1\nEOF\nENV Y=2\n");
        assert_eq!(file.stages[0].environment, [("Y".to_owned(), "2".to_owned())]);
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[A-Z${}:\\-\\\\\"\\[\\] \\n=<#/a.]{0,200}") {
            let _ = Dockerfile::parse(&text);
        }
    }
}
