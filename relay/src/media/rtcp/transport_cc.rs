//! Transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01 section 3.1).

/// One tick of an arrival delta, in microseconds.
const DELTA: i64 = 250;
/// One unit of the reference time, in microseconds.
const REFERENCE: u64 = 64_000;
/// A feedback message stays within one datagram of any path.
const MAX_BODY: usize = 1_000;
const MAX_RUN: u64 = 0x1fff;

/// Symbols of packet status.
const MISSING: u8 = 0;
const SMALL: u8 = 1;
const LARGE: u8 = 2;

/// A packet that came: its transport-wide sequence number, unwrapped, and when, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Came {
    pub number: u64,
    pub at: u64,
}

/// Appends the body (after the two SSRCs) that tells of every number from `base` to the last of
/// `came` that fits; answers how many of `came` were told. `came` is in rising order of number,
/// without doubles, and none is below `base`.
pub fn encode(bytes: &mut Vec<u8>, base: u64, count: u8, came: &[Came]) -> usize {
    let Some(first) = came.first() else { return 0 };
    let reference = first.at / REFERENCE;
    let start = bytes.len();
    bytes.extend((base as u16).to_be_bytes());
    bytes.extend([0, 0]);
    bytes.extend(&(reference as u32).to_be_bytes()[1..]);
    bytes.push(count);

    // a run of equal symbols is a chunk of two bytes and each packet that came at most two more,
    // so the body is bounded by four bytes a packet and two for each hole between them
    let fitting = fitting(base, came, reference);
    let mut chunks = Chunks::new(bytes);
    let mut expected = base;
    let mut before = (reference * REFERENCE) as i64;
    for packet in &came[..fitting] {
        chunks.run(MISSING, packet.number - expected);
        let delta = (packet.at as i64 - before).div_euclid(DELTA);
        chunks.run(
            if (0..=255).contains(&delta) {
                SMALL
            } else {
                LARGE
            },
            1,
        );
        before += delta * DELTA;
        expected = packet.number + 1;
    }
    chunks.finish();

    let mut before = (reference * REFERENCE) as i64;
    for packet in &came[..fitting] {
        let delta = (packet.at as i64 - before).div_euclid(DELTA);
        match u8::try_from(delta) {
            Ok(delta) => bytes.push(delta),
            Err(_) => bytes.extend((delta as i16).to_be_bytes()),
        }
        before += delta * DELTA;
    }
    let told = (expected - base) as u16;
    bytes[start + 2..start + 4].copy_from_slice(&told.to_be_bytes());
    fitting
}

/// How many of the packets one message can tell of.
fn fitting(base: u64, came: &[Came], reference: u64) -> usize {
    let (mut size, mut expected) = (8, base);
    let mut before = (reference * REFERENCE) as i64;
    for (index, packet) in came.iter().enumerate() {
        let delta = (packet.at as i64 - before).div_euclid(DELTA);
        size += 4 + if packet.number > expected { 4 } else { 0 };
        let span = packet.number + 1 - base;
        if size > MAX_BODY || i16::try_from(delta).is_err() || span > MAX_RUN {
            return index;
        }
        before += delta * DELTA;
        expected = packet.number + 1;
    }
    came.len()
}

/// Writes symbols as run-length chunks, or seven at a time where they change often.
struct Chunks<'a> {
    bytes: &'a mut Vec<u8>,
    pending: [u8; 7],
    filled: usize,
    run: (u8, u64),
}

impl<'a> Chunks<'a> {
    fn new(bytes: &'a mut Vec<u8>) -> Self {
        Self {
            bytes,
            pending: [0; 7],
            filled: 0,
            run: (MISSING, 0),
        }
    }

    fn run(&mut self, symbol: u8, length: u64) {
        if length == 0 {
            return;
        }
        if self.run.0 == symbol {
            self.run.1 += length;
            return;
        }
        self.settle();
        self.run = (symbol, length);
    }

    /// Moves the run that ended into chunks.
    fn settle(&mut self) {
        let (symbol, mut length) = self.run;
        while length > 0 {
            if self.filled == 0 && length >= 7 {
                let part = length.min(MAX_RUN);
                self.chunk(u16::from(symbol) << 13 | part as u16);
                length -= part;
            } else {
                self.pending[self.filled] = symbol;
                self.filled += 1;
                length -= 1;
                if self.filled == self.pending.len() {
                    self.vector();
                }
            }
        }
        self.run.1 = 0;
    }

    fn vector(&mut self) {
        let symbols = self.pending[..self.filled].iter().enumerate();
        let bits = symbols.fold(0xc000, |bits, (at, symbol)| {
            bits | u16::from(*symbol) << (12 - 2 * at)
        });
        self.filled = 0;
        self.chunk(bits);
    }

    fn finish(mut self) {
        self.settle();
        if self.filled > 0 {
            self.vector();
        }
    }

    fn chunk(&mut self, bits: u16) {
        self.bytes.extend(bits.to_be_bytes());
    }
}

/// A feedback message somebody sent us.
#[derive(Clone, Copy, Debug)]
pub struct Feedback<'a> {
    pub base: u16,
    /// Numbers it tells of, from `base` on.
    pub count: u16,
    /// Units of 64 ms on the teller's clock; 24 bits.
    reference: u32,
    chunks: &'a [u8],
}

impl<'a> Feedback<'a> {
    /// `body` begins with the sender's SSRC.
    pub(super) fn parse(body: &'a [u8]) -> Option<Self> {
        let (head, chunks) = body.split_first_chunk::<16>()?;
        Some(Self {
            base: u16::from_be_bytes([head[8], head[9]]),
            count: u16::from_be_bytes([head[10], head[11]]),
            reference: u32::from_be_bytes([0, head[12], head[13], head[14]]),
            chunks,
        })
    }

    /// The packets it tells of, in order.
    #[must_use]
    pub fn arrivals(&self) -> Arrivals<'a> {
        let (mut told, mut deltas) = (0, self.chunks);
        while let Some((chunk, rest)) = deltas.split_first_chunk::<2>()
            && told < u32::from(self.count)
        {
            deltas = rest;
            told += u32::from(Chunk::new(*chunk).left);
        }
        Arrivals {
            chunks: self.chunks,
            deltas,
            sequence: self.base,
            left: self.count,
            at: i64::from(self.reference) * REFERENCE as i64,
            chunk: Chunk::default(),
        }
    }

    /// How many of the packets came, and how many did not. Linear in the message's bytes, not in
    /// the 65,535 packets a few hostile bytes can speak of.
    #[must_use]
    pub fn tally(&self) -> (u32, u32) {
        let (mut left, mut came) = (u32::from(self.count), 0);
        let mut chunks = self.chunks;
        while let Some((chunk, rest)) = chunks.split_first_chunk::<2>().filter(|_| left > 0) {
            chunks = rest;
            let bits = u16::from_be_bytes(*chunk);
            let (width, symbols) = match bits >> 14 {
                0 | 1 => {
                    let length = u32::from(bits & MAX_RUN as u16).min(left);
                    came += if bits >> 13 & 3 == 0 { 0 } else { length };
                    left -= length;
                    continue;
                }
                2 => (1, 14),
                _ => (2, 7),
            };
            let told = symbols.min(left);
            came += (0..told)
                .filter(|at| bits >> (14 - width * (at + 1)) & ((1 << width) - 1) != 0)
                .count() as u32;
            left -= told;
        }
        (came, u32::from(self.count) - left - came)
    }
}

/// Symbols of one chunk that were not looked at yet.
#[derive(Clone, Copy, Debug, Default)]
struct Chunk {
    /// The next symbol is on top.
    bits: u16,
    /// Of a symbol in bits; 0: all are the one in `bits`.
    width: u8,
    left: u16,
}

impl Chunk {
    const fn new(bytes: [u8; 2]) -> Self {
        let bits = u16::from_be_bytes(bytes);
        match bits >> 14 {
            0 | 1 => Self {
                bits: bits << 1,
                width: 0,
                left: bits & MAX_RUN as u16,
            },
            2 => Self {
                bits: bits << 2,
                width: 1,
                left: 14,
            },
            _ => Self {
                bits: bits << 2,
                width: 2,
                left: 7,
            },
        }
    }

    fn next(&mut self) -> u8 {
        self.left -= 1;
        let symbol = match self.width {
            1 => self.bits >> 15,
            _ => self.bits >> 14,
        };
        self.bits <<= self.width;
        symbol as u8
    }
}

/// Sequence numbers, and when each came in microseconds on the teller's clock, which begins anew
/// every [`AROUND`]; `None`: it did not come.
#[derive(Clone, Debug)]
pub struct Arrivals<'a> {
    chunks: &'a [u8],
    deltas: &'a [u8],
    sequence: u16,
    left: u16,
    at: i64,
    chunk: Chunk,
}

/// After so many microseconds a reference time comes again.
pub const AROUND: i64 = (1 << 24) * REFERENCE as i64;

impl Iterator for Arrivals<'_> {
    type Item = (u16, Option<i64>);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        while self.chunk.left == 0 {
            let (chunk, rest) = self.chunks.split_first_chunk::<2>()?;
            (self.chunk, self.chunks) = (Chunk::new(*chunk), rest);
        }
        let delta = match self.chunk.next() {
            SMALL => {
                let (delta, rest) = self.deltas.split_first()?;
                self.deltas = rest;
                Some(i64::from(*delta))
            }
            LARGE => {
                let (delta, rest) = self.deltas.split_first_chunk::<2>()?;
                self.deltas = rest;
                Some(i64::from(i16::from_be_bytes(*delta)))
            }
            _ => None,
        };
        let sequence = self.sequence;
        self.sequence = sequence.wrapping_add(1);
        self.at += delta.unwrap_or(0) * DELTA;
        Some((sequence, delta.map(|_| self.at)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::media::rtcp::{Item, Writer, items};

    fn tally(base: u64, came: &[Came]) -> (usize, (u32, u32)) {
        let (mut writer, mut told) = (Writer::default(), 0);
        writer.transport_cc(1, 2, |bytes| told = encode(bytes, base, 0, came));
        let Some(Item::TransportCc(feedback)) = items(writer.bytes()).next() else {
            panic!("a feedback message")
        };
        assert_eq!(feedback.base, base as u16);
        let mut heard = feedback
            .arrivals()
            .filter_map(|(number, at)| Some((number, at?)));
        for packet in &came[..told] {
            let (number, at) = heard.next().expect("what was told");
            assert_eq!(number, packet.number as u16);
            assert!(
                (0..DELTA).contains(&(packet.at as i64 - at)),
                "{packet:?} {at}"
            );
        }
        assert_eq!(heard.next(), None);
        (told, feedback.tally())
    }

    #[test]
    fn the_bytes_of_a_small_message() {
        let mut bytes = Vec::new();
        let came = [
            Came {
                number: 10,
                at: 64_000,
            },
            Came {
                number: 11,
                at: 65_000,
            },
            Came {
                number: 13,
                at: 165_000,
            },
        ];
        assert_eq!(encode(&mut bytes, 10, 7, &came), 3);
        assert_eq!(bytes[..8], [0, 10, 0, 4, 0, 0, 1, 7]);
        // small, small, missing, large
        assert_eq!(
            bytes[8..10],
            (0xc000_u16 | 1 << 12 | 1 << 10 | 2 << 6).to_be_bytes()
        );
        assert_eq!(bytes[10..], [0, 4, 1, 144]);
    }

    #[test]
    fn a_silence_of_ten_seconds_begins_a_new_message() {
        let came = [
            Came { number: 1, at: 0 },
            Came {
                number: 2,
                at: 10_000_000,
            },
        ];
        assert_eq!(tally(1, &came).0, 1);
    }

    #[test]
    fn a_message_that_says_more_than_it_holds_ends_where_it_ends() {
        let say = |count, chunks| Feedback {
            base: 65_535,
            count,
            reference: 1,
            chunks,
        };
        let feedback = |chunks| say(65_535, chunks);
        let run = say(3, &[0x20, 0x03, 4, 8][..]).arrivals();
        assert_eq!(
            run.collect::<Vec<_>>(),
            [(65_535, Some(65_000)), (0, Some(67_000))]
        );
        assert_eq!(feedback(&[0x1f, 0xff][..]).arrivals().count(), 0x1fff);
        assert_eq!(feedback(&[0, 0, 0, 0][..]).arrivals().count(), 0);
        assert_eq!(feedback(&[0xff, 0xff, 1][..]).arrivals().count(), 7);
    }

    proptest! {
        #[test]
        fn what_came_and_what_is_missing_is_told(
            steps in proptest::collection::vec((1_u64..40, -3_000_i64..60_000), 1..300),
            base in 1_u64..100_000,
        ) {
            let (mut number, mut at) = (base, 1_000_000_i64);
            let came: Vec<_> = steps.iter().map(|(step, delta)| {
                number += step;
                at += delta;
                Came { number, at: at.max(0) as u64 }
            }).collect();
            let (told, (received, missing)) = tally(base, &came);
            prop_assert!(told > 0);
            prop_assert_eq!(received as usize, told);
            prop_assert_eq!(u64::from(received + missing), came[told - 1].number + 1 - base);
        }
    }
}
