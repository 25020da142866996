//! What a member is sent: speech always, its picture while the link has room for it.
//!
//! Pure; looked at once a second with the rates of that time, and at once when the link is found to
//! carry too little ([`super::estimate`]). Publishers are asked for less first ([`super::budget`]);
//! this is what holds when they do not obey, when others are to have more, or when nothing fits
//! beside speech. A picture in temporal layers is thinned before it is taken away: the base layer is
//! half the frames and some 60 % of the bytes. One that has no layers cannot be thinned without
//! breaking it, so it is either sent or not.

use super::{red, time::SECOND};

/// A picture of less than this is not worth sending, bit/s at IP level: encoders of browsers do not
/// go below 30 kbit/s, and packets want their headers.
const LEAST: u64 = 33_000;
/// So many more than itself a packet of speech carries along at most.
const MOST: u64 = red::MOST as u64;
/// With less room than this it is taken away at once; between the two it may be that the estimate has
/// only just been cut.
const HOPELESS: u64 = 20_000;
/// Of every 256 packets: a receiver that loses so many of them for sure is sent too much.
const CHOKED: u64 = 64;
/// Half of all packets for sure: that is no bad second, that is a link that carries half.
const DROWNED: u64 = 128;
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
    /// What it was sent of a picture, or would be if it were sent all of it,
    pub video: u64,
    /// and of its base layer alone, where it has one.
    pub base: Option<u64>,
    /// Lost on the way to it for sure, of 256, as it reports.
    pub lost: u64,
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
    /// Where there is a picture it is the base layer alone.
    thinned: bool,
    over: u8,
    fits: u8,
    patience: u8,
    given_back: Option<u64>,
}

impl Downlink {
    /// The member says what it can take.
    pub fn limit(&mut self, limits: Limits) {
        if self.limits != limits {
            self.limits = limits;
            self.begin();
        }
    }

    /// Nothing is known of the link.
    pub fn begin(&mut self) {
        let limits = self.limits;
        *self = Self {
            limits,
            paused: self.is_none(limits).then_some(Paused::Unwanted),
            ..Self::default()
        };
    }

    #[must_use]
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// What speech may take of the member's limits, bit/s, together with what it carries along: its own, and half of what is
    /// the picture's where that leaves one. On a link that loses packets a picture has less use for it.
    #[must_use]
    pub fn for_speech(&self) -> Option<u64> {
        let own = self.limits.audio?;
        // who says nothing of a picture may have a link for speech alone
        let half = self.limits.video.map_or(0, |video| video / 2);
        Some(if half < LEAST {
            own
        } else {
            own + half.min(own * MOST)
        })
    }

    /// Whether it gets a picture now.
    #[must_use]
    pub fn shows(&self) -> bool {
        self.paused.is_none()
    }

    /// Whether it gets the base layer alone of a picture that has one.
    #[must_use]
    pub fn thins(&self) -> bool {
        self.thinned
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
        if !self.was_soon(now) && why != Paused::Large {
            self.patience = 0;
        }
        (self.paused, self.over, self.fits) = (Some(why), 0, 0);
    }

    fn give_back(&mut self, now: u64) {
        (self.paused, self.over, self.fits) = (None, 0, 0);
        self.given_back = Some(now);
    }

    /// What was given back has to be taken away; soon after that takes more patience next time.
    fn was_soon(&mut self, now: u64) -> bool {
        let soon = self.given_back.is_some_and(|then| now < then + SOON);
        if soon {
            self.patience = (self.patience.max(FITS) * 2).min(PATIENT);
        }
        soon
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
        // a tenth more is a keyframe or a retransmission, not a habit
        let fits = |video: u64, grace| self.fits_beside_speech(second, video, video / grace);
        let base_fits = |grace| second.base.is_some_and(|base| fits(base, grace));
        if self.paused.is_some() {
            let whole = fits(second.video, u64::MAX);
            let any = whole || base_fits(u64::MAX);
            if self.has_fitted(any) {
                self.thinned = !whole;
                self.give_back(now);
                return true;
            }
            return false;
        }
        let choked = is_choked(second) && second.video > 0;
        let whole = fits(second.video, 10) && !choked;
        let sent = second.base.filter(|_| self.thinned).unwrap_or(second.video);
        let far_from_it = !fits(sent, 3);
        let (sent_fits, thinner) = (fits(sent, 10), !self.thinned && !choked && base_fits(10));
        self.over = match (sent_fits && !choked, far_from_it || choked) {
            (true, _) => 0,
            (false, false) => self.over + 1,
            (false, true) => self.over + 2,
        };
        if self.thinned && self.has_fitted(whole) {
            self.thinned = false;
            self.give_back(now);
        }
        let drowned = choked && second.lost >= DROWNED;
        if self.over < OVER && !drowned {
            return false;
        }
        if thinner {
            self.was_soon(now);
            (self.thinned, self.over, self.fits) = (true, 0, 0);
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

    /// Whether more has fitted for so long that it is given back.
    fn has_fitted(&mut self, fits: bool) -> bool {
        self.fits = if fits { self.fits + 1 } else { 0 };
        self.fits >= self.patience.max(FITS)
    }

    /// What speech leaves of its own part is the picture's, and what it takes beyond is taken from it.
    fn fits_beside_speech(&self, second: Second, video: u64, grace: u64) -> bool {
        if (self.paused.is_some() || self.limits.video.is_none()) && is_choked(second) {
            return false;
        }
        let promised = self.limits.video.map(|video| match self.limits.audio {
            Some(audio) => (audio + video).saturating_sub(second.audio),
            None => video,
        });
        let room = promised.into_iter().chain(second.room).min();
        room.is_none_or(|room| video.saturating_sub(grace) <= room)
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

    #[test]
    fn what_speech_carries_along_is_taken_from_a_wide_picture_alone() {
        let for_speech = |audio: u64, video: Option<u64>| {
            let mut downlink = Downlink::default();
            downlink.limit(Limits {
                audio: Some(audio),
                video,
            });
            downlink.for_speech()
        };
        assert_eq!(for_speech(24_000, Some(106_000)), Some(72_000));
        assert_eq!(for_speech(64_000, Some(196_000)), Some(162_000));
        for narrow in [Some(36_000), Some(0), None] {
            assert_eq!(for_speech(17_000, narrow), Some(17_000), "{narrow:?}");
        }
        assert_eq!(Downlink::default().for_speech(), None);
    }

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

    /// A picture of so much, in layers: six tenths are the base.
    fn layered(video: u64) -> Second {
        Second {
            base: Some(video * 6 / 10),
            ..second(16_000, video)
        }
    }

    /// The seconds at which it was sent another thing than before.
    fn thinned(
        downlink: &mut Downlink,
        seconds: impl Iterator<Item = Second>,
    ) -> Vec<(u64, &'static str)> {
        let mut turns = vec![(0, "all")];
        for (at, second) in seconds.enumerate() {
            downlink.look(at as u64 * SECOND, second);
            let gets = match (downlink.shows(), downlink.thins()) {
                (false, _) => "none",
                (true, true) => "half",
                (true, false) => "all",
            };
            if turns.last().is_none_or(|(_, before)| *before != gets) {
                turns.push((at as u64, gets));
            }
        }
        turns.split_off(1)
    }

    #[test]
    fn a_picture_in_layers_is_thinned_before_it_is_taken_away() {
        let mut downlink = Downlink::default();
        downlink.limit(SLOW);
        let sizes = [(10, 65_000), (10, 300_000), (10, 65_000), (10, 40_000)];
        let seconds = sizes
            .into_iter()
            .flat_map(|(seconds, size)| (0..seconds).map(move |_| layered(size)));
        assert_eq!(
            thinned(&mut downlink, seconds),
            [(1, "half"), (11, "none"), (22, "half"), (32, "all")]
        );
    }

    #[test]
    fn a_link_with_room_for_the_base_alone_has_that() {
        let mut downlink = Downlink::default();
        let seconds = (0..30).map(|at| Second {
            room: Some(if at < 10 { 50_000 } else { 75_000 }),
            ..layered(80_000)
        });
        assert_eq!(thinned(&mut downlink, seconds), [(1, "half"), (12, "all")]);
    }

    #[test]
    fn what_is_thinned_soon_after_it_was_whole_stays_so_for_longer() {
        let mut downlink = Downlink::default();
        // as estimates do that grow by what is used
        let mut wide = Vec::new();
        for at in 0..200 {
            let room = if downlink.thins() { 80_000 } else { 50_000 };
            let second = Second {
                room: Some(room),
                ..layered(80_000)
            };
            let before = downlink.thins();
            assert!(!downlink.look(at * SECOND, second));
            if before && !downlink.thins() {
                wide.push(at);
            }
        }
        let gaps: Vec<_> = wide.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps.is_sorted() && gaps.last() >= Some(&24), "{gaps:?}");
    }

    #[test]
    fn a_link_that_loses_a_third_is_not_cured_by_half_the_frames() {
        let mut downlink = Downlink::default();
        let choked = Second {
            lost: 90,
            ..layered(80_000)
        };
        assert_eq!(
            thinned(&mut downlink, (0..5).map(|_| choked)),
            [(1, "none")]
        );
    }
}
