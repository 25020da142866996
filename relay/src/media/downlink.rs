//! What a member is sent: speech always, its picture while the link has room for it.
//!
//! Pure; looked at once a second with the rates of that time, and at once when the link is found to
//! carry too little ([`super::estimate`]). A picture that has no layers cannot be
//! thinned without breaking it, so it is either sent or not; publishers are asked for less first
//! ([`super::budget`]), and this is what holds when they do not obey, or when nothing fits beside
//! speech.

use super::time::SECOND;

/// A picture of less than this is not worth sending, bit/s at IP level: encoders of browsers do not
/// go below 30 kbit/s, and packets want their headers.
const LEAST: u64 = 33_000;
/// With less room than this it is taken away at once; between the two it may be that the estimate has
/// only just been cut.
const HOPELESS: u64 = 20_000;
/// Of every 256 packets: a receiver that loses so many of them is sent too much.
const CHOKED: u8 = 64;
/// Half of all packets: that is no bad second, that is a link that carries half.
const DROWNED: u8 = 128;
/// Looks in a row before the picture is taken away; one at which it is half as large again as it may
/// be counts twice.
const OVER: u8 = 4;
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
    /// What its link carries of a picture, where that is known.
    pub room: Option<u64>,
}

/// Why a picture is not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Paused {
    /// The member wants none.
    Unwanted,
    /// It is larger than what there is room for.
    Large,
    /// The link has no room for any.
    Narrow,
    /// Nothing gets through.
    Dead,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Downlink {
    limits: Limits,
    paused: Option<Paused>,
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
                paused: self.is_none(limits).then_some(Paused::Unwanted),
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
        self.paused.is_none()
    }

    /// The link is why it gets none, and whether that is dead; then padding finds out when it may
    /// get one again.
    #[must_use]
    pub fn is_cut_off(&self) -> Option<bool> {
        match self.paused? {
            Paused::Narrow => Some(false),
            Paused::Dead => Some(true),
            Paused::Unwanted | Paused::Large => None,
        }
    }

    /// The link carries so much of a picture; `true`: that is none, and it is taken away.
    pub fn narrowed(&mut self, now: u64, room: u64) -> bool {
        let none = self.shows() && room < HOPELESS;
        if none {
            self.pause(now, Paused::Narrow);
        }
        none
    }

    /// Nothing gets through any more; `true`: the picture is taken away.
    pub fn died(&mut self, now: u64) -> bool {
        let shown = self.shows();
        if shown {
            self.pause(now, Paused::Dead);
        } else if self.paused == Some(Paused::Narrow) {
            self.paused = Some(Paused::Dead);
        }
        shown
    }

    /// The link carries so much of a picture again; `true`: it is given back.
    pub fn widened(&mut self, now: u64, room: u64) -> bool {
        let back = self.is_cut_off().is_some() && room >= LEAST;
        if back {
            self.give_back(now);
        } else if self.paused == Some(Paused::Dead) {
            self.paused = Some(Paused::Narrow);
        }
        back
    }

    /// Whether it wants any picture.
    #[must_use]
    pub fn wants(&self) -> bool {
        !self.is_none(self.limits)
    }

    /// There is no way to find out what the link carries while no picture is sent: the picture is
    /// given back when it is small enough, and a while has passed.
    pub fn cannot_ask(&mut self) {
        if self.is_cut_off().is_some() {
            self.paused = Some(Paused::Large);
        }
    }

    /// How long not to try again: a picture was taken away soon after it was given back.
    #[must_use]
    pub fn patience(&self) -> u64 {
        u64::from(self.patience) * SECOND
    }

    fn pause(&mut self, now: u64, why: Paused) {
        if self.given_back.is_some_and(|then| now < then + SOON) {
            self.patience = (self.patience.max(FITS) * 2).min(PATIENT);
        } else if why != Paused::Large {
            self.patience = 0;
        }
        (self.paused, self.over, self.fits) = (Some(why), 0, 0);
    }

    fn give_back(&mut self, now: u64) {
        (self.paused, self.over, self.fits) = (None, 0, 0);
        self.given_back = Some(now);
    }

    /// What it can take of a picture; `None`: it says nothing, or wants none at all.
    #[must_use]
    pub fn appetite(&self) -> Option<u64> {
        self.limits.video.filter(|video| *video >= LEAST)
    }

    /// A second has passed; `true`: the picture is taken away or given back.
    pub fn look(&mut self, now: u64, second: Second) -> bool {
        if self.is_none(self.limits) || self.is_cut_off().is_some() {
            return false;
        }
        if self.paused.is_some() {
            self.fits = if self.fits_beside_speech(second, 0) {
                self.fits + 1
            } else {
                0
            };
            if self.fits < self.patience.max(FITS) {
                return false;
            }
            self.give_back(now);
            return true;
        }
        // a tenth more is a keyframe or a retransmission, not a habit
        let fits = self.fits_beside_speech(second, second.video / 10);
        let choked = is_choked(second) && second.video > 0;
        let far_from_it = !self.fits_beside_speech(second, second.video / 3);
        self.over = match (fits && !choked, far_from_it || choked) {
            (true, _) => 0,
            (false, false) => self.over + 1,
            (false, true) => self.over + 2,
        };
        let drowned = choked && second.lost >= DROWNED;
        if self.over < OVER && !drowned {
            return false;
        }
        // what no picture fits into is not waited for, it is asked
        let narrow = second.room.is_some_and(|room| room < LEAST + LEAST / 8);
        self.pause(
            now,
            if narrow {
                Paused::Narrow
            } else {
                Paused::Large
            },
        );
        true
    }

    /// What speech leaves of its own part is the picture's, and what it takes beyond is taken from it.
    fn fits_beside_speech(&self, second: Second, grace: u64) -> bool {
        if (self.paused.is_some() || self.limits.video.is_none()) && is_choked(second) {
            return false;
        }
        let promised = self.limits.video.map(|video| match self.limits.audio {
            Some(audio) => (audio + video).saturating_sub(second.audio),
            None => video,
        });
        let room = promised.into_iter().chain(second.room).min();
        room.is_none_or(|room| second.video.saturating_sub(grace) <= room)
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
                ..Second::default()
            };
            if downlink.look(at * SECOND, second) && downlink.shows() {
                turns.push(at);
            }
        }
        let gaps: Vec<_> = turns.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps.is_sorted() && gaps.last() >= Some(&24), "{gaps:?}");
    }

    #[test]
    fn a_link_that_collapses_takes_the_picture_away_at_once_and_keeps_it_from_flapping() {
        let mut downlink = Downlink::default();
        assert!(!downlink.narrowed(0, HOPELESS));
        assert!(downlink.narrowed(0, HOPELESS - 1) && !downlink.shows());
        assert_eq!(downlink.is_cut_off(), Some(false));
        assert!(!downlink.widened(SECOND, 20_000));
        assert_eq!(watch(&mut downlink, (0..99).map(|_| second(9_000, 1))), []);
        assert!(downlink.widened(2 * SECOND, 40_000) && downlink.shows());
        assert_eq!(downlink.patience(), 0);
        assert!(downlink.died(5 * SECOND));
        assert_eq!(downlink.is_cut_off(), Some(true));
        assert_eq!(downlink.patience(), 6 * SECOND);
        assert!(downlink.widened(11 * SECOND, 50_000));
        assert!(downlink.narrowed(60 * SECOND, 0));
        assert_eq!(downlink.patience(), 0, "that was long ago");
    }

    #[test]
    fn a_link_that_stays_too_narrow_for_any_picture_is_asked_until_it_is_not() {
        let mut downlink = Downlink::default();
        let narrow = Second {
            room: Some(25_000),
            ..second(16_000, 40_000)
        };
        assert_eq!(watch(&mut downlink, (0..9).map(|_| narrow)), [(1, false)]);
        assert_eq!(downlink.is_cut_off(), Some(false));
    }

    #[test]
    fn who_wants_no_picture_is_not_asked_whether_the_link_has_room_for_one() {
        let mut downlink = Downlink::default();
        downlink.limit(Limits {
            audio: None,
            video: Some(0),
        });
        assert!(!downlink.died(0) && !downlink.narrowed(0, 0));
        assert_eq!(downlink.is_cut_off(), None);
        assert!(!downlink.widened(0, 100_000) && !downlink.shows());
    }

    #[test]
    fn a_picture_larger_than_the_link_is_not_shown_until_it_is_smaller() {
        let mut downlink = Downlink::default();
        let seconds = (0..20).map(|at| Second {
            room: Some(80_000),
            ..second(16_000, if at < 10 { 300_000 } else { 75_000 })
        });
        assert_eq!(watch(&mut downlink, seconds), [(1, false), (12, true)]);
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
