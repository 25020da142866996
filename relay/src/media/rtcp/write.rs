//! Writing: items one after the other into a buffer that is used again.

use super::{
    APPLICATION, BYE, Block, FIR, NACK, PAYLOAD_FEEDBACK, PLI, RECEIVER_REPORT, SENDER_REPORT,
    SOURCE_DESCRIPTION, TRANSPORT_FEEDBACK,
};

/// A compound packet in the making. Its memory is kept from packet to packet.
#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// Starts a new packet.
    pub fn clear(&mut self) -> &mut Self {
        self.bytes.clear();
        self
    }

    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// At most 31 blocks are taken.
    pub fn sender_report(
        &mut self,
        ssrc: u32,
        ntp: u64,
        rtp: u32,
        (packets, octets): (u32, u32),
        blocks: &[Block],
    ) {
        let start = self.begin(SENDER_REPORT, ssrc);
        self.bytes.extend(ntp.to_be_bytes());
        for word in [rtp, packets, octets] {
            self.bytes.extend(word.to_be_bytes());
        }
        self.blocks(start, blocks);
        self.end(start);
    }

    pub fn receiver_report(&mut self, ssrc: u32, blocks: &[Block]) {
        let start = self.begin(RECEIVER_REPORT, ssrc);
        self.blocks(start, blocks);
        self.end(start);
    }

    /// One CNAME for each SSRC (RFC 3550 section 6.5.1).
    pub fn cname(&mut self, ssrcs: impl IntoIterator<Item = u32>, cname: &str) {
        let start = self.bytes.len();
        self.bytes.extend([0x80, SOURCE_DESCRIPTION, 0, 0]);
        for ssrc in ssrcs {
            self.bytes.extend(ssrc.to_be_bytes());
            let text = &cname.as_bytes()[..cname.len().min(255)];
            self.bytes.extend([1, text.len() as u8]);
            self.bytes.extend(text);
            // a chunk ends with one to four zeros, at a multiple of four
            let zeros = 4 - (self.bytes.len() - start) % 4;
            self.bytes.extend(&[0; 4][..zeros]);
            self.bytes[start] += 1;
        }
        self.end(start);
    }

    pub fn bye(&mut self, ssrc: u32) {
        let start = self.begin(BYE, ssrc);
        self.bytes[start] |= 1;
        self.end(start);
    }

    pub fn pli(&mut self, sender: u32, media: u32) {
        let start = self.feedback(PAYLOAD_FEEDBACK, PLI, sender, media);
        self.end(start);
    }

    /// `count` tells a repetition from a new command (RFC 5104 section 4.3.1.1).
    pub fn fir(&mut self, sender: u32, media: u32, count: u8) {
        let start = self.feedback(PAYLOAD_FEEDBACK, FIR, sender, 0);
        self.bytes.extend(media.to_be_bytes());
        self.bytes.extend([count, 0, 0, 0]);
        self.end(start);
    }

    /// The most bit/s the streams of `media` together are to have.
    pub fn remb(&mut self, sender: u32, bitrate: u64, media: &[u32]) {
        let start = self.feedback(PAYLOAD_FEEDBACK, APPLICATION, sender, 0);
        self.bytes.extend(b"REMB");
        let exponent = (64 - bitrate.leading_zeros()).saturating_sub(18);
        let value = exponent << 18 | (bitrate >> exponent) as u32;
        self.bytes
            .extend((value | (media.len() as u32) << 24).to_be_bytes());
        media
            .iter()
            .for_each(|ssrc| self.bytes.extend(ssrc.to_be_bytes()));
        self.end(start);
    }

    /// `lost` in rising order, so that neighbours share an entry.
    pub fn nack(&mut self, sender: u32, media: u32, lost: impl IntoIterator<Item = u16>) {
        let start = self.feedback(TRANSPORT_FEEDBACK, NACK, sender, media);
        let mut entry: Option<(u16, u16)> = None;
        for sequence in lost {
            if let Some((first, mask)) = &mut entry {
                let step = sequence.wrapping_sub(*first);
                if (1..=16).contains(&step) {
                    *mask |= 1 << (step - 1);
                    continue;
                }
            }
            self.nack_entry(entry.replace((sequence, 0)));
        }
        self.nack_entry(entry);
        self.end(start);
    }

    fn nack_entry(&mut self, entry: Option<(u16, u16)>) {
        if let Some((first, mask)) = entry {
            self.bytes.extend(first.to_be_bytes());
            self.bytes.extend(mask.to_be_bytes());
        }
    }

    /// A feedback message whose body `fill` writes; the body is padded with zeros to whole words.
    pub fn transport_cc(&mut self, sender: u32, media: u32, fill: impl FnOnce(&mut Vec<u8>)) {
        let start = self.feedback(TRANSPORT_FEEDBACK, super::TRANSPORT_CC, sender, media);
        fill(&mut self.bytes);
        while !(self.bytes.len() - start).is_multiple_of(4) {
            self.bytes.push(0);
        }
        self.end(start);
    }

    fn feedback(&mut self, kind: u8, format: u8, sender: u32, media: u32) -> usize {
        let start = self.begin(kind, sender);
        self.bytes[start] |= format;
        self.bytes.extend(media.to_be_bytes());
        start
    }

    fn begin(&mut self, kind: u8, ssrc: u32) -> usize {
        let start = self.bytes.len();
        self.bytes.extend([0x80, kind, 0, 0]);
        self.bytes.extend(ssrc.to_be_bytes());
        start
    }

    fn end(&mut self, start: usize) {
        let words = ((self.bytes.len() - start) / 4 - 1) as u16;
        self.bytes[start + 2..start + 4].copy_from_slice(&words.to_be_bytes());
    }

    fn blocks(&mut self, start: usize, blocks: &[Block]) {
        for block in blocks.iter().take(31) {
            self.bytes.extend(block.ssrc.to_be_bytes());
            let lost = block.lost.clamp(-0x80_0000, 0x7f_ffff) as u32 & 0xff_ffff;
            self.bytes
                .extend((u32::from(block.fraction_lost) << 24 | lost).to_be_bytes());
            for word in [block.highest, block.jitter, block.last_report, block.delay] {
                self.bytes.extend(word.to_be_bytes());
            }
            self.bytes[start] += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::rtcp::{Item, items};

    #[test]
    fn a_compound_packet_comes_back_as_written() {
        let block = Block {
            ssrc: 7,
            fraction_lost: 12,
            lost: -3,
            highest: 70_000,
            jitter: 90,
            last_report: 5,
            delay: 6,
        };
        let mut writer = Writer::default();
        writer.sender_report(1, 0x1_0000_0002, 3, (4, 5), &[block]);
        writer.receiver_report(2, &[block, block]);
        writer.cname([1, 2], "clinic");
        writer.nack(1, 9, [10, 11, 26, 27, 65_535, 0]);
        writer.pli(1, 9);
        writer.fir(1, 9, 3);
        writer.remb(1, 256_000, &[9]);
        writer.bye(1);
        assert_eq!(writer.bytes().len() % 4, 0);

        let mut found = items(writer.bytes());
        let Some(Item::SenderReport {
            ssrc: 1,
            ntp,
            rtp: 3,
            packets: 4,
            octets: 5,
            blocks,
        }) = found.next()
        else {
            panic!("the sender report")
        };
        assert_eq!(ntp, 0x1_0000_0002);
        assert_eq!(blocks.collect::<Vec<_>>(), [block]);
        let Some(Item::ReceiverReport { ssrc: 2, blocks }) = found.next() else {
            panic!("the receiver report")
        };
        assert_eq!(blocks.count(), 2);
        let Some(Item::Nack { media: 9, lost }) = found.next() else {
            panic!("the NACK")
        };
        assert_eq!(lost.collect::<Vec<_>>(), [10, 11, 26, 27, 65_535, 0]);
        assert!(matches!(found.next(), Some(Item::Pli { media: 9 })));
        let Some(Item::Fir { media }) = found.next() else {
            panic!("the FIR")
        };
        assert_eq!(media.collect::<Vec<_>>(), [9]);
        assert!(matches!(
            found.next(),
            Some(Item::Remb { bitrate: 256_000 })
        ));
        let Some(Item::Bye { ssrcs }) = found.next() else {
            panic!("the BYE")
        };
        assert_eq!(ssrcs.collect::<Vec<_>>(), [1]);
        assert!(found.next().is_none());
    }

    #[test]
    fn chunks_of_a_source_description_end_with_zeros_on_a_word() {
        for cname in ["", "a", "ab", "abc", "abcd"] {
            let mut writer = Writer::default();
            writer.cname([0x0101_0101], cname);
            let bytes = writer.bytes();
            assert_eq!(bytes.len() % 4, 0);
            assert_eq!(bytes[0] & 0x1f, 1);
            assert_eq!(bytes.last(), Some(&0));
            assert_eq!(usize::from(bytes[9]), cname.len());
        }
    }
}
