//! Redundant speech (RFC 2198): a packet that carries along what the ones before it said.
//!
//! A publisher on a lossy link sends it to us: what never came is taken out and goes on as if it had come
//! ([`Bundle`]). A listener on a lossy link gets it from us ([`Older`]), and one on a good link does not, whoever speaks:
//! redundancy is each hop's own. Retransmission would come too late for speech, and Opus' own FEC switches
//! itself off below 12 to 14 kbit/s.

use std::ops::Range;

use super::{
    cache::{Cache, Parcel},
    rtp::Packet,
};

/// Packets before its own that one may carry along; more are not looked at.
pub const MOST: usize = 2;
/// The header of what is carried along, and of the packet's own speech (RFC 2198 section 3).
const HEADER: usize = 4;
const LAST_HEADER: usize = 1;
/// 14 bits.
const FARTHEST: u32 = (1 << 14) - 1;
/// 10 bits.
const LONGEST: usize = (1 << 10) - 1;

/// What is in a redundant packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bundle<'a> {
    /// Its own speech.
    pub newest: &'a [u8],
    /// How many ticks earlier, and what was said then; the last before its own first.
    pub older: [Option<(u32, &'a [u8])>; MOST],
}

impl<'a> Bundle<'a> {
    /// `None`: it ends inside a header or a block, or its own speech is of another codec.
    #[must_use]
    pub fn of(payload: &'a [u8], codec: u8) -> Option<Self> {
        let mut headers = payload;
        let mut count = 0;
        let newest = loop {
            match headers {
                [first, ..] if first & 0x80 != 0 => {
                    headers = headers.get(HEADER..)?;
                    count += 1;
                }
                [last, ..] => break last & 0x7f,
                [] => return None,
            }
        };
        if newest != codec {
            return None;
        }
        let mut blocks = payload.get(HEADER * count + LAST_HEADER..)?;
        let mut older = [None; MOST];
        for (at, header) in payload.chunks_exact(HEADER).take(count).enumerate() {
            let [first, high, middle, low] = *header.first_chunk()?;
            let ticks = u32::from(high) << 6 | u32::from(middle) >> 2;
            let (block, rest) =
                blocks.split_at_checked(usize::from(middle & 3) << 8 | usize::from(low))?;
            blocks = rest;
            let back = count - at;
            // of no length: there was nothing to say then
            if back <= MOST && first & 0x7f == codec && ticks > 0 && !block.is_empty() {
                older[back - 1] = Some((ticks, block));
            }
        }
        Some(Self {
            newest: blocks,
            older,
        })
    }

    /// The packets that it carries along, as they would have come, the oldest first.
    pub fn older_packets(self, own: Packet<'a>, codec: u8) -> impl Iterator<Item = Packet<'a>> {
        (0..MOST).rev().filter_map(move |at| {
            let (ticks, payload) = self.older[at]?;
            Some(own.before(at as u16 + 1, ticks, codec, payload))
        })
    }
}

/// What a source said before its packet of now, at hand for listeners who lose packets.
#[derive(Debug, Default)]
pub struct Older {
    bytes: Vec<u8>,
    /// The last first.
    blocks: [Option<Block>; MOST],
}

#[derive(Clone, Debug)]
struct Block {
    /// The source's number.
    number: u64,
    ticks: u32,
    bytes: Range<usize>,
}

impl Older {
    /// Finds what a source said before this packet.
    pub fn look(&mut self, cache: &Cache, parcel: &Parcel<'_>) {
        self.bytes.clear();
        self.blocks = [const { None }; MOST];
        for (back, block) in (1..).zip(&mut self.blocks) {
            let Some(before) = parcel.number.checked_sub(back).and_then(|it| cache.get(it)) else {
                continue;
            };
            let ticks = parcel.timestamp.wrapping_sub(before.timestamp);
            if ticks == 0 || ticks > FARTHEST || before.payload.len() > LONGEST {
                continue;
            }
            let from = self.bytes.len();
            self.bytes.extend_from_slice(before.payload);
            *block = Some(Block {
                number: before.number,
                ticks,
                bytes: from..self.bytes.len(),
            });
        }
    }

    /// Ticks since the packet before.
    #[must_use]
    pub fn step(&self) -> Option<u32> {
        Some(self.blocks[0].as_ref()?.ticks)
    }

    /// Writes `newest` with at most `distance` packets before it, none older than `since`, into `out`, which is not longer
    /// than `room` then; `false`: there is none to carry along.
    pub fn wrap(
        &self,
        out: &mut Vec<u8>,
        codec: u8,
        newest: &[u8],
        (distance, since, room): (usize, u64, usize),
    ) -> bool {
        let mut size = LAST_HEADER + newest.len();
        let mut count = 0;
        for block in self.blocks.iter().take(distance) {
            // one that is missing hides those before it: numbers tell which is which
            let Some(block) = block.as_ref().filter(|block| block.number >= since) else {
                break;
            };
            size += HEADER + block.bytes.len();
            if size > room {
                break;
            }
            count += 1;
        }
        if count == 0 {
            return false;
        }
        let chosen = || self.blocks[..count].iter().rev().flatten();
        out.clear();
        for block in chosen() {
            let length = block.bytes.len() as u32;
            let word = u32::from(0x80 | codec) << 24 | block.ticks << 10 | length;
            out.extend_from_slice(&word.to_be_bytes());
        }
        out.push(codec);
        for block in chosen() {
            out.extend_from_slice(&self.bytes[block.bytes.clone()]);
        }
        out.extend_from_slice(newest);
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::media::cache;

    const OPUS: u8 = 111;
    const FRAME: u32 = 2_880;

    fn said(number: u64) -> Vec<u8> {
        vec![number as u8; 20 + number as usize % 7]
    }

    fn parcel(number: u64, payload: &[u8]) -> Parcel<'_> {
        Parcel {
            number,
            timestamp: number as u32 * FRAME,
            marker: false,
            level: None,
            orientation: None,
            payload,
        }
    }

    /// Somebody who has said the packets with these numbers.
    fn heard(numbers: &[u64]) -> Cache {
        let mut cache = Cache::new(cache::AUDIO);
        for number in numbers {
            cache.insert(0, &parcel(*number, &said(*number)));
        }
        cache
    }

    fn wrapped(cache: &Cache, distance: usize, since: u64, room: usize) -> Option<Vec<u8>> {
        let newest = said(105);
        let mut older = Older::default();
        older.look(cache, &parcel(105, &newest));
        let mut out = Vec::new();
        older
            .wrap(&mut out, OPUS, &newest, (distance, since, room))
            .then_some(out)
    }

    #[test]
    fn what_was_wrapped_is_what_comes_out() {
        let payload = wrapped(&heard(&[103, 104]), 2, 0, 1_000).unwrap();
        let bundle = Bundle::of(&payload, OPUS).unwrap();
        assert_eq!(bundle.newest, said(105));
        assert_eq!(bundle.older[0], Some((FRAME, &said(104)[..])));
        assert_eq!(bundle.older[1], Some((2 * FRAME, &said(103)[..])));
        assert_eq!(Bundle::of(&payload, OPUS + 1), None, "of another codec");
    }

    #[test]
    fn what_was_lost_before_us_too_is_not_made_up() {
        let bundle =
            |payload: &[u8]| Bundle::of(payload, OPUS).map(|it| it.older.map(|it| it.is_some()));
        let payload = wrapped(&heard(&[104]), 2, 0, 1_000).unwrap();
        assert_eq!(bundle(&payload), Some([true, false]));
        assert_eq!(wrapped(&heard(&[103]), 2, 0, 1_000), None);
        assert_eq!(wrapped(&heard(&[]), 2, 0, 1_000), None);
    }

    #[test]
    fn nobody_hears_what_was_said_before_they_came() {
        let payload = wrapped(&heard(&[103, 104]), 2, 104, 1_000).unwrap();
        let bundle = Bundle::of(&payload, OPUS).unwrap();
        assert!(bundle.older[0].is_some() && bundle.older[1].is_none());
        assert_eq!(wrapped(&heard(&[103, 104]), 2, 105, 1_000), None);
    }

    #[test]
    fn it_keeps_to_the_room_there_is() {
        let cache = heard(&[103, 104]);
        let both = wrapped(&cache, 2, 0, 1_000).unwrap().len();
        assert_eq!(wrapped(&cache, 2, 0, both).unwrap().len(), both);
        let one = wrapped(&cache, 2, 0, both - 1).unwrap().len();
        assert_eq!(wrapped(&cache, 2, 0, one - 1), None);
    }

    proptest! {
        #[test]
        fn no_payload_is_too_odd(payload in proptest::collection::vec(any::<u8>(), 0..64), codec in 0_u8..128) {
            if let Some(bundle) = Bundle::of(&payload, codec) {
                prop_assert!(bundle.newest.len() < payload.len());
            }
        }
    }
}
