//! Packets: three bytes of length, a sequence number, a payload. A payload of 2^24 - 1 bytes goes
//! on in the next packet.

/// A whole login fits in this; whoever has not logged in may send no more at once.
pub const BEFORE_LOGIN: usize = 4 * 1024;

/// One statement of the largest kind: many rows of messages.
pub const AFTER_LOGIN: usize = 1024 * 1024;

/// The payload that says "more follows".
const FULL: usize = 0xFF_FFFF;
const HEADER: usize = 4;

/// What the bytes so far amount to.
#[derive(Debug, PartialEq, Eq)]
pub enum Framed {
    /// A payload and the sequence number of its last packet.
    Packet(Vec<u8>, u8),
    /// A payload over the limit went by and was not kept.
    TooLong(u8),
}

/// A packet's number is not the one that must follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("packets out of order")]
pub struct OutOfOrder;

/// Cuts a stream of bytes into payloads, keeping at most `limit` bytes of one.
#[derive(Debug)]
pub struct Splitter {
    limit: usize,
    header: Vec<u8>,
    /// Bytes of the current packet still to come.
    missing: usize,
    in_packet: bool,
    full: bool,
    sequence: u8,
    /// The sequence number that must come, inside one payload and during the login.
    expected: Option<u8>,
    payload: Vec<u8>,
    too_long: bool,
}

impl Splitter {
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            header: Vec::with_capacity(HEADER),
            missing: 0,
            in_packet: false,
            full: false,
            sequence: 0,
            expected: None,
            payload: Vec::new(),
            too_long: false,
        }
    }

    pub const fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// The sequence number the next payload must begin with; a command begins anew at 0.
    pub const fn expect(&mut self, sequence: u8) {
        self.expected = Some(sequence);
    }

    /// Takes bytes from the front of `bytes` until one payload is complete or none are left.
    pub fn next(&mut self, bytes: &mut &[u8]) -> Result<Option<Framed>, OutOfOrder> {
        loop {
            if !self.in_packet {
                let wanted = HEADER - self.header.len();
                let (head, tail) = bytes.split_at(wanted.min(bytes.len()));
                self.header.extend_from_slice(head);
                *bytes = tail;
                let &[a, b, c, sequence] = &self.header[..] else {
                    return Ok(None);
                };
                self.header.clear();
                if self.expected.is_some_and(|expected| expected != sequence) {
                    return Err(OutOfOrder);
                }
                self.missing = u32::from_le_bytes([a, b, c, 0]) as usize;
                self.full = self.missing == FULL;
                self.sequence = sequence;
                self.in_packet = true;
                // known from the header alone: nothing of it is ever kept
                if self.payload.len() + self.missing > self.limit {
                    self.too_long = true;
                    self.payload = Vec::new();
                }
            }
            let (head, tail) = bytes.split_at(self.missing.min(bytes.len()));
            if !self.too_long {
                self.payload.extend_from_slice(head);
            }
            *bytes = tail;
            self.missing -= head.len();
            if self.missing > 0 {
                return Ok(None);
            }
            self.in_packet = false;
            if self.full {
                self.expected = Some(self.sequence.wrapping_add(1));
                continue;
            }
            self.expected = None;
            let payload = std::mem::take(&mut self.payload);
            return Ok(Some(match std::mem::take(&mut self.too_long) {
                true => Framed::TooLong(self.sequence),
                false => Framed::Packet(payload, self.sequence),
            }));
        }
    }
}

/// Appends a payload as the packets it takes, beginning with `sequence`; returns the number after
/// the last.
pub fn frame(out: &mut Vec<u8>, payload: &[u8], mut sequence: u8) -> u8 {
    let mut rest = payload;
    loop {
        let (head, tail) = rest.split_at(rest.len().min(FULL));
        out.extend_from_slice(&(head.len() as u32).to_le_bytes()[..3]);
        out.push(sequence);
        out.extend_from_slice(head);
        sequence = sequence.wrapping_add(1);
        // a payload of exactly 2^24 - 1 bytes is followed by an empty packet
        if head.len() < FULL {
            return sequence;
        }
        rest = tail;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(limit: usize, bytes: &[u8], piece: usize) -> Vec<Framed> {
        let mut splitter = Splitter::new(limit);
        let mut found = Vec::new();
        for mut piece in bytes.chunks(piece) {
            while let Some(framed) = splitter.next(&mut piece).unwrap() {
                found.push(framed);
            }
        }
        found
    }

    #[test]
    fn payloads_come_out_however_the_bytes_come_in() {
        let mut bytes = Vec::new();
        frame(&mut bytes, b"first", 0);
        frame(&mut bytes, b"", 7);
        frame(&mut bytes, &[9; 300], 0);
        let expected = [
            Framed::Packet(b"first".to_vec(), 0),
            Framed::Packet(Vec::new(), 7),
            Framed::Packet(vec![9; 300], 0),
        ];
        for piece in [1, 2, 3, 4, 5, 100, 1000] {
            assert_eq!(split(1024, &bytes, piece), expected);
        }
    }

    #[test]
    fn a_payload_over_sixteen_megabytes_takes_several_packets() {
        let payload = vec![1; FULL];
        let mut bytes = Vec::new();
        assert_eq!(frame(&mut bytes, &payload, 3), 5);
        assert_eq!(
            split(FULL, &bytes, 1 << 20),
            [Framed::Packet(payload.clone(), 4)]
        );
        // too long, and told when all of it has gone by
        assert_eq!(split(FULL - 1, &bytes, 1 << 20), [Framed::TooLong(4)]);
    }

    #[test]
    fn a_claimed_length_takes_no_memory() {
        let mut splitter = Splitter::new(BEFORE_LOGIN);
        let mut bytes = &[0xFE, 0xFF, 0xFF, 1, 1, 2, 3][..];
        assert_eq!(splitter.next(&mut bytes), Ok(None));
        assert_eq!(splitter.payload.capacity(), 0);
        for _ in 0..100 {
            assert_eq!(splitter.next(&mut &[0; 4096][..]), Ok(None));
        }
        assert_eq!(splitter.payload.capacity(), 0);
    }

    #[test]
    fn packets_out_of_order_are_noticed() {
        let mut splitter = Splitter::new(BEFORE_LOGIN);
        splitter.expect(1);
        assert_eq!(splitter.next(&mut &[0, 0, 0, 2][..]), Err(OutOfOrder));
    }
}
