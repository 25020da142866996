//! Session descriptions (RFC 8866) as a list of lines: what was not changed prints as it was read.
//!
//! Typed views are computed when asked for; edits are functions whose names say what they do to
//! whom.

pub mod edit;
mod section;
mod views;

pub use section::Section;
pub use views::{Candidate, Direction, ExtMap, RtpMap};

/// The longest description taken, in bytes.
pub const MAX_BYTES: usize = 64 * 1024;
/// The most lines taken.
pub const MAX_LINES: usize = 1024;
/// The most media sections taken.
pub const MAX_SECTIONS: usize = 128;

/// A session description: the session's own lines, then one [`Section`] per `m=` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sdp {
    pub session: Section,
    pub media: Vec<Section>,
    ends: LineEnds,
}

/// How the lines ended where the description was read.
#[derive(Clone, Debug, PartialEq, Eq)]
struct LineEnds {
    between: &'static str,
    /// What followed the last line: usually one line end.
    last: String,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the session description: {what}")]
pub struct BadSdp {
    /// Counted from 1.
    pub line: usize,
    pub what: String,
}

fn bad(line: usize, what: &str) -> BadSdp {
    BadSdp {
        line,
        what: what.to_owned(),
    }
}

impl Sdp {
    /// Puts a description together that ends its lines with CRLF.
    #[must_use]
    pub fn new(session: Section, media: Vec<Section>) -> Self {
        Self {
            session,
            media,
            ends: LineEnds::crlf(),
        }
    }

    /// Takes CRLF, LF and a missing last line end, and keeps them so (a mix of the two becomes
    /// CRLF). At most 64 KiB, 1,024 lines, 128 sections.
    pub fn parse(text: &str) -> Result<Self, BadSdp> {
        if text.len() > MAX_BYTES {
            return Err(bad(1, "longer than 64 KiB"));
        }
        let content = trim_line_ends(text);
        let mut session = Section::default();
        let mut media: Vec<Section> = Vec::new();
        let mut crlf_lines = 0;
        let mut count = 0;
        for (at, line) in content.split('\n').enumerate() {
            count = at + 1;
            let line = match line.strip_suffix('\r') {
                Some(line) => {
                    crlf_lines += 1;
                    line
                }
                None => line,
            };
            check_line(count, line)?;
            if line.starts_with("m=") {
                if media.len() == MAX_SECTIONS {
                    return Err(bad(count, "more than 128 media sections"));
                }
                media.push(Section::default());
            }
            let section = media.last_mut().unwrap_or(&mut session);
            section.lines_mut().push(line.to_owned());
        }
        let all_lf = crlf_lines == 0 && (count > 1 || !text.ends_with("\r\n"));
        let last = &text[content.len()..];
        let mixed = crlf_lines != 0 && crlf_lines != count - 1;
        let ends = LineEnds {
            between: if all_lf { "\n" } else { "\r\n" },
            last: if mixed { "\r\n" } else { last }.to_owned(),
        };
        Ok(Self {
            session,
            media,
            ends,
        })
    }

    /// From now on every line ends with CRLF, the last one too: Chromium takes nothing else for
    /// the last one.
    pub fn end_lines_with_crlf(&mut self) {
        self.ends = LineEnds::crlf();
    }

    /// The section's attribute, else the session's (`ice-ufrag`, `fingerprint`, `setup`, ...).
    #[must_use]
    pub fn inherited<'a>(&'a self, section: &'a Section, name: &str) -> Option<&'a str> {
        section
            .attribute(name)
            .or_else(|| self.session.attribute(name))
    }

    /// `a=group:BUNDLE`'s mids; empty when there is none.
    #[must_use]
    pub fn bundle(&self) -> Vec<&str> {
        self.session
            .attributes("group")
            .find_map(|group| {
                let mut words = group.split_ascii_whitespace();
                (words.next()? == "BUNDLE").then(|| words.collect())
            })
            .unwrap_or_default()
    }

    /// The section with that `a=mid`.
    #[must_use]
    pub fn section(&self, mid: &str) -> Option<&Section> {
        self.media.iter().find(|section| section.mid() == Some(mid))
    }
}

impl LineEnds {
    fn crlf() -> Self {
        Self {
            between: "\r\n",
            last: "\r\n".to_owned(),
        }
    }
}

fn trim_line_ends(text: &str) -> &str {
    let is_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
    let ends = text.as_bytes().iter().rev().take_while(|byte| is_end(byte));
    &text[..text.len() - ends.count()]
}

fn check_line(at: usize, line: &str) -> Result<(), BadSdp> {
    if at > MAX_LINES {
        return Err(bad(at, "more than 1,024 lines"));
    }
    match line.as_bytes() {
        [b'a'..=b'z', b'=', rest @ ..] => {
            if rest.iter().any(|byte| matches!(byte, 0 | b'\r')) {
                return Err(bad(at, "has a NUL or a stray CR"));
            }
        }
        _ => return Err(bad(at, "is not a letter and `=`")),
    }
    if (at == 1) != line.starts_with("v=") {
        return Err(bad(at, "`v=` must be the first line and no other"));
    }
    if at == 1 && line.trim_ascii_end() != "v=0" {
        return Err(bad(at, "only version 0 is known"));
    }
    if let Some(media) = line.strip_prefix("m=") {
        let mut words = media.split_ascii_whitespace();
        let port = words.nth(1).and_then(section::parse_port);
        if port.is_none() || words.count() < 2 {
            return Err(bad(at, "`m=` needs a kind, a port, a protocol and formats"));
        }
    }
    Ok(())
}

impl std::fmt::Display for Sdp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let media = self.media.iter().flat_map(Section::lines);
        for (at, line) in self.session.lines().iter().chain(media).enumerate() {
            if at > 0 {
                f.write_str(self.ends.between)?;
            }
            f.write_str(line)?;
        }
        f.write_str(&self.ends.last)
    }
}
