//! Globs as gobwas/glob reads them: `*` stops at delimiters, `**` does not, `?` is one
//! character that is no delimiter, `[a-z]`, `[!a]`, `{a,b}`, and `\` escapes.
//! And the question whether two patterns of `regex.globs_match` have a text in common.

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Char(char),
    /// Any one character but a delimiter.
    One,
    /// Any number of characters but delimiters.
    Any,
    /// Any number of characters.
    Super,
    Class {
        not: bool,
        ranges: Vec<(char, char)>,
    },
    Either(Vec<Vec<Part>>),
}

/// How deep alternatives may nest.
const DEPTH_MAX: usize = 16;
/// The most steps that one match may take: alternatives can multiply.
const STEPS_MAX: usize = 1_000_000;

/// Escapes what a glob would read as more than itself.
pub(crate) fn quote(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if matches!(c, '*' | '?' | '\\' | '[' | ']' | '{' | '}') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Whether `text` matches.
pub(crate) fn matches(pattern: &str, delimiters: &[char], text: &str) -> Result<bool, String> {
    let mut chars = pattern.chars().peekable();
    let parts = parse(&mut chars, 0, false)?;
    let text: Vec<char> = text.chars().collect();
    let mut steps = STEPS_MAX;
    let refs: Vec<&Part> = parts.iter().collect();
    run(&refs, &text, delimiters, &mut steps).ok_or_else(|| "the pattern takes too many steps".to_owned())
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

fn parse(chars: &mut Chars<'_>, depth: usize, nested: bool) -> Result<Vec<Part>, String> {
    if depth > DEPTH_MAX {
        return Err("alternatives are nested too deeply".to_owned());
    }
    let mut out = Vec::new();
    while let Some(&c) = chars.peek() {
        if nested && matches!(c, ',' | '}') {
            return Ok(out);
        }
        chars.next();
        out.push(match c {
            '*' if chars.peek() == Some(&'*') => {
                chars.next();
                Part::Super
            }
            '*' => Part::Any,
            '?' => Part::One,
            '\\' => Part::Char(chars.next().ok_or("unexpected end after \\")?),
            '[' => class(chars)?,
            '{' => {
                let mut branches = Vec::new();
                loop {
                    branches.push(parse(chars, depth + 1, true)?);
                    match chars.next() {
                        Some(',') => {}
                        Some('}') => break,
                        _ => return Err("unexpected end of pattern: expected }".to_owned()),
                    }
                }
                Part::Either(branches)
            }
            c => Part::Char(c),
        });
    }
    if nested {
        Err("unexpected end of pattern: expected }".to_owned())
    } else {
        Ok(out)
    }
}

fn class(chars: &mut Chars<'_>) -> Result<Part, String> {
    let not = chars.peek() == Some(&'!');
    if not {
        chars.next();
    }
    let mut ranges = Vec::new();
    loop {
        let mut c = chars.next().ok_or("unexpected end of pattern: expected ]")?;
        if c == ']' {
            if ranges.is_empty() {
                return Err("empty character class".to_owned());
            }
            return Ok(Part::Class { not, ranges });
        }
        if c == '\\' {
            c = chars.next().ok_or("unexpected end of pattern: expected ]")?;
        }
        if chars.peek() == Some(&'-') {
            chars.next();
            match chars.next() {
                Some(']') => {
                    ranges.extend([(c, c), ('-', '-')]);
                    return Ok(Part::Class { not, ranges });
                }
                Some(high) if high >= c => ranges.push((c, high)),
                Some(high) => return Err(format!("hi character '{high}' should be greater than lo '{c}'")),
                None => return Err("unexpected end of pattern: expected ]".to_owned()),
            }
        } else {
            ranges.push((c, c));
        }
    }
}

/// `None` if it took too many steps.
fn run(parts: &[&Part], text: &[char], delimiters: &[char], steps: &mut usize) -> Option<bool> {
    let (mut p, mut t) = (0, 0);
    // Where to go on if a star took too little: the place after it, and what it has taken.
    let mut back: Option<(usize, usize)> = None;
    let mut far: Option<(usize, usize)> = None;
    loop {
        *steps = steps.checked_sub(1)?;
        match parts.get(p) {
            None if t == text.len() => return Some(true),
            Some(Part::Any) => {
                back = Some((p + 1, t));
                p += 1;
                continue;
            }
            Some(Part::Super) => {
                far = Some((p + 1, t));
                back = None;
                p += 1;
                continue;
            }
            Some(Part::Either(branches)) => {
                for branch in branches {
                    let rest: Vec<&Part> = branch.iter().chain(parts[p + 1..].iter().copied()).collect();
                    if run(&rest, &text[t..], delimiters, steps)? {
                        return Some(true);
                    }
                }
            }
            Some(part) if t < text.len() && takes(part, text[t], delimiters) => {
                p += 1;
                t += 1;
                continue;
            }
            _ => {}
        }
        // One character more for the last star that may have it.
        match (back, far) {
            (Some((after, taken)), _) if taken < text.len() && !delimiters.contains(&text[taken]) => {
                back = Some((after, taken + 1));
                (p, t) = (after, taken + 1);
            }
            (_, Some((after, taken))) if taken < text.len() => {
                far = Some((after, taken + 1));
                back = None;
                (p, t) = (after, taken + 1);
            }
            _ => return Some(false),
        }
    }
}

fn takes(part: &Part, c: char, delimiters: &[char]) -> bool {
    match part {
        Part::Char(wanted) => *wanted == c,
        Part::One => !delimiters.contains(&c),
        Part::Class { not, ranges } => ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != *not,
        Part::Any | Part::Super | Part::Either(_) => false,
    }
}

/// A character or a set of them, and how often: once, or any number of times.
#[derive(Clone, Debug, PartialEq)]
struct Token {
    set: Chars1,
    flag: Flag,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flag {
    Once,
    Star,
    Plus,
}

#[derive(Clone, Debug, PartialEq)]
enum Chars1 {
    Any,
    Of(Vec<(char, char)>),
}

/// Whether some text that is not empty matches both patterns: `.`, `*`, `+`, `[a-z]`.
pub(crate) fn intersect(a: &str, b: &str) -> Result<bool, String> {
    let (a, b) = (tokens(a)?, tokens(b)?);
    // Pairs of places that can be reached by a common text.
    let width = b.len() + 1;
    let mut seen = vec![false; (a.len() + 1) * width];
    let mut queue = vec![(0, 0)];
    while let Some((i, j)) = queue.pop() {
        if std::mem::replace(&mut seen[i * width + j], true) {
            continue;
        }
        let optional = |tokens: &[Token], at: usize| tokens.get(at).is_some_and(|t| t.flag == Flag::Star);
        if optional(&a, i) {
            queue.push((i + 1, j));
        }
        if optional(&b, j) {
            queue.push((i, j + 1));
        }
        let (Some(x), Some(y)) = (a.get(i), b.get(j)) else {
            continue;
        };
        if !common(&x.set, &y.set) {
            continue;
        }
        let next = |at: usize, token: &Token| {
            if token.flag == Flag::Once {
                vec![at + 1]
            } else {
                vec![at, at + 1]
            }
        };
        for i in next(i, x) {
            for j in next(j, y) {
                queue.push((i, j));
            }
        }
    }
    Ok(seen[seen.len() - 1])
}

fn common(a: &Chars1, b: &Chars1) -> bool {
    match (a, b) {
        (Chars1::Any, _) | (_, Chars1::Any) => true,
        (Chars1::Of(a), Chars1::Of(b)) => a.iter().any(|(l, h)| b.iter().any(|(m, k)| l <= k && m <= h)),
    }
}

fn tokens(pattern: &str) -> Result<Vec<Token>, String> {
    let chars: Vec<char> = pattern.chars().collect();
    let bad = |at: usize, why: &str| {
        Err(format!(
            "input:{pattern}, pos:{}, {why}: the input provided is invalid",
            at + 1
        ))
    };
    let mut out: Vec<Token> = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let set = match chars[at] {
            '\\' => {
                at += 1;
                match chars.get(at) {
                    Some(&c) => Chars1::Of(vec![(c, c)]),
                    None => return bad(at, "input ends with a \\ (escape) character"),
                }
            }
            '.' => Chars1::Any,
            ']' => return bad(at, "set-close ']' with no preceding '['"),
            c @ ('*' | '+') => return bad(at, &format!("flag '{c}' must be preceded by a non-flag")),
            '[' => {
                let mut ranges: Vec<(char, char)> = Vec::new();
                loop {
                    at += 1;
                    match chars.get(at) {
                        None => return bad(at, "found [ without matching ]"),
                        Some(']') => break,
                        Some('-') if !ranges.is_empty() && chars.get(at + 1).is_some_and(|c| *c != ']') => {
                            at += 1;
                            let last = ranges.len() - 1;
                            if chars[at] < ranges[last].0 {
                                return bad(at, "range is out of order");
                            }
                            ranges[last].1 = chars[at];
                        }
                        Some('\\') => {
                            at += 1;
                            match chars.get(at) {
                                Some(&c) => ranges.push((c, c)),
                                None => return bad(at, "input ends with a \\ (escape) character"),
                            }
                        }
                        Some(&c) => ranges.push((c, c)),
                    }
                }
                Chars1::Of(ranges)
            }
            c => Chars1::Of(vec![(c, c)]),
        };
        at += 1;
        let flag = match chars.get(at) {
            Some('*') => Flag::Star,
            Some('+') => Flag::Plus,
            _ => Flag::Once,
        };
        at += usize::from(flag != Flag::Once);
        out.push(Token { set, flag });
    }
    Ok(out)
}
