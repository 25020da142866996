//! What a slow link needs of the descriptions: few bytes in them, and limits in both directions.
//!
//! Budgets count everything on the wire at IP level, so the codec gets less than the budget: see
//! [`Bandwidth::speech`]. `b=AS` and `b=TIAS` are both written, TIAS last: Chromium takes the last
//! line it understands, Firefox reads TIAS, phones and PBXs read AS.

use clinicall_sip::{
    header::grammar::number,
    sdp::{
        Sdp, Section,
        edit::{
            ChromiumBitrates, OpusParameters, cap_bitrate, set_bandwidth, set_chromium_bitrates,
            set_opus_parameters,
        },
    },
};

/// The most each medium may take, each way, in kbit/s at IP level. `None`: no limit of ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bandwidth {
    pub audio: Option<u32>,
    /// Less than a picture costs at least (33) is none.
    pub video: Option<u32>,
    pub mode: Mode,
    /// What of our speech is lost on the way out.
    pub(crate) lossy: Lossy,
    /// The media goes over IPv6, whose header is 20 bytes longer.
    pub(crate) v6: bool,
}

/// What pictures are for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// A face: rather fewer pixels than frames.
    #[default]
    Talk,
    /// A wound, a document: rather fewer frames than pixels.
    Show,
}

/// How much of it is lost, as far as it matters to speech: whether its bits are better spent on saying things twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Lossy {
    /// Little, or the other side does not understand RED.
    #[default]
    Not,
    /// Speech twice beats speech of more bits, but not speech of hardly any.
    Some,
    Much,
}

/// The least we give speech: Opus has 9 of it in packets of 120 ms over IPv4. Nine of these packets, a STUN check and an
/// RTCP report in the same second are the 2,000 bytes of 16 kbit/s.
pub(crate) const AUDIO_LEAST: u32 = 13;

/// How Opus fits into an audio budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Speech {
    /// Codec bits per second.
    pub bitrate: u32,
    /// Milliseconds of speech in a packet.
    pub ptime: u32,
    /// Each packet carries the one before along (RFC 2198): what was lost is heard from the next.
    pub twice: bool,
}

/// Milliseconds of speech in a packet, and whether it carries the one before along: what only a description says.
pub(crate) type Framing = (u32, bool);

/// From this length on the link is so slow that a loud second of Opus' variable bitrate (a third above its average)
/// is more than there is; all seconds alike fit.
const STEADY: u32 = 60;

impl Speech {
    /// Without a limit: what libwebrtc takes by itself.
    const FREE: Self = Self {
        bitrate: 32_000,
        ptime: 20,
        twice: false,
    };

    pub(crate) fn framing(self) -> Framing {
        (self.ptime, self.twice)
    }

    /// Mono, silence not sent, loss repaired from the next packet (RFC 7587 section 6.1).
    fn parameters(self) -> OpusParameters {
        OpusParameters {
            maxaveragebitrate: Some(self.bitrate),
            ptime: Some(self.ptime),
            stereo: Some(false),
            usedtx: Some(true),
            useinbandfec: Some(true),
            cbr: Some(self.ptime >= STEADY),
            ..OpusParameters::default()
        }
    }
}

/// Bytes around the Opus frame: IPv4 20, UDP 8, RTP 12, header extensions 8, SRTP tag 10.
const AROUND_SPEECH: u32 = 58;

/// Bytes that it costs to carry a packet along, beside its speech (RFC 2198 section 3).
const CARRYING: u32 = 5;

/// What an IPv6 header has more than an IPv4 one.
const MORE_V6: u32 = 20;

/// What packets cost beside the video in them, in per cent of the budget.
const AROUND_VIDEO: u32 = 8;
/// What 15 frames a second cost that are a packet each: as much around each as around speech, in bit/s.
const AROUND_FRAMES: u32 = 15 * AROUND_SPEECH * 8;

/// Speech without a limit, headers and all, in kbit/s.
const FREE_SPEECH: u32 = 64;
/// What a picture costs at least: libwebrtc's encoder never sends less than 30, and packets want their headers.
pub(crate) const PICTURE_LEAST: u32 = 33;
/// Where libwebrtc's estimate of a link begins by itself, in kbit/s (api/transport/bitrate_settings.h).
const ESTIMATE: u32 = 300;
/// The least we let it begin with: its encoders never send less.
const ESTIMATE_LEAST: u32 = 30;

impl Bandwidth {
    /// A link by its name; `None`: there is no such. Each leaves room for RTCP and STUN.
    #[must_use]
    pub fn profile(name: &str) -> Option<Self> {
        let (audio, video) = match name {
            "16k" => (AUDIO_LEAST, 0),
            "32k" => (28, 0),
            // what 5 % of loss takes to repair has to fit as well
            "64k" => (17, 37),
            "150k" => (24, 116),
            "256k" => (32, 210),
            "hd" => (64, 2_500),
            "auto" => return Some(Self::default()),
            _ => return None,
        };
        Some(Self {
            audio: Some(audio),
            video: Some(video),
            ..Self::default()
        })
    }

    /// The limits of both together. What is shown is up to the one who shows.
    #[must_use]
    pub(crate) fn and(self, other: Self) -> Self {
        let least = |one: Option<u32>, other: Option<u32>| one.into_iter().chain(other).min();
        Self {
            audio: least(self.audio, other.audio),
            video: least(self.video, other.video),
            v6: self.v6 || other.v6,
            ..self
        }
    }

    /// Kbit/s of both; `None`: one of them has no limit.
    pub(crate) fn total(self) -> Option<u32> {
        // page's numbers: nonsense must not overflow
        Some(self.audio?.saturating_add(self.video?))
    }

    /// As an INFO within the call says it: `audio=17;video=41`.
    pub(crate) fn written(self) -> String {
        let mut text = String::new();
        for (name, limit) in [("audio=", self.audio), ("video=", self.video)] {
            if let Some(limit) = limit {
                if !text.is_empty() {
                    text.push(';');
                }
                text.push_str(name);
                text.push_str(&limit.to_string());
            }
        }
        text
    }

    /// What [`Bandwidth::written`] wrote; what is not understood is no limit.
    pub(crate) fn read(text: &str) -> Self {
        let value = |name: &str| {
            let mut parts = text.split(';').filter_map(|part| part.split_once('='));
            let (_, value) = parts.find(|(key, _)| key.trim_ascii() == name)?;
            number(value.trim_ascii())
        };
        Self {
            audio: value("audio"),
            video: value("video"),
            ..Self::default()
        }
    }
    /// Longer packets when headers would outweigh speech (20 ms ones cost 23 kbit/s in headers):
    /// the shortest packet of which at least half is speech.
    pub(crate) fn speech(self) -> Option<Speech> {
        let Some(budget) = self.audio else {
            let twice = Speech {
                twice: true,
                ..Speech::FREE
            };
            return (self.lossy != Lossy::Not).then_some(twice);
        };
        // page's numbers: nonsense must not overflow
        let budget = budget.min(1_000) * 1_000;
        let bytes = AROUND_SPEECH + if self.v6 { MORE_V6 } else { 0 };
        let around = |ptime: u32| bytes * 8 * 1_000 / ptime;
        let speech = |twice: bool| {
            let left = |ptime| {
                let left = budget.saturating_sub(around(ptime));
                if twice {
                    left.saturating_sub(CARRYING * 8_000 / ptime) / 2
                } else {
                    left
                }
            };
            let ptime = [20, 40, 60].into_iter();
            let ptime = ptime.clone().find(|ptime| around(*ptime) <= left(*ptime));
            let ptime = ptime.unwrap_or(120);
            (left(ptime), ptime)
        };
        let worth = match self.lossy {
            Lossy::Not => u32::MAX,
            Lossy::Some => 7_500,
            Lossy::Much => 6_000,
        };
        let ((bitrate, ptime), twice) = match speech(true) {
            both if both.0 >= worth => (both, true),
            _ => (speech(false), false),
        };
        Some(Speech {
            // RFC 6716 section 2: Opus runs from 6 to 510 kbit/s
            bitrate: bitrate.clamp(6_000, 510_000),
            ptime,
            twice,
        })
    }

    /// Codec bits per second for video.
    pub(crate) fn picture(self) -> Option<u32> {
        let budget = self.video?.min(1_000_000) * 1_000;
        let around = budget / 100 * AROUND_VIDEO;
        // a small picture is one packet, and nearly half as many bytes around it
        let each = AROUND_FRAMES + budget / 100 * AROUND_VIDEO / 2;
        Some(budget - around.max(each).min(budget / 2))
    }

    /// Writes the limits into a description: ours tells the peer what to send us, the peer's (as
    /// the browser gets it) tells the browser what to send.
    pub(crate) fn limit(self, sdp: &mut Sdp) {
        for section in &mut sdp.media {
            match section.kind() {
                "audio" => {
                    if let (Some(budget), Some(speech)) = (self.audio, self.speech()) {
                        set_bandwidth(section, budget, speech.bitrate);
                        set_opus_parameters(section, &speech.parameters());
                    }
                }
                "video" => {
                    if let (Some(budget), Some(picture)) = (self.video, self.picture()) {
                        set_bandwidth(section, budget, picture);
                    }
                }
                _ => {}
            }
        }
    }

    /// Kbit/s of everything that our browser may send; `None`: as much as it likes.
    ///
    /// For `b=` of video, by which libwebrtc limits its estimate of the whole link, repairs and all, and not the picture
    /// alone. That is the senders' own affair (`setParameters`). With the picture's limit there Chromium's
    /// congestion window is so small that each packet of it waits a second to be sent, and its receiver delays the
    /// sound to match: at 64 kbit/s without any loss words were stretched until a tenth of them was lost.
    pub(crate) fn ceiling(self) -> Option<u32> {
        // page's numbers: nonsense must not overflow
        let video = self.video?.max(PICTURE_LEAST);
        Some(video.saturating_add(self.audio.unwrap_or(FREE_SPEECH)))
    }

    /// Writes into the peer's description, as our browser gets it, what the browser may send.
    ///
    /// A Chromium begins its estimate of a slow link with what the link has; its own beginning would flood it. No
    /// minimum: the link may be worse than we know. No maximum but `b=`, which [`reframed`] raises when the page allows
    /// more. A beginning stays, for libwebrtc only begins anew when it hears of another one.
    pub(crate) fn allow(self, sdp: &mut Sdp) {
        self.limit(sdp);
        for section in &mut sdp.media {
            allow_picture(section, self.ceiling());
        }
        let Some(total) = self.total().filter(|total| *total <= ESTIMATE) else {
            return;
        };
        let bitrates = ChromiumBitrates {
            start: Some(total.max(ESTIMATE_LEAST)),
            ..ChromiumBitrates::default()
        };
        for section in &mut sdp.media {
            set_chromium_bitrates(section, &bitrates);
        }
    }
}

fn allow_picture(section: &mut Section, ceiling: Option<u32>) {
    if let ("video", Some(kbps)) = (section.kind(), ceiling) {
        cap_bitrate(section, kbps);
    }
}

/// Writes the ceiling of a picture another time, one bit a second apart from what it was.
///
/// A Chromium that hears the same `b=TIAS` twice forgets it (seen in 156: libwebrtc begins anew with the codec's own
/// bounds, and looks at the limit where that has changed). Then it asks the link at once whether 5 Mbit/s would fit: 11 kB
/// in one go, a second of a link of 64 kbit/s and more.
#[cfg(any(test, target_arch = "wasm32"))]
fn limit_anew(section: &mut Section, ceiling: Option<u32>) {
    use clinicall_sip::sdp::edit::remove_bandwidth;
    let limit = |section: &Section| {
        let lines = section.lines().iter();
        let mut written = lines.filter_map(|line| line.strip_prefix("b=TIAS:"));
        written.next().and_then(|bits| bits.parse::<u32>().ok())
    };
    let before = limit(section);
    remove_bandwidth(section);
    allow_picture(section, ceiling);
    if let (Some(kbps), Some(bits)) = (ceiling, limit(section))
        && before == Some(bits)
    {
        set_bandwidth(section, kbps, bits.saturating_add(1));
    }
}

/// A rate that nobody wrote is 0 where Firefox tells a description again; given back to it, that makes it forget all of
/// the line (RFC 7587 section 7 allows 8000 to 48000).
#[cfg(any(test, target_arch = "wasm32"))]
fn fullband_by_zero(section: &Section) -> bool {
    let types = section.formats().into_iter();
    let mut rates =
        types.filter_map(|format| section.fmtp_parameter(format.parse().ok()?, "maxplaybackrate"));
    rates.any(|rate| rate == "0")
}

/// The peer's last description as an answer with speech put into packets otherwise and another ceiling, for a browser
/// that offers anew what `local` said before. `None`: one of them cannot be read.
#[cfg(any(test, target_arch = "wasm32"))]
pub(crate) fn reframed(
    remote: &str,
    local: &str,
    speech: Option<Speech>,
    ceiling: Option<u32>,
) -> Option<String> {
    use clinicall_sip::sdp::edit::{keep_codecs, keep_extensions, prefer_codecs, remove_bandwidth};
    let (mut sdp, local) = (Sdp::parse(remote).ok()?, Sdp::parse(local).ok()?);
    // Firefox writes what is the same in all sections once, above them
    let session_offers = sdp.session.attribute("setup") == Some("actpass");
    if session_offers {
        sdp.session.remove_attributes("setup");
    }
    for (theirs, ours) in sdp.media.iter_mut().zip(&local.media) {
        // an offer becomes an answer: it has the codecs and the role we agreed to
        if session_offers || theirs.attribute("setup") == Some("actpass") {
            let role = match local.inherited(ours, "setup") {
                Some("passive") => "active",
                _ => "passive",
            };
            theirs.set_attribute("setup", role);
        }
        let agreed: Vec<u8> = ours.rtpmaps().iter().map(|map| map.payload_type).collect();
        keep_codecs(theirs, &|map, _| agreed.contains(&map.payload_type));
        let known: Vec<String> = ours.extmaps().into_iter().map(|map| map.uri).collect();
        keep_extensions(
            theirs,
            &known.iter().map(String::as_str).collect::<Vec<_>>(),
        );
        if theirs.kind() == "audio" {
            let speech = speech.unwrap_or(Speech::FREE);
            remove_bandwidth(theirs);
            let mut parameters = speech.parameters();
            if fullband_by_zero(theirs) {
                parameters.maxplaybackrate = Some(48_000);
            }
            set_opus_parameters(theirs, &parameters);
            prefer_codecs(theirs, &[if speech.twice { "red" } else { "opus" }]);
        } else {
            limit_anew(theirs, ceiling);
        }
    }
    Some(sdp.to_string())
}

#[cfg(test)]
mod tests {
    use clinicall_sip::sdp::edit::keep_codecs;

    use super::*;

    const START: &str = "x-google-start-bitrate";

    fn audio(kbps: u32) -> Speech {
        Bandwidth {
            audio: Some(kbps),
            ..Bandwidth::default()
        }
        .speech()
        .unwrap()
    }

    #[test]
    fn the_slower_the_link_the_longer_the_packet() {
        assert_eq!(
            audio(64),
            Speech {
                bitrate: 40_800,
                ptime: 20,
                twice: false
            }
        );
        assert_eq!(
            audio(32),
            Speech {
                bitrate: 20_400,
                ptime: 40,
                twice: false
            }
        );
        assert_eq!(
            audio(16),
            Speech {
                bitrate: 8_267,
                ptime: 60,
                twice: false
            }
        );
        assert_eq!(audio(10).ptime, 120);
        for kbps in 12..=64 {
            let speech = audio(kbps);
            let spent = speech.bitrate + AROUND_SPEECH * 8_000 / speech.ptime;
            assert!(spent <= kbps * 1_000, "{kbps} kbit/s: {spent}");
        }
    }

    #[test]
    fn a_small_picture_and_its_headers_fit_together() {
        let picture = |kbps| {
            let limits = Bandwidth {
                video: Some(kbps),
                ..Bandwidth::default()
            };
            limits.picture().unwrap()
        };
        assert!(picture(41) + 15 * 58 * 8 < 40_000);
        assert!(picture(36) < picture(41) && picture(41) > 30_000);
        assert_eq!(picture(300), 276_000);
        assert_eq!(picture(0), 0);
    }

    #[test]
    fn limits_stand_in_their_place_and_replace_older_ones() {
        let text = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n\
            m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\nb=AS:99\r\na=mid:0\r\n\
            a=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1;stereo=1\r\na=ptime:20\r\n\
            m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\na=rtpmap:96 VP8/90000\r\n";
        let mut sdp = Sdp::parse(text).unwrap();
        Bandwidth {
            audio: Some(32),
            video: Some(256),
            ..Bandwidth::default()
        }
        .limit(&mut sdp);
        insta::assert_snapshot!(sdp.to_string().replace('\r', ""), @r"
        v=0
        o=- 1 1 IN IP4 0.0.0.0
        s=-
        t=0 0
        m=audio 9 UDP/TLS/RTP/SAVPF 111
        c=IN IP4 0.0.0.0
        b=AS:32
        b=TIAS:20400
        a=mid:0
        a=rtpmap:111 opus/48000/2
        a=fmtp:111 minptime=10;useinbandfec=1;stereo=0;maxaveragebitrate=20400;usedtx=1;cbr=0
        a=ptime:40
        m=video 9 UDP/TLS/RTP/SAVPF 96
        b=AS:256
        b=TIAS:235520
        a=mid:1
        a=rtpmap:96 VP8/90000
        ");
    }

    #[test]
    fn what_is_lost_is_said_twice_where_that_leaves_enough_to_say() {
        let speech = |kbps, lossy| {
            let limits = Bandwidth {
                audio: Some(kbps),
                lossy,
                ..Bandwidth::default()
            };
            limits.speech().unwrap()
        };
        for kbps in 13..=120 {
            let speech = speech(kbps, Lossy::Much);
            let copies = 1 + u32::from(speech.twice);
            let carrying = u32::from(speech.twice) * CARRYING * 8_000 / speech.ptime;
            let spent = copies * speech.bitrate + carrying + AROUND_SPEECH * 8_000 / speech.ptime;
            assert!(spent <= kbps * 1_000, "{kbps} kbit/s: {spent}");
        }
        assert!(!speech(13, Lossy::Much).twice && !speech(17, Lossy::Some).twice);
        assert!(speech(22, Lossy::Much).twice && speech(24, Lossy::Some).twice);
        assert!(!speech(64, Lossy::Not).twice);
    }

    #[test]
    fn what_freeswitch_asks_for_gives_way_to_the_link() {
        let offer = include_str!("../../sip/tests/sdp/freeswitch-offer.sdp");
        let mut sdp = Sdp::parse(offer).unwrap();
        let limits = Bandwidth::profile("64k").unwrap();
        limits.limit(&mut sdp);
        let (audio, video) = (&sdp.media[0], &sdp.media[1]);
        let (speech, picture) = (limits.speech().unwrap(), limits.picture().unwrap());
        assert_eq!(
            audio.lines()[1..3],
            ["b=AS:17".to_owned(), format!("b=TIAS:{}", speech.bitrate)]
        );
        assert_eq!(
            video.lines()[1..3],
            ["b=AS:37".to_owned(), format!("b=TIAS:{picture}")]
        );
        assert_eq!(video.attributes("rtcp-fb").count(), 4);
        assert!(!sdp.to_string().contains("b=AS:1024"));
        // it says the same twice
        assert_eq!(audio.attribute("ptime"), Some("60"));
        for (name, value) in [("ptime", "60"), ("maxptime", "60"), ("stereo", "0")] {
            assert_eq!(audio.fmtp_parameter(102, name), Some(value), "{name}");
        }
    }

    #[test]
    fn over_ipv6_packets_are_longer_to_stay_in_the_budget() {
        for kbps in 14..=64 {
            let speech = Bandwidth {
                v6: true,
                audio: Some(kbps),
                ..Bandwidth::default()
            }
            .speech()
            .unwrap();
            let spent = speech.bitrate + 78 * 8_000 / speech.ptime;
            assert!(spent <= kbps * 1_000, "{kbps} kbit/s: {spent}");
        }
    }

    #[test]
    fn every_profile_leaves_room_for_what_is_no_media() {
        for (name, kbps) in [
            ("16k", 16),
            ("32k", 32),
            ("64k", 64),
            ("150k", 150),
            ("256k", 256),
        ] {
            let profile = Bandwidth::profile(name).unwrap();
            let sum = profile.audio.unwrap() + profile.video.unwrap();
            assert!(sum < kbps && sum * 10 >= kbps * 8, "{name}: {sum}");
            assert!(profile.speech().unwrap().bitrate >= 7_000, "{name}");
        }
        assert_eq!(Bandwidth::profile("auto"), Some(Bandwidth::default()));
        assert_eq!(Bandwidth::profile("fast"), None);
    }

    #[test]
    fn no_second_of_speech_takes_more_than_16_kbit() {
        let speech = Bandwidth::profile("16k").unwrap().speech().unwrap();
        assert_eq!(speech.parameters().cbr, Some(true));
        let packet = speech.bitrate * speech.ptime / 8_000 + AROUND_SPEECH;
        let packets = 1_000_u32.div_ceil(speech.ptime);
        // what a check and a report take at IP level, as captured
        let (stun, rtcp) = (128, 98);
        let most = packets * packet + stun + rtcp;
        assert!(most <= 16_000 / 8, "{most}");
    }

    #[test]
    fn limits_are_told_in_a_line() {
        for (limits, line) in [
            (Bandwidth::profile("64k").unwrap(), "audio=17;video=37"),
            (Bandwidth::default(), ""),
        ] {
            assert_eq!(limits.written(), line);
            assert_eq!(Bandwidth::read(line), limits);
        }
        let odd = Bandwidth::read(" video = 9 ;audio=x;;y=1;video=7");
        assert_eq!((odd.audio, odd.video), (None, Some(9)));
    }

    #[test]
    fn the_browser_hears_of_longer_packets_by_itself() {
        let offer = include_str!("../../sip/tests/sdp/chromium-offer.sdp");
        let mut answered = Sdp::parse(offer).unwrap();
        for section in &mut answered.media {
            keep_codecs(section, &|map, _| map.is("opus") || map.is("VP8"));
            section.set_attribute("setup", "active");
        }
        // we answered the peer's offer; now it is our turn to offer, and what it said is the answer
        let speech = audio(16);
        let text = reframed(offer, &answered.to_string(), Some(speech), Some(54)).unwrap();
        let answer = Sdp::parse(&text).unwrap();
        assert_eq!(answer.media.len(), answered.media.len());
        for (section, ours) in answer.media.iter().zip(&answered.media) {
            assert_eq!(section.attribute("setup"), Some("passive"));
            assert_eq!(section.formats(), ours.formats());
            assert_eq!(section.attribute("ice-ufrag"), ours.attribute("ice-ufrag"));
        }
        assert!(text.contains("maxaveragebitrate=8267") && text.contains("a=ptime:60"));
        assert_eq!(
            text.matches("b=TIAS:54000").count(),
            1,
            "all that may be sent"
        );
        // and again, from its own result, back to no limit
        let mut text = reframed(&text, &answered.to_string(), None, None).unwrap();
        assert!(text.contains("maxaveragebitrate=32000") && text.contains("a=ptime:20"));
        assert_eq!(text.matches("a=ptime").count(), 1);
        assert!(!text.contains("b="), "nothing holds it back");
        // the same limit again would be forgotten
        for tias in ["54000", "54001", "54000"].map(|bits| format!("b=TIAS:{bits}\r\n")) {
            text = reframed(&text, &answered.to_string(), Some(speech), Some(54)).unwrap();
            assert!(text.contains(&tias) && text.matches("b=TIAS").count() == 1);
        }
        // and said twice, when packets are lost
        let twice = Speech {
            twice: true,
            ..speech
        };
        let text = reframed(offer, offer, Some(twice), None).unwrap();
        assert!(
            Sdp::parse(&text).unwrap().media[0]
                .formats()
                .starts_with(&["63", "111"])
        );
        let text = reframed(&text, offer, Some(speech), None).unwrap();
        assert!(
            Sdp::parse(&text).unwrap().media[0]
                .formats()
                .starts_with(&["111", "63"])
        );
        assert_eq!(reframed("v=1", offer, None, None), None);
    }

    #[test]
    fn an_offer_as_firefox_tells_it_again_becomes_an_answer_too() {
        let offer = include_str!("../../sip/tests/sdp/firefox-offer.sdp");
        let (mut theirs, mut ours) = (Sdp::parse(offer).unwrap(), Sdp::parse(offer).unwrap());
        for section in theirs.media.iter_mut().chain(&mut ours.media) {
            section.remove_attributes("setup");
        }
        theirs.session.add_attribute("setup", "actpass");
        theirs.media[0].set_fmtp_parameter(109, "maxplaybackrate", "0");
        let unknown = "9 urn:ietf:params:rtp-hdrext:unheard-of";
        theirs.media[0].add_attribute("extmap", unknown);
        ours.session.add_attribute("setup", "passive");
        let text = reframed(
            &theirs.to_string(),
            &ours.to_string(),
            Some(audio(17)),
            None,
        )
        .unwrap();
        let answer = Sdp::parse(&text).unwrap();
        assert!(!text.contains("actpass"), "{text}");
        let fmtp = answer.media[0].fmtp(109).unwrap();
        assert!(fmtp.contains("maxplaybackrate=48000;"), "{fmtp}");
        assert!(
            !text.contains("unheard-of"),
            "an answer has what was offered"
        );
        for section in &answer.media {
            assert_eq!(answer.inherited(section, "setup"), Some("active"));
        }
    }

    #[test]
    fn a_chromium_on_a_slow_link_begins_with_what_there_is() {
        let answer = include_str!("../../sip/tests/sdp/chromium-answer.sdp");
        for (name, start) in [
            ("16k", Some("30")),
            ("32k", Some("30")),
            ("64k", Some("54")),
            ("150k", Some("140")),
            ("256k", Some("242")),
            ("hd", None),
            ("auto", None),
        ] {
            let mut sdp = Sdp::parse(answer).unwrap();
            let limits = Bandwidth::profile(name).unwrap();
            limits.allow(&mut sdp);
            let (audio, video) = (&sdp.media[0], &sdp.media[1]);
            assert_eq!(video.fmtp_parameter(96, START), start, "{name}");
            assert_eq!(video.fmtp(97), Some("apt=96"), "{name}: a repair");
            assert_eq!(audio.fmtp_parameter(111, START), None, "{name}: speech");
            let text = sdp.to_string();
            for other in ["x-google-min", "x-google-max"] {
                assert!(!text.contains(other), "{name}: {other}");
            }
            let ceiling = limits.ceiling().map(|kbps| format!("b=TIAS:{kbps}000"));
            let found = video.lines().iter().find(|line| line.starts_with("b=TIAS"));
            assert_eq!(found, ceiling.as_ref(), "{name}: all that is sent");
        }
    }

    #[test]
    fn a_limit_of_one_medium_tells_nothing_of_the_link() {
        let answer = include_str!("../../sip/tests/sdp/chromium-answer.sdp");
        for (audio, video) in [
            (Some(24), None),
            (None, Some(100)),
            (Some(u32::MAX), Some(1)),
        ] {
            let mut sdp = Sdp::parse(answer).unwrap();
            let limits = Bandwidth {
                audio,
                video,
                ..Bandwidth::default()
            };
            limits.allow(&mut sdp);
            assert!(!sdp.to_string().contains("x-google"));
        }
    }

    #[test]
    fn longer_packets_do_not_begin_the_estimate_again() {
        let offer = include_str!("../../sip/tests/sdp/chromium-offer.sdp");
        let mut got = Sdp::parse(offer).unwrap();
        let limits = Bandwidth::profile("64k").unwrap();
        limits.allow(&mut got);
        let local = got.to_string();
        let video = |text: &str| Sdp::parse(text).unwrap().media.remove(1);
        let before = video(&local);
        assert_eq!(before.fmtp_parameter(96, START), Some("54"));
        // the link gets worse, then the page lifts every limit
        let mut text = local.clone();
        for speech in [Some(audio(16)), None] {
            text = reframed(&text, &local, speech, limits.ceiling()).unwrap();
            let after = video(&text);
            let (before, after) = (before.attributes("fmtp"), after.attributes("fmtp"));
            assert!(before.eq(after), "{text}");
        }
    }

    #[test]
    fn no_limit_changes_nothing() {
        let text = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n";
        let mut sdp = Sdp::parse(text).unwrap();
        Bandwidth::default().limit(&mut sdp);
        assert_eq!(sdp.to_string(), text);
    }
}
