//! STUN messages as ICE uses them (RFC 8489): Binding requests in, responses out.
//!
//! Nothing here answers anybody: parsing only finds the fields, [`Message::authentic`] must be
//! asked before a request is believed.

use std::net::{IpAddr, SocketAddr};

use ring::hmac;

const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const HEADER: usize = 20;
/// What `FINGERPRINT` is XORed with (RFC 8489 section 14.7): "STUN" in ASCII.
const FINGERPRINT_XOR: u32 = 0x5354_554e;

const BINDING_REQUEST: u16 = 0x0001;
const BINDING_INDICATION: u16 = 0x0011;
const BINDING_SUCCESS: u16 = 0x0101;
const BINDING_ERROR: u16 = 0x0111;

const USERNAME: u16 = 0x0006;
const MESSAGE_INTEGRITY: u16 = 0x0008;
const ERROR_CODE: u16 = 0x0009;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
const PRIORITY: u16 = 0x0024;
const USE_CANDIDATE: u16 = 0x0025;
const FINGERPRINT: u16 = 0x8028;
const ICE_CONTROLLED: u16 = 0x8029;
const ICE_CONTROLLING: u16 = 0x802a;

/// Room for the longest message written here.
pub const LONGEST_RESPONSE: usize = 160;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Request,
    Indication,
    Success,
    Error,
}

/// The role a peer claims in a check (RFC 8445 section 7.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Controlling,
    Controlled,
}

/// A Binding message whose fields borrow from the datagram.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    pub kind: Kind,
    pub transaction: [u8; 12],
    pub username: Option<&'a [u8]>,
    pub priority: Option<u32>,
    pub use_candidate: bool,
    pub role: Option<Role>,
    /// The comprehension-required attribute we do not know (RFC 8489 section 6.3.1), if any.
    pub unknown: Option<u16>,
    /// Everything before MESSAGE-INTEGRITY, and its value.
    integrity: Option<(&'a [u8], &'a [u8])>,
}

/// True for a datagram that RFC 7983 leaves to STUN and that carries the magic cookie.
#[must_use]
pub fn looks_like(datagram: &[u8]) -> bool {
    datagram.len() >= HEADER && datagram[0] < 4 && datagram[4..8] == COOKIE
}

impl<'a> Message<'a> {
    /// `None` for what is not a well-formed Binding message, or carries a wrong FINGERPRINT.
    #[must_use]
    pub fn parse(datagram: &'a [u8]) -> Option<Self> {
        if !looks_like(datagram) {
            return None;
        }
        let kind = match be16(datagram, 0)? {
            BINDING_REQUEST => Kind::Request,
            BINDING_INDICATION => Kind::Indication,
            BINDING_SUCCESS => Kind::Success,
            BINDING_ERROR => Kind::Error,
            _ => return None,
        };
        let length = usize::from(be16(datagram, 2)?);
        if length % 4 != 0 || HEADER + length != datagram.len() {
            return None;
        }
        let mut message = Self {
            kind,
            transaction: datagram[8..20].try_into().ok()?,
            username: None,
            priority: None,
            use_candidate: false,
            role: None,
            unknown: None,
            integrity: None,
        };
        let mut at = HEADER;
        while at < datagram.len() {
            let attribute = be16(datagram, at)?;
            let size = usize::from(be16(datagram, at + 2)?);
            let value = datagram.get(at + 4..at + 4 + size)?;
            if attribute == FINGERPRINT {
                // the last attribute, over everything before it
                let want = u32::from_be_bytes(value.try_into().ok()?);
                let ours = crc32(&datagram[..at]) ^ FINGERPRINT_XOR;
                return (want == ours && at + 8 == datagram.len()).then_some(message);
            }
            // RFC 8489 section 14.5: what follows MESSAGE-INTEGRITY, FINGERPRINT apart, is ignored
            if message.integrity.is_none() {
                message.take(datagram, at, attribute, value)?;
            }
            at += 4 + size.next_multiple_of(4);
        }
        (at == datagram.len()).then_some(message)
    }

    fn take(&mut self, datagram: &'a [u8], at: usize, name: u16, value: &'a [u8]) -> Option<()> {
        match name {
            USERNAME => self.username = Some(value),
            PRIORITY => self.priority = Some(u32::from_be_bytes(value.try_into().ok()?)),
            USE_CANDIDATE => self.use_candidate = true,
            ICE_CONTROLLING => self.role = Some(Role::Controlling),
            ICE_CONTROLLED => self.role = Some(Role::Controlled),
            MESSAGE_INTEGRITY if value.len() == 20 => {
                self.integrity = Some((&datagram[..at], value));
            }
            MESSAGE_INTEGRITY => return None,
            ERROR_CODE | XOR_MAPPED_ADDRESS => {}
            other if other < 0x8000 && self.unknown.is_none() => self.unknown = Some(other),
            _ => {}
        }
        Some(())
    }

    /// Whether MESSAGE-INTEGRITY is there and was made with this short-term credential's password.
    #[must_use]
    pub fn authentic(&self, password: &hmac::Key) -> bool {
        let Some((covered, tag)) = self.integrity else {
            return false;
        };
        // the length field counts up to and including MESSAGE-INTEGRITY
        let length = u16::try_from(covered.len() - HEADER + 24).unwrap_or(u16::MAX);
        let mut context = hmac::Context::with_key(password);
        context.update(&covered[..2]);
        context.update(&length.to_be_bytes());
        context.update(&covered[4..]);
        let ours = context.sign();
        // in constant time
        let different = ours
            .as_ref()
            .iter()
            .zip(tag)
            .fold(0, |sum, (a, b)| sum | (a ^ b));
        different == 0
    }

    /// The part of USERNAME before the colon: our own ufrag.
    #[must_use]
    pub fn local_ufrag(&self) -> Option<&'a [u8]> {
        let name = self.username?;
        let colon = name.iter().position(|byte| *byte == b':')?;
        Some(&name[..colon])
    }
}

/// The key of a short-term credential (RFC 8489 section 9.1.1).
#[must_use]
pub fn key(password: &str) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes())
}

/// A response being written into a fixed buffer.
#[derive(Debug)]
pub struct Writer {
    bytes: [u8; LONGEST_RESPONSE],
    len: usize,
}

impl Writer {
    fn new(kind: u16, transaction: [u8; 12]) -> Self {
        let mut bytes = [0; LONGEST_RESPONSE];
        bytes[..2].copy_from_slice(&kind.to_be_bytes());
        bytes[4..8].copy_from_slice(&COOKIE);
        bytes[8..20].copy_from_slice(&transaction);
        Self { bytes, len: HEADER }
    }

    fn attribute(&mut self, name: u16, value: &[u8]) {
        let at = self.len;
        let size = u16::try_from(value.len()).unwrap_or(0);
        self.bytes[at..at + 2].copy_from_slice(&name.to_be_bytes());
        self.bytes[at + 2..at + 4].copy_from_slice(&size.to_be_bytes());
        self.bytes[at + 4..at + 4 + value.len()].copy_from_slice(value);
        self.len = at + 4 + value.len().next_multiple_of(4);
    }

    fn set_length(&mut self, len: usize) {
        let length = u16::try_from(len - HEADER).unwrap_or(0);
        self.bytes[2..4].copy_from_slice(&length.to_be_bytes());
    }

    fn seal(mut self, password: &hmac::Key) -> Self {
        self.set_length(self.len + 24);
        let tag = hmac::sign(password, &self.bytes[..self.len]);
        self.attribute(MESSAGE_INTEGRITY, tag.as_ref());
        self.set_length(self.len + 8);
        let crc = crc32(&self.bytes[..self.len]) ^ FINGERPRINT_XOR;
        self.attribute(FINGERPRINT, &crc.to_be_bytes());
        self
    }

    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// The success response to an authenticated check.
#[must_use]
pub fn success(transaction: [u8; 12], from: SocketAddr, password: &hmac::Key) -> Writer {
    let mut writer = Writer::new(BINDING_SUCCESS, transaction);
    let mut value = [0; 20];
    let port = from.port().to_be_bytes();
    value[2] = port[0] ^ COOKIE[0];
    value[3] = port[1] ^ COOKIE[1];
    let len = match from.ip().to_canonical() {
        IpAddr::V4(ip) => {
            value[1] = 1;
            for (i, byte) in ip.octets().into_iter().enumerate() {
                value[4 + i] = byte ^ COOKIE[i];
            }
            8
        }
        IpAddr::V6(ip) => {
            value[1] = 2;
            let mask = COOKIE.into_iter().chain(transaction);
            for (i, (byte, mask)) in ip.octets().into_iter().zip(mask).enumerate() {
                value[4 + i] = byte ^ mask;
            }
            20
        }
    };
    writer.attribute(XOR_MAPPED_ADDRESS, &value[..len]);
    writer.seal(password)
}

/// An error response to an authenticated check: 420 or 487 (RFC 8445 section 7.3.1.1).
#[must_use]
pub fn error(transaction: [u8; 12], code: u16, password: &hmac::Key) -> Writer {
    let mut writer = Writer::new(BINDING_ERROR, transaction);
    let phrase: &[u8] = match code {
        487 => b"Role Conflict",
        420 => b"Unknown Attribute",
        _ => b"Bad Request",
    };
    let mut value = [0; 24];
    value[2] = u8::try_from(code / 100).unwrap_or(4);
    value[3] = u8::try_from(code % 100).unwrap_or(0);
    value[4..4 + phrase.len()].copy_from_slice(phrase);
    writer.attribute(ERROR_CODE, &value[..4 + phrase.len()]);
    writer.seal(password)
}

/// A check as a browser sends it: for callers that are not browsers (tests, load).
#[must_use]
pub fn request(
    transaction: [u8; 12],
    username: &str,
    password: &hmac::Key,
    nominate: bool,
    role: Role,
) -> Writer {
    let mut writer = Writer::new(BINDING_REQUEST, transaction);
    // two ufrags of ours and a colon; a longer one would not leave room for the rest
    writer.attribute(USERNAME, &username.as_bytes()[..username.len().min(40)]);
    writer.attribute(PRIORITY, &[0x6e, 0, 1, 0xff]);
    let name = match role {
        Role::Controlling => ICE_CONTROLLING,
        Role::Controlled => ICE_CONTROLLED,
    };
    writer.attribute(name, &[9; 8]);
    if nominate {
        writer.attribute(USE_CANDIDATE, &[]);
    }
    writer.seal(password)
}

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

/// CRC-32 of ISO 3309, as FINGERPRINT wants it.
fn crc32(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = table();
    const fn table() -> [u32; 256] {
        let mut table = [0; 256];
        let mut i = 0;
        while i < 256 {
            let mut value = i as u32;
            let mut bit = 0;
            while bit < 8 {
                value = if value & 1 == 1 {
                    (value >> 1) ^ 0xedb8_8320
                } else {
                    value >> 1
                };
                bit += 1;
            }
            table[i] = value;
            i += 1;
        }
        table
    }
    !bytes.iter().fold(!0, |crc, byte| {
        TABLE[((crc ^ u32::from(*byte)) & 0xff) as usize] ^ (crc >> 8)
    })
}

#[cfg(test)]
mod tests;
