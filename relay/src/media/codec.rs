//! What a relay must know of a codec: where a picture can be begun.

use super::{negotiated::Codec, vp8};

/// Whether a decoder that saw nothing before can begin with this packet.
#[must_use]
pub fn begins_picture(codec: &Codec, payload: &[u8]) -> bool {
    match codec {
        Codec::Opus => true,
        Codec::Vp8 => vp8::begins_keyframe(payload),
        Codec::H264 { .. } => h264_begins(payload),
    }
}

/// Whether what one member sends as `source` can be played by one that takes `sink`.
#[must_use]
pub fn compatible(source: &Codec, sink: &Codec) -> bool {
    match (source, sink) {
        (Codec::Opus, Codec::Opus) | (Codec::Vp8, Codec::Vp8) => true,
        // profiles and levels are capabilities of a receiver, the mode is the payload's format
        // (RFC 6184 section 8.1)
        (Codec::H264 { fmtp: source }, Codec::H264 { fmtp: sink }) => {
            packetization_mode(source) <= packetization_mode(sink)
        }
        _ => false,
    }
}

fn packetization_mode(fmtp: &str) -> u8 {
    fmtp.split(';')
        .filter_map(|parameter| parameter.trim().strip_prefix("packetization-mode="))
        .find_map(|mode| mode.trim().parse().ok())
        .unwrap_or(0)
}

const IDR: u8 = 5;
const SPS: u8 = 7;
const STAP_A: u8 = 24;
const FU_A: u8 = 28;

/// RFC 6184: a sequence parameter set, which encoders of browsers send before each IDR picture, or
/// the picture itself for those that tell the parameter sets in SDP.
fn h264_begins(payload: &[u8]) -> bool {
    let begins = |unit: u8| matches!(unit & 0x1f, IDR | SPS);
    match payload.first().map(|first| first & 0x1f) {
        Some(STAP_A) => units(&payload[1..]).any(begins),
        // start bit set
        Some(FU_A) => payload
            .get(1)
            .is_some_and(|header| header & 0x80 != 0 && begins(*header)),
        Some(unit) => begins(unit),
        None => false,
    }
}

/// The headers of aggregated units, each behind two bytes of length.
fn units(mut rest: &[u8]) -> impl Iterator<Item = u8> {
    std::iter::from_fn(move || {
        let (length, unit) = rest.split_first_chunk::<2>()?;
        rest = unit
            .get(usize::from(u16::from_be_bytes(*length))..)
            .unwrap_or_default();
        unit.first().copied()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_h264_picture_begins_with_its_parameters_or_an_idr() {
        let h264 = Codec::H264 {
            fmtp: String::new(),
        };
        for (payload, begins) in [
            (&[][..], false),
            (&[0x67, 1, 2], true),
            (&[0x65, 1, 2], true),
            (&[0x41, 1, 2], false),
            (&[0x78, 0, 9, 0x67], true),
            (&[0x78, 0], false),
            (&[0x78, 0, 2, 0x06, 1, 0, 2, 0x67, 1], true),
            (&[0x78, 0, 2, 0x06, 1, 0, 2, 0x41, 1], false),
            (&[0x78, 0, 0, 0, 0], false),
            (&[0x78, 0xff, 0xff, 0x06], false),
            (&[0x7c, 0x85], true),
            (&[0x7c, 0x05], false),
            (&[0x7c, 0x81], false),
        ] {
            assert_eq!(begins_picture(&h264, payload), begins, "{payload:?}");
        }
    }

    #[test]
    fn a_single_unit_receiver_cannot_take_fragments() {
        let mode = |mode: &str| Codec::H264 {
            fmtp: format!("level-asymmetry-allowed=1;{mode}"),
        };
        assert!(compatible(
            &mode("packetization-mode=0"),
            &mode("packetization-mode=1")
        ));
        assert!(!compatible(
            &mode("packetization-mode=1"),
            &mode("profile-level-id=42e01f")
        ));
        assert!(!compatible(&Codec::Vp8, &mode("packetization-mode=1")));
    }
}
