//! Text to tokens, one at a time.

use crate::cometql::{Code, Error};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// A keyword or a name, as written.
    Word(String),
    /// A name in backticks.
    Name(String),
    Text(String),
    Int(i64),
    /// A number that is no `i64`, as written.
    Number(String),
    /// `@@version`, `@@session.sql_mode`, without the `@@` and the scope.
    Variable(String),
    Symbol(&'static str),
    End,
}

/// A token and where it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spanned {
    pub token: Token,
    pub start: usize,
}

/// Longer ones first.
const SYMBOLS: [&str; 21] = [
    "<=>", "<=", ">=", "!=", "<>", "||", "&&", ":=", "(", ")", ",", ".", ";", "=", "<", ">", "*",
    "-", "+", "?", "!",
];

#[derive(Debug)]
pub struct Lexer<'a> {
    text: &'a str,
    at: usize,
    /// Inside `/*! ... */`, whose content is executed.
    versioned: bool,
}

impl<'a> Lexer<'a> {
    pub const fn new(text: &'a str) -> Self {
        Self {
            text,
            at: 0,
            versioned: false,
        }
    }

    pub const fn text(&self) -> &'a str {
        self.text
    }

    /// Where the last token ended.
    pub const fn at(&self) -> usize {
        self.at
    }

    /// Goes on behind one `@`, for those who do not mind what it says.
    pub fn skip_byte(&mut self) {
        if self.rest().starts_with('@') {
            self.at += 1;
        }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    pub fn next(&mut self) -> Result<Spanned, Error> {
        self.skip_space()?;
        let start = self.at;
        let token = self.token()?;
        Ok(Spanned { token, start })
    }

    fn token(&mut self) -> Result<Token, Error> {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else {
            return Ok(Token::End);
        };
        match first {
            '\'' | '"' => self.quoted(first).map(Token::Text),
            '`' => self.backticks().map(Token::Name),
            '0'..='9' => self.number(),
            '.' if rest[1..].starts_with(|next: char| next.is_ascii_digit()) => self.number(),
            '@' => self.variable(),
            _ if is_word(first) => self.word(),
            _ => {
                let symbol = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol));
                let symbol = symbol.ok_or_else(|| self.unexpected(first))?;
                self.at += symbol.len();
                Ok(Token::Symbol(symbol))
            }
        }
    }

    fn unexpected(&self, character: char) -> Error {
        let shown = character.escape_debug();
        let place = self.at + 1;
        syntax(format!("`{shown}` at byte {place} means nothing here"))
    }

    fn word(&mut self) -> Result<Token, Error> {
        let rest = self.rest();
        let end = rest.find(|c| !is_word(c) && !c.is_ascii_digit());
        let word = &rest[..end.unwrap_or(rest.len())];
        self.at += word.len();
        let next = self.rest().chars().next();
        match (word, next) {
            // a character set's introducer: everything is UTF-8 here
            ("N" | "n", Some(quote @ '\'')) => self.quoted(quote).map(Token::Text),
            (_, Some(quote @ ('\'' | '"'))) if word.starts_with('_') => {
                self.quoted(quote).map(Token::Text)
            }
            ("X" | "x", Some('\'')) => {
                let digits = self.quoted('\'')?;
                from_hex(&digits).map(Token::Text)
            }
            _ => Ok(Token::Word(word.to_owned())),
        }
    }

    /// A string from its opening quote to its closing one, unescaped as MySQL does.
    fn quoted(&mut self, quote: char) -> Result<String, Error> {
        let opened = self.at + 1;
        self.at += 1;
        let mut text = String::new();
        loop {
            let rest = self.rest();
            let Some(end) = rest.find([quote, '\\']) else {
                return Err(syntax(format!(
                    "the string that begins at byte {opened} does not end"
                )));
            };
            text.push_str(&rest[..end]);
            self.at += end;
            let mut after = self.rest().chars();
            let (found, next) = (after.next(), after.next());
            if found == Some('\\') {
                let Some(escaped) = next else {
                    self.at += 1;
                    continue;
                };
                self.at += 1 + escaped.len_utf8();
                match escaped {
                    '0' => text.push('\0'),
                    'b' => text.push('\u{8}'),
                    'n' => text.push('\n'),
                    'r' => text.push('\r'),
                    't' => text.push('\t'),
                    'Z' => text.push('\u{1A}'),
                    // for LIKE, which unescapes them itself
                    '%' | '_' => text.extend(['\\', escaped]),
                    other => text.push(other),
                }
            } else if next == Some(quote) {
                self.at += 2;
                text.push(quote);
            } else {
                self.at += 1;
                return Ok(text);
            }
        }
    }

    fn backticks(&mut self) -> Result<String, Error> {
        let mut name = String::new();
        self.at += 1;
        loop {
            let rest = self.rest();
            let Some(end) = rest.find('`') else {
                return Err(syntax("a name in backticks does not end"));
            };
            name.push_str(&rest[..end]);
            self.at += end + 1;
            if !self.rest().starts_with('`') {
                return Ok(name);
            }
            self.at += 1;
            name.push('`');
        }
    }

    fn number(&mut self) -> Result<Token, Error> {
        let rest = self.rest();
        if let Some(hex) = rest.strip_prefix("0x") {
            let end = hex.find(|c: char| !c.is_ascii_hexdigit());
            let digits = &hex[..end.unwrap_or(hex.len())];
            self.at += 2 + digits.len();
            return from_hex(digits).map(Token::Text);
        }
        let bytes = rest.as_bytes();
        let digits = |from: usize| {
            let run = bytes[from..]
                .iter()
                .take_while(|byte| byte.is_ascii_digit());
            from + run.count()
        };
        let mut end = digits(0);
        let whole = end;
        if bytes.get(end) == Some(&b'.') {
            end = digits(end + 1);
        }
        if matches!(bytes.get(end), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
            let exponent = digits(end + 1 + sign.min(bytes.len().saturating_sub(end + 1)));
            if exponent > end + 1 + sign {
                end = exponent;
            }
        }
        let number = &rest[..end];
        self.at += end;
        if let Some(next) = self.rest().chars().next().filter(|next| is_word(*next)) {
            return Err(self.unexpected(next));
        }
        Ok(match number.parse() {
            Ok(int) if end == whole => Token::Int(int),
            _ => Token::Number(number.to_owned()),
        })
    }

    fn variable(&mut self) -> Result<Token, Error> {
        let Some(name) = self.rest().strip_prefix("@@") else {
            return Err(Error::new(
                Code::NotImplemented,
                "user variables are not supported: send the value itself",
            ));
        };
        let end = name.find(|c| !is_word(c) && !c.is_ascii_digit() && c != '.');
        let name = &name[..end.unwrap_or(name.len())];
        self.at += 2 + name.len();
        let name = name.to_ascii_lowercase();
        let scopes = ["session.", "global.", "local."];
        let bare = scopes.iter().find_map(|scope| name.strip_prefix(scope));
        let bare = bare.unwrap_or(&name).to_owned();
        if bare.is_empty() {
            return Err(self.unexpected('@'));
        }
        Ok(Token::Variable(bare))
    }

    fn skip_space(&mut self) -> Result<(), Error> {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '\0');
            self.at += rest.len() - trimmed.len();
            // `--` is a comment before a space only: `5--2` is not
            let dashes = trimmed.strip_prefix("--").filter(|after| {
                !after.starts_with(|c: char| !c.is_whitespace() && !c.is_control())
            });
            if trimmed.starts_with('#') || dashes.is_some() {
                self.at += trimmed.find('\n').unwrap_or(trimmed.len());
            } else if let Some(inside) = trimmed.strip_prefix("/*!").filter(|_| !self.versioned) {
                let version = inside.bytes().take(6).take_while(u8::is_ascii_digit);
                self.at += 3 + version.count();
                self.versioned = true;
            } else if self.versioned && trimmed.starts_with("*/") {
                self.at += 2;
                self.versioned = false;
            } else if let Some(inside) = trimmed.strip_prefix("/*") {
                let end = inside.find("*/");
                let end = end.ok_or_else(|| syntax("a comment does not end"))?;
                self.at += 2 + end + 2;
            } else {
                return Ok(());
            }
        }
    }
}

fn is_word(character: char) -> bool {
    character.is_ascii_alphabetic() || character == '_' || character == '$' || !character.is_ascii()
}

fn from_hex(digits: &str) -> Result<String, Error> {
    let nibble = |digit: u8| char::from(digit).to_digit(16).map(|value| value as u8);
    let pairs = digits.as_bytes().chunks(2);
    let bytes: Option<Vec<u8>> = pairs
        .map(|pair| match *pair {
            [high, low] => Some(nibble(high)? << 4 | nibble(low)?),
            _ => None,
        })
        .collect();
    let bytes = bytes.ok_or_else(|| syntax("a hexadecimal string has pairs of digits"))?;
    String::from_utf8(bytes).map_err(|_| {
        Error::new(
            Code::InvalidData,
            "a hexadecimal string is not UTF-8: bodies are text here",
        )
    })
}

pub fn syntax(text: impl Into<String>) -> Error {
    Error::new(Code::Syntax, text)
}
