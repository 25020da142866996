//! Which pictures of a source in temporal layers (RFC 7741) one receiver gets.
//!
//! Pictures of a layer are made from those of the layers below and of their own, so all of the upper
//! ones can be left out at any time, between two pictures; to begin with one again takes a picture
//! of it that needs nothing but the base layer (Y), or a keyframe. The ids of those that are sent
//! follow each other, as libwebrtc wants it: a picture of an upper layer waits there for every id
//! before its own.

use super::{omitted::Omitted, vp8::Descriptor};

/// There is none above: the layer has two bits.
pub const ALL: u8 = 3;
/// Ids do not wrap, and what comes late from before the first stays positive.
const FIRST: u64 = 1 << 16;

#[derive(Clone, Copy, Debug, Default)]
pub struct Layers {
    newest: u64,
    /// The highest layer that is sent.
    open: u8,
    /// The picture the highest was begun with again: what came before it needs what was left out.
    since: u64,
    omitted: Omitted<2>,
}

impl Layers {
    /// A receiver is sent the first picture of a source.
    #[must_use]
    pub fn begin(picture: Option<&Descriptor>) -> Self {
        let first = picture.and_then(|picture| picture.picture_id);
        Self {
            newest: FIRST + first.map_or(0, |id| u64::from(id.value)) - 1,
            ..Self::default()
        }
    }

    /// A packet that is newer than all before it, while no layer above `highest` is wanted; `false`:
    /// it is left out.
    pub fn take(&mut self, picture: &Descriptor, highest: u8) -> bool {
        let Some(number) = self.number(picture) else {
            return true;
        };
        if picture.keyframe_start {
            if number <= self.newest {
                // the sender counts anew
                *self = Self::begin(Some(picture));
                return self.take(picture, highest);
            }
            (self.open, self.since) = (highest, number);
        }
        if number > self.newest {
            self.newest = number;
            self.open = self.open.min(highest);
            let next = picture.layer == self.open + 1 && picture.layer <= highest;
            if next && picture.sync {
                (self.open, self.since) = (picture.layer, number);
            }
            if picture.layer > self.open {
                self.omitted.add(number);
            }
        }
        self.has(picture)
    }

    /// Whether a picture is sent, or was.
    #[must_use]
    pub fn has(&self, picture: &Descriptor) -> bool {
        let lasts = |number| number >= self.since;
        picture.layer == 0 || picture.layer <= self.open && self.number(picture).is_none_or(lasts)
    }

    /// What is added to a picture's id because of those left out before it; `None`: nobody remembers
    /// how many.
    #[must_use]
    pub fn shift(&self, picture: &Descriptor) -> Option<u16> {
        let Some(number) = self.number(picture) else {
            return Some(0);
        };
        let place = self.omitted.place(number)?;
        Some((place as u16).wrapping_sub(number as u16))
    }

    fn number(&self, picture: &Descriptor) -> Option<u64> {
        Some(picture.picture_id?.unwrap(self.newest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(id: u16, layer: u8, sync: bool) -> Descriptor {
        let [high, low] = (id | 0x8000).to_be_bytes();
        let layer = layer << 6 | u8::from(sync) << 5;
        Descriptor::parse(&[0x90, 0xe0, high, low, 9, layer, 1]).unwrap()
    }

    fn keyframe(id: u16) -> Descriptor {
        Descriptor {
            keyframe_start: true,
            ..picture(id, 0, false)
        }
    }

    /// Which of libwebrtc's pictures are taken: base and upper layer in turn, and of the upper every
    /// other needs the base alone.
    fn taken(layers: &mut Layers, ids: std::ops::Range<u16>, highest: u8) -> Vec<u16> {
        ids.filter(|id| layers.take(&picture(*id, (id % 2) as u8, id % 4 == 1), highest))
            .collect()
    }

    fn begin(highest: u8) -> Layers {
        let mut layers = Layers::begin(Some(&keyframe(0)));
        assert!(layers.take(&keyframe(0), highest));
        layers
    }

    #[test]
    fn the_upper_layer_goes_at_once_and_comes_back_where_it_needs_the_base_alone() {
        let mut layers = begin(ALL);
        assert_eq!(taken(&mut layers, 1..4, ALL), [1, 2, 3]);
        assert_eq!(taken(&mut layers, 4..11, 0), [4, 6, 8, 10]);
        assert_eq!(taken(&mut layers, 11..16, ALL), [12, 13, 14, 15]);
        // ids close up
        let id = |number, layer| {
            let picture = picture(number, layer, false);
            layers
                .shift(&picture)
                .map(|shift| number.wrapping_add(shift))
        };
        assert_eq!(
            [4, 6, 8, 10, 12].map(|number| id(number, 0)),
            [4, 5, 6, 7, 8].map(Some)
        );
        assert_eq!((id(13, 1), id(9, 1)), (Some(9), None));
    }

    #[test]
    fn what_comes_late_of_a_layer_that_was_left_out_is_left_out_too() {
        let mut layers = begin(ALL);
        taken(&mut layers, 1..4, ALL);
        // 7 is lost on its way to us
        taken(&mut layers, 4..7, 0);
        taken(&mut layers, 8..10, 0);
        assert!(!layers.has(&picture(7, 1, false)));
        taken(&mut layers, 10..16, ALL);
        assert!(layers.has(&picture(13, 1, true)));
        assert!(!layers.has(&picture(7, 1, false)), "it needs 5");
        assert!(layers.has(&picture(6, 0, false)));
    }

    #[test]
    fn a_picture_is_never_cut_in_the_middle() {
        let mut layers = begin(ALL);
        assert!(layers.take(&picture(1, 1, true), ALL));
        assert!(layers.take(&picture(1, 1, true), 0), "its second packet");
        assert!(layers.take(&picture(2, 0, false), 0));
        assert!(!layers.take(&picture(3, 1, true), 0));
        assert!(!layers.take(&picture(3, 1, true), ALL));
    }

    #[test]
    fn a_keyframe_opens_every_layer() {
        let mut layers = begin(0);
        assert_eq!(taken(&mut layers, 1..4, 0), [2]);
        assert!(layers.take(&keyframe(4), ALL));
        assert!(layers.take(&picture(5, 2, false), ALL));
    }

    #[test]
    fn a_third_layer_is_begun_after_the_second() {
        let mut layers = begin(0);
        assert!(!layers.take(&picture(1, 2, true), ALL));
        assert!(layers.take(&picture(2, 1, true), ALL));
        assert!(!layers.take(&picture(3, 2, false), ALL));
        assert!(layers.take(&picture(4, 0, false), ALL));
        assert!(layers.take(&picture(5, 2, true), ALL));
    }

    #[test]
    fn a_sender_that_counts_anew_is_followed() {
        let mut layers = begin(ALL);
        taken(&mut layers, 1..40, 0);
        assert!(layers.take(&keyframe(0x7000), 0));
        assert!(!layers.take(&picture(0x7001, 1, true), 0));
        assert!(layers.take(&picture(0x7002, 0, false), ALL));
        assert!(layers.take(&picture(0x7003, 1, true), ALL));
    }

    #[test]
    fn pictures_in_no_layers_are_all_sent() {
        let flat = Descriptor::parse(&[0x10, 1]).unwrap();
        let mut layers = Layers::begin(Some(&flat));
        assert!(layers.take(&flat, 0) && layers.has(&flat));
        assert_eq!(layers.shift(&flat), Some(0));
        let counted = Descriptor::parse(&[0x90, 0x80, 0x85, 0, 1]).unwrap();
        let mut layers = Layers::begin(Some(&counted));
        assert!(layers.take(&counted, 0));
        assert_eq!(layers.shift(&counted), Some(0));
    }
}
