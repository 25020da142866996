//! Who speaks, from the audio levels in RTP headers (RFC 6464), without decoding. Who has a narrow link does without
//! these bytes: there it tells that anything is sent, for silence is not.

use super::{
    MemberId,
    cache::Parcel,
    time::{MILLISECOND, SECOND},
};

/// A level of speech, smoothed, in dB above silence (127 is the loudest).
const SPEECH: f32 = 127.0 - 50.0;
/// Another speaker takes over when this much louder...
const LOUDER: f32 = 6.0;
/// ...for this long, or when the last one fell silent.
const PERSISTENT: u64 = 400 * MILLISECOND;
/// Time constant of rise; decay is three times slower, so that pauses between words are bridged.
const RISE: f32 = 0.15;
const DECAY: f32 = 0.5;
/// The floor is not passed on more often.
const HOLD: u64 = SECOND;

/// As loud as we take a voice to be of which no level tells: -40 dBov, a soft one.
const SOFT: u8 = 40;
/// And one that has not paused for so long: speech does, noise does not. It is barely speech, so that a soft voice gets
/// the floor from a television.
const BREATH: u64 = 6 * SECOND;
const NOISE: u8 = 49;
const SILENCE: u8 = 127;
/// An encoder says nothing in as many bytes (RFC 6716 section 3.1: the TOC byte, a count of frames).
const NOTHING: usize = 2;
/// The longest packet of Opus (RFC 6716 section 2.1.4), in ticks of its clock. Where the next begins later, silence was
/// left out; every 400 ms of that an encoder tells how it sounds (libopus, MAX_CONSECUTIVE_DTX).
const LONGEST: u64 = 48 * 120;
/// Packets that may be lost without a guess at what was in them.
const FEW: u64 = 8;
/// What a packet behind a pause may be of speech.
const PACKET: u64 = 60 * MILLISECOND;

/// The loudness of one member.
#[derive(Clone, Copy, Debug, Default)]
pub struct Loudness {
    smooth: f32,
    at: u64,
    /// When it was speech, last.
    spoke: Option<u64>,
    /// Without levels: the newest packet's epoch, number and timestamp, and since when there was no pause.
    newest: Option<(u32, u64, u32)>,
    unbroken: u64,
}

impl Loudness {
    /// `level` as in the header: a voice flag and 0 (loud) to 127 (silent) -dBov.
    pub fn heard(&mut self, now: u64, level: u8) {
        let loud = 127.0 - f32::from(level & 0x7f);
        let passed = now.saturating_sub(self.at).min(SECOND) as f32 / SECOND as f32;
        let constant = if loud > self.smooth { RISE } else { DECAY };
        self.smooth += (loud - self.smooth) * (1.0 - (-passed / constant).exp());
        self.at = now;
        if self.smooth >= SPEECH {
            self.spoke = Some(now);
        }
    }

    /// A packet without a level, from an encoder that sends no silence but what it sounds like, now and then. By the
    /// sender's clock: on a link that has little room packets come when they can. Numbers of different epochs have no order.
    pub fn said(&mut self, now: u64, epoch: u32, parcel: &Parcel<'_>) {
        let here = (epoch, parcel.number, parcel.timestamp);
        let paused = match self.newest.filter(|newest| newest.0 == epoch) {
            Some((_, newest, _)) if parcel.number <= newest => return,
            // in so many there was one or not: who comes back over a link that was dead has just begun
            Some((_, newest, _)) if parcel.number - newest > FEW => true,
            Some((_, newest, at)) => {
                let ticks = parcel.timestamp.wrapping_sub(at);
                u64::from(ticks) > (parcel.number - newest) * LONGEST
            }
            None => true,
        };
        self.newest = Some(here);
        let nothing = parcel.payload.len() <= NOTHING;
        if paused || nothing {
            self.unbroken = now;
            let until = if nothing { 0 } else { PACKET };
            self.heard(now.saturating_sub(until).max(self.at), SILENCE);
        }
        if !nothing {
            let noise = now.saturating_sub(self.unbroken) > BREATH;
            self.heard(now, if noise { NOISE } else { SOFT });
        }
    }

    /// When the member last spoke; `None`: never yet.
    #[must_use]
    pub const fn spoke(&self) -> Option<u64> {
        self.spoke
    }

    /// Falls when nothing is heard any more (DTX, mute, loss).
    #[must_use]
    pub fn now(&self, now: u64) -> f32 {
        let silent = now
            .saturating_sub(self.at)
            .saturating_sub(500 * MILLISECOND);
        self.smooth * (-(silent as f32) / (SECOND as f32 * DECAY)).exp()
    }
}

/// Who has the floor by speaking.
#[derive(Clone, Copy, Debug, Default)]
pub struct Floor {
    pub speaker: Option<MemberId>,
    since: u64,
    challenger: Option<(MemberId, u64)>,
}

impl Floor {
    /// Looks at everybody's loudness; `true`: there is a new speaker.
    pub fn update(
        &mut self,
        now: u64,
        members: impl Iterator<Item = (MemberId, Loudness)>,
    ) -> bool {
        let (mut loudest, mut speaking) = (None, 0.0);
        for (member, loudness) in members {
            let loud = loudness.now(now);
            if Some(member) == self.speaker {
                speaking = loud;
            }
            if loud >= SPEECH && loudest.is_none_or(|(_, most)| loud > most) {
                loudest = Some((member, loud));
            }
        }
        let Some((member, loud)) = loudest.filter(|(member, _)| Some(*member) != self.speaker)
        else {
            self.challenger = None;
            return false;
        };
        if speaking >= SPEECH && loud < speaking + LOUDER {
            self.challenger = None;
            return false;
        }
        let since = match self.challenger {
            Some((challenger, since)) if challenger == member => since,
            _ => {
                self.challenger = Some((member, now));
                now
            }
        };
        let first = self.speaker.is_none();
        if !first
            && (now.saturating_sub(since) < PERSISTENT || now.saturating_sub(self.since) < HOLD)
        {
            return false;
        }
        *self = Self {
            speaker: Some(member),
            since: now,
            challenger: None,
        };
        true
    }

    pub fn left(&mut self, member: MemberId) {
        if self.speaker == Some(member) {
            *self = Self::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCTOR: MemberId = MemberId(1);
    const PATIENT: MemberId = MemberId(2);

    struct Talk {
        now: u64,
        floor: Floor,
        members: [(MemberId, Loudness); 2],
    }

    impl Talk {
        /// Levels of doctor and patient for a while; answers how often the speaker changed.
        fn hear(&mut self, milliseconds: u64, levels: [u8; 2]) -> usize {
            let mut changes = 0;
            for _ in 0..milliseconds / 20 {
                self.now += 20 * MILLISECOND;
                for ((_, loudness), level) in self.members.iter_mut().zip(levels) {
                    loudness.heard(self.now, level);
                }
                changes += usize::from(self.floor.update(self.now, self.members.iter().copied()));
            }
            changes
        }
    }

    fn talk() -> Talk {
        let silent = Loudness::default();
        Talk {
            now: SECOND,
            floor: Floor::default(),
            members: [(DOCTOR, silent), (PATIENT, silent)],
        }
    }

    #[test]
    fn the_floor_follows_the_conversation() {
        let mut talk = talk();
        assert_eq!(talk.hear(1_000, [SILENCE, SILENCE]), 0);
        assert_eq!(talk.hear(500, [25, SILENCE]), 1);
        assert_eq!(talk.floor.speaker, Some(DOCTOR));
        talk.hear(2_000, [25, 60]);
        assert_eq!(talk.hear(2_000, [SILENCE, 25]), 1);
        assert_eq!(talk.floor.speaker, Some(PATIENT));
    }

    #[test]
    fn a_cough_does_not_take_the_floor() {
        let mut talk = talk();
        talk.hear(2_000, [25, SILENCE]);
        assert_eq!(talk.hear(160, [25, 5]), 0);
        assert_eq!(talk.hear(1_000, [25, SILENCE]), 0);
        assert_eq!(talk.floor.speaker, Some(DOCTOR));
    }

    #[test]
    fn a_patient_who_listens_has_not_spoken() {
        let mut talk = talk();
        talk.hear(1_000, [25, 100]);
        let spoken = talk.now;
        talk.hear(10_000, [SILENCE, 100]);
        let [(_, doctor), (_, patient)] = talk.members;
        let last = doctor.spoke().unwrap();
        // the loudness is smoothed: it falls for a moment
        assert!((spoken..spoken + SECOND).contains(&last), "{last}");
        assert_eq!(patient.spoke(), None);
    }

    /// An encoder that sends no silence, and the link behind it.
    #[derive(Default)]
    struct Encoder {
        loudness: Loudness,
        now: u64,
        epoch: u32,
        number: u64,
        timestamp: u32,
    }

    impl Encoder {
        /// So many packets, each so many milliseconds after the one before; answers when the last came.
        fn sends(&mut self, count: usize, milliseconds: u32, payload: &[u8]) -> u64 {
            for _ in 0..count {
                let later = u64::from(milliseconds) * MILLISECOND;
                self.comes(later, 1, milliseconds, payload);
            }
            self.now
        }

        fn comes(&mut self, later: u64, numbers: u64, milliseconds: u32, payload: &[u8]) {
            self.now += later;
            self.number += numbers;
            self.timestamp = self.timestamp.wrapping_add(milliseconds * 48);
            let parcel = Parcel {
                number: self.number,
                timestamp: self.timestamp,
                marker: false,
                level: None,
                orientation: None,
                payload,
            };
            self.loudness.said(self.now, self.epoch, &parcel);
        }

        fn spoke(&self) -> Option<u64> {
            self.loudness.spoke()
        }
    }

    const WORDS: &[u8] = &[1; 54];
    const NO_WORDS: &[u8] = &[0xf8, 0x03];

    #[test]
    fn of_a_patient_without_levels_it_tells_that_speech_comes() {
        let mut patient = Encoder::default();
        // a pause: once in 400 ms how it sounds, with or without packets that say nothing between
        patient.sends(25, 400, WORDS);
        for _ in 0..25 {
            patient.sends(19, 20, NO_WORDS);
            patient.sends(1, 20, WORDS);
        }
        assert_eq!(patient.spoke(), None);
        let words = patient.sends(10, 60, WORDS);
        assert_eq!(patient.spoke(), Some(words));
        // two packets of 120 ms, and two that are lost
        for _ in 0..10 {
            patient.comes(120 * MILLISECOND, 1, 120, WORDS);
            patient.comes(360 * MILLISECOND, 3, 360, WORDS);
        }
        let words = patient.now;
        assert_eq!(patient.spoke(), Some(words));
        patient.sends(25, 420, WORDS);
        assert!(patient.spoke().unwrap() <= words + SECOND);
    }

    #[test]
    fn a_patient_whose_browser_begins_anew_is_heard_at_once() {
        let mut patient = Encoder {
            number: 1 << 17,
            ..Encoder::default()
        };
        patient.sends(200, 60, WORDS);
        (patient.epoch, patient.number) = (1, 1 << 16);
        patient.sends(10, 400, WORDS);
        let words = patient.sends(10, 60, WORDS);
        assert_eq!(patient.spoke(), Some(words));
    }

    #[test]
    fn a_pause_that_comes_by_fits_and_starts_is_no_speech() {
        let mut patient = Encoder::default();
        for turn in 0..50 {
            // each third waited for a picture, and the one behind it did not
            let later = [420, 500, 280][turn % 3] * MILLISECOND;
            patient.comes(later, 1, 400, WORDS);
        }
        assert_eq!(patient.spoke(), None);
    }

    /// The floor in each turn of half a minute: both speak, and pause for eight turns as often as is said, or never.
    fn floor_between(pauses: [Option<u64>; 2]) -> Vec<Option<MemberId>> {
        let (mut floor, mut floors) = (Floor::default(), Vec::new());
        let mut people = [Encoder::default(), Encoder::default()];
        for turn in 0..500 {
            for (person, pause) in people.iter_mut().zip(pauses) {
                let silent = pause.is_some_and(|each| turn % each >= each - 8);
                if silent {
                    person.now += 60 * MILLISECOND;
                    person.timestamp += 60 * 48;
                } else {
                    person.comes(60 * MILLISECOND, 1, 60, WORDS);
                }
            }
            let members = [DOCTOR, PATIENT].into_iter().zip(&people);
            floor.update(
                people[0].now,
                members.map(|(id, person)| (id, person.loudness)),
            );
            floors.push(floor.speaker);
        }
        floors
    }

    #[test]
    fn a_television_gives_the_floor_to_who_speaks_and_breathes() {
        let floors = floor_between([None, Some(50)]);
        assert_eq!(floors[5..20], [Some(DOCTOR); 15], "who was first");
        let patient = floors[150..].iter().filter(|who| **who == Some(PATIENT));
        assert!(patient.count() > 200, "{floors:?}");
    }

    #[test]
    fn who_is_always_sent_keeps_nobody_from_the_floor() {
        let mut talk = talk();
        let mut patient = Encoder {
            now: talk.now,
            ..Encoder::default()
        };
        for turn in 0..600 {
            talk.now += 20 * MILLISECOND;
            if turn % 3 == 0 {
                patient.comes(60 * MILLISECOND, 1, 60, WORDS);
            }
            if turn >= 500 {
                // a doctor with a soft voice
                talk.members[0].1.heard(talk.now, 40);
            }
            talk.members[1].1 = patient.loudness;
            talk.floor.update(talk.now, talk.members.iter().copied());
            if turn == 499 {
                assert_eq!(talk.floor.speaker, Some(PATIENT));
            }
        }
        assert_eq!(talk.floor.speaker, Some(DOCTOR));
    }

    #[test]
    fn two_who_speak_alike_do_not_flicker() {
        let mut talk = talk();
        let changes: usize = (0..50)
            .map(|turn| talk.hear(200, if turn % 2 == 0 { [25, 28] } else { [28, 25] }))
            .sum();
        assert_eq!(changes, 1);
    }

    #[test]
    fn who_left_does_not_speak() {
        let mut talk = talk();
        talk.hear(1_000, [25, SILENCE]);
        talk.floor.left(DOCTOR);
        assert_eq!(talk.floor.speaker, None);
    }
}
