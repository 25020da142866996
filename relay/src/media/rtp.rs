//! RTP packets as the relay reads and writes them (RFC 3550 section 5.1, extensions by RFC 8285).

/// The fixed header: a relay writes no CSRC.
const FIXED: usize = 12;
/// The fixed header and every extension of ours with the longest `mid` a one-byte element takes.
pub const MAX_HEADER: usize = FIXED + 4 + 32;

/// The profile of one-byte extension elements; `0x1000` to `0x100f` are two-byte ones.
const ONE_BYTE: u16 = 0xbede;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("RTP packet ends inside its header")]
    Short,
    #[error("RTP version is not 2")]
    Version,
    #[error("RTP padding is longer than the payload, or zero")]
    Padding,
}

/// One packet, borrowed; padding is already cut off.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    pub marker: bool,
    pub payload_type: u8,
    pub sequence: u16,
    pub timestamp: u32,
    pub ssrc: u32,
    pub payload: &'a [u8],
    profile: u16,
    extensions: &'a [u8],
}

impl<'a> Packet<'a> {
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let fixed: &[u8; FIXED] = bytes.first_chunk().ok_or(Malformed::Short)?;
        if fixed[0] >> 6 != 2 {
            return Err(Malformed::Version);
        }
        let csrcs = 4 * usize::from(fixed[0] & 0x0f);
        let mut rest = bytes.get(FIXED + csrcs..).ok_or(Malformed::Short)?;
        let (mut profile, mut extensions) = (0, &rest[..0]);
        if fixed[0] & 0x10 != 0 {
            let [p0, p1, l0, l1] = *rest.first_chunk().ok_or(Malformed::Short)?;
            let end = 4 + 4 * usize::from(u16::from_be_bytes([l0, l1]));
            profile = u16::from_be_bytes([p0, p1]);
            extensions = rest.get(4..end).ok_or(Malformed::Short)?;
            rest = &rest[end..];
        }
        if fixed[0] & 0x20 != 0 {
            let padding = usize::from(*rest.last().ok_or(Malformed::Padding)?);
            if padding == 0 || padding > rest.len() {
                return Err(Malformed::Padding);
            }
            rest = &rest[..rest.len() - padding];
        }
        Ok(Self {
            marker: fixed[1] & 0x80 != 0,
            payload_type: fixed[1] & 0x7f,
            sequence: u16::from_be_bytes([fixed[2], fixed[3]]),
            timestamp: u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]),
            ssrc: u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]),
            payload: rest,
            profile,
            extensions,
        })
    }

    /// The same packet without what its payload is wrapped in.
    #[must_use]
    pub fn bare(self, payload_type: u8, payload: &'a [u8]) -> Self {
        Self {
            payload_type,
            payload,
            ..self
        }
    }

    /// A packet sent before this one, of which it carries the payload along; extensions speak of this one.
    #[must_use]
    pub fn before(self, numbers: u16, ticks: u32, payload_type: u8, payload: &'a [u8]) -> Self {
        Self {
            marker: false,
            payload_type,
            sequence: self.sequence.wrapping_sub(numbers),
            timestamp: self.timestamp.wrapping_sub(ticks),
            payload,
            profile: 0,
            extensions: &self.extensions[..0],
            ..self
        }
    }

    /// The value of an extension element, in either form; `None` when it is absent or its length
    /// runs past the block.
    #[must_use]
    pub fn extension(&self, id: u8) -> Option<&'a [u8]> {
        self.elements()
            .find(|(found, _)| *found == id)
            .map(|(_, value)| value)
    }

    fn elements(&self) -> Elements<'a> {
        let (rest, two_byte) = match self.profile {
            ONE_BYTE => (self.extensions, false),
            profile if profile & 0xfff0 == 0x1000 => (self.extensions, true),
            _ => (&self.extensions[..0], false),
        };
        Elements { rest, two_byte }
    }
}

#[derive(Debug)]
struct Elements<'a> {
    rest: &'a [u8],
    two_byte: bool,
}

impl<'a> Iterator for Elements<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (&first, after) = self.rest.split_first()?;
            let (id, length, after) = if self.two_byte {
                if first == 0 {
                    self.rest = after;
                    continue;
                }
                let (&length, after) = after.split_first()?;
                (first, usize::from(length), after)
            } else {
                match first >> 4 {
                    // a padding byte; RFC 8285 section 4.2: an id of 0 with a length is skipped too
                    0 if first == 0 => {
                        self.rest = after;
                        continue;
                    }
                    // reserved: processing stops
                    15 => return None,
                    id => (id, usize::from(first & 0x0f) + 1, after),
                }
            };
            let value = after.get(..length)?;
            self.rest = &after[length..];
            return Some((id, value));
        }
    }
}

/// A header of ours; extensions are written in the one-byte form.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    bytes: [u8; MAX_HEADER],
    length: usize,
}

impl Header {
    #[must_use]
    pub fn new(marker: bool, payload_type: u8, sequence: u16, timestamp: u32, ssrc: u32) -> Self {
        let mut bytes = [0; MAX_HEADER];
        bytes[0] = 0x80;
        bytes[1] = u8::from(marker) << 7 | payload_type & 0x7f;
        bytes[2..4].copy_from_slice(&sequence.to_be_bytes());
        bytes[4..8].copy_from_slice(&timestamp.to_be_bytes());
        bytes[8..12].copy_from_slice(&ssrc.to_be_bytes());
        Self {
            bytes,
            length: FIXED,
        }
    }

    /// Appends an element. What does not fit, or has an id or length the one-byte form cannot say,
    /// is left out: a packet without an extension is better than none.
    pub fn extend(&mut self, id: u8, value: &[u8]) {
        let start = if self.length == FIXED {
            FIXED + 4
        } else {
            self.length
        };
        let end = start + 1 + value.len();
        // three bytes of alignment must fit behind it
        if !(1..=14).contains(&id) || !(1..=16).contains(&value.len()) || end + 3 > MAX_HEADER {
            return;
        }
        self.bytes[start] = id << 4 | (value.len() - 1) as u8;
        self.bytes[start + 1..end].copy_from_slice(value);
        self.length = end;
    }

    /// What follows is of another payload type.
    pub fn retype(&mut self, payload_type: u8) {
        self.bytes[1] = self.bytes[1] & 0x80 | payload_type & 0x7f;
    }

    /// What follows is padding alone (RFC 3550 section 5.1).
    pub fn pad(&mut self) {
        self.bytes[0] |= 0x20;
    }

    /// The finished header: the extension block gets its length and alignment.
    pub fn finish(&mut self) -> &[u8] {
        if self.length > FIXED {
            let words = (self.length - FIXED - 4).div_ceil(4);
            self.bytes[0] |= 0x10;
            self.bytes[FIXED..FIXED + 2].copy_from_slice(&ONE_BYTE.to_be_bytes());
            self.bytes[FIXED + 2..FIXED + 4].copy_from_slice(&(words as u16).to_be_bytes());
            self.length = FIXED + 4 + 4 * words;
        }
        &self.bytes[..self.length]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn with_extensions(profile: u16, block: &[u8], tail: &[u8]) -> Vec<u8> {
        assert_eq!(block.len() % 4, 0);
        let mut bytes = Header::new(true, 111, 7, 960, 0xabcd).finish().to_vec();
        bytes[0] |= 0x10;
        bytes.extend(profile.to_be_bytes());
        bytes.extend(((block.len() / 4) as u16).to_be_bytes());
        bytes.extend(block);
        bytes.extend(tail);
        bytes
    }

    #[test]
    fn what_is_written_is_read() {
        let mut header = Header::new(true, 96, 65_535, 0xdead_beef, 42);
        header.extend(3, b"0");
        header.extend(1, &[0x80 | 30]);
        header.extend(5, &500_u16.to_be_bytes());
        let mut bytes = header.finish().to_vec();
        assert_eq!(bytes.len() % 4, 0);
        bytes.extend(b"speech");
        let packet = Packet::parse(&bytes).unwrap();
        assert!(packet.marker);
        assert_eq!((packet.payload_type, packet.sequence), (96, 65_535));
        assert_eq!((packet.timestamp, packet.ssrc), (0xdead_beef, 42));
        assert_eq!(packet.extension(3), Some(&b"0"[..]));
        assert_eq!(packet.extension(1), Some(&[0x80 | 30][..]));
        assert_eq!(packet.extension(5), Some(&[1, 244][..]));
        assert_eq!(packet.extension(4), None);
        assert_eq!(packet.payload, b"speech");
    }

    #[test]
    fn a_header_without_extensions_is_twelve_bytes() {
        let mut header = Header::new(false, 0, 0, 0, 0);
        header.extend(15, &[1]);
        header.extend(1, &[]);
        header.extend(1, &[0; 17]);
        assert_eq!(header.finish().len(), 12);
    }

    #[test]
    fn two_byte_elements_are_read() {
        let bytes = with_extensions(0x1000, &[0, 20, 2, 1, 2, 21, 0, 0], b"x");
        let packet = Packet::parse(&bytes).unwrap();
        assert_eq!(packet.extension(20), Some(&[1, 2][..]));
        assert_eq!(packet.extension(21), Some(&[][..]));
        assert_eq!(packet.payload, b"x");
    }

    #[test]
    fn an_element_longer_than_its_block_is_absent() {
        let bytes = with_extensions(ONE_BYTE, &[0x1f, 0, 0, 0], b"x");
        assert_eq!(Packet::parse(&bytes).unwrap().extension(1), None);
        let bytes = with_extensions(ONE_BYTE, &[0xf0, 0, 0x10, 9], b"x");
        assert_eq!(Packet::parse(&bytes).unwrap().extension(1), None);
    }

    #[test]
    fn padding_that_lies_is_refused_and_honest_padding_is_cut_off() {
        let mut bytes = Header::new(false, 96, 1, 2, 3).finish().to_vec();
        bytes[0] |= 0x20;
        assert_eq!(Packet::parse(&bytes).unwrap_err(), Malformed::Padding);
        for (tail, payload) in [
            (&[9, 0][..], None),
            (&[9, 3], None),
            (&[9, 1], Some(&[9][..])),
            (&[9, 2], Some(&[])),
        ] {
            let mut bytes = bytes.clone();
            bytes.extend(tail);
            assert_eq!(
                Packet::parse(&bytes).ok().map(|packet| packet.payload),
                payload
            );
        }
    }

    #[test]
    fn a_packet_cut_anywhere_in_its_header_is_refused() {
        let bytes = with_extensions(ONE_BYTE, &[0x10, 5, 0, 0], b"");
        for end in 0..bytes.len() {
            assert_eq!(Packet::parse(&bytes[..end]).unwrap_err(), Malformed::Short);
        }
        assert!(Packet::parse(&bytes).is_ok());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80), id: u8) {
            if let Ok(packet) = Packet::parse(&bytes) {
                let _ = packet.extension(id);
                prop_assert!(packet.payload.len() <= bytes.len());
            }
        }

        #[test]
        fn no_extension_makes_the_header_overflow(
            elements in proptest::collection::vec((any::<u8>(), 0_usize..20), 0..12),
        ) {
            let mut header = Header::new(false, 1, 2, 3, 4);
            for (id, length) in elements {
                header.extend(id, &[7; 20][..length]);
            }
            let bytes = header.finish().to_vec();
            prop_assert!(Packet::parse(&bytes).is_ok());
        }
    }
}
