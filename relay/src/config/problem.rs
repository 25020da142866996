//! What is wrong with a configuration file, where, and what to write instead.

use std::{fmt, path::Path};

/// `file:line:column: what is wrong`, the line itself, and a hint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub file: String,
    /// Line and column, from 1; `None` when something is missing rather than wrong.
    pub at: Option<(usize, usize)>,
    pub what: String,
    pub hint: String,
    line: String,
}

/// A value that parses and yet cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    /// `http.cert`, `user[1].password`.
    pub key: String,
    pub what: String,
    pub hint: String,
}

impl Problem {
    pub(super) fn unreadable(path: &Path, error: &std::io::Error) -> Self {
        Self {
            file: path.display().to_string(),
            at: None,
            what: format!("cannot be read: {error}"),
            hint: "`clinicall default-config > clinicall.toml` writes a file to begin with"
                .to_owned(),
            line: String::new(),
        }
    }

    pub(super) fn syntax(file: &str, text: &str, error: &toml::de::Error) -> Self {
        let at = error.span().map(|span| position(text, span.start));
        let what = error.message().trim().to_owned();
        let hint = match nearest(&what) {
            Some(key) => {
                format!("did you mean `{key}`? `clinicall default-config` prints every key")
            }
            None => "`clinicall default-config` prints every key with its manual".to_owned(),
        };
        Self::new(file, text, at, what, hint)
    }

    pub(super) fn value(file: &str, text: &str, wrong: Wrong) -> Self {
        let at = locate(text, &wrong.key);
        let what = format!("`{}` {}", wrong.key, wrong.what);
        Self::new(file, text, at, what, wrong.hint)
    }

    fn new(file: &str, text: &str, at: Option<(usize, usize)>, what: String, hint: String) -> Self {
        // the line is shown, unless it may hold a password
        let line = at
            .and_then(|(line, _)| text.lines().nth(line - 1))
            .filter(|line| {
                !["password", "ha1", "secret", "sha256"]
                    .iter()
                    .any(|secret| line.contains(secret))
            })
            .unwrap_or("")
            .to_owned();
        Self {
            file: file.to_owned(),
            at,
            what,
            hint,
            line,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            Some((line, column)) => writeln!(f, "{}:{line}:{column}: {}", self.file, self.what)?,
            None => writeln!(f, "{}: {}", self.file, self.what)?,
        }
        if let (Some((line, column)), false) = (self.at, self.line.is_empty()) {
            writeln!(f, "{line:>5} | {}", self.line)?;
            writeln!(f, "      | {:>column$}", "^")?;
        }
        write!(f, "hint: {}", self.hint)
    }
}

impl std::error::Error for Problem {}

fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.matches('\n').count() + 1;
    (line, before[line_start..].chars().count() + 1)
}

/// Where a key stands that the parser has already taken: `media.public`, `user[1].id`.
fn locate(text: &str, path: &str) -> Option<(usize, usize)> {
    let (table, key) = path.rsplit_once('.').unwrap_or(("", path));
    let (table, nth) = match table.split_once('[') {
        Some((name, index)) => (name, index.trim_end_matches(']').parse().unwrap_or(0)),
        None => (table, 0),
    };
    let (mut inside, mut seen) = (table.is_empty(), 0);
    let mut header = None;
    for (number, line) in text.lines().enumerate() {
        let trimmed = line.trim();
        if trimmed.starts_with('[') {
            let name = trimmed.trim_matches(['[', ']']).trim();
            inside = name == table && seen == nth;
            seen += usize::from(name == table);
            if inside {
                header = Some((number + 1, 1));
            }
        } else if inside {
            let name = trimmed.split('=').next().unwrap_or("").trim();
            if name == key || name == path {
                return Some((number + 1, line.len() - line.trim_start().len() + 1));
            }
        }
    }
    header
}

/// The expected key closest to the one in ``unknown field `x`, expected one of `a`, `b` ``.
fn nearest(message: &str) -> Option<&str> {
    let mut names = message.split('`').skip(1).step_by(2);
    let wrong = names.next()?;
    if !message.starts_with("unknown") {
        return None;
    }
    names
        .map(|name| (distance(wrong, name), name))
        .min()
        .filter(|(distance, _)| *distance <= 1 + wrong.len() / 3)
        .map(|(_, name)| name)
}

/// Levenshtein's edit distance.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
