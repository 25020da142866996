//! Session descriptions (RFC 8866) as a list of lines: what was not changed prints as it was read.
//!
//! Typed views are computed when asked for; edits are functions whose names say what they do to
//! whom.

/// A session description: the session's own lines, then one [`Section`] per `m=` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sdp {
    pub session: Section,
    pub media: Vec<Section>,
}

/// Lines without their line ends, each `x=...`. A media section begins with its `m=` line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Section {
    lines: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    SendRecv,
    SendOnly,
    RecvOnly,
    Inactive,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the session description: {what}")]
pub struct BadSdp {
    pub line: usize,
    pub what: String,
}

/// `a=rtpmap`, or the static assignment of RFC 3551.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RtpMap {
    pub payload_type: u8,
    /// As written; compare without case.
    pub encoding: String,
    pub clock_rate: u32,
    pub channels: Option<u8>,
}

/// `a=extmap` (RFC 8285).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtMap {
    pub id: u16,
    pub direction: Option<Direction>,
    pub uri: String,
}

impl Sdp {
    /// Takes CRLF, LF and a missing last line end. At most 64 KiB, 1,024 lines, 128 sections.
    pub fn parse(_text: &str) -> Result<Self, BadSdp> {
        todo!()
    }
    /// The section's attribute, else the session's (`ice-ufrag`, `fingerprint`, `setup`, ...).
    #[must_use]
    pub fn inherited<'a>(&'a self, _section: &'a Section, _name: &str) -> Option<&'a str> {
        todo!()
    }
    /// `a=group:BUNDLE`'s mids; empty when there is none.
    #[must_use]
    pub fn bundle(&self) -> Vec<&str> {
        todo!()
    }
}

impl std::fmt::Display for Sdp {
    fn fmt(&self, _f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        todo!()
    }
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
    /// For edits that no function here does.
    pub fn lines_mut(&mut self) -> &mut Vec<String> {
        &mut self.lines
    }
    /// `audio`, `video`, `application`, ...; empty for the session section.
    #[must_use]
    pub fn kind(&self) -> &str {
        todo!()
    }
    /// The port of `m=`; 0 means refused (unless bundle-only).
    #[must_use]
    pub fn port(&self) -> u16 {
        todo!()
    }
    pub fn set_port(&mut self, _port: u16) {
        todo!()
    }
    /// `UDP/TLS/RTP/SAVPF`, ...
    #[must_use]
    pub fn proto(&self) -> &str {
        todo!()
    }
    /// The payload types (or other formats) of `m=` in order.
    #[must_use]
    pub fn formats(&self) -> Vec<&str> {
        todo!()
    }
    /// The value after `a=name:`; `Some("")` for a flag such as `a=rtcp-mux`.
    #[must_use]
    pub fn attribute(&self, _name: &str) -> Option<&str> {
        todo!()
    }
    /// Every value of that attribute in order.
    pub fn attributes<'a>(&'a self, _name: &'a str) -> impl Iterator<Item = &'a str> {
        std::iter::empty()
    }
    /// Appends `a=name:value`, or `a=name` when `value` is empty.
    pub fn add_attribute(&mut self, _name: &str, _value: &str) {
        todo!()
    }
    /// Removes every attribute of that name; tells how many.
    pub fn remove_attributes(&mut self, _name: &str) -> usize {
        todo!()
    }
    #[must_use]
    pub fn mid(&self) -> Option<&str> {
        self.attribute("mid")
    }
    /// `a=sendrecv` and friends; sendrecv when none is written.
    #[must_use]
    pub fn direction(&self) -> Direction {
        todo!()
    }
    pub fn set_direction(&mut self, _direction: Direction) {
        todo!()
    }
    #[must_use]
    pub fn rtpmaps(&self) -> Vec<RtpMap> {
        todo!()
    }
    /// The parameters of `a=fmtp` for a payload type, as written.
    #[must_use]
    pub fn fmtp(&self, _payload_type: u8) -> Option<&str> {
        todo!()
    }
    #[must_use]
    pub fn extmaps(&self) -> Vec<ExtMap> {
        todo!()
    }
}
