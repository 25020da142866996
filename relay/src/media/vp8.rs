//! The VP8 payload descriptor (RFC 7741 section 4.2): where a keyframe begins, which layer a picture
//! is of, and the two counters that must go on when a slot changes its source.

use super::negotiated::Codec;

/// Descriptor flags.
const EXTENDED: u8 = 0x80;
const START: u8 = 0x10;
const PARTITION: u8 = 0x07;
const HAS_PICTURE_ID: u8 = 0x80;
const HAS_TL0: u8 = 0x40;
const HAS_TID: u8 = 0x20;
const HAS_TID_OR_KEYIDX: u8 = 0x30;
const SYNC: u8 = 0x20;
const LONG_PICTURE_ID: u8 = 0x80;

/// What a descriptor says, and where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Descriptor {
    /// A picture begins with the packet.
    pub start: bool,
    pub keyframe_start: bool,
    pub picture_id: Option<PictureId>,
    /// The counter of base-layer pictures and its offset in the payload.
    pub tl0: Option<(u8, usize)>,
    /// The temporal layer; 0 as well where pictures are in none.
    pub layer: u8,
    /// Of the pictures before it, it needs only those of the base layer.
    pub sync: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PictureId {
    pub value: u16,
    /// 15 bits, else 7.
    pub long: bool,
    offset: usize,
}

impl PictureId {
    /// The number nearest to `reference` that ends in this id.
    #[must_use]
    pub fn unwrap(&self, reference: u64) -> u64 {
        let unused = if self.long { 1 } else { 9 };
        let step = (self.value.wrapping_sub(reference as u16) << unused) as i16 >> unused;
        reference.saturating_add_signed(step.into())
    }
}

impl Descriptor {
    /// The descriptor of a packet, if the codec is VP8.
    #[must_use]
    pub fn of(codec: &Codec, payload: &[u8]) -> Option<Self> {
        (*codec == Codec::Vp8)
            .then(|| Self::parse(payload))
            .flatten()
    }

    /// `None`: the payload is shorter than its descriptor claims.
    #[must_use]
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let first = *payload.first()?;
        let (mut at, mut found) = (1, Self::default());
        if first & EXTENDED != 0 {
            let flags = *payload.get(1)?;
            at = 2;
            if flags & HAS_PICTURE_ID != 0 {
                let high = *payload.get(at)?;
                let long = high & LONG_PICTURE_ID != 0;
                let value = if long {
                    u16::from_be_bytes([high & 0x7f, *payload.get(at + 1)?])
                } else {
                    u16::from(high)
                };
                found.picture_id = Some(PictureId {
                    value,
                    long,
                    offset: at,
                });
                at += if long { 2 } else { 1 };
            }
            if flags & HAS_TL0 != 0 {
                found.tl0 = Some((*payload.get(at)?, at));
                at += 1;
            }
            if flags & HAS_TID_OR_KEYIDX != 0 {
                let layer = *payload.get(at)?;
                // without the counters nobody could close the gap that a picture leaves
                let counted = found.picture_id.is_some() && found.tl0.is_some();
                if flags & HAS_TID != 0 && counted {
                    (found.layer, found.sync) = (layer >> 6, layer & SYNC != 0);
                }
                at += 1;
            }
        }
        // the P bit of the payload header (section 4.3): 0 in a keyframe
        found.start = first & START != 0 && first & PARTITION == 0;
        found.keyframe_start = found.start && payload.get(at)? & 1 == 0;
        Some(found)
    }
}

#[must_use]
pub fn begins_keyframe(payload: &[u8]) -> bool {
    Descriptor::parse(payload).is_some_and(|descriptor| descriptor.keyframe_start)
}

/// What is added to a source's counters in a slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shift {
    pub picture_id: u16,
    pub tl0: u8,
}

impl Shift {
    #[must_use]
    pub fn is_zero(&self) -> bool {
        *self == Self::default()
    }

    /// Writes the counters of `descriptor`, moved, into a copy of the payload it was parsed from.
    pub fn apply(&self, descriptor: &Descriptor, payload: &mut [u8]) {
        if let Some(picture) = descriptor.picture_id {
            let value = picture.value.wrapping_add(self.picture_id);
            if picture.long {
                let bytes = (value | 0x8000).to_be_bytes();
                payload[picture.offset..picture.offset + 2].copy_from_slice(&bytes);
            } else {
                payload[picture.offset] = value as u8 & 0x7f;
            }
        }
        if let Some((value, offset)) = descriptor.tl0 {
            payload[offset] = value.wrapping_add(self.tl0);
        }
    }
}

/// The newest counters a slot has sent, so that the next source goes on from there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    picture_id: u16,
    tl0: u8,
    any: bool,
}

impl Counters {
    /// Notes a packet that goes out with its counters moved by `shift`.
    pub fn sent(&mut self, descriptor: &Descriptor, shift: Shift) {
        if let Some(picture) = descriptor.picture_id {
            self.picture_id = picture.value.wrapping_add(shift.picture_id) & 0x7fff;
            self.any = true;
        }
        if let Some((value, _)) = descriptor.tl0 {
            self.tl0 = value.wrapping_add(shift.tl0);
        }
    }

    /// The shift that makes `descriptor`, the first of a new source, follow what was sent. The
    /// first source of all is not moved, so that the common case needs no copy of the payload.
    #[must_use]
    pub fn follow(&self, descriptor: &Descriptor) -> Shift {
        if !self.any {
            return Shift::default();
        }
        let after = |value: u16| self.picture_id.wrapping_add(1).wrapping_sub(value) & 0x7fff;
        Shift {
            picture_id: descriptor
                .picture_id
                .map_or(0, |picture| after(picture.value)),
            tl0: descriptor
                .tl0
                .map_or(0, |(value, _)| self.tl0.wrapping_add(1).wrapping_sub(value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As libwebrtc writes it: extended, 15-bit picture id, TL0PICIDX, TID.
    fn payload(start: bool, key: bool, picture: u16, tl0: u8) -> Vec<u8> {
        let [high, low] = (picture | 0x8000).to_be_bytes();
        vec![
            0x80 | u8::from(start) << 4,
            0xe0,
            high,
            low,
            tl0,
            0x20,
            u8::from(!key),
            9,
            9,
        ]
    }

    #[test]
    fn a_keyframe_begins_only_with_its_first_packet() {
        assert!(begins_keyframe(&payload(true, true, 1, 1)));
        assert!(!begins_keyframe(&payload(false, true, 1, 1)));
        assert!(!begins_keyframe(&payload(true, false, 1, 1)));
        // without an extended descriptor, as some gateways send it
        assert!(begins_keyframe(&[0x10, 0x00]));
        assert!(!begins_keyframe(&[0x11, 0x00]));
        assert!(!begins_keyframe(&[0x10]));
    }

    #[test]
    fn the_counters_go_on_when_the_doctor_follows_the_patient() {
        let (mut counters, mut sent) = (Counters::default(), Vec::new());
        let mut send = |mut bytes: Vec<u8>, first: bool, shift: &mut Shift| {
            let descriptor = Descriptor::parse(&bytes).unwrap();
            if first {
                *shift = counters.follow(&descriptor);
            }
            shift.apply(&descriptor, &mut bytes);
            counters.sent(&descriptor, *shift);
            let told = Descriptor::parse(&bytes).unwrap();
            sent.push((told.picture_id.unwrap().value, told.tl0.unwrap().0));
        };
        let mut shift = Shift::default();
        send(payload(true, true, 0x7ffe, 255), true, &mut shift);
        assert!(shift.is_zero());
        send(payload(true, false, 0x7fff, 0), false, &mut shift);
        send(payload(true, true, 900, 77), true, &mut shift);
        send(payload(true, false, 901, 78), false, &mut shift);
        assert_eq!(sent, [(0x7ffe, 255), (0x7fff, 0), (0, 1), (1, 2)]);
    }

    #[test]
    fn a_layer_counts_only_beside_both_counters() {
        let layer = |bytes: &[u8]| {
            let descriptor = Descriptor::parse(bytes).unwrap();
            (descriptor.layer, descriptor.sync)
        };
        assert_eq!(layer(&[0x90, 0xe0, 0x80, 7, 9, 0x40, 1]), (1, false));
        assert_eq!(layer(&[0x90, 0xe0, 0x07, 9, 0x60, 1]), (1, true));
        assert_eq!(layer(&[0x90, 0xd0, 0x07, 9, 0x5f, 1]), (0, false), "KEYIDX");
        assert_eq!(layer(&[0x90, 0xa0, 0x07, 0x60, 1]), (0, false));
        assert_eq!(layer(&[0x90, 0x60, 0x07, 0x60, 1]), (0, false));
        assert_eq!(Descriptor::parse(&[0x90, 0xe0, 0x07, 9]), None);
    }

    #[test]
    fn picture_ids_go_on_counting_when_they_wrap() {
        let id = |value, long| PictureId {
            value,
            long,
            offset: 0,
        };
        assert_eq!(id(1, true).unwrap(0x1_7fff), 0x1_8001);
        assert_eq!(id(0x7ffe, true).unwrap(0x1_8001), 0x1_7ffe);
        assert_eq!(id(3, false).unwrap(0x1_00ff), 0x1_0103);
        assert_eq!(id(0x7f, false).unwrap(0x1_0101), 0x1_00ff);
    }

    #[test]
    fn a_seven_bit_picture_id_stays_seven_bits() {
        let mut bytes = vec![0x90, 0x80, 0x7f, 0x00];
        let descriptor = Descriptor::parse(&bytes).unwrap();
        Shift {
            picture_id: 2,
            tl0: 0,
        }
        .apply(&descriptor, &mut bytes);
        assert_eq!(bytes, [0x90, 0x80, 0x01, 0x00]);
    }

    proptest! {
        #[test]
        fn no_payload_makes_it_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..12)) {
            if let Some(descriptor) = Descriptor::parse(&bytes) {
                let length = bytes.len();
                Shift { picture_id: 5, tl0: 9 }.apply(&descriptor, &mut bytes);
                prop_assert_eq!(bytes.len(), length);
            }
        }
    }
}
