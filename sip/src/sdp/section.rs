//! The lines of one section and what they say.

use super::views::{Candidate, Direction, ExtMap, RtpMap};
use crate::header::grammar::number;

/// Lines without their line ends, each `x=...`. A media section begins with its `m=` line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Section {
    lines: Vec<String>,
}

impl Section {
    #[must_use]
    pub fn from_lines(lines: Vec<String>) -> Self {
        Self { lines }
    }
    #[must_use]
    pub fn lines(&self) -> &[String] {
        &self.lines
    }
    /// Keeps the lines that `wanted` says yes to; tells how many went.
    pub fn keep_lines(&mut self, wanted: &dyn Fn(&str) -> bool) -> usize {
        let before = self.lines.len();
        self.lines.retain(|line| wanted(line));
        before - self.lines.len()
    }
    /// For edits that no function here does.
    pub fn lines_mut(&mut self) -> &mut Vec<String> {
        &mut self.lines
    }

    /// The words of `m=`; none for the session section.
    fn m_words(&self) -> std::str::SplitAsciiWhitespace<'_> {
        let first = self.lines.first().map_or("", String::as_str);
        first
            .strip_prefix("m=")
            .unwrap_or("")
            .split_ascii_whitespace()
    }

    /// `audio`, `video`, `application`, ...; empty for the session section.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.m_words().next().unwrap_or("")
    }
    /// The port of `m=`; 0 means refused (unless bundle-only).
    #[must_use]
    pub fn port(&self) -> u16 {
        self.m_words().nth(1).and_then(parse_port).unwrap_or(0)
    }
    /// Writes the port of `m=`. The session section has none: nothing happens then.
    pub fn set_port(&mut self, port: u16) {
        self.rewrite_m(1, &port.to_string());
    }
    /// `UDP/TLS/RTP/SAVPF`, ...
    #[must_use]
    pub fn proto(&self) -> &str {
        self.m_words().nth(2).unwrap_or("")
    }
    /// The payload types (or other formats) of `m=` in order.
    #[must_use]
    pub fn formats(&self) -> Vec<&str> {
        self.m_words().skip(3).collect()
    }
    /// Replaces the formats of `m=`. RFC 8866 wants at least one.
    pub fn set_formats(&mut self, formats: &[&str]) {
        self.rewrite_m(3, &formats.join(" "));
    }

    /// Replaces a word of `m=`; the fourth (3) stands for all that follow.
    fn rewrite_m(&mut self, word: usize, with: &str) {
        let mut line = String::from("m=");
        for (at, old) in self.m_words().take(word.max(2) + 1).enumerate() {
            if at > 0 {
                line.push(' ');
            }
            line.push_str(if at == word { with } else { old });
        }
        if word < 3 {
            for old in self.m_words().skip(3) {
                line.push(' ');
                line.push_str(old);
            }
        }
        if !self.kind().is_empty() {
            self.lines[0] = line;
        }
    }

    /// The value after `a=name:`; `Some("")` for a flag such as `a=rtcp-mux`.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.lines.iter().find_map(|line| attribute(line, name))
    }
    /// Every value of that attribute in order.
    pub fn attributes<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.lines
            .iter()
            .filter_map(move |line| attribute(line, name))
    }
    /// Appends `a=name:value`, or `a=name` when `value` is empty.
    pub fn add_attribute(&mut self, name: &str, value: &str) {
        self.lines.push(attribute_line(name, value));
    }
    /// Replaces the first attribute of that name where it stands (removing the rest), or appends
    /// it.
    pub fn set_attribute(&mut self, name: &str, value: &str) {
        let at = self
            .lines
            .iter()
            .position(|line| attribute(line, name).is_some());
        self.remove_attributes(name);
        let at = at.unwrap_or(self.lines.len());
        self.lines.insert(at, attribute_line(name, value));
    }
    /// Removes every attribute of that name; tells how many.
    pub fn remove_attributes(&mut self, name: &str) -> usize {
        self.keep_lines(&|line| attribute(line, name).is_none())
    }

    #[must_use]
    pub fn mid(&self) -> Option<&str> {
        self.attribute("mid")
    }

    /// `a=sendrecv` and friends; sendrecv when none is written.
    #[must_use]
    pub fn direction(&self) -> Direction {
        self.lines
            .iter()
            .find_map(|line| Direction::of(line.strip_prefix("a=")?))
            .unwrap_or(Direction::SendRecv)
    }
    /// Writes the direction where the old one stood, or at the end.
    pub fn set_direction(&mut self, direction: Direction) {
        let is_direction = |line: &str| line.strip_prefix("a=").and_then(Direction::of).is_some();
        let at = self.lines.iter().position(|line| is_direction(line));
        self.keep_lines(&|line| !is_direction(line));
        let at = at.unwrap_or(self.lines.len());
        self.lines.insert(at, attribute_line(direction.name(), ""));
    }

    /// The codecs in the order of `m=`, without those nobody gave a meaning to.
    #[must_use]
    pub fn rtpmaps(&self) -> Vec<RtpMap> {
        self.m_words()
            .skip(3)
            .filter_map(|format| self.rtpmap(number(format)?))
            .collect()
    }
    /// The codec of a payload type.
    #[must_use]
    pub fn rtpmap(&self, payload_type: u8) -> Option<RtpMap> {
        self.attributes("rtpmap")
            .filter_map(RtpMap::parse)
            .find(|map| map.payload_type == payload_type)
            .or_else(|| RtpMap::assigned(payload_type))
    }
    /// The parameters of `a=fmtp` for a payload type, as written.
    #[must_use]
    pub fn fmtp(&self, payload_type: u8) -> Option<&str> {
        self.attributes("fmtp").find_map(|value| {
            let (format, parameters) = value.split_once(' ')?;
            (number(format) == Some(payload_type)).then(|| parameters.trim_ascii())
        })
    }
    /// One `name=value` of the payload type's `a=fmtp`. Names compare without case.
    #[must_use]
    pub fn fmtp_parameter(&self, payload_type: u8, name: &str) -> Option<&str> {
        self.fmtp(payload_type)?.split(';').find_map(|parameter| {
            let (key, value) = parameter.split_once('=')?;
            key.trim_ascii()
                .eq_ignore_ascii_case(name)
                .then(|| value.trim_ascii())
        })
    }

    /// Writes one parameter of the payload type's `a=fmtp`: where it stood, else behind the others.
    /// A payload type without an `a=fmtp` gets one behind its `a=rtpmap`.
    pub fn set_fmtp_parameter(&mut self, payload_type: u8, name: &str, value: &str) {
        let number = payload_type.to_string();
        let new = [name, "=", value].concat();
        let is_named = |parameter: &&str| {
            let key = parameter.split('=').next().unwrap_or("");
            key.trim_ascii_end().eq_ignore_ascii_case(name)
        };
        let old = self.fmtp(payload_type).unwrap_or("").split(';');
        let mut parameters: Vec<&str> = old
            .map(str::trim_ascii)
            .filter(|old| !old.is_empty())
            .collect();
        let at = parameters.iter().position(&is_named);
        parameters.retain(|old| !is_named(old));
        parameters.insert(at.unwrap_or(parameters.len()), &new);
        let line = ["a=fmtp:", &number, " ", &parameters.join(";")].concat();

        let is_about = |line: &String, name: &str| {
            attribute(line, name).and_then(|value| value.split(' ').next()) == Some(&number)
        };
        let position = |name| self.lines.iter().position(|line| is_about(line, name));
        match (position("fmtp"), position("rtpmap")) {
            (Some(at), _) => self.lines[at] = line,
            (None, Some(at)) => self.lines.insert(at + 1, line),
            (None, None) => self.lines.push(line),
        }
    }

    /// The readable `a=candidate` lines in order.
    pub fn candidates(&self) -> impl Iterator<Item = Candidate<'_>> {
        self.attributes("candidate").filter_map(Candidate::parse)
    }

    #[must_use]
    pub fn extmaps(&self) -> Vec<ExtMap> {
        self.attributes("extmap")
            .filter_map(ExtMap::parse)
            .collect()
    }
}

/// The port of `m=`, which may be `port/count`.
pub(super) fn parse_port(word: &str) -> Option<u16> {
    let port = word.split('/').next()?;
    number(port)
}

/// The value of this line if it is `a=name`.
pub(super) fn attribute<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let rest = line.strip_prefix("a=")?.strip_prefix(name)?;
    if rest.is_empty() {
        Some(rest)
    } else {
        rest.strip_prefix(':')
    }
}

pub(super) fn attribute_line(name: &str, value: &str) -> String {
    let mut line = String::with_capacity(name.len() + value.len() + 3);
    line.push_str("a=");
    line.push_str(name);
    if !value.is_empty() {
        line.push(':');
        line.push_str(value);
    }
    line
}
