//! Frames of a WebSocket as a server has them (RFC 6455 section 5): masked ones come in, bare ones
//! go out. Pure: bytes in, messages out.
//!
//! [`Decoder::read`] takes what it needs from a slice and says when a message is whole. Between two
//! messages it holds no memory of its own, and while one comes, no more than has come of it: a
//! frame's length is believed only as far as it is forbidden.

use super::deflate::Inflate;

/// The longest payload of a control frame (section 5.5).
const MAX_CONTROL: usize = 125;
/// Pieces of one message. Browsers cut at 64 KiB at the least; who sends single bytes wants our time.
const MAX_FRAGMENTS: u16 = 1_024;
/// Two bytes, eight of length, four of mask.
const LONGEST_HEAD: usize = 14;

const FIN: u8 = 0x80;
/// "Compressed" with permessage-deflate (RFC 7692 section 6).
const RSV1: u8 = 0x40;
const MASK: u8 = 0x80;

/// What a frame is (section 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Opcode {
    Continuation = 0,
    Text = 1,
    Binary = 2,
    Close = 8,
    Ping = 9,
    Pong = 10,
}

impl Opcode {
    fn of(first: u8) -> Option<Self> {
        Some(match first & 0x0f {
            0 => Self::Continuation,
            1 => Self::Text,
            2 => Self::Binary,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            _ => return None,
        })
    }

    const fn is_control(self) -> bool {
        self as u8 & 8 != 0
    }
}

/// What the peer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    Text(String),
    Binary(Vec<u8>),
    /// To be answered with a Pong of the same payload.
    Ping(Vec<u8>),
    Pong,
    /// With its code (section 7.4), if it gave one.
    Close(Option<u16>),
}

/// Why a connection is over from our side (section 7.1.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    #[error("{0}")]
    Protocol(&'static str),
    /// A text or a reason that is not UTF-8, or compressed data that are none.
    #[error("{0}")]
    Data(&'static str),
    #[error("too long")]
    TooBig,
}

impl Violation {
    /// The code to close with (section 7.4.1).
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::Protocol(_) => 1002,
            Self::Data(_) => 1007,
            Self::TooBig => 1009,
        }
    }

    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Protocol(why) | Self::Data(why) => why,
            Self::TooBig => "too long",
        }
    }
}

const UTF8: Violation = Violation::Data("not UTF-8");

/// A frame whose payload is coming.
#[derive(Clone, Copy, Debug)]
struct Frame {
    opcode: Opcode,
    fin: bool,
    /// Turned so that its first byte is for the next byte of the payload.
    mask: [u8; 4],
    left: usize,
}

/// A message of which some frames have come.
#[derive(Debug)]
struct Partial {
    text: bool,
    compressed: bool,
    fragments: u16,
    bytes: Vec<u8>,
}

/// Reads one connection. After a [`Violation`] it is not to be asked again.
#[derive(Debug)]
pub struct Decoder {
    /// The longest message, inflated or not.
    limit: usize,
    inflate: Option<Box<Inflate>>,
    head: [u8; LONGEST_HEAD],
    head_len: u8,
    frame: Option<Frame>,
    message: Option<Partial>,
    control: Vec<u8>,
}

impl Decoder {
    /// With `inflate`, messages may be compressed.
    #[must_use]
    pub fn new(limit: usize, inflate: Option<Box<Inflate>>) -> Self {
        Self {
            limit,
            inflate,
            head: [0; LONGEST_HEAD],
            head_len: 0,
            frame: None,
            message: None,
            control: Vec::new(),
        }
    }

    /// Reads up to the end of the next message, and takes so much from `input`. `None`: it has all
    /// of it and needs more.
    pub fn read(&mut self, input: &mut &[u8]) -> Result<Option<Message>, Violation> {
        loop {
            if self.frame.is_none() {
                self.frame = self.read_head(input)?;
            }
            let Some(frame) = &mut self.frame else {
                return Ok(None);
            };
            let payload = match &mut self.message {
                Some(message) if !frame.opcode.is_control() => &mut message.bytes,
                _ => &mut self.control,
            };
            take(frame, input, payload);
            if frame.left > 0 {
                return Ok(None);
            }
            let frame = *frame;
            self.frame = None;
            if let Some(message) = self.finish(frame)? {
                return Ok(Some(message));
            }
        }
    }

    /// A whole head, or `None` while there is too little.
    fn read_head(&mut self, input: &mut &[u8]) -> Result<Option<Frame>, Violation> {
        loop {
            let have = usize::from(self.head_len);
            let needed = match have {
                0 | 1 => 2,
                _ => self.head_length()?,
            };
            if have >= 2 && have == needed {
                self.head_len = 0;
                return self.open_frame(needed).map(Some);
            }
            let count = input.len().min(needed - have);
            if count == 0 {
                return Ok(None);
            }
            let (now, later) = input.split_at(count);
            self.head[have..have + count].copy_from_slice(now);
            // no head is longer than 14 bytes
            self.head_len += count as u8;
            *input = later;
        }
    }

    /// What its first two bytes promise; refuses what they may not say.
    fn head_length(&self) -> Result<usize, Violation> {
        let [first, second, ..] = self.head;
        let opcode = Opcode::of(first).ok_or(Violation::Protocol("unknown opcode"))?;
        let starts = matches!(opcode, Opcode::Text | Opcode::Binary);
        let compressible = starts && self.inflate.is_some();
        if first & 0x70 & !(if compressible { RSV1 } else { 0 }) != 0 {
            return Err(Violation::Protocol("reserved bits"));
        }
        if second & MASK == 0 {
            return Err(Violation::Protocol("not masked"));
        }
        let length = second & !MASK;
        if opcode.is_control() {
            if first & FIN == 0 {
                return Err(Violation::Protocol("a control frame in pieces"));
            }
            if usize::from(length) > MAX_CONTROL {
                return Err(Violation::Protocol("a long control frame"));
            }
        } else if starts != self.message.is_none() {
            return Err(Violation::Protocol(match starts {
                true => "a message within another",
                false => "a continuation of nothing",
            }));
        }
        Ok(match length {
            126 => 8,
            127 => LONGEST_HEAD,
            _ => 6,
        })
    }

    fn open_frame(&mut self, head_len: usize) -> Result<Frame, Violation> {
        let head = &self.head[..head_len];
        let (rest, mask) = head[1..].split_at(head_len - 5);
        let length = match rest {
            [short] => u64::from(short & !MASK),
            [_, long @ ..] => long
                .iter()
                .fold(0, |length, byte| length << 8 | u64::from(*byte)),
            [] => 0,
        };
        let shortest = match head_len {
            8 => 126,
            LONGEST_HEAD => 1 << 16,
            _ => 0,
        };
        if length < shortest || length >> 63 != 0 {
            return Err(Violation::Protocol("a length written too long"));
        }
        let left = usize::try_from(length).map_err(|_| Violation::TooBig)?;
        let first = head[0];
        // checked before
        let opcode = Opcode::of(first).ok_or(Violation::Protocol("unknown opcode"))?;
        if !opcode.is_control() {
            let message = self.message.get_or_insert_with(|| Partial {
                text: opcode == Opcode::Text,
                compressed: first & RSV1 != 0,
                fragments: 0,
                bytes: Vec::new(),
            });
            message.fragments += 1;
            if left > self.limit - message.bytes.len() || message.fragments > MAX_FRAGMENTS {
                return Err(Violation::TooBig);
            }
        }
        let mut turned = [0; 4];
        turned.copy_from_slice(mask);
        Ok(Frame {
            opcode,
            fin: first & FIN != 0,
            mask: turned,
            left,
        })
    }

    /// The frame's payload is whole.
    fn finish(&mut self, frame: Frame) -> Result<Option<Message>, Violation> {
        match frame.opcode {
            Opcode::Ping => Ok(Some(Message::Ping(std::mem::take(&mut self.control)))),
            Opcode::Pong => {
                self.control = Vec::new();
                Ok(Some(Message::Pong))
            }
            Opcode::Close => read_close(&std::mem::take(&mut self.control)).map(Some),
            _ if !frame.fin => Ok(None),
            _ => {
                let Some(whole) = self.message.take() else {
                    return Ok(None);
                };
                let bytes = match &mut self.inflate {
                    Some(inflate) if whole.compressed => {
                        inflate.message(&whole.bytes, self.limit)?
                    }
                    _ => whole.bytes,
                };
                Ok(Some(match whole.text {
                    true => Message::Text(String::from_utf8(bytes).map_err(|_| UTF8)?),
                    false => Message::Binary(bytes),
                }))
            }
        }
    }
}

/// Moves what there is of the payload, unmasked (section 5.3).
fn take(frame: &mut Frame, input: &mut &[u8], payload: &mut Vec<u8>) {
    let (now, later) = input.split_at(input.len().min(frame.left));
    let start = payload.len();
    // what has come, and not what was promised
    payload.reserve_exact(now.len());
    payload.extend_from_slice(now);
    let mut words = payload[start..].chunks_exact_mut(4);
    for word in &mut words {
        for (byte, key) in word.iter_mut().zip(frame.mask) {
            *byte ^= key;
        }
    }
    for (byte, key) in words.into_remainder().iter_mut().zip(frame.mask) {
        *byte ^= key;
    }
    frame.mask.rotate_left(now.len() % 4);
    frame.left -= now.len();
    *input = later;
}

/// Section 5.5.1; the codes that may be sent are those of section 7.4 and of IANA's list since.
fn read_close(payload: &[u8]) -> Result<Message, Violation> {
    let [high, low, reason @ ..] = payload else {
        return match payload {
            [] => Ok(Message::Close(None)),
            _ => Err(Violation::Protocol("half a close code")),
        };
    };
    let code = u16::from_be_bytes([*high, *low]);
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(Violation::Protocol("no close code"));
    }
    std::str::from_utf8(reason).map_err(|_| UTF8)?;
    Ok(Message::Close(Some(code)))
}

/// Appends one whole frame.
pub fn write(out: &mut Vec<u8>, opcode: Opcode, compressed: bool, payload: &[u8]) {
    let (head, head_len) = head(opcode, compressed, payload.len());
    out.reserve(head_len + payload.len());
    out.extend_from_slice(&head[..head_len]);
    out.extend_from_slice(payload);
}

/// The head of a frame that is a message of its own, and its length.
fn head(opcode: Opcode, compressed: bool, length: usize) -> ([u8; 10], usize) {
    let mut head = [0; 10];
    head[0] = FIN | opcode as u8 | if compressed { RSV1 } else { 0 };
    let head_len = if let Ok(short @ 0..=125) = u8::try_from(length) {
        head[1] = short;
        2
    } else if let Ok(long) = u16::try_from(length) {
        head[1] = 126;
        head[2..4].copy_from_slice(&long.to_be_bytes());
        4
    } else {
        head[1] = 127;
        head[2..].copy_from_slice(&(length as u64).to_be_bytes());
        10
    };
    (head, head_len)
}

/// Appends a Close; a reason that does not fit is cut (section 5.5.1).
pub fn write_close(out: &mut Vec<u8>, code: Option<u16>, reason: &str) {
    let mut payload = Vec::new();
    if let Some(code) = code {
        payload.extend_from_slice(&code.to_be_bytes());
        let end = reason.floor_char_boundary(MAX_CONTROL - 2);
        payload.extend_from_slice(&reason.as_bytes()[..end]);
    }
    write(out, Opcode::Close, false, &payload);
}

#[cfg(test)]
mod tests;
