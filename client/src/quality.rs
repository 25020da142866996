//! What a call sends, so that speech gets through whatever the link does.
//!
//! Pure: limits of both sides and a [`Sample`] of the browser's statistics every second go in, a [`Plan`] for the
//! senders and now and then a [`Report`] for the page come out.
//!
//! Browsers adapt their video to the link, but to nothing below 30 kbit/s, and their speech not at all (libwebrtc takes
//! its least, its most and its target for one). So when the way out is strained we go down a ladder: half the picture, no picture,
//! less speech, still less; and up again one rung at a time when it has been easy for a while, the longer the
//! oftener going up has failed.

mod heard;
mod twice;

use crate::bandwidth::{AUDIO_LEAST, Bandwidth, Mode, PICTURE_LEAST, ROOMY, Speech};
use heard::{Heard, is_news};
use twice::Twice;

/// A rung of the ladder: 0 is what the limits allow.
const HALF_PICTURE: u8 = 1;
const NO_PICTURE: u8 = 2;
const LESS_SPEECH: u8 = 3;
const LEAST_SPEECH: u8 = 4;

/// Kbit/s of speech on the last rungs, headers and all.
const LESS: u32 = 24;

/// A queue this much longer than the shortest round trip is congestion, in ms. Loss alone is not: on a radio link
/// it is there at any rate, and sending less does not cure it.
const QUEUE: u32 = 350;
/// Unless it is this much, in per cent.
const FLOODED: u8 = 35;
/// Tenths of a picture's budget that are left to repairs at most.
const MOST_REPAIRS: u32 = 3;
/// And of those what the profile of 64 kbit/s has room for besides.
const BESIDE: u32 = 2;
/// Kbit/s the browser finds for a picture that are a link in trouble. Chromium goes down to 30 for some per cent of
/// loss alone, and sends a small picture all the same.
const NARROW: u32 = 25;
/// Milliseconds of speech in packets of which one that comes late is a syllable.
const LONG_PACKETS: u32 = 120;
/// Loss that a page is told of.
const LOSSY: u8 = 8;
/// Three of twenty packets of speech: no sign that there is room for more.
const UNEASY: u8 = 15;

/// Loss at which the picture goes at once: of the fifteen packets that a report on a small picture is of, a third is lost
/// now and then on a link that loses a twentieth.
const DROWNED: u8 = 50;

/// Samples that agree before we go down; one more keeps a burst from deciding.
const STRAINED: u8 = 2;
/// Samples of less loss before less is left to repairs.
const LASTING: u8 = 12;
/// Samples of ease before we go up, at first and at most.
const EASY: u8 = 4;
const PATIENT: u8 = 48;
/// Going down this soon after going up doubles the wait for the next time.
const MISTAKE: u8 = 12;
/// Samples that still tell of the link before, after a change to another.
const SETTLING: u8 = 3;
/// Longer than any link's own delay changes: speech is in danger, and the picture goes at once.
const DROWNING: u32 = 1_000;

/// A second of a call, as `getStats` tells them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// What the browser thinks it can send, kbit/s; Firefox does not tell.
    pub room: Option<u32>,
    /// Of what we sent, as the receiver reports, in per cent.
    pub lost: u8,
    /// Of what was sent to us, in per cent.
    pub missed: u8,
    /// Bytes of media that came.
    pub came: u32,
    /// Milliseconds; 0: not measured yet.
    pub rtt: u32,
    /// Milliseconds since the receiver last reported; 0 as long as it never did.
    pub untold: u32,
    /// Lines of the camera's picture.
    pub lines: u32,
}

/// What the senders do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// `None`: as the browser likes.
    pub speech: Option<Speech>,
    pub picture: Picture,
    pub mode: Mode,
    /// Milliseconds by which what is heard is held back; 0: as the browser likes.
    pub hold: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Picture {
    Paused,
    /// 0 each: no limit.
    Shown {
        /// Bit/s of the codec.
        bitrate: u32,
        lines: u32,
        fps: u32,
        /// No frame is made from every other one: the relay may leave those out.
        layered: bool,
    },
}

impl Picture {
    /// For a browser that makes no layers.
    #[must_use]
    pub fn flat(mut self) -> Self {
        if let Self::Shown { layered, .. } = &mut self {
            *layered = false;
        }
        self
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    #[default]
    Good,
    /// Less is sent than could be, or packets are lost.
    Fair,
    /// Pictures are paused because of the link.
    Poor,
}

/// What a page is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub level: Level,
    /// The link is that of the other side.
    pub theirs: bool,
    /// It is about what comes to this side.
    pub down: bool,
    /// One sentence.
    pub text: String,
    /// Kbit/s at IP level we send at most, `None`: no limit. 0 for video: paused.
    pub audio: Option<u32>,
    pub video: Option<u32>,
    pub sample: Sample,
}

#[derive(Debug, Default)]
pub struct Quality {
    ours: Bandwidth,
    theirs: Bandwidth,
    rung: u8,
    strained: u8,
    easy: u8,
    /// Samples of ease the next step up takes; 0: [`EASY`].
    patience: u8,
    /// Samples since we last went up.
    since_up: u8,
    /// The rung on which the path was lost.
    rung_before: Option<u8>,
    /// Samples that tell nothing yet.
    settling: u8,
    shortest: u32,
    heard: Heard,
    lossy: [u8; 2],
    twice: Twice,
    /// Tenths of the picture's budget that repairs take.
    repairs: u32,
    /// Samples with less loss than that, up to [`LASTING`].
    cleaner: u8,
    /// The relay sends us no picture, because our link has no room for one.
    cut_off: bool,
    /// The last sample in which the way out was used.
    sample: Sample,
    said: Level,
}

impl Quality {
    #[must_use]
    pub fn new(ours: Bandwidth) -> Self {
        Self {
            ours,
            since_up: u8::MAX,
            ..Self::default()
        }
    }

    #[must_use]
    pub fn ours(&self) -> Bandwidth {
        self.ours
    }

    /// Whether both sides understand redundant speech.
    pub fn set_red(&mut self, agreed: bool) {
        self.twice.agreed = agreed;
    }

    /// Packets have the longer headers of IPv6.
    pub fn set_v6(&mut self, v6: bool) {
        self.ours.v6 = v6;
    }

    /// The limits of both sides together: what we may send.
    #[must_use]
    pub fn limits(&self) -> Bandwidth {
        self.ours.and(self.theirs)
    }

    /// Kbit/s of a picture with its repairs that our browser may send; `None`: as much as it likes.
    #[must_use]
    pub(crate) fn ceiling(&self) -> Option<u32> {
        self.shared(self.limits()).0.ceiling()
    }

    /// What speech takes of these limits, and what it leaves.
    fn shared(&self, mut limits: Bandwidth) -> (Bandwidth, Option<Speech>) {
        limits.lossy = self.twice.lossy();
        let speech = limits.speech();
        if let Some(speech) = speech {
            limits.video = limits.beside(speech);
        }
        (limits, speech)
    }

    #[must_use]
    pub fn plan(&self) -> Plan {
        let (mut limits, speech) = self.shared(self.now());
        if let Some(video) = &mut limits.video
            && *video >= PICTURE_LEAST
        {
            // what is lost is sent again, on top of what the encoder makes
            // page's numbers: nonsense must not overflow
            *video = (video.saturating_mul(10 - self.repairs()) / 10).max(PICTURE_LEAST);
        }
        Plan {
            speech,
            picture: picture(&limits),
            mode: limits.mode,
            hold: self.hold(),
        }
    }

    /// Tenths of the picture's budget that are left to repairs. The profile of a narrow link has the room for what a tenth
    /// of loss takes: a picture so small loses frames at once where it gets less.
    fn repairs(&self) -> u32 {
        if self.has_room_for_repairs() {
            self.repairs.saturating_sub(BESIDE)
        } else {
            self.repairs
        }
    }

    fn has_room_for_repairs(&self) -> bool {
        self.limits().total().is_some_and(|total| total <= ROOMY)
    }

    /// A packet of the picture takes as long as one of speech.
    fn is_narrow(&self) -> bool {
        self.limits().is_narrow()
    }

    /// Beside a picture on a narrow link speech comes in fits and starts, and each lost packet of the picture holds that
    /// back; a browser that follows both stretches words until they are not understood. Held back by four packets it
    /// speaks evenly. Where packets are lost, what was in them comes along with the next; and of packets of a tenth of a
    /// second each that comes late makes it stretch or skip a syllable.
    fn hold(&self) -> u32 {
        let limits = self.limits();
        let Some(speech) = limits.speech() else {
            return 0;
        };
        let shows = limits.video.is_some_and(|video| video >= PICTURE_LEAST);
        let lossy = self.lossy[1] >= 2;
        if shows && (lossy || self.is_narrow()) {
            4 * speech.ptime.max(60)
        } else if lossy && speech.ptime >= 40 || speech.ptime >= LONG_PACKETS {
            2 * speech.ptime + 60
        } else {
            0
        }
    }

    /// The page wants other limits: both ways from now on.
    pub fn set_ours(&mut self, ours: Bandwidth) -> Report {
        self.ours = Bandwidth {
            v6: self.ours.v6,
            ..ours
        };
        (self.rung, self.strained, self.easy, self.patience) = (0, 0, 0, 0);
        self.report(false, false, vec!["the page has set the bandwidth".into()])
    }

    /// Sound and picture do not get through any more.
    pub fn path_lost(&mut self) {
        self.rung_before.get_or_insert(self.rung);
    }

    /// They do again, by the same way.
    pub fn path_found(&mut self) {
        self.rung_before = None;
    }

    /// Sound and picture go another way: what was learned since they were lost says nothing of this one, and where it is
    /// `another` network for sure, neither does what was known before. A link that is so bad that its path seemed lost
    /// is not tried anew with all there is.
    pub fn moved(&mut self, another: bool) -> Option<Report> {
        let (agreed, from) = (self.twice.agreed, self.rung);
        let rung = match self.rung_before {
            _ if another => 0,
            known => known.unwrap_or(from).min(from),
        };
        *self = Self {
            theirs: self.theirs,
            cut_off: self.cut_off,
            said: self.said,
            settling: SETTLING,
            rung,
            ..Self::new(self.ours)
        };
        self.set_red(agreed);
        let words = "this side is in another network: what that carries is found out anew";
        (rung < from || self.said != Level::Good)
            .then(|| self.report(false, false, vec![words.into()]))
    }

    /// The other side can take so much.
    pub fn set_theirs(&mut self, theirs: Bandwidth) -> Option<Report> {
        if self.theirs == theirs {
            return None;
        }
        let before = self.limits();
        // our own link is what it was: the rung stays
        self.theirs = theirs;
        let after = self.limits();
        (before != after).then(|| {
            let mut words = vec!["the other side's link takes no more".into()];
            if let Some(audio) = theirs.audio {
                words = vec!["the other side's link takes ".into(), number(audio)];
                words.push(" kbit/s of speech".into());
                match theirs.video {
                    Some(0) => words.push(" and no picture".into()),
                    Some(video) => {
                        words.extend([" and ".into(), number(video), " of picture".into()])
                    }
                    None => {}
                }
            }
            self.report(true, false, words)
        })
    }

    /// The relay tells how much of a picture our link carries; 0: none is sent.
    pub fn link_carries(&mut self, video: Option<u32>) -> Option<Report> {
        let cut_off = video == Some(0);
        if cut_off == std::mem::replace(&mut self.cut_off, cut_off) {
            return None;
        }
        let text = if cut_off {
            "no picture is sent here: this side's link has room for speech only"
        } else {
            "the picture is sent here again: this side's link has room for it"
        };
        Some(self.report(false, true, vec![text.into()]))
    }

    /// A second has passed. A report when the plan changes or the link gets better or worse.
    pub fn measured(&mut self, sample: Sample) -> Option<Report> {
        if self.settling > 0 {
            self.settling -= 1;
            self.sample = sample;
            return None;
        }
        self.since_up = self.since_up.saturating_add(1);
        self.heard.measured(&self.sample, &sample);
        self.sample = sample;
        self.twice.measured(sample.lost);
        // 5 % loss costs a tenth: repairs are lost too, and their requests want room as well
        let wanted = u32::from(self.twice.lost()).div_ceil(5).min(MOST_REPAIRS);
        // Firefox, which tells of no room, begins what it receives of pictures anew, with a keyframe, whenever its sender is
        // told another thing (ESR 140): as seldom as can be. Its encoder goes no lower than a narrow link's picture anyway
        let wanted = match sample.room {
            Some(_) => wanted,
            None if self.has_room_for_repairs() => self.repairs,
            None => wanted.max(self.repairs),
        };
        // down by one and slowly: loss comes in waves, and a Chromium that may send more asks the link for it
        // with half a dozen old packets
        self.cleaner = if wanted < self.repairs {
            self.cleaner + 1
        } else {
            0
        };
        if wanted > self.repairs {
            self.repairs = wanted;
        } else if self.cleaner == LASTING {
            (self.repairs, self.cleaner) = (self.repairs - 1, 0);
        }
        if sample.rtt > 0 && (self.shortest == 0 || sample.rtt < self.shortest) {
            self.shortest = sample.rtt;
        }
        if self.is_strained(sample) {
            self.easy = 0;
            self.strained += 1;
            let drowning = sample.rtt.saturating_sub(self.shortest) > DROWNING
                || self.is_flooded() && sample.lost >= DROWNED
                || self.is_unheard();
            if drowning && self.rung < HALF_PICTURE {
                // half of it would not help any more
                self.rung = HALF_PICTURE;
            }
            if self.strained >= STRAINED || drowning && self.rung < NO_PICTURE {
                self.strained = 0;
                if let Some(report) = self.down() {
                    return Some(report);
                }
            }
        } else {
            self.strained = 0;
            // what was told before a link filled up says nothing about it now
            if sample.lost < UNEASY && is_news(&sample) {
                self.easy = self.easy.saturating_add(1);
            }
            // speech is back sooner than the picture: it costs little
            let wait = match self.rung {
                LESS_SPEECH.. => EASY / 2,
                _ => self.patience.max(EASY),
            };
            if self.rung > 0 && self.easy >= wait {
                return Some(self.up());
            }
        }
        self.losses(sample)
    }

    fn is_strained(&self, sample: Sample) -> bool {
        let queue = sample.rtt.saturating_sub(self.shortest) > QUEUE;
        // the estimate is of the picture's packets alone, and stale without them
        let narrow = self.shows() && sample.room.is_some_and(|room| room < NARROW);
        queue || narrow || self.is_flooded() || self.is_unheard()
    }

    fn shows(&self) -> bool {
        matches!(self.plan().picture, Picture::Shown { .. }) && self.sample.lines > 0
    }

    /// What is sent of a picture is not reported about any more.
    fn is_unheard(&self) -> bool {
        self.heard.is_silent(&self.sample) && self.shows()
    }

    /// So much is lost that less has to be sent. A report about speech alone is of twenty packets, and stands for
    /// several samples: one such tells nothing.
    fn is_flooded(&self) -> bool {
        let lost = if self.shows() {
            self.sample.lost
        } else {
            self.twice.lost()
        };
        lost >= FLOODED
    }

    /// One rung down, past those that change nothing; `None`: there is none left.
    fn down(&mut self) -> Option<Report> {
        let before = self.now();
        let from = self.rung;
        while self.rung < LEAST_SPEECH {
            self.rung += 1;
            if self.now() != before {
                break;
            }
        }
        if self.now() == before {
            self.rung = from;
            return None;
        }
        // going up was a mistake: next time later
        if self.since_up < MISTAKE {
            self.patience = (self.patience.max(EASY) * 2).min(PATIENT);
        }
        let now = self.now();
        let mut why = Vec::new();
        match now.video {
            Some(0) if before.video != Some(0) => why.push("video paused: ".into()),
            _ if now.audio != before.audio => why.push("less speech data: ".into()),
            _ => why.push("smaller picture: ".into()),
        }
        match self.sample.room {
            _ if self.heard.is_silent(&self.sample) => {
                why.push("nobody tells what comes of what is sent".into());
            }
            Some(room) if room < 10 * PICTURE_LEAST && self.sample.lost < FLOODED => {
                why.extend([
                    "the link carries ".into(),
                    number(room),
                    " kbit/s of video".into(),
                ]);
            }
            _ if self.sample.lost >= FLOODED => {
                why.extend([
                    "the link loses ".into(),
                    number(u32::from(self.sample.lost)),
                    " % of what is sent".into(),
                ]);
            }
            _ => why.extend([
                "packets wait ".into(),
                number(self.sample.rtt.saturating_sub(self.shortest)),
                " ms for the link".into(),
            ]),
        }
        let speech = now.audio.unwrap_or(0);
        if speech > 0 {
            why.extend([", speech gets ".into(), number(speech)]);
        }
        Some(self.report(false, false, why))
    }

    fn up(&mut self) -> Report {
        let before = self.now();
        // speech comes back whole
        self.rung = self.rung.min(LESS_SPEECH);
        while self.rung > 0 {
            self.rung -= 1;
            if self.now() != before {
                break;
            }
        }
        (self.easy, self.since_up) = (0, 0);
        let now = self.now();
        let what = match (before.video, now.video) {
            (Some(0), after) if after != Some(0) => {
                "video is back: the link has been good for a while"
            }
            (before, after) if before != after => "larger picture: the link has room again",
            _ => "more speech data: the link has room again",
        };
        self.report(false, false, vec![what.into()])
    }

    /// Tells of loss that comes and goes, each way, once it has been there for two samples.
    fn losses(&mut self, sample: Sample) -> Option<Report> {
        let mut told = None;
        for (at, lost) in [sample.lost, sample.missed].into_iter().enumerate() {
            // counts up to 2 while lossy, down from 2 while clean
            let was = self.lossy[at];
            let lossy = lost >= LOSSY;
            let count = &mut self.lossy[at];
            *count = match (lossy, was) {
                (true, ..2) => was + 1,
                (true, _) => 3,
                (false, 3) => 2,
                (false, _) => was.saturating_sub(1),
            };
            let (began, ended) = (
                was == 2 && lossy,
                was == 1 && !lossy && self.said != Level::Good,
            );
            if began || ended {
                told = Some((at == 1, lost, began));
            }
        }
        let (down, lost, began) = told?;
        let words = if began {
            let way = if down {
                "coming here"
            } else {
                "sent from here"
            };
            vec![
                number(u32::from(lost)),
                " % of what is ".into(),
                way.into(),
                " is lost".into(),
            ]
        } else {
            vec!["the link is good again".into()]
        };
        Some(self.report(false, down, words))
    }

    /// The limits on this rung.
    fn now(&self) -> Bandwidth {
        let mut now = self.limits();
        // somebody without a camera has no picture to give up
        if self.rung >= HALF_PICTURE && self.rung < NO_PICTURE {
            let whole = now
                .video
                .unwrap_or(self.sample.room.unwrap_or(600).max(2 * PICTURE_LEAST));
            if whole > 0 {
                now.video = Some((whole / 2).max(PICTURE_LEAST));
            }
        }
        if self.rung >= NO_PICTURE {
            now.video = Some(0);
        }
        let most = match self.rung {
            // a link without room for a picture has none for speech that was said at its ease beside one
            NO_PICTURE | LESS_SPEECH => LESS,
            LEAST_SPEECH.. => AUDIO_LEAST,
            _ => return now,
        };
        now.audio = Some(now.audio.unwrap_or(most).min(most));
        now
    }

    fn report(
        &mut self,
        theirs: bool,
        down: bool,
        words: Vec<std::borrow::Cow<'static, str>>,
    ) -> Report {
        let now = self.now();
        let level = match self.rung {
            _ if self.cut_off => Level::Poor,
            NO_PICTURE.. => Level::Poor,
            HALF_PICTURE => Level::Fair,
            _ if self.lossy.iter().any(|count| *count >= 2) => Level::Fair,
            _ => Level::Good,
        };
        self.said = level;
        Report {
            level,
            theirs,
            down,
            text: words.concat(),
            audio: now.audio,
            video: if matches!(picture(&now), Picture::Paused) {
                Some(0)
            } else {
                now.video
            },
            sample: self.sample,
        }
    }
}

fn number(number: u32) -> std::borrow::Cow<'static, str> {
    number.to_string().into()
}

/// How a picture fits into its budget. EN 301 549 section 6.5: lips are readable at 176x144 and 12 frames a second,
/// well at 352x288 and 20; a face rather loses pixels, a wound or a document rather frames.
///
/// Faces are in two temporal layers whatever the limits are: on a tight link a lost frame of the upper one freezes
/// nothing, and of a wide one's picture half the frames fit through somebody else's link. Of a wound's 2 to 10 frames
/// none is to spare.
fn picture(limits: &Bandwidth) -> Picture {
    let layered = limits.mode == Mode::Talk;
    let (Some(kbps), Some(bitrate)) = (limits.video, limits.picture()) else {
        return Picture::Shown {
            bitrate: 0,
            lines: 0,
            fps: 0,
            layered,
        };
    };
    if kbps < PICTURE_LEAST {
        return Picture::Paused;
    }
    let (lines, fps) = match (limits.mode, kbps) {
        // what repairs leave of 106 is still a picture of 240
        (Mode::Talk, ..60) => (144, 15),
        (Mode::Talk, ..200) => (240, 22),
        (Mode::Talk, ..450) => (360, 25),
        (Mode::Show, ..60) => (0, 2),
        (Mode::Show, ..140) => (0, 5),
        (Mode::Show, ..450) => (0, 10),
        _ => (0, 0),
    };
    Picture::Shown {
        bitrate,
        lines,
        fps,
        layered,
    }
}

#[cfg(test)]
mod tests;
