//! What a slow link needs of the descriptions: few bytes in them, and limits in both directions.
//!
//! Budgets count everything on the wire at IP level, so the codec gets less than the budget: see
//! [`Bandwidth::speech`]. `b=AS` and `b=TIAS` are both written, TIAS last: Chromium takes the last
//! line it understands, Firefox reads TIAS, phones and PBXs read AS.

use clinicall_sip::{
    header::grammar::number,
    sdp::{
        Sdp,
        edit::{
            ChromiumBitrates, OpusParameters, set_bandwidth, set_chromium_bitrates,
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
}

/// From this length on the link is so slow that a loud second of Opus' variable bitrate (a third above its average)
/// is more than there is; all seconds alike fit.
const STEADY: u32 = 60;

impl Speech {
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

/// What an IPv6 header has more than an IPv4 one.
const MORE_V6: u32 = 20;

/// What packets cost beside the video in them, in per cent of the budget.
const AROUND_VIDEO: u32 = 8;
/// What 15 frames a second cost that are a packet each: as much around each as around speech, in bit/s.
const AROUND_FRAMES: u32 = 15 * AROUND_SPEECH * 8;

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
            "32k" => (30, 0),
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
        // page's numbers: nonsense must not overflow
        let budget = self.audio?.min(1_000) * 1_000;
        let bytes = AROUND_SPEECH + if self.v6 { MORE_V6 } else { 0 };
        let around = |ptime: u32| bytes * 8 * 1_000 / ptime;
        let ptime = [20, 40, 60]
            .into_iter()
            .find(|ptime| around(*ptime) * 2 <= budget);
        let ptime = ptime.unwrap_or(120);
        // RFC 6716 section 2: Opus runs from 6 to 510 kbit/s
        let bitrate = budget.saturating_sub(around(ptime)).clamp(6_000, 510_000);
        Some(Speech { bitrate, ptime })
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

    /// Has a Chromium that gets this description begin its estimate of a slow link with what the link
    /// has; its own beginning would flood it. For the peer's description as our browser gets it: what we
    /// send to the peer does not speak of its link.
    ///
    /// No minimum: the link may be worse than we know. No maximum: what the page allows later in the call
    /// comes without a description (`Tune`), and the maximum would stay. A beginning may stay, for libwebrtc
    /// only begins anew when it hears of another one; so `reframed` leaves it as it is.
    pub(crate) fn begin(self, sdp: &mut Sdp) {
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

/// The peer's last description as an answer with another length of speech packets, for a browser
/// that offers anew what `local` said before. `None`: one of them cannot be read.
#[cfg(any(test, target_arch = "wasm32"))]
pub(crate) fn reframed(remote: &str, local: &str, speech: Option<Speech>) -> Option<String> {
    /// Without a limit: what libwebrtc takes by itself.
    const FREE: Speech = Speech {
        bitrate: 32_000,
        ptime: 20,
    };
    use clinicall_sip::sdp::edit::{keep_codecs, remove_bandwidth};
    let (mut sdp, local) = (Sdp::parse(remote).ok()?, Sdp::parse(local).ok()?);
    for (theirs, ours) in sdp.media.iter_mut().zip(&local.media) {
        // an offer becomes an answer: it has the codecs and the role we agreed to
        if theirs.attribute("setup") == Some("actpass") {
            let role = match ours.attribute("setup") {
                Some("passive") => "active",
                _ => "passive",
            };
            theirs.set_attribute("setup", role);
        }
        let agreed: Vec<u8> = ours.rtpmaps().iter().map(|map| map.payload_type).collect();
        keep_codecs(theirs, &|map, _| agreed.contains(&map.payload_type));
        if theirs.kind() == "audio" {
            remove_bandwidth(theirs);
            set_opus_parameters(theirs, &speech.unwrap_or(FREE).parameters());
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
                ptime: 20
            }
        );
        assert_eq!(
            audio(32),
            Speech {
                bitrate: 20_400,
                ptime: 40
            }
        );
        assert_eq!(
            audio(16),
            Speech {
                bitrate: 8_267,
                ptime: 60
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
        let text = reframed(offer, &answered.to_string(), Some(speech)).unwrap();
        let answer = Sdp::parse(&text).unwrap();
        assert_eq!(answer.media.len(), answered.media.len());
        for (section, ours) in answer.media.iter().zip(&answered.media) {
            assert_eq!(section.attribute("setup"), Some("passive"));
            assert_eq!(section.formats(), ours.formats());
            assert_eq!(section.attribute("ice-ufrag"), ours.attribute("ice-ufrag"));
        }
        assert!(text.contains("maxaveragebitrate=8267") && text.contains("a=ptime:60"));
        // and again, from its own result, back to no limit
        let text = reframed(&text, &answered.to_string(), None).unwrap();
        assert!(text.contains("maxaveragebitrate=32000") && text.contains("a=ptime:20"));
        assert_eq!(text.matches("a=ptime").count(), 1);
        assert_eq!(reframed("v=1", offer, None), None);
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
            Bandwidth::profile(name).unwrap().begin(&mut sdp);
            let (audio, video) = (&sdp.media[0], &sdp.media[1]);
            assert_eq!(video.fmtp_parameter(96, START), start, "{name}");
            assert_eq!(video.fmtp(97), Some("apt=96"), "{name}: a repair");
            assert_eq!(audio.fmtp_parameter(111, START), None, "{name}: speech");
            let text = sdp.to_string();
            for other in ["x-google-min", "x-google-max"] {
                assert!(!text.contains(other), "{name}: {other}");
            }
            assert_eq!(text == answer, start.is_none(), "{name}");
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
            limits.begin(&mut sdp);
            assert_eq!(sdp.to_string(), answer);
        }
    }

    #[test]
    fn longer_packets_do_not_begin_the_estimate_again() {
        let offer = include_str!("../../sip/tests/sdp/chromium-offer.sdp");
        let mut got = Sdp::parse(offer).unwrap();
        let limits = Bandwidth::profile("64k").unwrap();
        limits.limit(&mut got);
        limits.begin(&mut got);
        let local = got.to_string();
        let video = |text: &str| Sdp::parse(text).unwrap().media.remove(1);
        let before = video(&local);
        assert_eq!(before.fmtp_parameter(96, START), Some("54"));
        // the link gets worse, then the page lifts every limit
        let mut text = local.clone();
        for speech in [Some(audio(16)), None] {
            text = reframed(&text, &local, speech).unwrap();
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
