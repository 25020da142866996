//! What a member is sent: speech always, its picture while the link has room for it.
//!
//! Pure; looked at once a second with the rates of that time. A picture that has no layers cannot be
//! thinned without breaking it, so it is either sent or not; publishers are asked for less first
//! ([`super::budget`]), and this is what holds when they do not obey, or when nothing fits beside
//! speech.

use super::time::SECOND;

/// A picture of less than this is not worth sending, bit/s at IP level: encoders of browsers do not
/// go below 30 kbit/s, and packets want their headers.
const LEAST: u64 = 33_000;
/// Of every 256 packets: a receiver that loses so many of them is sent too much.
const CHOKED: u8 = 64;
/// Half of all packets: that is no bad second, that is a link that carries half.
const DROWNED: u8 = 128;
/// Looks in a row before the picture is taken away.
const OVER: u8 = 2;
/// Looks of fitting before it is given back, at first and at most; a picture that had to be taken
/// away soon after doubles it.
const FITS: u8 = 3;
const PATIENT: u8 = 24;
/// "Soon after".
const SOON: u64 = 10 * SECOND;

/// What a member can take, bit/s at IP level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    pub audio: Option<u64>,
    pub video: Option<u64>,
}

/// A second of a member's link, in bit/s at IP level.
#[derive(Clone, Copy, Debug, Default)]
pub struct Second {
    /// What it was sent of speech.
    pub audio: u64,
    /// What it was sent of a picture, or would be.
    pub video: u64,
    /// Lost on the way to it, of 256, as it reports.
    pub lost: u8,
    /// It has told nothing of what it was sent for a while: its reports do not get through.
    pub silent: bool,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Downlink {
    limits: Limits,
    paused: bool,
    over: u8,
    fits: u8,
    patience: u8,
    given_back: Option<u64>,
}

impl Downlink {
    /// The member says what it can take.
    pub fn limit(&mut self, limits: Limits) {
        if self.limits != limits {
            *self = Self {
                limits,
                paused: self.is_none(limits),
                ..Self::default()
            };
        }
    }

    #[must_use]
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Whether it gets a picture now.
    #[must_use]
    pub fn shows(&self) -> bool {
        !self.paused
    }

    /// What it can take of a picture; `None`: it says nothing, or wants none at all.
    #[must_use]
    pub fn appetite(&self) -> Option<u64> {
        self.limits.video.filter(|video| *video >= LEAST)
    }

    /// A second has passed; `true`: the picture is taken away or given back.
    pub fn look(&mut self, now: u64, second: Second) -> bool {
        if self.is_none(self.limits) {
            return false;
        }
        if self.paused {
            self.fits = if self.fits_beside_speech(second, 0) {
                self.fits + 1
            } else {
                0
            };
            if self.fits < self.patience.max(FITS) {
                return false;
            }
            *self = Self {
                paused: false,
                over: 0,
                fits: 0,
                given_back: Some(now),
                ..*self
            };
            return true;
        }
        // a tenth more is a keyframe or a retransmission, not a habit
        let fits = self.fits_beside_speech(second, second.video / 10);
        let choked = is_choked(second) && second.video > 0;
        self.over = if fits && !choked { 0 } else { self.over + 1 };
        let drowned = choked && second.lost >= DROWNED;
        if self.over < OVER && !drowned {
            return false;
        }
        if self.given_back.is_some_and(|then| now < then + SOON) {
            self.patience = (self.patience.max(FITS) * 2).min(PATIENT);
        }
        (self.paused, self.over, self.fits) = (true, 0, 0);
        true
    }

    /// What speech leaves of its own part is the picture's, and what it takes beyond is taken from it.
    fn fits_beside_speech(&self, second: Second, grace: u64) -> bool {
        let Some(video) = self.limits.video else {
            return !is_choked(second);
        };
        if self.paused && is_choked(second) {
            return false;
        }
        let room = match self.limits.audio {
            Some(audio) => (audio + video).saturating_sub(second.audio),
            None => video,
        };
        second.video.saturating_sub(grace) <= room
    }

    fn is_none(&self, limits: Limits) -> bool {
        limits.video.is_some_and(|video| video < LEAST)
    }
}

const fn is_choked(second: Second) -> bool {
    second.lost >= CHOKED || second.silent
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOW: Limits = Limits {
        audio: Some(17_000),
        video: Some(41_000),
    };

    fn second(audio: u64, video: u64) -> Second {
        Second {
            audio,
            video,
            ..Second::default()
        }
    }

    /// The seconds at which the picture was taken away (false) or given back (true).
    fn watch(downlink: &mut Downlink, seconds: impl Iterator<Item = Second>) -> Vec<(u64, bool)> {
        let mut turns = Vec::new();
        for (at, second) in seconds.enumerate() {
            if downlink.look(at as u64 * SECOND, second) {
                turns.push((at as u64, downlink.shows()));
            }
        }
        turns
    }

    #[test]
    fn a_picture_that_keeps_to_the_budget_is_left_alone() {
        let mut downlink = Downlink::default();
        downlink.limit(SLOW);
        let keyframes =
            (0..100).map(|at| second(16_000, if at % 10 == 0 { 90_000 } else { 40_000 }));
        assert_eq!(watch(&mut downlink, keyframes), []);
        // what speech does not need is the picture's
        let quiet = (0..9).map(|_| second(3_000, 54_000));
        assert_eq!(watch(&mut downlink, quiet), []);
    }

    #[test]
    fn a_publisher_that_does_not_listen_is_not_shown_until_it_does() {
        let mut downlink = Downlink::default();
        downlink.limit(SLOW);
        let seconds = (0..20).map(|at| second(16_000, if at < 10 { 300_000 } else { 40_000 }));
        assert_eq!(watch(&mut downlink, seconds), [(1, false), (12, true)]);
    }

    #[test]
    fn speech_that_takes_more_than_its_part_costs_the_picture() {
        let mut downlink = Downlink::default();
        downlink.limit(SLOW);
        assert_eq!(
            watch(&mut downlink, (0..5).map(|_| second(50_000, 40_000))),
            [(1, false)]
        );
    }

    #[test]
    fn who_wants_no_picture_gets_none_at_once() {
        let mut downlink = Downlink::default();
        let speech = Limits {
            audio: Some(15_000),
            video: Some(0),
        };
        downlink.limit(speech);
        assert!(!downlink.shows());
        assert_eq!(downlink.appetite(), None);
        assert_eq!(watch(&mut downlink, (0..99).map(|_| second(14_000, 0))), []);
        downlink.limit(SLOW);
        assert!(downlink.shows());
        assert_eq!(downlink.appetite(), Some(41_000));
    }

    #[test]
    fn a_choked_link_gets_speech_alone_and_the_picture_less_and_less_often() {
        let mut downlink = Downlink::default();
        let mut turns = Vec::new();
        for at in 0..200 {
            let lost = if downlink.shows() { 150 } else { 5 };
            let second = Second {
                audio: 16_000,
                video: 50_000,
                lost,
                silent: false,
            };
            if downlink.look(at * SECOND, second) && downlink.shows() {
                turns.push(at);
            }
        }
        let gaps: Vec<_> = turns.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps.is_sorted() && gaps.last() >= Some(&24), "{gaps:?}");
    }

    #[test]
    fn some_loss_is_life() {
        let mut downlink = Downlink::default();
        let lossy = (0..99).map(|_| Second {
            lost: 51,
            ..second(30_000, 900_000)
        });
        assert_eq!(watch(&mut downlink, lossy), []);
    }
}
