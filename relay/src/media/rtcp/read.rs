//! Reading: a compound packet is a sequence of items; the first one that does not add up ends it.

use super::{
    APPLICATION, BYE, FIR, NACK, PAYLOAD_FEEDBACK, PLI, RECEIVER_REPORT, SENDER_REPORT,
    TRANSPORT_CC, TRANSPORT_FEEDBACK, transport_cc,
};

#[derive(Clone, Copy, Debug)]
pub enum Item<'a> {
    SenderReport {
        ssrc: u32,
        ntp: u64,
        rtp: u32,
        packets: u32,
        octets: u32,
        blocks: Blocks<'a>,
    },
    ReceiverReport {
        ssrc: u32,
        blocks: Blocks<'a>,
    },
    Bye {
        ssrcs: Words<'a>,
    },
    Nack {
        media: u32,
        lost: Lost<'a>,
    },
    Pli {
        media: u32,
    },
    /// The streams a keyframe is asked of.
    Fir {
        media: Fir<'a>,
    },
    /// Receiver-estimated maximum bitrate, bit/s (draft-alvestrand-rmcat-remb-03).
    Remb {
        bitrate: u64,
    },
    TransportCc(transport_cc::Feedback<'a>),
}

/// A report block (RFC 3550 section 6.4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Block {
    pub ssrc: u32,
    /// Of 256, since the report before.
    pub fraction_lost: u8,
    /// 24 bits, signed.
    pub lost: i32,
    pub highest: u32,
    /// RTP clock ticks.
    pub jitter: u32,
    /// The middle of the NTP time of the last sender report; 0: none came.
    pub last_report: u32,
    /// 1/65536 s since then.
    pub delay: u32,
}

/// The items of a packet the relay has a use for, in order.
#[must_use]
pub fn items(packet: &[u8]) -> Items<'_> {
    Items { rest: packet }
}

#[derive(Clone, Debug)]
pub struct Items<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Items<'a> {
    type Item = Item<'a>;

    fn next(&mut self) -> Option<Item<'a>> {
        loop {
            let [first, kind, l0, l1] = *self.rest.first_chunk()?;
            let end = 4 + 4 * usize::from(u16::from_be_bytes([l0, l1]));
            if first >> 6 != 2 || end > self.rest.len() {
                self.rest = &[];
                return None;
            }
            let (packet, rest) = self.rest.split_at(end);
            self.rest = rest;
            let body = body(packet, first & 0x20 != 0);
            if let Some(item) = body.and_then(|body| item(kind, first & 0x1f, body)) {
                return Some(item);
            }
        }
    }
}

fn body(packet: &[u8], padded: bool) -> Option<&[u8]> {
    let body = &packet[4..];
    if !padded {
        return Some(body);
    }
    let padding = usize::from(*body.last()?);
    (padding > 0)
        .then(|| body.get(..body.len().checked_sub(padding)?))
        .flatten()
}

fn item(kind: u8, count: u8, body: &[u8]) -> Option<Item<'_>> {
    match (kind, count) {
        (SENDER_REPORT, _) => Some(Item::SenderReport {
            ssrc: word(body, 0)?,
            ntp: u64::from(word(body, 4)?) << 32 | u64::from(word(body, 8)?),
            rtp: word(body, 12)?,
            packets: word(body, 16)?,
            octets: word(body, 20)?,
            blocks: Blocks::new(body, 24, count),
        }),
        (RECEIVER_REPORT, _) => Some(Item::ReceiverReport {
            ssrc: word(body, 0)?,
            blocks: Blocks::new(body, 4, count),
        }),
        (BYE, _) => Some(Item::Bye {
            ssrcs: Words(body.get(..4 * usize::from(count))?),
        }),
        (TRANSPORT_FEEDBACK, NACK) => Some(Item::Nack {
            media: word(body, 4)?,
            lost: Lost::new(body.get(8..)?),
        }),
        (TRANSPORT_FEEDBACK, TRANSPORT_CC) => {
            transport_cc::Feedback::parse(body).map(Item::TransportCc)
        }
        (PAYLOAD_FEEDBACK, PLI) => Some(Item::Pli {
            media: word(body, 4)?,
        }),
        (PAYLOAD_FEEDBACK, FIR) => Some(Item::Fir {
            media: Fir(body.get(8..)?),
        }),
        (PAYLOAD_FEEDBACK, APPLICATION) => remb(body),
        _ => None,
    }
}

fn remb(body: &[u8]) -> Option<Item<'_>> {
    if body.get(8..12)? != b"REMB" {
        return None;
    }
    let value = word(body, 12)?;
    let (exponent, mantissa) = (value >> 18 & 0x3f, u64::from(value & 0x3_ffff));
    Some(Item::Remb {
        bitrate: mantissa.checked_shl(exponent).unwrap_or(u64::MAX),
    })
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes
        .get(at..)?
        .first_chunk()
        .map(|word| u32::from_be_bytes(*word))
}

/// Report blocks; fewer than announced when the packet is short.
#[derive(Clone, Copy, Debug)]
pub struct Blocks<'a>(&'a [u8]);

impl<'a> Blocks<'a> {
    fn new(body: &'a [u8], at: usize, count: u8) -> Self {
        let bytes = body.get(at..).unwrap_or_default();
        Self(&bytes[..bytes.len().min(24 * usize::from(count))])
    }
}

impl Iterator for Blocks<'_> {
    type Item = Block;

    fn next(&mut self) -> Option<Block> {
        let (bytes, rest) = self.0.split_first_chunk::<24>()?;
        self.0 = rest;
        let field = |at: usize| word(bytes, at);
        // sign extension of 24 bits
        let lost = (field(4)? << 8) as i32 >> 8;
        Some(Block {
            ssrc: field(0)?,
            fraction_lost: bytes[4],
            lost,
            highest: field(8)?,
            jitter: field(12)?,
            last_report: field(16)?,
            delay: field(20)?,
        })
    }
}

/// SSRCs one after the other.
#[derive(Clone, Copy, Debug)]
pub struct Words<'a>(&'a [u8]);

impl Iterator for Words<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let (bytes, rest) = self.0.split_first_chunk::<4>()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*bytes))
    }
}

/// The entries of a FIR (RFC 5104 section 4.3.1.1).
#[derive(Clone, Copy, Debug)]
pub struct Fir<'a>(&'a [u8]);

impl Iterator for Fir<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let (bytes, rest) = self.0.split_first_chunk::<8>()?;
        self.0 = rest;
        word(bytes, 0)
    }
}

/// Sequence numbers a NACK names (RFC 4585 section 6.2.1).
#[derive(Clone, Copy, Debug)]
pub struct Lost<'a> {
    rest: &'a [u8],
    sequence: u16,
    mask: u32,
}

impl<'a> Lost<'a> {
    fn new(rest: &'a [u8]) -> Self {
        Self {
            rest,
            sequence: 0,
            mask: 0,
        }
    }
}

impl Iterator for Lost<'_> {
    type Item = u16;

    fn next(&mut self) -> Option<u16> {
        if self.mask == 0 {
            let ([p0, p1, m0, m1], rest) = self.rest.split_first_chunk()?;
            self.rest = rest;
            self.sequence = u16::from_be_bytes([*p0, *p1]);
            // bit 0 is the packet itself, bit n the one n after it
            self.mask = u32::from(u16::from_be_bytes([*m0, *m1])) << 1 | 1;
        }
        let step = self.mask.trailing_zeros();
        self.mask &= self.mask - 1;
        Some(self.sequence.wrapping_add(step as u16))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_length_that_lies_ends_the_packet_quietly() {
        // an empty RR, then a packet that says it has 100 words
        let bytes = [0x80, 201, 0, 1, 0, 0, 0, 9, 0x80, 201, 0, 100, 0, 0, 0, 9];
        assert_eq!(items(&bytes).count(), 1);
        assert_eq!(items(&[0x80, 201, 0]).count(), 0);
        assert_eq!(items(&[0x40, 201, 0, 1, 0, 0, 0, 9]).count(), 0);
    }

    #[test]
    fn padding_that_lies_costs_its_item() {
        let pli = |padding: u8| [0xa1, 206, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, padding];
        assert_eq!(items(&pli(4)).count(), 1);
        assert_eq!(items(&pli(0)).count(), 0);
        assert_eq!(items(&pli(200)).count(), 0);
    }

    #[test]
    fn remb_as_chromium_sends_it() {
        let bytes = [
            0x8f, 206, 0, 5, 0, 0, 0, 1, 0, 0, 0, 0, b'R', b'E', b'M', b'B', 1, 0x0b, 0xd0, 0x90,
            0, 0, 0, 2,
        ];
        let Some(Item::Remb { bitrate }) = items(&bytes).next() else {
            panic!("a REMB")
        };
        assert_eq!(bitrate, 0x3_d090 << 2);
    }

    #[test]
    fn a_negative_loss_count_is_negative() {
        let mut bytes = vec![0x81, 201, 0, 7, 0, 0, 0, 1, 0, 0, 0, 2, 5, 0xff, 0xff, 0xfe];
        bytes.resize(32, 0);
        let Some(Item::ReceiverReport { mut blocks, .. }) = items(&bytes).next() else {
            panic!("a receiver report")
        };
        let block = blocks.next().unwrap();
        assert_eq!((block.fraction_lost, block.lost), (5, -2));
        assert!(blocks.next().is_none());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_or_run_long(
            mut bytes in proptest::collection::vec(any::<u8>(), 0..200),
            kind in 200_u8..208, count in 0_u8..32, honest: bool,
        ) {
            if honest && bytes.len() >= 8 {
                let words = (bytes.len() / 4 - 1) as u8;
                bytes[..4].copy_from_slice(&[0x80 | count, kind, 0, words]);
            }
            let mut steps = 0;
            for item in items(&bytes) {
                steps += match item {
                    Item::SenderReport { blocks, .. } | Item::ReceiverReport { blocks, .. } => {
                        blocks.count()
                    }
                    Item::Bye { ssrcs } => ssrcs.count(),
                    Item::Nack { lost, .. } => lost.count(),
                    Item::Fir { media } => media.count(),
                    Item::TransportCc(feedback) => { let _ = feedback.tally(); 1 },
                    Item::Pli { .. } | Item::Remb { .. } => 1,
                };
            }
            prop_assert!(steps <= bytes.len() * 17);
        }
    }
}
