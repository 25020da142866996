//! Typed attributes: directions, codecs, header extensions.

use crate::header::grammar::number;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    SendRecv,
    SendOnly,
    RecvOnly,
    Inactive,
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

/// `a=candidate` (RFC 8839 section 5.1, RFC 6544 section 4.5), as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate<'a> {
    pub foundation: &'a str,
    /// 1 is RTP (and everything, with rtcp-mux), 2 RTCP.
    pub component: u16,
    /// `udp`, `UDP`, `tcp`, `TCP`, ...
    pub transport: &'a str,
    pub priority: u32,
    /// An IP address, or a name (`....local`, RFC 8828) that need not resolve.
    pub address: &'a str,
    pub port: u16,
    /// `host`, `srflx`, `prflx`, `relay`.
    pub kind: &'a str,
    /// `active`, `passive` or `so` of a TCP candidate.
    pub tcptype: Option<&'a str>,
}

impl Direction {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }

    pub(super) fn of(name: &str) -> Option<Self> {
        match name {
            "sendrecv" => Some(Self::SendRecv),
            "sendonly" => Some(Self::SendOnly),
            "recvonly" => Some(Self::RecvOnly),
            "inactive" => Some(Self::Inactive),
            _ => None,
        }
    }

    #[must_use]
    pub const fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    #[must_use]
    pub const fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }

    #[must_use]
    pub const fn from_parts(sends: bool, receives: bool) -> Self {
        match (sends, receives) {
            (true, true) => Self::SendRecv,
            (true, false) => Self::SendOnly,
            (false, true) => Self::RecvOnly,
            (false, false) => Self::Inactive,
        }
    }

    /// The same as seen from the other side.
    #[must_use]
    pub const fn reversed(self) -> Self {
        Self::from_parts(self.receives(), self.sends())
    }
}

impl RtpMap {
    pub(super) fn parse(value: &str) -> Option<Self> {
        let (payload_type, codec) = value.split_once(' ')?;
        let mut parts = codec.trim_ascii().split('/');
        Some(Self {
            payload_type: number(payload_type)?,
            encoding: parts.next()?.to_owned(),
            clock_rate: number(parts.next()?)?,
            channels: parts.next().and_then(number),
        })
    }

    /// RFC 3551 table 4 and 5, the ones telephones still use.
    pub(super) fn assigned(payload_type: u8) -> Option<Self> {
        let (encoding, clock_rate) = match payload_type {
            0 => ("PCMU", 8_000),
            3 => ("GSM", 8_000),
            4 => ("G723", 8_000),
            8 => ("PCMA", 8_000),
            9 => ("G722", 8_000),
            13 => ("CN", 8_000),
            15 => ("G728", 8_000),
            18 => ("G729", 8_000),
            26 => ("JPEG", 90_000),
            31 => ("H261", 90_000),
            34 => ("H263", 90_000),
            _ => return None,
        };
        Some(Self {
            payload_type,
            encoding: encoding.to_owned(),
            clock_rate,
            channels: None,
        })
    }

    #[must_use]
    pub fn is(&self, encoding: &str) -> bool {
        self.encoding.eq_ignore_ascii_case(encoding)
    }
}

impl<'a> Candidate<'a> {
    pub(super) fn parse(value: &'a str) -> Option<Self> {
        let mut words = value.split_ascii_whitespace();
        let foundation = words.next()?;
        let component = number(words.next()?)?;
        let transport = words.next()?;
        let priority = number(words.next()?)?;
        let address = words.next()?;
        let port = number(words.next()?)?;
        if words.next()? != "typ" {
            return None;
        }
        Some(Self {
            foundation,
            component,
            transport,
            priority,
            address,
            port,
            kind: words.next()?,
            tcptype: words.find(|word| *word == "tcptype").and(words.next()),
        })
    }

    #[must_use]
    pub fn is_tcp(&self) -> bool {
        self.transport.eq_ignore_ascii_case("tcp")
    }
}

impl ExtMap {
    pub(super) fn parse(value: &str) -> Option<Self> {
        let mut words = value.split_ascii_whitespace();
        let id = words.next()?;
        let (id, direction) = match id.split_once('/') {
            Some((id, direction)) => (id, Direction::of(direction)),
            None => (id, None),
        };
        Some(Self {
            id: number(id)?,
            direction,
            uri: words.next()?.to_owned(),
        })
    }
}
