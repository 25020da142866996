//! Lost packets: asking a publisher for them, and how often a receiver may ask us.

use super::time::{MILLISECOND, SECOND};

/// Packets that only took another way are usually there by then.
const REORDERING: u64 = 10 * MILLISECOND;
/// Later a decoder wants a keyframe. On a slow link that is a second of pictures by itself, so one lost repair is no reason
/// for it: there is time to ask twice, at most so long. Decoders wait for three seconds (libwebrtc's `kMaxWaitForFrame`).
const USEFUL: u64 = SECOND;
const USEFUL_FAR: u64 = 2 * SECOND;
/// So late a picture of an upper layer is as a rule not shown any more: on slow links receivers hold back a quarter of a
/// second (over IPv6 half of one), and nothing but upper layers, which begin anew every half second, is made from it.
pub const SHOWN: u64 = 300 * MILLISECOND;
const TRIES: u8 = 10;
/// With more holes than this only a keyframe helps.
const MOST: usize = 256;
/// Numbers in one request: a datagram of scattered ones stays small.
const AT_ONCE: usize = 100;
/// The least time between two requests for one packet.
const SHORTEST: u64 = 20 * MILLISECOND;
/// Bits that go out before a repair and with it: as a rule it waits for two packets of a small picture.
const BEFORE: u64 = 8 * 1_000;
const LONGEST_WAIT: u64 = 300 * MILLISECOND;

/// How much longer than a round trip a repair takes over a link that carries this many bit/s of a picture. Who asks again
/// before, gets it twice: on 64 kbit/s repairs took 14 in some seconds.
#[must_use]
pub fn wait(rate: u64) -> u64 {
    (BEFORE * SECOND)
        .checked_div(rate)
        .unwrap_or(0)
        .min(LONGEST_WAIT)
}

/// What part of a stream is lost now, by its last tens of packets. A link that loses half is flooded: what is sent
/// again over it is lost as well, and so is what it takes the place of.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lately {
    lost: u32,
    flooded: bool,
    /// When the last gap was seen.
    gap_at: u64,
}

impl Lately {
    const ALL: u32 = 1 << 16;
    const PACKETS: u32 = 32;
    /// From here on it is flooded, and until there; in percent. A third at random comes nowhere near.
    const FLOODED: u32 = 50;
    const OVER: u32 = 35;
    /// A longer gap is of a link that was dead, and is not any more.
    const GAP: u64 = 12;
    /// Without a gap it is over, however few packets came.
    const CALM: u64 = SECOND;

    /// `gap` packets did not come, and the one behind them did.
    pub fn came(&mut self, now: u64, gap: u64) {
        if gap > 0 {
            self.gap_at = now;
        }
        for _ in 0..gap.min(Self::GAP) {
            self.lost += (Self::ALL - self.lost) / Self::PACKETS;
        }
        self.lost -= self.lost / Self::PACKETS;
        let bound = if self.flooded {
            Self::OVER
        } else {
            Self::FLOODED
        };
        self.flooded = self.lost > Self::ALL / 100 * bound;
    }

    /// One of a gap came all the same, by another way.
    pub fn came_late(&mut self) {
        self.lost = self.lost.saturating_sub(Self::ALL / Self::PACKETS);
    }

    #[must_use]
    pub fn is_flooded(self, now: u64) -> bool {
        now < self.calm_at()
    }

    /// When a flood is over if nothing more is lost; 0: there is none.
    #[must_use]
    pub fn calm_at(self) -> u64 {
        if self.flooded {
            self.gap_at + Self::CALM
        } else {
            0
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Missing {
    number: u64,
    since: u64,
    due: u64,
    tries: u8,
    /// It is of an upper layer for sure.
    upper: bool,
}

/// What a publisher is to send again.
#[derive(Debug, Default)]
pub struct Missed {
    /// In rising order of number.
    list: Vec<Missing>,
}

impl Missed {
    /// `count` numbers from `first` on did not come, all of them of an `upper` layer or not. `false`: too many, the list is
    /// empty now and a keyframe is the better thing to ask for.
    pub fn hole(&mut self, first: u64, count: u64, upper: bool, now: u64) -> bool {
        if self.list.len() as u64 + count > MOST as u64 {
            self.list.clear();
            return false;
        }
        let due = now + REORDERING;
        self.list
            .extend((first..first + count).map(|number| Missing {
                number,
                since: now,
                due,
                tries: 0,
                upper,
            }));
        true
    }

    pub fn came(&mut self, number: u64) {
        if let Ok(at) = self
            .list
            .binary_search_by_key(&number, |missing| missing.number)
        {
            self.list.remove(at);
        }
    }

    /// A keyframe begins at `number`: nobody needs what was before it.
    pub fn forget_before(&mut self, number: u64) {
        self.list.retain(|missing| missing.number >= number);
    }

    pub fn clear(&mut self) {
        self.list.clear();
    }

    /// Puts the numbers to ask for now into `ask`, rising; some may be left for a moment later. `false`: one has been
    /// given up, for it would come too late, and a keyframe is the better thing to ask for: not for what is of an upper
    /// layer. A repair takes `wait` longer than a round trip.
    #[must_use]
    pub fn due(&mut self, now: u64, rtt: u64, wait: u64, ask: &mut Vec<u16>) -> bool {
        let mut repairs = true;
        let again = rtt + rtt / 4 + wait;
        self.list.retain_mut(|missing| {
            if missing.due <= now && ask.len() < AT_ONCE {
                // what is asked for now is there so much later
                // a repair waits for so long at most, and half as long as a rule
                let (useful, wait) = if missing.upper {
                    (SHOWN, wait / 2)
                } else {
                    ((2 * again).clamp(USEFUL, USEFUL_FAR), wait)
                };
                let late = now.saturating_sub(missing.since) + rtt + wait > useful + REORDERING;
                if missing.tries == TRIES || late {
                    repairs &= missing.upper;
                    return false;
                }
                missing.tries += 1;
                missing.due = now + again.max(SHORTEST);
                ask.push(missing.number as u16);
            }
            true
        });
        repairs
    }

    #[must_use]
    pub fn wake(&self) -> Option<u64> {
        self.list.iter().map(|missing| missing.due).min()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

/// How often one packet is sent again to one receiver.
const ANSWERS: u8 = 3;
/// Packets remembered; a receiver that asks for more at a time has lost the picture anyway.
const REMEMBERED: usize = 128;
/// Packets that may be sent again at once, and how many sent ones earn one more: repair takes at
/// most a third of what goes to a receiver, whatever it asks for.
const BURST: u32 = 128;
const EARN: u32 = 2;

/// Remembers what a receiver asked for, so that nobody makes us send much by asking often.
#[derive(Debug)]
pub struct Answered {
    /// Number, when it is out, count; at the number modulo its length. Empty until somebody asks.
    list: Vec<(u64, u64, u8)>,
    /// In packets sent.
    credit: u32,
}

impl Default for Answered {
    fn default() -> Self {
        Self {
            list: Vec::new(),
            credit: BURST * EARN,
        }
    }
}

impl Answered {
    /// A packet was sent for the first time.
    pub fn sent(&mut self) {
        self.credit = (self.credit + 1).min(BURST * EARN);
    }

    /// Whether the packet may be sent again, which is then noted. Once more only when the last copy, which goes `out` so much
    /// later, can have been there: receivers ask again after a round trip as they know it.
    pub fn may(&mut self, number: u64, now: u64, out: u64, rtt: u64) -> bool {
        if self.credit < EARN {
            return false;
        }
        if self.list.is_empty() {
            self.list.resize(REMEMBERED, (u64::MAX, 0, 0));
        }
        let entry = &mut self.list[number as usize % REMEMBERED];
        if entry.0 != number {
            *entry = (number, now, 0);
        } else if now < entry.1 + (rtt / 4 * 3).max(SHORTEST) || entry.2 >= ANSWERS {
            return false;
        }
        (entry.1, entry.2) = (now + out, entry.2 + 1);
        self.credit -= EARN;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: u64 = 80 * MILLISECOND;

    fn due(missed: &mut Missed, now: u64) -> Vec<u16> {
        let mut ask = Vec::new();
        let _ = missed.due(now, RTT, 0, &mut ask);
        ask
    }

    /// The share of a million turns in which `lost` of a hundred packets at random look like a flood.
    fn taken_for_a_flood(lost: u32) -> f64 {
        let (mut lately, mut gap, mut random, mut flooded) = (Lately::default(), 0, 1_u32, 0);
        for _ in 0..1_000_000 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            if (random >> 8) % 100 < lost {
                gap += 1;
                continue;
            }
            lately.came(0, std::mem::take(&mut gap));
            flooded += u32::from(lately.is_flooded(0));
        }
        f64::from(flooded) / 1e6
    }

    #[test]
    fn a_link_that_loses_a_fifth_is_repaired_and_a_flooded_one_is_not() {
        assert!(taken_for_a_flood(20) == 0.0);
        assert!(taken_for_a_flood(30) < 0.02);
        let mut collapsed = Lately::default();
        collapsed.came(0, 3);
        assert!(!collapsed.is_flooded(0));
        for _ in 0..3 {
            collapsed.came(0, 7);
        }
        assert!(collapsed.is_flooded(0), "seven of eight");
        assert!(!collapsed.is_flooded(SECOND), "nothing was lost since");
        for _ in 0..64 {
            collapsed.came(0, 0);
        }
        assert!(!collapsed.is_flooded(0), "that is over");
        collapsed.came(0, 200);
        assert!(!collapsed.is_flooded(0), "a link that died and is back");
    }

    #[test]
    fn what_takes_another_way_is_no_flood() {
        let mut lately = Lately::default();
        for _ in 0..1_000 {
            lately.came(0, 1);
            lately.came_late();
            assert!(!lately.is_flooded(0));
        }
    }

    #[test]
    fn what_would_come_too_late_is_not_asked_for_a_keyframe_is() {
        let (mut missed, mut ask) = (Missed::default(), Vec::new());
        missed.hole(10, 1, false, 0);
        let far = USEFUL_FAR + MILLISECOND;
        assert!(
            !missed.due(REORDERING, far, 0, &mut ask),
            "a link by two satellites"
        );
        assert!(ask.is_empty() && missed.is_empty());
        let slow = 600 * MILLISECOND;
        missed.hole(10, 1, false, 0);
        assert!(missed.due(REORDERING, slow, 0, &mut ask));
        assert_eq!(ask, [10]);
        let again = REORDERING + slow * 5 / 4;
        assert!(missed.due(again, slow, 0, &mut ask));
        assert_eq!(ask, [10, 10]);
        assert!(
            !missed.due(again + slow * 5 / 4, slow, 0, &mut ask),
            "twice is all there is time for"
        );
    }

    #[test]
    fn of_an_upper_layer_only_what_can_still_be_shown_is_asked_for() {
        let (mut missed, mut ask) = (Missed::default(), Vec::new());
        missed.hole(10, 2, true, 0);
        missed.hole(12, 1, false, 0);
        let slow = 310 * MILLISECOND;
        assert!(
            missed.due(REORDERING, slow, 0, &mut ask),
            "no keyframe for those"
        );
        assert_eq!(ask, [12]);
        missed.clear();
        missed.hole(20, 1, true, 0);
        assert_eq!(due(&mut missed, REORDERING), [20], "a near link");
    }

    #[test]
    fn a_repair_that_waits_for_a_slow_link_is_not_asked_for_again_before() {
        let (mut missed, mut ask) = (Missed::default(), Vec::new());
        let wait = wait(40_000);
        assert_eq!(wait, 200 * MILLISECOND);
        missed.hole(10, 1, false, 0);
        assert!(missed.due(REORDERING, RTT, wait, &mut ask));
        let answered = REORDERING + RTT * 5 / 4 + wait;
        assert!(missed.due(answered - MILLISECOND, RTT, wait, &mut ask));
        assert_eq!(ask, [10]);
        assert!(missed.due(answered, RTT, wait, &mut ask));
        assert_eq!(ask, [10, 10]);
        assert!(super::wait(2_000_000) < 5 * MILLISECOND && super::wait(0) == 0);
    }

    #[test]
    fn a_packet_that_only_took_another_way_is_not_asked_for() {
        let mut missed = Missed::default();
        assert!(missed.hole(10, 2, false, 0));
        assert!(due(&mut missed, 5 * MILLISECOND).is_empty());
        missed.came(10);
        assert_eq!(missed.wake(), Some(REORDERING));
        assert_eq!(due(&mut missed, REORDERING), [11]);
        missed.came(11);
        assert!(missed.is_empty());
    }

    #[test]
    fn a_lost_packet_is_asked_for_once_a_round_trip_until_it_is_of_no_use() {
        let mut missed = Missed::default();
        missed.hole(65_536, 1, false, 0);
        let mut asked = Vec::new();
        while let Some(now) = missed.wake() {
            asked.extend(due(&mut missed, now).iter().map(|_| now / MILLISECOND));
        }
        assert_eq!(asked, [10, 110, 210, 310, 410, 510, 610, 710, 810, 910]);
    }

    #[test]
    fn a_keyframe_makes_older_holes_unimportant() {
        let mut missed = Missed::default();
        missed.hole(10, 5, false, 0);
        missed.forget_before(13);
        assert_eq!(due(&mut missed, REORDERING), [13, 14]);
    }

    #[test]
    fn a_flood_of_holes_is_answered_with_a_keyframe() {
        let mut missed = Missed::default();
        assert!(missed.hole(10, 200, false, 0));
        assert!(!missed.hole(300, 100, false, 0));
        assert!(missed.is_empty());
    }

    #[test]
    fn a_receiver_that_asks_and_asks_gets_three_copies() {
        let mut answered = Answered::default();
        let sent = (0..100)
            .filter(|turn| answered.may(7, turn * 10 * MILLISECOND, 0, RTT))
            .count();
        assert_eq!(sent, 3);
        assert!(answered.may(8, SECOND, 0, RTT));
    }

    #[test]
    fn a_repair_that_was_lost_is_sent_again_when_it_is_asked_for_again() {
        let (mut answered, slow) = (Answered::default(), 400 * MILLISECOND);
        assert!(answered.may(7, 0, 50 * MILLISECOND, slow));
        assert!(!answered.may(7, 300 * MILLISECOND, 0, slow), "on its way");
        assert!(
            answered.may(7, 390 * MILLISECOND, 0, slow),
            "by a receiver that takes the way for shorter"
        );
    }

    #[test]
    fn asking_for_everything_repairs_a_third_at_most() {
        let mut answered = Answered::default();
        let (mut sent, mut repaired) = (0, 0);
        for number in 0..10_000 {
            answered.sent();
            sent += 1;
            repaired += (0..64)
                .filter(|ago| answered.may(number + ago * 7, number, 0, 0))
                .count();
        }
        assert!(repaired <= sent / 2 + BURST as usize, "{repaired}");
    }
}
