//! How Opus is asked to speak (RFC 7587 section 6.1, RFC 8866 section 6.4).

use super::{cap_packet_time, codecs::payload_types, set_packet_time};
use crate::sdp::Section;

/// What to ask of the side that sends Opus. `None` leaves what is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpusParameters {
    /// Codec bits per second, 6,000 to 510,000.
    pub maxaveragebitrate: Option<u32>,
    /// Hertz: 8,000 to 48,000.
    pub maxplaybackrate: Option<u32>,
    /// Milliseconds of speech in a packet: 20, 40, 60 or 120.
    pub ptime: Option<u32>,
    /// The most milliseconds in a packet.
    pub maxptime: Option<u32>,
    pub stereo: Option<bool>,
    /// Send (almost) nothing in silence.
    pub usedtx: Option<bool>,
    pub useinbandfec: Option<bool>,
    /// Constant bitrate.
    pub cbr: Option<bool>,
}

/// Writes the parameters into the `fmtp` of every Opus payload type of the section, each in its
/// old place when it was there, and `ptime` and `maxptime` as attributes. Does nothing to a section
/// without Opus.
pub fn set_opus_parameters(section: &mut Section, parameters: &OpusParameters) {
    let opus = payload_types(&section.rtpmaps(), &|map| map.is("opus"));
    if opus.is_empty() {
        return;
    }
    let flag = |flag: Option<bool>| flag.map(u32::from);
    for payload_type in opus {
        for (name, value) in [
            ("maxaveragebitrate", parameters.maxaveragebitrate),
            ("maxplaybackrate", parameters.maxplaybackrate),
            ("stereo", flag(parameters.stereo)),
            ("usedtx", flag(parameters.usedtx)),
            ("useinbandfec", flag(parameters.useinbandfec)),
            ("cbr", flag(parameters.cbr)),
        ] {
            if let Some(value) = value {
                section.set_fmtp_parameter(payload_type, name, &value.to_string());
            }
        }
    }
    if let Some(millis) = parameters.ptime {
        set_packet_time(section, millis);
    }
    if let Some(millis) = parameters.maxptime {
        cap_packet_time(section, millis);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_village_link_gets_long_packets_of_little_speech() {
        let lines = [
            "m=audio 9 UDP/TLS/RTP/SAVPF 111 0",
            "a=rtpmap:111 opus/48000/2",
            "a=fmtp:111 minptime=10;useinbandfec=0",
            "a=ptime:20",
            "a=mid:0",
        ];
        let mut section = Section::from_lines(lines.map(str::to_owned).to_vec());
        let slow = OpusParameters {
            maxaveragebitrate: Some(8_000),
            ptime: Some(60),
            usedtx: Some(true),
            useinbandfec: Some(true),
            ..OpusParameters::default()
        };
        set_opus_parameters(&mut section, &slow);
        assert_eq!(
            section.lines()[1..],
            [
                "a=rtpmap:111 opus/48000/2",
                "a=fmtp:111 minptime=10;useinbandfec=1;maxaveragebitrate=8000;usedtx=1",
                "a=ptime:60",
                "a=mid:0",
            ]
        );
        let once = section.clone();
        set_opus_parameters(&mut section, &slow);
        assert_eq!(section, once);
    }

    #[test]
    fn opus_without_fmtp_gets_one_behind_its_rtpmap() {
        let lines = [
            "m=audio 9 RTP/AVP 96",
            "a=rtpmap:96 OPUS/48000/2",
            "a=mid:0",
        ];
        let mut section = Section::from_lines(lines.map(str::to_owned).to_vec());
        let mono = OpusParameters {
            stereo: Some(false),
            ..OpusParameters::default()
        };
        set_opus_parameters(&mut section, &mono);
        assert_eq!(section.lines()[2], "a=fmtp:96 stereo=0");
        let mut telephone = Section::from_lines(vec!["m=audio 9 RTP/AVP 0".to_owned()]);
        set_opus_parameters(&mut telephone, &mono);
        assert_eq!(telephone.lines().len(), 1);
    }
}
