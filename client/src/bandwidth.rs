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

#[cfg(any(test, target_arch = "wasm32"))]
pub(crate) mod reframe;

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

    /// Bit/s, headers and what is carried along with it.
    fn at_ip_level(self, v6: bool) -> u32 {
        let carried = if self.twice {
            self.bitrate + CARRYING * 8_000 / self.ptime
        } else {
            0
        };
        around_speech(v6, self.ptime) + self.bitrate + carried
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

/// Bytes around the Opus frame: IPv4 20, UDP 8, RTP 12, header extensions 8, SRTP tag 10. Where the link is narrow from the
/// beginning there are no extensions once reports come, and what speech leaves of its part is for RTCP.
const AROUND_SPEECH: u32 = 58;

/// Bytes that it costs to carry a packet along, beside its speech (RFC 2198 section 3).
const CARRYING: u32 = 5;

/// What an IPv6 header has more than an IPv4 one.
const MORE_V6: u32 = 20;

/// Bit/s around packets of so many milliseconds.
const fn around_speech(v6: bool, ptime: u32) -> u32 {
    let bytes = AROUND_SPEECH + if v6 { MORE_V6 } else { 0 };
    bytes * 8 * 1_000 / ptime
}

/// What packets cost beside the video in them, in per cent of the budget.
const AROUND_VIDEO: u32 = 8;
/// What 15 frames a second cost that are a packet each: as much around each as around speech, in bit/s.
const AROUND_FRAMES: u32 = 15 * AROUND_SPEECH * 8;

/// Speech without a limit, headers and all, in kbit/s.
const FREE_SPEECH: u32 = 64;
/// Kbit/s of speech and picture together on a link on which each byte is felt.
const NARROW: u32 = 100;
/// What a picture costs at least: libwebrtc's encoder never sends less than 30, and packets want their headers.
pub(crate) const PICTURE_LEAST: u32 = 33;
/// Where libwebrtc's estimate of a link begins by itself, in kbit/s (api/transport/bitrate_settings.h).
const ESTIMATE: u32 = 300;
/// The least we let it begin with: its encoders never send less.
const ESTIMATE_LEAST: u32 = 30;

/// Speech and picture on 64 kbit/s, kbit/s: what a tenth of loss takes to repair has to fit as well.
const K64: (u32, u32) = (16, 36);
/// So many of both together leave that room.
pub(crate) const ROOMY: u32 = K64.0 + K64.1;

impl Bandwidth {
    /// A link by its name; `None`: there is no such. Each leaves room for RTCP and STUN.
    #[must_use]
    pub fn profile(name: &str) -> Option<Self> {
        let (audio, video) = match name {
            "16k" => (AUDIO_LEAST, 0),
            "32k" => (28, 0),
            "64k" => K64,
            // and encoders go above what they are told for a second. More speech than this is understood better
            // where packets are lost, but floods a link that collapses
            "150k" => (24, 106),
            "256k" => (32, 196),
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

    /// What both may take together is little.
    pub(crate) fn is_narrow(self) -> bool {
        self.total().is_some_and(|total| total <= NARROW)
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
        let spare = self.spare().min(1_000) * 1_000;
        let around = |ptime| around_speech(self.v6, ptime);
        let speech = |twice: bool| {
            let left = |ptime| {
                let once = budget.saturating_sub(around(ptime));
                if twice {
                    let all = once + spare;
                    once.min(all.saturating_sub(CARRYING * 8_000 / ptime) / 2)
                } else {
                    once
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

    /// Kbit/s that speech may have of the picture's part to be said twice: half of it, where that leaves a picture. On a link
    /// that loses packets a picture has less use for it.
    fn spare(self) -> u32 {
        let half = self.video.map_or(0, |video| video / 2);
        if half < PICTURE_LEAST { 0 } else { half }
    }

    /// Of the picture's part what speech that is said twice leaves of it, kbit/s.
    pub(crate) fn beside(self, speech: Speech) -> Option<u32> {
        let all = speech.at_ip_level(self.v6).div_ceil(1_000);
        let beyond = all
            .saturating_sub(self.audio.unwrap_or(all))
            .min(self.spare());
        self.video.map(|video| video - beyond)
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

    /// Kbit/s of a picture with its repairs that our browser may send; `None`: as much as it likes.
    ///
    /// For `b=` of video, by which libwebrtc limits its estimate of the whole link, repairs and all, and not the picture
    /// alone. That is the senders' own affair (`setParameters`). With the picture's limit there Chromium's
    /// congestion window is so small that each packet of it waits a second to be sent, and its receiver delays the
    /// sound to match: at 64 kbit/s without any loss words were stretched until a tenth of them was lost.
    ///
    /// A little more than the picture is enough for that. Up to this limit a Chromium that loses packets fills the link with
    /// old ones to find out what it carries, and that is on top of speech, whose packets have no transport-wide numbers:
    /// the estimate knows nothing of it.
    pub(crate) fn ceiling(self) -> Option<u32> {
        let video = self.video?.max(PICTURE_LEAST);
        // page's numbers: nonsense must not overflow
        let all = video.saturating_add(self.audio.unwrap_or(FREE_SPEECH));
        Some(video.saturating_add((video / 16).max(4)).min(all))
    }

    /// Writes into the peer's description, as our browser gets it, what the browser may send.
    ///
    /// A Chromium begins its estimate of a slow link with what the link has; its own beginning would flood it. No
    /// minimum: the link may be worse than we know. No maximum but `b=`, which [`reframe`] raises when the page allows
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

#[cfg(test)]
mod tests;
